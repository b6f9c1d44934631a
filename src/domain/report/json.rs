//! Renderings for machines. The shape is documented in `docs/reports.md`; a
//! change that removes or renames a field raises [`VERSION`].

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::event::{Change, Failure, Held, Outcome};
use crate::domain::item::{ItemId, ItemKey, Version};
use crate::domain::report::Report;
use crate::domain::source::Problem;
use crate::domain::status::{ItemStatus, Status};

/// The version of the shape.
pub const VERSION: u32 = 1;

/// A whole report, and why the pass did not come to its end, if it did not.
pub fn report(report: &Report, error: Option<&str>) -> Value {
    json!({
        "version": VERSION,
        "commit": report.commit,
        "items": report.items,
        "unchanged": report.unchanged,
        "applied": report.outcomes.values().filter_map(applied).collect::<Vec<_>>(),
        "failed": report.failures().map(failed).collect::<Vec<_>>(),
        "held": report.held.values().map(held).collect::<Vec<_>>(),
        "unattempted": report.unattempted,
        "unrecorded": report.unrecorded,
        "unseen": report.unseen,
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "error": error.map(|message| json!({ "message": message })),
    })
}

/// The report of a command that could not do its work.
pub fn error(message: &str, hint: Option<&str>) -> Value {
    json!({ "version": VERSION, "error": { "message": message, "hint": hint } })
}

/// Every item that is known.
pub fn status(status: &Status) -> Value {
    let items: Vec<Value> = status
        .items
        .iter()
        .map(|(key, item)| {
            let key = json!({ "itemId": key.item_id, "version": key.version });
            // A status holds texts only: it always serialises.
            extended(key, serde_json::to_value(item).unwrap_or_default())
        })
        .collect();
    json!({ "version": VERSION, "items": items, "error": Value::Null })
}

/// Reads what [`status`] lists as `items`.
///
/// # Errors
/// Where it is something else.
pub fn read_items(items: &Value) -> Result<Status, serde_json::Error> {
    let rows = Vec::<ItemRow>::deserialize(items)?;
    let items = rows
        .into_iter()
        .map(|row| (ItemKey { item_id: row.item_id, version: row.version }, row.status));
    Ok(Status { items: items.collect() })
}

/// One item as [`status`] lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemRow {
    item_id: ItemId,
    version: Version,
    #[serde(flatten)]
    status: ItemStatus,
}

fn change(change: &Change) -> Value {
    json!({
        "itemId": change.key.item_id,
        "version": change.key.version,
        "type": change.wanted.as_ref().map(|item| item.item_type.to_string()),
        "path": change.wanted.as_ref().map(|item| &item.path),
        "action": change.action,
        "reason": change.reason,
        "digest": change.wanted.as_ref().map(|item| item.digest),
        "from": change.from,
        "fields": change.fields,
        "objectId": change.object_id,
    })
}

pub(super) fn extended(base: Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(mut base), Value::Object(more)) => {
            base.extend(more);
            Value::Object(base)
        }
        (base, _) => base,
    }
}

fn applied(outcome: &Outcome) -> Option<Value> {
    let applied = outcome.result.as_ref().ok()?;
    let more = json!({
        "status": applied.verb,
        "objectId": applied.object_id,
        "readBack": applied.read_back,
        "unchangedThere": applied.unchanged_there,
    });
    Some(extended(change(&outcome.change), more))
}

fn failed((outcome, failure): (&Outcome, &Failure)) -> Value {
    let more = match failure {
        Failure::Transient { why, .. } => {
            json!({ "kind": "transient", "error": why, "pointer": Value::Null })
        }
        Failure::Rejected { why, pointer } => {
            json!({ "kind": "rejected", "error": why, "pointer": pointer })
        }
    };
    extended(change(&outcome.change), more)
}

fn held(held: &Held) -> Value {
    extended(change(&held.change), json!({ "hold": held.why, "because": held.why.to_string() }))
}

/// One problem of a file.
pub fn problem(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity,
        "path": problem.path,
        "line": problem.position.map(|position| position.line),
        "column": problem.position.map(|position| position.column),
        "pointer": problem.pointer,
        "message": problem.message,
        "expected": problem.expected,
        "found": problem.found,
        "hint": problem.hint,
    })
}
