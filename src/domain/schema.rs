//! Compiled JSON Schemas, and what they find wrong with a document.
//!
//! Nothing is ever fetched: a schema may refer to other files only where the
//! caller hands them over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Keyword, PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::{Value, json};

use crate::domain::item::{Digest, ItemType, PLATFORM};
use crate::domain::schema_cost::{self, Cost, MAX_WALK, MAX_WORK, decoded};
use crate::domain::schema_secrets::secret_names;
use crate::domain::source::{Place, nearest};
use crate::domain::text;

/// The most violations that are reported of one document. A person mends the
/// first few and looks again.
const MAX_VIOLATIONS: usize = 50;

/// How often a pattern may backtrack on one text before it is given up; a
/// schema from a repository must not stall the program.
const BACKTRACK_LIMIT: usize = 100_000;

/// The most bytes that one compiled pattern may take, and as many for what it
/// remembers while it matches: with 500 patterns a quarter of a gigabyte. Those
/// of the program's own schemas, which the public catalogue has as well, fit.
const PATTERN_SIZE: usize = 256 * 1024;

/// The longest rendering of a value in a message, in characters.
const FOUND_LENGTH: usize = 80;

/// The keyword that holds a document to [`MAX_WORK`] and [`MAX_WALK`], and the address of the
/// schema that it stands in. Nothing serves it.
const GUARD: &str = "x-marketsync-work";
const GUARD_BASE: &str = "guard:///";

/// The base of schemas that come from files of a commit. Nothing serves it.
pub const COMMIT_BASE: &str = "commit:///";

/// A rule of a schema that a document breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The value that breaks it, as an RFC 6901 pointer.
    pub pointer: String,
    /// Whether the name or the value at that pointer is meant.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// A schema cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct SchemaError {
    /// What is wrong with it.
    pub why: String,
}

/// The schemas of every item type: those of the program, and those that the
/// user added with `--schema`.
pub struct Schemas {
    manifest: Validator,
    sidecar: Validator,
    resources: BTreeMap<&'static str, Validator>,
    added: Vec<(ItemType, Validator)>,
    /// The names of fields that hold credentials, of all of them.
    secret_names: BTreeSet<String>,
    fingerprint: Digest,
}

const MANIFEST: &str = include_str!("schemas/manifest.schema.json");
const SIDECAR: &str = include_str!("schemas/sidecar.schema.json");
const RESOURCES: [(&str, &str); 10] = [
    ("application", include_str!("schemas/resources/application.schema.json")),
    ("custom-resource", include_str!("schemas/resources/custom-resource.schema.json")),
    ("example", include_str!("schemas/resources/example.schema.json")),
    ("extension", include_str!("schemas/resources/extension.schema.json")),
    (
        "infrastructure-component",
        include_str!("schemas/resources/infrastructure-component.schema.json"),
    ),
    (
        "infrastructure-component-runtime",
        include_str!("schemas/resources/infrastructure-component-runtime.schema.json"),
    ),
    ("plugin", include_str!("schemas/resources/plugin.schema.json")),
    ("proxy", include_str!("schemas/resources/proxy.schema.json")),
    ("sidecar", include_str!("schemas/sidecar.resources.schema.json")),
    ("template", include_str!("schemas/resources/template.schema.json")),
];

impl Schemas {
    /// The schemas of the program.
    pub fn new() -> Result<Self, SchemaError> {
        let mut hasher = blake3::Hasher::new();
        let mut secrets = BTreeSet::new();
        let mut embedded = |text: &str| {
            hasher.update(text.as_bytes());
            let schema = parse(text)?;
            secrets.append(&mut secret_names(&schema));
            let options = jsonschema::draft7::options()
                .should_validate_formats(true)
                .with_pattern_options(patterns())
                .offline();
            options.build(&schema).map_err(|error| SchemaError { why: error.to_string() })
        };
        let manifest = embedded(MANIFEST)?;
        let sidecar = embedded(SIDECAR)?;
        let mut resources = BTreeMap::new();
        for (name, text) in RESOURCES {
            resources.insert(name, embedded(text)?);
        }
        let fingerprint = Digest::from(*hasher.finalize().as_bytes());
        let (added, secret_names) = (Vec::new(), secrets);
        Ok(Self { manifest, sidecar, resources, added, secret_names, fingerprint })
    }

    /// Adds a schema of the user's own for items of this type.
    pub fn add(&mut self, item_type: &ItemType, text: &str) -> Result<(), SchemaError> {
        self.added.push((item_type.clone(), compile_alone(text)?));
        self.secret_names.append(&mut secret_names(&parse(text)?));
        let all = format!("{} {item_type} {text}", self.fingerprint);
        self.fingerprint = Digest::of(all.as_bytes());
        Ok(())
    }

    /// The names of the fields that these schemas declare as credentials.
    pub fn secret_names(&self) -> &BTreeSet<String> {
        &self.secret_names
    }

    /// Changes when any of these schemas changes.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// What is wrong with a document of this type.
    ///
    /// A sidecar that is named by `type` gets the whole schema of the sidecar
    /// documentation; one named by `itemTypeDefinitionRef` the same rules for
    /// its `resources` only (`docs/decisions/0001-sidecar-schema.md`).
    pub fn check(&self, document: &Value, item_type: &ItemType) -> Vec<Violation> {
        let mut found = violations(&self.manifest, document, "");
        let whole_sidecar =
            *item_type == ItemType::platform("sidecar") && document.get("type").is_some();
        if whole_sidecar {
            found.extend(violations(&self.sidecar, document, ""));
        } else if item_type.namespace == PLATFORM
            && let Some(validator) = self.resources.get(item_type.name.as_str())
            && let Some(resources) = document.get("resources")
        {
            found.extend(violations(validator, resources, "/resources"));
        }
        for (_, validator) in self.added.iter().filter(|(of, _)| of == item_type) {
            found.extend(violations(validator, document, ""));
        }
        found.sort();
        found.dedup();
        found.truncate(MAX_VIOLATIONS);
        found
    }
}

/// Parses the text of a schema.
pub fn parse(text: &str) -> Result<Value, SchemaError> {
    serde_json::from_str(text)
        .map_err(|error| SchemaError { why: format!("it is not valid JSON: {error}") })
}

/// Compiles a schema whose own address is `base`. It may refer to the `files`
/// that are handed over, by address, and to nothing else.
///
/// The validator looks at the size of a document first: one that is too large
/// for the schema ([`MAX_WORK`], [`MAX_WALK`]) is refused and not held to it.
pub fn compile(
    base: &str,
    schema: &Value,
    mut files: BTreeMap<String, Value>,
) -> Result<Validator, SchemaError> {
    let cost = schema_cost::cost(base, schema, &files)
        .map_err(|large| SchemaError { why: large.to_string() })?;
    let options =
        || jsonschema::options().should_validate_formats(true).with_pattern_options(patterns());
    // The value is not repeated: the file may be another one, with secrets.
    let error =
        |error: ValidationError<'_>| SchemaError { why: error.masked_with("a value").to_string() };
    // Only what is handed over as a whole schema is held to the rules for
    // schemas, so it is compiled once as that.
    let plain = options().with_base_uri(base).with_retriever(Files(files.clone()));
    plain.build(schema).map_err(error)?;
    files.insert(base.to_owned(), schema.clone());
    let guarded =
        json!({ "if": { GUARD: true }, "then": { "$ref": base }, "else": { GUARD: true } });
    options()
        .with_base_uri(GUARD_BASE)
        .with_retriever(Files(files))
        .with_keyword(GUARD, move |_, _, _| Ok(Box::new(Guard { cost })))
        .build(&guarded)
        .map_err(error)
}

/// Holds a document to [`MAX_WORK`] and [`MAX_WALK`].
struct Guard {
    cost: Cost,
}

impl<'i> Keyword<'i> for Guard {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let Cost { values, levels } = self.cost;
        let (size, depth) = schema_cost::size(instance);
        let (work, walk) = (size.saturating_mul(values), depth.saturating_mul(levels));
        let why = if work > MAX_WORK {
            format!(
                "its {size} values times the {values} of the schema: {work}, at most {MAX_WORK}"
            )
        } else if walk > MAX_WALK {
            format!(
                "its {depth} levels times the {levels} of the schema: {walk}, at most {MAX_WALK}"
            )
        } else {
            return Ok(());
        };
        Err(ValidationError::custom(format!("the document is too large for this schema ({why})")))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.validate(instance).is_ok()
    }
}

/// Compiles a schema that refers to no other file.
pub fn compile_alone(text: &str) -> Result<Validator, SchemaError> {
    compile(COMMIT_BASE, &parse(text)?, BTreeMap::new())
}

fn patterns() -> PatternOptions<jsonschema::FancyRegex> {
    PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACK_LIMIT)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
}

/// The address of a file of the commit: its path with every byte escaped that
/// a URI does not take as it is (RFC 3986 §2.3).
pub fn address(path: &str) -> String {
    let mut address = COMMIT_BASE.to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

/// The addresses without fragment that a schema refers to, as written.
pub fn references(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let address = target.split('#').next().unwrap_or_default();
                    if !address.is_empty() {
                        found.push(address.to_owned());
                    }
                }
                open.extend(members.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

struct Files(BTreeMap<String, Value>);

impl Retrieve for Files {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = decoded(uri.as_str().strip_prefix(COMMIT_BASE).unwrap_or(uri.as_str()));
        self.0.get(&address(&name)).cloned().ok_or_else(|| {
            format!("it refers to {name}, which is no file of this commit; nothing is fetched")
                .into()
        })
    }
}

/// What is wrong with `instance`, which stands at `prefix` in its document.
pub fn violations(validator: &Validator, instance: &Value, prefix: &str) -> Vec<Violation> {
    // Quicker than to gather errors, and what it saw once it remembers.
    if validator.is_valid(instance) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for error in validator.iter_errors(instance).take(MAX_VIOLATIONS) {
        describe(&error, prefix, &mut found);
    }
    found
}

fn describe(error: &ValidationError<'_>, prefix: &str, found: &mut Vec<Violation>) {
    let pointer = format!("{prefix}{}", error.instance_path().as_str());
    let violation = |message: String, expected: Option<String>| Violation {
        pointer: pointer.clone(),
        place: Place::Value,
        message,
        expected,
        found: Some(shown(error.instance())),
        hint: None,
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let similar = error
                .instance()
                .as_object()
                .and_then(|members| nearest(name, members.keys().map(String::as_str)))
                .map(|similar| format!("is `{similar}` meant to be `{name}`?"));
            found.push(Violation {
                found: None,
                hint: similar.or_else(|| Some(format!("add `{name}`"))),
                ..violation(format!("`{name}` is missing"), None)
            });
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            found.extend(unexpected.iter().map(|name| Violation {
                pointer: format!("{pointer}/{}", escape(name)),
                place: Place::Key,
                found: None,
                hint: Some("remove it, or look for a misspelling".to_owned()),
                ..violation(format!("`{}` is not allowed here", cut(name)), None)
            }));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            match closest(context) {
                Some(inner) => describe(inner, prefix, found),
                None => found.push(violation("fits none of the allowed forms".to_owned(), None)),
            }
        }
        // Only the guard of `compile` is such a keyword, and it says all.
        ValidationErrorKind::Custom { message, .. } => {
            let named = error.instance().get("$schema").is_some();
            found.push(Violation {
                pointer: if named { format!("{pointer}/$schema") } else { pointer.clone() },
                found: None,
                hint: Some("make the schema or the document smaller".to_owned()),
                ..violation(message.clone(), None)
            });
        }
        kind => {
            let (message, expected) = words(kind, error);
            let hint = match (kind, error.instance().as_ref()) {
                (ValidationErrorKind::Enum { options }, Value::String(text)) => options
                    .as_array()
                    .and_then(|options| nearest(text, options.iter().filter_map(Value::as_str)))
                    .map(|similar| format!("did you mean `{similar}`?")),
                _ => None,
            };
            found.push(Violation { hint, ..violation(message, expected) });
        }
    }
}

/// The error of the form that the document comes closest to: where forms
/// differ in a deep place, that place is what the author must look at.
fn closest<'a>(
    context: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a ValidationError<'static>> {
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    context
        .iter()
        .filter_map(|errors| {
            errors.iter().max_by_key(|error| depth(error)).map(|error| (errors.len(), error))
        })
        .filter(|(_, error)| depth(error) > 0 || context.len() == 1)
        .min_by_key(|(count, _)| *count)
        .map(|(_, error)| error)
}

fn words(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> (String, Option<String>) {
    use ValidationErrorKind as K;
    match kind {
        K::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(many) => {
                    many.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
                }
            };
            ("the value has the wrong type".to_owned(), Some(expected))
        }
        K::Enum { options } => {
            let options: Vec<String> =
                options.as_array().into_iter().flatten().map(shown).collect();
            ("the value is not one of those allowed".to_owned(), Some(cut(&options.join(", "))))
        }
        K::Constant { expected_value } => {
            ("the value is not the one required".to_owned(), Some(shown(expected_value)))
        }
        K::Pattern { pattern } => (
            "the text has the wrong form".to_owned(),
            Some(format!("text that matches {}", cut(pattern))),
        ),
        K::Format { format } => (format!("the text is no {format}"), Some(format.clone())),
        K::MinLength { limit } => {
            ("the text is too short".to_owned(), Some(format!("at least {limit} characters")))
        }
        K::MaxLength { limit } => {
            ("the text is too long".to_owned(), Some(format!("at most {limit} characters")))
        }
        K::MinItems { limit } => ("too few elements".to_owned(), Some(format!("at least {limit}"))),
        K::MaxItems { limit } => ("too many elements".to_owned(), Some(format!("at most {limit}"))),
        K::MinProperties { limit } => {
            ("too few members".to_owned(), Some(format!("at least {limit}")))
        }
        K::MaxProperties { limit } => {
            ("too many members".to_owned(), Some(format!("at most {limit}")))
        }
        K::Minimum { limit } => {
            ("the number is too small".to_owned(), Some(format!("at least {limit}")))
        }
        K::Maximum { limit } => {
            ("the number is too large".to_owned(), Some(format!("at most {limit}")))
        }
        K::FalseSchema => ("nothing may stand here".to_owned(), None),
        _ => (cut(&error.masked_with("the value").to_string()), None),
    }
}

/// A value for people: short, with its type.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(members) => format!("an object of {}", members.len()),
        Value::Array(values) => format!("an array of {}", values.len()),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    text::cut(text, FOUND_LENGTH)
}

/// A name as a reference token of a JSON pointer (RFC 6901 §4).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a schema takes at most once it is compiled, in bytes: each pattern all
/// that one may take, and each value about what a small object takes.
pub fn most_bytes(schema: &Value) -> usize {
    let mut bytes: usize = 0;
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        bytes = bytes.saturating_add(256);
        match value {
            Value::Object(members) => {
                let patterns = usize::from(members.contains_key("pattern"));
                let named = members.get("patternProperties").and_then(Value::as_object);
                let patterns = patterns + named.map_or(0, serde_json::Map::len);
                bytes = bytes.saturating_add(patterns.saturating_mul(PATTERN_SIZE));
                open.extend(members.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    bytes
}

/// Schemas of files of the commit, compiled once per reading: thousands of
/// items name the same one.
pub type CompiledFiles = HashMap<String, Result<Arc<Validator>, String>>;
