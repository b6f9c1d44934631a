use std::collections::BTreeMap;
use std::time::Duration;

use marketsync::domain::event::{Action, Failure, Reason, Verb};
use marketsync::domain::images::ImageLocations;
use marketsync::domain::plan::Look;
use marketsync::edge::marketplace::{CallError, Connection, Marketplace, SendError, Sending, Sent};
use serde_json::json;
use tokio::sync::watch;

use super::{basic, connection, hasty, market, observe, send, send_with};
use crate::support::scripted::{Answer, Scripted, Seen, inserted, json_answer, text_answer};
use crate::support::shop::{Shop, change, create, document, update};

const POST: &str = "POST /api/tenants/acme/marketplace/items";

fn shop_of(count: usize) -> (Shop, Vec<marketsync::domain::event::Change>) {
    let mut shop = Shop::new();
    let changes = (0..count).map(|n| create(&shop.item(&format!("i{n:03}"), "NA"))).collect();
    (shop, changes)
}

#[tokio::test]
async fn every_action_has_its_outcome() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let (made, gone) = (shop.item("made", "NA"), shop.item("gone", "NA"));
    let (known, lost, absent) =
        (shop.item("known", "NA"), shop.item("lost", "NA"), shop.item("absent", "1.0.0"));
    let mut adopt = change(Action::Adopt, Reason::AlreadyThere, &known);
    adopt.object_id = Some("id-9".to_owned());
    let changes = vec![
        change(Action::Delete, Reason::Removed, &gone),
        change(Action::Delete, Reason::Removed, &absent),
        create(&made),
        adopt,
        change(Action::Forget, Reason::Gone, &lost),
    ];
    let missing = format!("DELETE {}", "/api/tenants/acme/marketplace/items/absent/versions/1.0.0");
    server.once(&missing, json_answer(404, &json!({ "message": "no" })));
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    let verbs = ["made", "gone", "absent", "known", "lost"].map(|item_id| told.verb(item_id));
    assert_eq!(
        verbs,
        [Verb::Created, Verb::Deleted, Verb::Deleted, Verb::Adopted, Verb::Forgotten]
    );
    assert_eq!(told.of("made").as_ref().unwrap().object_id.as_deref(), Some("id-made"));
    assert_eq!(told.of("known").as_ref().unwrap().object_id.as_deref(), Some("id-9"));
    let order: Vec<_> = server.seen("").iter().map(|seen| seen.method.to_string()).collect();
    assert_eq!(order, ["POST", "GET", "POST", "DELETE", "DELETE"]);
    let body = &server.seen(POST)[0];
    assert_eq!(body.header("content-type"), "application/json");
    assert_eq!(body.json(), json!({ "resources": [document("made", "NA")] }));
    assert_eq!(server.seen("DELETE")[0].header("content-type"), "");
}

#[tokio::test]
async fn an_item_that_makes_no_address_is_refused_and_counts_for_nothing_else() {
    let server = Scripted::start().await;
    // No address is longer than 65534 bytes.
    let company = "x".repeat(70_000);
    let market = Marketplace::new(Connection { company, ..connection(&server, basic()) }).unwrap();
    let (mut shop, mut changes) = shop_of(60);
    for n in 0..50 {
        let gone = shop.item(&format!("gone{n}"), "NA");
        changes.push(change(Action::Delete, Reason::Removed, &gone));
    }
    let (told, result) = send(&market, &mut shop, changes).await;
    result.unwrap();
    let outcomes = told.outcomes();
    assert_eq!((outcomes.len(), told.unsent()), (110, 0));
    for outcome in outcomes {
        let rejected = matches!(&outcome.result, Err(Failure::Rejected { why, .. }) if why.contains("too long"));
        assert!(rejected, "{:?}", outcome.result);
    }
    let live = observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    let failed = |look: &Look| matches!(look, Look::Failed { why } if why.contains("too long"));
    assert!(live.len() == 110 && live.values().all(failed));
}

#[tokio::test]
async fn records_need_no_request() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let item = shop.item("a", "NA");
    let (told, _) =
        send(&market(&server), &mut shop, vec![change(Action::Adopt, Reason::AlreadyThere, &item)])
            .await;
    assert_eq!(told.verb("a"), Verb::Adopted);
    assert!(server.seen("").is_empty());
}

#[tokio::test]
async fn batches_hold_fifty_and_four_are_in_flight() {
    let server = Scripted::start().await;
    let market = market(&server);
    market.generation().await.unwrap();
    let (mut shop, changes) = shop_of(400);
    server.meet(4);
    let (told, result) = send(&market, &mut shop, changes).await;
    result.unwrap();
    assert_eq!(told.outcomes().len(), 400);
    assert_eq!(server.seen(POST).len(), 8);
    assert!(server.seen(POST).iter().all(|seen| seen.items().len() == 50));
    assert_eq!(server.most_at_once(), 4);
    assert_eq!(shop.tree.reads, 400);
}

#[tokio::test]
async fn versions_of_an_item_go_one_after_the_other_on_the_older_api() {
    let server = Scripted::start().await;
    server.once("GET /api/version", text_answer(404, ""));
    let mut shop = Shop::new();
    let versions = ["10.0.0", "2.0.0", "NA", "1.0.0", "2.0.0-rc.1"];
    let changes = versions.iter().map(|version| create(&shop.item("a", version))).collect();
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    assert_eq!(told.outcomes().len(), 5);
    let seen = server.seen("POST /api/backend/marketplace/tenants/acme/resources");
    let sent: Vec<String> = seen.iter().flat_map(Seen::items).collect();
    assert_eq!(sent, ["a NA", "a 1.0.0", "a 2.0.0-rc.1", "a 2.0.0", "a 10.0.0"]);
    assert!(seen.iter().all(|seen| seen.items().len() == 1));
    assert_eq!(server.most_at_once(), 1);
    let first = &seen[0].json()["resources"][0];
    assert_eq!((&first["type"], first.get("lifecycleStatus")), (&json!("sidecar"), None));
}

#[tokio::test]
async fn a_refused_batch_is_narrowed_down_to_the_bad_items() {
    for status in [400, 409, 422] {
        let server = Scripted::start().await;
        server.rule(move |seen| {
            let bad = seen.path.ends_with("/items")
                && seen.items().iter().any(|item| item == "i013 NA" || item == "i037 NA");
            bad.then(|| json_answer(status, &json!({ "message": "bad item in here" })))
        });
        let (mut shop, changes) = shop_of(50);
        let (told, result) = send(&market(&server), &mut shop, changes).await;
        result.unwrap();
        assert_eq!(told.outcomes().iter().filter(|outcome| outcome.result.is_ok()).count(), 48);
        assert_eq!(told.rejection("i013"), "bad item in here");
        assert_eq!(told.rejection("i037"), "bad item in here");
        assert!(server.seen(POST).len() < 25, "{}", server.seen(POST).len());
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved() {
    let server = Scripted::start().await;
    server.rule(|seen| {
        let too_large = seen.path.ends_with("/items") && seen.body.len() > 1000;
        too_large.then(|| text_answer(413, "<html>"))
    });
    let (mut shop, mut changes) = shop_of(12);
    let mut large = document("large", "NA");
    large["description"] = json!("x".repeat(2000));
    changes.push(create(&shop.put(&large, Vec::new())));
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    assert_eq!(told.outcomes().iter().filter(|outcome| outcome.result.is_ok()).count(), 12);
    let why = told.rejection("large");
    assert!(why.contains("too large") && why.contains(" bytes)"), "{why}");
}

#[tokio::test]
async fn a_refusal_of_everything_ends_the_pass_and_keeps_what_was_done() {
    for (status, words) in [
        (403, "give it the role Company Owner or Project Administrator"),
        (404, "check --endpoint and --company-id"),
        (405, "check that --endpoint is the address of a Console"),
    ] {
        let server = Scripted::start().await;
        server.rule(move |seen| {
            let second =
                seen.path.ends_with("/items") && seen.items().contains(&"i060 NA".to_owned());
            second.then(|| json_answer(status, &json!({ "message": "not you" })))
        });
        let (mut shop, changes) = shop_of(80);
        let (told, result) = send(&market(&server), &mut shop, changes).await;
        let Err(SendError::Call(CallError::Refused { status: got, why })) = result else {
            panic!("{result:?}")
        };
        assert!(got == status && why.contains(words) && why.contains("not you"), "{why}");
        assert_eq!(told.outcomes().len(), 50);
    }
}

#[tokio::test]
async fn a_lost_creation_is_read_back() {
    let there = document("i000", "NA");
    let mut other = document("i001", "NA");
    other["name"] = json!("of somebody else");
    for answer in [
        Answer::Cut,
        Answer::Silence,
        text_answer(200, ""),
        text_answer(502, "<html>"),
        json_answer(200, &json!({ "items": [] })),
    ] {
        let server = Scripted::start().await;
        server.once(POST, answer.clone());
        server.once(
            "GET /api/tenants/acme/marketplace/items/i000/versions/NA",
            json_answer(200, &there),
        );
        server.once(
            "GET /api/tenants/acme/marketplace/items/i001/versions/NA",
            json_answer(200, &other),
        );
        let (mut shop, mut changes) = shop_of(3);
        changes.push(update(&shop.item("old", "NA")));
        changes.push(change(Action::Create, Reason::Missing, &shop.item("missing", "NA")));
        let (told, result) = send(&hasty(&server), &mut shop, changes).await;
        result.unwrap();
        let read_back = told.of("i000").as_ref().unwrap();
        assert!(read_back.read_back && read_back.verb == Verb::Created, "{answer:?}");
        for item_id in ["i001", "i002", "old", "missing"] {
            told.trouble(item_id);
        }
        assert_eq!((server.seen(POST).len(), server.seen("GET /api/tenants").len()), (1, 3));
        assert_eq!(told.unsent(), 0);
    }
}

#[tokio::test]
async fn a_partial_answer_settles_what_it_tells() {
    let server = Scripted::start().await;
    let (mut shop, changes) = shop_of(3);
    let rows = json!([
        { "itemId": "i000", "done": true, "inserted": true, "updated": false, "errors": [] },
        { "itemId": "i001", "done": false, "errors": [{ "message": "no" }] },
    ]);
    server.once(POST, json_answer(200, &json!({ "done": false, "items": rows })));
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    assert_eq!((told.verb("i000"), told.rejection("i001")), (Verb::Created, "no"));
    assert!(told.trouble("i002").0.contains("no row"));
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_left_alone() {
    let server = Scripted::start().await;
    let answer = json_answer(429, &json!({ "message": "slow down" })).with("retry-after", "60");
    server.rule(move |seen| seen.path.ends_with("/items").then(|| answer.clone()));
    let (mut shop, changes) = shop_of(500);
    let market = market(&server);
    let (told, result) = send(&market, &mut shop, changes).await;
    result.unwrap();
    let posts = server.seen(POST).len();
    assert!((1..=4).contains(&posts), "{posts}");
    assert_eq!((told.outcomes().len(), told.unsent()), (500, 500 - 50 * posts));
    assert!(told.outcomes().iter().all(|outcome| matches!(
        &outcome.result,
        Err(Failure::Transient { retry_after: Some(wait), .. }) if *wait > Duration::from_secs(50)
    )));
    assert!(market.retry_after().is_some());
    assert!(server.seen("GET /api/tenants").is_empty());
}

#[tokio::test]
async fn an_item_that_failed_often_travels_alone() {
    let server = Scripted::start().await;
    let (mut shop, changes) = shop_of(10);
    let tries = BTreeMap::from([(changes[3].key.clone(), 6)]);
    let (told, result) =
        send_with(&market(&server), &mut shop, changes, &mut ImageLocations::default(), &tries)
            .await;
    result.unwrap();
    assert_eq!(told.outcomes().len(), 10);
    let mut sizes: Vec<usize> = server.seen(POST).iter().map(|seen| seen.items().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 9]);
}

#[tokio::test]
async fn stop_lets_calls_in_flight_finish_and_starts_none() {
    let server = Scripted::start().await;
    let (mut shop, changes) = shop_of(500);
    let (stopper, halt) = watch::channel(false);
    server.rule(move |seen| {
        if seen.path.ends_with("/items") {
            stopper.send_replace(true);
            return Some(json_answer(200, &inserted(seen)));
        }
        None
    });
    let (mut bodies, _) = shop.bodies();
    let (mut locations, tries) = (ImageLocations::default(), BTreeMap::new());
    let sending = Sending {
        changes,
        bodies: &mut bodies,
        locations: &mut locations,
        tries: &tries,
        stop: &halt,
    };
    let mut settled = 0;
    let count = |sent| {
        if let Sent::Outcomes(outcomes) = sent {
            settled += outcomes.len();
        }
        Ok::<(), std::convert::Infallible>(())
    };
    market(&server).send(sending, count).await.unwrap();
    let posts = server.seen(POST).len();
    assert!((1..=4).contains(&posts), "{posts}");
    assert_eq!(settled, 50 * posts);
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_sending() {
    let server = Scripted::start().await;
    let (mut shop, changes) = shop_of(500);
    let (_keep, halt) = watch::channel(false);
    let (mut bodies, _) = shop.bodies();
    let (mut locations, tries) = (ImageLocations::default(), BTreeMap::new());
    let sending = Sending {
        changes,
        bodies: &mut bodies,
        locations: &mut locations,
        tries: &tries,
        stop: &halt,
    };
    let mut told = 0;
    let result = market(&server)
        .send(sending, |_| {
            told += 1;
            Err("disk full")
        })
        .await;
    assert!(matches!(result, Err(SendError::Sink("disk full"))));
    // What was on its way is told all the same; nothing new begins.
    let sent = server.seen(POST).len();
    assert!((1..=4).contains(&sent) && told == sent, "{told} of {sent}");
}

#[tokio::test]
async fn deletions_that_fail_are_told_apart() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let changes = ["page", "used", "down"]
        .iter()
        .map(|item_id| change(Action::Delete, Reason::Removed, &shop.item(item_id, "NA")))
        .collect();
    let at =
        |item_id: &str| format!("DELETE /api/tenants/acme/marketplace/items/{item_id}/versions/NA");
    server.once(&at("page"), text_answer(404, "<html>"));
    server.once(&at("used"), json_answer(409, &json!({ "message": "in use" })));
    server.once(&at("down"), text_answer(500, ""));
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    result.unwrap();
    assert_eq!(told.verb("page"), Verb::Deleted);
    assert_eq!(told.rejection("used"), "in use");
    assert!(told.trouble("down").0.contains("500"));
}

#[tokio::test]
async fn an_answer_of_a_stranger_deletes_nothing() {
    let answers =
        [(404, ""), (404, "<html>"), (404, "default backend - 404"), (200, "<html>"), (202, "")];
    for (status, strange) in answers {
        let server = Scripted::start().await;
        let mut shop = Shop::new();
        let ids = ["gone", "there", "page", "busy"];
        let changes = ids
            .iter()
            .map(|item_id| change(Action::Delete, Reason::Removed, &shop.item(item_id, "NA")))
            .collect();
        let at =
            |item_id: &str| format!("/api/tenants/acme/marketplace/items/{item_id}/versions/NA");
        for item_id in ids {
            server.once(&format!("DELETE {}", at(item_id)), text_answer(status, strange));
        }
        server.once(&format!("GET {}", at("there")), json_answer(200, &document("there", "NA")));
        server.once(&format!("GET {}", at("page")), text_answer(404, "<html>"));
        server.once(&format!("GET {}", at("busy")), text_answer(502, ""));
        let (told, result) = send(&market(&server), &mut shop, changes).await;
        result.unwrap();
        assert_eq!((told.verb("gone"), told.outcomes().len()), (Verb::Deleted, 4));
        assert!(told.trouble("there").0.contains(", but not in the words of the marketplace"));
        assert!(told.trouble("page").0.contains("not in the words of the marketplace"));
        assert!(told.trouble("busy").0.contains("502"));
    }
}

#[tokio::test]
async fn an_unreadable_source_ends_the_sending() {
    let server = Scripted::start().await;
    let (mut shop, changes) = shop_of(2);
    let lost = changes[1].wanted.clone().unwrap();
    shop.lose(&lost);
    let (told, result) = send(&market(&server), &mut shop, changes).await;
    assert!(matches!(result, Err(SendError::Source(_))));
    assert!(told.outcomes().is_empty() && server.seen(POST).is_empty());
}

#[tokio::test]
async fn a_server_in_trouble_is_not_sent_everything() {
    for status in [408, 425, 429, 500, 502] {
        let server = Scripted::start().await;
        server.rule(move |seen| {
            let writes = seen.path.contains("/items");
            writes.then(|| json_answer(status, &json!({ "message": "out of order" })))
        });
        let mut shop = Shop::new();
        let mut changes = Vec::new();
        for n in 0..50 {
            changes.push(update(&shop.item(&format!("u{n:02}"), "NA")));
            let gone = shop.item(&format!("d{n:02}"), "NA");
            changes.push(change(Action::Delete, Reason::Removed, &gone));
        }
        // Each alone: fifty requests to update, as many to delete.
        let tries = changes.iter().map(|change| (change.key.clone(), 6)).collect();
        let mut locations = ImageLocations::default();
        let market = market(&server);
        let (told, result) = send_with(&market, &mut shop, changes, &mut locations, &tries).await;
        result.unwrap();
        let asked = server.seen("POST /api/tenants").len() + server.seen("DELETE").len();
        assert!((32..40).contains(&asked), "{status}: {asked}");
        assert_eq!((told.outcomes().len(), told.unsent()), (100, 100 - asked));
        assert!(told.trouble("d49").0.contains("out of order"), "{:?}", told.trouble("d49"));
    }
}
