//! What one generation of a catalogue holds. Every file of it says which one
//! it is, so that a mix of two shows wherever it ends up.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::documents::{pretty, set, sidecar};
use crate::support::market::PNG;

/// Items in every generation; the others come and go.
const STEADY: u64 = 24;

/// Items that only even generations have, and as many that only odd ones have.
const PASSING: u64 = 6;

/// Steady items with a picture.
const PICTURED: u64 = 6;

/// How many items each generation has.
pub(crate) const ITEMS: u64 = STEADY + PASSING;

/// The last bytes of a picture.
pub(crate) const END: &str = "  end";

/// A number that follows from the generation, so that half a number shows.
fn check(generation: u64) -> u64 {
    generation.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}

/// What an item says of itself.
fn words(generation: u64) -> String {
    format!("generation {generation} check {}.", check(generation))
}

/// The generation of a text; none if it is torn.
fn generation_of(text: &str) -> Option<u64> {
    let number = text.strip_prefix("generation ")?.split(' ').next()?.parse().ok()?;
    (text == words(number)).then_some(number)
}

/// The generation of a document; none if it is of more than one.
pub(crate) fn of_document(document: &Value) -> Option<u64> {
    let generation = generation_of(document["description"].as_str()?)?;
    let tag = document.pointer("/resources/dockerImage")?.as_str()?;
    (tag == format!("ghcr.io/my-sidecar:{generation}.{}", check(generation))).then_some(generation)
}

/// The generation of a picture; none if it is torn.
pub(crate) fn of_picture(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes.strip_prefix(PNG)?).ok()?;
    generation_of(text.strip_suffix(END)?.strip_prefix("; ")?.trim_end_matches(' '))
}

fn steady(number: u64) -> String {
    format!("steady-{number:02}")
}

fn passing(generation: u64, number: u64) -> String {
    format!("{}-{number}", if generation.is_multiple_of(2) { "even" } else { "odd" })
}

/// `item version` of all items of a generation.
pub(crate) fn names(generation: u64) -> BTreeSet<String> {
    let passing = (0..PASSING).map(|number| passing(generation, number));
    (0..STEADY).map(steady).chain(passing).map(|id| format!("{id} NA")).collect()
}

/// Whether an item has a picture.
pub(crate) fn is_pictured(name: &str) -> bool {
    (0..PICTURED).any(|number| name == format!("{} NA", steady(number)))
}

/// Every file of a generation, by its path.
pub(crate) fn files(generation: u64) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut item = |id: &str, folder: String, picture: Option<String>| {
        let mut document = set(sidecar(id), "/description", words(generation));
        let tag = format!("ghcr.io/my-sidecar:{generation}.{}", check(generation));
        document["resources"]["dockerImage"] = tag.into();
        document["$schema"] = "../../schemas/item.schema.json".into();
        if let Some(picture) = picture {
            document["image"] = json!({ "localPath": format!("../../{picture}") });
        }
        files.push((format!("items/{folder}/{id}.json"), pretty(&document).into_bytes()));
    };
    for number in 0..STEADY {
        // One in four moves to another folder with each generation.
        let moved = if number.is_multiple_of(4) { generation % 3 } else { 0 };
        let picture = (number < PICTURED).then(|| format!("pictures/{number}.png"));
        item(&steady(number), format!("f{}", (number + moved) % 5), picture);
    }
    for number in 0..PASSING {
        let folder = if generation.is_multiple_of(2) { "even" } else { "odd" };
        item(&passing(generation, number), folder.to_owned(), None);
    }
    for number in 0..PICTURED {
        let text = format!("; {}", words(generation));
        let padding = " ".repeat(2000);
        files.push((
            format!("pictures/{number}.png"),
            [PNG, text.as_bytes(), padding.as_bytes(), END.as_bytes()].concat(),
        ));
    }
    let schema = json!({ "properties": { "description": { "const": words(generation) } } });
    files.push(("schemas/item.schema.json".to_owned(), schema.to_string().into_bytes()));
    files
}
