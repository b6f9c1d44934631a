//! The laws of planning (`docs/architecture.md`), over random histories of a
//! source, a marketplace that others write to as well, and a ledger that loses
//! what was not saved before a crash.

use std::collections::{BTreeMap, BTreeSet};

use marketsync::domain::catalog::Snapshot;
use marketsync::domain::event::{Action, Change, Failure, Outcome, Reason};
use marketsync::domain::item::{Digest, Item, ItemKey, RepoPath};
use marketsync::domain::ledger::{Ledger, Settling, settle};
use marketsync::domain::plan::{Limits, Live, Look, Plan, Policy, Scope, check, in_scope, plan};
use marketsync::domain::source::Problem;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::domain::{anything_goes, commit, done, item, key, noon};

/// Fields of a small document.
type Doc = BTreeMap<u8, u8>;

const KEYS: [(&str, &str); 5] =
    [("a", "NA"), ("b", "NA"), ("c", "1.0.0"), ("c", "1.1.0"), ("d", "NA")];

/// Every pass comes this many minutes after the last: no contest arises.
const BETWEEN_PASSES: i64 = 120;

#[derive(Debug, Clone)]
enum Step {
    /// A commit sets (or removes) a field, and adds the item if it was not
    /// there.
    Edit(usize, u8, Option<u8>),
    Remove(usize),
    Rename(usize),
    /// A commit breaks a file, or mends it.
    Toggle(usize),
    /// Somebody else writes a field of the marketplace.
    Meddle(usize, u8, u8),
    /// Somebody else deletes an item there.
    Vandalise(usize),
    Pass(Weather),
}

/// What goes wrong in a pass.
#[derive(Debug, Clone)]
struct Weather {
    scope: Scope,
    /// Which looks fail, by key.
    blind: [bool; KEYS.len()],
    /// What becomes of each send, by its place in the plan.
    faults: Vec<Fault>,
    /// After how many sends the program dies, and how many of those the ledger
    /// had saved.
    crash: Option<(usize, usize)>,
    retry_rejected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The request never arrives.
    Lost,
    /// It arrives, its answer does not.
    AnswerLost,
    Rejected,
}

const FAIR: Weather = Weather {
    scope: Scope::All,
    blind: [false; KEYS.len()],
    faults: Vec::new(),
    crash: None,
    retry_rejected: true,
};

#[derive(Debug, Clone)]
struct File {
    path: u8,
    doc: Doc,
    broken: bool,
}

#[derive(Debug, Clone, Default)]
struct World {
    files: BTreeMap<ItemKey, File>,
    server: BTreeMap<ItemKey, Doc>,
    /// Whether the server replaces a document or merges into it.
    merges: bool,
    ledger: Ledger,
    passes: i64,
}

/// What one pass saw and did.
#[derive(Debug, Clone)]
struct Record {
    snapshot: Snapshot,
    before: Ledger,
    live: Live,
    policy: Policy,
    plan: Plan,
    server_before: BTreeMap<ItemKey, Doc>,
    server_after: BTreeMap<ItemKey, Doc>,
    /// What was sent, arrived or not.
    sent: Vec<Change>,
}

fn key_of(number: usize) -> ItemKey {
    let (id, version) = KEYS[number % KEYS.len()];
    key(id, version)
}

fn digest_of(doc: &Doc) -> Digest {
    Digest::of(&serde_json::to_vec(doc).unwrap())
}

impl World {
    fn run(&mut self, steps: &[Step]) -> Vec<Record> {
        let mut records = Vec::new();
        for step in steps {
            match step {
                Step::Edit(number, field, value) => {
                    let new = File { path: 0, doc: Doc::new(), broken: false };
                    let file = self.files.entry(key_of(*number)).or_insert(new);
                    match value {
                        Some(value) => file.doc.insert(*field, *value),
                        None => file.doc.remove(field),
                    };
                }
                Step::Remove(number) => drop(self.files.remove(&key_of(*number))),
                Step::Rename(number) => {
                    self.files
                        .entry(key_of(*number))
                        .and_modify(|file| file.path = file.path.wrapping_add(1));
                }
                Step::Toggle(number) => {
                    self.files.entry(key_of(*number)).and_modify(|file| file.broken = !file.broken);
                }
                Step::Meddle(number, field, value) => {
                    self.server.entry(key_of(*number)).or_default().insert(*field, *value);
                }
                Step::Vandalise(number) => drop(self.server.remove(&key_of(*number))),
                Step::Pass(weather) => records.push(self.pass(weather)),
            }
        }
        records
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot =
            Snapshot { commit: commit("c1"), items: BTreeMap::new(), problems: Vec::new() };
        for (key, file) in &self.files {
            let path = RepoPath::new(&format!("{}/{}.json", key.item_id, file.path)).unwrap();
            if file.broken {
                snapshot.problems.push(Problem::of_file(&path, "broken"));
                continue;
            }
            let base = item(key.item_id.as_str(), &key.version.to_string()).build();
            snapshot
                .items
                .insert(key.clone(), Item { digest: digest_of(&file.doc), path, ..base }.into());
        }
        snapshot
    }

    /// Compares what is stated, as the marketplace adds fields of its own.
    fn look(&self, key: &ItemKey, weather: &Weather) -> Look {
        let blind = (0..KEYS.len()).any(|number| weather.blind[number] && key_of(number) == *key);
        if blind {
            return Look::Failed { why: "time-out".to_owned() };
        }
        let Some(live) = self.server.get(key) else {
            return Look::Absent;
        };
        let wanted = self.files.get(key).filter(|file| !file.broken);
        match wanted {
            Some(file) if file.doc.iter().all(|(field, value)| live.get(field) == Some(value)) => {
                Look::Agrees { object_id: None }
            }
            _ => Look::Differs { object_id: None, fields: Vec::new() },
        }
    }

    fn pass(&mut self, weather: &Weather) -> Record {
        self.passes += 1;
        let now = noon(self.passes * BETWEEN_PASSES);
        let policy = Policy { now, retry_rejected: weather.retry_rejected, ..anything_goes() };
        let snapshot = self.snapshot();
        let live: Live = in_scope(&weather.scope, &snapshot, &self.ledger)
            .into_iter()
            .map(|key| (key.clone(), self.look(&key, weather)))
            .collect();
        let limits = Limits {
            deletes: usize::MAX,
            empty_source: snapshot.items.is_empty(),
            ..Limits::default()
        };
        let plan = check(plan(&snapshot, &self.ledger, &live, &policy), &limits);
        let (before, server_before) = (self.ledger.clone(), self.server.clone());
        let settling = Settling {
            commit: snapshot.commit.clone(),
            author: None,
            now,
            setting: policy.setting,
        };
        let (reach, save) = weather.crash.unwrap_or((usize::MAX, usize::MAX));
        let mut sent = Vec::new();
        for (number, change) in plan.changes.iter().take(reach).enumerate() {
            let fault = weather.faults.get(number).copied().unwrap_or(Fault::None);
            let outcome = self.send(change, fault);
            if change.action.is_write() {
                sent.push(change.clone());
            }
            if number < save {
                settle(&mut self.ledger, &outcome, &settling);
            }
        }
        Record {
            snapshot,
            before,
            live,
            policy,
            plan,
            server_before,
            server_after: self.server.clone(),
            sent,
        }
    }

    fn send(&mut self, change: &Change, fault: Fault) -> Outcome {
        let fault = if change.action.is_write() { fault } else { Fault::None };
        if matches!(fault, Fault::None | Fault::AnswerLost) {
            match change.action {
                Action::Create | Action::Update => {
                    let doc = self.files[&change.key].doc.clone();
                    let there = self.server.entry(change.key.clone()).or_default();
                    if !self.merges {
                        there.clear();
                    }
                    there.extend(doc);
                }
                Action::Delete => drop(self.server.remove(&change.key)),
                Action::Adopt | Action::Forget => {}
            }
        }
        let result = match fault {
            Fault::None => return done(change),
            Fault::Lost | Fault::AnswerLost => {
                Err(Failure::Transient { why: "cut".to_owned(), retry_after: None })
            }
            Fault::Rejected => Err(Failure::Rejected { why: "no".to_owned(), pointer: None }),
        };
        Outcome { change: change.clone(), result }
    }
}

fn weather() -> impl Strategy<Value = Weather> {
    let scope = prop_oneof![Just(Scope::New), Just(Scope::All)];
    let blind = proptest::array::uniform5(prop::bool::weighted(0.1));
    let fault = prop_oneof![
        5 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Rejected),
    ];
    let crash = prop::option::weighted(
        0.3,
        (0..6_usize, 0..6_usize).prop_map(|(a, b)| (a.max(b), a.min(b))),
    );
    (scope, blind, vec(fault, 0..6), crash, any::<bool>()).prop_map(
        |(scope, blind, faults, crash, retry_rejected)| Weather {
            scope,
            blind,
            faults,
            crash,
            retry_rejected,
        },
    )
}

fn fair_weather() -> impl Strategy<Value = Weather> {
    prop_oneof![Just(Scope::New), Just(Scope::All)].prop_map(|scope| Weather { scope, ..FAIR })
}

fn commits() -> impl Strategy<Value = Step> {
    let number = 0..KEYS.len();
    prop_oneof![
        5 => (number.clone(), 0..3_u8, prop::option::weighted(0.8, 0..3_u8))
            .prop_map(|(number, field, value)| Step::Edit(number, field, value)),
        2 => number.clone().prop_map(Step::Remove),
        1 => number.clone().prop_map(Step::Rename),
        1 => number.prop_map(Step::Toggle),
    ]
}

fn others() -> impl Strategy<Value = Step> {
    let number = 0..KEYS.len();
    prop_oneof![
        2 => (number.clone(), 0..4_u8, 0..3_u8).prop_map(|(number, field, value)| Step::Meddle(number, field, value)),
        1 => number.prop_map(Step::Vandalise),
    ]
}

/// Anything may happen.
fn stormy() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![4 => commits(), 2 => others(), 3 => weather().prop_map(Step::Pass)], 1..40)
}

/// Only commits and passes, and nothing fails.
fn quiet() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![2 => commits(), 1 => fair_weather().prop_map(Step::Pass)], 1..40)
}

fn keys(changes: &[Change]) -> BTreeSet<ItemKey> {
    changes.iter().map(|change| change.key.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Law 1. Two passes in fair weather are enough, after whatever happened:
    /// one that acts, and one that finds nothing to do.
    #[test]
    fn it_converges_after_any_crash(steps in stormy(), merges in any::<bool>()) {
        let mut world = World { merges, ..World::default() };
        world.run(&steps);
        world.files.values_mut().for_each(|file| file.broken = false);
        world.pass(&FAIR);
        let last = world.pass(&FAIR);
        prop_assert!(last.plan.changes.is_empty(), "{:?}", last.plan);
        for (key, file) in &world.files {
            prop_assert_eq!(world.ledger.rows[key].digest, digest_of(&file.doc));
            let there = &world.server[key];
            prop_assert!(file.doc.iter().all(|(field, value)| there.get(field) == Some(value)), "{key}");
        }
        if !world.files.is_empty() {
            let wanted: Vec<&ItemKey> = world.files.keys().collect();
            prop_assert_eq!(world.ledger.rows.keys().collect::<Vec<_>>(), wanted);
            prop_assert!(last.plan.held.is_empty());
        }
    }

    /// Law 1, for a marketplace that replaces and that nobody else writes to:
    /// it then holds the documents exactly, even where an edit only removed a
    /// field. (What a crash hid from the ledger before its first record is
    /// compared on stated fields only, so the history has none.)
    #[test]
    fn without_others_the_marketplace_is_the_commit(steps in quiet(), crash in 0..6_usize, saved in 0..6_usize, last in vec(commits(), 0..9)) {
        let mut world = World::default();
        world.run(&steps);
        let recorded: BTreeSet<ItemKey> = world.ledger.rows.keys().cloned().collect();
        world.run(&last);
        world.pass(&Weather { crash: Some((crash.max(saved), crash.min(saved))), ..FAIR });
        world.files.values_mut().for_each(|file| file.broken = false);
        world.pass(&FAIR);
        for (key, file) in &world.files {
            prop_assert_eq!(&world.server[key], &file.doc, "{} of {:?}", key, recorded);
        }
        let stray = world.server.keys().filter(|key| !world.files.contains_key(key)).count();
        prop_assert!(world.files.is_empty() || stray == 0);
    }

    /// Law 2.
    #[test]
    fn a_stranger_is_never_touched(steps in stormy(), merges in any::<bool>()) {
        let mut world = World { merges, ..World::default() };
        for record in world.run(&steps) {
            let known = |key: &ItemKey| record.snapshot.items.contains_key(key) || record.before.rows.contains_key(key);
            let strangers = |server: &BTreeMap<ItemKey, Doc>| -> Vec<(ItemKey, Doc)> {
                server.iter().filter(|(key, _)| !known(key)).map(|(key, doc)| (key.clone(), doc.clone())).collect()
            };
            prop_assert_eq!(strangers(&record.server_before), strangers(&record.server_after));
            let planned = record.plan.changes.iter().chain(record.plan.held.iter().map(|held| &held.change));
            prop_assert!(planned.into_iter().all(|change| known(&change.key)));
            // Not even where somebody hands over a look at it.
            let mut everywhere = record.live.clone();
            everywhere.extend((0..KEYS.len()).map(|number| (key_of(number), Look::Absent)));
            let nosy = plan(&record.snapshot, &record.before, &everywhere, &record.policy);
            prop_assert!(keys(&nosy.changes).iter().all(known));
        }
    }

    /// Law 3.
    #[test]
    fn only_what_is_recorded_and_left_a_whole_source_is_deleted(steps in stormy(), merges in any::<bool>()) {
        let mut world = World { merges, ..World::default() };
        for record in world.run(&steps) {
            let vanished: BTreeSet<ItemKey> =
                record.server_before.keys().filter(|key| !record.server_after.contains_key(key)).cloned().collect();
            let deletions: Vec<Change> =
                record.plan.changes.iter().filter(|change| change.action == Action::Delete).cloned().collect();
            prop_assert!(vanished.is_subset(&keys(&deletions)));
            for key in keys(&deletions) {
                prop_assert!(record.before.rows.contains_key(&key));
                prop_assert!(!record.snapshot.items.contains_key(&key));
                prop_assert!(!record.snapshot.is_broken());
                prop_assert!(!record.snapshot.items.is_empty());
            }
        }
    }

    /// Law 4, without faults.
    #[test]
    fn every_edit_is_sent_exactly_once(steps in quiet(), merges in any::<bool>()) {
        let mut world = World { merges, ..World::default() };
        let mut applied: BTreeMap<ItemKey, Digest> = BTreeMap::new();
        for record in world.run(&steps) {
            let wanted = record.snapshot.items.iter().map(|(key, item)| (key.clone(), item.digest));
            let due: BTreeSet<ItemKey> =
                wanted.clone().filter(|(key, digest)| applied.get(key) != Some(digest)).map(|(key, _)| key).collect();
            let sent: Vec<Change> =
                record.sent.iter().filter(|change| change.action != Action::Delete).cloned().collect();
            prop_assert_eq!(keys(&sent), due);
            prop_assert_eq!(sent.len(), keys(&sent).len());
            applied.extend(wanted);
            for change in record.sent.iter().filter(|change| change.action == Action::Delete) {
                prop_assert!(applied.remove(&change.key).is_some());
            }
        }
    }

    /// Law 4, with faults: what the ledger holds is sent again only because
    /// the marketplace changed, and what it lacks is tried in every pass.
    #[test]
    fn what_is_saved_is_never_sent_again(steps in stormy(), merges in any::<bool>()) {
        let mut world = World { merges, ..World::default() };
        for record in world.run(&steps) {
            for change in &record.sent {
                let (Some(item), Some(row)) = (&change.wanted, record.before.rows.get(&change.key)) else { continue };
                let because_of_others = matches!(change.reason, Reason::Drifted | Reason::Missing);
                prop_assert!(item.digest != row.digest || because_of_others, "{change:?}");
            }
            let spoken_of: BTreeSet<ItemKey> =
                record.plan.held.iter().map(|held| held.change.key.clone()).chain(keys(&record.plan.changes)).collect();
            for (key, item) in &record.snapshot.items {
                let saved = record.before.rows.get(key).is_some_and(|row| row.digest == item.digest);
                prop_assert!(saved || spoken_of.contains(key));
            }
        }
    }

    /// Law 5.
    #[test]
    fn without_a_look_commit_and_ledger_decide(steps in stormy(), merges in any::<bool>()) {
        let mut world = World { merges, ..World::default() };
        for record in world.run(&steps) {
            let policy = Policy { retry_rejected: true, ..record.policy.clone() };
            let plan = plan(&record.snapshot, &record.before, &Live::new(), &policy);
            let (items, rows) = (&record.snapshot.items, &record.before.rows);
            let edited = rows.iter().filter(|(key, row)| items.get(key).is_some_and(|item| item.digest != row.digest));
            let removed = rows.iter().filter(|(key, _)| !items.contains_key(key));
            let whole = !record.snapshot.is_broken();
            let expected: BTreeSet<ItemKey> =
                edited.chain(removed.filter(|_| whole)).map(|(key, _)| key.clone()).collect();
            prop_assert_eq!(keys(&plan.changes), expected);
            let equal = rows.iter().filter(|(key, row)| items.get(key).is_some_and(|item| item.digest == row.digest));
            prop_assert_eq!(plan.unchanged, equal.count());
        }
    }

    /// Law 6.
    #[test]
    fn same_input_same_bytes(steps in stormy(), merges in any::<bool>(), turn in 0..KEYS.len()) {
        let mut world = World { merges, ..World::default() };
        for record in world.run(&steps) {
            let bytes = |snapshot: &Snapshot, ledger: &Ledger, live: &Live| {
                let whole = plan(snapshot, ledger, live, &record.policy);
                let sorted = |keys: Vec<&ItemKey>| keys.is_sorted_by(|a, b| a < b);
                assert!(sorted(whole.changes.iter().map(|change| &change.key).collect()));
                assert!(sorted(whole.held.iter().map(|held| &held.change.key).collect()));
                let limits = Limits { deletes: 1, updates: Some(1), ..Limits::default() };
                let checked = check(whole.clone(), &limits);
                assert!(sorted(checked.held.iter().map(|held| &held.change.key).collect()));
                (serde_json::to_vec(&whole).unwrap(), serde_json::to_vec(&checked).unwrap())
            };
            let first = bytes(&record.snapshot, &record.before, &record.live);
            prop_assert_eq!(&first, &bytes(&record.snapshot, &record.before, &record.live));
            let snapshot = Snapshot { items: turned(&record.snapshot.items, turn), ..record.snapshot.clone() };
            let rows = turned(&record.before.rows, turn);
            let rejections = turned(&record.before.rejections, turn);
            let ledger = Ledger { rows, rejections, ..Ledger::default() };
            prop_assert_eq!(&first, &bytes(&snapshot, &ledger, &turned(&record.live, turn)));
        }
    }
}

/// The same map, filled in another order.
fn turned<V: Clone>(map: &BTreeMap<ItemKey, V>, turn: usize) -> BTreeMap<ItemKey, V> {
    let mut pairs: Vec<(ItemKey, V)> =
        map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let turn = turn.min(pairs.len());
    pairs.rotate_left(turn);
    pairs.reverse();
    pairs.into_iter().collect()
}

#[test]
fn a_move_into_a_broken_file_is_no_removal() {
    let mut world = World::default();
    let steps = [
        Step::Edit(0, 0, Some(1)),
        Step::Edit(1, 0, Some(1)),
        Step::Pass(FAIR),
        Step::Toggle(0),
        Step::Pass(FAIR),
    ];
    let records = world.run(&steps);
    assert_eq!(records[0].sent.len(), 2);
    assert!(records[1].sent.is_empty());
    assert_eq!(world.server.len(), 2);
    let records = world.run(&[Step::Toggle(0), Step::Pass(FAIR)]);
    assert!(records[0].sent.is_empty(), "mended, and as it was");
}
