//! Schemas of a repository that are too much work are refused before any is
//! done; ordinary ones are not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use marketsync::domain::schema::{
    COMMIT_BASE, Violation, address, compile, compile_alone, violations,
};
use marketsync::domain::schema_cost::{self, cost};
use serde_json::{Map, Value, json};

use crate::catalog::{briefs, read, sidecar, standards};
use crate::support::memory_tree::MemoryTree;

/// What the program says about an item that names this schema.
fn told(schema: &Value, more: &str) -> String {
    let item = sidecar("a", &format!("\"$schema\": \"s.schema.json\",\n{more}"));
    let mut tree =
        MemoryTree::default().with("a.json", item).with("s.schema.json", schema.to_string());
    briefs(&read(&mut tree, &standards())).join(" && ")
}

#[track_caller]
fn assert_refused(schema: &Value, because: &str) {
    let refused = compile_alone(&schema.to_string()).err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some(&*format!("it is too large ({because})")));
}

fn alone(schema: &Value) -> Result<u64, String> {
    cost(COMMIT_BASE, schema, &BTreeMap::new())
        .map(|cost| cost.values)
        .map_err(|large| large.to_string())
}

/// `count` definitions, each made from its own name and that of the next.
fn definitions(count: usize, make: impl Fn(&str, &str) -> Value) -> Value {
    let mut all = Map::new();
    for number in 0..count {
        all.insert(format!("a{number}"), make(&format!("a{number}"), &format!("a{}", number + 1)));
    }
    all.insert(format!("a{count}"), json!({ "type": "string" }));
    json!({ "$ref": "#/$defs/a0", "$defs": all })
}

fn chain(links: usize) -> Value {
    definitions(links, |_, next| json!({ "$ref": format!("#/$defs/{next}") }))
}

#[test]
fn a_long_chain_of_references_is_refused() {
    assert_refused(&chain(15_000), "references: 15001, at most 1000");
    assert_refused(&chain(150), "references in a chain: 101, at most 100");
    assert!(compile_alone(&chain(99).to_string()).is_ok());
    assert_eq!(
        told(&chain(15_000), ""),
        "a.json:3:12 /$schema the schema `s.schema.json` cannot be used: it is too large \
         (references: 15001, at most 1000)"
    );
}

fn doubling(levels: usize, reference: impl Fn(&str, &str) -> Value) -> Value {
    definitions(levels, |own, next| {
        let mut schema = reference(own, next);
        schema["allOf"] = json!([schema["allOf"], schema["allOf"]]);
        schema
    })
}

#[test]
fn references_that_double_are_refused_however_they_are_written() {
    let pointer = |_: &str, next: &str| json!({ "allOf": { "$ref": format!("#/$defs/{next}") } });
    let whole =
        |_: &str, next: &str| json!({ "allOf": { "$ref": format!("/s.json#/$defs/{next}") } });
    let escaped = |_: &str, next: &str| json!({ "allOf": { "$ref": format!("#/%24defs/{next}") } });
    let anchor = |own: &str, next: &str| json!({ "$anchor": own, "allOf": { "$dynamicRef": format!("#{next}") } });
    let id = |own: &str, next: &str| json!({ "$id": format!("x/../{own}?q"), "allOf": { "$ref": format!("./{next}?q") } });
    let inside = |own: &str, next: &str| json!({ "$id": own, "$defs": { "x": true }, "allOf": { "$ref": format!("{next}#") } });
    for levels in [24, 40, 90] {
        let forms = [
            doubling(levels, pointer),
            doubling(levels, whole),
            doubling(levels, escaped),
            doubling(levels, anchor),
            doubling(levels, id),
            doubling(levels, inside),
        ];
        for mut schema in forms {
            let last = &mut schema["$defs"][format!("a{levels}")];
            *last = json!({ "type": "string", "$anchor": format!("a{levels}") });
            schema["$ref"] = json!("#/$defs/a0");
            let why = cost("commit:///s.json", &schema, &BTreeMap::new()).err();
            let why = why.map(|large| large.what);
            assert_eq!(why, Some("values with each reference expanded"), "{schema}");
        }
    }
}

#[test]
fn references_that_double_from_file_to_file_are_refused() {
    let mut files = BTreeMap::new();
    let name = |number: usize| address(&format!("a folder/s {number}.schema.json"));
    for number in 1..31 {
        let next = format!("s%20{}.schema.json", number + 1);
        files.insert(name(number), json!({ "allOf": [{ "$ref": next }, { "$ref": next }] }));
    }
    files.insert(name(31), json!({ "type": "string" }));
    let why = compile(&name(0), &json!({ "$ref": "s%201.schema.json" }), files).err();
    let why = why.map(|error| error.to_string()).unwrap_or_default();
    assert!(why.starts_with("it is too large (values with each reference expanded"), "{why}");
}

#[test]
fn each_limit_holds() {
    let texts = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_refused(
        &json!({ "items": { "enum": texts(10_001) } }),
        "values of `enum`: 10001, at most 10000",
    );
    assert_refused(
        &json!({ "items": { "enum": texts(150_000) } }),
        "values: 150003, at most 50000",
    );
    let keyed: Map<String, Value> =
        texts(5_000).into_iter().map(|text| (format!("^{text}{{999}}"), json!(true))).collect();
    assert_refused(&json!({ "patternProperties": keyed }), "patterns: 5000, at most 500");
    assert_refused(
        &json!({ "pattern": "a".repeat(1_025) }),
        "bytes of one pattern: 1025, at most 1024",
    );
    let mut deep = json!(true);
    for _ in 0..64 {
        deep = json!({ "allOf": [deep] });
    }
    assert_eq!(alone(&deep).unwrap_err(), "it is too large (levels: 129, at most 128)");
    // One pattern that is short and still large once compiled.
    let large = compile_alone(&json!({ "pattern": "^([a-z]{900}){900}$" }).to_string());
    assert!(large.is_err());
}

#[test]
fn levels_count_through_references() {
    let deep = definitions(90, |_, next| {
        let mut schema = json!({ "$ref": format!("#/$defs/{next}") });
        for _ in 0..5 {
            schema = json!({ "not": schema });
        }
        schema
    });
    assert_refused(&deep, "levels with each reference expanded: 513, at most 512");
}

/// What a schema that can be used finds in a document.
fn checked(schema: &Value, document: &Value) -> Vec<Violation> {
    violations(&compile_alone(&schema.to_string()).unwrap(), document, "")
}

#[test]
fn types_that_are_made_of_themselves_work() {
    let tree = json!({
        "properties": { "value": { "type": "integer" }, "left": { "$ref": "#" }, "right": { "$ref": "#" } },
        "additionalProperties": false
    });
    assert_eq!(alone(&tree), Ok(11));
    let mut document = json!({ "value": 1 });
    for _ in 0..20 {
        document = json!({ "value": 2, "left": document, "right": { "value": 3 } });
    }
    assert_eq!(checked(&tree, &document), []);
    document["left"]["right"]["value"] = json!("x");
    let pointers: Vec<String> =
        checked(&tree, &document).into_iter().map(|violation| violation.pointer).collect();
    assert_eq!(pointers, ["/left/right/value"]);
}

#[test]
fn a_schema_of_many_definitions_works() {
    let mut all = Map::new();
    let mut properties = Map::new();
    for number in 0..300 {
        let other = format!("#/definitions/d{}", (number * 7 + 1) % 300);
        all.insert(
            format!("d{number}"),
            json!({
                "type": "object",
                "properties": { "name": { "type": "string", "pattern": "^[a-z]+$" }, "size": { "enum": ["s", "m", "l"] } },
                "required": ["name"]
            }),
        );
        if number % 3 == 0 {
            all[&format!("d{number}")]["properties"]["other"] = json!({ "$ref": other });
        }
        properties
            .insert(format!("p{number}"), json!({ "$ref": format!("#/definitions/d{number}") }));
    }
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "$id": "many.schema.json",
        "definitions": all, "properties": properties
    });
    let counted = alone(&schema).unwrap();
    assert!(counted < schema_cost::MAX_COST / 50, "{counted}");
    assert_eq!(checked(&schema, &json!({ "p3": { "name": "a", "other": { "name": "b" } } })), []);
    let found = checked(&schema, &json!({ "p3": { "name": "a", "other": { "size": "s" } } }));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].pointer, "/p3/other");
}

#[test]
fn a_document_that_is_too_large_for_its_schema_is_refused() {
    let mut labels = String::from("\"labels\": [");
    for number in 0..40_000 {
        write!(labels, "\"{number}\",").unwrap();
    }
    labels.push_str("\"z\"],\n");
    let options: Vec<String> = (0..9_000).map(|number| format!("n{number}")).collect();
    let schema = json!({ "properties": { "labels": { "items": { "enum": options } } } });
    let told = told(&schema, &labels);
    assert!(
        told.contains(
            "a.json:3:12 /$schema the document is too large for this schema (its 40015 values \
             times the 9005 of the schema: 360335075, at most 200000000)"
        ),
        "{}",
        &told[..told.len().min(2_000)]
    );
    assert!(!told.contains("not one of those allowed"), "it was held to it all the same");
    let document = json!({ "labels": ["n1", "x"] });
    let pointers: Vec<String> =
        checked(&schema, &document).into_iter().map(|violation| violation.pointer).collect();
    assert_eq!(pointers, ["/labels/1"]);
}

#[test]
fn a_schema_that_is_no_schema_is_still_refused() {
    for wrong in
        [json!({ "type": "strnig" }), json!({ "required": "a" }), json!({ "minLength": -1 })]
    {
        assert!(compile_alone(&wrong.to_string()).is_err(), "{wrong}");
    }
}

/// The deepest that is allowed, on the stack of a test: each level of the
/// document leads through all levels of the schema.
#[test]
fn the_deepest_schema_and_document_fit_the_stack() {
    let mut deep = json!({ "additionalProperties": { "$ref": "#" } });
    for _ in 0..60 {
        deep = json!({ "allOf": [deep] });
    }
    let mut long = definitions(
        90,
        |_, next| json!({ "allOf": [{ "allOf": [{ "$ref": format!("#/$defs/{next}") }] }] }),
    );
    long["$defs"]["a90"] = json!({ "additionalProperties": { "$ref": "#" } });
    let nested =
        |levels: usize| (0..levels).fold(json!({}), |document, _| json!({ "a": document }));
    let told = |schema: &Value, levels| {
        checked(schema, &nested(levels)).into_iter().map(|one| one.message).collect::<Vec<_>>()
    };
    assert_eq!(told(&deep, 32), Vec::<String>::new());
    assert_eq!(told(&long, 7), Vec::<String>::new());
    for schema in [deep, long] {
        let found = told(&schema, 63);
        assert!(found.len() == 1 && found[0].contains("levels times"), "{found:?}");
    }
}
