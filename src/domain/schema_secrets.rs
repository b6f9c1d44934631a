//! Which fields a JSON Schema declares as credentials.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::schema_cost::decoded;

/// How many declarations are looked at in one schema: references could lead
/// round and round.
const MAX_LOOKS: usize = 100_000;

/// How many references are followed one after the other.
const MAX_REFERENCES: usize = 8;

/// The names of the properties that a schema declares as credentials: they, or
/// the elements of their list, are `writeOnly` or have the format `password`,
/// there or where a reference into the same schema leads. Recursive: the depth
/// of a schema is bounded where it is read.
pub fn secret_names(schema: &Value) -> BTreeSet<String> {
    let mut search = Search { root: schema, names: BTreeSet::new(), looks: 0 };
    search.collect(schema);
    search.names
}

struct Search<'a> {
    root: &'a Value,
    names: BTreeSet<String>,
    looks: usize,
}

impl Search<'_> {
    fn collect(&mut self, schema: &Value) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, declared) in properties {
                if self.is_secret(declared, 0) {
                    self.names.insert(name.clone());
                }
            }
        }
        match schema {
            Value::Object(members) => members.values().for_each(|value| self.collect(value)),
            Value::Array(list) => list.iter().for_each(|value| self.collect(value)),
            _ => {}
        }
    }

    fn is_secret(&mut self, declared: &Value, references: usize) -> bool {
        self.looks += 1;
        if self.looks > MAX_LOOKS {
            return false;
        }
        if declared.get("writeOnly") == Some(&Value::Bool(true))
            || declared.get("format").and_then(Value::as_str) == Some("password")
        {
            return true;
        }
        let target = declared.get("$ref").and_then(Value::as_str);
        if let Some(pointer) = target.and_then(|text| text.strip_prefix('#'))
            && references < MAX_REFERENCES
            && let Some(target) = self.root.pointer(&decoded(pointer))
            && self.is_secret(target, references + 1)
        {
            return true;
        }
        let parts = ["allOf", "anyOf", "oneOf"].into_iter();
        let parts = parts.filter_map(|word| declared.get(word)?.as_array()).flatten();
        parts.chain(declared.get("items")).any(|part| self.is_secret(part, references))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::secret_names;

    #[test]
    fn credentials_are_found_wherever_they_are_declared() {
        let schema = json!({
            "definitions": {
                "hidden": {"type": "string", "writeOnly": true},
                "again": {"$ref": "#/definitions/hidden"},
                "loop": {"$ref": "#/definitions/loop"},
                "a/b": {"format": "password"},
            },
            "properties": {
                "plain": {"type": "string"},
                "pin": {"writeOnly": true},
                "word": {"format": "password"},
                "far": {"$ref": "#/definitions/again"},
                "odd": {"$ref": "#/definitions/a~1b"},
                "loop": {"$ref": "#/definitions/loop"},
                "either": {"anyOf": [{"type": "null"}, {"$ref": "#/definitions/hidden"}]},
                "list": {"items": {"properties": {"deep": {"$ref": "#/definitions/hidden"}}}},
                "several": {"items": {"writeOnly": true}},
            }
        });
        let names: Vec<String> = secret_names(&schema).into_iter().collect();
        assert_eq!(names, ["deep", "either", "far", "odd", "pin", "several", "word"]);
    }
}
