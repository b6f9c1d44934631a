//! Approved plans: what their digest rests on, and what departs from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use marketsync::domain::approval::{Approval, Line, Looked, NoPlan, VERSION, digest, lines};
use marketsync::domain::event::{Action, Change, Held, Hold, Reason};
use marketsync::domain::item::Version;
use marketsync::domain::plan::Plan;

use crate::support::domain::{digest as number, item, key};

fn change(action: Action, id: &str, wanted: Option<u64>) -> Change {
    Change {
        action,
        reason: Reason::New,
        key: key(id, "NA"),
        wanted: wanted.map(|number| Arc::new(item(id, "NA").digest(number).build())),
        from: None,
        fields: Vec::new(),
        object_id: None,
    }
}

fn plan(changes: Vec<Change>) -> Plan {
    Plan { changes, ..Plan::default() }
}

fn usual() -> Plan {
    plan(vec![
        change(Action::Create, "a", Some(1)),
        change(Action::Delete, "b", None),
        change(Action::Update, "c", Some(2)),
    ])
}

fn approval(plan: &Plan) -> Approval {
    let changes = lines(plan);
    Approval {
        version: VERSION,
        endpoint: "embedded".to_owned(),
        company: "acme".to_owned(),
        looked: Looked::All,
        digest: digest(&changes),
        changes,
    }
}

#[test]
fn the_digest_rests_on_what_is_done_alone() {
    let of = |plan: &Plan| digest(&lines(plan));
    let usual_digest = of(&usual());
    // Pinned: a digest that somebody approved must hold in the next release.
    let text = format!("create a NA {}\ndelete b NA -\nupdate c NA {}", number(1), number(2));
    assert_eq!(usual_digest, marketsync::domain::item::Digest::of(text.as_bytes()));

    let mut same = usual();
    same.changes.reverse();
    same.unchanged = 7;
    for change in &mut same.changes {
        change.reason = Reason::Edited;
        change.from = Some(number(9));
        change.fields = vec!["/name".to_owned()];
        change.object_id = Some("1".to_owned());
    }
    same.changes.push(change(Action::Adopt, "d", Some(1)));
    same.changes.push(change(Action::Forget, "e", None));
    same.held.push(Held { change: change(Action::Delete, "f", None), why: Hold::PruneOff });
    assert_eq!(of(&same), usual_digest);

    for other in [
        plan(vec![change(Action::Update, "a", Some(1))]),
        plan(vec![change(Action::Create, "a", Some(2))]),
        plan(vec![change(Action::Create, "b", Some(1))]),
        plan(Vec::new()),
    ] {
        assert_ne!(of(&other), of(&plan(vec![change(Action::Create, "a", Some(1))])));
    }
}

#[test]
fn a_plan_departs_in_what_is_more_and_in_what_is_less() {
    let approved = approval(&usual());
    assert_eq!(approved.departure(&usual(), None), None);

    let mut more = usual();
    more.changes.push(change(Action::Update, "d", Some(1)));
    let departure = approved.departure(&more, None).unwrap();
    assert!(!departure.is_transient());
    assert!(departure.to_string().contains("`update d NA b3:"), "{departure}");
    let all = approved.changes.clone();
    let departure = approved.departure(&more, Some(&all)).unwrap();
    assert!(departure.to_string().ends_with("nothing more was done"), "{departure}");

    let mut less = usual();
    let gone = less.changes.remove(1);
    let departure = approved.departure(&less, None).unwrap();
    assert!(departure.to_string().contains("`delete b NA` is not to be done now"), "{departure}");
    assert!(departure.to_string().ends_with("nothing was done"), "{departure}");
    let nothing = BTreeSet::new();
    assert!(approved.departure(&less, Some(&nothing)).is_some(), "nobody did it");
    let done = BTreeSet::from([Line::of(&gone).unwrap()]);
    assert_eq!(approved.departure(&less, Some(&done)), None, "an earlier try did it");
    let mut unheard = less.clone();
    unheard.changes.push(change(Action::Forget, "b", None));
    assert_eq!(approved.departure(&unheard, Some(&nothing)), None, "it was done, unheard");
    assert!(approved.departure(&unheard, None).is_some(), "somebody else did it");

    less.held.push(Held { change: gone, why: Hold::PruneOff });
    let departure = approved.departure(&less, None).unwrap();
    assert!(departure.to_string().contains("`delete b NA` is held now"), "{departure}");
    assert!(!departure.is_transient());

    let mut unseen = usual();
    let change = unseen.changes.remove(0);
    unseen.held.push(Held { change, why: Hold::Unobserved { why: "503".to_owned() } });
    assert!(approved.departure(&unseen, None).unwrap().is_transient(), "another look may tell");
    unseen.changes.pop();
    assert!(!approved.departure(&unseen, None).unwrap().is_transient());
}

#[test]
fn many_departures_are_counted() {
    let all = (0..1000).map(|n| change(Action::Create, &format!("i{n}"), Some(n))).collect();
    let departure = approval(&plan(Vec::new())).departure(&plan(all), None).unwrap();
    let text = departure.to_string();
    assert!(text.contains("and 980 more"), "{text}");
    assert!(!text.contains('\n'));
}

#[test]
fn a_plan_file_reads_as_it_was_written() {
    let approved = approval(&usual());
    let text = serde_json::to_string_pretty(&approved).unwrap();
    assert_eq!(Approval::read(text.as_bytes()).unwrap(), approved);

    let edited = text.replace("\"delete\"", "\"update\"");
    assert!(matches!(Approval::read(edited.as_bytes()), Err(NoPlan::Digest { .. })));
    let newer = text.replace("\"version\": 1,", "\"version\": 2,");
    assert!(matches!(Approval::read(newer.as_bytes()), Err(NoPlan::Version(2))));
    let unknown = text.replace("\"looked\"", "\"prune\": true, \"looked\"");
    for odd in [unknown.as_str(), "", "[]", "{}", "nonsense", "{\"version\": \"1\"}"] {
        assert!(matches!(Approval::read(odd.as_bytes()), Err(NoPlan::Form(_))), "{odd}");
    }
    assert_eq!(approved.changes.iter().next().unwrap().version, Version::Na);
}
