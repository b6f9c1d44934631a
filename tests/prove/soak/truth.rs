//! What the daemon says, counted against what the marketplace was asked.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use marketsync::embedded::{Exchange, FaultKind, Route};
use serde_json::Value;

use crate::support::cli::Bench;
use crate::support::daemon::Daemon;

/// How many lines are kept to be shown when something is wrong.
const TAIL: usize = 300;

/// What was said and asked of one item.
#[derive(Debug, Default, Clone, Copy)]
struct Account {
    /// Lines that say that it was created or updated.
    written: u64,
    /// Lines that say that it was deleted.
    deleted: u64,
    /// Applies that the marketplace carried out.
    applies: u64,
    /// Of these, those whose answer arrived as it should.
    answered: u64,
    /// Deletions that the marketplace carried out.
    deletes: u64,
}

/// The accounts of all items, and what is known of the log.
#[derive(Default)]
pub(super) struct Truth {
    accounts: BTreeMap<String, Account>,
    lines: BTreeMap<String, u64>,
    tail: VecDeque<String>,
    pub(super) faults: u64,
}

impl Truth {
    /// Takes in what was said and asked since the last time.
    pub(super) fn hear(&mut self, daemon: &Daemon, bench: &Bench) {
        // In this order: what is said was answered before.
        let lines = daemon.take_log();
        for line in lines {
            self.line(&line);
        }
        self.asked(bench);
        self.holds();
    }

    /// The same when the daemon is about to end; now everything must be told.
    pub(super) fn hears_the_end(&mut self, daemon: Daemon, bench: &Bench) {
        let run = daemon.end().exits(0);
        for line in run.log() {
            self.line(&line);
        }
        self.asked(bench);
        self.holds();
        for (item, account) in &self.accounts {
            let Account { written, answered, .. } = account;
            assert!(
                answered <= written,
                "{item} was written in silence: {account:?}\n{}",
                self.last_words()
            );
        }
    }

    fn line(&mut self, line: &Value) {
        let text = line.to_string();
        let is_sound = line.is_object() && !text.contains("panicked");
        self.tail.push_back(text);
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
        assert!(is_sound, "no line of a log:\n{}", self.last_words());
        let message = line["message"].as_str().unwrap_or_default();
        // Notices are free text.
        if message.split(' ').count() <= 2 {
            *self.lines.entry(message.to_owned()).or_default() += 1;
        }
        let Some(item_id) = line["item_id"].as_str() else { return };
        let item = format!("{item_id} {}", line["version"].as_str().unwrap_or_default());
        let account = self.accounts.entry(item).or_default();
        match message {
            "Created" | "Updated" => account.written += 1,
            "Deleted" => account.deleted += 1,
            _ => {}
        }
    }

    fn asked(&mut self, bench: &Bench) {
        for exchange in bench.handle().take_log() {
            self.faults += u64::from(exchange.fault.is_some());
            let carried_out = is_carried_out(&exchange);
            for item in &exchange.items {
                let account = self.accounts.entry(item.clone()).or_default();
                match exchange.route {
                    Route::Apply if carried_out => {
                        account.applies += 1;
                        account.answered += u64::from(exchange.fault.is_none());
                    }
                    Route::Delete if carried_out => account.deletes += 1,
                    _ => {}
                }
            }
        }
    }

    /// Nothing is said that was not done.
    fn holds(&self) {
        for (item, account) in &self.accounts {
            let Account { written, deleted, applies, deletes, .. } = account;
            assert!(
                written <= applies && deleted <= deletes,
                "more is said of {item} than was done: {account:?}\n{}",
                self.last_words()
            );
        }
    }

    /// The end of the log.
    pub(super) fn last_words(&self) -> String {
        self.tail.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// How many writes were told.
    pub(super) fn writes(&self) -> u64 {
        self.accounts.values().map(|account| account.written + account.deleted).sum()
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> =
            self.lines.iter().map(|(message, count)| format!("{message} {count}")).collect();
        f.write_str(&lines.join(", "))
    }
}

/// Whether the marketplace did what it was asked, whatever became of its
/// answer.
fn is_carried_out(exchange: &Exchange) -> bool {
    let went = exchange.status.is_none_or(|status| (200..300).contains(&status) || status == 404);
    match &exchange.fault {
        Some(FaultKind::Status { processed, .. }) => *processed,
        Some(FaultKind::CutBefore | FaultKind::Redirect { .. } | FaultKind::EndlessBody) => false,
        _ => went,
    }
}
