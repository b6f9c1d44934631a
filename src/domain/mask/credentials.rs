//! What in a text looks like a credential: private keys, passwords in URLs,
//! tokens of well-known issuers, and values whose name promises one.
//!
//! Each line is read once, from its beginning to its end: a line may be as
//! long as a file.

use std::borrow::Cow;
use std::ops::Range;

use super::assigned::{
    Assignment, Found, MAX_NAME, QUOTES, from, is_block, is_name, is_placeholder, value,
};

/// What stands in place of a credential.
pub const MASK: &str = "(masked)";

/// What a name that holds a credential ends with, its words in lower case and
/// joined; an `s` may follow.
const SECRET_ENDS: [&str; 14] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "connectionstring",
];

/// The members of an object that hold what its name promises.
pub(super) const VALUES: [&str; 6] =
    ["value", "defaultValue", "rawValue", "default", "content", "data"];

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

/// The fewest characters of what follows `Bearer` or `Basic`.
const PROOF_CHARS: usize = 6;

/// Whether the name of a field or a variable promises a credential.
pub(super) fn sounds_secret(name: &str) -> bool {
    let mut joined: Vec<char> = name
        .chars()
        .rev()
        .filter(char::is_ascii_alphanumeric)
        .take(MAX_NAME)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    joined.reverse();
    let joined: String = joined.into_iter().collect();
    let joined = joined.trim_end_matches(|c: char| c.is_ascii_digit());
    let one = joined.strip_suffix('s').unwrap_or(joined);
    SECRET_ENDS.iter().any(|end| joined.ends_with(end) || one.ends_with(end))
}

/// The text with [`MASK`] in place of credentials, as many lines as it had.
pub fn masked_text(text: &str) -> String {
    masked_lines(text).join("\n")
}

/// The lines between the `\n` of a text, each masked.
pub(crate) fn masked_lines(text: &str) -> Vec<Cow<'_, str>> {
    let mut reader = Reader::default();
    text.split('\n').map(|line| reader.line(line)).collect()
}

/// The same of one line out of a file, of which the lines before are not known:
/// what `value` and its like hold may be a credential.
pub(super) fn masked_excerpt(line: &str) -> Cow<'_, str> {
    Reader { any_value: true, ..Reader::default() }.line(line)
}

/// What the lines before say of the next one.
#[derive(Default)]
struct Reader {
    /// It lies in a private key.
    in_key: bool,
    /// It belongs to a block of YAML that is a credential, if it is indented
    /// by more than this.
    block: Option<usize>,
    /// The last `name` was one of a credential: the `value` is it.
    is_named: bool,
    /// Every `value` may be one.
    any_value: bool,
}

impl Reader {
    fn line<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        if line.trim().is_empty() {
            return Cow::Borrowed(line);
        }
        let begin = line.rfind("-----BEGIN").filter(|_| line.contains("PRIVATE KEY-----"));
        let end = line.rfind("-----END").filter(|_| line.contains("PRIVATE KEY-----"));
        if self.in_key || begin.is_some() {
            self.in_key = end.is_none() || begin > end;
            return Cow::Owned(whole(line, 0));
        }
        let indent = line.len() - line.trim_start().len();
        if let Some(outer) = self.block {
            if indent > outer {
                return Cow::Owned(whole(line, indent));
            }
            self.block = None;
        }
        let mut ranges = self.assignments(line);
        urls(line, &mut ranges);
        tokens(line, &mut ranges);
        headers(line, &mut ranges);
        covered(line, ranges)
    }

    /// The credentials that are assigned to a name.
    fn assignments(&mut self, line: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        // The last word, as long as only spaces and quotes follow it.
        let (mut name, mut words, mut at) = ("", 0, 0);
        while let Some(c) = from(line, at).chars().next() {
            let rest = from(line, at);
            if is_name(c) {
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                words += usize::from(word != "export" && word != "-");
                (name, at) = (word, at + end);
            } else if matches!(c, '=' | ':') {
                let length = sign(rest);
                let is_spaced = line.get(..at).unwrap_or_default().ends_with(char::is_whitespace);
                let is_equals = rest.starts_with('=') || rest.starts_with(":=");
                let is_first = words == 1;
                let assignment = Assignment { name, is_equals, is_spaced, is_first };
                at += length.unsigned_abs();
                if length > 0 && !name.is_empty() {
                    at = self.assigned(line, at, assignment, &mut found);
                }
                (name, words) = ("", words + 1);
            } else {
                if !c.is_whitespace() && !QUOTES.contains(&c) && !matches!(c, '\\' | '*') {
                    name = "";
                }
                at += c.len_utf8();
            }
        }
        found
    }

    /// Looks at the value that begins at `at`; where to read on.
    fn assigned(
        &mut self,
        line: &str,
        at: usize,
        assignment: Assignment<'_>,
        found: &mut Vec<Range<usize>>,
    ) -> usize {
        let name = assignment.name;
        if matches!(name, "name" | "key") {
            let near = from(line, at).trim_start_matches(|c: char| {
                c.is_whitespace() || QUOTES.contains(&c) || c == '\\'
            });
            let end = near.find(|c| !is_name(c)).unwrap_or(near.len());
            self.is_named = sounds_secret(near.get(..end).unwrap_or_default());
        }
        let holds = VALUES.contains(&name) && (self.any_value || self.is_named);
        if !holds && !sounds_secret(name) {
            return at;
        }
        if holds {
            self.is_named = false;
        }
        if !assignment.is_equals && is_block(from(line, at)) {
            self.block = Some(line.len() - line.trim_start().len());
            return line.len();
        }
        let Some(Found { range, next }) = value(line, at, assignment) else { return at };
        let value = line.get(range.clone()).unwrap_or_default();
        let says_nothing = matches!(value, "" | "null" | "true" | "false" | "~");
        if !says_nothing && !is_placeholder(value) {
            found.push(range);
        }
        next.max(at)
    }
}

/// How long the sign of an assignment is; negative if it is none.
fn sign(rest: &str) -> isize {
    if rest.starts_with("::") || rest.starts_with("://") {
        return -2;
    }
    if [":=", "=>", "=="].iter().any(|sign| rest.starts_with(sign)) { 2 } else { 1 }
}

/// The passwords of URLs.
fn urls(line: &str, ranges: &mut Vec<Range<usize>>) {
    let starts: Vec<usize> = line.match_indices("://").map(|(at, sign)| at + sign.len()).collect();
    for (index, start) in starts.iter().copied().enumerate() {
        let until = starts.get(index + 1).map_or(line.len(), |next| next - "://".len());
        let rest = line.get(start..until).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`'));
        let rest = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let Some(colon) = rest.find([':', '/', '?', '#']) else { continue };
        let Some(password) = from(rest, colon).strip_prefix(':') else { continue };
        let host = password.find(['/', '?', '#']).unwrap_or(password.len());
        let authority = password.get(..host).unwrap_or_default();
        let is_port = authority.chars().all(|c| c.is_ascii_digit());
        let at = authority.rfind('@').or_else(|| password.find('@').filter(|_| !is_port));
        let Some(at) = at else { continue };
        let value = password.get(..at).unwrap_or_default();
        let begin = start + colon + 1;
        if !value.is_empty() && !is_placeholder(value) {
            ranges.push(begin..begin + at);
        }
    }
}

/// The tokens of well-known issuers.
fn tokens(line: &str, ranges: &mut Vec<Range<usize>>) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    for begin in TOKEN_BEGINS {
        let mut next = 0;
        for (at, _) in line.match_indices(begin) {
            if at < next {
                continue;
            }
            let token = from(line, at);
            let length = token.find(|c| !is_part(c)).unwrap_or(token.len());
            next = at + length;
            if length >= TOKEN_CHARS {
                ranges.push(at..next);
            }
        }
    }
}

/// What a request proves itself with: all of a cookie, and what follows
/// `Bearer` or `Basic` (RFC 6265, RFC 6750, RFC 7617).
fn headers(line: &str, ranges: &mut Vec<Range<usize>>) {
    let lower = line.to_ascii_lowercase();
    if let Some(at) = lower.find("cookie:") {
        let value = from(line, at + "cookie:".len());
        let start = line.len() - value.trim_start().len();
        ranges.push(start..line.trim_end().len().max(start));
    }
    for scheme in ["bearer ", "basic "] {
        for (at, _) in lower.match_indices(scheme) {
            let start = at + scheme.len();
            let rest = from(line, start);
            let end = rest.find(|c: char| c.is_whitespace() || QUOTES.contains(&c) || c == ',');
            let proof = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let is_word = proof.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '.');
            if proof.len() >= PROOF_CHARS && !is_word && !is_placeholder(proof) {
                ranges.push(start..start + proof.len());
            }
        }
    }
}

/// The line with [`MASK`] over these parts.
fn covered(line: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(line);
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    for range in ranges {
        let is_joined = range.start == at && out.ends_with(MASK);
        if range.start >= at && !is_joined {
            out.push_str(line.get(at..range.start).unwrap_or_default());
            out.push_str(MASK);
        }
        at = at.max(range.end);
    }
    out.push_str(from(line, at));
    Cow::Owned(out)
}

/// A line of which nothing but its indentation and its end is shown.
fn whole(line: &str, indent: usize) -> String {
    let end = if line.ends_with('\r') { "\r" } else { "" };
    format!("{}{MASK}{end}", line.get(..indent).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{masked_excerpt, masked_text, sounds_secret};

    fn check(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(masked_text(text), *expected, "of {text:?}");
        }
    }

    #[test]
    fn names_promise_credentials() {
        for name in
            ["tokens", "passwords", "apiKeys", "SECRETS", "API-Tokens2", "pwd", "accessKeys"]
        {
            assert!(sounds_secret(name), "{name}");
        }
        let padded = format!("{}_password", "x".repeat(1000));
        assert!(sounds_secret(&padded));
        for name in ["tokenUrl", "secretName", "keys", "pass", "", "s"] {
            assert!(!sounds_secret(name), "{name}");
        }
    }

    #[test]
    fn texts_hold_credentials() {
        check(&[
            ("DB_PASSWORD=hunter2\nLOG=info\n", "DB_PASSWORD=(masked)\nLOG=info\n"),
            ("  \"clientSecret\": \"abc\",", "  \"clientSecret\": \"(masked)\","),
            ("password: ${PASSWORD}", "password: ${PASSWORD}"),
            ("password: {{ PASSWORD }}, x", "password: {{ PASSWORD }}, x"),
            ("see mongodb://u:p@db:27017/x?y for", "see mongodb://u:(masked)@db:27017/x?y for"),
            ("key ghp_0123456789abcdefXYZ, then", "key (masked), then"),
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\r\nMII\n\n-----END RSA PRIVATE KEY-----\nb",
                "a\n(masked)\r\n(masked)\n\n(masked)\nb",
            ),
            (
                "-----END PRIVATE KEY----- -----BEGIN PRIVATE KEY-----\nMII\n",
                "(masked)\n(masked)\n",
            ),
        ]);
    }

    #[test]
    fn headers_hold_credentials() {
        check(&[
            ("Authorization: Bearer abc123DEF", "Authorization: Bearer (masked)"),
            (
                "curl -H 'authorization: basic dXNlcjpw' x",
                "curl -H 'authorization: basic (masked)' x",
            ),
            ("Set-Cookie: session=abc; Path=/", "Set-Cookie: (masked)"),
            ("basic authentication, a bearer token", "basic authentication, a bearer token"),
            ("Bearer {{TOKEN}}", "Bearer {{TOKEN}}"),
        ]);
    }

    #[test]
    fn every_assignment_of_a_line_is_read() {
        check(&[
            ("password: hunter2 # comment", "password: (masked) # comment"),
            ("password = hunter2 # comment", "password = (masked) # comment"),
            (
                r#"{"user":"x","password":"hunter2","a":1}"#,
                r#"{"user":"x","password":"(masked)","a":1}"#,
            ),
            (
                r#"{"a":"{\"password\":\"hu\\\"nter2\",\"b\":1}"}"#,
                r#"{"a":"{\"password\":\"(masked)\",\"b\":1}"}"#,
            ),
            (r#""password": "a\"b", x"#, r#""password": "(masked)", x"#),
            (r"password: 'it''s', x", r"password: '(masked)', x"),
            ("password='a'b\"c\" next=1", "password='(masked) next=1"),
            ("{user: x, password: hunter2, b: c}", "{user: x, password: (masked), b: c}"),
            ("{a: {password: hunter2}} # x", "{a: {password: (masked)}} # x"),
            ("host=db user=u password=hunter2", "host=db user=u password=(masked)"),
            ("host=db password=hunter2 ssl=off", "host=db password=(masked) ssl=off"),
            ("Server=x;Password=hunter2;Database=y", "Server=x;Password=(masked);Database=y"),
            ("https://x/?token=abc&page=2", "https://x/?token=(masked)&page=2"),
            ("\"dsn\": \"user=u password=hunter2\",", "\"dsn\": \"user=u password=(masked)\","),
            ("password=/abc", "password=(masked)"),
            ("password: /abc", "password: (masked)"),
            ("DB_PASSWORD=correct horse", "DB_PASSWORD=(masked)"),
            ("db_password: correct horse # x", "db_password: (masked) # x"),
            ("password={noop}hunter2", "password=(masked)"),
            ("\"tokens\": [\"a]\", \"b\"], \"n\": 1", "\"tokens\": [(masked)], \"n\": 1"),
            ("a=1 token=x token=y", "a=1 token=(masked) token=(masked)"),
            ("**Password:** hunter2", "**Password:** (masked)"),
            ("password := hunter2", "password := (masked)"),
            ("\u{fc}berpassword=\u{e4}\u{f6} x=1", "\u{fc}berpassword=(masked) x=1"),
        ]);
    }

    #[test]
    fn what_belongs_to_a_name_on_another_line_is_masked() {
        check(&[
            (
                "- name: DB_PASSWORD\n  value: hunter2\n- name: LOG\n  value: info",
                "- name: DB_PASSWORD\n  value: (masked)\n- name: LOG\n  value: info",
            ),
            (
                r#"[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"LOG","value":"info"}]"#,
                r#"[{"name":"DB_PASSWORD","value":"(masked)"},{"name":"LOG","value":"info"}]"#,
            ),
            (
                "a:\n  password: |-\n    one\n\n    two\n  b: c",
                "a:\n  password: |-\n    (masked)\n\n    (masked)\n  b: c",
            ),
        ]);
    }

    #[test]
    fn words_hold_several() {
        check(&[
            ("amqp://u:pw1@h1,amqp://u:pw2@h2", "amqp://u:(masked)@h1,amqp://u:(masked)@h2"),
            ("redis://:pw@h/0", "redis://:(masked)@h/0"),
            ("x://u:pa/ss@h", "x://u:(masked)@h"),
            (
                "ghp_0123456789abcdefXYZ,ghp_0123456789abcdefXYZ;glpat-0123456789abcdef",
                "(masked),(masked);(masked)",
            ),
        ]);
    }

    #[test]
    fn prose_stays_readable() {
        for text in [
            "Token: the token of the user",
            "- **password**: the password, as text",
            "see https://host:8080/@scope/x and secret://vault/path",
            "fn secret() -> Token::new(x)",
            "token: null",
            "password: \"\"",
            "secrets: [{name: a, mountPath: /b}]",
            "the secret: ",
            "name: tokens are listed",
        ] {
            assert_eq!(masked_text(text), text);
        }
    }

    #[test]
    fn a_line_of_a_file_may_hold_the_value_of_any_name() {
        assert_eq!(masked_excerpt("  \"value\": \"hunter2\","), "  \"value\": \"(masked)\",");
        assert_eq!(masked_excerpt("  \"naem\": \"x\","), "  \"naem\": \"x\",");
        assert_eq!(masked_text("value: hunter2"), "value: hunter2");
    }

    /// In a time that grows with the square of the length each would take
    /// minutes.
    #[test]
    fn a_line_may_be_as_long_as_a_file() {
        for part in [
            "token:",
            "token: ",
            "token: a ",
            "token=",
            "token=a,",
            "token = a ",
            "token:a,",
            "token:{",
            "token:{{",
            "token:${",
            "token:[{",
            "token:|",
            "token:'a\"",
            "token:\\\"",
            "name:\"",
            "a,",
            "://",
            "://a:",
            "://:@",
            "ghp_",
            "eyJhbGciOi",
            "\\\"",
            "x:",
            " ",
            "\u{e4}",
            "token:, ",
            "-",
        ] {
            let line = part.repeat(200_000 / part.len());
            assert_eq!(masked_text(&line).lines().count(), 1, "{part}");
        }
    }
}
