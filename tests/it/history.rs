//! `history`: what a person and a program read of one item, and the whole way
//! from a commit to its line.

use jiff::Timestamp;
use marketsync::domain::event::{Action, Reason, Verb};
use marketsync::domain::item::{CommitId, Digest};
use marketsync::domain::past::{Past, Trail};
use marketsync::domain::report::history;
use marketsync::domain::status::LastResult;
use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use crate::support::cli::{Bench, Run, bare, complains};
use crate::support::documents::{plugin, set, sidecar};
use crate::support::domain::{key, noon};

fn past(action: Action, reason: Reason, result: LastResult) -> Past {
    Past {
        key: key("tls-proxy", "1.0.0"),
        at: noon(0),
        commit: CommitId("0123456789abcdef0123456789abcdef01234567".to_owned()),
        author: Some("Ada Author".to_owned()),
        action,
        reason,
        result,
        object_id: Some("6642f0aa".to_owned()),
        from: Some(Digest::of(b"before")),
        to: Some(Digest::of(b"after")),
        fields: vec!["/description".to_owned()],
    }
}

fn trail(changes: Vec<Past>, older: usize) -> Trail {
    Trail { item_id: "tls-proxy".parse().unwrap(), version: None, changes, older }
}

#[test]
#[expect(clippy::too_many_lines, reason = "three snapshots")]
fn the_table_and_the_object() {
    let fields = ["/a", "/b", "/c", "/d", "/e"].map(str::to_owned).to_vec();
    let refused = LastResult::Rejected { why: "no such category".to_owned() };
    let failed = LastResult::Failed { why: "time-out after 30 s".to_owned() };
    let done = |verb| LastResult::Done { verb };
    let by_directory = Past {
        commit: CommitId("dir-0123456789abcdef".to_owned()),
        author: None,
        object_id: None,
        from: None,
        fields: Vec::new(),
        at: "2026-01-02T03:04:05.678Z".parse::<Timestamp>().unwrap(),
        ..past(Action::Create, Reason::New, done(Verb::Created))
    };
    let gone = Past { to: None, ..past(Action::Delete, Reason::Removed, done(Verb::Deleted)) };
    let changes = vec![
        gone,
        Past { fields, ..past(Action::Update, Reason::Edited, refused) },
        past(Action::Update, Reason::Drifted, failed),
        by_directory,
    ];
    insta::assert_snapshot!(history::text(&trail(changes.clone(), 12)), @"
      TIME                  VERSION  COMMIT       AUTHOR      CHANGE            FROM        TO          OBJECT ID  FIELDS                 OUTCOME

      2026-01-01 12:00:00Z  1.0.0    0123456      Ada Author  delete (removed)  b3:18c52a7  -           6642f0aa   /description           Deleted
      2026-01-01 12:00:00Z  1.0.0    0123456      Ada Author  update (edited)   b3:18c52a7  b3:45df22c  6642f0aa   /a, /b, /c and 2 more  Rejected: no such category
      2026-01-01 12:00:00Z  1.0.0    0123456      Ada Author  update (drifted)  b3:18c52a7  b3:45df22c  6642f0aa   /description           Failed: time-out after 30 s
      2026-01-02 03:04:05Z  1.0.0    dir-0123456  -           create (new)      -           b3:45df22c  -          -                      Created

    4 changes of tls-proxy, 12 older changes not shown (--limit)
    ");
    let one = Trail { version: Some("1.0.0".parse().unwrap()), ..trail(changes[..1].to_vec(), 0) };
    insta::assert_snapshot!(history::text(&one), @"
      TIME                  VERSION  COMMIT   AUTHOR      CHANGE            FROM        TO  OBJECT ID  FIELDS        OUTCOME

      2026-01-01 12:00:00Z  1.0.0    0123456  Ada Author  delete (removed)  b3:18c52a7  -   6642f0aa   /description  Deleted

    1 change of tls-proxy@1.0.0
    ");
    let whole = history::json(&trail(changes[1..2].to_vec(), 1));
    insta::assert_snapshot!(serde_json::to_string_pretty(&whole).unwrap(), @r#"
    {
      "changes": [
        {
          "action": "update",
          "at": "2026-01-01T12:00:00Z",
          "author": "Ada Author",
          "commit": "0123456789abcdef0123456789abcdef01234567",
          "digest": "b3:45df22c72c6e776f178bdbb8103c5cac32795afaf8d736fb12c848264ae87d11",
          "fields": [
            "/a",
            "/b",
            "/c",
            "/d",
            "/e"
          ],
          "from": "b3:18c52a7ed981fbffa12fbf611b593c451f6a5700af2206c612b5c3dd2888909b",
          "itemId": "tls-proxy",
          "objectId": "6642f0aa",
          "reason": "edited",
          "result": "rejected",
          "version": "1.0.0",
          "why": "no such category"
        }
      ],
      "error": null,
      "itemId": "tls-proxy",
      "itemVersion": null,
      "older": 1,
      "version": 1
    }
    "#);
}

#[test]
fn nothing_that_others_wrote_moves_the_cursor() {
    let evil = "a\u{1b}[2J\r\n\u{202e}b".repeat(500);
    let hostile = Past {
        author: Some(evil.clone()),
        object_id: Some(evil.clone()),
        fields: vec![evil.clone(); 100],
        ..past(Action::Update, Reason::Edited, LastResult::Failed { why: evil })
    };
    let shown = history::text(&trail(vec![hostile], 0));
    assert!(!shown.contains(['\u{1b}', '\r', '\u{202e}']), "{shown:?}");
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(shown.chars().count() < 4_000, "{}", shown.chars().count());
}

/// `history` of an item in the state of this bench.
fn history_of(bench: &Bench, args: &[&str]) -> Run {
    let state = bench.state();
    bare(bench.home.path(), &[&["history", "--state", state.to_str().unwrap()], args].concat())
}

#[test]
fn from_a_commit_to_its_line() {
    let bench = Bench::new();
    let created = bench.commit(&[sidecar("alpha"), sidecar("other")]);
    let _ = bench.apply(&[]).exits(0);
    let edited = bench.commit(&[set(sidecar("alpha"), "/description", "better")]);
    let _ = bench.apply(&[]).exits(0);
    // A pass that has nothing to do leaves no line.
    let _ = bench.apply(&[]).exits(0);
    let worse = set(sidecar("alpha"), "/description", "worse");
    bench.commit(&[worse]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::RejectItem { message: "no".into() }));
    let refused = bench.repo.git(&["rev-parse", "HEAD"]);
    let _ = bench.apply(&[]).exits(1);
    bench.repo.remove("items/alpha");
    let removed = bench.repo.commit("away");
    let _ = bench.apply(&["--prune"]).exits(0);

    let whole = history_of(&bench, &["alpha", "--format=json"]).exits(0).json();
    let changes = whole["changes"].as_array().unwrap();
    let told: Vec<Value> = changes
        .iter()
        .map(|c| json!([c["commit"], c["author"], c["action"], c["reason"], c["result"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([removed, "Ada Author", "delete", "removed", "done"]),
            json!([refused, "Ada Author", "update", "edited", "rejected"]),
            json!([edited, "Ada Author", "update", "edited", "done"]),
            json!([created, "Ada Author", "create", "new", "done"]),
        ]
    );
    assert_eq!((&changes[0]["verb"], &changes[0]["digest"]), (&json!("Deleted"), &Value::Null));
    assert!(changes[1]["why"].as_str().unwrap().contains("no"), "{whole}");
    assert_eq!(changes[2]["from"], changes[3]["digest"]);
    assert_eq!(changes[0]["from"], changes[2]["digest"], "what was refused was never there");
    assert_eq!(changes[2]["fields"], json!(["/description"]));
    assert_eq!((&whole["older"], &whole["error"]), (&json!(0), &Value::Null));

    let short = history_of(&bench, &["alpha", "--limit", "1"]).exits(0);
    short.prints("delete (removed)").prints(&removed[..7]).prints("3 older changes not shown");
    assert!(!short.stdout.contains("Created"), "{short}");
}

#[test]
fn what_is_not_known_is_told() {
    let bench = Bench::new();
    complains(&history_of(&bench, &["alpha"]).exits(2), &["no state"]);
    bench.commit(&[sidecar("my-sidecar"), plugin("p", "1.0.0")]);
    let _ = bench.apply(&[]).exits(0);
    complains(
        &history_of(&bench, &["my-sidecra"]).exits(2),
        &["no history of my-sidecra", "did you mean `my-sidecar`?"],
    );
    complains(&history_of(&bench, &["p@2.0.0"]).exits(2), &["no history of p@2.0.0", "1.0.0"]);
    complains(&history_of(&bench, &["nothing-like-it"]).exits(2), &["marketsync status"]);
    complains(&history_of(&bench, &["p@one"]).exits(2), &["version"]);
    history_of(&bench, &["p@1.0.0"]).exits(0).prints("1 change of p@1.0.0");
    let told = history_of(&bench, &["absent", "--format=json"]).exits(2).json();
    assert!(told["error"]["message"].as_str().unwrap().contains("absent"), "{told}");
}

#[test]
fn a_reader_needs_no_lock_and_an_author_is_hostile() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let name = format!("a\u{1b}[2Jb\u{202e}{}", "c".repeat(3_000));
    bench.repo.git(&["commit", "-q", "--amend", "--no-edit", "--author", &format!("{name} <a@b>")]);
    let _ = bench.apply(&[]).exits(0);
    let lock = std::fs::File::open(bench.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let _ = bench.apply(&[]).exits(2);
    let run = history_of(&bench, &["alpha"]).exits(0);
    assert!(!run.to_string().contains(['\u{1b}', '\u{202e}']), "{run}");
    let author = history_of(&bench, &["alpha", "--format=json"]).exits(0).json();
    let author = author["changes"][0]["author"].as_str().unwrap().to_owned();
    assert!(author.starts_with("a\u{fffd}[2Jb\u{fffd}c") && author.ends_with('…'), "{author:?}");
    assert_eq!(author.chars().count(), 100);
    drop(lock);
}

#[test]
fn a_directory_has_no_author() {
    let bench = Bench::new();
    let files = bench.repo.beside("plain");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("a.json"), sidecar("alpha").to_string()).unwrap();
    let _ = bench.apply_from(&files, &[]).exits(0);
    let told = history_of(&bench, &["alpha", "--format=json"]).exits(0).json();
    assert_eq!(told["changes"][0]["author"], Value::Null);
    assert!(told["changes"][0]["commit"].as_str().unwrap().starts_with("dir-"), "{told}");
}
