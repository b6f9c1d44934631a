//! The decision table of `docs/architecture.md` and what holds its rows, once
//! more, in the words of that page.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Name, Wanted, Wishes};

/// What is recorded of one item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) wanted: Wanted,
    /// When drift was corrected, in seconds.
    pub(crate) corrected: Vec<i64>,
}

/// What was acknowledged: the program said that it is safe.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Records {
    pub(crate) rows: BTreeMap<Name, Row>,
    /// What was refused, and when.
    pub(crate) rejected: BTreeMap<Name, (Wanted, i64)>,
    /// How many deletions each commit made.
    pub(crate) deleted: BTreeMap<String, usize>,
}

/// What is seen of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Unknown,
    Absent,
    Agrees,
    Differs,
}

/// What is done, why, and what holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decision {
    pub(crate) action: String,
    pub(crate) reason: String,
    pub(crate) hold: Option<String>,
}

/// What a pass was asked to do, and what it rests on.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the pass")]
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub(crate) wishes: &'a Wishes,
    pub(crate) records: &'a Records,
    pub(crate) looks: &'a BTreeMap<Name, Look>,
    /// Of what another document may have arrived than the last that was
    /// acknowledged.
    pub(crate) doubts: &'a BTreeSet<Name>,
    /// What failed and is not due.
    pub(crate) waiting: &'a BTreeSet<Name>,
    pub(crate) correct: bool,
    pub(crate) prune: bool,
    pub(crate) retry_rejected: bool,
    pub(crate) deletes: Option<usize>,
    pub(crate) updates: Option<usize>,
    pub(crate) legacy: bool,
    pub(crate) commit: &'a str,
    pub(crate) now: i64,
}

/// The table.
pub(crate) fn decide(
    wanted: Option<&Wanted>,
    row: Option<&Row>,
    look: Look,
    doubt: bool,
) -> Option<(&'static str, &'static str)> {
    let edited = || doubt || wanted != row.map(|row| &row.wanted);
    #[expect(clippy::match_same_arms, reason = "a row of the table each")]
    match (wanted.is_some(), row.is_some(), look) {
        (true, false, Look::Unknown) => Some(("create", "unobserved")),
        (true, false, Look::Absent) => Some(("create", "new")),
        (true, false, Look::Agrees) if doubt => Some(("update", "differs")),
        (true, false, Look::Agrees) => Some(("adopt", "already there")),
        (true, false, Look::Differs) => Some(("update", "differs")),
        (true, true, Look::Absent) => Some(("create", "missing")),
        (true, true, _) if edited() => Some(("update", "edited")),
        (true, true, Look::Differs) => Some(("update", "drifted")),
        (true, true, Look::Agrees | Look::Unknown) => None,
        (false, true, Look::Absent) => Some(("forget", "gone")),
        (false, true, _) => Some(("delete", "removed")),
        (false, false, _) => None,
    }
}

impl Facts<'_> {
    fn look(&self, name: &Name) -> Look {
        self.looks.get(name).copied().unwrap_or(Look::Unknown)
    }

    /// Every name that is wanted or recorded.
    pub(crate) fn names(&self) -> BTreeSet<Name> {
        self.wishes.items.keys().chain(self.records.rows.keys()).cloned().collect()
    }

    /// What holds one row, limits aside.
    fn hold(&self, name: &Name, (action, reason): (&str, &str)) -> Option<&'static str> {
        let (wanted, row) = (self.wishes.items.get(name), self.records.rows.get(name));
        let edited = row.is_some_and(|row| wanted.is_some_and(|wanted| *wanted != row.wanted));
        let drift = matches!(reason, "drifted" | "missing") && !edited;
        let writes = matches!(action, "create" | "update" | "delete");
        if self.waiting.contains(name) && writes {
            return Some("waiting");
        }
        match reason {
            "unobserved" => return Some("unobserved"),
            _ if drift && !self.correct => return Some("drift-reported"),
            "removed" | "gone" if self.wishes.broken => return Some("broken-source"),
            "removed" if !self.prune => return Some("prune-off"),
            _ => {}
        }
        let wanted = wanted?;
        if row.is_some_and(|row| is_sealed(name, row, wanted)) {
            return Some("immutable");
        }
        if writes && !self.retry_rejected && self.still_rejected(name, wanted) {
            return Some("rejected");
        }
        (drift && row.is_some_and(is_contested)).then_some("contested")
    }

    fn still_rejected(&self, name: &Name, wanted: &Wanted) -> bool {
        const DAY: i64 = 24 * 3600;
        self.records
            .rejected
            .get(name)
            .is_some_and(|(refused, at)| refused == wanted && self.now - at < DAY)
    }

    /// The plan.
    pub(crate) fn plan(&self) -> BTreeMap<Name, Decision> {
        let mut plan = BTreeMap::new();
        for name in self.names() {
            let (wanted, row) = (self.wishes.items.get(&name), self.records.rows.get(&name));
            let Some((action, reason)) =
                decide(wanted, row, self.look(&name), self.doubts.contains(&name))
            else {
                continue;
            };
            let hold = self.hold(&name, (action, reason)).map(str::to_owned);
            let (action, reason) = (action.to_owned(), reason.to_owned());
            plan.insert(name, Decision { action, reason, hold });
        }
        self.behind(&mut plan);
        self.limits(&mut plan);
        plan
    }

    /// A new version waits for a lower one that waits.
    fn behind(&self, plan: &mut BTreeMap<Name, Decision>) {
        let mut lower: Option<String> = None;
        for (name, decision) in plan {
            let item = name.split(' ').next().unwrap().to_owned();
            let wanted = self.wishes.items.contains_key(name);
            let recorded = self.records.rows.contains_key(name);
            if matches!(decision.hold.as_deref(), Some("waiting" | "unobserved")) && wanted {
                lower = Some(item);
            } else if lower.as_ref() == Some(&item)
                && wanted
                && !recorded
                && decision.hold.is_none()
                && decision.action != "adopt"
            {
                decision.hold = Some("behind".to_owned());
            }
        }
    }

    /// How many deletions the commit may still make.
    fn allowed(&self) -> usize {
        let done = self.records.deleted.get(self.commit).copied().unwrap_or(0);
        let usual = ((self.records.rows.len() + done) / 10).clamp(1, 10);
        self.deletes.unwrap_or(usual).saturating_sub(done)
    }

    fn limits(&self, plan: &mut BTreeMap<Name, Decision>) {
        let open = |action: &str| {
            plan.values().filter(|row| row.hold.is_none() && row.action == action).count()
        };
        let (deletes, updates) = (open("delete"), open("update"));
        for (name, row) in plan.iter_mut().filter(|(_, row)| row.hold.is_none()) {
            let tags = self.wishes.items.get(name).is_some_and(Wanted::has_tags);
            let hold = match row.action.as_str() {
                "delete" if self.wishes.items.is_empty() => Some("empty-source"),
                "delete" if deletes > self.allowed() => Some("delete-guard"),
                "update" if updates > self.updates.unwrap_or(usize::MAX) => Some("update-guard"),
                "create" | "update" if self.legacy && tags => Some("not-on-legacy"),
                _ => None,
            };
            row.hold = hold.map(str::to_owned);
        }
    }
}

/// `resources` of a published version changed; all types stay as they are here.
fn is_sealed(name: &Name, row: &Row, wanted: &Wanted) -> bool {
    !name.ends_with(" NA")
        && row.wanted.lifecycle() != "draft"
        && row.wanted.document["resources"] != wanted.document["resources"]
}

/// Three corrections within an hour.
fn is_contested(row: &Row) -> bool {
    const HOUR: i64 = 3600;
    row.corrected.len() >= 3 && row.corrected.last().unwrap() - row.corrected[0] < HOUR
}
