//! A marketplace that means harm: names that lead elsewhere, lists without an
//! end, documents without an end, pictures elsewhere.

use serde_json::{Value, json};

use super::{names, outer, start, tree};
use crate::support::cli::Run;
use crate::support::market::COMPANY;
use crate::support::scripted::{Answer, Scripted, Seen, json_answer, text_answer};

const ITEMS: &str = "/api/tenants/acme/marketplace/items";

fn row(item_id: &str) -> Value {
    json!({ "itemId": item_id, "tenantId": COMPANY, "name": "n" })
}

fn item(item_id: &str) -> Value {
    json!({ "itemId": item_id, "name": "A", "tenantId": COMPANY, "lifecycleStatus": "published",
        "itemTypeDefinitionRef": { "namespace": "mia-platform", "name": "sidecar" },
        "resources": { "name": "a", "dockerImage": "a:1" } })
}

fn page(seen: &Seen) -> Option<u64> {
    if seen.path != "/api/marketplace/" {
        return None;
    }
    let page = seen.query.split('&').find_map(|pair| pair.strip_prefix("page="))?;
    Some(page.parse().unwrap())
}

/// A marketplace whose list has these rows, and items without versions.
async fn listing(rows: Vec<Value>) -> Scripted {
    let server = Scripted::start().await;
    server.rule(move |seen| {
        page(seen).map(|page| {
            let rows = if page == 1 { json!(rows) } else { json!([]) };
            json_answer(200, &rows)
        })
    });
    server
}

async fn export(server: &Scripted, dir: &std::path::Path, args: &[&str]) -> Run {
    let home = outer();
    let url = server.url.to_string();
    let running = start(home.path(), &url, dir, args);
    tokio::task::spawn_blocking(move || {
        let _home = home;
        running.end()
    })
    .await
    .unwrap()
}

fn get(item_id: &str, version: &str) -> String {
    format!("GET {ITEMS}/{item_id}/versions/{version}")
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_elsewhere_are_told_and_never_used() {
    let server = listing(vec![
        row("../../../tmp/evil"),
        row("a/b"),
        row(""),
        row("."),
        row("a\u{1b}[2J"),
        json!({ "itemId": 5, "tenantId": COMPANY }),
        json!({ "itemId": "nobodys" }),
        json!({ "itemId": "theirs", "tenantId": "other" }),
        json!("no row"),
        row("alpha"),
    ])
    .await;
    let versions = json!([
        { "version": "../../x" }, { "version": "latest" }, { "version": "1.0" }, { "version": 1 },
        { "version": format!("1.0.0-{}", "a".repeat(200)) }, { "version": "NA" }, "odd",
    ]);
    server.once(
        "GET /api/tenants/acme/marketplace/items/alpha/versions",
        json_answer(200, &versions),
    );
    server.once(&get("alpha", "NA"), json_answer(200, &item("alpha")));
    let outer = outer();
    let run = export(&server, &outer.path().join("dir"), &["--format=json"]).await.exits(1);
    let report = run.json();
    assert_eq!(report["items"].as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(report["items"][0]["status"], "Written");
    let skipped = report["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 6 + 2 + 6, "{report:#}");
    assert_eq!(names(outer.path()), ["dir/sidecar/alpha/versions/NA.json"]);
    let asked: Vec<String> = server.seen("GET ").into_iter().map(|seen| seen.path).collect();
    assert!(asked.iter().all(|path| !path.contains("evil") && !path.contains("..")), "{asked:?}");
    assert!(!asked.iter().any(|path| path.contains("theirs")), "{asked:?}");
    let run = export(&server, &outer.path().join("dir"), &[]).await;
    assert!(!run.stdout.contains('\u{1b}'), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_lead_elsewhere_make_no_file() {
    let types = [("mia-platform", "../../x"), ("..", "x"), ("a/../../b", "x"), ("acme", "..")];
    let server = listing((0..types.len()).map(|n| row(&format!("i{n}"))).collect()).await;
    for (n, (namespace, name)) in types.iter().enumerate() {
        let mut item = item(&format!("i{n}"));
        item["itemTypeDefinitionRef"] = json!({ "namespace": namespace, "name": name });
        server.once(&get(&format!("i{n}"), "NA"), json_answer(200, &item));
    }
    let outer = outer();
    let report =
        export(&server, &outer.path().join("dir"), &["--format=json"]).await.exits(1).json();
    for item in report["items"].as_array().unwrap() {
        assert!(item["why"].as_str().unwrap().contains("makes no name of a folder"), "{report:#}");
    }
    assert_eq!((report["items"].as_array().unwrap().len(), names(outer.path()).len()), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_elsewhere_is_not_fetched() {
    let elsewhere = [
        "http://127.0.0.1:1/v2/files/download/a.png",
        "//evil.example/a.png",
        "/api/tenants/acme/secrets",
        "/v2/files/download/../../../api/x",
        "/v2/files/download/a?b",
    ];
    let server = listing((0..elsewhere.len()).map(|n| row(&format!("i{n}"))).collect()).await;
    for (n, location) in elsewhere.iter().enumerate() {
        let mut item = item(&format!("i{n}"));
        item["imageUrl"] = json!(location);
        server.once(&get(&format!("i{n}"), "NA"), json_answer(200, &item));
    }
    let outer = outer();
    export(&server, outer.path(), &[]).await.exits(0);
    for (name, bytes) in tree(outer.path()) {
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        let n: usize = name["sidecar/i".len()..][..1].parse().unwrap();
        assert_eq!(file["imageUrl"], elsewhere[n]);
    }
    let asked = server.seen("GET ");
    assert!(asked.iter().all(|seen| seen.path.starts_with("/api/marketplace")
        || seen.path.starts_with(ITEMS)
        || seen.path == "/api/version"));
    assert_eq!(asked.iter().filter(|seen| seen.path == "/api/tenants/acme/secrets").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirected_picture_is_not_followed() {
    let server = listing(vec![row("alpha")]).await;
    let mut alpha = item("alpha");
    alpha["imageUrl"] = json!("/v2/files/download/a.png");
    server.once(&get("alpha", "NA"), json_answer(200, &alpha));
    let moved = text_answer(302, "").with("location", "/api/tenants/acme/secrets");
    server.once("GET /v2/files/download/a.png", moved);
    let outer = outer();
    let run = export(&server, outer.path(), &[]).await.exits(1);
    run.prints("redirects");
    assert_eq!(
        (names(outer.path()).len(), server.seen("GET /api/tenants/acme/secrets").len()),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_an_end_ends() {
    let server = Scripted::start().await;
    server.rule(|seen| {
        let page = page(seen)?;
        let rows: Vec<Value> = (0..200).map(|n| row(&format!("i{page}-{n}"))).collect();
        Some(json_answer(200, &json!(rows)).with("x-total-pages", "18446744073709551615"))
    });
    let outer = outer();
    let run = export(&server, outer.path(), &["--format=json"]).await.exits(2);
    run.tells("the list of items does not end after 501 pages and 100200 items");
    assert_eq!(names(outer.path()).len(), 0);

    // One page for ever: it is noticed at its second time.
    let server = Scripted::start().await;
    server.rule(|seen| {
        page(seen)?;
        let rows: Vec<Value> = (0..200).map(|_| row("alpha")).collect();
        Some(json_answer(200, &json!(rows)))
    });
    server.once(&get("alpha", "NA"), json_answer(200, &item("alpha")));
    let run = export(&server, outer.path(), &[]).await.exits(1);
    run.prints("Skipped: page 2 of the list is that before once more").prints("1 written");
    assert_eq!(server.seen("GET /api/marketplace/").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_that_lie_are_told() {
    // A server that gives fewer rows a page than it was asked for.
    let server = Scripted::start().await;
    server.rule(|seen| {
        let page = page(seen)?;
        let rows = if page <= 2 { vec![row(&format!("i{page}"))] } else { Vec::new() };
        let answer = json_answer(200, &json!(rows)).with("x-total-pages", "9");
        Some(answer.with("x-total-items", "500"))
    });
    for id in ["i1", "i2"] {
        server.once(&get(id, "NA"), json_answer(200, &item(id)));
    }
    let outer = outer();
    let run = export(&server, outer.path(), &[]).await.exits(1);
    run.prints("the marketplace counts 500 rows in its list and gave 2").prints("2 written");
    assert_eq!(server.seen("GET /api/marketplace/").len(), 3, "an empty page is the last");

    // A full page and a total that stops there: the next page is asked for.
    let server = Scripted::start().await;
    server.rule(|seen| {
        let page = page(seen)?;
        let count = if page == 1 { 200 } else { 1 };
        let rows: Vec<Value> = (0..count).map(|n| row(&format!("i{page}-{n}"))).collect();
        Some(json_answer(200, &json!(rows)).with("x-total-pages", "1"))
    });
    server.rule(|seen| {
        let id = seen.path.strip_prefix(&format!("{ITEMS}/"))?.strip_suffix("/versions/NA")?;
        Some(json_answer(200, &item(id)))
    });
    export(&server, outer.path(), &[]).await.exits(0).prints("201 items: 201 written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_another_item_makes_no_file() {
    let server = listing(vec![row("large"), row("deep"), row("good"), row("gone")]).await;
    let mut large = item("large");
    large["description"] = json!("x".repeat(1024 * 1024));
    let mut deep = item("deep");
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    deep["resources"]["description"] = nested;
    server.once(&get("large", "NA"), json_answer(200, &large));
    server.once(&get("deep", "NA"), json_answer(200, &deep));
    server.once(&get("good", "NA"), json_answer(200, &item("good")));
    let outer = outer();
    let report = export(&server, outer.path(), &["--format=json"]).await.exits(1).json();
    let fates: Vec<String> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            format!("{} {}", item["itemId"].as_str().unwrap(), item["status"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        fates,
        ["deep Invalid", "gone Failed", "good Written", "large Failed"],
        "{report:#}"
    );
    let why = report["items"][3]["why"].as_str().unwrap();
    assert!(why.contains("at most 1048576 are read"), "{why}");
    assert!(!names(outer.path()).iter().any(|name| name.contains("large")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_repeats_the_token_is_not_written() {
    let token = "eyJhbGciOiJSUzI1NiJ9.a-token-that-nobody-may-read";
    let server = listing(vec![row("alpha"), row("secret")]).await;
    server.rule(move |seen| {
        let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 });
        seen.path.ends_with("/oauth/token").then(|| json_answer(200, &body))
    });
    server.rule(|seen| {
        let mut alpha = item("alpha");
        alpha["description"] = json!(format!("you sent {}", seen.header("authorization")));
        (seen.path.ends_with("alpha/versions/NA")).then(|| json_answer(200, &alpha))
    });
    // The client secret of this test is a word, and a word is no secret.
    let mut wordy = item("secret");
    wordy["description"] = json!("where a secret goes");
    server.once(&get("secret", "NA"), json_answer(200, &wordy));
    let outer = outer();
    let run = export(&server, outer.path(), &[]).await.exits(1);
    run.prints("it repeats a credential of this run").prints("1 written");
    assert_eq!(names(outer.path()), ["sidecar/secret/versions/NA.json"]);
    assert!(!format!("{run}").contains("nobody-may-read"), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_no_list_is_not_taken_for_an_empty_one() {
    let server = Scripted::start().await;
    server.rule(|seen| page(seen).map(|_| Answer::Cut));
    for (answer, words) in [
        (json_answer(200, &json!({ "items": [] })), "no JSON array"),
        (text_answer(200, "<html>"), "no JSON array"),
    ] {
        server.once("GET /api/marketplace/", answer);
        server.once("GET /api/marketplace/", json_answer(403, &json!({ "message": "enough" })));
        let outer = outer();
        let run = export(&server, outer.path(), &["--format=json"]).await.exits(2);
        assert!(
            run.json()["error"]["message"].as_str().unwrap().contains("enough"),
            "{words} {run}"
        );
        assert_eq!(server.seen("GET /api/marketplace/").len() % 2, 0, "it was asked again");
    }
}
