//! A plan that somebody has seen and approved, and whether what is to be done
//! now is still that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::domain::event::{Action, Change, Hold};
use crate::domain::item::{Digest, ItemId, ItemKey, Version};
use crate::domain::plan::Plan;

/// The version of the form of a plan file.
pub const VERSION: u32 = 1;

/// The most bytes of a plan file that are read: 100,000 lines of 200 bytes, and
/// as much again.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One change of a plan, as far as it is approved: what is done to which item,
/// and what it is afterwards. Not why, from which file or commit, nor what is
/// there before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    /// What is done.
    pub action: Action,
    /// To which item.
    pub item_id: ItemId,
    /// To which version of it.
    pub version: Version,
    /// What it is afterwards; none if it is deleted.
    pub digest: Option<Digest>,
}

impl Line {
    /// The line of a change; none if it writes nothing.
    pub fn of(change: &Change) -> Option<Self> {
        change.action.is_write().then(|| Self {
            action: change.action,
            item_id: change.key.item_id.clone(),
            version: change.key.version.clone(),
            digest: change.wanted.as_ref().map(|item| item.digest),
        })
    }

    /// The line with a digest of seven digits, for people.
    fn short(&self) -> String {
        let Self { action, item_id, version, digest } = self;
        let digest = digest.map(|digest| format!(" {}", digest.short())).unwrap_or_default();
        format!("{action} {item_id} {version}{digest}")
    }

    /// The item of the line.
    pub fn key(&self) -> ItemKey {
        ItemKey { item_id: self.item_id.clone(), version: self.version.clone() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.action, self.item_id, self.version)?;
        match &self.digest {
            Some(digest) => write!(f, " {digest}"),
            None => f.write_str(" -"),
        }
    }
}

/// The lines of a plan: its writes. Adopting and forgetting change nothing that
/// anybody else sees, and depend on what the state happens to know.
pub fn lines(plan: &Plan) -> BTreeSet<Line> {
    plan.changes.iter().filter_map(Line::of).collect()
}

/// The digest of a plan: the same exactly for the same lines.
pub fn digest(lines: &BTreeSet<Line>) -> Digest {
    let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.sort();
    Digest::of(lines.join("\n").as_bytes())
}

/// How far the marketplace was looked at when the plan was made. What nobody
/// looked at then must not be looked at when it is applied, or the plan would
/// be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Looked {
    /// Only for items that are not recorded.
    New,
    /// For every item.
    All,
}

/// A plan file: what `diff --out` writes and `apply --plan` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// The version of this form.
    pub version: u32,
    /// The marketplace that it is for.
    pub endpoint: String,
    /// The company that it is for.
    pub company: String,
    /// How far was looked.
    pub looked: Looked,
    /// The digest of the lines.
    pub digest: Digest,
    /// What is to be done.
    pub changes: BTreeSet<Line>,
}

/// Why a text is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// It is something else.
    #[error("it is no plan of `diff --out`: {0}")]
    Form(String),
    /// It is of a later program.
    #[error("it has the form {0}, and this program reads {VERSION}; use the program that wrote it")]
    Version(u32),
    /// Its lines were changed after they were written.
    #[error(
        "its changes have the digest {found}, and it says {stated}; make it anew with `diff --out`"
    )]
    Digest {
        /// What its lines come to.
        found: Digest,
        /// What it says.
        stated: Digest,
    },
}

impl Approval {
    /// Reads a plan file.
    ///
    /// # Errors
    /// If it is none, of another version, or not as it was written.
    pub fn read(text: &[u8]) -> Result<Self, NoPlan> {
        /// Enough to say that the rest may be unknown.
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }
        // What stands there is not repeated: it may be another file, with
        // secrets.
        let form = |why: serde_json::Error| {
            NoPlan::Form(match why.classify() {
                Category::Data => {
                    let (line, column) = (why.line(), why.column());
                    format!("it has something else at line {line} column {column}, or before")
                }
                Category::Io | Category::Syntax | Category::Eof => why.to_string(),
            })
        };
        let Form { version } = serde_json::from_slice(text).map_err(form)?;
        if version != VERSION {
            return Err(NoPlan::Version(version));
        }
        let approval: Self = serde_json::from_slice(text).map_err(form)?;
        let (found, stated) = (digest(&approval.changes), approval.digest);
        if found == stated { Ok(approval) } else { Err(NoPlan::Digest { found, stated }) }
    }

    /// What a plan departs in from this one. `done` is what an earlier try of
    /// the same run has done; that try may also have done what it did not hear
    /// of: an item that is there as it was approved, or is gone as it was.
    pub fn departure(&self, plan: &Plan, done: Option<&BTreeSet<Line>>) -> Option<Departure> {
        let now = lines(plan);
        let more: Vec<Line> = now.difference(&self.changes).cloned().collect();
        let changes: BTreeMap<&ItemKey, &Change> =
            plan.changes.iter().map(|change| (&change.key, change)).collect();
        let holds: BTreeMap<&ItemKey, &Hold> =
            plan.held.iter().map(|held| (&held.change.key, &held.why)).collect();
        let is_done = |line: &Line| {
            let is_fulfilled =
                || changes.get(&line.key()).is_some_and(|change| is_fulfilled(line, change));
            done.is_some_and(|done| done.contains(line) || is_fulfilled())
        };
        let held = |line: &Line| holds.get(&line.key()).map(|why| (*why).clone());
        let missing = self.changes.difference(&now).filter(|line| !is_done(line));
        let less: Vec<(Line, Option<Hold>)> =
            missing.map(|line| (line.clone(), held(line))).collect();
        let is_first = done.is_none_or(BTreeSet::is_empty);
        (!more.is_empty() || !less.is_empty()).then_some(Departure { more, less, is_first })
    }
}

/// Whether a change of the same item shows that the marketplace is as the line
/// wants it.
fn is_fulfilled(line: &Line, change: &Change) -> bool {
    match change.action {
        Action::Adopt => change.wanted.as_ref().map(|item| item.digest) == line.digest,
        Action::Forget => line.digest.is_none(),
        Action::Create | Action::Update | Action::Delete => false,
    }
}

/// What is to be done now is not what was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// What would be done and was not approved.
    pub more: Vec<Line>,
    /// What was approved and would not be done, and why it is held if it is.
    pub less: Vec<(Line, Option<Hold>)>,
    /// Whether nothing of the plan was done yet.
    pub is_first: bool,
}

impl Departure {
    /// Whether another look may find what was approved: nothing else is to be
    /// done, and what is missing could not be looked at.
    pub fn is_transient(&self) -> bool {
        let unseen = |hold: &Option<Hold>| {
            matches!(
                hold,
                Some(Hold::Unobserved { .. } | Hold::Waiting { .. } | Hold::Behind { .. })
            )
        };
        self.more.is_empty() && self.less.iter().all(|(_, hold)| unseen(hold))
    }
}

impl fmt::Display for Departure {
    /// The first lines of each kind; thousands tell nobody more. One line, as
    /// every message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let all = self.more.len() + self.less.len();
        write!(f, "what is to be done now is not what the plan says:")?;
        for line in self.more.iter().take(SHOWN) {
            write!(f, " `{}` is not in the plan;", line.short())?;
        }
        for (line, hold) in self.less.iter().take(SHOWN.saturating_sub(self.more.len())) {
            match hold {
                Some(hold) => write!(f, " `{}` is held now: {hold};", line.short())?,
                None => write!(f, " `{}` is not to be done now;", line.short())?,
            }
        }
        if all > SHOWN {
            write!(f, " and {} more;", all - SHOWN)?;
        }
        f.write_str(if self.is_first { " nothing was done" } else { " nothing more was done" })
    }
}
