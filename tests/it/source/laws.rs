//! What holds for any text.

use super::{path, report};
use marketsync::domain::source::{Format, Outline, Place, parse, problem_at};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Values as YAML and JSON can both hold them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn valid_json_is_read_as_serde_json_reads_it(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let parsed = parse(&path(), Format::Json, text.as_bytes());
        prop_assert_eq!(parsed.problems, vec![]);
        prop_assert_eq!(parsed.value, Some(value));
    }

    #[test]
    fn yaml_reads_json_alike(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert_eq!(parse(&path(), Format::Yaml, text.as_bytes()).value, Some(value));
    }

    #[test]
    fn every_value_has_its_place(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let outline = Outline::new(Format::Json, &text);
        let mut todo = vec![(String::new(), &value)];
        while let Some((pointer, value)) = todo.pop() {
            let span = outline.find(&pointer, Place::Value).unwrap();
            let there = serde_json::Deserializer::from_str(&text[span.offset..]).into_iter::<Value>().next();
            prop_assert_eq!(there.unwrap().unwrap(), value.clone(), "{}", pointer);
            match value {
                Value::Array(list) => todo.extend(list.iter().enumerate().map(|(i, v)| (format!("{pointer}/{i}"), v))),
                Value::Object(map) => todo.extend(map.iter().map(|(key, value)| {
                    (format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value)
                })),
                _ => {}
            }
        }
    }

    #[test]
    fn any_text_is_survived(text in "[\\[\\]{}:,\"'\\\\ \n\t\\-?&*#!|>%@a1.0eE\u{feff}é\r]{0,60}", pointer in "(/[a01~]{0,2}){0,3}") {
        for format in [Format::Json, Format::Yaml] {
            let parsed = parse(&path(), format, text.as_bytes());
            report(&parsed);
            let problem = problem_at(&path(), format, text.as_bytes(), &pointer, Place::Value, "m");
            for problem in parsed.problems.iter().chain([&problem]) {
                if let Some(excerpt) = &problem.excerpt {
                    prop_assert!(excerpt.length >= 1 && excerpt.start as usize <= excerpt.text.chars().count());
                }
            }
        }
        // What serde_json takes, we take or name a duplicate or a too large integer; what it refuses, we refuse or warn of.
        let parsed = parse(&path(), Format::Json, text.as_bytes());
        if serde_json::from_str::<Value>(&text).is_err() {
            prop_assert!(!parsed.problems.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for format in [Format::Json, Format::Yaml] {
            report(&parse(&path(), format, &bytes));
        }
    }
}
