//! The laws, held against one pass: what it was given, what it said, what went
//! over the wire, and what the marketplace and the disk have after it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use marketsync::domain::event::{Failure, Outcome, Rest, Verb};
use marketsync::domain::report::Verdict;
use marketsync::embedded::PartialFailure;

use super::catalogue::{Name, Wanted};
use super::history::Witness;
use super::lab::{BYSTANDERS, Truth, agrees, look, refuses};
use super::process::{Process, masked};
use super::steps::{By, Looks};
use super::table::{Decision, Facts, Look, Records, decide};
use super::tally::Tally;

type Check = Result<(), String>;

fn must(holds: bool, words: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(words()) }
}

/// What was acknowledged is what the process knows and what its disk has, and
/// one digest stands for one document and its picture.
pub(crate) fn disk_is(
    records: &Records,
    process: &Process,
    digests: &mut BTreeMap<String, String>,
) -> Check {
    let disk = process.store.load_ledger().map_err(|error| format!("the state: {error:?}"))?;
    must(disk == process.ledger, || {
        format!("the disk has\n{disk:?}\nand the process\n{:?}", process.ledger)
    })?;
    let rows: Vec<String> = disk.rows.keys().map(ToString::to_string).collect();
    let told: Vec<String> = records.rows.keys().cloned().collect();
    must(rows == told, || {
        format!("the disk has rows of {rows:?}, and {told:?} were acknowledged")
    })?;
    for (key, row) in &disk.rows {
        let Wanted { document, picture, .. } = &records.rows[&key.to_string()].wanted;
        let meant = format!("{document} {picture:?}");
        let stands_for = digests.entry(row.digest.to_string()).or_insert_with(|| meant.clone());
        must(*stands_for == meant, || format!("one digest for {stands_for} and {meant}"))?;
    }
    let twice = digests.values().collect::<BTreeSet<_>>().len() < digests.len();
    must(!twice, || format!("two digests for one document: {digests:#?}"))?;
    let refused: Vec<String> = disk.rejections.keys().map(ToString::to_string).collect();
    let told: Vec<String> = records.rejected.keys().cloned().collect();
    must(refused == told, || {
        format!("the disk has rejections of {refused:?}, and {told:?} were told")
    })
}

impl Witness<'_> {
    fn legacy(&self) -> bool {
        matches!(self.console, "13.6" | "404")
    }

    /// Nothing went wrong in it.
    fn calm(&self) -> bool {
        !self.left_alone
            && self.struck.is_empty()
            && self.ran.result.is_some()
            && self.pass.faults.is_empty()
    }

    fn known(&self) -> BTreeSet<Name> {
        self.wishes.items.keys().chain(self.recorded.rows.keys()).cloned().collect()
    }

    /// Applies and deletions as they went out.
    fn writes(&self) -> Vec<(Name, bool)> {
        let mut writes = Vec::new();
        for heard in &self.heard {
            for document in heard.resources() {
                let version = document.pointer("/version/name").and_then(|name| name.as_str());
                let name =
                    format!("{} {}", document["itemId"].as_str().unwrap(), version.unwrap_or("NA"));
                writes.push((name, true));
            }
            if heard.line.starts_with("DELETE") {
                writes.push((heard.addressed().unwrap(), false));
            }
        }
        writes
    }

    /// Which keys a pass of this scope looks at.
    fn scope(&self) -> BTreeSet<Name> {
        let mut scope: BTreeSet<Name> = self.known();
        let recorded = |name: &Name| self.recorded.rows.contains_key(name);
        match self.pass.looks {
            Looks::All => {}
            Looks::New => scope.retain(|name| !recorded(name)),
            Looks::Also(mask) => {
                let also: BTreeSet<Name> = masked(mask)
                    .into_iter()
                    .map(|(item, version)| format!("{item} {version}"))
                    .collect();
                scope.retain(|name| !recorded(name) || also.contains(name));
            }
        }
        if matches!(self.pass.by, By::Beat(_)) {
            scope.extend(self.due.iter().cloned());
        }
        let also = |name: &Name| {
            matches!(self.pass.looks, Looks::Also(_)) && recorded(name) && !self.due.contains(name)
        };
        scope.retain(|name| !self.waiting.contains(name) || also(name));
        scope
    }

    /// What was decided, as the program says it.
    pub(crate) fn decisions(&self) -> BTreeMap<Name, Decision> {
        let report = &self.ran.report;
        let held =
            report.held.values().map(|held| (&held.change, Some(held.why.name().to_owned())));
        let done = report.outcomes.values().map(|outcome| (&outcome.change, None));
        held.chain(done)
            .map(|(change, hold)| {
                let (action, reason) = (change.action.to_string(), change.reason.to_string());
                (change.key.to_string(), Decision { action, reason, hold })
            })
            .collect()
    }

    /// What each key in scope looks like; `choose` is shown what is there.
    fn looks(&self, choose: impl Fn(&Name, Look) -> Look) -> BTreeMap<Name, Look> {
        let look = |name: Name| {
            let there = look(&self.before, &name, &self.wishes, self.console);
            let seen = choose(&name, there);
            (name, seen)
        };
        self.scope().into_iter().map(look).collect()
    }

    /// What the program may have seen among faults: what is there, nothing, or
    /// another picture than is there, which is what one counts as that is
    /// refused. What it decided tells which of them.
    fn seen(&self, there: Look) -> Vec<Look> {
        let mut seen = vec![there];
        if !self.calm() {
            seen.push(Look::Unknown);
        }
        if self.struck.contains("Download") && there == Look::Agrees {
            seen.push(Look::Differs);
        }
        seen
    }

    fn plan(
        &self,
        looks: &BTreeMap<Name, Look>,
        doubts: &BTreeSet<Name>,
    ) -> BTreeMap<Name, Decision> {
        Facts {
            wishes: &self.wishes,
            records: &self.recorded,
            looks,
            doubts,
            waiting: &self.waiting,
            correct: self.pass.correct,
            prune: self.pass.prune,
            retry_rejected: matches!(self.pass.by, By::Apply | By::Beat(true)),
            deletes: self.pass.allow_deletes.or(self.allowed),
            updates: self.pass.max_updates,
            legacy: self.legacy(),
            commit: &self.commit,
            now: self.now,
        }
        .plan()
    }

    /// Every law.
    pub(crate) fn hold_the_laws(&self, strangers: &Truth, tally: &mut Tally) -> Check {
        self.the_source_is_read()?;
        self.strangers_are_untouched(strangers)?;
        self.deletions_are_allowed()?;
        self.the_table_decides(tally)?;
        self.nothing_else_is_written()?;
        self.a_blind_pass_follows_the_ledger()?;
        for outcome in self.ran.settled() {
            self.is_true(outcome, tally)?;
        }
        self.the_end_is_true()
    }

    /// Law 2.
    fn strangers_are_untouched(&self, strangers: &Truth) -> Check {
        let mut known = self.known();
        for (name, stored) in strangers {
            must(self.after.get(name) == Some(stored), || format!("{name} was touched"))?;
        }
        let untold = |name: &&Name| !known.contains(*name);
        for name in self.before.keys().chain(self.after.keys()).filter(untold) {
            must(self.before.get(name) == self.after.get(name), || {
                format!("{name} was touched, and nobody asked for it")
            })?;
        }
        for (item, version) in BYSTANDERS {
            known.remove(&format!("{item} {version}"));
        }
        let addressed = self.heard.iter().filter_map(super::tap::Heard::addressed);
        for name in addressed.chain(self.writes().into_iter().map(|(name, _)| name)) {
            must(known.contains(&name), || {
                format!("a request names {name}, which nobody asked for")
            })?;
        }
        Ok(())
    }

    /// Law 3.
    fn deletions_are_allowed(&self) -> Check {
        let deletions: BTreeSet<Name> = self
            .writes()
            .into_iter()
            .filter(|(_, applied)| !applied)
            .map(|(name, _)| name)
            .collect();
        for name in &deletions {
            let may = self.recorded.rows.contains_key(name)
                && !self.wishes.items.contains_key(name)
                && !self.wishes.broken
                && !self.wishes.items.is_empty()
                && self.pass.prune;
            must(may, || format!("{name} is deleted"))?;
        }
        let vanished = self.before.keys().filter(|name| !self.after.contains_key(*name));
        let mut unasked = vanished.filter(|name| !deletions.contains(*name));
        must(unasked.next().is_none(), || "an item vanished without a deletion".to_owned())
    }

    /// What the commit asks for, and whether a file is broken.
    fn the_source_is_read(&self) -> Check {
        let report = &self.ran.report;
        if report.commit.is_none() {
            return Ok(());
        }
        let errors: Vec<_> = report.errors().collect();
        let right =
            report.items == self.wishes.items.len() && errors.is_empty() != self.wishes.broken;
        must(right, || {
            format!("of {:?} it reads {} items, with {errors:?}", self.wishes, report.items)
        })
    }

    /// The table of decisions, what is held and why.
    fn the_table_decides(&self, tally: &mut Tally) -> Check {
        if !self.ran.report.planned {
            return Ok(());
        }
        let decided = self.decisions();
        let said =
            |name: &Name| decided.get(name).map(|row| (row.action.as_str(), row.reason.as_str()));
        let row_of = |name: &Name, look, doubt| {
            decide(self.wishes.items.get(name), self.recorded.rows.get(name), look, doubt)
        };
        let doubts = RefCell::new(BTreeSet::new());
        let looks = self.looks(|name, there| {
            let seen = self.seen(there);
            let fits =
                |doubt| seen.iter().copied().find(|&look| row_of(name, look, doubt) == said(name));
            let in_doubt = || {
                let look = fits(true).filter(|_| self.doubts.contains(name))?;
                doubts.borrow_mut().insert(name.clone());
                Some(look)
            };
            fits(false).or_else(in_doubt).unwrap_or(there)
        });
        let mut doubts = doubts.into_inner();
        let unseen = self.doubts.iter().filter(|name| !looks.contains_key(*name));
        doubts
            .extend(unseen.filter(|name| row_of(name, Look::Unknown, true) == said(name)).cloned());
        let plan = self.plan(&looks, &doubts);
        let untold = self.ran.report.unattempted;
        for (name, row) in &decided {
            must(plan.get(name) == Some(row), || {
                format!(
                    "{name}: decided {row:?}, and the table says {:?} of {looks:?}",
                    plan.get(name)
                )
            })?;
            tally.add("row", format!("{} {}", row.action, row.reason));
            if let Some(hold) = &row.hold {
                tally.add("hold", hold.clone());
            }
        }
        let left: Vec<_> = plan.iter().filter(|(name, _)| !decided.contains_key(*name)).collect();
        must(left.len() == untold, || {
            format!("not decided, and the table says {left:?}; {untold} untold")
        })?;
        let cut = matches!(self.ran.result, Some(Err(_)));
        must(untold == 0 || cut, || format!("{untold} changes were not tried"))?;
        let unchanged = self.known().len() - plan.len();
        must(self.ran.report.unchanged == unchanged, || format!("{unchanged} are unchanged"))?;
        if unchanged > 0 {
            tally.add("row", "unchanged");
        }
        Ok(())
    }

    /// Law 4: what is written is planned, and without faults it is written
    /// once.
    fn nothing_else_is_written(&self) -> Check {
        let writes = self.writes();
        let decided = self.decisions();
        let mut plans = vec![decided];
        if !self.ran.report.planned || self.ran.report.unattempted > 0 {
            // What a pass that ended early did not come to is told by nobody.
            for doubts in [&BTreeSet::new(), &self.doubts] {
                plans.push(self.plan(&self.looks(|_, there| there), doubts));
                plans.push(self.plan(&self.looks(|_, _| Look::Unknown), doubts));
            }
        }
        let verb =
            |applied: &bool| if *applied { ["create", "update"] } else { ["delete", "delete"] };
        for (name, applied) in &writes {
            let rows = plans.iter().filter_map(|plan| plan.get(name));
            let planned = rows
                .into_iter()
                .any(|row| row.hold.is_none() && verb(applied).contains(&row.action.as_str()));
            must(planned, || format!("{name} is written, and the plan is {plans:?}"))?;
        }
        if !self.calm() || !self.ran.report.planned || self.may_be_halved() {
            return Ok(());
        }
        let unique: BTreeSet<&(Name, bool)> = writes.iter().collect();
        must(unique.len() == writes.len(), || format!("written twice: {writes:?}"))?;
        let is_write = |row: &&Decision| {
            row.hold.is_none() && !["adopt", "forget"].contains(&row.action.as_str())
        };
        let planned = plans[0].values().filter(is_write).count();
        must(planned == writes.len(), || {
            format!("{planned} writes are planned, and written were {writes:?}")
        })
    }

    /// A refused item takes others of its request along, and they go again.
    fn may_be_halved(&self) -> bool {
        self.switches.partial_failure != PartialFailure::PerItem
    }

    /// Law 5.
    fn a_blind_pass_follows_the_ledger(&self) -> Check {
        let report = &self.ran.report;
        if !report.planned || report.unattempted > 0 || !self.scope().is_empty() {
            return Ok(());
        }
        let (items, rows) = (&self.wishes.items, &self.recorded.rows);
        let differ: BTreeSet<Name> = self
            .known()
            .into_iter()
            .filter(|name| items.get(name) != rows.get(name).map(|row| &row.wanted))
            .collect();
        let decided: BTreeSet<Name> = self.decisions().into_keys().collect();
        let surplus: BTreeSet<Name> = decided.difference(&differ).cloned().collect();
        must(decided.is_superset(&differ) && surplus.is_subset(&self.doubts), || {
            format!("{differ:?} differ from the ledger, decided was about {decided:?}")
        })?;
        let acts = self.decisions().values().any(|row| row.hold.is_none());
        let guarded = self.decisions().values().any(|row| row.hold.is_some());
        must(acts || guarded || self.heard.is_empty(), || {
            format!("nothing is to be done, and it asks {:?}", self.heard)
        })
    }

    /// What is said of an item is what the marketplace has.
    fn is_true(&self, outcome: &Outcome, tally: &mut Tally) -> Check {
        let name = outcome.change.key.to_string();
        let wanted = self.wishes.items.get(&name);
        let (was, is) = (self.before.get(&name), self.after.get(&name));
        let right = |side: Option<&super::lab::Stored>| {
            side.zip(wanted).is_some_and(|(stored, wanted)| agrees(stored, wanted, self.console))
        };
        let calm = self.calm() && !self.may_be_halved();
        let refused = wanted.and_then(|wanted| refuses(&self.before, &name, wanted, self.console));
        let verb = match &outcome.result {
            Ok(applied) => applied.verb.to_string(),
            Err(Failure::Transient { .. }) => "transient".to_owned(),
            Err(Failure::Rejected { .. }) => "rejected".to_owned(),
        };
        tally.add("outcome", verb.clone());
        let holds = match &outcome.result {
            Ok(applied) => match applied.verb {
                Verb::Created => right(is) && was.is_none() && refused != Some(true),
                Verb::Updated => right(is) && (was.is_some() || !calm) && refused != Some(true),
                Verb::Adopted => {
                    right(was) && !self.writes().iter().any(|(written, _)| *written == name)
                }
                Verb::Deleted => is.is_none(),
                Verb::Forgotten => was.is_none(),
            },
            Err(Failure::Transient { .. }) => !self.calm(),
            Err(Failure::Rejected { .. }) => !self.calm() || was == is && refused != Some(false),
        };
        must(holds, || {
            format!(
                "{verb} {name} is told: {outcome:?}\nit was {was:?}\nand is {is:?}\nwanted {wanted:?}"
            )
        })
    }

    /// What the pass comes to.
    fn the_end_is_true(&self) -> Check {
        let Some(result) = &self.ran.result else { return Ok(()) };
        let report = &self.ran.report;
        match result {
            Err(error) => must(!self.calm(), || format!("in fair weather: {error:?}")),
            Ok(rest) => {
                let acknowledged = |(name, wanted): (&Name, &Wanted)| {
                    self.records.rows.get(name).is_some_and(|row| row.wanted == *wanted)
                };
                let right = self.wishes.items.iter().all(acknowledged) && !self.wishes.broken;
                must(report.verdict() != Verdict::Good || right, || {
                    "it says that all is good".to_owned()
                })?;
                let passing = report
                    .outcomes
                    .values()
                    .any(|outcome| matches!(outcome.result, Err(Failure::Transient { .. })));
                let open = passing
                    || report.unseen > 0
                    || report.held.values().any(|held| held.why.name() == "unobserved");
                let settled = *rest == Rest::Settled;
                must(self.pass.by != By::Apply || settled != open, || {
                    format!("it leaves {rest:?}, open: {open}")
                })
            }
        }
    }
}
