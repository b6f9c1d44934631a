//! From the documents on both sides to the fields that change.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::delta::{FieldChange, delta, delta_since, full_delta, is_cut};
use crate::domain::diff::lines::{Budget, Text, hunks};
use crate::domain::diff::{Cause, Edit, Field, Fields, Left, Picture};
use crate::domain::item::ImageSlot;
use crate::domain::mask::{MASK, Mask, masked_pointer, masked_text, with_masked_keys};
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
    /// Who changed it, where that is known.
    pub cause: Option<Cause>,
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
    let budget = Budget::default();
    let mut shown = Shown { before: mask.document(&before), after: mask.document(&after), budget };
    let pictures = sides.pictures.iter().map(|pair| picture(pair, file));
    let changes = changes.into_iter().map(|change| shown.field(&change, file));
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
        cause: pair.cause,
        edit: Edit::Picture { from: pair.from.clone(), to: pair.to.clone() },
    }
}

/// Both documents as they may be seen.
struct Shown {
    before: Value,
    after: Value,
    /// What comparing texts line by line may still cost.
    budget: Budget,
}

impl Shown {
    fn field(&mut self, change: &FieldChange, file: Option<&Outline<'_>>) -> Field {
        let at = match &change.wanted {
            Some(_) => change.pointer.as_str(),
            None => change.pointer.rsplit_once('/').map_or("", |(around, _)| around),
        };
        let at = file.filter(|_| !at.is_empty()).and_then(|file| place(file, at));
        let (name, pointer) = (self.name(change), masked_pointer(&change.pointer));
        let edit = self.edit(change);
        Field { name, pointer, at, cause: change.cause, edit }
    }

    /// The field for people. In a list of texts each is its own name, and it
    /// may be a credential for where it stands.
    fn name(&self, change: &FieldChange) -> String {
        let (text, shown) = match (&change.wanted, &change.live) {
            (Some(wanted), _) => (wanted, self.after.pointer(&change.pointer)),
            (None, live) => {
                (live.as_ref().unwrap_or(&Value::Null), self.before.pointer(&change.live_pointer))
            }
        };
        let is_element = change
            .pointer
            .rsplit('/')
            .next()
            .is_some_and(|step| step.bytes().all(|byte| byte.is_ascii_digit()));
        if let (Some(plain), true) = (text.as_str(), is_element && shown != Some(text)) {
            let spellings = [format!("[{plain}]"), format!("[{text}]")];
            let list = spellings.iter().find_map(|step| change.name.strip_suffix(step.as_str()));
            if let Some(list) = list {
                return format!("{}[{MASK}]", masked_text(list));
            }
        }
        masked_text(&change.name)
    }

    fn edit(&mut self, change: &FieldChange) -> Edit {
        let (live, wanted) = (change.live.as_ref(), change.wanted.as_ref());
        if change.reordered {
            let shown = self.after.pointer(&change.pointer);
            return Edit::Reordered { from: names(live, shown), to: names(wanted, shown) };
        }
        let from = live.and_then(|_| self.before.pointer(&change.live_pointer));
        let to = wanted.and_then(|_| self.after.pointer(&change.pointer));
        if let (Some(live), Some(wanted)) = (lines(live, from), lines(wanted, to))
            && (live.is_long() || wanted.is_long())
        {
            let (from, to) = (live.shown(), wanted.shown());
            return Edit::Text { from, to, hunks: hunks(live, wanted, &mut self.budget) };
        }
        match (from.cloned().map(with_masked_keys), to.cloned().map(with_masked_keys)) {
            (Some(from), Some(to)) if from == to => Edit::Masked { value: to },
            (Some(from), Some(to)) => Edit::Replaced { from, to },
            (Some(from), None) => Edit::Removed { from },
            (None, to) => Edit::Added { to: to.unwrap_or_default() },
        }
    }
}

/// A text by its lines, if it may be seen but for parts of it.
fn lines<'a>(value: Option<&'a Value>, shown: Option<&Value>) -> Option<Text<'a>> {
    let text = Text::new(value?.as_str()?);
    (shown?.as_str()? == text.shown()).then_some(text)
}

/// The names of elements as they may be seen: as the list `shown` has them,
/// which holds them all.
fn names(list: Option<&Value>, shown: Option<&Value>) -> Vec<String> {
    let elements = |list: Option<&Value>| list.and_then(Value::as_array).cloned();
    let seen: BTreeSet<String> = elements(shown)
        .into_iter()
        .flatten()
        .filter_map(|it| Some(it.as_str().or_else(|| it.get("name")?.as_str())?.to_owned()))
        .collect();
    let name = |name: &Value| {
        let name = masked_text(name.as_str()?);
        Some(if seen.contains(&name) { name } else { MASK.to_owned() })
    };
    elements(list).into_iter().flatten().filter_map(|it| name(&it)).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Sides, fields};
    use crate::domain::diff::{Edit, Field, Fields, Left, LineKind};
    use crate::domain::mask::Mask;

    #[test]
    fn a_list_of_passwords_is_not_named_by_them() {
        let list = |texts: &[&str]| json!({ "passwords": texts, "others": texts });
        for (before, after) in [
            (vec!["a", "b"], vec!["b", "a"]),
            (vec!["a"], vec!["a", "hunter 2", "x[\"y\"]"]),
            (vec!["hunter2", "x[y"], vec!["a"]),
        ] {
            let fields = changes(list(&before), list(&after));
            let (hidden, open): (Vec<_>, Vec<_>) =
                fields.iter().partition(|field| field.pointer.starts_with("/passwords"));
            let shown = format!("{hidden:?}").replace("passwords", "");
            for text in before.iter().chain(&after) {
                assert!(
                    !shown.contains(&format!("{text}]")) && !shown.contains(&format!("\"{text}\"")),
                    "{shown}"
                );
            }
            assert!(
                shown.contains("(masked)") && !format!("{open:?}").contains("(masked)"),
                "{shown}"
            );
        }
    }

    fn changes(before: Value, after: Value) -> Vec<Field> {
        let sides = Sides { before: Some(before), after, ..Sides::default() };
        match fields(Left::Revision, &sides, &Mask::default(), None) {
            Fields::Listed { fields, .. } => fields,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_compared_as_it_is_and_shown_masked() {
        let found = changes(
            json!({"a": "password=old\nlog=info", "b": "token=x\n1"}),
            json!({"a": "password=new\nlog=debug", "b": "token=y\n1"}),
        );
        let shown: Vec<_> = found
            .iter()
            .map(|field| match &field.edit {
                Edit::Text { from, to, hunks } => {
                    let kinds = hunks.iter().flat_map(|hunk| &hunk.lines).map(|line| line.kind);
                    (from.as_str(), to.as_str(), kinds.collect::<Vec<_>>())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let (removed, added) = (LineKind::Removed, LineKind::Added);
        assert_eq!(
            shown,
            [
                (
                    "password=(masked)\nlog=info",
                    "password=(masked)\nlog=debug",
                    vec![removed, removed, added, added]
                ),
                ("token=(masked)\n1", "token=(masked)\n1", vec![removed, added, LineKind::Same]),
            ]
        );
        let hidden = changes(json!({"password": "a\nb"}), json!({"password": "a\nc"}));
        assert_eq!(hidden[0].edit, Edit::Masked { value: json!("(masked)") });
    }

    #[test]
    fn a_credential_is_no_name_of_itself() {
        let found = changes(
            json!({"apiKeys": ["hunter2", "two words", "hunter3"], "tags": ["a", "b", "c"]}),
            json!({"apiKeys": ["hunter3", "hunter2", "hunter4"], "tags": ["c", "b", "d"]}),
        );
        let all = format!("{found:?}");
        assert!(!all.contains("hunter") && !all.contains("two words"), "{all}");
        let names: Vec<_> = found.iter().map(|field| (&*field.name, &*field.pointer)).collect();
        assert_eq!(
            names,
            [
                ("apiKeys[(masked)]", "/apiKeys/2"),
                ("apiKeys[(masked)]", "/apiKeys/1"),
                ("apiKeys", "/apiKeys"),
                ("tags[d]", "/tags/2"),
                ("tags[a]", "/tags/0"),
                ("tags", "/tags"),
            ]
        );
        let order = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        let hidden = || order(["(masked)"; 2]);
        assert_eq!(found[2].edit, Edit::Reordered { from: hidden(), to: hidden() });
        let reordered = Edit::Reordered { from: order(["b", "c"]), to: order(["c", "b"]) };
        assert_eq!(found[5].edit, reordered);
    }

    #[test]
    fn keys_and_names_are_masked() {
        let key = "mongodb://u:hunter2@h";
        let token = "ghp_0123456789abcdefXYZ";
        let found = changes(
            json!({key: 1, "list": [{"name": token, "n": 1}, {"name": "b"}]}),
            json!({key: {token: 2}, "list": [{"name": "b"}, {"name": token, "n": 2}]}),
        );
        let all = format!("{found:?}");
        assert!(!all.contains("hunter2") && !all.contains("ghp_"), "{all}");
        let names: Vec<_> = found.iter().map(|field| (&*field.name, &*field.pointer)).collect();
        assert_eq!(
            names,
            [
                ("list[(masked)].n", "/list/1/n"),
                ("list", "/list"),
                ("[\"mongodb://u:(masked)@h\"]", "/mongodb:~1~1u:(masked)@h"),
            ]
        );
        assert_eq!(found[2].edit, Edit::Replaced { from: json!(1), to: json!({"(masked)": 2}) });
        assert_eq!(
            found[1].edit,
            Edit::Reordered {
                from: vec!["(masked)".to_owned(), "b".to_owned()],
                to: vec!["b".to_owned(), "(masked)".to_owned()],
            }
        );
    }
}
