//! Where a running process stands: a fold over the reports of its passes. It
//! is what `/status`, the metrics and the choice of what is worth a log line go
//! by.

pub mod page;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Event, Failure, Held, Hold, NOT_ASKED, Outcome};
use crate::domain::item::{CommitId, ItemKey};
use crate::domain::report::Report;
use crate::domain::retries::Retries;
use crate::domain::source::{Problem, Severity};

/// What a process is for: known at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What is read; a URL without credentials, or a path.
    pub source: String,
    /// The marketplace.
    pub endpoint: String,
    /// The company.
    pub company: String,
    /// When the process started.
    pub started: Timestamp,
}

/// Why a pass was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The process started.
    Start,
    /// The source moved.
    Commit,
    /// Somebody called the webhook.
    Hook,
    /// The slow beat that covers lost events.
    Poll,
    /// Something was due to be tried again.
    Retry,
    /// The search for drift.
    Drift,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Commit, Self::Hook, Self::Poll, Self::Retry, Self::Drift];

    /// Its name in logs, metrics and `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Commit => "commit",
            Self::Hook => "hook",
            Self::Poll => "poll",
            Self::Retry => "retry",
            Self::Drift => "drift",
        }
    }
}

/// What a pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Came {
    /// Something was done, and all of it went.
    Success,
    /// There was nothing to do.
    Noop,
    /// Some item is invalid, failed, waits or was rejected; the others were
    /// done.
    Partial,
    /// The pass could not be made to its end.
    Error,
    /// A guard held something.
    Held,
}

impl Came {
    /// Everything that it can come to.
    pub const ALL: [Self; 5] = [Self::Success, Self::Noop, Self::Partial, Self::Error, Self::Held];

    /// Its name in logs, metrics and `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Noop => "noop",
            Self::Partial => "partial",
            Self::Error => "error",
            Self::Held => "held",
        }
    }
}

/// A pass that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Why it was made.
    pub trigger: Trigger,
    /// What it came to.
    pub came: Came,
    /// Why it could not be made to its end, if it could not.
    pub error: Option<String>,
}

/// An item that did not go when it was last tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Whether the marketplace refused it, as against a passing failure.
    pub rejected: bool,
    /// Whether an earlier state of it is recorded.
    pub recorded: bool,
    /// Why.
    pub why: String,
    /// How often it failed, one time after the other.
    pub tries: u32,
    /// When it is tried again; none if that is not decided.
    pub due: Option<Timestamp>,
}

/// The clone of a remote repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetching {
    /// When a fetch last came to its end.
    pub fetched: Option<Timestamp>,
    /// Why the last one did not, if it did not.
    pub error: Option<String>,
}

/// In which state an item is; each counts in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Recorded, and nothing else is known.
    Synced,
    /// Changed in the marketplace, and left so.
    Drifted,
    /// A limit, a rule or a choice holds it.
    Held,
    /// It failed for a passing reason.
    Failed,
    /// The marketplace refused it.
    Rejected,
    /// Its file is broken. Counted by file, since a broken file has no item.
    Invalid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Synced, Self::Drifted, Self::Held, Self::Failed, Self::Rejected, Self::Invalid];

    /// Its name in metrics and `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Drifted => "drifted",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Invalid => "invalid",
        }
    }
}

/// Where a running process stands. A copy costs little: it shares the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is for.
    pub about: About,
    /// Whether the source was read whole once, and the marketplace answered for
    /// it.
    pub ready: bool,
    /// The commit that was read last.
    pub commit: Option<CommitId>,
    /// How many valid items it holds.
    pub items: usize,
    /// How many items are recorded.
    pub recorded: usize,
    /// What is wrong with its files.
    pub problems: Arc<Vec<Problem>>,
    /// The same, to be found.
    known_problems: Arc<HashSet<Problem>>,
    /// The changes that are not made, and why.
    pub held: Arc<BTreeMap<ItemKey, Held>>,
    /// The items that failed or were refused.
    pub stuck: Arc<BTreeMap<ItemKey, Stuck>>,
    /// When that item was last looked at that was not looked at for longest;
    /// none if one was not looked at since the process started.
    pub oldest_look: Option<Timestamp>,
    /// The last pass.
    pub last_pass: Option<Pass>,
    /// When a pass last came to its end without trouble.
    pub last_success: Option<Timestamp>,
    /// When the next pass begins, unless something moves before.
    pub next_pass: Option<Timestamp>,
    /// The clone, if the source is a remote repository.
    pub fetching: Option<Fetching>,
}

impl Standing {
    /// At the start.
    pub fn new(about: About) -> Self {
        Self {
            about,
            ready: false,
            commit: None,
            items: 0,
            recorded: 0,
            problems: Arc::default(),
            known_problems: Arc::default(),
            held: Arc::default(),
            stuck: Arc::default(),
            oldest_look: None,
            last_pass: None,
            last_success: None,
            next_pass: None,
            fetching: None,
        }
    }

    /// Whether an event of the pass under way says what was not known: what
    /// lasts is told once.
    pub fn is_news(&self, event: &Event) -> bool {
        match event {
            Event::Settled { outcome, .. } => !self.is_known_failure(outcome),
            Event::Notice(_) => true,
            Event::Loaded { commit, items, .. } => {
                self.commit.as_ref() != Some(commit) || self.items != *items
            }
            Event::Found(problem) => !self.known_problems.contains(problem),
            Event::Held(held) => !self.is_told(held),
        }
    }

    /// Whether an item failed in a passing way, and as it did before.
    fn is_known_failure(&self, outcome: &Outcome) -> bool {
        let Err(Failure::Transient { why, .. }) = &outcome.result else { return false };
        self.stuck.get(&outcome.change.key).is_some_and(|stuck| stuck.why == *why)
    }

    fn is_told(&self, held: &Held) -> bool {
        let Held { change, why } = held;
        // What waits was told when it failed.
        if matches!(why, Hold::Waiting { .. }) && self.stuck.contains_key(&change.key) {
            return true;
        }
        let Some(known) = self.held.get(&change.key) else { return false };
        // Between two tries an item that could not be looked at waits.
        let one_cause = match (&known.why, why) {
            (
                Hold::Waiting { why: known } | Hold::Unobserved { why: known },
                Hold::Waiting { why } | Hold::Unobserved { why },
            ) => known == why,
            (known, why) => known == why,
        };
        one_cause && known.change.fields == change.fields
    }

    /// Takes in what a pass found and did. `was_seen` tells which items it
    /// looked at: what only a look can show of the others stands. `retries`
    /// tells when what failed is tried again.
    pub fn after(
        &mut self,
        report: &Report,
        retries: &Retries,
        was_seen: impl Fn(&ItemKey) -> bool,
    ) {
        if report.commit.is_none() {
            return;
        }
        self.commit.clone_from(&report.commit);
        self.items = report.items;
        if *self.problems != report.problems {
            self.problems = Arc::new(report.problems.clone());
            self.known_problems = Arc::new(report.problems.iter().cloned().collect());
        }
        if !report.planned {
            return;
        }
        let lasts = |key: &ItemKey, held: &mut Held| {
            matches!(held.why, Hold::DriftReported | Hold::Contested)
                && !was_seen(key)
                && !report.outcomes.contains_key(key)
        };
        let held = Arc::make_mut(&mut self.held);
        held.retain(lasts);
        held.extend(report.held.iter().map(|(key, held)| (key.clone(), held.clone())));
        let stuck = Arc::make_mut(&mut self.stuck);
        let is_refused = |held: &Held| matches!(held.why, Hold::Rejected { .. });
        stuck.retain(|key, _| {
            retries.get(key).is_some() || report.held.get(key).is_some_and(is_refused)
        });
        for (key, outcome) in &report.outcomes {
            let (rejected, why) = match &outcome.result {
                Ok(_) => continue,
                Err(Failure::Transient { why, .. }) => (false, why),
                Err(Failure::Rejected { why, .. }) => (true, why),
            };
            let recorded = outcome.change.from.is_some();
            if why.starts_with(NOT_ASKED) && stuck.contains_key(key) {
                // What was really asked says more.
                continue;
            }
            let failed = Stuck { rejected, recorded, why: why.clone(), tries: 1, due: None };
            stuck.insert(key.clone(), failed);
        }
        for (key, retry) in retries.iter() {
            if let Some(stuck) = stuck.get_mut(key) {
                (stuck.tries, stuck.due) = (retry.tries, Some(retry.due));
            }
        }
    }

    /// In which state an item is, if it is not [`State::Synced`].
    fn state_of(&self, key: &ItemKey) -> Option<State> {
        if let Some(stuck) = self.stuck.get(key) {
            return Some(if stuck.rejected { State::Rejected } else { State::Failed });
        }
        Some(match self.held.get(key)?.why {
            Hold::DriftReported => State::Drifted,
            Hold::Rejected { .. } => State::Rejected,
            Hold::Unobserved { .. } | Hold::Waiting { .. } => State::Failed,
            _ => State::Held,
        })
    }

    /// How many items are in each state.
    pub fn counts(&self) -> BTreeMap<State, usize> {
        let mut counts: BTreeMap<State, usize> = State::ALL.map(|state| (state, 0)).into();
        let known: BTreeSet<_> = self.held.keys().chain(self.stuck.keys()).collect();
        for state in known.iter().filter_map(|key| self.state_of(key)) {
            *counts.entry(state).or_default() += 1;
        }
        let unsynced = known.iter().filter(|key| self.is_recorded(key)).count();
        counts.insert(State::Synced, self.recorded.saturating_sub(unsynced));
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let broken: BTreeSet<&str> = errors.map(|problem| problem.path.as_str()).collect();
        counts.insert(State::Invalid, broken.len());
        counts
    }

    fn is_recorded(&self, key: &ItemKey) -> bool {
        self.held.get(key).is_some_and(|held| held.change.from.is_some())
            || self.stuck.get(key).is_some_and(|stuck| stuck.recorded)
    }
}
