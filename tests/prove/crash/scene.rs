//! A catalogue and its marketplace, and whether what a run said and recorded
//! is so.

use std::collections::BTreeSet;

use marketsync::embedded::Route;

use super::catalogue::{Catalogue, is_there, picture_digest};
use super::kept::Kept;
use crate::support::cli::{Bench, Run};
use crate::world::CLAIMS;

/// A bench, what it holds, and what happened since both last agreed.
pub(super) struct Scene {
    pub(super) bench: Bench,
    pub(super) catalogue: Catalogue,
    /// Items that were sent or deleted since.
    pub(super) touched: BTreeSet<String>,
}

impl Scene {
    /// What the state says.
    ///
    /// # Panics
    /// If it is damaged.
    pub(super) fn kept(&self) -> Kept {
        Kept::read(&self.bench.state()).unwrap_or_else(|why| panic!("the state is damaged: {why}"))
    }

    /// Whether what is recorded of an item is what is wanted of it.
    pub(super) fn is_settled(&self, kept: &Kept, name: &str) -> bool {
        let recorded = kept.rows.get(name).and_then(|commit| self.catalogue.at(commit, name));
        recorded == self.catalogue.pieces.get(name)
    }

    /// How many changes reached the marketplace and not the record.
    pub(super) fn unrecorded(&self, kept: &Kept) -> usize {
        self.touched.iter().filter(|name| !self.is_settled(kept, name)).count()
    }

    /// Holds what a run said and recorded against what the marketplace has.
    /// `before` is what was recorded when it began.
    pub(super) fn judge(&mut self, run: &Run, before: &Kept) -> Kept {
        let after = self.kept();
        let mut lies = Vec::new();
        self.judge_calls(before, &mut lies);
        self.judge_log(run, &after, &mut lies);
        self.judge_record(before, &after, &mut lies);
        assert!(lies.is_empty(), "{}\n{run}", lies.join("\n"));
        let Self { bench, catalogue, .. } = &*self;
        let agree = |name: &String| {
            let piece = catalogue.pieces.get(name);
            self.is_settled(&after, name) && piece.is_some_and(|piece| is_there(bench, name, piece))
        };
        self.touched = self.touched.iter().filter(|name| !agree(name)).cloned().collect();
        after
    }

    /// Nothing that was recorded goes again, and nothing is deleted that was
    /// not removed.
    fn judge_calls(&mut self, before: &Kept, lies: &mut Vec<String>) {
        for call in self.bench.writes() {
            for name in &call.items {
                let settled = self.is_settled(before, name)
                    && !self.touched.contains(name)
                    && !before.doubts.contains(name);
                let piece = self.catalogue.pieces.get(name);
                let picture = || {
                    let item_id = name.split(' ').next().unwrap().to_owned();
                    Some((item_id, picture_digest(piece?)?))
                };
                match call.route {
                    Route::Apply if settled => lies.push(format!("{name} is sent again")),
                    Route::Upload
                        if before.rows.contains_key(name)
                            && picture().is_some_and(|known| before.pictures.contains(&known)) =>
                    {
                        lies.push(format!("the picture of {name} is sent again"));
                    }
                    Route::Delete if piece.is_some() || !before.rows.contains_key(name) => {
                        lies.push(format!("{name} is deleted"));
                    }
                    _ => {}
                }
            }
        }
        self.note_calls();
    }

    /// Notes what reached the marketplace. What a killed process sent may
    /// arrive after its death.
    pub(super) fn note_calls(&mut self) {
        let sent = self.bench.writes().into_iter().filter(|call| call.route != Route::Upload);
        self.touched.extend(sent.flat_map(|call| call.items));
    }

    /// Items that were sent more than once. A daemon with a clone begins with
    /// the commit that it fetched last, and goes on with the next.
    fn sent_again(&self) -> BTreeSet<String> {
        let (mut once, mut again) = (BTreeSet::new(), BTreeSet::new());
        for name in self.bench.sent() {
            if !once.insert(name.clone()) {
                again.insert(name);
            }
        }
        again
    }

    fn judge_log(&self, run: &Run, after: &Kept, lies: &mut Vec<String>) {
        let again = self.sent_again();
        let mut told = BTreeSet::new();
        for (verb, line) in
            CLAIMS.iter().flat_map(|verb| run.lines(verb).into_iter().map(move |line| (verb, line)))
        {
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            let (name, commit) =
                (format!("{} {}", text("item_id"), text("version")), text("commit"));
            let said = self.catalogue.at(&commit, &name);
            let wanted = self.catalogue.pieces.get(&name).filter(|_| again.contains(&name));
            let kept = after.rows.get(&name).and_then(|commit| self.catalogue.at(commit, &name));
            let is_so = |piece| is_there(&self.bench, &name, piece);
            if ![said, wanted].into_iter().flatten().any(is_so) {
                lies.push(format!("the log says {verb} {name}, which is not so"));
            }
            if kept.is_none() || ![said, wanted].contains(&kept) {
                lies.push(format!("the log says {verb} {name}, which is not recorded"));
            }
            if !told.insert((name.clone(), commit)) {
                lies.push(format!("the log says {verb} {name} twice"));
            }
        }
        let there: BTreeSet<String> = self.bench.names().into_iter().collect();
        for name in run.said("Deleted") {
            if there.contains(&name) || after.rows.contains_key(&name) {
                lies.push(format!("the log says Deleted {name}, which is not so"));
            }
        }
        if run.stderr.contains("panicked") {
            lies.push("it panicked".to_owned());
        }
    }

    /// What is recorded is so, but for what was changed since and not yet
    /// written down.
    fn judge_record(&self, before: &Kept, after: &Kept, lies: &mut Vec<String>) {
        let again = self.sent_again();
        for (name, commit) in &after.rows {
            let Some(piece) = self.catalogue.at(commit, name) else {
                lies.push(format!("{name} is recorded of {commit}, which had no such item"));
                continue;
            };
            let new = before.rows.get(name) != Some(commit) && !again.contains(name);
            if (new || !self.touched.contains(name)) && !is_there(&self.bench, name, piece) {
                lies.push(format!("{name} is recorded as of {commit}, which is not so"));
            }
        }
        if !after.history.starts_with(&before.history) {
            lies.push("the history lost something".to_owned());
            return;
        }
        let there: BTreeSet<String> = self.bench.names().into_iter().collect();
        for (name, _, result) in &after.history[before.history.len()..] {
            let is_so = match result.as_str() {
                "Deleted" => !there.contains(name),
                "Forgotten" | "transient" | "rejected" => true,
                _ => after.rows.contains_key(name),
            };
            if !is_so {
                lies.push(format!("the history says {result} {name}, which is not so"));
            }
        }
    }

    /// Asserts that everything is as wanted and recorded so, after a run that
    /// came to its end; with `prune`, that nothing else is recorded.
    pub(super) fn is_right(&mut self, run: &Run, before: &Kept, prune: bool) {
        let after = self.judge(run, before);
        for (name, piece) in &self.catalogue.pieces {
            assert!(is_there(&self.bench, name, piece), "{name} is not right\n{run}");
            assert!(self.is_settled(&after, name), "{name} is not recorded\n{run}");
        }
        let surplus = after.rows.keys().filter(|name| !self.catalogue.pieces.contains_key(*name));
        assert!(!prune || surplus.count() == 0, "what was removed is recorded\n{run}");
        self.touched.clear();
    }

    /// Asserts that an `apply` has nothing to ask.
    pub(super) fn is_at_rest(&self, source: &str, more: &[&str]) {
        self.bench.apply_from(source.as_ref(), more).exits(0);
        self.bench.asked_nothing();
    }
}
