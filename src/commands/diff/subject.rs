//! What the source is compared with, as far as it is known without asking.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;

use crate::commands::failure::CommandError;
use crate::commands::market::setting;
use crate::commands::standards::{fingerprint, standards};
use crate::config::{Connect, SourceConfig};
use crate::cycle;
use crate::domain::catalog::Snapshot;
use crate::domain::diff::Against;
use crate::domain::images::ImageLocations;
use crate::domain::item::{CommitId, Digest, Item};
use crate::domain::ledger::{Ledger, Row};
use crate::domain::seen::Seen;
use crate::domain::source::Severity;
use crate::domain::standards::Standards;
use crate::edge::git::GitError;
use crate::edge::source::{Head, Source, SourceError};
use crate::edge::store::{Identity, Store};

/// How many files of the other commit a note names that cannot be read.
const BROKEN_NAMED: usize = 5;

/// What the source is compared with.
pub(super) struct Subject {
    pub(super) against: Against,
    pub(super) standards: Standards,
    pub(super) store: Option<Store>,
    pub(super) ledger: Ledger,
    pub(super) seen: Seen,
    pub(super) locations: ImageLocations,
    /// What a rejection holds for, if it is known with what `apply` would ask.
    pub(super) setting: Option<Digest>,
    /// The items of the other commit, if there is one.
    pub(super) base: Option<Snapshot>,
    pub(super) notes: Vec<String>,
}

impl Subject {
    /// The marketplace. There need not be a state.
    pub(super) fn live(
        config: &SourceConfig,
        source: &Source,
        connect: &Connect,
        (state, identity): (&Path, &Identity),
    ) -> Result<Self, CommandError> {
        let company = connect.company.clone();
        let against = Against::Live { endpoint: connect.endpoint.to_string(), company };
        let standards = standards(config, Some(&connect.company))?;
        let store = Store::read_only(state)?;
        if let Some(store) = &store {
            store.check_use(state, identity)?;
        }
        let has_record = store.is_some();
        let mut subject = Self::of_state(against, standards, source, store)?;
        let schemas = subject.standards.schemas.fingerprint();
        subject.setting = Some(setting(&connect.credential, schemas));
        if !has_record || subject.ledger.rows.is_empty() {
            subject.notes.push(
                "there is no record of earlier passes here, so deletions, and edits that only \
                 remove a field, cannot be seen (--state names it)"
                    .to_owned(),
            );
        }
        Ok(subject)
    }

    /// What was applied last.
    pub(super) fn recorded(
        config: &SourceConfig,
        source: &Source,
        state: &Path,
        (endpoint, company): (Option<&String>, Option<&String>),
    ) -> Result<Self, CommandError> {
        let Some(store) = Store::read_only(state)? else {
            return Err(CommandError::NoState { dir: state.to_owned() });
        };
        let mut asked = store.identity().clone();
        if let Some(endpoint) = endpoint {
            asked.endpoint.clone_from(endpoint);
        }
        if let Some(company) = company {
            asked.company.clone_from(company);
        }
        store.check_use(state, &asked)?;
        let Identity { endpoint, company, .. } = asked;
        let standards = standards(config, Some(&company))?;
        let against = Against::Recorded { endpoint, company };
        Self::of_state(against, standards, source, Some(store))
    }

    fn of_state(
        against: Against,
        standards: Standards,
        source: &Source,
        mut store: Option<Store>,
    ) -> Result<Self, CommandError> {
        let print = fingerprint(&standards, source);
        let (ledger, seen, locations) = match &mut store {
            Some(store) => {
                (store.load_ledger()?, store.recall_seen(print)?, store.image_locations()?)
            }
            None => (Ledger::default(), Seen::empty(print), ImageLocations::default()),
        };
        let (setting, base, notes) = (None, None, Vec::new());
        Ok(Self { against, standards, store, ledger, seen, locations, setting, base, notes })
    }

    /// Another commit. What it wants stands for what was applied.
    pub(super) fn revision(
        config: &SourceConfig,
        source: &Source,
        revision: &str,
        company: Option<&str>,
    ) -> Result<Self, CommandError> {
        let standards = standards(config, company)?;
        let base = source.base(&source.head()?, revision)?;
        let mut seen = Seen::empty(fingerprint(&standards, source));
        let mut notes = Vec::new();
        let snapshot = match source.read(&Head::Commit(base.commit.clone()), &seen) {
            Ok(mut reading) => cycle::load(&mut reading, &standards, &mut seen)?,
            Err(SourceError::Git(GitError::NoSource { path, commit })) => {
                notes.push(format!("commit {} has no folder {path} yet", commit.short()));
                Snapshot { commit, items: BTreeMap::new(), problems: Vec::new() }
            }
            Err(error) => return Err(error.into()),
        };
        if !base.is_shared && base.is_shallow {
            notes.push(format!(
                "this clone does not show the last commit that both share, so what changed in \
                 {revision} since then shows the other way round (`git fetch --unshallow` brings it)"
            ));
        } else if !base.is_shared {
            notes.push(format!("{revision} shares no commit with what is read"));
        }
        let broken = snapshot.problems.iter().filter(|found| found.severity == Severity::Error);
        let broken: BTreeSet<&str> = broken.map(|found| found.path.as_str()).collect();
        if !broken.is_empty() {
            let named = broken.iter().take(BROKEN_NAMED).copied().collect::<Vec<_>>().join(", ");
            let rest = broken.len().saturating_sub(BROKEN_NAMED);
            let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
            notes.push(format!(
                "of commit {} these files cannot be read, so what they hold shows as new: {named}{more}",
                base.commit.short()
            ));
        }
        Ok(Self {
            against: Against::Revision {
                asked: revision.to_owned(),
                commit: base.commit,
                merge_base: !base.is_asked,
            },
            standards,
            store: None,
            ledger: as_recorded(&snapshot),
            seen,
            locations: ImageLocations::default(),
            setting: None,
            base: Some(snapshot),
            notes,
        })
    }
}

/// The ledger of a marketplace in which this was applied.
fn as_recorded(snapshot: &Snapshot) -> Ledger {
    let rows = snapshot.items.iter().map(|(key, item)| (key.clone(), row(item, &snapshot.commit)));
    Ledger { rows: rows.collect(), ..Ledger::default() }
}

fn row(item: &Item, commit: &CommitId) -> Row {
    Row {
        digest: item.digest,
        sealed_digest: item.sealed_digest,
        lifecycle: Some(item.lifecycle),
        object_id: None,
        commit: commit.clone(),
        path: item.path.clone(),
        blob: item.blob,
        at: Timestamp::UNIX_EPOCH,
        corrected: Vec::new(),
    }
}
