//! The decision table, the policy that filters it, and the limits of a pass.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use marketsync::domain::canon::Generation;
use marketsync::domain::catalog::Snapshot;
use marketsync::domain::event::{Action, Failure, Held, Outcome, Reason};
use marketsync::domain::item::Lifecycle;
use marketsync::domain::ledger::{Ledger, Rejection, Settling, circumstances, settle};
use marketsync::domain::plan::{
    Limits, Live, Look, Plan, Policy, Scope, check, deletes_allowed, in_scope, plan,
};

use crate::support::domain::{
    ItemBuilder, RowBuilder, agrees, anything_goes, broken, commit, differs, digest, failed, item,
    key, ledger, noon, row, snapshot,
};

/// Wanted and recorded are digests, `-` is neither. A digest of 2 in the
/// ledger is a commit that edited the item since.
const TABLE: &str = "
    wanted | recorded | look   | does
    1 | - | nobody  | held create unobserved (unobserved: nobody looked)
    1 | - | failed  | held create unobserved (unobserved: time-out)
    1 | - | absent  | create new
    1 | - | agrees  | adopt already there
    1 | - | differs | update differs
    1 | 1 | nobody  | nothing
    1 | 1 | failed  | nothing
    1 | 1 | absent  | create missing
    1 | 1 | agrees  | nothing
    1 | 1 | differs | update drifted
    1 | 2 | nobody  | update edited
    1 | 2 | failed  | update edited
    1 | 2 | absent  | create missing
    1 | 2 | agrees  | update edited
    1 | 2 | differs | update edited
    - | 1 | nobody  | delete removed
    - | 1 | failed  | delete removed
    - | 1 | absent  | forget gone
    - | 1 | agrees  | delete removed
    - | 1 | differs | delete removed
    - | - | nobody  | -
    - | - | failed  | -
    - | - | absent  | -
    - | - | agrees  | -
    - | - | differs | -
";

fn look(name: &str) -> Look {
    match name {
        "nobody" => Look::NotTaken,
        "failed" => failed("time-out"),
        "absent" => Look::Absent,
        "agrees" => agrees(),
        "differs" => differs(&["/name"]),
        other => panic!("no look {other}"),
    }
}

/// What a plan says of its only item; `-` if it says nothing at all.
fn told(plan: &Plan) -> String {
    let held =
        |held: &Held| format!("held {} {} ({})", held.change.action, held.change.reason, held.why);
    match (&plan.changes[..], &plan.held[..], plan.unchanged) {
        ([change], [], 0) => format!("{} {}", change.action, change.reason),
        ([], [one], 0) => held(one),
        ([], [], 1) => "nothing".to_owned(),
        ([], [], 0) => "-".to_owned(),
        _ => panic!("more than one item: {plan:?}"),
    }
}

/// What is done about item `a`.
fn verdict(
    wanted: Option<ItemBuilder>,
    recorded: Option<RowBuilder>,
    look: Look,
    policy: &Policy,
) -> String {
    let snapshot = snapshot(wanted);
    let ledger = ledger(recorded);
    told(&plan(
        &snapshot,
        &ledger,
        &looks([("a", "NA", look.clone()), ("a", "1.0.0", look)]),
        policy,
    ))
}

fn looks<const N: usize>(looks: [(&str, &str, Look); N]) -> Live {
    looks.into_iter().map(|(id, version, look)| (key(id, version), look)).collect()
}

#[test]
fn the_decision_table() {
    let mut seen = BTreeSet::new();
    for line in TABLE.trim().lines().skip(1) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [wanted, recorded, look_name, does] = cells[..] else { panic!("{line}") };
        assert!(seen.insert((wanted, recorded, look_name)), "twice: {line}");
        let wanted = wanted.parse().ok().map(|number| item("a", "NA").digest(number));
        let recorded = recorded.parse().ok().map(|number| row("a", "NA").digest(number));
        assert_eq!(verdict(wanted, recorded, look(look_name), &anything_goes()), does, "{line}");
    }
    assert_eq!(seen.len(), 5 * 5, "every combination has its line");
}

#[test]
fn a_key_without_a_look_was_not_looked_at() {
    let plan =
        plan(&snapshot([item("a", "NA")]), &Ledger::default(), &Live::new(), &anything_goes());
    assert_eq!(told(&plan), "held create unobserved (unobserved: nobody looked)");
}

#[test]
fn a_change_carries_what_is_known() {
    let live = looks([(
        "a",
        "NA",
        Look::Differs { object_id: Some("seen".to_owned()), fields: vec!["/name".to_owned()] },
    )]);
    let snapshot = snapshot([item("a", "NA").digest(2)]);
    let recorded = || row("a", "NA").digest(1).object_id("recorded");
    let change = &plan(&snapshot, &ledger([recorded()]), &live, &anything_goes()).changes[0];
    assert_eq!(change.key, key("a", "NA"));
    assert_eq!(change.wanted.as_deref(), snapshot.items.get(&key("a", "NA")).map(AsRef::as_ref));
    assert_eq!(change.from, Some(digest(1)));
    assert_eq!(change.fields, ["/name"]);
    assert_eq!(change.object_id.as_deref(), Some("seen"), "a look is fresher than the record");

    let change = &plan(&snapshot, &ledger([recorded()]), &Live::new(), &anything_goes()).changes[0];
    assert_eq!(change.object_id.as_deref(), Some("recorded"));
    assert!(change.fields.is_empty());

    let live = looks([("a", "NA", Look::Agrees { object_id: Some("seen".to_owned()) })]);
    let change = &plan(&snapshot, &Ledger::default(), &live, &anything_goes()).changes[0];
    assert_eq!((change.action, change.from), (Action::Adopt, None));
    assert_eq!(change.object_id.as_deref(), Some("seen"));

    let gone = &plan(&self::snapshot([]), &ledger([recorded()]), &Live::new(), &anything_goes())
        .changes[0];
    assert_eq!((gone.action, &gone.wanted, gone.from), (Action::Delete, &None, Some(digest(1))));
}

#[test]
fn the_scope_says_who_is_looked_at() {
    let snapshot = snapshot([item("a", "NA"), item("b", "NA"), item("b", "1.0.0")]);
    let ledger = ledger([row("b", "NA"), row("c", "NA")]);
    let names = |scope| -> Vec<String> {
        in_scope(&scope, &snapshot, &ledger).iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(Scope::New), ["a NA", "b 1.0.0"]);
    assert_eq!(names(Scope::All), ["a NA", "b NA", "b 1.0.0", "c NA"]);
}

// What the policy holds.

#[test]
fn drift_that_is_only_reported_is_held() {
    let report = Policy { correct_drift: false, ..anything_goes() };
    let held = "drift is reported, not corrected (--drift=correct corrects it)";
    for (recorded, look, does) in [
        (1, differs(&[]), format!("held update drifted ({held})")),
        (1, Look::Absent, format!("held create missing ({held})")),
        (2, differs(&[]), "update edited".to_owned()),
        // An edit goes out, whatever the marketplace lost meanwhile.
        (2, Look::Absent, "create missing".to_owned()),
    ] {
        assert_eq!(
            verdict(Some(item("a", "NA")), Some(row("a", "NA").digest(recorded)), look, &report),
            does
        );
    }
    assert_eq!(
        verdict(Some(item("a", "NA")), None, differs(&[]), &report),
        "update differs",
        "it was never recorded"
    );
}

#[test]
fn what_left_the_source_stays_unless_pruning_is_on() {
    let keep = Policy { prune: false, ..anything_goes() };
    let held =
        "held delete removed (removed from the source, and pruning is off (--prune deletes it))";
    assert_eq!(verdict(None, Some(row("a", "NA")), agrees(), &keep), held);
    assert_eq!(verdict(None, Some(row("a", "NA")), Look::NotTaken, &keep), held);
    assert_eq!(verdict(None, Some(row("a", "NA")), Look::Absent, &keep), "forget gone");
}

#[test]
fn a_broken_source_deletes_nothing_and_sends_the_rest() {
    let recorded = ledger([row("a", "NA"), row("b", "NA").digest(2)]);
    let source = snapshot([item("b", "NA"), item("c", "NA")]);
    let live = looks([("c", "NA", Look::Absent)]);
    let whole = plan(&source, &recorded, &live, &anything_goes());
    assert_eq!(actions(&whole), ["delete a NA", "update b NA", "create c NA"]);
    let broken = plan(&broken(source.clone()), &recorded, &live, &anything_goes());
    assert_eq!(actions(&broken), ["update b NA", "create c NA"]);
    let because = "nothing is deleted while a file is broken: the item may be in that file";
    assert_eq!(reasons(&broken), [format!("delete a NA: {because}")]);

    let mut warned = source;
    warned.problems = self::broken(snapshot([]))
        .problems
        .into_iter()
        .map(marketsync::domain::source::Problem::warning)
        .collect();
    assert!(!warned.is_broken(), "a warning breaks nothing");
    assert_eq!(actions(&plan(&warned, &recorded, &live, &anything_goes())).len(), 3);
}

/// A ledger in which `a` was rejected at noon, at digest 1 and setting 7.
fn rejected(recorded: Option<RowBuilder>) -> Ledger {
    let mut ledger = ledger(recorded);
    let rejection = Rejection {
        circumstances: circumstances(&digest(1), &digest(7)),
        why: "no such category".to_owned(),
        at: noon(0),
    };
    ledger.rejections.insert(key("a", "NA"), rejection);
    ledger
}

#[test]
fn what_was_rejected_waits_for_other_circumstances() {
    let held = "held create new (the marketplace rejected this before: no such category)";
    let day = 24 * 60;
    let base = anything_goes;
    for (policy, wanted, does) in [
        (Policy { now: noon(1), ..base() }, 1, held),
        (Policy { now: noon(day - 1), ..base() }, 1, held),
        (Policy { now: noon(day), ..base() }, 1, "create new"),
        (Policy { now: noon(-1), ..base() }, 1, held),
        // The clock was set back since, by more than that.
        (Policy { now: noon(-day), ..base() }, 1, "create new"),
        (Policy { retry_rejected: true, ..base() }, 1, "create new"),
        (Policy { setting: digest(8), ..base() }, 1, "create new"),
        (base(), 2, "create new"),
    ] {
        let source = snapshot([item("a", "NA").digest(wanted)]);
        let plan = plan(&source, &rejected(None), &looks([("a", "NA", Look::Absent)]), &policy);
        assert_eq!(told(&plan), does, "{policy:?}");
    }
}

#[test]
fn a_rejection_holds_every_write_of_the_item_and_nothing_else() {
    let source = snapshot([item("a", "NA")]);
    for (recorded, look, does) in [
        (None, differs(&[]), "held update differs"),
        (Some(2), Look::NotTaken, "held update edited"),
        (Some(1), differs(&[]), "held update drifted"),
        (Some(1), Look::Absent, "held create missing"),
        (Some(1), Look::NotTaken, "nothing"),
        // To adopt asks the marketplace for nothing that it could reject.
        (None, agrees(), "adopt already there"),
    ] {
        let ledger = rejected(recorded.map(|number| row("a", "NA").digest(number)));
        let plan = plan(&source, &ledger, &looks([("a", "NA", look)]), &anything_goes());
        let told = told(&plan);
        assert!(
            told.starts_with(does)
                && told.contains("rejected this before") == does.starts_with("held"),
            "{told}"
        );
    }
    let other = snapshot([item("b", "NA")]);
    let plan = plan(&other, &rejected(None), &looks([("b", "NA", Look::Absent)]), &anything_goes());
    assert_eq!(told(&plan), "create new");
}

#[test]
fn a_rejection_that_settles_holds_the_next_plan() {
    let source = snapshot([item("a", "NA")]);
    let live = looks([("a", "NA", Look::Absent)]);
    let mut ledger = Ledger::default();
    let first = plan(&source, &ledger, &live, &anything_goes());
    let result = Err(Failure::Rejected { why: "no".to_owned(), pointer: None });
    let outcome = Outcome { change: first.changes[0].clone(), result };
    settle(
        &mut ledger,
        &outcome,
        &Settling { commit: commit("c1"), author: None, now: noon(0), setting: digest(7) },
    );
    let told = told(&plan(&source, &ledger, &live, &anything_goes()));
    assert_eq!(told, "held create new (the marketplace rejected this before: no)");
}

#[test]
fn what_was_applied_is_rejected_no_more() {
    let source = snapshot([item("a", "NA")]);
    for look in [agrees(), differs(&[])] {
        let mut ledger = rejected(None);
        let again = Policy { retry_rejected: true, ..anything_goes() };
        let plan = plan(&source, &ledger, &looks([("a", "NA", look)]), &again);
        let settling =
            Settling { commit: commit("c1"), author: None, now: noon(1), setting: digest(7) };
        settle(&mut ledger, &crate::support::domain::done(&plan.changes[0]), &settling);
        assert!(ledger.rejections.is_empty());
        let row = &ledger.rows[&key("a", "NA")];
        assert_eq!(
            (row.digest, row.at, row.lifecycle),
            (digest(1), noon(1), Some(Lifecycle::Published))
        );
    }
}

#[test]
fn resources_of_a_published_version_are_immutable() {
    let held = |next| {
        format!(
            "held update edited (immutable: the resources and the type of a published version cannot change; \
             publish {next} instead)"
        )
    };
    let sealed = || Some(item("a", "1.0.0").digest(2).sealed(2));
    let recorded = |lifecycle| Some(row("a", "1.0.0").lifecycle(lifecycle));
    for lifecycle in Lifecycle::ALL {
        let mutable = matches!(lifecycle, Lifecycle::ComingSoon | Lifecycle::Draft);
        let does = if mutable { "update edited".to_owned() } else { held("1.0.1") };
        let told = verdict(sealed(), recorded(Some(lifecycle)), Look::NotTaken, &anything_goes());
        assert_eq!(told, does, "{lifecycle}");
    }
    let told = |wanted, recorded| verdict(wanted, recorded, Look::NotTaken, &anything_goes());
    assert_eq!(
        told(sealed(), recorded(None)),
        held("1.0.1"),
        "an unknown status counts as published"
    );
    assert_eq!(
        told(Some(item("a", "1.0.0").digest(2)), recorded(None)),
        "update edited",
        "metadata may change"
    );
    let unversioned = Some(item("a", "NA").digest(2).sealed(2));
    assert_eq!(told(unversioned, Some(row("a", "NA"))), "update edited", "NA is exempt");
    let told = verdict(sealed(), None, differs(&[]), &anything_goes());
    assert_eq!(told, "update differs", "what was never recorded is the marketplace's to judge");
}

#[test]
fn the_version_to_publish_instead_is_free() {
    for (version, taken, next) in [
        ("1.0.0", &[][..], "1.0.1"),
        ("1.0.0", &["0.9.0", "1.1.0", "2.0.0", "NA"], "1.0.1"),
        ("1.0.0", &["1.0.1"], "1.0.2"),
        ("1.0.0", &["1.0.1", "1.0.2", "1.0.10"], "1.0.11"),
        ("1.0.0", &["1.0.1-rc.1"], "1.0.1"),
        ("1.0.0", &["1.0.1+build.5"], "1.0.2"),
        ("1.0.0+build.5", &[], "1.0.1"),
        ("2.0.0-rc.1", &[], "2.0.0"),
        ("2.0.0-rc.1", &["2.0.0-rc.2"], "2.0.0"),
        ("2.0.0-rc.1", &["2.0.0", "2.0.1"], "2.0.2"),
    ] {
        let others = taken.iter().map(|version| item("a", version));
        // Versions of another item take nothing.
        let items = others.chain([
            item("a", version).digest(2).sealed(2),
            item("b", "1.0.1"),
            item("A", "1.0.1"),
        ]);
        let plan =
            plan(&snapshot(items), &ledger([row("a", version)]), &Live::new(), &anything_goes());
        let held = plan.held.iter().find(|held| held.change.key == key("a", version)).unwrap();
        let end = format!("publish {next} instead");
        assert!(held.why.to_string().ends_with(&end), "{version} with {taken:?}: {}", held.why);
    }
}

#[test]
fn who_corrects_an_item_three_times_within_an_hour_stops() {
    let held =
        "(contested: corrected three times within an hour, somebody else writes this item too)";
    let drifted = format!("held update drifted {held}");
    let missing = format!("held create missing {held}");
    for (corrected, recorded, now, look, does) in [
        (&[0, 1][..], 1, 2, differs(&[]), "update drifted"),
        (&[0, 1, 59], 1, 59, differs(&[]), &drifted),
        (&[0, 1, 59], 1, 59, Look::Absent, &missing),
        // As long as the file stays the same.
        (&[0, 1, 59], 1, 60 * 24 * 30, differs(&[]), &drifted),
        (&[0, 1, 59], 2, 59, differs(&[]), "update edited"),
        (&[0, 1, 59], 2, 59, Look::Absent, "create missing"),
        // The clock was set back by a year after the first.
        (&[365 * 24 * 60, 1, 2], 1, 3, differs(&[]), "update drifted"),
        // Slow drift is no contest.
        (&[0, 30, 60], 1, 61, differs(&[]), "update drifted"),
        (&[0, 30, 60], 1, 61, Look::Absent, "create missing"),
    ] {
        let policy = Policy { now: noon(now), ..anything_goes() };
        let recorded = row("a", "NA").digest(recorded).corrected(corrected);
        let told = verdict(Some(item("a", "NA")), Some(recorded), look.clone(), &policy);
        assert_eq!(told, does, "{corrected:?} at {now} {look:?}");
    }
}

// The limits.

/// `count` items of an action each: those to delete are `d…`, to update `u…`,
/// to create `c…`.
fn some(deletes: usize, updates: usize, creates: usize) -> Plan {
    let recorded = (0..deletes)
        .map(|number| row(&format!("d{number:04}"), "NA"))
        .chain((0..updates).map(|number| row(&format!("u{number:04}"), "NA").digest(2)));
    let wanted = (0..updates)
        .map(|number| item(&format!("u{number:04}"), "NA"))
        .chain((0..creates).map(|number| item(&format!("c{number:04}"), "NA")));
    let source = snapshot(wanted);
    let live = source
        .items
        .keys()
        .map(|key| (key.clone(), Look::Absent))
        .filter(|(key, _)| key.item_id.as_str().starts_with('c'));
    plan(&source, &ledger(recorded), &live.collect(), &anything_goes())
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} {}", change.action, change.key)).collect()
}

fn reasons(plan: &Plan) -> Vec<String> {
    plan.held
        .iter()
        .map(|held| format!("{} {}: {}", held.change.action, held.change.key, held.why))
        .collect()
}

fn count(plan: &Plan, action: Action) -> (usize, usize) {
    let of = |found: Action| usize::from(found == action);
    (
        plan.changes.iter().map(|change| of(change.action)).sum(),
        plan.held.iter().map(|held| of(held.change.action)).sum(),
    )
}

#[test]
fn how_many_deletions_nobody_has_to_allow() {
    let numbers = [
        (0, 1),
        (1, 1),
        (9, 1),
        (10, 1),
        (11, 1),
        (19, 1),
        (20, 2),
        (99, 9),
        (100, 10),
        (1000, 10),
    ];
    for (recorded, allowed) in numbers {
        assert_eq!(deletes_allowed(recorded), allowed, "{recorded}");
    }
}

#[test]
fn the_delete_guard_holds_all_deletions_and_nothing_else() {
    for (recorded, allowed) in [(1, 1), (9, 1), (19, 1), (20, 2), (99, 9), (100, 10), (1000, 10)] {
        let limits = Limits { deletes: deletes_allowed(recorded), ..Limits::default() };
        let at_limit = check(some(allowed, 1, 1), &limits);
        assert_eq!(count(&at_limit, Action::Delete), (allowed, 0), "{recorded}");
        let above = check(some(allowed + 1, 1, 1), &limits);
        assert_eq!(count(&above, Action::Delete), (0, allowed + 1), "{recorded}");
        assert_eq!(count(&above, Action::Update), (1, 0));
        assert_eq!(count(&above, Action::Create), (1, 0));
        let wanted = allowed + 1;
        let why = format!(
            "delete d0000 NA: {wanted} deletions in all, and one commit may make {allowed} (--allow-deletes {wanted} \
             or a line `Marketsync-Allow-Deletes: {wanted}` in the commit message allows them)"
        );
        assert_eq!(reasons(&above)[0], why);
        assert!(above.held.iter().all(|held| held.why.is_guard() && !held.why.is_trouble()));
    }
}

#[test]
fn an_empty_source_deletes_nothing_whatever_is_allowed() {
    let limits = Limits { deletes: usize::MAX, empty_source: true, ..Limits::default() };
    let checked = check(some(1, 0, 0), &limits);
    assert_eq!(
        reasons(&checked),
        ["delete d0000 NA: the source holds no item; an empty source deletes nothing"]
    );
    assert!(checked.changes.is_empty() && checked.held[0].why.is_guard());
    let limits = Limits { deletes: 0, empty_source: true, ..Limits::default() };
    let gone = plan(
        &snapshot([]),
        &ledger([row("a", "NA")]),
        &looks([("a", "NA", Look::Absent)]),
        &anything_goes(),
    );
    assert_eq!(actions(&check(gone, &limits)), ["forget a NA"], "to forget is no deletion");
}

#[test]
fn max_updates_holds_all_updates_above_it() {
    let limits = |updates| Limits { deletes: 9, updates, ..Limits::default() };
    assert_eq!(count(&check(some(1, 500, 1), &limits(None)), Action::Update), (500, 0));
    assert_eq!(
        count(&check(some(1, 3, 5), &limits(Some(3))), Action::Update),
        (3, 0),
        "creations do not count"
    );
    let above = check(some(1, 4, 5), &limits(Some(3)));
    assert_eq!(count(&above, Action::Update), (0, 4));
    assert_eq!(count(&above, Action::Create), (5, 0));
    assert_eq!(count(&above, Action::Delete), (1, 0));
    assert_eq!(reasons(&above)[0], "update u0000 NA: 4 updates, and --max-updates allows 3");
    assert!(above.held[0].why.is_guard());
    assert_eq!(count(&check(some(0, 1, 0), &limits(Some(0))), Action::Update), (0, 1));
}

#[test]
fn fields_that_the_legacy_api_lacks_hold_their_item() {
    let source = snapshot([
        item("a", "NA").not_on_legacy(&["labels", "tags"]),
        item("b", "NA").not_on_legacy(&["labels"]),
        item("c", "NA"),
        item("d", "NA").not_on_legacy(&["labels"]),
    ]);
    let live = looks([("b", "NA", Look::Absent), ("c", "NA", Look::Absent), ("d", "NA", agrees())]);
    let fresh = || {
        plan(&source, &ledger([row("a", "NA").digest(2), row("e", "NA")]), &live, &anything_goes())
    };
    let limits = |generation| Limits { deletes: 1, generation, ..Limits::default() };
    for generation in [None, Some(Generation::New)] {
        assert_eq!(check(fresh(), &limits(generation)), fresh());
    }
    let legacy = check(fresh(), &limits(Some(Generation::Legacy)));
    assert_eq!(actions(&legacy), ["create c NA", "adopt d NA", "delete e NA"]);
    let end = "remove it, or upgrade the Console";
    assert_eq!(
        reasons(&legacy),
        [
            format!(
                "update a NA: the API of a Console before 14.0 has no field labels, tags; {end}"
            ),
            format!("create b NA: the API of a Console before 14.0 has no field labels; {end}"),
        ]
    );
    assert!(legacy.held.iter().all(|held| held.why.is_trouble()));
}

#[test]
fn every_list_is_in_the_order_of_the_keys() {
    let versions = ["NA", "0.9.0", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0"];
    let source = |order: &[&str]| {
        snapshot(
            order
                .iter()
                .map(|version| item("b", version))
                .chain([item("A", "NA"), item("a", "NA")]),
        )
    };
    let mut back = versions;
    back.reverse();
    let live: Live = source(&versions).items.into_keys().map(|key| (key, Look::Absent)).collect();
    let plans = [&versions, &back].map(|order| {
        plan(&source(order), &ledger([row("0", "NA"), row("z", "NA")]), &live, &anything_goes())
    });
    assert_eq!(plans[0], plans[1]);
    let expected = [
        "0 NA",
        "A NA",
        "a NA",
        "b NA",
        "b 0.9.0",
        "b 1.0.0-rc.1",
        "b 1.0.0",
        "b 1.9.0",
        "b 1.10.0",
        "z NA",
    ];
    let keys: Vec<String> = plans[0].changes.iter().map(|change| change.key.to_string()).collect();
    assert_eq!(keys, expected);

    // What was held before stays, and the new ones stand between them.
    let mut before = plan(
        &source(&versions),
        &ledger([row("0", "NA"), row("z", "NA")]),
        &Live::new(),
        &anything_goes(),
    );
    let limits = Limits::default();
    let deletions = before.changes.len();
    before = check(before, &limits);
    let keys: Vec<String> = before.held.iter().map(|held| held.change.key.to_string()).collect();
    assert_eq!((deletions, keys), (2, expected.map(str::to_owned).to_vec()));
    assert_eq!(check(before.clone(), &limits), before, "a checked plan keeps its limits");
}

#[test]
fn a_plan_is_saved_and_read_again() {
    let source: Snapshot = snapshot([
        item("a", "NA"),
        item("b", "1.0.0").digest(2).sealed(2),
        item("c", "NA").digest(3),
    ]);
    let recorded = ledger([row("b", "1.0.0"), row("c", "NA"), row("x", "NA"), row("y", "NA")]);
    let plan = check(plan(&source, &recorded, &Live::new(), &anything_goes()), &Limits::default());
    assert_eq!((plan.changes.len(), plan.held.len()), (1, 4));
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    assert!(plan.has_writes());
    let adopt = Plan { changes: vec![], ..plan };
    assert!(!adopt.has_writes());
}

#[test]
fn an_edit_of_a_lost_item_is_no_correction() {
    let settled = |recorded: u64| {
        let source = snapshot([item("a", "NA")]);
        let mut ledger = ledger([row("a", "NA").digest(recorded).corrected(&[-2, -1])]);
        let plan = plan(&source, &ledger, &looks([("a", "NA", Look::Absent)]), &anything_goes());
        assert_eq!(plan.changes[0].reason, Reason::Missing);
        let outcome = crate::support::domain::done(&plan.changes[0]);
        settle(
            &mut ledger,
            &outcome,
            &Settling { commit: commit("c1"), author: None, now: noon(0), setting: digest(7) },
        );
        ledger.rows[&key("a", "NA")].corrected.clone()
    };
    assert_eq!(settled(1), [noon(-2), noon(-1), noon(0)]);
    assert!(settled(2).is_empty());
    assert_eq!(SignedDuration::from_hours(1), marketsync::domain::plan::CONTEST_WINDOW);
}
