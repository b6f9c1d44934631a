//! A history as it is lived: a repository, a state, a marketplace, and the real
//! pass over them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use marketsync::domain::event::Event;
use marketsync::domain::item::RepoPath;
use marketsync::edge::source::{Source, SourceOptions};
use marketsync::embedded::{
    DeleteFiles, ManifestForm, PartialFailure, Reapply, RowOrder, Switches, UnknownKeys,
    UnknownVersions, Upsert, WrittenDefaults,
};
use tempfile::TempDir;

use super::catalogue::{Catalogue, Name, Wanted, Wishes, name_of};
use super::lab::{Lab, Truth};
use super::process::{Failed, Process, Ran};
use super::steps::{After, By, CONSOLES, KEYS, Looks, Pass, Step, Turn, WHOLE};
use super::table::Records;
use super::tally::{Tally, kind};
use super::tap::Heard;
use crate::support::repo::Repo;

/// What a pass was given, and what came of it.
pub(crate) struct Witness<'a> {
    pub(crate) pass: &'a Pass,
    pub(crate) console: &'static str,
    pub(crate) switches: Switches,
    pub(crate) wishes: Wishes,
    pub(crate) before: Truth,
    pub(crate) after: Truth,
    /// What was acknowledged before, and after.
    pub(crate) recorded: Records,
    pub(crate) records: Records,
    /// What was about to be sent earlier, and nobody knows what became of it.
    /// The state says so; that it must is `doubts` of the big suite to show.
    pub(crate) doubts: BTreeSet<Name>,
    /// What failed earlier and is not due, and what is.
    pub(crate) waiting: BTreeSet<Name>,
    pub(crate) due: BTreeSet<Name>,
    pub(crate) ran: Ran,
    pub(crate) heard: Vec<Heard>,
    /// The marketplace asked earlier to be left alone for a while.
    pub(crate) left_alone: bool,
    /// On which routes faults struck.
    pub(crate) struck: BTreeSet<String>,
    pub(crate) commit: String,
    /// How many deletions its message allows.
    pub(crate) allowed: Option<usize>,
    pub(crate) now: i64,
}

/// Everything of one history.
pub(crate) struct History<'a> {
    pub(crate) lab: &'a Lab,
    repo: Repo,
    home: TempDir,
    pub(crate) catalogue: Catalogue,
    pub(crate) commit: String,
    allowed: Option<usize>,
    /// What the program said is safe, as it says it.
    pub(crate) records: Arc<Mutex<Records>>,
    kept: Option<Records>,
    process: Option<Process>,
    pub(crate) console: &'static str,
    switches: Switches,
    now: i64,
    pub(crate) strangers: Truth,
    /// Which digest stands for what.
    pub(crate) digests: BTreeMap<String, String>,
}

/// Memory where the machine offers it: a history syncs its files a hundred
/// times, and none of it is to last.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

impl<'a> History<'a> {
    pub(crate) fn begin(lab: &'a Lab) -> Self {
        lab.clear();
        let strangers = lab.runtime.block_on(lab.truth());
        let mut history = Self {
            lab,
            repo: Repo::new(),
            home: folder(),
            catalogue: Catalogue::new(),
            commit: String::new(),
            allowed: None,
            records: Arc::default(),
            kept: None,
            process: None,
            console: CONSOLES[0],
            switches: Switches::default(),
            now: 1_800_000_000,
            strangers,
            digests: BTreeMap::new(),
        };
        history.publish(None);
        history
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    fn publish(&mut self, allowed: Option<usize>) {
        let trailer = allowed.map(|allowed| format!("\n\nMarketsync-Allow-Deletes: {allowed}"));
        let message = format!("edits{}\n", trailer.unwrap_or_default());
        self.allowed = allowed;
        let import = self.catalogue.as_commit(&message, !self.commit.is_empty());
        self.repo.git_with(&["fast-import", "--quiet", "--force"], &import);
        let head = self.repo.path().join(".git/refs/heads/main");
        fs::read_to_string(head).unwrap().trim().clone_into(&mut self.commit);
    }

    /// Puts everything in order that keeps a commit from being applied.
    pub(crate) fn mend(&mut self) {
        self.catalogue.mend(self.console);
        self.publish(None);
        self.switches.partial_failure = PartialFailure::PerItem;
        self.lab.handle().set_switches(self.switches.clone());
    }

    /// Does a step; a pass comes back with what it was given and what it did.
    pub(crate) fn step<'s>(
        &mut self,
        step: &'s Step,
        tally: &mut Tally,
    ) -> Result<Option<Witness<'s>>, String> {
        if !matches!(step, Step::Pass(_)) {
            tally.add("step", kind(step));
        }
        match step {
            Step::Commit(edits, allow) => {
                for edit in edits {
                    tally.add("step", kind(edit));
                    self.catalogue.edit(edit);
                }
                self.publish(allow.map(usize::from));
            }
            Step::Meddle(number, what) => self.lab.meddle(&name_of(*number), what),
            Step::Vandalise(number) => {
                let (item, version) = KEYS[number % KEYS.len()];
                let key = crate::support::market::key(item, version);
                self.lab.handle().remove(crate::support::market::COMPANY, &key).unwrap();
            }
            Step::Console(number) => {
                self.console = CONSOLES[number % CONSOLES.len()];
                self.lab.handle().set_console(self.console.parse().unwrap());
                if let Some(process) = &mut self.process {
                    process.market.forget_generation();
                }
            }
            Step::Switch(turn) => {
                turn_switch(&mut self.switches, turn);
                self.lab.handle().set_switches(self.switches.clone());
            }
            Step::Lose => {
                self.process = None;
                drop(fs::remove_dir_all(self.state()));
                *self.records.lock().unwrap() = Records::default();
            }
            Step::Keep => {
                // As it lies there, whoever writes it.
                if self.state().exists() {
                    copy(&self.state(), &self.home.path().join("kept"));
                    self.kept = Some(self.records.lock().unwrap().clone());
                }
            }
            Step::Restore => {
                if let Some(kept) = &self.kept {
                    self.process = None;
                    copy(&self.home.path().join("kept"), &self.state());
                    self.records.lock().unwrap().clone_from(kept);
                }
            }
            Step::Pass(pass) => return self.pass(pass, tally).map(Some),
        }
        Ok(None)
    }

    /// The process that makes this pass: the last one if it lives.
    fn process(&mut self, pass: &Pass) -> Result<Process, String> {
        let kept = self.process.take().filter(|process| {
            pass.by != By::Apply && (process.narrow, process.tenant) == (pass.narrow, pass.tenant)
        });
        if let Some(mut process) = kept {
            if process.market.retry_after().is_some() && pass.after != After::AtOnce {
                // The time that the marketplace asked for has gone by.
                process.connect(self.lab);
            }
            return Ok(process);
        }
        Process::start(self.lab, &self.state(), &self.source(pass), pass, self.now)
    }

    fn source(&self, pass: &Pass) -> Source {
        let options = SourceOptions {
            location: self.repo.path(),
            path: pass.narrow.then(|| RepoPath::new("items/a").unwrap()),
            ..SourceOptions::default()
        };
        Source::open(&options).unwrap()
    }

    #[expect(clippy::too_many_lines, reason = "a pass from its beginning to its end")]
    fn pass<'s>(&mut self, pass: &'s Pass, tally: &mut Tally) -> Result<Witness<'s>, String> {
        tally.add("step", kind(&pass.by));
        self.now += match pass.after {
            After::AtOnce => 0,
            After::Minutes => 600,
            After::Day => 25 * 3600,
        };
        let lab = self.lab;
        let mut process = self.process(pass)?;
        let wishes = self.catalogue.wishes(pass.narrow, pass.tenant);
        let (waiting, due) = process.failed(&wishes, self.now, pass.by != By::Apply);
        let recorded = self.records.lock().unwrap().clone();
        super::checks::disk_is(&recorded, &process, &mut self.digests)?;
        let doubts = process.ledger.doubts.keys().map(ToString::to_string).collect();
        let left_alone = process.market.retry_after().is_some();
        let before = lab.runtime.block_on(lab.truth());
        let handle = lab.handle();
        handle.clear_log();
        for fault in &pass.faults {
            assert!(handle.fail(fault.fault()));
        }
        let cut: Arc<Mutex<Option<Records>>> = Arc::default();
        let at_crash = {
            let (cut, records) = (Arc::clone(&cut), Arc::clone(&self.records));
            let (state, copy_of) = (self.state(), self.home.path().join("cut"));
            move || {
                copy(&state, &copy_of);
                *cut.lock().unwrap() = Some(records.lock().unwrap().clone());
            }
        };
        lab.tap.arm(pass.crash, Box::new(at_crash));
        let acknowledge = |event: &Event| {
            acknowledge(&mut self.records.lock().unwrap(), event, &wishes, self.now);
        };
        let ran = process.run(lab, &self.source(pass), pass, self.now, acknowledge);
        let heard = lab.runtime.block_on(lab.tap.quiet());
        handle.clear_faults();
        let exchanges = handle.log();
        let struck: Vec<_> = exchanges.iter().filter(|call| call.fault.is_some()).collect();
        for call in &struck {
            let fault = call.fault.as_ref().unwrap();
            tally.add("fault", format!("{:?} {}", call.route, kind(fault)));
        }
        let struck = struck.iter().map(|call| format!("{:?}", call.route)).collect();
        let after = lab.runtime.block_on(lab.truth());
        let records = self.records.lock().unwrap().clone();
        let witness = Witness {
            pass,
            console: self.console,
            switches: self.switches.clone(),
            wishes,
            before,
            after,
            recorded,
            records,
            doubts,
            waiting,
            due,
            ran,
            heard,
            left_alone,
            struck,
            commit: self.commit.clone(),
            allowed: self.allowed,
            now: self.now,
        };
        self.end(process, &witness, cut.lock().unwrap().take(), tally)?;
        Ok(witness)
    }

    /// What becomes of the process.
    fn end(
        &mut self,
        mut process: Process,
        witness: &Witness<'_>,
        cut: Option<Records>,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let pass = witness.pass;
        if witness.ran.result.is_none() {
            let crash = pass.crash.unwrap();
            let when = if crash.after { "after" } else { "before" };
            tally.add("crash", format!("{when}, {}", if crash.power { "cut" } else { "closed" }));
            drop(process);
            if crash.power {
                copy(&self.home.path().join("cut"), &self.state());
                *self.records.lock().unwrap() = cut.unwrap();
            }
            return Ok(());
        }
        super::checks::disk_is(&self.records.lock().unwrap(), &process, &mut self.digests)?;
        process.note_failures(witness);
        // A process that cannot go on ends.
        if pass.by != By::Apply {
            self.process = Some(process);
        }
        Ok(())
    }

    /// A pass in fair weather that does all it can.
    pub(crate) fn fair() -> [Step; 3] {
        [
            Step::Pass(WHOLE),
            Step::Pass(Pass { looks: Looks::New, ..WHOLE }),
            Step::Pass(Pass { correct: false, ..WHOLE }),
        ]
    }
}

/// Moves what is acknowledged as the program says it.
fn acknowledge(records: &mut Records, event: &Event, wishes: &Wishes, now: i64) {
    use super::table::Row;
    use marketsync::domain::event::{Failure, Verb};
    let Event::Settled { outcome, commit } = event else { return };
    let name = outcome.change.key.to_string();
    let wanted: Option<&Wanted> =
        wishes.items.get(&name).filter(|_| outcome.change.wanted.is_some());
    match (&outcome.result, wanted) {
        (Ok(applied), Some(wanted))
            if matches!(applied.verb, Verb::Created | Verb::Updated | Verb::Adopted) =>
        {
            let before = records.rows.remove(&name).filter(|row| row.wanted == *wanted);
            let is_same = before.is_some();
            let mut corrected = before.map(|row| row.corrected).unwrap_or_default();
            let reason = outcome.change.reason.to_string();
            if is_same && matches!(reason.as_str(), "drifted" | "missing") {
                corrected.push(now);
                let surplus = corrected.len().saturating_sub(3);
                corrected.drain(..surplus);
            }
            records.rejected.remove(&name);
            records.rows.insert(name, Row { wanted: wanted.clone(), corrected });
        }
        (Ok(applied), _) => {
            records.rejected.remove(&name);
            records.rows.remove(&name);
            if applied.verb == Verb::Deleted {
                *records.deleted.entry(commit.0.clone()).or_default() += 1;
            }
        }
        (Err(Failure::Rejected { .. }), Some(wanted)) => {
            records.rejected.insert(name, (wanted.clone(), now));
        }
        (Err(_), _) => {}
    }
}

impl Failed {
    /// Whether it waits at this time for a source that wants this.
    pub(crate) fn waits(&self, wanted: Option<&Wanted>, now: i64) -> bool {
        self.wanted.as_ref() == wanted && now < self.due
    }
}

fn turn_switch(switches: &mut Switches, turn: &Turn) {
    match *turn {
        Turn::Merge(on) => switches.upsert = if on { Upsert::Merge } else { Upsert::Replace },
        Turn::UnknownKeys(way) => {
            switches.unknown_keys =
                [UnknownKeys::Reject, UnknownKeys::Drop, UnknownKeys::Keep][usize::from(way % 3)];
        }
        Turn::Reapply(on) => {
            switches.reapply = if on { Reapply::Neither } else { Reapply::Updated }
        }
        Turn::Reversed(on) => {
            switches.order = if on { RowOrder::Reversed } else { RowOrder::Request }
        }
        Turn::PartialFailure(way) => {
            let ways =
                [PartialFailure::PerItem, PartialFailure::RefuseAll, PartialFailure::StoreRest];
            switches.partial_failure = ways[usize::from(way % 3)];
        }
        Turn::WrittenDefaults(on) => {
            switches.written_defaults = if on { WrittenDefaults::On } else { WrittenDefaults::Off };
        }
        Turn::DeleteFiles(on) => {
            switches.delete_files = if on { DeleteFiles::On } else { DeleteFiles::Off }
        }
        Turn::ManifestForm(on) => {
            switches.manifest_form = if on { ManifestForm::Off } else { ManifestForm::On }
        }
        Turn::EmptyVersions(on) => {
            switches.unknown_versions =
                if on { UnknownVersions::Empty } else { UnknownVersions::NotFound };
        }
    }
}

/// A folder in the place of another.
fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
