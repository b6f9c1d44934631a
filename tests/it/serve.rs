//! What a process shows over HTTP: every address, and what each answers when.

mod limits;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use marketsync::domain::event::{Action, Change, Held, Hold, Reason};
use marketsync::domain::ledger::Settling;
use marketsync::domain::standing::{Came, Pass, Stuck, Trigger};
use marketsync::edge::store::{Identity, Store};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::domain::{commit, digest, done, key, noon};
use crate::support::front::{Front, Wish, hear};

#[tokio::test]
async fn health_is_progress() {
    let front = Front::with(Wish { patience: Duration::from_millis(50), ..Wish::default() }).await;
    front.heart.beat();
    front.get("/healthz").await.is(200, "ok\n");
    let since = std::time::Instant::now();
    while since.elapsed() < Duration::from_millis(100) {
        tokio::task::yield_now().await;
    }
    front.get("/healthz").await.is(503, "nothing made progress for 0 s");
    front.heart.beat();
    front.get("/healthz").await.is(200, "ok\n");
}

#[tokio::test]
async fn readiness_comes_once_and_goes_with_the_process() {
    let front = Front::start().await;
    front.get("/readyz").await.is(503, "not yet looked at");
    front.now(|standing| standing.ready = true);
    front.get("/readyz").await.is(200, "ok\n");
    // Somebody who began to ask before it was asked to stop.
    let mut late = front.connect().await;
    late.write_all(b"GET /readyz HTTP/1.1\r\n").await.unwrap();
    front.get("/readyz").await.is(200, "ok\n");
    front.stop();
    while tokio::net::TcpStream::connect(front.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    late.write_all(b"Host: x\r\n\r\n").await.unwrap();
    hear(late).await.is(503, "stopping");
    front.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_nobody_longer_than_three_seconds() {
    let front = Front::start().await;
    let mut silent = front.connect().await;
    silent.write_all(b"GET /healthz HTT").await.unwrap();
    let begun = tokio::time::Instant::now();
    front.stop();
    front.end().await;
    assert!(begun.elapsed() <= Duration::from_secs(4), "{:?}", begun.elapsed());
    drop(silent);
}

#[tokio::test]
async fn every_answer_says_what_it_is_and_is_kept_by_nobody() {
    let front = Front::start().await;
    for (path, code, kind) in [
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/readyz", 503, "text/plain; charset=utf-8"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/status", 200, "application/json"),
        ("/status?items=true", 200, "application/json"),
        ("/status?items=1", 400, "text/plain; charset=utf-8"),
        ("/hook", 405, "text/plain; charset=utf-8"),
        ("/", 404, "text/plain; charset=utf-8"),
        ("/healthz/", 404, "text/plain; charset=utf-8"),
        ("/status/../metrics", 404, "text/plain; charset=utf-8"),
        ("//etc/passwd", 404, "text/plain; charset=utf-8"),
        ("/%2e%2e/state.db", 404, "text/plain; charset=utf-8"),
    ] {
        let heard = front.get(path).await;
        heard.is(code, "\n");
        assert_eq!(heard.header("content-type"), kind, "{path}");
        assert_eq!(heard.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(heard.header("cache-control"), "no-store", "{path}");
        assert_eq!(heard.header("connection"), "close", "{path}");
        assert_eq!(heard.header("access-control-allow-origin"), "", "{path}");
        let bare = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let bare = front.raw(bare.as_bytes()).await;
        assert_eq!((bare.code, bare.body.as_str()), (code, ""), "{path}");
        assert_eq!(bare.header("content-type"), kind, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_done_that_way_is_said() {
    let front = Front::start().await;
    front.get("/nothing?secret=1").await.is(404, "there are /healthz, /readyz, /metrics, /status");
    for request in ["POST /status", "DELETE /metrics", "PUT /healthz", "PATCH /hook", "GET /hook"] {
        let request = format!("{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let heard = front.raw(request.as_bytes()).await;
        heard.is(405, "called with POST");
        assert!(!heard.header("allow").is_empty(), "{request}: {heard:?}");
    }
}

/// Everything that a standing can hold.
fn full(front: &Front, why: &str) {
    front.now(|standing| {
        standing.ready = true;
        standing.commit = Some(commit("c0ffee12345"));
        standing.items = 3;
        standing.recorded = 2;
        standing.oldest_look = Some(noon(0));
        standing.last_success = Some(noon(1));
        standing.next_pass = Some(noon(3));
        standing.last_pass = Some(Pass {
            at: noon(2),
            took: Duration::from_millis(1234),
            trigger: Trigger::Commit,
            came: Came::Partial,
            error: None,
        });
        let stuck = Stuck {
            rejected: true,
            recorded: true,
            why: why.to_owned(),
            tries: 2,
            due: Some(noon(9)),
        };
        Arc::make_mut(&mut standing.stuck).insert(key("a", "NA"), stuck);
        let change = Change {
            key: key("b", "1.0.0"),
            action: Action::Delete,
            reason: Reason::Removed,
            wanted: None,
            from: None,
            fields: Vec::new(),
            object_id: None,
        };
        let held = Held { change, why: Hold::DeleteGuard { wanted: 9, allowed: 1 } };
        Arc::make_mut(&mut standing.held).insert(key("b", "1.0.0"), held);
    });
}

#[tokio::test]
async fn status_is_where_the_process_stands() {
    let front = Front::start().await;
    let page = front.get("/status").await.json();
    assert_eq!((&page["ready"], &page["commit"]), (&json!(false), &Value::Null));
    full(&front, "name\u{1b}[2J is not allowed");
    let page = front.get("/status").await.json();
    assert_eq!(page["version"], 1);
    assert_eq!(page["commit"], "c0ffee12345");
    assert_eq!(page["lastPass"]["trigger"], "commit");
    assert_eq!(page["lastPass"]["tookMs"], 1234);
    assert_eq!(page["failed"][0]["itemId"], "a");
    assert_eq!(page["held"][0]["hold"], "delete-guard");
    let counts =
        json!({ "drifted": 0, "failed": 0, "held": 1, "invalid": 0, "rejected": 1, "synced": 1 });
    assert_eq!(page["counts"], counts);
    assert_eq!(page.get("items"), None);
    validates(&page);
}

/// The page is what `docs/status.schema.json` says, and has no field of which
/// it says nothing.
fn validates(page: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/status.schema.json");
    let mut schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    close(&mut schema);
    let schema = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = schema
        .iter_errors(page)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}\n{page:#}");
}

/// Forbids what the schema does not name.
fn close(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        if fields.contains_key("properties") {
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
        fields.values_mut().for_each(close);
    }
}

/// Every field of the page stands in the schema and in the documentation.
#[tokio::test]
async fn status_is_documented() {
    let front = Front::start().await;
    full(&front, "name\u{1b}[2J is not allowed");
    let page = front.get("/status?items=true").await.json();
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    for name in page.as_object().unwrap().keys() {
        assert!(docs.contains(&format!("`{name}`")), "docs/monitoring.md does not tell of {name}");
    }
}

#[tokio::test]
async fn the_items_are_those_of_the_state_beside_its_writer() {
    let front = Front::start().await;
    assert_eq!(front.get("/status?items=true").await.json()["items"], json!([]));
    let identity = Identity {
        endpoint: "https://console.example.com".to_owned(),
        company: "acme".to_owned(),
        source: "/srv/catalogue".to_owned(),
    };
    let mut store = Store::open(&front.state(), &identity, noon(0)).unwrap();
    let settling =
        Settling { now: noon(0), author: None, commit: commit("c0ffee12345"), setting: digest(1) };
    let mut ledger = store.load_ledger().unwrap();
    let wanted = crate::support::domain::item("tls-proxy", "NA").build();
    let change = Change {
        key: wanted.key.clone(),
        action: Action::Create,
        reason: Reason::New,
        wanted: Some(Arc::new(wanted)),
        from: None,
        fields: Vec::new(),
        object_id: None,
    };
    let outcome = done(&change);
    marketsync::domain::ledger::settle(&mut ledger, &outcome, &settling);
    store.save(&ledger, &[outcome], &settling).unwrap();
    let page = front.get("/status?items=true").await.json();
    validates(&page);
    assert_eq!(page["items"][0]["itemId"], "tls-proxy");
    assert_eq!(page["items"][0]["verb"], "Created");
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    drop(store);
    std::fs::write(front.state().join("state.db"), "no database at all, for certain").unwrap();
    let heard = front.get("/status?items=true").await;
    heard.is(503, "the state cannot be read");
    assert!(!heard.body.contains(front.state().to_str().unwrap()), "{heard:?}");
    front.get("/status").await.is(200, "counts");
}

#[tokio::test]
async fn many_read_at_once() {
    let front = Front::start().await;
    full(&front, "name\u{1b}[2J is not allowed");
    let readers = (0..40).map(|number| {
        front.get(["/status?items=true", "/metrics", "/healthz", "/status"][number % 4])
    });
    let heard = futures_util::future::join_all(readers).await;
    assert!(heard.iter().all(|heard| heard.code == 200), "{heard:?}");
}

#[tokio::test]
async fn no_answer_holds_the_secret() {
    let front = Front::start().await;
    full(&front, "name\u{1b}[2J is not allowed");
    let secret = crate::support::front::HOOK_SECRET;
    for path in ["/healthz", "/readyz", "/metrics", "/status", "/status?items=true", "/hook", "/x"]
    {
        assert!(!front.get(path).await.body.contains(secret), "{path}");
    }
    for token in [secret, "guess"] {
        let heard = front.call(&[("X-Gitlab-Token", token)], b"{}").await;
        assert!(!heard.body.contains(token), "{heard:?}");
    }
    assert_eq!(front.wakes.load(Ordering::SeqCst), 1);
}
