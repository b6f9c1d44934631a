//! One file on its way to an item: who it is, what it is, what is wrong.

use serde_json::{Map, Value};

use crate::domain::item::{
    BlobId, ItemId, ItemKey, ItemType, MAX_VERSION_BYTES, RepoPath, Version,
};
use crate::domain::rules;
use crate::domain::schema::Violation;
use crate::domain::source::{Outline, Place, Problem, Severity, nearest, quote};

/// One file on its way to an item.
pub(super) struct Draft<'a> {
    pub(super) path: &'a RepoPath,
    pub(super) outline: Outline<'a>,
    pub(super) document: Map<String, Value>,
    pub(super) problems: Vec<Problem>,
    pub(super) rests_on: Vec<(RepoPath, Option<BlobId>)>,
}

impl Draft<'_> {
    /// Notes that something is wrong there; more may be said of it.
    pub(super) fn problem(
        &mut self,
        pointer: &str,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Problem {
        let problem = self.outline.problem(self.path, pointer, place, message);
        self.problems.push(problem);
        // A slot was pushed one line above.
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    /// Notes that a schema is broken.
    pub(super) fn violation(&mut self, violation: Violation) {
        let problem = self.problem(&violation.pointer, violation.place, violation.message);
        problem.expected = violation.expected;
        problem.found = violation.found;
        problem.hint = violation.hint;
    }

    /// A top-level text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.document.get(field).and_then(Value::as_str)
    }

    /// Whether something keeps it from being an item.
    pub(super) fn is_broken(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// The type that a document states, if it states one that exists.
pub(super) fn kind(draft: &mut Draft<'_>) -> Option<ItemType> {
    let (item_type, pointer) = match draft.document.get("itemTypeDefinitionRef") {
        Some(reference) => {
            let part = |name| reference.get(name).and_then(Value::as_str);
            let (Some(namespace), Some(name)) = (part("namespace"), part("name")) else {
                draft
                    .problem(
                        "/itemTypeDefinitionRef",
                        Place::Value,
                        "the type needs a namespace and a name",
                    )
                    .hint = Some(
                    "for example {\"namespace\": \"mia-platform\", \"name\": \"sidecar\"}"
                        .to_owned(),
                );
                return None;
            };
            (
                ItemType { namespace: namespace.to_owned(), name: name.to_owned() },
                "/itemTypeDefinitionRef/name",
            )
        }
        None => match draft.document.get("type") {
            Some(Value::String(name)) => (ItemType::platform(name), "/type"),
            Some(_) => {
                draft.problem("/type", Place::Value, "the type is a text").expected =
                    Some("string".to_owned());
                return None;
            }
            None => {
                draft.problem("", Place::Value, "no type").hint =
                    Some("add `type` or `itemTypeDefinitionRef`".to_owned());
                return None;
            }
        },
    };
    if item_type.is_platform() && rules::is_versioned(&item_type.name).is_none() {
        let similar = nearest(&item_type.name, rules::platform_types());
        let hint = similar.map_or_else(
            || "the type of a company is named by itemTypeDefinitionRef with the company as namespace".to_owned(),
            |similar| format!("did you mean `{similar}`?"),
        );
        let known = rules::platform_types().collect::<Vec<_>>().join(", ");
        let message = format!("the platform has no item type {}", quote(&item_type.name));
        let problem = draft.problem(pointer, Place::Value, message);
        problem.expected = Some(known);
        problem.hint = Some(hint);
        return None;
    }
    Some(item_type)
}

/// Who the item is. What has the wrong JSON type is the schema's to report.
pub(super) fn identity(draft: &mut Draft<'_>, item_type: Option<&ItemType>) -> Option<ItemKey> {
    let item_id = draft.text("itemId").map(str::parse::<ItemId>);
    if let Some(Err(invalid)) = &item_id {
        let found = draft.text("itemId").map(quote);
        let problem = draft.problem("/itemId", Place::Value, "this is no item id");
        problem.found = found;
        problem.expected = Some(invalid.to_string());
    }
    let version = match draft.document.get("version") {
        None => Version::Na,
        Some(version) => {
            let name = version.get("name").and_then(Value::as_str)?;
            if name.len() > MAX_VERSION_BYTES {
                let message = format!("version.name has {} bytes", name.len());
                let problem = draft.problem("/version/name", Place::Value, message);
                problem.expected = Some(format!("at most {MAX_VERSION_BYTES} bytes"));
                return None;
            }
            match semver::Version::parse(name) {
                Ok(version) => Version::Named(version),
                Err(why) => {
                    let message = format!("version.name is no semantic version: {why}");
                    let problem = draft.problem("/version/name", Place::Value, message);
                    problem.expected = Some("for example 1.4.0 or 2.0.0-rc.1".to_owned());
                    return None;
                }
            }
        }
    };
    if let Some(item_type) = item_type
        && version.is_named()
        && item_type.is_platform()
        && rules::is_versioned(&item_type.name) == Some(false)
    {
        let message = format!("items of type {item_type} carry no version");
        draft.problem("/version", Place::Key, message).hint =
            Some("remove `version`; its resources may be edited at any time".to_owned());
        return None;
    }
    Some(ItemKey { item_id: item_id?.ok()?, version })
}
