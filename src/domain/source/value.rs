//! A [`Value`] out of any self-describing format, with an eye on what serde's
//! own conversion would pass over in silence.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::source::MAX_DEPTH;

/// 2^63: from here on a float may be an integer that did not fit.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// What a key has to be; the text by which an error about one is known.
pub(super) const KEY: &str = "a key that is a text";

/// What one node costs besides its text, in bytes: about what a [`Value`]
/// takes.
const NODE_BYTES: usize = 32;

/// What was seen while a document was read.
#[derive(Debug)]
pub(super) struct Flags {
    /// An object holds a key twice.
    pub(super) duplicate_key: bool,
    /// A number of 2^63 or more came as a float.
    pub(super) huge_number: bool,
    /// Why reading ended early.
    pub(super) stop: Option<Stop>,
    /// How many bytes it may still grow.
    budget: usize,
}

/// Why a document is not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It passes [`MAX_DEPTH`].
    TooDeep,
    /// It outgrows its budget.
    TooLarge,
}

impl Flags {
    /// Nothing seen yet, and so many bytes to spend.
    pub(super) fn new(budget: usize) -> Self {
        Self { duplicate_key: false, huge_number: false, stop: None, budget }
    }

    fn spend<E: Error>(&mut self, text: usize) -> Result<(), E> {
        let Some(rest) = self.budget.checked_sub(text.saturating_add(NODE_BYTES)) else {
            self.stop = Some(Stop::TooLarge);
            return Err(E::custom("the document grows too large"));
        };
        self.budget = rest;
        Ok(())
    }
}

/// One value, at a depth.
pub(super) struct Node<'a> {
    depth: usize,
    flags: &'a mut Flags,
}

impl<'a> Node<'a> {
    /// The whole document.
    pub(super) fn root(flags: &'a mut Flags) -> Self {
        Self { depth: 0, flags }
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.flags.spend(0)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.flags.stop = Some(Stop::TooDeep);
            return Err(E::custom("the document nests too deep"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.flags.spend(0)?;
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.flags.spend(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.flags.spend(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.flags.spend(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.flags.spend(0)?;
        self.flags.huge_number |= value.abs() >= TWO_POW_63;
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that JSON cannot hold"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.flags.spend(value.len())?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.flags.spend(value.len())?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut list = Vec::new();
        while let Some(value) =
            access.next_element_seed(Node { depth: self.depth, flags: self.flags })?
        {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut object = Map::new();
        while let Some(key) = access.next_key_seed(Key)? {
            self.flags.spend(key.len())?;
            let value = access.next_value_seed(Node { depth: self.depth, flags: self.flags })?;
            self.flags.duplicate_key |= object.insert(key, value).is_some();
        }
        Ok(Value::Object(object))
    }
}

/// The key of a member. YAML's numbers, booleans and nulls are refused: JSON
/// has no such keys, and quoting them tacitly would hide a mistake.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KEY)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<String, E> {
        Ok(value)
    }
}
