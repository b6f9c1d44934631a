//! `validate`: the line up to *load*, without network and without a lock.

use crate::commands::failure::CommandError;
use crate::commands::progress::Progress;
use crate::commands::standards::{open_source, standards};
use crate::commands::{Exit, print};
use crate::config::ValidateConfig;
use crate::cycle;
use crate::domain::catalog::Snapshot;
use crate::domain::item::Version;
use crate::domain::report::{Report, json, text};
use crate::domain::rules;
use crate::domain::seen::Seen;
use crate::domain::source::Problem;
use crate::domain::standards::Standards;
use crate::edge::source::{Source, SourceError};
use crate::edge::telemetry;

/// Reads every item and says what is wrong.
pub fn validate(config: &ValidateConfig) -> Result<Exit, CommandError> {
    let standards = standards(&config.source, config.company.as_deref())?;
    let source = open_source(&config.source)?;
    let progress = Progress::start("reading items");
    let result = read(&source, &standards, config.against.as_deref());
    progress.end();
    let report = Report::of(&result?);
    print(config.format, || text::validated(&report), || json::report(&report, None))?;
    Ok(Exit::from(report.verdict()))
}

fn read(
    source: &Source,
    standards: &Standards,
    against: Option<&str>,
) -> Result<Snapshot, CommandError> {
    let mut seen = Seen::default();
    let mut reading = source.read(&source.head()?, &seen)?;
    if let Some(path) = source.uncommitted()? {
        telemetry::notice(&format!(
            "{path} has edits that are not committed; the commit is what counts (--working-tree reads the files)"
        ));
    }
    let (mut snapshot, _) = cycle::load(&mut reading, standards, &mut seen)?;
    if let Some(revision) = against {
        let before = at_revision(source, standards, revision)?;
        snapshot.problems.extend(sealed_changes(&snapshot, &before));
        snapshot.problems.sort_by(|a, b| (&a.path, a.position).cmp(&(&b.path, b.position)));
    }
    Ok(snapshot)
}

fn at_revision(
    source: &Source,
    standards: &Standards,
    revision: &str,
) -> Result<Snapshot, CommandError> {
    let mut seen = Seen::default();
    let Some(mut reading) = source.revision(revision)? else {
        return Err(SourceError::NoRevision { revision: revision.to_owned() }.into());
    };
    Ok(cycle::load(&mut reading, standards, &mut seen)?.0)
}

/// The published versions whose resources or type are not what they were.
fn sealed_changes(now: &Snapshot, before: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, item) in &now.items {
        let Some(old) = before.items.get(key) else {
            continue;
        };
        let versions = now.versions_of(&key.item_id);
        if let Some(next) = rules::sealed(item, old.sealed_digest, Some(old.lifecycle), versions) {
            problems.push(sealed_change(item.path.clone(), &key.version, &next));
        }
    }
    problems
}

fn sealed_change(
    path: crate::domain::item::RepoPath,
    version: &Version,
    next: &Version,
) -> Problem {
    let message =
        format!("version {version} is published: its resources and its type cannot change");
    Problem::of_file(&path, message)
        .hint(format!("leave {version} as it was, and publish {next} with the change"))
}
