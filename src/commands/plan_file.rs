//! The file of an approved plan.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::commands::failure::CommandError;
use crate::config::Connect;
use crate::domain::approval::{Approval, MAX_BYTES, NoPlan};

/// Reads the plan that `apply` is held to.
pub(super) fn read(path: &Path, connect: &Connect) -> Result<Approval, CommandError> {
    let unreadable = |source| CommandError::ReadPlan { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    let no_plan = |source| CommandError::NoPlan { path: path.to_owned(), source };
    if text.len() as u64 > MAX_BYTES {
        return Err(no_plan(NoPlan::Form(format!("it has more than {MAX_BYTES} bytes"))));
    }
    let approval = Approval::read(&text).map_err(no_plan)?;
    let pairs = [
        ("endpoint", &approval.endpoint, connect.endpoint.to_string()),
        ("company", &approval.company, connect.company.clone()),
    ];
    for (what, planned, asked) in pairs {
        if *planned != asked {
            let (path, planned) = (path.to_owned(), planned.clone());
            return Err(CommandError::PlanOfAnother { path, what, planned, asked });
        }
    }
    Ok(approval)
}

/// Writes a plan. A file that was there is replaced when the new one is whole;
/// what is no file is left alone. The new one has a name that nobody knows, and
/// is made only if nothing has it: what lies beside it may come from others.
pub(super) fn write(path: &Path, approval: &Approval) -> Result<(), CommandError> {
    let failed = |source| CommandError::WritePlan { path: path.to_owned(), source };
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(failed(io::Error::other("something is there that is no regular file")));
    }
    let mut text = serde_json::to_vec_pretty(approval).map_err(|why| failed(why.into()))?;
    text.push(b'\n');
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}", fastrand::u64(..)));
    let fresh = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&fresh)
        .and_then(|mut file| file.write_all(&text))
        .and_then(|()| std::fs::rename(&fresh, path));
    written.map_err(|source| {
        // It may not have been made; there is nothing else to do about it.
        let _ = std::fs::remove_file(&fresh);
        failed(source)
    })
}
