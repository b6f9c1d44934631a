//! From the documents on both sides to the fields that change.

use serde_json::{Map, Value};

use crate::domain::delta::{FieldChange, delta, delta_since, full_delta, is_cut};
use crate::domain::diff::mask::Mask;
use crate::domain::diff::{Edit, Field, Fields, Left, Picture};
use crate::domain::item::ImageSlot;
use crate::domain::source::{Outline, Position};

/// What is there, and what will be there, in one shape: [`crate::domain::compare::views`]
/// of a live document, else the documents of two files.
#[derive(Debug, Clone, Default)]
pub struct Sides {
    /// What is there; none if the item is new.
    pub before: Option<Value>,
    /// What will be there.
    pub after: Value,
    /// What was applied last, in the shape of the live document; where it is
    /// known, edits and drift are told apart.
    pub recorded: Option<Value>,
    /// The pictures that change.
    pub pictures: Vec<Pair>,
}

/// One picture of an item on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Which of its pictures.
    pub slot: ImageSlot,
    /// The one that is there.
    pub from: Option<Picture>,
    /// The one that will be there.
    pub to: Option<Picture>,
}

/// What changes from the left side to the right one. Of a live document only
/// what is stated counts ([`crate::domain::canon::agrees`]).
pub fn fields(left: Left, sides: &Sides, mask: &Mask, file: Option<&Outline<'_>>) -> Fields {
    let nothing = Value::Object(Map::new());
    let before = sides.before.as_ref().map_or_else(|| nothing.clone(), without_pictures);
    let after = without_pictures(&sides.after);
    let changes = match (left, &sides.recorded) {
        (Left::Live, Some(recorded)) => delta_since(&before, &after, &without_pictures(recorded)),
        (Left::Live, None) => delta(&before, &after),
        (Left::Recorded | Left::Revision | Left::Nothing, _) => full_delta(&before, &after),
    };
    let more = is_cut(&changes);
    let shown = Shown { before: mask.document(&before), after: mask.document(&after) };
    let pictures = sides.pictures.iter().map(|pair| picture(pair, file));
    let changes = changes.into_iter().map(|change| shown.field(change, file));
    Fields::Listed { left, fields: pictures.chain(changes).collect(), more }
}

/// A picture counts by its bytes, not by where they lie.
fn without_pictures(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(object) = document.as_object_mut() {
        for slot in ImageSlot::ALL {
            object.remove(slot.field());
        }
    }
    document
}

fn picture(pair: &Pair, file: Option<&Outline<'_>>) -> Field {
    let pointer = format!("/{}", pair.slot.field());
    Field {
        name: pair.slot.field().to_owned(),
        at: pair.to.as_ref().and_then(|_| place(file?, &pointer)),
        pointer,
        cause: None,
        edit: Edit::Picture { from: pair.from.clone(), to: pair.to.clone() },
    }
}

/// Both documents as they may be seen.
struct Shown {
    before: Value,
    after: Value,
}

impl Shown {
    fn field(&self, change: FieldChange, file: Option<&Outline<'_>>) -> Field {
        let at = match &change.wanted {
            Some(_) => change.pointer.as_str(),
            None => change.pointer.rsplit_once('/').map_or("", |(around, _)| around),
        };
        let at = file.filter(|_| !at.is_empty()).and_then(|file| place(file, at));
        let edit = if change.reordered {
            Edit::Reordered { from: texts(change.live.as_ref()), to: texts(change.wanted.as_ref()) }
        } else {
            let from = change.live.and_then(|_| self.before.pointer(&change.live_pointer));
            let to = change.wanted.and_then(|_| self.after.pointer(&change.pointer));
            edit(from.cloned(), to.cloned())
        };
        Field { name: change.name, pointer: change.pointer, at, cause: change.cause, edit }
    }
}

fn edit(from: Option<Value>, to: Option<Value>) -> Edit {
    match (from, to) {
        (Some(from), Some(to)) if from == to => Edit::Masked { value: to },
        (Some(from), Some(to)) => Edit::Replaced { from, to },
        (Some(from), None) => Edit::Removed { from },
        (None, to) => Edit::Added { to: to.unwrap_or_default() },
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Where the file states a field. The type has two spellings, and is compared
/// in the longer one.
fn place(file: &Outline<'_>, pointer: &str) -> Option<Position> {
    let is_type = pointer.starts_with("/itemTypeDefinitionRef");
    let found = if is_type && file.nearest("/itemTypeDefinitionRef").is_none_or(|at| at.offset == 0)
    {
        file.nearest("/type")
    } else {
        file.nearest(pointer)
    };
    found.map(|span| span.position)
}
