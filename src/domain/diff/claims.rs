//! What schemas that came with items declare as credentials. Whoever writes a
//! change can write the schema beside it, so a report says what it hides.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::item::RepoPath;
use crate::domain::mask::masked_text;
use crate::domain::text::cut;

/// The most names in one note, and their longest in characters.
const MOST_NAMES: usize = 20;
const NAME_CHARS: usize = 80;

/// The most notes: each is a line above the report.
const MOST_NOTES: usize = 20;

/// The names that are masked for nothing but a schema of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    schemas: BTreeMap<RepoPath, BTreeSet<String>>,
}

impl Claims {
    /// This schema hides the values of these fields.
    pub fn add(&mut self, schema: &RepoPath, names: BTreeSet<String>) {
        if !names.is_empty() {
            self.schemas.entry(schema.clone()).or_default().extend(names);
        }
    }

    /// What a reader must know of it, a clause for each schema.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.schemas.iter().take(MOST_NOTES).map(note).collect();
        if let more @ 1.. = self.schemas.len().saturating_sub(MOST_NOTES) {
            notes.push(format!("{more} more schemas of this commit declare fields as credentials"));
        }
        notes
    }
}

fn note((schema, names): (&RepoPath, &BTreeSet<String>)) -> String {
    let name = |name: &String| format!("`{}`", cut(&masked_text(name), NAME_CHARS));
    let list: Vec<String> = names.iter().take(MOST_NAMES).map(name).collect();
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (what, whose) =
        if names.len() == 1 { ("a credential", "its") } else { ("credentials", "their") };
    format!(
        "the schema {schema} of this commit declares {}{more} as {what}: {whose} values are masked",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::{Claims, MOST_NAMES, MOST_NOTES};
    use crate::domain::item::RepoPath;

    #[test]
    fn a_note_names_the_schema_and_the_fields() {
        let mut claims = Claims::default();
        let schema = RepoPath::new("schemas/a.json").unwrap();
        claims.add(&schema, [].into());
        assert_eq!(claims.notes(), Vec::<String>::new());
        claims.add(&schema, ["dockerImage".to_owned()].into());
        claims.add(&schema, ["dockerImage".to_owned()].into());
        assert_eq!(
            claims.notes(),
            [
                "the schema schemas/a.json of this commit declares `dockerImage` as a credential: its values are masked"
            ]
        );
        claims.add(&schema, ["a".to_owned()].into());
        assert_eq!(
            claims.notes(),
            [
                "the schema schemas/a.json of this commit declares `a`, `dockerImage` as credentials: their values are masked"
            ]
        );
    }

    #[test]
    fn notes_have_an_end() {
        let mut claims = Claims::default();
        for number in 0..100 {
            let schema = RepoPath::new(&format!("{number}.json")).unwrap();
            claims.add(&schema, (0..100).map(|n| format!("{n}{}", "x".repeat(1000))).collect());
        }
        let notes = claims.notes();
        assert_eq!(notes.len(), MOST_NOTES + 1);
        assert!(notes[0].contains(&format!(" and {} more as", 100 - MOST_NAMES)), "{}", notes[0]);
        assert!(notes.iter().all(|note| note.len() < 2_500), "{}", notes[0].len());
        assert_eq!(
            notes[MOST_NOTES],
            "80 more schemas of this commit declare fields as credentials"
        );
    }
}
