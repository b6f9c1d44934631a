//! Values that look like credentials are not shown: by the schema, by the name
//! of their field, by `valueType: secret`, and by what they look like.
//!
//! It is a guess in the safe direction. What refers to a credential and is none
//! stays: the name of a Kubernetes secret, a placeholder.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What stands in place of a credential.
pub const MASK: &str = "(masked)";

/// What a name that holds a credential ends with, its words in lower case and
/// joined.
const SECRET_ENDS: [&str; 15] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "credentials",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "connectionstring",
];

/// The members of an object that hold what its name promises.
const VALUES: [&str; 6] = ["value", "defaultValue", "rawValue", "default", "content", "data"];

/// The members of a variable with `valueType: secret` that say which secret is
/// meant (`marketplace-api.md` §7.5), not what is in it.
const REFERENCES: [&str; 7] =
    ["name", "description", "valueType", "secretName", "secretKey", "managedBy", "readOnly"];

/// How tokens of well-known issuers begin.
const TOKEN_BEGINS: [&str; 12] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "AKIA",
    "npm_",
    "eyJhbGciOi",
];

/// The fewest characters of such a token.
const TOKEN_CHARS: usize = 16;

/// What is known of the names that hold credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask {
    names: BTreeSet<String>,
}

impl Mask {
    /// `names` are those of fields that schemas declare as secret.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { names }
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
                self.secret(value)
            } else {
                self.document(value)
            };
            (key.clone(), value)
        };
        object.iter().map(member).collect()
    }

    /// The value of a field whose name promises a credential. Of an object only
    /// what holds a value: it may be the schema of such a field.
    fn secret(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => Value::Object(self.object(object, true)),
            other => hidden(other),
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        self.names.contains(name) || sounds_secret(name)
    }
}

/// Whether the name of a field or a variable promises a credential.
fn sounds_secret(name: &str) -> bool {
    // No name of that kind is longer; a document may hold any.
    const MAX_NAME: usize = 200;
    let joined: String = name
        .chars()
        .take(MAX_NAME)
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let joined = joined.trim_end_matches(|c: char| c.is_ascii_digit());
    SECRET_ENDS.iter().any(|end| joined.ends_with(end))
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

/// Whether a text says where a value comes from: `{{NAME}}`, `${NAME}`, `$NAME`.
fn is_placeholder(text: &str) -> bool {
    let name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    let text = text.trim();
    let between = |open, close| text.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    between("{{", "}}").is_some_and(name)
        || between("${", "}").is_some_and(name)
        || text.strip_prefix('$').is_some_and(name)
}

/// A text with what looks like a credential masked: private keys, passwords in
/// URLs, tokens of well-known issuers, and lines `name = value` or
/// `name: value` whose name promises one.
fn masked_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (line, ""),
        };
        let begins = body.contains("-----BEGIN") && body.contains("PRIVATE KEY-----");
        let ends = body.contains("-----END") && body.contains("PRIVATE KEY-----");
        if in_key || begins {
            out.push_str(MASK);
        } else {
            out.push_str(&masked_line(body));
        }
        in_key = (in_key || begins) && !ends;
        out.push_str(end);
    }
    out
}

fn masked_line(line: &str) -> String {
    if let Some((name, value)) = assignment(line)
        && sounds_secret(name)
        && !is_placeholder(value)
    {
        let start = line.len() - line.trim_end().len();
        let until = line.rfind(value).unwrap_or(line.len() - start);
        let before = line.get(..until).unwrap_or_default();
        let after = line.get(until + value.len()..).unwrap_or_default();
        return format!("{before}{MASK}{after}");
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| !c.is_whitespace()) {
        let (space, word) = rest.split_at(at);
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        let (word, more) = word.split_at(end);
        out.push_str(space);
        out.push_str(&masked_word(word));
        rest = more;
    }
    out.push_str(rest);
    out
}

/// The name and the value of `name = value`, `name: value`, `"name": "value",`;
/// a value of several words is prose.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let at = line.find(['=', ':'])?;
    let (name, value) = line.split_at(at);
    let quotes: &[char] = &['"', '\'', '`'];
    let name =
        name.trim().trim_start_matches("export ").trim_start_matches("- ").trim_matches(quotes);
    let value = value.get(1..)?.trim().trim_end_matches([',', ';']).trim_matches(quotes);
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    let is_value =
        !value.is_empty() && !value.contains(char::is_whitespace) && !value.starts_with('/');
    (is_name && is_value).then_some((name, value))
}

/// One word: the password of a URL, or a token, masked.
fn masked_word(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if let Some((user, _)) = rest.get(..host).and_then(|authority| authority.rsplit_once('@'))
            && let Some((name, _)) = user.split_once(':')
        {
            let after = rest.get(user.len()..).unwrap_or_default();
            return format!("{scheme}://{name}:{MASK}{after}");
        }
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    for begin in TOKEN_BEGINS {
        let Some(at) = word.find(begin) else { continue };
        let (before, token) = word.split_at(at);
        let length = token.find(|c| !is_part(c)).unwrap_or(token.len());
        if length >= TOKEN_CHARS {
            return format!("{before}{MASK}{}", token.get(length..).unwrap_or_default());
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Mask, masked_text};

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
    fn texts_hold_credentials_too() {
        let cases = [
            ("DB_PASSWORD=hunter2\nLOG=info\n", "DB_PASSWORD=(masked)\nLOG=info\n"),
            ("  \"clientSecret\": \"abc\",", "  \"clientSecret\": \"(masked)\","),
            ("password: ${PASSWORD}", "password: ${PASSWORD}"),
            ("Token: the token of the user", "Token: the token of the user"),
            ("see mongodb://u:p@db:27017/x?y for", "see mongodb://u:(masked)@db:27017/x?y for"),
            ("key ghp_0123456789abcdefXYZ, then", "key (masked), then"),
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb",
                "a\n(masked)\n(masked)\n(masked)\nb",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(masked_text(text), expected);
        }
    }
}
