//! Every type of the program that could hold a secret, by the names of its
//! fields: it wraps what is secret, or has no derived `Debug`, or is explained
//! here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::findings::Findings;

/// What the names of secrets hold.
const NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "authorization",
    "credential",
    "bearer",
    "proof",
    "private",
    "assertion",
    "signature",
    "hmac",
    "pem",
    "ssh_key",
];

/// Types that show nothing of what they hold, or hold nothing secret.
const MASKING: &[&str] = &[
    "SecretString",
    "Secret",
    "Secrets",
    "Credential",
    "Tokens",
    "Bearer",
    "PathBuf",
    "bool",
    "f64",
    "u32",
    "AtomicBool",
    "ClientKey",
];

/// Fields with such names that are no secrets: type, field and reason.
const EXPLAINED: &[(&str, &str, &str)] = &[
    ("World", "used_assertions", "ids of assertions that came; it is formatted by nobody"),
    ("Schemas", "secret_names", "names of fields, not what is in them"),
    ("Record", "Secret", "a row of the journal of the embedded marketplace; formatted by nobody"),
    ("CommandError", "Secret", "a sentence that `Secret::read` wrote, without the secret"),
];

struct Field {
    at: String,
    of: String,
    name: String,
    kind: String,
    is_shown: bool,
}

/// The fields of the types of a file, and whether `Debug` is derived. It knows
/// the form that rustfmt gives.
fn fields(path: &str, text: &str) -> Vec<Field> {
    let mut found = Vec::new();
    let (mut derived, mut of, mut end) = (String::new(), None::<String>, String::new());
    for (number, line) in text.lines().enumerate() {
        let code = line.trim();
        if code.starts_with("//") || code.is_empty() {
            continue;
        }
        if of.is_some() && line.starts_with(&end) && code.starts_with('}') {
            (of, derived) = (None, String::new());
            continue;
        }
        if let Some(of) = &of {
            let code = code.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let code = code.trim_start_matches("pub ");
            let parts = code
                .split_once(": ")
                .or_else(|| code.strip_suffix("),").and_then(|code| code.split_once('(')));
            if let Some((name, kind)) = parts.filter(|(name, _)| !name.contains(['#', ' '])) {
                found.push(Field {
                    at: format!("{path}:{}", number + 1),
                    of: of.clone(),
                    name: name.to_owned(),
                    kind: kind.trim_end_matches(',').to_owned(),
                    is_shown: derived.contains("Debug"),
                });
            }
            continue;
        }
        let head = code.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let head = head.trim_start_matches("pub ");
        if code.starts_with("#[derive(") {
            code.clone_into(&mut derived);
        } else if let Some(rest) =
            ["struct ", "enum "].iter().find_map(|word| head.strip_prefix(word))
        {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            if code.ends_with('{') {
                of = Some(name);
                end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            } else if let Some((_, kind)) = rest.split_once('(') {
                let is_shown = derived.contains("Debug");
                let kind = kind.trim_end_matches(");").to_owned();
                let at = format!("{path}:{}", number + 1);
                found.push(Field { at, of: name.clone(), name, kind, is_shown });
                derived.clear();
            } else {
                derived.clear();
            }
        } else if !code.starts_with("#[") {
            derived.clear();
        }
    }
    found
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    NAMES.iter().any(|word| name.contains(word))
}

/// The fields that a derived `Debug` would print.
fn open(fields: &[Field]) -> Vec<String> {
    let words = |kind: &str| -> Vec<String> {
        let words = kind.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let suspects = fields.iter().filter(|field| field.is_shown && sounds_secret(&field.name));
    let suspects = suspects.filter(|field| {
        let is_explained =
            EXPLAINED.iter().any(|(of, name, _)| *of == field.of && *name == field.name);
        let wraps = words(&field.kind).iter().any(|word| MASKING.contains(&word.as_str()));
        // A variant of names, such as `Token { … }`, has fields of its own.
        !is_explained && !wraps
    });
    let shown =
        |field: &Field| format!("{}: {}.{}: {}", field.at, field.of, field.name, field.kind);
    suspects.map(shown).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_derived_debug_prints_a_secret() {
    let mut findings = Findings::begin("secrets-fields", &["type", "field", "kind", "derived"]);
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(fields(&file.display().to_string(), &fs::read_to_string(&file).unwrap()));
    }
    assert!(all.len() > 500, "the scan has lost its way: {} fields", all.len());
    for field in all.iter().filter(|field| sounds_secret(&field.name)) {
        let derived = if field.is_shown { "yes" } else { "no" };
        findings.row(&[&field.of, &field.name, &field.kind, derived]);
    }
    let open = open(&all);
    assert!(open.is_empty(), "a derived Debug prints them:\n{}", open.join("\n"));
}

#[test]
fn the_scan_finds_what_is_open() {
    let derived = "#[derive(Debug, Clone)]";
    for (text, is_open) in [
        (
            format!("{derived}\npub struct A {{\n    /// A.\n    pub(crate) token: String,\n}}\n"),
            true,
        ),
        (format!("{derived}\nstruct A {{\n    password: Option<Vec<u8>>,\n}}\n"), true),
        (
            format!(
                "{derived}\nenum A {{\n    B {{\n        client_secret: String,\n    }},\n}}\n"
            ),
            true,
        ),
        (format!("{derived}\nenum A {{\n    Secret(String),\n}}\n"), true),
        (format!("{derived}\npub struct Token(String);\n"), true),
        (format!("{derived}\nstruct A {{\n    token: Option<SecretString>,\n}}\n"), false),
        (
            format!(
                "{derived}\nstruct A {{\n    a: u8,\n}}\nstruct B {{\n    token: String,\n}}\n"
            ),
            false,
        ),
        ("struct A {\n    token: String,\n}\n".to_owned(), false),
    ] {
        assert_eq!(!open(&fields("a.rs", &text)).is_empty(), is_open, "{text}");
    }
}
