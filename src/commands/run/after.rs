//! What a pass came to, counted and told.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::cycle::CycleError;
use crate::domain::event::{Outcome, Reason, Rest};
use crate::domain::item::CommitId;
use crate::domain::report::{Report, Verdict};
use crate::domain::standing::{Came, Pass, Trigger};
use crate::edge::metrics::Metrics;
use crate::edge::source::Source;

/// What a pass came to, in one word.
pub(super) fn came(report: &Report, result: &Result<Rest, CycleError>) -> Came {
    match (result, report.verdict()) {
        (Err(_), _) => Came::Error,
        (Ok(_), Verdict::Trouble) => Came::Partial,
        (Ok(_), Verdict::Guarded) => Came::Held,
        (Ok(_), Verdict::Good) if report.outcomes.is_empty() => Came::Noop,
        (Ok(_), Verdict::Good) => Came::Success,
    }
}

/// One line for a pass that did something, and for the first.
pub(super) fn summarise(pass: &Pass, report: &Report) {
    let failed = report.failures().count();
    let applied = report.outcomes.len() - failed;
    if report.unseen > 0 {
        warn!(items = report.unseen, "Could not be looked at");
    }
    if pass.error.is_some() || applied + failed == 0 && pass.trigger != Trigger::Start {
        return;
    }
    info!(
        trigger = pass.trigger.name(),
        result = pass.came.name(),
        commit = report.commit.as_ref().map(CommitId::short),
        applied,
        failed,
        held = report.held.len(),
        unchanged = report.unchanged,
        took_ms = u64::try_from(pass.took.as_millis()).unwrap_or(u64::MAX),
        "Reconciled"
    );
}

/// Counts how long a commit took from its author to the marketplace.
pub(super) fn note_delay(source: &Source, report: &Report, metrics: &Metrics) {
    let made = |outcome: &Outcome| {
        outcome.result.is_ok() && matches!(outcome.change.reason, Reason::New | Reason::Edited)
    };
    let Some(commit) = report.commit.as_ref().filter(|_| report.outcomes.values().any(made)) else {
        return;
    };
    // A directory has no commits, and a clock may be wrong: then there is
    // nothing to count.
    if let Ok(Some(info)) = source.commit_info(commit)
        && let Ok(delay) = Duration::try_from(Timestamp::now().duration_since(info.time))
    {
        metrics.applied(delay);
    }
}
