//! What a command says in the end: one record of a pass, many renderings.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::catalog::Snapshot;
use crate::domain::event::{Failure, Held, Outcome};
use crate::domain::item::{CommitId, ItemKey};
use crate::domain::plan::Plan;
use crate::domain::source::{Problem, Severity};

pub mod json;
pub mod text;
pub mod diff;
pub mod history;
pub mod annotations;
pub mod exported;

/// Everything that a pass found and did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was read.
    pub commit: Option<CommitId>,
    /// How many valid items it holds.
    pub items: usize,
    /// What is wrong with files, and what deserves a look.
    pub problems: Vec<Problem>,
    /// Whether the pass came as far as a plan.
    pub planned: bool,
    /// How many items needed nothing.
    pub unchanged: usize,
    /// How many of those could not be looked at.
    pub unseen: usize,
    /// The changes that were not made, by key.
    pub held: BTreeMap<ItemKey, Held>,
    /// What became of the changes that were to be made, by key.
    pub outcomes: BTreeMap<ItemKey, Outcome>,
    /// How many changes nobody tried, because the pass was stopped or ended.
    pub unattempted: usize,
    /// How many changes were sent and could not be written down.
    pub unrecorded: usize,
    /// How long its phases took.
    pub timing: Timing,
}

/// How long the phases of a pass took; zero for one that it did not reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Reading the source.
    pub load: Duration,
    /// Looking at the marketplace.
    pub observe: Duration,
    /// Deciding.
    pub plan: Duration,
    /// Sending, and writing down what was sent.
    pub send: Duration,
}

impl Timing {
    /// The phases by their names in the metrics, in the order of the pass.
    pub fn phases(&self) -> [(&'static str, Duration); 4] {
        [("load", self.load), ("observe", self.observe), ("plan", self.plan), ("send", self.send)]
    }
}

impl Report {
    /// A report of a source that was read and not applied.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            commit: Some(snapshot.commit.clone()),
            items: snapshot.items.len(),
            problems: snapshot.problems.clone(),
            ..Self::default()
        }
    }

    /// Adds what was planned and what became of it.
    pub fn add(&mut self, plan: &Plan, outcomes: Vec<Outcome>) {
        self.planned = true;
        self.unchanged = plan.unchanged;
        self.unseen = plan.unseen;
        self.unattempted = plan.changes.len().saturating_sub(outcomes.len());
        self.held = plan.held.iter().map(|held| (held.change.key.clone(), held.clone())).collect();
        self.outcomes =
            outcomes.into_iter().map(|outcome| (outcome.change.key.clone(), outcome)).collect();
    }

    /// Counts what was sent and could not be written down: it is neither done
    /// nor left undone.
    pub fn lose(&mut self, count: usize) {
        self.unrecorded = count;
        self.unattempted = self.unattempted.saturating_sub(count);
    }

    /// The report of a repeated pass, over that of the earlier ones: what was
    /// applied earlier is unchanged now, and still was applied. A pass that
    /// ended early takes nothing back.
    #[must_use]
    pub fn continued(mut self, later: Self) -> Self {
        if later.commit.is_none() {
            return self;
        }
        if !later.planned {
            let Self { commit, items, problems, .. } = later;
            return Self { commit, items, problems, ..self };
        }
        self.outcomes
            .retain(|key, outcome| outcome.result.is_ok() && !later.outcomes.contains_key(key));
        let still_there = self.outcomes.values().filter(|outcome| outcome.change.wanted.is_some());
        let earlier = still_there.count();
        let mut merged = later;
        merged.unchanged = merged.unchanged.saturating_sub(earlier);
        merged.outcomes.append(&mut self.outcomes);
        merged
    }

    /// The problems that stop an item.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The changes that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&Outcome, &Failure)> {
        self.outcomes
            .values()
            .filter_map(|outcome| outcome.result.as_ref().err().map(|failure| (outcome, failure)))
    }

    /// What the whole of it comes to.
    pub fn verdict(&self) -> Verdict {
        let trouble = self.errors().next().is_some()
            || self.failures().next().is_some()
            || self.unseen > 0
            || self.held.values().any(|held| held.why.is_trouble());
        if trouble {
            Verdict::Trouble
        } else if self.held.values().any(|held| held.why.is_guard()) {
            Verdict::Guarded
        } else {
            Verdict::Good
        }
    }
}

/// What a report comes to (`practice.md` §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be: exit code 0.
    Good,
    /// Some item is invalid, failed or was rejected; the others were done:
    /// exit code 1.
    Trouble,
    /// A guard held something: exit code 3.
    Guarded,
}
