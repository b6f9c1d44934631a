//! A field that changes as lines, each with its sign: what the renderings for
//! people show of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::diff::{Edit, Field, Hunk, Line, LineKind, Picture};
use crate::domain::mask::MASK;
use crate::domain::report::diff::safe::{LINE_CHARS, shown, shown_pair, visible};

/// The most lines of a field: two screens. Who wants more wants the file, or
/// the JSON, which is whole.
const FIELD_LINES: usize = 120;

/// The most lines of a text in a new item: what kind of text it is shows in
/// its beginning, and all of it is in the file.
const NEW_TEXT_LINES: usize = 12;

/// How many neighbours a long list shows before the first name that moves.
const SAME_NAMES: usize = 2;

/// How a line is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Both sides have it.
    Same,
    /// It is there.
    Removed,
    /// It will be there.
    Added,
    /// It changes, and what changes is not shown.
    Changed,
    /// Where in a text the next lines are.
    Place,
    /// What is not shown.
    More,
}

/// One line of a field, harmless in a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) sign: Sign,
    pub(super) text: String,
}

impl Row {
    fn new(sign: Sign, text: String) -> Self {
        Self { sign, text }
    }

    /// The sign as a character. Systems that run a pipeline take a line that
    /// begins with `::` for a command, whatever spaces stand before it: such a
    /// line, the same on both sides, gets a sign that can be seen.
    pub(super) fn mark(&self) -> &'static str {
        match self.sign {
            Sign::Same if self.text.trim_start().starts_with("::") => "|",
            Sign::Same => " ",
            Sign::Removed => "-",
            Sign::Added => "+",
            Sign::Changed => "~",
            Sign::Place | Sign::More => "",
        }
    }

    /// The whole line.
    pub(super) fn line(&self) -> String {
        match self.mark() {
            "" => self.text.clone(),
            mark => format!("{mark} {}", self.text).trim_end().to_owned(),
        }
    }
}

/// The lines of a field; `is_new` if it is one of a new item.
pub(super) fn rows(field: &Field, is_new: bool) -> Vec<Row> {
    match &field.edit {
        Edit::Added { to } => value(Sign::Added, to, is_new),
        Edit::Removed { from } => value(Sign::Removed, from, false),
        Edit::Replaced { from, to } => replaced(from, to),
        Edit::Text { hunks, .. } => bounded(hunks.iter().flat_map(hunk).collect(), FIELD_LINES),
        Edit::Masked { value } => vec![Row::new(Sign::Changed, masked(value))],
        Edit::Reordered { from, to } => reordered(from, to),
        Edit::Picture { from, to } => {
            let row = |sign, side: Option<&Picture>| side.map(|side| Row::new(sign, picture(side)));
            [row(Sign::Removed, from.as_ref()), row(Sign::Added, to.as_ref())]
                .into_iter()
                .flatten()
                .collect()
        }
    }
}

fn replaced(from: &Value, to: &Value) -> Vec<Row> {
    match (from, to) {
        (Value::String(from), Value::String(to)) => {
            let (from, to) = shown_pair(from, to);
            vec![Row::new(Sign::Removed, from), Row::new(Sign::Added, to)]
        }
        (from, to) => {
            let mut rows = value(Sign::Removed, from, false);
            rows.extend(value(Sign::Added, to, false));
            rows
        }
    }
}

/// A whole value: a text of several lines as these, all else as JSON.
fn value(sign: Sign, value: &Value, is_new: bool) -> Vec<Row> {
    let (lines, limit): (Vec<String>, usize) = match value {
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            let limit = if is_new { NEW_TEXT_LINES } else { FIELD_LINES };
            (text.lines().map(shown).collect(), limit)
        }
        Value::Array(list) if list.iter().all(is_scalar) && short(value) => {
            (vec![visible(value)], 1)
        }
        Value::Array(_) | Value::Object(_) => {
            let mut lines = Vec::new();
            pretty(value, &Place { indent: 0, key: String::new(), comma: "" }, &mut lines);
            (lines, FIELD_LINES)
        }
        scalar => (vec![visible(scalar)], 1),
    };
    bounded(lines.into_iter().map(|line| Row::new(sign, line)).collect(), limit)
}

/// Where a value stands in the object or list around it.
struct Place {
    indent: usize,
    /// `"key": ` of a member.
    key: String,
    /// What follows it.
    comma: &'static str,
}

/// JSON as it is usually laid out, but that a text of several lines stands
/// below its key as a block: an embedded file is read line by line.
fn pretty(value: &Value, place: &Place, out: &mut Vec<String>) {
    let Place { indent, key, comma } = place;
    let space = " ".repeat(*indent);
    let (members, ends): (Vec<(String, &Value)>, _) = match value {
        Value::Object(object) if !object.is_empty() => {
            let key = |key: &String| format!("{}: ", Value::from(key.as_str()));
            (object.iter().map(|(name, value)| (key(name), value)).collect(), ("{", "}"))
        }
        Value::Array(list) if !list.is_empty() => {
            (list.iter().map(|value| (String::new(), value)).collect(), ("[", "]"))
        }
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            out.push(shown(&format!("{space}{key}|")));
            out.extend(text.lines().map(|line| shown(&format!("{space}  {line}"))));
            return;
        }
        scalar => {
            out.push(shown(&format!("{space}{key}{scalar}{comma}")));
            return;
        }
    };
    out.push(shown(&format!("{space}{key}{}", ends.0)));
    let last = members.len() - 1;
    for (index, (key, value)) in members.into_iter().enumerate() {
        let comma = if index < last { "," } else { "" };
        pretty(value, &Place { indent: indent + 2, key, comma }, out);
    }
    out.push(format!("{space}{}{comma}", ends.1));
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// Whether a list fits on the line of a terminal.
fn short(list: &Value) -> bool {
    const TERMINAL: usize = 72;
    list.as_array().is_none_or(|list| list.len() < TERMINAL) && list.to_string().len() <= TERMINAL
}

/// The first lines, and how many more there are; what is left out is more
/// than one line.
fn bounded(mut rows: Vec<Row>, limit: usize) -> Vec<Row> {
    let total = rows.len();
    if total > limit + 1 {
        rows.truncate(limit);
        rows.push(Row::new(Sign::More, format!("… {} more lines", total - limit)));
    }
    rows
}

fn hunk(hunk: &Hunk) -> Vec<Row> {
    let count = |kind| hunk.lines.iter().filter(|line| line.kind != kind).count();
    let (left, right) = (count(LineKind::Added), count(LineKind::Removed));
    // A side without lines is named by the line before it, as in every diff.
    let start = |first: usize, count: usize| first.saturating_sub(usize::from(count == 0));
    let place =
        format!("@@ -{},{left} +{},{right} @@", start(hunk.left, left), start(hunk.right, right));
    let mut rows = vec![Row::new(Sign::Place, place)];
    let twins = twins(&hunk.lines);
    rows.extend(hunk.lines.iter().map(|line| match line.kind {
        LineKind::Same => Row::new(Sign::Same, shown(&line.text)),
        LineKind::Removed => Row::new(Sign::Removed, twins.show(line)),
        LineKind::Added => Row::new(Sign::Added, twins.show(line)),
    }));
    rows
}

/// The lines of a hunk that differ in what is not seen: tabs and spaces, or
/// characters of a long line beyond its cut.
struct Twins {
    looks: BTreeSet<String>,
}

fn twins(lines: &[Line]) -> Twins {
    let looks = |kind: LineKind| -> BTreeSet<String> {
        lines.iter().filter(|line| line.kind == kind).map(|line| look(&line.text)).collect()
    };
    let looks = looks(LineKind::Removed).intersection(&looks(LineKind::Added)).cloned().collect();
    Twins { looks }
}

impl Twins {
    fn show(&self, line: &Line) -> String {
        if line.hides {
            return format!("{} (changed in what is masked)", shown(&line.text));
        }
        let is_twin = self.looks.contains(&look(&line.text));
        if !is_twin {
            return shown(&line.text);
        }
        let whole = visible(&Value::from(line.text.as_str()));
        let length = line.text.chars().count();
        if length > LINE_CHARS {
            format!("{whole} (of {length} characters; the difference is not in what is shown)")
        } else {
            format!("{whole} (shown as JSON)")
        }
    }
}

/// What an eye sees of a line.
fn look(line: &str) -> String {
    let spaced: String =
        shown(line).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    spaced.trim_end().to_owned()
}

fn masked(value: &Value) -> String {
    match value {
        Value::String(text) if text == MASK => format!("{MASK}, changed"),
        Value::String(text) if text.contains('\n') => {
            format!("{} lines, changed only in what is masked", text.lines().count())
        }
        scalar if is_scalar(scalar) => format!("{}, changed in what is masked", visible(scalar)),
        _ => "changed only in what is masked".to_owned(),
    }
}

/// Two orders of the same names, what they share at their ends left out.
fn reordered(from: &[String], to: &[String]) -> Vec<Row> {
    let same = |count: usize| (count > 0).then(|| format!("… {count} the same"));
    let before = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let before = before.saturating_sub(SAME_NAMES);
    let after = from.iter().rev().zip(to.iter().rev()).take_while(|(from, to)| from == to).count();
    let after = after.min(from.len().min(to.len()) - before).saturating_sub(SAME_NAMES);
    let order = |names: &[String]| {
        let middle = names.get(before..names.len() - after).unwrap_or_default();
        let middle = middle.iter().map(|name| visible(&Value::from(name.as_str())));
        let parts: Vec<String> =
            same(before).into_iter().chain(middle).chain(same(after)).collect();
        shown(&parts.join(", "))
    };
    vec![Row::new(Sign::Removed, order(from)), Row::new(Sign::Added, order(to))]
}

fn picture(picture: &Picture) -> String {
    let digest = picture.digest.map_or_else(
        || "a picture of which the bytes are unknown".to_owned(),
        |digest| digest.short(),
    );
    let size = picture.size.map(|size| format!("{size} bytes"));
    let path = picture.path.as_ref().map(|path| shown(path.as_str()));
    [Some(digest), size, path].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Place, pretty};

    #[test]
    fn an_embedded_file_is_read_line_by_line() {
        let value = json!({"files": [{"content": "a {\n  b\n}\n", "name": "x"}, {}], "z": "one"});
        let mut lines = Vec::new();
        pretty(&value, &Place { indent: 0, key: String::new(), comma: "" }, &mut lines);
        let expected = r#"{
  "files": [
    {
      "content": |
        a {
          b
        }
      "name": "x"
    },
    {}
  ],
  "z": "one"
}"#;
        assert_eq!(lines.join("\n"), expected);
    }
}
