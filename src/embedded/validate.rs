//! What an item must look like: the schemas of the three item models and of
//! the types' `resources`, and the errors that a violation becomes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind};
use serde_json::{Map, Value, json};

use crate::domain::item::{ItemType, PLATFORM};
use crate::embedded::settings::{ConsoleVersion, TypeDefinition};

/// The item model that a request speaks (`marketplace-api.md` §7.1, §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Model {
    /// `releaseStage` and `comingSoon`, no `lifecycleStatus`.
    Legacy,
    /// Console 14.0: `lifecycleStatus`, but the type only as `type`.
    New140,
    /// Console 14.1: `itemTypeDefinitionRef`, labels, tags …
    New141,
}

impl Model {
    /// What the new API of this Console speaks.
    pub(crate) fn of_new_api(console: ConsoleVersion) -> Self {
        if console.has_type_definitions() { Self::New141 } else { Self::New140 }
    }
}

/// The fields that came with item type definitions (§7.1, rows marked †).
pub(crate) const SINCE_141: [&str; 7] = [
    "itemTypeDefinitionRef",
    "annotations",
    "labels",
    "tags",
    "links",
    "maintainers",
    "relationships",
];

/// The fields that only the legacy model has (§7.2).
pub(crate) const LEGACY_ONLY: [&str; 4] =
    ["releaseStage", "comingSoon", "publishOnMiaDocumentation", "isVersioningSupported"];

/// The types of the platform (§7.4): name, versioned, required keys of
/// `resources`, how many services.
const PLATFORM_TYPES: [(&str, bool, &[&str], Services); 10] = [
    ("plugin", true, &["services"], Services::One),
    ("template", true, &["services"], Services::One),
    ("example", true, &["services"], Services::One),
    ("custom-resource", true, &[], Services::Any),
    ("application", false, &["services"], Services::Some),
    ("proxy", false, &["services"], Services::One),
    ("sidecar", false, &["name"], Services::Any),
    ("extension", false, &["name", "extensionType", "contexts"], Services::Any),
    ("infrastructure-component", false, &["name", "gitInfo", "pipelineInfo"], Services::Any),
    ("infrastructure-component-runtime", false, &[], Services::Any),
];

#[derive(Clone, Copy)]
enum Services {
    Any,
    One,
    Some,
}

/// The most errors that one item is told. Enough to mend a file in one go; a
/// hostile document must not make a long answer.
const MAX_ERRORS: usize = 20;

/// Why the built-in schemas could not be made ready: a defect of this program.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The text is no JSON.
    #[error("the built-in schema {0} is no JSON")]
    Json(&'static str, #[source] serde_json::Error),
    /// The JSON is no schema.
    #[error("the built-in schema {0} does not compile")]
    Compile(String, #[source] Box<ValidationError<'static>>),
}

/// A type and the schema of its `resources`.
#[derive(Debug)]
pub(crate) struct KnownType {
    /// Whether its items may carry `version`.
    pub(crate) versioned: bool,
    /// The schema, for the item type definition routes.
    pub(crate) schema: Value,
    validator: Validator,
}

/// Everything compiled once.
#[derive(Debug)]
pub(crate) struct Schemas {
    envelopes: BTreeMap<Model, (BTreeSet<String>, Validator)>,
    types: BTreeMap<ItemType, KnownType>,
}

/// One entry of `errors` (§3.2).
pub(crate) type ItemError = Value;

/// An error without an `ajvError`.
pub(crate) fn plain_error(message: impl Into<String>) -> ItemError {
    json!({ "message": message.into() })
}

impl Schemas {
    /// Compiles the schemas and adds the types of the settings.
    pub(crate) fn new(extra: &[TypeDefinition]) -> Result<Self, SchemaError> {
        let new141 = parse("manifest.json", include_str!("schemas/manifest.json"))?;
        let mut envelopes = BTreeMap::new();
        for (model, schema) in [
            (Model::Legacy, legacy_envelope(&new141)),
            (Model::New140, envelope_140(&new141)),
            (Model::New141, new141.clone()),
        ] {
            let known = schema["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.clone())
                .collect();
            envelopes.insert(model, (known, compile(&format!("of {model:?} manifests"), &schema)?));
        }
        let sidecar = parse("sidecar.json", include_str!("schemas/sidecar.json"))?;
        let mut types = BTreeMap::new();
        for (name, versioned, required, services) in PLATFORM_TYPES {
            let schema = if name == "sidecar" {
                sidecar.clone()
            } else {
                resources_schema(required, services)
            };
            let validator = compile(name, &schema)?;
            types.insert(ItemType::platform(name), KnownType { versioned, schema, validator });
        }
        for definition in extra {
            let schema = json!({ "type": "object" });
            let validator = compile(&definition.name, &schema)?;
            let key =
                ItemType { namespace: definition.namespace.clone(), name: definition.name.clone() };
            types.insert(key, KnownType { versioned: definition.versioned, schema, validator });
        }
        Ok(Self { envelopes, types })
    }

    /// The type, if it is known here.
    pub(crate) fn known_type(&self, item_type: &ItemType) -> Option<&KnownType> {
        self.types.get(item_type)
    }

    /// Every type, in the order of namespace and name.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&ItemType, &KnownType)> {
        self.types.iter()
    }

    /// The top-level keys of an item that its model does not know.
    pub(crate) fn unknown_keys(&self, model: Model, item: &Map<String, Value>) -> Vec<String> {
        let known = self.envelopes.get(&model).map(|(known, _)| known);
        item.keys()
            .filter(|key| known.is_some_and(|known| !known.contains(*key)))
            .cloned()
            .collect()
    }

    /// The violations of the envelope.
    pub(crate) fn check_envelope(&self, model: Model, item: &Value) -> Vec<ItemError> {
        self.envelopes
            .get(&model)
            .map(|(_, validator)| violations(validator, item, ""))
            .unwrap_or_default()
    }
}

impl KnownType {
    /// The violations of `resources`.
    pub(crate) fn check(&self, resources: &Value) -> Vec<ItemError> {
        violations(&self.validator, resources, "/resources")
    }
}

fn parse(name: &'static str, text: &str) -> Result<Value, SchemaError> {
    serde_json::from_str(text).map_err(|error| SchemaError::Json(name, error))
}

fn compile(name: &str, schema: &Value) -> Result<Validator, SchemaError> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| SchemaError::Compile(name.to_owned(), Box::new(error)))
}

/// Console 14.0 lacks the fields of §7.1 marked †, has
/// `publishOnMiaDocumentation`, and requires `type`.
fn envelope_140(new141: &Value) -> Value {
    let mut schema = new141.clone();
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|key, _| !SINCE_141.contains(&key.as_str()));
        properties.insert("publishOnMiaDocumentation".to_owned(), json!({ "type": "boolean" }));
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("type"));
    }
    schema
}

/// The legacy manifest (§7.2), closed as in the 14.x specification.
fn legacy_envelope(new141: &Value) -> Value {
    let mut schema = new141.clone();
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|key, _| {
            !SINCE_141.contains(&key.as_str()) && key != "lifecycleStatus" && key != "releaseDate"
        });
        properties.insert("comingSoon".to_owned(), json!({ "type": ["boolean", "null"] }));
        properties.insert(
            "releaseStage".to_owned(),
            json!({ "enum": ["", "preview", "beta", "stable", "deprecated"] }),
        );
        properties.insert("publishOnMiaDocumentation".to_owned(), json!({ "type": "boolean" }));
        properties.insert("isVersioningSupported".to_owned(), json!({ "type": "boolean" }));
        properties.insert("repositoryUrl".to_owned(), json!({ "type": ["string", "null"] }));
        if let Some(documentation) = properties.get_mut("documentation") {
            documentation["type"] = json!(["object", "null"]);
        }
    }
    schema["required"] = json!(["name", "itemId", "tenantId", "type", "resources"]);
    schema
}

fn resources_schema(required: &[&str], services: Services) -> Value {
    let mut schema = json!({ "type": "object", "required": required });
    let (least, most) = match services {
        Services::Any => return schema,
        Services::One => (1, Some(1)),
        Services::Some => (1, None),
    };
    schema["properties"]["services"] = json!({ "type": "object", "minProperties": least });
    if let Some(most) = most {
        schema["properties"]["services"]["maxProperties"] = json!(most);
    }
    schema
}

/// The violations as `errors`, with paths that begin at `root`.
fn violations(validator: &Validator, document: &Value, root: &str) -> Vec<ItemError> {
    let mut errors = Vec::new();
    for violation in validator.iter_errors(document).take(MAX_ERRORS) {
        if let ValidationErrorKind::AdditionalProperties { unexpected } = violation.kind() {
            // One error for each key, as Ajv reports them.
            for key in unexpected.iter().take(MAX_ERRORS) {
                let params = json!({ "additionalProperty": key });
                errors.push(error(
                    &violation,
                    root,
                    "must NOT have additional properties",
                    &params,
                ));
            }
        } else {
            let (message, params) = ajv_words(&violation);
            errors.push(error(&violation, root, &message, &params));
        }
    }
    errors.truncate(MAX_ERRORS);
    errors
}

fn error(violation: &ValidationError<'_>, root: &str, message: &str, params: &Value) -> ItemError {
    let path = format!("{root}{}", violation.instance_path());
    let subject = if path.is_empty() { "item" } else { path.trim_start_matches('/') };
    let detail =
        params.get("additionalProperty").and_then(Value::as_str).map(|key| format!(" ('{key}')"));
    json!({
        "message": format!("{subject} {message}{}", detail.unwrap_or_default()),
        "ajvError": {
            "instancePath": path,
            "keyword": violation.kind().keyword(),
            "message": message,
            "params": params,
            "schemaPath": format!("#{}", violation.schema_path()),
        }
    })
}

/// The message and parameters in the wording of Ajv, the validator behind the
/// field `ajvError`. The real texts are unknown (§13.5).
fn ajv_words(violation: &ValidationError<'_>) -> (String, Value) {
    match violation.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            (format!("must have required property '{name}'"), json!({ "missingProperty": name }))
        }
        ValidationErrorKind::Type { kind } => {
            let names = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(set) => {
                    set.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(",")
                }
            };
            (format!("must be {names}"), json!({ "type": names }))
        }
        ValidationErrorKind::Pattern { pattern } => {
            (format!("must match pattern \"{pattern}\""), json!({ "pattern": pattern }))
        }
        ValidationErrorKind::Enum { options } => (
            "must be equal to one of the allowed values".to_owned(),
            json!({ "allowedValues": **options }),
        ),
        ValidationErrorKind::Format { format } => {
            (format!("must match format \"{format}\""), json!({ "format": format }))
        }
        ValidationErrorKind::MinLength { limit } => {
            (format!("must NOT have fewer than {limit} characters"), json!({ "limit": limit }))
        }
        ValidationErrorKind::MinProperties { limit } => {
            (format!("must NOT have fewer than {limit} properties"), json!({ "limit": limit }))
        }
        ValidationErrorKind::MaxProperties { limit } => {
            (format!("must NOT have more than {limit} properties"), json!({ "limit": limit }))
        }
        ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::OneOfMultipleValid { .. } => {
            ("must match exactly one schema in oneOf".to_owned(), json!({ "passingSchemas": null }))
        }
        // The instance could be long; the keyword says enough.
        other => (format!("must pass \"{}\" keyword validation", other.keyword()), json!({})),
    }
}

/// The type that an item names: the reference, else `type` in the platform's
/// namespace (§7.1: `type` is ignored when the reference is set).
pub(crate) fn type_of(item: &Map<String, Value>) -> Option<ItemType> {
    if let Some(reference) = item.get("itemTypeDefinitionRef") {
        let text = |key: &str| reference.get(key).and_then(Value::as_str).map(str::to_owned);
        return Some(ItemType { namespace: text("namespace")?, name: text("name")? });
    }
    let name = item.get("type")?.as_str()?;
    Some(ItemType { namespace: PLATFORM.to_owned(), name: name.to_owned() })
}
