use marketsync::domain::canon::Generation;
use marketsync::domain::event::Verb;
use marketsync::domain::item::ItemKey;
use marketsync::edge::marketplace::answer::{Verdict, read};
use marketsync::edge::secrets::Secrets;
use proptest::prelude::*;
use serde_json::{Value, json};

fn key(item_id: &str, version: &str) -> ItemKey {
    ItemKey { item_id: item_id.parse().unwrap(), version: version.parse().unwrap() }
}

fn verdicts(rows: &Value, asked: &[&ItemKey], generation: Generation) -> Vec<Verdict> {
    read(
        json!({ "done": true, "items": rows }).to_string().as_bytes(),
        asked,
        generation,
        &Secrets::default(),
    )
}

fn done(verb: Verb, unchanged: bool) -> Verdict {
    Verdict::Done { verb, object_id: None, unchanged }
}

fn row(item_id: &str, inserted: bool, updated: bool) -> Value {
    json!({ "itemId": item_id, "done": true, "inserted": inserted, "updated": updated, "errors": [] })
}

fn with_version(mut row: Value, version: &str) -> Value {
    row["version"] = json!(version);
    row
}

#[test]
fn rows_are_matched_by_item_and_version_in_any_order() {
    let keys =
        [key("a", "NA"), key("a", "1.0.0"), key("a", "2.0.0"), key("b", "NA"), key("c", "1.0.0+x")];
    let asked: Vec<&ItemKey> = keys.iter().collect();
    let rows = json!([
        with_version(row("c", false, false), "1.0.0+x"),
        with_version(row("a", false, true), "2.0.0"),
        with_version(row("b", true, false), "NA"),
        row("a", true, false),
        with_version(row("a", true, true), "1.0.0"),
        with_version(row("stranger", true, false), "1.0.0"),
    ]);
    let expected = [
        done(Verb::Created, false),
        done(Verb::Created, false),
        done(Verb::Updated, false),
        done(Verb::Created, false),
        done(Verb::Updated, true),
    ];
    assert_eq!(verdicts(&rows, &asked, Generation::New), expected);
}

#[test]
fn a_row_without_version_stands_for_the_only_version() {
    let keys = [key("a", "1.0.0"), key("b", "1.0.0"), key("b", "2.0.0")];
    let asked: Vec<&ItemKey> = keys.iter().collect();
    let rows = json!([row("a", true, false), row("b", true, false)]);
    let got = verdicts(&rows, &asked, Generation::New);
    assert_eq!(got[0], done(Verb::Created, false));
    assert!(matches!(got[1], Verdict::Unknown { .. }) && matches!(got[2], Verdict::Unknown { .. }));
    let wrong = json!([with_version(row("a", true, false), "9.0.0")]);
    assert!(matches!(verdicts(&wrong, &asked, Generation::New)[0], Verdict::Unknown { .. }));
    assert_eq!(verdicts(&wrong, &asked, Generation::Legacy)[0], done(Verb::Created, false));
}

#[test]
fn a_missing_doubled_or_unclear_row_is_unknown() {
    let (a, b) = (key("a", "NA"), key("b", "NA"));
    for rows in [
        json!([]),
        json!([row("a", true, false), row("a", true, false)]),
        json!([{ "itemId": "a" }]),
        json!("x"),
    ] {
        let got = verdicts(&rows, &[&a, &b], Generation::New);
        assert!(
            got.iter().all(|verdict| matches!(verdict, Verdict::Unknown { .. })),
            "{rows}: {got:?}"
        );
    }
    for body in ["", "null", "[1]", "{\"done\":", "{\"done\":true}"] {
        let got = read(body.as_bytes(), &[&a], Generation::New, &Secrets::default());
        assert!(matches!(got[..], [Verdict::Unknown { .. }]), "{body}");
    }
}

#[test]
fn the_servers_reasons_are_told_and_tamed() {
    let a = key("a", "NA");
    let refused = |row: Value| match verdicts(&json!([row]), &[&a], Generation::New).remove(0) {
        Verdict::Refused { why, pointer } => (why, pointer),
        other => panic!("{other:?}"),
    };
    let ajv = json!({ "message": "bad\u{1b}[31m port", "ajvError": { "instancePath": "/resources/port" } });
    let row = json!({ "itemId": "a", "done": false, "errors": [{ "message": "no" }, ajv, { "message": "no" }] });
    assert_eq!(refused(row), ("no; bad [31m port".to_owned(), Some("/resources/port".to_owned())));
    let older = json!([{ "message": "must be string", "instancePath": "/name" }]);
    let row = json!({ "itemId": "a", "done": false, "errors": [], "validationErrors": older });
    assert_eq!(refused(row), ("must be string".to_owned(), Some("/name".to_owned())));
    let row = json!({ "itemId": "a", "done": false, "inserted": true, "errors": 7 });
    assert_eq!(refused(row).0, "the marketplace gives no reason");
    let long = json!({ "itemId": "a", "done": false, "errors": [{ "message": "é".repeat(9000) }] });
    assert_eq!(refused(long).0.chars().count(), 501);
}

#[test]
fn an_id_is_a_plain_word() {
    let a = key("a", "NA");
    for (id, expected) in [
        (json!("66aa"), Some("66aa")),
        (json!("a\nb"), None),
        (json!(7), None),
        (json!("x".repeat(99)), None),
    ] {
        let mut row = row("a", true, false);
        row["_id"] = id;
        let got = verdicts(&json!([row]), &[&a], Generation::New).remove(0);
        assert_eq!(
            got,
            Verdict::Done {
                verb: Verb::Created,
                object_id: expected.map(str::to_owned),
                unchanged: false
            }
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_one_verdict_for_each_item(body: Vec<u8>, legacy: bool) {
        let generation = if legacy { Generation::Legacy } else { Generation::New };
        prop_assert_eq!(read(&body, &[&key("a", "NA"), &key("b", "NA")], generation, &Secrets::default()).len(), 2);
    }
}
