//! The canonical form of a document, its digest, and when two documents agree.
//!
//! The form is RFC 8785 (JCS) but for two points, in which JCS would give two
//! documents that differ one digest, or depends on UTF-16: every integer of 64
//! bits keeps all its digits, and keys are sorted by their UTF-8 bytes.
//! It is stored in ledgers: any change of it makes every item look edited.

mod view;

use serde_json::{Number, Value};

use crate::domain::item::Digest;

pub use view::{Generation, live_view, wanted_view};

/// 2^63 and 2^64 as floats; exact.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

/// The digest of a document: equal exactly if [`canonical`] is.
pub fn digest(document: &Value) -> Digest {
    Digest::of(&canonical(document))
}

/// The canonical form: no white space; keys sorted by their UTF-8 bytes;
/// integers exact, also those written as floats (`1.0` and `1e0` are `1`,
/// `-0.0` is `0`) if 64 bits hold them; other floats as ECMAScript writes them; in texts only
/// `"`, `\` and control characters below U+0020 escaped (`\b` `\t` `\n` `\f`
/// `\r`, else `\u00` and two lower case digits).
///
/// Recursive: the depth of a document is bounded where it is read.
pub fn canonical(document: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(document, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => out.extend(number_text(number).into_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(list) => {
            out.push(b'[');
            for (index, element) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(element, out);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            // Sorted here: whether the map is depends on a feature of
            // serde_json that any dependency could switch on.
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            0x08 => out.extend(b"\\b"),
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            0x0c => out.extend(b"\\f"),
            b'\r' => out.extend(b"\\r"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").into_bytes()),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the ranges are checked just before"
)]
fn number_text(number: &Number) -> String {
    if let Some(integer) = number.as_i64() {
        return integer.to_string();
    }
    if let Some(integer) = number.as_u64() {
        return integer.to_string();
    }
    let Some(float) = number.as_f64() else {
        return number.to_string();
    };
    if float.fract() == 0.0 && (-TWO_POW_63..TWO_POW_63).contains(&float) {
        (float as i64).to_string()
    } else if float.fract() == 0.0 && (TWO_POW_63..TWO_POW_64).contains(&float) {
        (float as u64).to_string()
    } else {
        // ECMA-262 `Number::toString`, as RFC 8785 §3.2.2.3 asks. Rust's own
        // shortest digits are others where two are equally near.
        ryu_js::Buffer::new().format_finite(float).to_owned()
    }
}

/// Whether two scalars, lists or objects are the same: numbers by value, maps
/// unordered, lists ordered.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || number_text(left) == number_text(right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

/// Whether `live` has everything that `wanted` states (`marketplace-api.md`
/// §8.3): fields that only `live` has do not count, at any level; lists are
/// equally long, and their elements agree in their order; numbers agree by
/// value; a stated `null` agrees with an absent field.
///
/// The caller brings both into one shape: [`wanted_view`], [`live_view`].
pub fn agrees(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(key, wanted)| agrees(wanted, live.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len()
                && wanted.iter().zip(live).all(|(wanted, live)| agrees(wanted, live))
        }
        (wanted, live) => same(wanted, live),
    }
}
