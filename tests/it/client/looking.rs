use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use marketsync::domain::images::ImageLocations;
use marketsync::domain::plan::Look;
use marketsync::edge::marketplace::{CallError, ObserveError, Observing};
use serde_json::json;
use tokio::sync::watch;

use super::{hasty, market, observe};
use crate::support::scripted::{Answer, Scripted, json_answer, text_answer};
use crate::support::shop::{Shop, document};

const ITEMS: &str = "/api/tenants/acme/marketplace/items";

fn at(item_id: &str) -> String {
    format!("GET {ITEMS}/{item_id}/versions/NA")
}

#[tokio::test]
async fn a_look_tells_absent_from_unseen_and_equal_from_different() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    for item_id in
        ["absent", "agrees", "differs", "page", "broken", "busy", "late", "other", "list", "cut"]
    {
        shop.item(item_id, "NA");
    }
    let there = document("agrees", "NA");
    let mut other = document("differs", "NA");
    other["name"] = json!("edited");
    other["_id"] = json!("id-1");
    server.once(&at("agrees"), json_answer(200, &there));
    server.once(&at("differs"), json_answer(200, &other));
    server.once(&at("page"), text_answer(404, "<html>not here"));
    server.once(&at("broken"), text_answer(500, "<html>"));
    server.once(&at("busy"), json_answer(429, &json!({ "message": "slow down" })));
    server.once(&at("late"), Answer::Silence);
    server.once(&at("other"), json_answer(200, &document("agrees", "NA")));
    server.once(&at("list"), json_answer(200, &json!([])));
    server.once(&at("cut"), Answer::Cut);
    let live = observe(&hasty(&server), &mut shop, &mut ImageLocations::default()).await.unwrap();
    let look =
        |item_id: &str| live.iter().find(|(key, _)| key.item_id.as_str() == item_id).unwrap().1;
    assert_eq!(look("absent"), &Look::Absent);
    assert_eq!(look("agrees"), &Look::Agrees { object_id: None });
    let fields = vec!["/name".to_owned()];
    assert_eq!(look("differs"), &Look::Differs { object_id: Some("id-1".to_owned()), fields });
    for (item_id, words) in [
        ("page", "an HTML page"),
        ("broken", "in trouble (500: an HTML page"),
        ("busy", "asks to wait (429: slow down"),
        ("late", "no whole answer within 0.3 s"),
        ("other", "about another item"),
        ("list", "no JSON object"),
        ("cut", "broke"),
    ] {
        let Look::Failed { why } = look(item_id) else { panic!("{item_id}: {:?}", look(item_id)) };
        assert!(why.contains(words), "{item_id}: {why}");
    }
    assert_eq!(server.seen(&at("agrees"))[0].header("accept"), "application/json; as=manifest");
}

#[tokio::test]
async fn what_nobody_wants_differs_and_is_not_read() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let item = shop.item("gone", "NA");
    shop.snapshot.items.clear();
    server.once(&at("gone"), json_answer(200, &document("gone", "NA")));
    let keys = BTreeSet::from([item.key.clone()]);
    let (mut bodies, snapshot) = shop.bodies();
    let (_keep, halt) = watch::channel(false);
    let mut locations = ImageLocations::default();
    let round = Observing {
        favour: None,
        sight: None,
        keys: &keys,
        snapshot,
        bodies: &mut bodies,
        locations: &mut locations,
        stop: &halt,
    };
    let live = market(&server).observe(round).await.unwrap();
    assert_eq!(live[&item.key], Look::Differs { object_id: None, fields: Vec::new() });
    assert_eq!(shop.tree.reads, 0);
}

#[tokio::test]
async fn no_key_is_no_request() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    assert!(
        observe(&market(&server), &mut shop, &mut ImageLocations::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(server.seen("").is_empty());
}

#[tokio::test]
async fn four_looks_are_in_flight() {
    let server = Scripted::start().await;
    let market = market(&server);
    market.generation().await.unwrap();
    let mut shop = Shop::new();
    for n in 0..8 {
        shop.item(&format!("i{n}"), "NA");
    }
    server.meet(4);
    observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    assert_eq!(server.most_at_once(), 4);
    assert_eq!(server.seen("GET /api/tenants").len(), 8);
}

#[tokio::test]
async fn a_server_that_refuses_to_be_looked_at_ends_the_round() {
    for status in [403, 405, 410] {
        let server = Scripted::start().await;
        let mut shop = Shop::new();
        shop.item("a", "NA");
        server.once(&at("a"), json_answer(status, &json!({ "message": "no" })));
        let err =
            observe(&market(&server), &mut shop, &mut ImageLocations::default()).await.unwrap_err();
        assert!(
            matches!(&err, ObserveError::Call(CallError::Refused { status: s, .. }) if *s == status),
            "{err:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_asks_to_wait_gets_no_further_request() {
    let server = Scripted::start().await;
    let market = market(&server);
    let mut shop = Shop::new();
    for n in 0..20 {
        shop.item(&format!("i{n:02}"), "NA");
    }
    server.rule(|seen| {
        let answer = json_answer(503, &json!({ "message": "later" })).with("retry-after", "1000");
        seen.path.contains("/versions/").then_some(answer)
    });
    let live = observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    assert_eq!(live.len(), 20);
    assert!(live.values().all(|look| matches!(look, Look::Failed { .. })));
    assert!(server.seen("GET /api/tenants").len() <= 4);
    let wait = market.retry_after().unwrap();
    assert!(wait > Duration::from_secs(990) && wait <= Duration::from_secs(1000), "{wait:?}");
}

#[tokio::test]
async fn retry_after_pauses_whatever_the_trouble_is() {
    for (status, pauses) in
        [(408, true), (425, true), (429, true), (500, true), (502, true), (504, true), (404, false)]
    {
        let server = Scripted::start().await;
        let market = market(&server);
        let mut shop = Shop::new();
        shop.item("a", "NA");
        let answer = json_answer(status, &json!({ "message": "later" })).with("retry-after", "60");
        server.once(&at("a"), answer);
        observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
        assert_eq!(market.retry_after().is_some(), pauses, "{status}");
    }
}

#[tokio::test]
async fn a_stopped_round_says_what_it_did_not_look_at() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    for n in 0..20 {
        shop.item(&format!("i{n:02}"), "NA");
    }
    let (stopper, halt) = watch::channel(false);
    server.rule(move |seen| {
        if seen.path.contains("/versions/") {
            stopper.send_replace(true);
        }
        None
    });
    let keys: BTreeSet<_> = shop.snapshot.items.keys().cloned().collect();
    let (mut bodies, snapshot) = shop.bodies();
    let mut locations = ImageLocations::default();
    let round = Observing {
        favour: None,
        sight: None,
        keys: &keys,
        snapshot,
        bodies: &mut bodies,
        locations: &mut locations,
        stop: &halt,
    };
    let live = market(&server).observe(round).await.unwrap();
    let unasked = Look::Failed { why: "not asked: the run was stopped".to_owned() };
    let (asked, rest): (Vec<_>, Vec<_>) = live.values().partition(|look| **look != unasked);
    assert!(asked.iter().all(|look| **look == Look::Absent), "{asked:?}");
    assert!((1..=4).contains(&asked.len()) && asked.len() + rest.len() == 20, "{live:?}");
}

#[tokio::test]
async fn a_dead_server_is_not_asked_for_every_item() {
    let server = Scripted::start().await;
    let market = market(&server);
    let mut shop = Shop::new();
    for n in 0..200 {
        shop.item(&format!("i{n:03}"), "NA");
    }
    server.rule(|seen| seen.path.contains("/versions/").then(|| text_answer(502, "bad gateway")));
    let live = observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    assert_eq!(live.values().filter(|look| matches!(look, Look::Failed { .. })).count(), 200);
    let asked = server.seen("GET /api/tenants").len();
    assert!((32..40).contains(&asked), "{asked}");
}

#[tokio::test]
async fn an_unreadable_source_ends_the_round() {
    let server = Scripted::start().await;
    let mut shop = Shop::new();
    let item = shop.item("a", "NA");
    shop.lose(&item);
    server.once(&at("a"), json_answer(200, &document("a", "NA")));
    let err =
        observe(&market(&server), &mut shop, &mut ImageLocations::default()).await.unwrap_err();
    assert!(matches!(err, ObserveError::Source(_)));
}

#[tokio::test]
async fn every_call_is_counted_by_its_route() {
    let server = Scripted::start().await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let log = calls.clone();
    let market = market(&server).with_log(move |call| {
        log.lock().unwrap().push((call.method, call.route, call.code));
    });
    let mut shop = Shop::new();
    shop.item("a", "NA");
    observe(&market, &mut shop, &mut ImageLocations::default()).await.unwrap();
    let one = "/api/tenants/{t}/marketplace/items/{itemId}/versions/{version}";
    assert_eq!(
        *calls.lock().unwrap(),
        [
            ("POST", "/api/m2m/oauth/token", Some(200)),
            ("GET", "/api/version", Some(200)),
            ("GET", one, Some(404))
        ]
    );
}

#[tokio::test]
async fn the_older_api_is_looked_at_on_its_own_path() {
    let server = Scripted::start().await;
    server.once("GET /api/version", json_answer(404, &json!({})));
    let mut shop = Shop::new();
    shop.item("a", "NA");
    let live = observe(&market(&server), &mut shop, &mut ImageLocations::default()).await.unwrap();
    assert!(live.values().all(|look| *look == Look::Absent));
    let seen = server.seen("GET /api/backend/marketplace/tenants/acme/resources/a/versions/NA");
    assert_eq!(seen[0].header("accept"), "application/json");
}
