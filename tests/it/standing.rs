//! Where a process stands, after passes of every kind; and what waits in them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use marketsync::domain::catalog::Snapshot;
use marketsync::domain::event::{Event, Failure, Hold, NOT_ASKED, Outcome};
use marketsync::domain::item::ItemKey;
use marketsync::domain::ledger::Ledger;
use marketsync::domain::plan::{Live, Look, Plan, Policy, plan};
use marketsync::domain::report::Report;
use marketsync::domain::retries::{Failed, Retries};
use marketsync::domain::standing::page::{self, Page};
use marketsync::domain::standing::{About, Standing, State};

use crate::support::domain::{
    agrees, anything_goes, broken, commit, differs, done, failed, item, key, ledger, noon, row,
    snapshot,
};

fn standing() -> Standing {
    Standing::new(About {
        source: "/srv/catalogue".into(),
        endpoint: "https://console.example.com".into(),
        company: "acme".into(),
        started: noon(0),
    })
}

/// What a pass plans, and what becomes of it.
struct Made {
    plan: Plan,
    report: Report,
}

fn pass(
    snapshot: &Snapshot,
    ledger: &Ledger,
    live: &Live,
    policy: &Policy,
    outcome: impl Fn(&marketsync::domain::event::Change) -> Outcome,
) -> Made {
    let plan = plan(snapshot, ledger, live, policy);
    let mut report = Report::of(snapshot);
    report.add(&plan, plan.changes.iter().map(outcome).collect());
    Made { plan, report }
}

fn unavailable(why: &str) -> impl Fn(&marketsync::domain::event::Change) -> Outcome {
    let failure = Failure::Transient { why: why.to_owned(), retry_after: None };
    move |change| Outcome { change: change.clone(), result: Err(failure.clone()) }
}

fn looks<const N: usize>(looks: [(&str, &str, Look); N]) -> Live {
    looks.into_iter().map(|(id, version, look)| (key(id, version), look)).collect()
}

fn counted(standing: &Standing) -> Vec<(State, usize)> {
    standing.counts().into_iter().filter(|(_, count)| *count > 0).collect()
}

fn news(standing: &Standing, made: &Made) -> usize {
    let held = made.plan.held.iter().cloned().map(Event::Held);
    let settled = made.report.outcomes.values().cloned();
    let settled = settled.map(|outcome| Event::Settled { outcome, commit: commit("c1") });
    held.chain(settled).filter(|event| standing.is_news(event)).count()
}

fn retries(key: &ItemKey, why: &str, made: &Made) -> Retries {
    let mut retries = Retries::default();
    let wanted = made.report.outcomes[key].change.wanted.as_ref().map(|item| item.digest);
    let failed = Failed { wanted, was_sent: true, why: why.to_owned() };
    retries.failed(key, failed, |tries| noon(i64::from(tries)));
    retries
}

#[test]
fn an_item_that_fails_is_told_once_and_counts_until_it_went() {
    let (source, a) = (snapshot([item("a", "NA").digest(2), item("b", "NA")]), key("a", "NA"));
    let recorded = ledger([row("a", "NA"), row("b", "NA")]);
    let mut standing = standing();
    standing.recorded = 2;

    let fails = pass(&source, &recorded, &looks([]), &anything_goes(), unavailable("503"));
    assert_eq!(news(&standing, &fails), 1);
    let waits = retries(&a, "503", &fails);
    standing.after(&fails.report, &waits, |_| false);
    assert_eq!(counted(&standing), [(State::Synced, 1), (State::Failed, 1)]);
    assert_eq!(standing.stuck[&a].due, Some(noon(1)), "it says when it is tried again");
    assert_eq!(news(&standing, &fails), 0, "the same failure again");
    let other = pass(&source, &recorded, &looks([]), &anything_goes(), unavailable("502"));
    assert_eq!(news(&standing, &other), 1, "another failure");

    // While it waits it is neither told nor forgotten.
    let policy = Policy { waiting: BTreeMap::from([(a.clone(), "503".into())]), ..anything_goes() };
    let idle = pass(&source, &recorded, &looks([]), &policy, done);
    assert!(matches!(idle.plan.held[0].why, Hold::Waiting { .. }));
    assert_eq!(news(&standing, &idle), 0);
    standing.after(&idle.report, &waits, |_| false);
    assert_eq!(counted(&standing), [(State::Synced, 1), (State::Failed, 1)]);

    // What was not asked says less than what was.
    let unsent = format!("{NOT_ASKED}too many requests in a row failed; the last: 503");
    let unsent = pass(&source, &recorded, &looks([]), &anything_goes(), unavailable(&unsent));
    standing.after(&unsent.report, &waits, |_| false);
    assert_eq!(standing.stuck[&a].why, "503");

    let goes = pass(&source, &recorded, &looks([]), &anything_goes(), done);
    assert_eq!(news(&standing, &goes), 1);
    standing.after(&goes.report, &Retries::default(), |_| false);
    assert_eq!(counted(&standing), [(State::Synced, 2)]);
}

#[test]
fn an_item_that_failed_and_is_wanted_no_more_is_not_failed() {
    let (a, recorded) = (key("a", "NA"), ledger([row("a", "NA")]));
    let mut standing = standing();
    standing.recorded = 1;
    let edited = snapshot([item("a", "NA").digest(2)]);
    let fails = pass(&edited, &recorded, &looks([]), &anything_goes(), unavailable("503"));
    standing.after(&fails.report, &retries(&a, "503", &fails), |_| false);
    let keeps = Policy { prune: false, ..anything_goes() };
    let gone = pass(&snapshot([]), &recorded, &looks([]), &keeps, done);
    standing.after(&gone.report, &Retries::default(), |_| false);
    assert_eq!(counted(&standing), [(State::Held, 1)]);
}

#[test]
fn drift_lasts_until_a_look_shows_that_it_is_gone() {
    let source = snapshot([item("a", "NA"), item("b", "NA")]);
    let recorded = ledger([row("a", "NA"), row("b", "NA")]);
    let policy = Policy { correct_drift: false, ..anything_goes() };
    let none = Retries::default();
    let mut standing = standing();
    standing.recorded = 2;
    let drifted = looks([("a", "NA", differs(&["/name"]))]);
    let found = pass(&source, &recorded, &drifted, &policy, done);
    assert_eq!(news(&standing, &found), 1);
    standing.after(&found.report, &none, |key| key.item_id.as_str() == "a");
    assert_eq!(counted(&standing), [(State::Synced, 1), (State::Drifted, 1)]);
    assert_eq!(news(&standing, &found), 0, "it is known");
    let more = looks([("a", "NA", differs(&["/name", "/description"]))]);
    let more = pass(&source, &recorded, &more, &policy, done);
    assert_eq!(news(&standing, &more), 1, "more of it drifted");

    let unlooked = pass(&source, &recorded, &looks([]), &policy, done);
    standing.after(&unlooked.report, &none, |_| false);
    assert_eq!(counted(&standing), [(State::Synced, 1), (State::Drifted, 1)]);
    let mended = pass(&source, &recorded, &looks([("a", "NA", agrees())]), &policy, done);
    standing.after(&mended.report, &none, |key| key.item_id.as_str() == "a");
    assert_eq!(counted(&standing), [(State::Synced, 2)]);
}

#[test]
fn a_broken_file_is_told_once_and_counts_as_one() {
    let source = broken(snapshot([item("a", "NA")]));
    let recorded = ledger([row("a", "NA")]);
    let mut standing = standing();
    standing.recorded = 1;
    let found = Event::Found(source.problems[0].clone());
    assert!(standing.is_news(&found));
    let made = pass(&source, &recorded, &looks([]), &anything_goes(), done);
    standing.after(&made.report, &Retries::default(), |_| false);
    assert!(!standing.is_news(&found));
    assert_eq!(counted(&standing), [(State::Synced, 1), (State::Invalid, 1)]);
}

#[test]
fn a_new_version_waits_for_a_lower_one() {
    let source = snapshot([item("a", "1.0.0"), item("a", "2.0.0"), item("b", "1.0.0")]);
    let absent = [("a", "2.0.0", Look::Absent), ("b", "1.0.0", Look::Absent)];
    let [second, other] = absent.clone();
    let live = looks([("a", "1.0.0", failed("time-out")), second, other]);
    let made = plan(&source, &ledger([]), &live, &anything_goes());
    let changes: Vec<_> = made.changes.iter().map(|change| change.key.clone()).collect();
    assert_eq!(changes, [key("b", "1.0.0")], "another item goes");
    let held: Vec<_> = made.held.iter().map(|held| held.why.to_string()).collect();
    assert_eq!(
        held,
        ["unobserved: time-out", "version 1.0.0 of the item goes first, and waits: time-out"]
    );
    // One that is there already does not wait for it.
    let source = snapshot([item("a", "1.0.0"), item("a", "2.0.0").digest(2)]);
    let live = looks([("a", "1.0.0", failed("time-out"))]);
    let made = plan(&source, &ledger([row("a", "2.0.0")]), &live, &anything_goes());
    assert_eq!(made.changes[0].key, key("a", "2.0.0"));
    // Nor does one wait for a deletion that failed.
    let waiting = BTreeMap::from([(key("a", "1.0.0"), "in use".to_owned())]);
    let policy = Policy { waiting, ..anything_goes() };
    let source = snapshot([item("a", "2.0.0")]);
    let live = looks([("a", "2.0.0", Look::Absent)]);
    let made = plan(&source, &ledger([row("a", "1.0.0")]), &live, &policy);
    assert_eq!(made.changes[0].key, key("a", "2.0.0"));
}

#[test]
fn a_page_is_read_back_and_shown_line_by_line() {
    let mut standing = standing();
    let source = broken(snapshot([item("a", "NA").digest(2)]));
    let recorded = ledger([row("a", "NA"), row("b", "NA")]);
    let made = pass(&source, &recorded, &looks([]), &anything_goes(), unavailable("5\u{1b}[31m"));
    standing.after(&made.report, &Retries::default(), |_| false);
    let now = noon(0) + SignedDuration::from_secs(90);
    let page = Page::of(&standing, "0.1.0", now);
    let json = serde_json::to_string(&page).unwrap();
    assert_eq!(serde_json::from_str::<Page>(&json).unwrap(), page);
    let text = page::text(&page, now);
    assert!(text.contains("1 item failed:") && text.contains("broken.json"), "{text}");
    assert!(text.contains("1 item held:"), "{text}");
    assert!(!text.contains('\u{1b}'), "a server's words do not reach a terminal raw: {text}");
}
