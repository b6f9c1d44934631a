//! One document has one canonical form, however it is written.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use marketsync::domain::canon::{
    Generation, agrees, canonical, digest, live_view, same, wanted_view,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn canon(text: &str) -> String {
    String::from_utf8(canonical(&serde_json::from_str(text).unwrap())).unwrap()
}

#[test]
fn canonical_form() {
    let check = |text: &str, expect: &str| assert_eq!(canon(text), expect, "{text}");
    check(r#" { "b" : [ 1 , 2 ] , "a" : { } } "#, r#"{"a":{},"b":[1,2]}"#);
    check("[1.0, 1e3, -0.0, -0, 10E-1]", "[1,1000,0,0,1]");
    check(
        "[9007199254740993, 18446744073709551615, -9223372036854775808]",
        "[9007199254740993,18446744073709551615,-9223372036854775808]",
    );
    check(
        "[9223372036854775807.0, 1e18, -9.223372036854775808e18]",
        "[9223372036854775808,1000000000000000000,-9223372036854775808]",
    );
    check(
        "[1e19, 1.8446744073709552e19, 1e21, -1e19]",
        "[10000000000000000000,18446744073709552000,1e+21,-10000000000000000000]",
    );
    check(
        "[0.1, 1.5e-7, 0.000001, 123456789.125, 5e-324, 1.7976931348623157e308]",
        "[0.1,1.5e-7,0.000001,123456789.125,5e-324,1.7976931348623157e+308]",
    );
    // Two shortest forms are equally near: the even one, as ECMAScript has it.
    check("[-83281885075395.125]", "[-83281885075395.12]");
    check(
        r#"["\u0000\b\t\n\u000b\f\r\u001f\"\\\/\u007f\u00e9\ud83d\ude00\u2028"]"#,
        "[\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\u{7f}é😀\u{2028}\"]",
    );
    // By UTF-8 bytes: U+FFFF before U+10000, other than JCS.
    check(
        "{\"\u{10000}\":1,\"\u{ffff}\":2,\"é\":3,\"z\":4}",
        "{\"z\":4,\"é\":3,\"\u{ffff}\":2,\"\u{10000}\":1}",
    );
}

#[test]
fn digests_stay_as_they_are() {
    // Ledgers hold them: if this fails, every item of every user looks edited.
    let document =
        json!({"name": "Greeter", "resources": {"ports": [80, 1.5, 1e300, null]}, "é": "\u{1}"});
    insta::assert_snapshot!(digest(&document), @"b3:f10c2a6d95c9ad6af3eb286a3281eec3b14c2d191c6d444b8c28b4724084f398");
}

#[test]
fn agreement() {
    let check = |wanted: Value, live: Value, expect: bool| {
        assert_eq!(agrees(&wanted, &live), expect, "{wanted} {live}");
    };
    check(json!({"a": 1}), json!({"a": 1.0, "b": 2}), true);
    check(json!({"a": {"b": 1}}), json!({"a": {"b": 1, "c": 2}}), true);
    check(json!({"a": [{"b": 1}]}), json!({"a": [{"b": 1, "c": 2}]}), true);
    check(json!({"a": [1, 2]}), json!({"a": [2, 1]}), false);
    check(json!({"a": [1]}), json!({"a": [1, 2]}), false);
    check(json!({"a": null}), json!({}), true);
    check(json!({"a": null}), json!({"a": 1}), false);
    check(json!({"a": 1}), json!({}), false);
    check(json!({"a": {}}), json!({}), false);
    check(json!({"a": [null]}), json!({"a": []}), false);
    check(json!({"a": 9_007_199_254_740_993_u64}), json!({"a": 9_007_199_254_740_992.0}), false);
    check(json!({"a": "1"}), json!({"a": 1}), false);
}

/// A manifest and what a marketplace of that generation answers for it.
fn check_views(generation: Generation, wanted: &Value, live: &Value, expect: bool) {
    let (wanted, live) = (wanted_view(wanted, generation), live_view(live, generation));
    assert_eq!(agrees(&wanted, &live), expect, "{wanted:#} {live:#}");
}

fn manifest() -> Value {
    json!({
        "$schema": "./x.schema.json", "name": "Greeter", "itemId": "greeter", "tenantId": "acme",
        "itemTypeDefinitionRef": {"namespace": "mia-platform", "name": "sidecar"},
        "lifecycleStatus": "published", "releaseDate": "2024-05-01T12:00:00+02:00",
        "categoryId": "utility", "visibility": {"public": true}, "image": {"localPath": "a.png"},
        "resources": {"name": "greeter"}, "providerId": null, "x-own": 1,
    })
}

fn versioned_item() -> Value {
    json!({
        "_id": "64f", "name": "Greeter", "itemId": "greeter", "tenantId": "other",
        "type": "sidecar", "itemTypeDefinitionRef": {"namespace": "mia-platform", "name": "sidecar"},
        "lifecycleStatus": "published", "releaseDate": "2024-05-01T10:00:00.000Z",
        "category": {"id": "utility", "label": "Utility"}, "visibility": {"public": true, "allTenants": false},
        "version": {"name": "NA", "releaseNote": "-"}, "componentsIds": [], "isLatest": true,
        "imageUrl": "/v2/files/download/1.png", "resources": {"name": "greeter", "extra": {}},
    })
}

#[test]
fn the_new_generation_answers_what_was_sent() {
    let new = Generation::New;
    check_views(new, &manifest(), &versioned_item(), true);
    let changed = |field: &str, value: Value| {
        let mut wanted = manifest();
        wanted[field] = value;
        wanted
    };
    let check = |field: &str, value: Value, expect| {
        check_views(new, &changed(field, value), &versioned_item(), expect);
    };
    check("name", json!("Other"), false);
    check("categoryId", json!("auth"), false);
    check("releaseDate", json!("2024-05-01T10:00:01Z"), false);
    check("releaseDate", json!("soon"), false);
    check("visibility", json!({}), false);
    check("visibility", json!({"public": true, "allTenants": null}), true);
    check("lifecycleStatus", json!("draft"), false);
    check("imageUrl", json!("/other.png"), false);
    check("itemTypeDefinitionRef", json!({"namespace": "acme", "name": "sidecar"}), false);
    check("type", json!("ignored beside the ref"), true);
    check("version", json!({"name": "NA", "releaseNote": "x"}), true);
    check("version", json!({"name": "1.0.0", "releaseNote": "x"}), false);
    check("labels", json!({"a": "b"}), false);
}

#[test]
fn a_bare_type_is_the_platforms() {
    let new = Generation::New;
    let live = json!({"type": "t", "itemTypeDefinitionRef": {"namespace": "acme", "name": "t"}});
    check_views(new, &json!({"type": "t"}), &live, false);
    check_views(new, &json!({"type": "t"}), &json!({"type": "t"}), true);
    check_views(new, &json!({"type": "t"}), &json!({"type": "u"}), false);
    check_views(new, &json!({"visibility": {"public": false}}), &json!({}), true);
    check_views(new, &json!(null), &json!(null), true);
    check_views(new, &json!([1]), &json!({}), false);
}

#[test]
fn the_legacy_generation_lacks_fields() {
    let legacy = Generation::Legacy;
    let live = json!({"name": "Greeter", "type": "sidecar", "comingSoon": false, "releaseStage": "stable",
        "releaseDate": "2020-01-01T00:00:00Z", "category": {"id": "utility", "label": "U"},
        "resources": {"name": "greeter"}, "itemId": "greeter", "visibility": {"public": true, "allTenants": false}});
    let mut wanted = manifest();
    wanted["labels"] = json!({"a": "b"});
    check_views(legacy, &wanted, &live, true);
    wanted["releaseStage"] = json!("beta");
    check_views(legacy, &wanted, &live, false);
    check_views(Generation::New, &json!({"releaseStage": "beta"}), &live, true);
}

#[test]
fn coming_soon_may_be_null_on_the_legacy_generation() {
    let legacy = Generation::Legacy;
    let with = |value: Value| json!({ "comingSoon": value });
    check_views(legacy, &with(json!(null)), &with(json!(false)), true);
    check_views(legacy, &with(json!(null)), &with(json!(null)), true);
    check_views(legacy, &with(json!(null)), &json!({}), true);
    check_views(legacy, &with(json!(null)), &with(json!(true)), false);
    check_views(legacy, &with(json!(false)), &with(json!(null)), true);
    check_views(legacy, &with(json!(true)), &with(json!(null)), false);
    check_views(legacy, &json!({}), &with(json!(true)), true);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        (-3i32..3).prop_map(|n| Value::from(f64::from(n))),
        "\\PC{0,6}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c\u{e000}-\u{10ffff}]{0,2}", inner, 0..4)
                .prop_map(|map| json!(map)),
        ]
    })
}

/// Whether RFC 8785 and our form must be the same bytes: integers that a float
/// holds exactly, keys below the surrogates.
fn jcs_agrees(value: &Value) -> bool {
    match value {
        Value::Number(number) => number
            .as_f64()
            .is_some_and(|float| float.fract() != 0.0 || float.abs() < 9e15 || float.abs() >= 1e21),
        Value::Array(list) => list.iter().all(jcs_agrees),
        Value::Object(map) => map.iter().all(|(key, value)| key.is_ascii() && jcs_agrees(value)),
        _ => true,
    }
}

proptest! {
    #[test]
    fn rfc_8785_agrees_where_it_can(value in value().prop_filter("within JCS", jcs_agrees)) {
        prop_assert_eq!(String::from_utf8(canonical(&value)).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
    }

    #[test]
    fn canonical_is_json_of_the_same_value(value in value()) {
        let again: Value = serde_json::from_slice(&canonical(&value)).unwrap();
        prop_assert!(same(&value, &again));
        prop_assert_eq!(digest(&value), digest(&again));
    }

    #[test]
    fn reformatting_keeps_the_digest(value in value()) {
        let pretty: Value = serde_json::from_str(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
        prop_assert_eq!(digest(&value), digest(&pretty));
    }

    #[test]
    fn same_exactly_if_same_digest(left in value(), right in value()) {
        prop_assert_eq!(same(&left, &right), digest(&left) == digest(&right));
        prop_assert!(same(&left, &left) && agrees(&left, &left));
    }

    #[test]
    fn views_are_stable(value in value()) {
        for generation in [Generation::New, Generation::Legacy] {
            let wanted = wanted_view(&value, generation);
            prop_assert_eq!(&wanted_view(&wanted, generation), &wanted);
            let live = live_view(&value, generation);
            prop_assert_eq!(&live_view(&live, generation), &live);
            prop_assert!(agrees(&wanted, &live));
        }
    }
}
