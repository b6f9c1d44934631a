//! What of all that can happen did happen.

use std::collections::BTreeMap;

/// How often each thing came.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<(&'static str, String), u64>,
}

/// What a long run must have met, by kind.
const ALL: [(&str, &[&str]); 5] = [
    (
        "step",
        &[
            "Set",
            "Remove",
            "Rename",
            "MoveFolder",
            "TurnKeys",
            "OtherFormat",
            "Break",
            "Mend",
            "Link",
            "Picture",
            "Schema",
            "Commit",
            "Meddle",
            "Vandalise",
            "Console",
            "Switch",
            "Lose",
            "Keep",
            "Restore",
            "Apply",
            "Beat",
        ],
    ),
    (
        "row",
        &[
            "create unobserved",
            "create new",
            "adopt already there",
            "update differs",
            "create missing",
            "update edited",
            "update drifted",
            "forget gone",
            "delete removed",
            "unchanged",
        ],
    ),
    (
        "hold",
        &[
            "waiting",
            "behind",
            "unobserved",
            "drift-reported",
            "prune-off",
            "broken-source",
            "immutable",
            "rejected",
            "contested",
            "delete-guard",
            "empty-source",
            "update-guard",
            "not-on-legacy",
        ],
    ),
    (
        "outcome",
        &["Created", "Updated", "Adopted", "Deleted", "Forgotten", "transient", "rejected"],
    ),
    ("crash", &["before, closed", "before, cut", "after, closed", "after, cut"]),
];

impl Tally {
    pub(crate) fn add(&mut self, kind: &'static str, what: impl Into<String>) {
        *self.counts.entry((kind, what.into())).or_default() += 1;
    }

    /// Kind, what, how often.
    pub(crate) fn rows(&self) -> impl Iterator<Item = [String; 3]> {
        self.counts
            .iter()
            .map(|((kind, what), count)| [(*kind).to_owned(), what.clone(), count.to_string()])
    }

    /// What never came.
    pub(crate) fn missing(&self) -> Vec<String> {
        let all = ALL
            .iter()
            .flat_map(|(kind, names)| names.iter().map(|name| (*kind, (*name).to_owned())));
        all.filter(|key| !self.counts.contains_key(key))
            .map(|(kind, what)| format!("{kind} {what}"))
            .collect()
    }
}

/// The first word of how a value is written.
pub(crate) fn kind(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
