//! What `export` says in the end: each item, its file, and what became of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::item::{ItemId, ItemType, Version};
use crate::domain::path::RepoPath;
use crate::domain::report::Verdict;
use crate::domain::report::json::VERSION;
use crate::domain::report::text::{counted, line, table};
use crate::domain::text::clean;

/// Everything that an export found and did.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    /// Each version; none in place of a version where nobody could say which
    /// versions the item has.
    pub rows: BTreeMap<(ItemId, Option<Version>), Row>,
    /// What the marketplace says of itself that cannot be used.
    pub skipped: Vec<String>,
    /// How many more remarks of that kind there are.
    pub skipped_more: usize,
    /// How many items nobody came to, because the run was stopped or ended.
    pub unattempted: usize,
}

/// One version of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is, if that is known.
    pub item_type: Option<ItemType>,
    /// Its file, from the root of the export, if it has a place.
    pub file: Option<RepoPath>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its files were written.
    Written,
    /// They are there already, with the same bytes.
    Unchanged,
    /// Its files are there, and `validate` refuses them.
    Invalid {
        /// What is wrong.
        why: String,
    },
    /// Something else is there.
    LeftAlone {
        /// What.
        why: String,
    },
    /// It could not be read, or makes no file.
    Failed {
        /// Why.
        why: String,
    },
}

impl Fate {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Written => "Written",
            Self::Unchanged => "Unchanged",
            Self::Invalid { .. } => "Invalid",
            Self::LeftAlone { .. } => "Left alone",
            Self::Failed { .. } => "Failed",
        }
    }

    /// What there is to say about it.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Written | Self::Unchanged => None,
            Self::Invalid { why } | Self::LeftAlone { why } | Self::Failed { why } => Some(why),
        }
    }
}

impl Exported {
    /// What the whole of it comes to.
    pub fn verdict(&self) -> Verdict {
        let trouble = !self.skipped.is_empty()
            || self.unattempted > 0
            || self.rows.values().any(|row| row.fate.why().is_some());
        if trouble { Verdict::Trouble } else { Verdict::Good }
    }

    /// For people. Ends with a line break.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.rows.is_empty() {
            let rows = self.rows.iter().map(|((item_id, version), row)| {
                let version = version.as_ref().map_or_else(|| "-".to_owned(), Version::to_string);
                let file = row.file.as_ref().map_or_else(|| "-".to_owned(), RepoPath::to_string);
                let status = match row.fate.why() {
                    Some(why) => format!("{}: {why}", row.fate.word()),
                    None => row.fate.word().to_owned(),
                };
                [item_id.to_string(), version, file, status]
            });
            table(&mut out, ["ITEM ID", "VERSION", "FILE", "STATUS"], rows);
        }
        for remark in &self.skipped {
            line(&mut out, format_args!("Skipped: {}", clean(remark)));
        }
        if self.skipped_more > 0 {
            line(&mut out, format_args!("Skipped: {} more", self.skipped_more));
        }
        if !self.skipped.is_empty() {
            out.push('\n');
        }
        line(&mut out, format_args!("{}", self.summary()));
        out
    }

    fn summary(&self) -> String {
        let count = |word: &str| self.rows.values().filter(|row| row.fate.word() == word).count();
        let mut parts = vec![
            format!("{} written", count("Written")),
            format!("{} unchanged", count("Unchanged")),
        ];
        for (count, what) in [
            (count("Invalid"), "invalid"),
            (count("Left alone"), "left alone"),
            (count("Failed"), "failed"),
            (self.unattempted, "not attempted"),
            (self.skipped.len() + self.skipped_more, "skipped"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        format!("{}: {}", counted(self.rows.len(), "item"), parts.join(", "))
    }

    /// For machines (`docs/reports.md`); `error` says why the run did not come
    /// to its end, if it did not.
    pub fn json(&self, error: Option<&str>) -> Value {
        let items: Vec<Value> = self
            .rows
            .iter()
            .map(|((item_id, version), row)| {
                json!({
                    "itemId": item_id,
                    "version": version,
                    "type": row.item_type.as_ref().map(ItemType::to_string),
                    "path": row.file,
                    "status": row.fate.word(),
                    "why": row.fate.why(),
                })
            })
            .collect();
        json!({
            "version": VERSION,
            "items": items,
            "unattempted": self.unattempted,
            "skipped": self.skipped,
            "skippedMore": self.skipped_more,
            "error": error.map(|message| json!({ "message": message })),
        })
    }
}
