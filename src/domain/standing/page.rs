//! What `/status` answers: the standing of a process as a document for
//! machines, and its rendering for people. The shape is documented in
//! `docs/monitoring.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Came, Fetching, Pass, Standing, State, Trigger};
use crate::domain::event::{Action, Reason};
use crate::domain::item::{CommitId, ItemId, Version};
use crate::domain::report::json;
use crate::domain::report::text::{age, line, table};
use crate::domain::source::{Severity, clean};

/// The most entries of each list; how many there are in all stands beside it.
const LISTED: usize = 1_000;

/// A process as others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The version of this shape: that of the reports.
    pub version: u32,
    /// The version of the program.
    pub program: String,
    /// What is read.
    pub source: String,
    /// The marketplace.
    pub endpoint: String,
    /// The company.
    pub company: String,
    /// When the process started.
    pub started_at: Timestamp,
    /// Whether git and the marketplace were looked at once, whole.
    pub ready: bool,
    /// The commit that was read last.
    pub commit: Option<CommitId>,
    /// How many valid items it holds.
    pub wanted: usize,
    /// How many items are in each state.
    pub counts: BTreeMap<State, usize>,
    /// How long ago that item was last looked at that was not looked at for
    /// longest, in seconds; null if one was not looked at since the start.
    pub oldest_look_seconds: Option<i64>,
    /// The last pass.
    pub last_pass: Option<LastPass>,
    /// When a pass last came to its end without trouble.
    pub last_success_at: Option<Timestamp>,
    /// When the next pass begins, unless something moves before.
    pub next_pass_at: Option<Timestamp>,
    /// The clone; null if the source is no remote repository.
    pub fetch: Option<LastFetch>,
    /// The items that failed or were refused: the first 1,000.
    pub failed: Vec<FailedItem>,
    /// How many there are in all.
    pub failed_total: usize,
    /// The changes that are not made: the first 1,000.
    pub held: Vec<HeldItem>,
    /// How many there are in all.
    pub held_total: usize,
    /// What is wrong with files: the first 1,000, as in the report of a pass.
    pub problems: Vec<Value>,
    /// How many there are in all.
    pub problems_total: usize,
}

/// A pass that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastPass {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Why it was made.
    pub trigger: Trigger,
    /// What it came to.
    pub result: Came,
    /// Why it could not be made to its end.
    pub error: Option<String>,
}

/// The last fetch of a remote repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFetch {
    /// When one last came to its end.
    pub fetched_at: Option<Timestamp>,
    /// Why the last one did not.
    pub error: Option<String>,
}

/// An item that failed or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedItem {
    /// The item.
    pub item_id: ItemId,
    /// Its version.
    pub version: Version,
    /// Whether the marketplace refused it.
    pub rejected: bool,
    /// Why.
    pub why: String,
    /// How often it failed in a row.
    pub tries: u32,
    /// When it is tried again; null if that is not decided.
    pub due_at: Option<Timestamp>,
}

/// A change that is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldItem {
    /// The item.
    pub item_id: ItemId,
    /// Its version.
    pub version: Version,
    /// What would be done.
    pub would: Action,
    /// Why that would be done.
    pub reason: Reason,
    /// Why it is not, as one word.
    pub hold: String,
    /// Why it is not, in words.
    pub because: String,
    /// JSON pointers of the fields that differ, where it was looked at.
    pub fields: Vec<String>,
}

impl Page {
    /// The standing as of `now`.
    pub fn of(standing: &Standing, program: &str, now: Timestamp) -> Self {
        let about = &standing.about;
        let failed = standing.stuck.iter().take(LISTED).map(|(key, stuck)| FailedItem {
            item_id: key.item_id.clone(),
            version: key.version.clone(),
            rejected: stuck.rejected,
            why: stuck.why.clone(),
            tries: stuck.tries,
            due_at: stuck.due,
        });
        let held = standing.held.values().take(LISTED).map(|held| HeldItem {
            item_id: held.change.key.item_id.clone(),
            version: held.change.key.version.clone(),
            would: held.change.action,
            reason: held.change.reason,
            hold: held.why.name().to_owned(),
            because: held.why.to_string(),
            fields: held.change.fields.clone(),
        });
        Self {
            version: json::VERSION,
            program: program.to_owned(),
            source: about.source.clone(),
            endpoint: about.endpoint.clone(),
            company: about.company.clone(),
            started_at: about.started,
            ready: standing.ready,
            commit: standing.commit.clone(),
            wanted: standing.items,
            counts: standing.counts(),
            oldest_look_seconds: standing.oldest_look.map(|at| now.duration_since(at).as_secs()),
            last_pass: standing.last_pass.as_ref().map(LastPass::of),
            last_success_at: standing.last_success,
            next_pass_at: standing.next_pass,
            fetch: standing.fetching.as_ref().map(LastFetch::of),
            failed: failed.collect(),
            failed_total: standing.stuck.len(),
            held: held.collect(),
            held_total: standing.held.len(),
            problems: standing.problems.iter().take(LISTED).map(json::problem).collect(),
            problems_total: standing.problems.len(),
        }
    }
}

impl Page {
    /// Whether nothing is wrong that somebody must mend, and the last pass came
    /// to its end.
    pub fn is_good(&self) -> bool {
        let bad = [State::Failed, State::Rejected, State::Invalid];
        let count = |state| self.counts.get(&state).copied().unwrap_or(0);
        bad.into_iter().all(|state| count(state) == 0)
            && self.last_pass.as_ref().is_none_or(|pass| pass.error.is_none())
    }
}

impl LastPass {
    fn of(pass: &Pass) -> Self {
        Self {
            at: pass.at,
            took_ms: u64::try_from(pass.took.as_millis()).unwrap_or(u64::MAX),
            trigger: pass.trigger,
            result: pass.came,
            error: pass.error.clone(),
        }
    }
}

impl LastFetch {
    fn of(fetching: &Fetching) -> Self {
        Self { fetched_at: fetching.fetched, error: fetching.error.clone() }
    }
}

/// A page for people, as of `now`. Whatever it holds, each line is one line.
pub fn text(page: &Page, now: Timestamp) -> String {
    let mut out = String::new();
    let since = |at: Timestamp| format!("{} ago", age(now.duration_since(at)));
    let commit = page.commit.as_ref().map_or("nothing read yet", CommitId::short);
    line(&mut out, format_args!("{} at {}", clean(&page.source), clean(commit)));
    let (endpoint, company) = (clean(&page.endpoint), clean(&page.company));
    line(&mut out, format_args!("to {endpoint}, company {company}"));
    let counts = page.counts.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<_> = counts.map(|(state, count)| format!("{count} {}", state.name())).collect();
    let counts = if counts.is_empty() { "nothing yet".to_owned() } else { counts.join(", ") };
    line(&mut out, format_args!("{} in the source; {counts}", items(page.wanted)));
    if let Some(pass) = &page.last_pass {
        let (trigger, result) = (pass.trigger.name(), pass.result.name());
        let at = since(pass.at);
        line(&mut out, format_args!("last pass {at} ({trigger}): {result}"));
        if let Some(error) = &pass.error {
            line(&mut out, format_args!("  {}", clean(error)));
        }
    }
    if let Some(fetch) = &page.fetch {
        let at = fetch.fetched_at.map_or_else(|| "never".to_owned(), since);
        line(&mut out, format_args!("last fetch {at}"));
        if let Some(error) = &fetch.error {
            line(&mut out, format_args!("  {}", clean(error)));
        }
    }
    if let Some(at) = page.next_pass_at {
        let wait = SignedDuration::from_secs(at.duration_since(now).as_secs().max(0));
        line(&mut out, format_args!("next pass in {}", age(wait)));
    }
    lists(&mut out, page);
    out
}

fn lists(out: &mut String, page: &Page) {
    if !page.failed.is_empty() {
        line(out, format_args!("\n{} failed:\n", items(page.failed_total)));
        let rows = page.failed.iter().map(|failed| {
            let tries = failed.tries.to_string();
            let why = if failed.rejected { "rejected: " } else { "" };
            [
                failed.item_id.to_string(),
                failed.version.to_string(),
                tries,
                format!("{why}{}", failed.why),
            ]
        });
        table(out, ["ITEM ID", "VERSION", "TRIES", "WHY"], rows);
    }
    if !page.held.is_empty() {
        line(out, format_args!("\n{} held:\n", items(page.held_total)));
        let rows = page.held.iter().map(|held| {
            let would = held.would.to_string();
            [would, held.item_id.to_string(), held.version.to_string(), held.because.clone()]
        });
        table(out, ["WOULD", "ITEM ID", "VERSION", "HELD BECAUSE"], rows);
    }
    let error = serde_json::to_value(Severity::Error).unwrap_or_default();
    let errors: Vec<_> =
        page.problems.iter().filter(|problem| problem.get("severity") == Some(&error)).collect();
    if !errors.is_empty() {
        line(out, format_args!("\nproblems in files:\n"));
        let rows = errors.iter().map(|problem| {
            let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
            let number = |name: &str| problem.get(name).and_then(Value::as_u64);
            let mut place = text("path").to_owned();
            for part in [number("line"), number("column")].into_iter().flatten() {
                // Writing to a `String` cannot fail.
                let _ = write!(place, ":{part}");
            }
            [place, text("message").to_owned()]
        });
        table(out, ["FILE", "PROBLEM"], rows);
    }
}

fn items(count: usize) -> String {
    if count == 1 { "1 item".to_owned() } else { format!("{count} items") }
}
