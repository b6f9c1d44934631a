//! The field-by-field difference of two documents, for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::domain::canon;

/// How many changes are listed. A person reads tens; the list is kept with the
/// history of an item.
pub const MAX_CHANGES: usize = 1000;

/// A field in which two documents differ. `live` and `wanted` are not both
/// `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// The field, as an RFC 6901 pointer. An element of a list that only the
    /// live document has is named by its index there; every other by its index
    /// in the wanted one.
    pub pointer: String,
    /// What is there; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub live: Option<Value>,
    /// What should be there; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub wanted: Option<Value>,
}

/// A `null` that was written is one; serde would read it as nothing.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Where `live` lacks what `wanted` states, by the rules of [`canon::agrees`]:
/// empty exactly if they agree. At most [`MAX_CHANGES`], in the order of the
/// field names and of the lists.
///
/// Elements of a list that all carry a `name` of their own are matched by it;
/// if only their order differs, the change of the list shows the two orders of
/// names.
pub fn delta(live: &Value, wanted: &Value) -> Vec<FieldChange> {
    compare(Fields::Stated, live, wanted)
}

/// The same, and the fields that only `live` has; `null` and absent differ.
/// For two versions of one file. Empty exactly if both are the same
/// ([`canon::same`]).
pub fn full_delta(live: &Value, wanted: &Value) -> Vec<FieldChange> {
    compare(Fields::All, live, wanted)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    Stated,
    All,
}

fn compare(fields: Fields, live: &Value, wanted: &Value) -> Vec<FieldChange> {
    let mut walk = Walk { fields, pointer: String::new(), changes: Vec::new() };
    walk.value(Some(live), Some(wanted));
    walk.changes
}

struct Walk {
    fields: Fields,
    pointer: String,
    changes: Vec<FieldChange>,
}

impl Walk {
    /// One field; not both are `None`.
    fn value(&mut self, live: Option<&Value>, wanted: Option<&Value>) {
        match (live, wanted) {
            (Some(Value::Object(live)), Some(Value::Object(wanted))) => self.object(live, wanted),
            (Some(Value::Array(live)), Some(Value::Array(wanted))) => self.list(live, wanted),
            (Some(live), Some(wanted)) if canon::same(live, wanted) => {}
            (None, Some(Value::Null)) if self.fields == Fields::Stated => {}
            (live, wanted) => self.change(live.cloned(), wanted.cloned()),
        }
    }

    fn object(&mut self, live: &Map<String, Value>, wanted: &Map<String, Value>) {
        // Ordered here, whatever the order of the maps.
        let mut keys: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
        for (key, value) in wanted {
            keys.insert(key, (live.get(key), Some(value)));
        }
        if self.fields == Fields::All {
            for (key, value) in live {
                keys.entry(key).or_insert((Some(value), None));
            }
        }
        for (key, (live, wanted)) in keys {
            self.step(&key.replace('~', "~0").replace('/', "~1"), live, wanted);
        }
    }

    fn list(&mut self, live: &[Value], wanted: &[Value]) {
        if let (Some(live_names), Some(wanted_names)) = (names(live), names(wanted)) {
            return self.named(live, &live_names, wanted, &wanted_names);
        }
        for index in 0..live.len().max(wanted.len()) {
            self.element(index, live.get(index), wanted.get(index));
        }
    }

    fn named<'a>(
        &mut self,
        live: &[Value],
        live_names: &[&'a str],
        wanted: &[Value],
        wanted_names: &[&'a str],
    ) {
        let positions = |names: &[&'a str]| -> BTreeMap<&'a str, usize> {
            names.iter().enumerate().map(|(index, name)| (*name, index)).collect()
        };
        let (in_live, in_wanted) = (positions(live_names), positions(wanted_names));
        for (index, (element, name)) in wanted.iter().zip(wanted_names).enumerate() {
            let twin = in_live.get(name).and_then(|twin| live.get(*twin));
            self.element(index, twin, Some(element));
        }
        for (index, (element, name)) in live.iter().zip(live_names).enumerate() {
            if !in_wanted.contains_key(name) {
                self.element(index, Some(element), None);
            }
        }
        let common = |names: &[&'a str], other: &BTreeMap<&str, usize>| -> Vec<&'a str> {
            names.iter().copied().filter(|name| other.contains_key(name)).collect()
        };
        if common(live_names, &in_wanted) != common(wanted_names, &in_live) {
            self.change(Some(live_names.to_vec().into()), Some(wanted_names.to_vec().into()));
        }
    }

    /// One element of a list. In a list nothing and `null` differ: the lengths
    /// do.
    fn element(&mut self, index: usize, live: Option<&Value>, wanted: Option<&Value>) {
        if live.is_some() && wanted.is_some() {
            self.step(&index.to_string(), live, wanted);
        } else {
            let length = self.pointer.len();
            self.pointer.push('/');
            self.pointer.push_str(&index.to_string());
            self.change(live.cloned(), wanted.cloned());
            self.pointer.truncate(length);
        }
    }

    fn step(&mut self, step: &str, live: Option<&Value>, wanted: Option<&Value>) {
        if self.changes.len() >= MAX_CHANGES {
            return;
        }
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(step);
        self.value(live, wanted);
        self.pointer.truncate(length);
    }

    fn change(&mut self, live: Option<Value>, wanted: Option<Value>) {
        if self.changes.len() < MAX_CHANGES {
            self.changes.push(FieldChange { pointer: self.pointer.clone(), live, wanted });
        }
    }
}

/// The names of the elements, if each is an object with a `name` that no other
/// has.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Option<Vec<&str>> =
        list.iter().map(|element| element.get("name")?.as_str()).collect();
    let names = names?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair.first() != pair.last()).then_some(names)
}
