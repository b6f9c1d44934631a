//! What was done to one item, for people and for machines.

use serde_json::{Value, json};

use crate::domain::past::{Past, Trail};
use crate::domain::report::json::{VERSION, extended};
use crate::domain::report::text::{counted, line, table};
use crate::domain::status::LastResult;
use crate::domain::text::cut;

/// How much of the name of an author a table shows, in characters.
const AUTHOR_SHOWN: usize = 30;

/// How many differing fields a table names, and how much of each: the outcome
/// stands behind them.
const FIELDS_SHOWN: usize = 3;
const FIELD_CHARS: usize = 40;

/// A table, the newest change first, and a line that counts.
pub fn text(trail: &Trail) -> String {
    let mut out = String::new();
    if !trail.changes.is_empty() {
        let heads = [
            "TIME",
            "VERSION",
            "COMMIT",
            "AUTHOR",
            "CHANGE",
            "FROM",
            "TO",
            "OBJECT ID",
            "FIELDS",
            "OUTCOME",
        ];
        table(&mut out, heads, trail.changes.iter().map(row));
    }
    let shown = counted(trail.changes.len(), "change");
    let older = match trail.older {
        0 => String::new(),
        older => format!(", {} not shown (--limit)", counted(older, "older change")),
    };
    let of = match &trail.version {
        Some(version) => format!("{}@{version}", trail.item_id),
        None => trail.item_id.to_string(),
    };
    line(&mut out, format_args!("{shown} of {of}{older}"));
    out
}

fn row(past: &Past) -> [String; 10] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let outcome = match &past.result {
        LastResult::Done { verb } => verb.to_string(),
        LastResult::Failed { why } => format!("Failed: {why}"),
        LastResult::Rejected { why } => format!("Rejected: {why}"),
    };
    [
        past.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        past.key.version.to_string(),
        past.commit.short().to_owned(),
        or_dash(past.author.as_deref().map(|author| cut(author, AUTHOR_SHOWN))),
        format!("{} ({})", past.action, past.reason),
        or_dash(past.from.map(|digest| digest.short())),
        or_dash(past.to.map(|digest| digest.short())),
        or_dash(past.object_id.clone()),
        or_dash((!past.fields.is_empty()).then(|| fields(&past.fields))),
        outcome,
    ]
}

fn fields(pointers: &[String]) -> String {
    let named = pointers.iter().take(FIELDS_SHOWN).map(|pointer| cut(pointer, FIELD_CHARS));
    let named = named.collect::<Vec<_>>().join(", ");
    match pointers.len().saturating_sub(FIELDS_SHOWN) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The same for programs, whole.
pub fn json(trail: &Trail) -> Value {
    json!({
        "version": VERSION,
        "itemId": trail.item_id,
        "itemVersion": trail.version,
        "changes": trail.changes.iter().map(change).collect::<Vec<_>>(),
        "older": trail.older,
        "error": Value::Null,
    })
}

fn change(past: &Past) -> Value {
    let what = json!({
        "itemId": past.key.item_id,
        "version": past.key.version,
        "at": past.at,
        "commit": past.commit,
        "author": past.author,
        "action": past.action,
        "reason": past.reason,
        "digest": past.to,
        "from": past.from,
        "fields": past.fields,
        "objectId": past.object_id,
    });
    // A result holds texts only: it always serialises.
    extended(what, serde_json::to_value(&past.result).unwrap_or_default())
}
