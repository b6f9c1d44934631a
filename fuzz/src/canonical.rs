//! Two documents: the canonical form, its digest, and the differences keep
//! their laws.

use std::collections::BTreeSet;

use marketsync::domain::canon::{Generation, agrees, canonical, digest, same};
use marketsync::domain::compare::differences;
use marketsync::domain::delta::{FieldChange, delta, delta_since, full_delta, is_cut};
use marketsync::domain::item::RepoPath;
use marketsync::domain::source::{Format, parse};
use serde_json::{Map, Number, Value};

use super::parts::Parts;

/// One case: two JSON documents (the second may be missing), with a zero
/// between them.
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    let path = RepoPath::new("a.json").unwrap();
    let Some(one) = parse(&path, Format::Json, parts.bytes()).value else { return };
    alone(&one);
    let Some(other) = parse(&path, Format::Json, parts.bytes()).value else { return };
    alone(&other);
    together(&one, &other);
    together(&other, &one);
    let recorded = parse(&path, Format::Json, parts.rest()).value.unwrap_or_else(|| one.clone());
    for change in delta_since(&one, &other, &recorded) {
        is_true(&change, &one, &other);
    }
}

fn alone(document: &Value) {
    let form = canonical(document);
    let again: Value = serde_json::from_slice(&form).expect("the canonical form is JSON");
    assert_eq!(canonical(&again), form, "it is no fixed point");
    assert_eq!(digest(document), digest(&again));
    assert!(same(document, &again) && same(&again, document));
    for variant in [reversed(document), as_floats(document)] {
        assert_eq!(canonical(&variant), form, "{variant}");
        assert_eq!(digest(&variant), digest(document));
        assert!(same(document, &variant));
    }
    assert!(agrees(document, document));
    assert_eq!(delta(document, document), []);
    assert_eq!(full_delta(document, document), []);
    for generation in [Generation::New, Generation::Legacy] {
        assert_eq!(differences(document, document, generation), [], "{generation:?}");
        assert_eq!(differences(&again, &reversed(document), generation), [], "{generation:?}");
    }
}

fn together(one: &Value, other: &Value) {
    let equal = canonical(one) == canonical(other);
    assert_eq!(digest(one) == digest(other), equal);
    assert_eq!(same(one, other), equal);
    let all = full_delta(one, other);
    assert_eq!(all.is_empty(), equal, "{all:?}");
    let stated = delta(one, other);
    assert_eq!(stated.is_empty(), agrees(other, one), "{stated:?}");
    assert!(!equal || stated.is_empty());
    for change in stated.iter().chain(&all) {
        is_true(change, one, other);
    }
    if !is_cut(&all) {
        // An element that only one side has goes by its index there.
        let places = all.iter().map(|change| {
            let sides = (change.live.is_some(), change.wanted.is_some(), change.reordered);
            (&change.pointer, &change.live_pointer, sides)
        });
        let different: BTreeSet<_> = places.collect();
        assert_eq!(different.len(), all.len(), "a field is told twice: {all:?}");
    }
}

/// What a change says of the two documents is there.
fn is_true(change: &FieldChange, live: &Value, wanted: &Value) {
    assert!(change.live.is_some() || change.wanted.is_some(), "{change:?}");
    if change.reordered {
        return;
    }
    if let Some(value) = &change.wanted {
        assert_eq!(wanted.pointer(&change.pointer), Some(value), "{change:?}");
    }
    if let Some(value) = &change.live {
        assert_eq!(live.pointer(&change.live_pointer), Some(value), "{change:?}");
    }
}

/// The same, its members put in from the last one on.
fn reversed(document: &Value) -> Value {
    match document {
        Value::Object(members) => {
            let members = members.iter().rev().map(|(key, value)| (key.clone(), reversed(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

/// The same, with `1.0` for `1` where a float holds the whole number.
#[expect(clippy::cast_precision_loss, reason = "it is checked that nothing is lost")]
fn as_floats(document: &Value) -> Value {
    const EXACT: i64 = 1 << 53;
    match document {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), as_floats(value))).collect()
        }
        Value::Array(list) => list.iter().map(as_floats).collect(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if (-EXACT..=EXACT).contains(&whole) => {
                Number::from_f64(whole as f64).map_or(Value::Null, Value::Number)
            }
            _ => document.clone(),
        },
        other => other.clone(),
    }
}
