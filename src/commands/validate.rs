//! `validate`: the line up to *load*, without network and without a lock.

use serde_json::Value;

use crate::cli::{Format, ValidateFormat};
use crate::commands::failure::CommandError;
use crate::commands::progress::Progress;
use crate::commands::standards::{open_source, standards, warn_of_uncommitted};
use crate::commands::{Exit, print};
use crate::config::ValidateConfig;
use crate::cycle;
use crate::domain::catalog::{Bodies, Snapshot};
use crate::domain::delta::{FieldChange, full_delta};
use crate::domain::manifest;
use crate::domain::report::{Report, annotations, json, text};
use crate::domain::rules;
use crate::domain::seen::Seen;
use crate::domain::source::Problem;
use crate::domain::standards::Standards;
use crate::domain::tree::Tree;
use crate::edge::source::{Head, Source};

/// Reads every item and says what is wrong.
pub fn validate(config: &ValidateConfig) -> Result<Exit, CommandError> {
    let standards = standards(&config.source, config.company.as_deref())?;
    let source = open_source(&config.source)?;
    let progress = Progress::start("reading items");
    let result = read(&source, &standards, config.against.as_deref());
    progress.end();
    let report = Report::of(&result?);
    match config.format {
        ValidateFormat::Text => print(Format::Text, || text::validated(&report), Value::default),
        ValidateFormat::Json => print(Format::Json, String::new, || json::report(&report, None)),
        ValidateFormat::Github => {
            print(Format::Text, || annotations::github(&report), Value::default)
        }
        ValidateFormat::Gitlab => print(Format::Json, String::new, || annotations::gitlab(&report)),
    }?;
    Ok(Exit::from(report.verdict()))
}

fn read(
    source: &Source,
    standards: &Standards,
    against: Option<&str>,
) -> Result<Snapshot, CommandError> {
    let mut seen = Seen::default();
    let head = source.head()?;
    let mut reading = source.read(&head, &seen)?;
    warn_of_uncommitted(source);
    let mut snapshot = cycle::load(&mut reading, standards, &mut seen)?;
    if let Some(revision) = against {
        let base = source.base(&head, revision)?;
        let mut before = source.read(&Head::Commit(base.commit), &Seen::default())?;
        let was = cycle::load(&mut before, standards, &mut Seen::default())?;
        let mut now = Bodies { tree: &mut reading.tree, tailoring: &standards.tailoring };
        let mut then = Bodies { tree: &mut before.tree, tailoring: &standards.tailoring };
        snapshot.problems.extend(sealed_changes(&snapshot, &mut now, &was, &mut then)?);
        snapshot.problems.sort_by(|a, b| (&a.path, a.position).cmp(&(&b.path, b.position)));
    }
    Ok(snapshot)
}

/// The published versions whose resources or type are not what they were, each
/// at the first value that changed.
fn sealed_changes<T: Tree>(
    snapshot: &Snapshot,
    now: &mut Bodies<'_, T>,
    was: &Snapshot,
    then: &mut Bodies<'_, T>,
) -> Result<Vec<Problem>, T::Error> {
    let mut problems = Vec::new();
    for (key, item) in &snapshot.items {
        let Some(old) = was.items.get(key) else { continue };
        let versions = snapshot.versions_of(&key.item_id);
        let status = Some(old.lifecycle);
        let Some(next) = rules::sealed(item, old.sealed_digest, status, versions) else { continue };
        let edits = full_delta(&then.document(old)?, &now.document(item)?);
        let sealed = |edit: &&FieldChange| edit.pointer.starts_with("/resources");
        let pointer = edits.iter().find(sealed).map_or("/resources", |edit| edit.pointer.as_str());
        let version = &key.version;
        let message =
            format!("version {version} is published: its resources and its type cannot change");
        let hint = format!("leave {version} as it was, and publish {next} with the change");
        problems.push(manifest::problem_at(now.tree, item, pointer, message)?.hint(hint));
    }
    Ok(problems)
}
