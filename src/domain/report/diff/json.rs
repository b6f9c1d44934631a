//! For programs: everything, and values whole. The shape is documented in
//! `docs/diff.md` and `docs/diff.schema.json`.

use serde_json::{Value, json};

use crate::domain::diff::{
    Against, Comparison, Diff, Edit, Entry, Field, Fields, Hunk, Left, Picture,
};
use crate::domain::report::diff::words::Tally;
use crate::domain::report::json::{VERSION, problem};

/// The whole report.
pub fn diff(diff: &Diff) -> Value {
    let tally = Tally::of(diff);
    json!({
        "version": VERSION,
        "head": diff.head,
        "against": against(&diff.against),
        "verdict": match diff.verdict() {
            Comparison::Same => "same",
            Comparison::Different => "different",
            Comparison::Incomplete => "incomplete",
            Comparison::Guarded => "guarded",
        },
        "summary": {
            "items": diff.items,
            "create": tally.create,
            "update": tally.update,
            "delete": tally.delete,
            "adopt": tally.adopt,
            "forget": tally.forget,
            "held": tally.held,
            "unchanged": diff.unchanged,
            "unseen": diff.unseen,
        },
        "entries": diff.entries.iter().map(entry).collect::<Vec<_>>(),
        "problems": diff.problems.iter().map(problem).collect::<Vec<_>>(),
        "notes": diff.notes,
        "plan": diff.plan,
        "error": Value::Null,
    })
}

fn against(against: &Against) -> Value {
    match against {
        Against::Live { endpoint, company } => {
            json!({ "what": "live", "endpoint": endpoint, "company": company })
        }
        Against::Recorded { endpoint, company } => {
            json!({ "what": "recorded", "endpoint": endpoint, "company": company })
        }
        Against::Revision { asked, commit, merge_base } => {
            json!({ "what": "revision", "asked": asked, "commit": commit, "mergeBase": merge_base })
        }
    }
}

fn entry(entry: &Entry) -> Value {
    let (left, fields, more, unknown) = match &entry.fields {
        Fields::None => (None, Vec::new(), false, None),
        Fields::Unknown { why } => (None, Vec::new(), false, Some(why)),
        Fields::Listed { left, fields, more } => {
            (Some(name(*left)), fields.iter().map(field).collect(), *more, None)
        }
    };
    json!({
        "itemId": entry.key.item_id,
        "version": entry.key.version,
        "type": entry.item_type.as_ref().map(ToString::to_string),
        "path": entry.path,
        "action": entry.action,
        "reason": entry.reason,
        "hold": entry.hold,
        "because": entry.hold.as_ref().map(ToString::to_string),
        "digest": entry.to,
        "from": entry.from,
        "objectId": entry.object_id,
        "left": left,
        "fields": fields,
        "more": more,
        "unknown": unknown,
    })
}

fn name(left: Left) -> &'static str {
    match left {
        Left::Live => "live",
        Left::Recorded => "recorded",
        Left::Revision => "revision",
        Left::Nothing => "nothing",
    }
}

fn field(field: &Field) -> Value {
    let mut value = json!({
        "name": field.name,
        "pointer": field.pointer,
        "position": field.at,
        "cause": field.cause,
    });
    let (kind, sides) = match &field.edit {
        Edit::Added { to } => ("added", vec![("to", to.clone())]),
        Edit::Removed { from } => ("removed", vec![("from", from.clone())]),
        Edit::Replaced { from, to } => {
            let masked = ("maskedLines", Value::from(false));
            ("replaced", vec![("from", from.clone()), ("to", to.clone()), masked])
        }
        Edit::Text { from, to, .. } if from == to => ("masked", vec![("value", json!(to))]),
        Edit::Text { from, to, hunks } => {
            let masked = ("maskedLines", Value::from(hides(hunks)));
            ("replaced", vec![("from", json!(from)), ("to", json!(to)), masked])
        }
        Edit::Masked { value } => ("masked", vec![("value", value.clone())]),
        Edit::Reordered { from, to } => {
            ("reordered", vec![("from", json!(from)), ("to", json!(to))])
        }
        Edit::Picture { from, to } => {
            ("picture", vec![("from", picture(from.as_ref())), ("to", picture(to.as_ref()))])
        }
    };
    if let Some(object) = value.as_object_mut() {
        object.insert("kind".to_owned(), Value::from(kind));
        object.extend(sides.into_iter().map(|(side, value)| (side.to_owned(), value)));
    }
    value
}

fn hides(hunks: &[Hunk]) -> bool {
    hunks.iter().any(|hunk| hunk.lines.iter().any(|line| line.hides))
}

fn picture(picture: Option<&Picture>) -> Value {
    picture.map_or(
        Value::Null,
        |picture| json!({ "digest": picture.digest, "size": picture.size, "path": picture.path }),
    )
}
