//! Values that look like credentials are not shown, wherever a document or a
//! part of it is told of: by the schema, by the name
//! of their field, by `valueType: secret`, and by what they look like.
//!
//! It is a guess in the safe direction. What refers to a credential and is none
//! stays: the name of a Kubernetes secret, a placeholder.

mod assigned;
mod credentials;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::source::Problem;

use assigned::is_placeholder;
use credentials::{VALUES, masked_excerpt, sounds_secret};

pub(crate) use credentials::masked_lines;
pub use credentials::{MASK, masked_text};

/// The members of a variable with `valueType: secret` that say which secret is
/// meant (`marketplace-api.md` §7.5), not what is in it.
const REFERENCES: [&str; 7] =
    ["name", "description", "valueType", "secretName", "secretKey", "managedBy", "readOnly"];

/// The members of an element of `defaultSecrets` that say where a secret is
/// (`marketplace-api.md` §7.5).
const PLACES: [&str; 1] = ["mountPath"];

/// What a schema has and a list of credentials by name has not.
const OF_SCHEMA: [&str; 6] = ["type", "properties", "$ref", "oneOf", "anyOf", "allOf"];

/// What is known of the names that hold credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask {
    names: BTreeSet<String>,
    claimed: BTreeSet<String>,
}

impl Mask {
    /// `names` are those of fields that schemas declare as secret.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { names, claimed: BTreeSet::new() }
    }

    /// And so does a schema that came with the document: whoever changes a
    /// value may have written it.
    #[must_use]
    pub fn claimed(mut self, names: BTreeSet<String>) -> Self {
        self.claimed = names;
        self
    }

    /// The names in a document that are masked for nothing but the schema that
    /// came with it. Recursive, as [`Self::document`].
    pub fn claims(&self, document: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if !self.claimed.is_empty() {
            self.collect_claims(document, &mut found);
        }
        found
    }

    fn collect_claims(&self, document: &Value, found: &mut BTreeSet<String>) {
        let is_claim = |name: &str| {
            self.claimed.contains(name) && !self.names.contains(name) && !sounds_secret(name)
        };
        match document {
            Value::Object(object) => {
                let label = object.get("name").or_else(|| object.get("key"));
                let names = object.keys().map(String::as_str);
                let names = names.chain(label.and_then(Value::as_str));
                found.extend(names.filter(|name| is_claim(name)).map(str::to_owned));
                object.values().for_each(|value| self.collect_claims(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| self.collect_claims(value, found)),
            _ => {}
        }
    }

    /// The document with [`MASK`] in place of credentials; its shape is the
    /// same. Recursive: the depth of a document is bounded where it is read.
    pub fn document(&self, document: &Value) -> Value {
        match document {
            Value::Object(object) => Value::Object(self.object(object, false)),
            Value::Array(list) => list.iter().map(|element| self.document(element)).collect(),
            Value::String(text) => Value::String(masked_text(text)),
            other => other.clone(),
        }
    }

    fn object(&self, object: &Map<String, Value>, is_named_secret: bool) -> Map<String, Value> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let holds_secret = is_named_secret
            || text("name").or_else(|| text("key")).is_some_and(|name| self.is_secret(name));
        let is_reference = text("valueType") == Some("secret");
        let member = |(key, value): (&String, &Value)| {
            let by_type = is_reference && !REFERENCES.contains(&key.as_str());
            let is_label = is_reference && REFERENCES.contains(&key.as_str());
            let by_name = self.is_secret(key) && !is_label;
            let value = if by_type || holds_secret && VALUES.contains(&key.as_str()) {
                hidden(value)
            } else if by_name {
                self.secret(key, value)
            } else {
                self.document(value)
            };
            (key.clone(), value)
        };
        object.iter().map(member).collect()
    }

    /// The value of a field whose name promises a credential. Of an object only
    /// what holds a value: it may be the schema of such a field. A field of
    /// several holds one in each of its members.
    fn secret(&self, name: &str, value: &Value) -> Value {
        let is_plural = name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(['s', 'S']);
        match value {
            Value::Object(object)
                if is_plural && !OF_SCHEMA.iter().any(|key| object.contains_key(*key)) =>
            {
                self.unlabelled(object)
            }
            Value::Object(object) => Value::Object(self.object(object, true)),
            Value::Array(list) => list
                .iter()
                .map(|element| {
                    element
                        .as_object()
                        .map_or_else(|| hidden(element), |object| self.unlabelled(object))
                })
                .collect(),
            other => hidden(other),
        }
    }

    /// All of it masked but what says which credential it is.
    fn unlabelled(&self, object: &Map<String, Value>) -> Value {
        let member = |(key, value): (&String, &Value)| {
            let is_label = REFERENCES.contains(&key.as_str()) || PLACES.contains(&key.as_str());
            (key.clone(), if is_label { self.document(value) } else { hidden(value) })
        };
        Value::Object(object.iter().map(member).collect())
    }

    /// A problem without the credentials of the file that it is in. The line is
    /// left out if it holds one, or may hold one that its name would tell.
    pub fn problem(&self, problem: Problem) -> Problem {
        without_credentials(self, problem)
    }

    /// What is masked in the values of a document, at most `limit` texts; none
    /// if there are more.
    pub fn hidden_texts(&self, document: &Value, limit: usize) -> Option<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        collect_hidden(document, &self.document(document), &mut found);
        (found.len() <= limit).then_some(found)
    }

    fn is_secret(&self, name: &str) -> bool {
        self.names.contains(name) || self.claimed.contains(name) || sounds_secret(name)
    }
}

/// A masked value whose keys are masked, too; none of its members is lost if
/// two look the same then.
pub(crate) fn with_masked_keys(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let (mut shown, mut twins) = (Map::new(), 1_usize);
            for (key, value) in object {
                let mut name = masked_text(&key);
                while name != key && shown.contains_key(&name) {
                    twins += 1;
                    name = format!("{} #{twins}", masked_text(&key));
                }
                shown.insert(name, with_masked_keys(value));
            }
            Value::Object(shown)
        }
        Value::Array(list) => list.into_iter().map(with_masked_keys).collect(),
        other => other,
    }
}

/// A pointer whose steps are masked.
pub fn masked_pointer(pointer: &str) -> String {
    let step = |step: &str| {
        let masked = masked_text(&step.replace("~1", "/").replace("~0", "~"));
        masked.replace('~', "~0").replace('/', "~1")
    };
    pointer.split('/').map(step).collect::<Vec<_>>().join("/")
}

/// A problem without the credentials that [`Mask::problem`] finds without
/// knowing a schema.
pub fn masked_problem(problem: Problem) -> Problem {
    Mask::default().problem(problem)
}

fn without_credentials(mask: &Mask, mut problem: Problem) -> Problem {
    let steps: Vec<&str> = problem.pointer.iter().flat_map(|pointer| pointer.split('/')).collect();
    let is_secret = steps.iter().any(|step| mask.is_secret(step));
    let is_value = steps.last().is_some_and(|step| VALUES.contains(step));
    // The beginning of a long line, where a name could stand, is cut.
    let is_cut = |start: u32| problem.position.is_some_and(|at| at.column > start + 1);
    problem.excerpt = problem.excerpt.filter(|excerpt| {
        !is_secret
            && !is_value
            && !is_cut(excerpt.start)
            && !mask.names.iter().any(|name| excerpt.text.contains(name))
            && masked_excerpt(&excerpt.text) == excerpt.text
    });
    problem.found = problem.found.map(|found| {
        if is_secret || is_value { MASK.to_owned() } else { masked_excerpt(&found).into_owned() }
    });
    problem.pointer = problem.pointer.map(|pointer| masked_pointer(&pointer));
    problem.message = masked_text(&problem.message);
    for text in [&mut problem.expected, &mut problem.hint] {
        *text = text.take().map(|text| masked_text(&text));
    }
    problem
}

/// What stands in `document` where `masked` has [`MASK`]: both have one shape.
fn collect_hidden(document: &Value, masked: &Value, found: &mut BTreeSet<String>) {
    match (document, masked) {
        (Value::Object(object), Value::Object(masked)) => {
            for (key, value) in object {
                collect_hidden(value, masked.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(list), Value::Array(masked)) => {
            list.iter()
                .zip(masked)
                .for_each(|(value, masked)| collect_hidden(value, masked, found));
        }
        (Value::String(text), Value::String(masked)) if masked == MASK => {
            found.insert(text.clone());
        }
        (Value::String(text), Value::String(masked)) if text != masked => {
            covered(text, masked, found);
        }
        (Value::Number(number), Value::String(_)) => {
            found.insert(number.to_string());
        }
        _ => {}
    }
}

/// What of each line of `text` lies under a [`MASK`] of `masked`.
fn covered(text: &str, masked: &str, found: &mut BTreeSet<String>) {
    for (mut rest, masked) in text.split('\n').zip(masked.split('\n')) {
        let mut kept = masked.split(MASK);
        rest = rest.strip_prefix(kept.next().unwrap_or_default()).unwrap_or(rest);
        for kept in kept {
            // Nothing is kept behind the last one.
            let end =
                if kept.is_empty() { rest.len() } else { rest.find(kept).unwrap_or(rest.len()) };
            let part = rest[..end].trim();
            if !part.is_empty() {
                found.insert(part.to_owned());
            }
            rest = rest.get(end + kept.len()..).unwrap_or_default();
        }
    }
}

/// Every text and number in it masked.
fn hidden(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() || is_placeholder(text) => value.clone(),
        Value::String(_) | Value::Number(_) => Value::from(MASK),
        Value::Array(list) => list.iter().map(hidden).collect(),
        Value::Object(object) => {
            Value::Object(object.iter().map(|(key, value)| (key.clone(), hidden(value))).collect())
        }
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Mask, masked_pointer, masked_problem, with_masked_keys};
    use crate::domain::item::RepoPath;
    use crate::domain::source::{Format, Outline, Place};

    fn masked(document: &Value) -> String {
        Mask::new(["pin".to_owned()].into()).document(document).to_string()
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        let cases = [
            (
                json!({"password": "p", "dbPassword": 7}),
                r#"{"dbPassword":"(masked)","password":"(masked)"}"#,
            ),
            (
                json!({"API_KEY": "x", "api-token2": "y"}),
                r#"{"API_KEY":"(masked)","api-token2":"(masked)"}"#,
            ),
            (
                json!({"token": null, "secret": true, "pwd": ""}),
                r#"{"pwd":"","secret":true,"token":null}"#,
            ),
            (json!({"pin": "1234"}), r#"{"pin":"(masked)"}"#),
            (
                json!({"credentials": ["a", {"b": "c"}]}),
                r#"{"credentials":["(masked)",{"b":"(masked)"}]}"#,
            ),
            (json!({"password": "{{DB_PASSWORD}}"}), r#"{"password":"{{DB_PASSWORD}}"}"#),
            (
                json!({"tokenUrl": "https://x/token", "secretName": "s"}),
                r#"{"secretName":"s","tokenUrl":"https://x/token"}"#,
            ),
        ];
        for (document, expected) in cases {
            assert_eq!(masked(&document), expected);
        }
    }

    #[test]
    fn a_schema_of_a_password_is_no_password() {
        let schema = json!({"password": {"type": "string", "default": "hunter2"}});
        assert_eq!(masked(&schema), r#"{"password":{"default":"(masked)","type":"string"}}"#);
    }

    #[test]
    fn variables_are_known_by_name_and_type() {
        let plain = json!({"name": "DB_PASSWORD", "valueType": "plain", "value": "p"});
        assert_eq!(
            masked(&plain),
            r#"{"name":"DB_PASSWORD","value":"(masked)","valueType":"plain"}"#
        );
        let secret = json!({"name": "X", "valueType": "secret", "secretName": "n", "secretKey": "k", "value": "v"});
        assert_eq!(
            masked(&secret),
            r#"{"name":"X","secretKey":"k","secretName":"n","value":"(masked)","valueType":"secret"}"#
        );
        let other = json!({"name": "LOG_LEVEL", "value": "info"});
        assert_eq!(masked(&other), r#"{"name":"LOG_LEVEL","value":"info"}"#);
    }

    #[test]
    fn lists_of_credentials_keep_what_names_them() {
        let document = json!({
            "defaultSecrets": [{"name": "tls", "mountPath": "/etc/tls"}],
            "apiKeys": {"ci": "hunter2", "n": [1]},
            "tokens": {"type": "array", "items": {"type": "string"}},
            "passwords": ["hunter2"],
        });
        assert_eq!(
            masked(&document),
            r#"{"apiKeys":{"ci":"(masked)","n":["(masked)"]},"defaultSecrets":[{"mountPath":"/etc/tls","name":"tls"}],"passwords":["(masked)"],"tokens":{"items":{"type":"string"},"type":"array"}}"#
        );
    }

    #[test]
    fn keys_are_masked_and_none_is_lost() {
        let document = json!({"ghp_0123456789abcdefXYZ": {"ghp_0123456789abcdefXYA": 1}, "ghp_0123456789abcdefXYB": [2]});
        assert_eq!(
            with_masked_keys(document).to_string(),
            r#"{"(masked)":[2],"(masked) #2":{"(masked)":1}}"#
        );
        assert_eq!(
            masked_pointer("/a~1b/mongodb:~1~1u:hunter2@h~0/0"),
            "/a~1b/mongodb:~1~1u:(masked)@h~0/0"
        );
    }

    #[test]
    fn what_only_a_schema_beside_the_item_claims_is_told() {
        let mask = Mask::new(["pin".to_owned()].into());
        let claims = ["pin", "dockerImage", "password", "X", "absent"].map(str::to_owned);
        let mask = mask.claimed(claims.into());
        let document = json!({"a": [{"dockerImage": "i", "pin": 1, "password": "p"}, {"name": "X", "value": "v"}]});
        assert_eq!(mask.claims(&document).into_iter().collect::<Vec<_>>(), ["X", "dockerImage"]);
        assert_eq!(
            mask.document(&document).to_string(),
            r#"{"a":[{"dockerImage":"(masked)","password":"(masked)","pin":"(masked)"},{"name":"X","value":"(masked)"}]}"#
        );
    }

    #[test]
    fn what_is_hidden_is_known() {
        let document = json!({"password": "p\"w", "pin": 1234, "x": ["https://u:pw1@h:1/ https://u:pw2@h"], "y": "a\ntoken: abc\nb"});
        let mask = Mask::new(["pin".to_owned()].into());
        let hidden = mask.hidden_texts(&document, 5).unwrap();
        assert_eq!(hidden.into_iter().collect::<Vec<_>>(), ["1234", "abc", "p\"w", "pw1", "pw2"]);
        assert_eq!(mask.hidden_texts(&document, 4), None);
    }

    #[test]
    fn problems_show_no_credential() {
        let path = RepoPath::new("a.json").unwrap();
        let shown = |text: &str, pointer: &str| {
            let problem = Outline::new(Format::Json, text)
                .problem(&path, pointer, Place::Value, "a password=hunter2 is no number")
                .found("\"hunter2\"")
                .expected("a number");
            masked_problem(problem)
        };
        let harmless = shown("{\"a\": \"hunter2\"}", "/a");
        assert_eq!(harmless.excerpt.unwrap().text, "{\"a\": \"hunter2\"}");
        assert_eq!(harmless.message, "a password=(masked) is no number");
        assert_eq!(harmless.expected.unwrap(), "a number");
        let long = format!("{{\"x\": \"{}\", \"a\": \"hunter2\"}}", "x".repeat(300));
        for (text, pointer) in [
            ("{\"DB_PASSWORD\": {\"value\": \"hunter2\"}}", "/DB_PASSWORD/value"),
            ("{\"env\": [{\"name\": \"DB_PASSWORD\",\n\"value\": \"hunter2\"}]}", "/env/0/value"),
            ("{\"passwords\": [\n\"hunter2\"]}", "/passwords/0"),
        ] {
            let problem = shown(text, pointer);
            assert_eq!(problem.excerpt, None, "{text}");
            assert_eq!(problem.found.as_deref(), Some("(masked)"), "{text}");
        }
        assert_eq!(shown(&long, "/a").excerpt, None);
        let line = shown("{\"password\": \"hunter2\", \"a\": 1}", "/a");
        assert_eq!(line.excerpt, None);
    }
}
