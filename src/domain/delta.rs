//! The field-by-field difference of two documents, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::domain::canon;

/// How many changes are listed. A person reads tens; the list is kept with the
/// history of an item.
pub const MAX_CHANGES: usize = 1000;

/// How many bytes the names of all changes may have together: a key may be as
/// long as a file, and stands in the name of each field below it.
const MAX_NAMES: usize = 256 * 1024;

/// Whether a list of changes reached a limit, so that there may be more.
pub fn is_cut(changes: &[FieldChange]) -> bool {
    changes.len() >= MAX_CHANGES
        || changes.iter().map(FieldChange::names).sum::<usize>() >= MAX_NAMES
}

impl FieldChange {
    /// How many bytes its names have.
    fn names(&self) -> usize {
        self.pointer.len() + self.live_pointer.len() + self.name.len()
    }
}

/// A field in which two documents differ. `live` and `wanted` are not both
/// `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// The field, as an RFC 6901 pointer. An element of a list that only the
    /// live document has is named by its index there; every other by its index
    /// in the wanted one.
    pub pointer: String,
    /// The same field in the live document: only the indexes of elements that
    /// were matched by name differ.
    pub live_pointer: String,
    /// The field for people: `resources.services[proxy].image`. The name of an
    /// element stands for its index where it was matched by it.
    pub name: String,
    /// Whether only the order of a list differs; then both sides are lists of
    /// names.
    pub reordered: bool,
    /// Who changed it, where a third document says what was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What is there; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub live: Option<Value>,
    /// What should be there; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub wanted: Option<Value>,
}

/// Who changed a field since it was applied last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The source.
    Edit,
    /// Somebody else, in the marketplace.
    Drift,
    /// Both, each to another value.
    Both,
}

/// A `null` that was written is one; serde would read it as nothing.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Where `live` lacks what `wanted` states, by the rules of [`canon::agrees`]:
/// empty exactly if they agree. At most [`MAX_CHANGES`], in the order of the
/// field names and of the lists.
///
/// Elements of a list that all carry a `name` of their own are matched by it,
/// and different texts by themselves; if only their order differs, the change of the list shows the two orders of
/// names.
pub fn delta(live: &Value, wanted: &Value) -> Vec<FieldChange> {
    compare(Fields::Stated, live, wanted, None)
}

/// The same, and the fields that `recorded` states, `wanted` does not any more,
/// and `live` still has: an edit that only removes a field shows in nothing
/// else. Each change says whether it is the edit of `recorded` to `wanted`, or
/// somebody else's.
pub fn delta_since(live: &Value, wanted: &Value, recorded: &Value) -> Vec<FieldChange> {
    compare(Fields::Stated, live, wanted, Some(recorded))
}

/// The same as [`delta`], and the fields that only `live` has; `null` and
/// absent differ. For two versions of one file. Empty exactly if both are the
/// same ([`canon::same`]).
pub fn full_delta(live: &Value, wanted: &Value) -> Vec<FieldChange> {
    compare(Fields::All, live, wanted, None)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    Stated,
    All,
}

fn compare(
    fields: Fields,
    live: &Value,
    wanted: &Value,
    recorded: Option<&Value>,
) -> Vec<FieldChange> {
    let mut walk = Walk { fields, at: Field::default(), changes: Vec::new(), names: 0 };
    let recorded = recorded.map_or(Recorded::Unknown, |value| Recorded::Known(Some(value)));
    walk.value(Some(live), Some(wanted), recorded);
    walk.changes
}

/// What was applied last, at the field where a walk is.
#[derive(Debug, Clone, Copy)]
enum Recorded<'a> {
    /// Nobody knows.
    Unknown,
    /// This; or nothing.
    Known(Option<&'a Value>),
}

impl<'a> Recorded<'a> {
    fn and_then(self, step: impl FnOnce(&'a Value) -> Option<&'a Value>) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Known(value) => Self::Known(value.and_then(step)),
        }
    }

    /// The elements of a list by their names; the first of each.
    fn elements(self) -> BTreeMap<&'a str, &'a Value> {
        let Self::Known(Some(Value::Array(list))) = self else { return BTreeMap::new() };
        let named = |element: &'a Value| {
            let name = element.as_str().or_else(|| element.get("name")?.as_str())?;
            Some((name, element))
        };
        list.iter().rev().filter_map(named).collect()
    }

    fn states(self, key: &str) -> bool {
        matches!(self, Self::Known(Some(value)) if value.get(key).is_some())
    }

    fn cause(self, live: Option<&Value>, wanted: Option<&Value>) -> Option<Cause> {
        let Self::Known(recorded) = self else { return None };
        let is = |side: Option<&Value>| match (recorded, side) {
            (Some(recorded), Some(side)) => canon::same(recorded, side),
            (None, None) => true,
            _ => false,
        };
        Some(match (is(wanted), is(live)) {
            (true, _) => Cause::Drift,
            (false, true) => Cause::Edit,
            (false, false) => Cause::Both,
        })
    }
}

/// Where a walk is, in each of the spellings of a [`FieldChange`].
#[derive(Default)]
struct Field {
    pointer: String,
    live_pointer: String,
    name: String,
}

/// One step down, in each spelling.
enum Step<'a> {
    /// Into a member of an object.
    Key(&'a str),
    /// Into an element of a list, in the wanted and in the live one.
    Index(usize, usize),
    /// The same, matched by this name.
    Named(&'a str, usize, usize),
}

impl Field {
    fn lengths(&self) -> [usize; 3] {
        [self.pointer.len(), self.live_pointer.len(), self.name.len()]
    }

    fn back(&mut self, [pointer, live_pointer, name]: [usize; 3]) {
        self.pointer.truncate(pointer);
        self.live_pointer.truncate(live_pointer);
        self.name.truncate(name);
    }

    /// Writing to a `String` cannot fail.
    fn push(&mut self, step: &Step<'_>) {
        match *step {
            Step::Key(key) => {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                let _ = write!(self.pointer, "/{escaped}");
                let _ = write!(self.live_pointer, "/{escaped}");
                let dot = if self.name.is_empty() { "" } else { "." };
                let _ = if is_plain(key) {
                    write!(self.name, "{dot}{key}")
                } else {
                    write!(self.name, "[{}]", Value::from(key))
                };
            }
            Step::Index(wanted, live) => {
                self.push_index(wanted, live);
                let _ = write!(self.name, "[{wanted}]");
            }
            Step::Named(name, wanted, live) => {
                self.push_index(wanted, live);
                let _ = if is_plain(name) {
                    write!(self.name, "[{name}]")
                } else {
                    write!(self.name, "[{}]", Value::from(name))
                };
            }
        }
    }

    fn push_index(&mut self, wanted: usize, live: usize) {
        let _ = write!(self.pointer, "/{wanted}");
        let _ = write!(self.live_pointer, "/{live}");
    }
}

/// Whether a word cannot be read as anything but one.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    let is_index = word.bytes().all(|byte| byte.is_ascii_digit());
    !word.is_empty() && !is_index && word.chars().all(plain)
}

struct Walk {
    fields: Fields,
    at: Field,
    changes: Vec<FieldChange>,
    /// How many bytes the names of the changes have.
    names: usize,
}

impl Walk {
    /// One field; not both sides are `None`.
    fn value(&mut self, live: Option<&Value>, wanted: Option<&Value>, recorded: Recorded<'_>) {
        match (live, wanted) {
            (Some(Value::Object(live)), Some(Value::Object(wanted))) => {
                self.object(live, wanted, recorded);
            }
            (Some(Value::Array(live)), Some(Value::Array(wanted))) => {
                self.list(live, wanted, recorded);
            }
            (Some(live), Some(wanted)) if canon::same(live, wanted) => {}
            (None, Some(Value::Null)) if self.fields == Fields::Stated => {}
            (live, wanted) => self.change(live, wanted, recorded.cause(live, wanted)),
        }
    }

    fn object(
        &mut self,
        live: &Map<String, Value>,
        wanted: &Map<String, Value>,
        recorded: Recorded<'_>,
    ) {
        // Ordered here, whatever the order of the maps.
        let mut keys: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
        for (key, value) in wanted {
            keys.insert(key, (live.get(key), Some(value)));
        }
        for (key, value) in live {
            if self.fields == Fields::All || recorded.states(key) {
                keys.entry(key).or_insert((Some(value), None));
            }
        }
        for (key, (live, wanted)) in keys {
            let recorded = recorded.and_then(|value| value.get(key));
            self.step(&Step::Key(key), live, wanted, recorded);
        }
    }

    fn list(&mut self, live: &[Value], wanted: &[Value], recorded: Recorded<'_>) {
        if let (Some(in_live), Some(in_wanted)) = (names(live), names(wanted)) {
            return self.named((live, &in_live), (wanted, &in_wanted), recorded);
        }
        for index in 0..live.len().max(wanted.len()) {
            let recorded = recorded.and_then(|value| value.get(index));
            let step = Step::Index(index, index);
            self.element(&step, live.get(index), wanted.get(index), recorded);
        }
    }

    fn named<'a>(
        &mut self,
        (live, in_live): (&[Value], &[&'a str]),
        (wanted, in_wanted): (&[Value], &[&'a str]),
        recorded: Recorded<'_>,
    ) {
        let (live_places, wanted_places) = (places(in_live), places(in_wanted));
        let twins = recorded.elements();
        let twin = |name: &str| recorded.and_then(|_| twins.get(name).copied());
        for (index, (element, name)) in wanted.iter().zip(in_wanted).enumerate() {
            let place = live_places.get(name).copied();
            let step = Step::Named(name, index, place.unwrap_or(index));
            let live = place.and_then(|place| live.get(place));
            self.element(&step, live, Some(element), twin(name));
        }
        for (index, (element, name)) in live.iter().zip(in_live).enumerate() {
            if !wanted_places.contains_key(name) {
                self.element(&Step::Named(name, index, index), Some(element), None, twin(name));
            }
        }
        let (from, to) = (common(in_live, &wanted_places), common(in_wanted, &live_places));
        if from != to {
            let order =
                |value: &Value| Some(common(&names(value.as_array()?)?, &live_places) == to);
            let cause = match recorded {
                Recorded::Known(Some(value)) if order(value) == Some(true) => Some(Cause::Drift),
                Recorded::Known(_) => Some(Cause::Edit),
                Recorded::Unknown => None,
            };
            self.note(Some(from.into()), Some(to.into()), true, cause);
        }
    }

    /// One element of a list. In a list nothing and `null` differ: the lengths
    /// do.
    fn element(
        &mut self,
        step: &Step<'_>,
        live: Option<&Value>,
        wanted: Option<&Value>,
        recorded: Recorded<'_>,
    ) {
        if live.is_some() && wanted.is_some() {
            self.step(step, live, wanted, recorded);
        } else {
            let before = self.at.lengths();
            self.at.push(step);
            self.change(live, wanted, recorded.cause(live, wanted));
            self.at.back(before);
        }
    }

    fn step(
        &mut self,
        step: &Step<'_>,
        live: Option<&Value>,
        wanted: Option<&Value>,
        recorded: Recorded<'_>,
    ) {
        if self.is_full() {
            return;
        }
        let before = self.at.lengths();
        self.at.push(step);
        self.value(live, wanted, recorded);
        self.at.back(before);
    }

    fn change(&mut self, live: Option<&Value>, wanted: Option<&Value>, cause: Option<Cause>) {
        self.note(live.cloned(), wanted.cloned(), false, cause);
    }

    fn note(
        &mut self,
        live: Option<Value>,
        wanted: Option<Value>,
        reordered: bool,
        cause: Option<Cause>,
    ) {
        if self.is_full() {
            return;
        }
        let Field { pointer, live_pointer, name } = &self.at;
        let change = FieldChange {
            pointer: pointer.clone(),
            live_pointer: live_pointer.clone(),
            name: name.clone(),
            reordered,
            cause,
            live,
            wanted,
        };
        self.names += change.names();
        self.changes.push(change);
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= MAX_CHANGES || self.names >= MAX_NAMES
    }
}

/// Where each of these names stands.
fn places<'a>(names: &[&'a str]) -> BTreeMap<&'a str, usize> {
    names.iter().enumerate().map(|(index, name)| (*name, index)).collect()
}

/// Those of the names that the other list has too.
fn common<'a>(names: &[&'a str], other: &BTreeMap<&str, usize>) -> Vec<&'a str> {
    names.iter().copied().filter(|name| other.contains_key(name)).collect()
}

/// What the elements of a list are known by, if each has something that no
/// other has: its `name`, or, of a list of texts, itself.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let is_text = list.iter().all(Value::is_string);
    let mut names = Vec::with_capacity(list.len());
    for element in list {
        names.push(if is_text { element } else { element.get("name")? }.as_str()?);
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair.first() != pair.last()).then_some(names)
}
