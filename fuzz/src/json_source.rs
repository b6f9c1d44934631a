//! A JSON file: any bytes give a document or a problem. Positions are true,
//! and where `serde_json` accepts, both agree.

use marketsync::domain::item::RepoPath;
use marketsync::domain::source::{Format, Outline, Place, parse};
use serde_json::Value;

use super::placed;

/// The most values whose place is checked.
const PLACES: usize = 300;

/// One case: the bytes of a file.
pub fn check(data: &[u8]) {
    let path = RepoPath::new("items/a.json").unwrap();
    let parsed = parse(&path, Format::Json, data);
    let lossy = String::from_utf8_lossy(data);
    let text = lossy.strip_prefix('\u{feff}').unwrap_or(&lossy);
    placed::has_value_or_error(parsed.value.as_ref(), &parsed.problems);
    placed::problems_lie_within(text, &parsed.problems);
    let oracle =
        std::str::from_utf8(data).ok().and_then(|_| serde_json::from_str::<Value>(text).ok());
    let says = |words: &str| parsed.problems.iter().any(|problem| problem.message.contains(words));
    match (&parsed.value, oracle) {
        (Some(value), Some(oracle)) => assert_eq!(*value, oracle),
        (Some(_), None) => assert!(says("trailing comma"), "only we accept it"),
        (None, Some(_)) => assert!(
            says("stands twice")
                || says("same key twice")
                || says("64 bits")
                || says("deeper than"),
            "only serde_json accepts it: {:#?}",
            parsed.problems
        ),
        (None, None) => {}
    }
    let outline = Outline::new(Format::Json, &lossy);
    if let Some(span) = outline.nearest("/itemId/0") {
        placed::span_lies_within(text, &span);
    }
    let Some(document) = &parsed.value else { return };
    for (pointer, key, value) in placed::values(document, PLACES) {
        let span = outline.find(&pointer, Place::Value);
        let span = span.unwrap_or_else(|| panic!("{pointer:?} has no place"));
        placed::span_lies_within(text, &span);
        let there = &text[span.offset..];
        match value {
            Value::Object(_) => assert!(there.starts_with('{'), "{pointer:?} {span:?}"),
            Value::Array(_) => assert!(there.starts_with('['), "{pointer:?} {span:?}"),
            scalar => {
                let first = serde_json::Deserializer::from_str(there).into_iter::<Value>().next();
                assert_eq!(first.unwrap().unwrap(), *scalar, "{pointer:?} {span:?}");
            }
        }
        let Some(key) = key else { continue };
        let span = outline.find(&pointer, Place::Key).unwrap();
        placed::span_lies_within(text, &span);
        let first =
            serde_json::Deserializer::from_str(&text[span.offset..]).into_iter::<String>().next();
        assert_eq!(first.unwrap().unwrap(), key, "{pointer:?} {span:?}");
    }
}
