//! What differs, field by field.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fmt::Write as _;

use marketsync::domain::canon::{agrees, same};
use marketsync::domain::delta::{
    Cause, FieldChange, MAX_CHANGES, delta, delta_since, full_delta, is_cut,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn show(changes: &[FieldChange]) -> String {
    changes.iter().fold(String::new(), |mut out, change| {
        let text =
            |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
        writeln!(out, "{}: {} -> {}", change.pointer, text(&change.live), text(&change.wanted))
            .unwrap();
        out
    })
}

#[test]
fn stated_fields_only() {
    let live = json!({"a": 1.0, "b": {"c": 1, "d": 2}, "list": [1, 2], "x": 1, "n": 5, "s/~": 1});
    let wanted =
        json!({"a": 1, "b": {"c": 3, "e": 4}, "list": [1, 3, 4], "n": null, "m": null, "s/~": 2});
    insta::assert_snapshot!(show(&delta(&live, &wanted)), @r#"
    /b/c: 1 -> 3
    /b/e: nothing -> 4
    /list/1: 2 -> 3
    /list/2: nothing -> 4
    /n: 5 -> null
    /s~1~0: 1 -> 2
    "#);
    insta::assert_snapshot!(show(&full_delta(&live, &wanted)), @r#"
    /b/c: 1 -> 3
    /b/d: 2 -> nothing
    /b/e: nothing -> 4
    /list/1: 2 -> 3
    /list/2: nothing -> 4
    /m: nothing -> null
    /n: 5 -> null
    /s~1~0: 1 -> 2
    /x: 1 -> nothing
    "#);
}

#[test]
fn lists_of_names() {
    let live = json!({"ports": [{"name": "http", "from": 80}, {"name": "old", "from": 1}, {"name": "grpc", "from": 9}]});
    let wanted = json!({"ports": [{"name": "grpc", "from": 9}, {"name": "http", "from": 81}, {"name": "new"}]});
    insta::assert_snapshot!(show(&delta(&live, &wanted)), @r#"
    /ports/1/from: 80 -> 81
    /ports/2: nothing -> {"name":"new"}
    /ports/1: {"from":1,"name":"old"} -> nothing
    /ports: ["http","grpc"] -> ["grpc","http"]
    "#);
    let wanted = json!({"ports": [{"name": "http"}, {"name": "grpc"}]});
    insta::assert_snapshot!(show(&delta(&live, &wanted)), @r#"/ports/1: {"from":1,"name":"old"} -> nothing"#);
    // Two of one name: by index.
    let wanted = json!({"ports": [{"name": "http"}, {"name": "http"}, {"name": "grpc"}]});
    insta::assert_snapshot!(show(&delta(&live, &wanted)), @r#"/ports/1/name: "old" -> "http""#);
}

#[test]
fn whole_documents() {
    insta::assert_snapshot!(show(&delta(&json!(1), &json!({"a": 1}))), @r#": 1 -> {"a":1}"#);
    insta::assert_snapshot!(show(&full_delta(&json!({"a": null}), &json!({}))), @"/a: null -> nothing");
}

#[test]
fn the_list_is_capped() {
    let live: Vec<i32> = vec![0; 5000];
    let wanted: Vec<i32> = vec![1; 5000];
    assert_eq!(delta(&json!(live), &json!(wanted)).len(), MAX_CHANGES);
}

#[test]
fn changes_survive_storage() {
    let changes = full_delta(&json!({"a": null, "b": 1}), &json!({"b": 2, "c": null}));
    let text = serde_json::to_string(&changes).unwrap();
    assert_eq!(serde_json::from_str::<Vec<FieldChange>>(&text).unwrap(), changes);
}

#[test]
fn names_are_for_people() {
    let live = json!({
        "services": [{"name": "proxy", "image": "a:1", "env": [{"name": "MY VAR", "value": "1"}]}],
        "a.b": {"": 1}, "list": [1], "7": 1,
    });
    let wanted = json!({
        "services": [{"name": "proxy", "image": "a:2", "env": [{"name": "MY VAR", "value": "2"}]}],
        "a.b": {"": 2}, "list": [2], "7": 2,
    });
    let names: Vec<String> = delta(&live, &wanted).into_iter().map(|change| change.name).collect();
    assert_eq!(
        names,
        [
            r#"["7"]"#,
            r#"["a.b"][""]"#,
            "list[0]",
            r#"services[proxy].env["MY VAR"].value"#,
            "services[proxy].image",
        ]
    );
}

#[test]
fn texts_are_known_by_themselves() {
    let live = json!({"tags": ["b", "c"], "args": ["-v", "-v"], "mixed": ["a", 1]});
    let wanted = json!({"tags": ["a", "b", "c"], "args": ["-x", "-v", "-v"], "mixed": [1, "a"]});
    insta::assert_snapshot!(show(&delta(&live, &wanted)), @r#"
    /args/0: "-v" -> "-x"
    /args/2: nothing -> "-v"
    /mixed/0: "a" -> 1
    /mixed/1: 1 -> "a"
    /tags/0: nothing -> "a"
    "#);
    let turned = json!({"tags": ["c", "b"], "args": ["-v", "-v"], "mixed": ["a", 1]});
    insta::assert_snapshot!(show(&delta(&live, &turned)), @r#"/tags: ["b","c"] -> ["c","b"]"#);
}

#[test]
fn the_names_of_changes_are_bounded() {
    let deep = |value: i64| {
        let numbers: Vec<i64> = (0..1000).map(|n| n * value).collect();
        json!({ "k".repeat(100_000): numbers, "z": value })
    };
    let found = delta(&deep(1), &deep(2));
    assert!(found.len() < 5, "{}", found.len());
    assert!(is_cut(&found));
    assert!(!is_cut(&delta(&json!({"a": 1}), &json!({"a": 2}))));
}

#[test]
fn long_lists_of_names_take_no_time() {
    let list = |last: &str| -> Value {
        let mut list: Vec<Value> = (0..60_000).map(|n| json!({"name": n.to_string()})).collect();
        list.push(json!({"name": "last", "value": last}));
        json!({ "list": list })
    };
    let found = delta_since(&list("a"), &list("b"), &list("a"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "list[last].value");
}

#[test]
fn edits_and_drift_are_told_apart() {
    let recorded = json!({
        "name": "A", "description": "one", "gone": 1, "docs": "x", "both": 1,
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1", "old": 1}],
    });
    // Somebody renamed it, removed docs and swapped the variables.
    let live = json!({
        "name": "Renamed", "description": "one", "gone": 1, "server": "adds this", "both": 2,
        "env": [{"name": "B", "value": "1", "old": 1}, {"name": "A", "value": "1"}],
    });
    let wanted = json!({
        "name": "A", "description": "two", "docs": "x", "both": 3,
        "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}],
    });
    let found = delta_since(&live, &wanted, &recorded);
    let lines: Vec<String> =
        found.iter().map(|change| format!("{} {:?}", change.name, change.cause.unwrap())).collect();
    assert_eq!(
        lines,
        [
            "both Both",
            "description Edit",
            "docs Drift",
            "env[A].value Edit",
            "env[B].old Edit",
            "env Drift",
            "gone Edit",
            "name Drift",
        ]
    );
    assert_eq!(found[4].live_pointer, "/env/0/old");
    assert_eq!(found[4].pointer, "/env/1/old");
}

/// Small, so that two of them often share something.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0i64..2).prop_map(Value::from),
        (0i32..2).prop_map(|n| Value::from(f64::from(n))),
        Just(json!("p")),
        Just(json!("q")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]|name", inner.clone(), 0..3)
                .prop_map(|map| json!(map)),
            prop::collection::vec(("[pqr]", inner), 0..4).prop_map(|list| list
                .into_iter()
                .map(|(name, a)| json!({"name": name, "a": a}))
                .collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn empty_exactly_if_they_agree(wanted in value(), live in value()) {
        prop_assert_eq!(delta(&live, &wanted).is_empty(), agrees(&wanted, &live));
        prop_assert_eq!(full_delta(&live, &wanted).is_empty(), same(&wanted, &live));
        prop_assert!(delta(&wanted, &wanted).is_empty());
        for change in delta(&live, &wanted).iter().chain(&full_delta(&live, &wanted)) {
            prop_assert!(change.live.is_some() || change.wanted.is_some());
            prop_assert_ne!(&change.live, &change.wanted);
        }
    }

    #[test]
    fn every_change_names_its_values_and_its_cause(
        live in value(), wanted in value(), recorded in value(),
    ) {
        let since = delta_since(&live, &wanted, &recorded);
        for change in since.iter().filter(|change| !change.reordered) {
            let (at, in_live) = (change.pointer.as_str(), change.live_pointer.as_str());
            if change.wanted.is_some() {
                prop_assert_eq!(wanted.pointer(at), change.wanted.as_ref());
            }
            if change.live.is_some() {
                prop_assert_eq!(live.pointer(in_live), change.live.as_ref());
            }
        }
        let place = |change: &FieldChange| (change.pointer.clone(), change.live.clone());
        let places: Vec<_> = since.iter().map(place).collect();
        for change in delta(&live, &wanted) {
            prop_assert!(places.contains(&place(&change)), "{}", change.pointer);
        }
        for change in delta_since(&live, &wanted, &wanted) {
            prop_assert_eq!(change.cause, Some(Cause::Drift), "{}", change.pointer);
        }
        for change in delta_since(&live, &wanted, &live) {
            prop_assert_eq!(change.cause, Some(Cause::Edit), "{}", change.pointer);
        }
    }
}
