//! What a repository is made of, looked at before libgit2 opens it.
//!
//! libgit2 opens whatever stands at these names and reads it whole: it would
//! wait for the writer of a FIFO for ever, touch a device (to open one may do
//! something), and take as much memory as a file is long. Whoever unpacks an
//! archive or may write beside us can put any of them there. Objects and packs
//! are not looked at: there may be a hundred thousand, and each is bounded
//! when it is read.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::GitError;

/// The largest configuration, in bytes. Ordinary ones have less than 1 KiB; one
/// with 1,000 branches set up has some 100 KiB.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The largest file that says where something else is, in bytes.
const MAX_POINTER_BYTES: u64 = 64 * 1024;

/// The largest list of files or refs, in bytes: the index of a million files
/// has some 100 MiB.
const MAX_LIST_BYTES: u64 = 256 * 1024 * 1024;

/// How many files a configuration may include in all. CI runners write one or
/// two; libgit2 itself follows ten levels of any number.
const MAX_INCLUDES: usize = 100;

/// How many refs may name each other, as in libgit2.
const MAX_REFS: usize = 10;

/// What is read when a repository is opened, with its limit.
const FILES: [(&str, u64); 8] = [
    ("HEAD", MAX_POINTER_BYTES),
    ("commondir", MAX_POINTER_BYTES),
    ("gitdir", MAX_POINTER_BYTES),
    ("objects/info/alternates", MAX_POINTER_BYTES),
    ("info/grafts", MAX_LIST_BYTES),
    ("shallow", MAX_LIST_BYTES),
    ("packed-refs", MAX_LIST_BYTES),
    ("index", MAX_LIST_BYTES),
];

/// Refuses a repository that is made of anything but regular files of a sane
/// length. `at` is the root of a checkout or the folder of a repository; what
/// is not there is for libgit2 to miss.
pub(super) fn check(at: &Path) -> Result<(), GitError> {
    let entry = at.join(".git");
    let git_dir = match read(&entry, MAX_POINTER_BYTES) {
        Ok(Some(text)) => at.join(text.strip_prefix("gitdir:").unwrap_or(&text).trim()),
        _ if entry.is_dir() => entry,
        _ => at.to_owned(),
    };
    let common_dir = match read(&git_dir.join("commondir"), MAX_POINTER_BYTES)? {
        Some(text) => git_dir.join(text.trim()),
        None => git_dir.clone(),
    };
    let mut includes = 0;
    for folder in [&git_dir, &common_dir] {
        for (name, limit) in FILES {
            size(&folder.join(name), limit)?;
        }
        for name in ["config", "config.worktree"] {
            check_config(&folder.join(name), &mut includes)?;
        }
    }
    check_head(&git_dir, &common_dir)
}

/// The refs that HEAD leads to.
fn check_head(git_dir: &Path, common_dir: &Path) -> Result<(), GitError> {
    let mut at = git_dir.join("HEAD");
    for _ in 0..MAX_REFS {
        let text = read(&at, MAX_POINTER_BYTES)?.unwrap_or_default();
        let Some(name) = text.strip_prefix("ref:").map(str::trim) else { break };
        // One that leads elsewhere is no name of a ref to libgit2.
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            break;
        }
        at = common_dir.join(name);
    }
    Ok(())
}

/// A configuration, and those that it includes, whatever the condition.
fn check_config(config: &Path, includes: &mut usize) -> Result<(), GitError> {
    let mut open = vec![config.to_owned()];
    while let Some(path) = open.pop() {
        let text = read(&path, MAX_CONFIG_BYTES)?.unwrap_or_default();
        let folder = path.parent().unwrap_or(&path);
        for target in included(&text) {
            *includes += 1;
            if *includes > MAX_INCLUDES {
                return Err(GitError::Includes { path: config.to_owned(), limit: MAX_INCLUDES });
            }
            open.push(folder.join(target));
        }
    }
    Ok(())
}

/// What may be the path of a file that is included. What only looks like one
/// is not there.
fn included(text: &str) -> Vec<PathBuf> {
    let text = text.replace("\\\r\n", "").replace("\\\n", "");
    let mut paths = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_start().to_ascii_lowercase().starts_with("include");
        }
        for (at, _) in line.match_indices('=').filter(|_| inside) {
            let value = line.get(at + 1..).unwrap_or_default().replace("\\\\", "\\");
            let value = value.replace('"', "");
            let before_comment = value.split(['#', ';']).next().unwrap_or_default().trim();
            paths.push(PathBuf::from(before_comment));
            if before_comment.len() != value.trim().len() {
                paths.push(PathBuf::from(value.trim()));
            }
        }
    }
    paths.retain(|path| !path.as_os_str().is_empty());
    paths
}

/// The length of a regular file, links followed; `None` if nothing is there, or
/// a folder, which nobody reads.
fn size(path: &Path, limit: u64) -> Result<Option<u64>, GitError> {
    let found = match path.metadata() {
        Ok(found) if found.is_dir() => return Ok(None),
        Ok(found) => found,
        // What cannot be reached is not opened either.
        Err(_) => return Ok(None),
    };
    if !found.is_file() {
        return Err(GitError::Special { path: path.to_owned() });
    }
    if found.len() > limit {
        let what = path.display().to_string();
        return Err(GitError::Oversized { what, size: found.len(), limit });
    }
    Ok(Some(found.len()))
}

/// The text of a regular file; `None` as for [`size`].
fn read(path: &Path, limit: u64) -> Result<Option<String>, GitError> {
    if size(path, limit)?.is_none() {
        return Ok(None);
    }
    let failed = |source| GitError::Source { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    match fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{PathBuf, included};

    #[test]
    fn whatever_may_be_an_include_is_found() {
        let text = "[core]\n\tpath = no\n[include]\n\tpath = a\n path=\"b c\" # x\n\
            [ IncludeIf \"onbranch:x=y\"] path = d\n[include] path = e\\\nf\n[user]\npath = no\n";
        let found = included(text);
        for expected in ["a", "b c", "d", "ef"] {
            assert!(found.contains(&PathBuf::from(expected)), "{expected}: {found:?}");
        }
        assert!(!found.contains(&PathBuf::from("no")), "{found:?}");
    }
}
