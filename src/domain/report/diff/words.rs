//! What a comparison says in words, the same in every rendering for people.
//! Nothing here is escaped or cleaned: a rendering does that.

use crate::domain::diff::{Against, Comparison, Diff, Edit, Entry, Field, Fields, Left};
use crate::domain::event::{Action, Hold, Reason};
use crate::domain::item::CommitId;
use crate::domain::report::diff::safe::bounded;

/// The longest path in a table in characters.
const FILE_CHARS: usize = 90;

/// The longest name of a field in characters: a key may be as long as a file.
const NAME_CHARS: usize = 200;

/// How many entries of a kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) create: usize,
    pub(super) update: usize,
    pub(super) delete: usize,
    pub(super) adopt: usize,
    pub(super) forget: usize,
    pub(super) held: usize,
}

impl Tally {
    pub(super) fn of(diff: &Diff) -> Self {
        let mut tally = Self::default();
        for entry in &diff.entries {
            *match (&entry.hold, entry.action) {
                (Some(_), _) => &mut tally.held,
                (None, Action::Create) => &mut tally.create,
                (None, Action::Update) => &mut tally.update,
                (None, Action::Delete) => &mut tally.delete,
                (None, Action::Adopt) => &mut tally.adopt,
                (None, Action::Forget) => &mut tally.forget,
            } += 1;
        }
        tally
    }
}

/// The entries in the order of a report: what would be done, what is held,
/// what is only written down.
pub(super) struct Sorted<'a> {
    pub(super) done: Vec<&'a Entry>,
    pub(super) held: Vec<&'a Entry>,
    pub(super) noted: Vec<&'a Entry>,
}

impl<'a> Sorted<'a> {
    pub(super) fn of(diff: &'a Diff) -> Self {
        let (held, free): (Vec<_>, Vec<_>) =
            diff.entries.iter().partition(|entry| entry.hold.is_some());
        let (done, noted) = free.into_iter().partition(|entry| entry.is_write());
        Self { done, held, noted }
    }
}

/// What was read: a commit, or files that are in none.
pub(super) fn source(commit: &CommitId) -> String {
    let what = if commit.0.starts_with("dir-") { "the files" } else { "commit" };
    format!("{what} {}", commit.short())
}

/// The direction, and what either sign means.
pub(super) fn direction(diff: &Diff) -> String {
    let head = source(&diff.head);
    match &diff.against {
        Against::Live { .. } => {
            format!("live → git: - is what the marketplace holds, + is what {head} wants")
        }
        Against::Recorded { .. } => format!(
            "recorded → git: - is what was applied last, + is what {head} wants; the marketplace was not looked at"
        ),
        Against::Revision { commit, .. } => {
            let base = source(commit);
            format!(
                "{} → {}: - is what {base} wants, + is what {head} wants; the marketplace was not looked at",
                commit.short(),
                diff.head.short()
            )
        }
    }
}

/// What the source was compared with.
pub(super) fn against(against: &Against) -> String {
    let place = |endpoint: &str, company: &str| match endpoint {
        "embedded" => format!("the embedded marketplace, company {company}"),
        url => format!("the marketplace {url}, company {company}"),
    };
    match against {
        Against::Live { endpoint, company } => place(endpoint, company),
        Against::Recorded { endpoint, company } => {
            format!("the record of what was applied last to {}", place(endpoint, company))
        }
        Against::Revision { asked, commit, merge_base: true } => {
            format!("{}, the last one that it shares with {asked}", source(commit))
        }
        Against::Revision { asked, commit, merge_base: false } if *asked == commit.0 => {
            source(commit)
        }
        Against::Revision { asked, commit, merge_base: false } => {
            format!("{}, asked for as {asked}", source(commit))
        }
    }
}

/// The command that shows the whole report in a terminal.
pub(super) fn command(against: &Against) -> String {
    // What a shell takes for one word as it stands.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match against {
        Against::Live { .. } => "marketsync diff".to_owned(),
        Against::Recorded { .. } => "marketsync diff --against recorded".to_owned(),
        Against::Revision { asked, .. } if asked.len() <= 100 && asked.chars().all(plain) => {
            format!("marketsync diff --against {asked}")
        }
        Against::Revision { commit, .. } => {
            format!("marketsync diff --against {}", commit.short())
        }
    }
}

/// Why an entry is there.
pub(super) fn reason(against: &Against, entry: &Entry) -> String {
    let text = match (against, entry.reason) {
        // A file that is broken may hold it.
        (Against::Revision { commit, .. }, _) if entry.hold == Some(Hold::BrokenSource) => {
            return format!("not found in the source; {} has it", source(commit));
        }
        _ if entry.hold == Some(Hold::BrokenSource) => "recorded, and not found in the source",
        (Against::Live { .. }, Reason::New) => "new: the marketplace does not have it",
        (Against::Recorded { .. }, Reason::New) => {
            "not recorded yet; whether the marketplace has it was not looked at"
        }
        (Against::Revision { commit, .. }, Reason::New) => {
            return format!("new: {} does not have it", source(commit));
        }
        (Against::Revision { commit, .. }, Reason::Edited) => {
            return format!("edited since {}", source(commit));
        }
        (Against::Revision { commit, .. }, Reason::Removed) => {
            return format!("removed: {} still has it", source(commit));
        }
        (_, Reason::Edited) => "edited in the source since it was applied last",
        (_, Reason::Removed) => "recorded, and removed from the source",
        (_, Reason::AlreadyThere) => {
            "never recorded, and in the marketplace as it is wanted: it is recorded, without a write"
        }
        (_, Reason::Differs) => "never recorded, and in the marketplace in another state",
        (_, Reason::Missing) => "recorded, and gone from the marketplace",
        (_, Reason::Drifted) => {
            "drifted: the source did not change it, somebody changed the marketplace"
        }
        (_, Reason::Gone) => {
            "removed from the source, and gone from the marketplace: its record is dropped"
        }
        (_, Reason::Unobserved) => "never recorded, and the marketplace was not looked at",
    };
    text.to_owned()
}

/// What a reader must know of the fields of an entry before reading them.
pub(super) fn preface(against: &Against, entry: &Entry) -> Option<String> {
    match &entry.fields {
        Fields::Unknown { why } => Some(format!("what changes in it is not known: {why}")),
        Fields::Listed { left: Left::Nothing, fields, .. } => {
            (!fields.is_empty()).then(|| "it will hold:".to_owned())
        }
        Fields::Listed { left: Left::Live, fields, .. } if fields.is_empty() => {
            Some("the marketplace has every field as it is wanted".to_owned())
        }
        Fields::Listed { fields, .. } if fields.is_empty() => Some("no field differs".to_owned()),
        Fields::Listed { left: Left::Recorded, .. } if matches!(against, Against::Live { .. }) => {
            Some(
                "compared with what was applied last, because the marketplace was not looked at"
                    .to_owned(),
            )
        }
        Fields::None | Fields::Listed { .. } => None,
    }
}

/// What a field is called, and what about it changes if that is not its value.
pub(super) fn field_name(field: &Field) -> String {
    let name = if field.name.is_empty() { "the whole document" } else { &field.name };
    match field.edit {
        Edit::Reordered { .. } => format!("{} (order)", bounded(name, NAME_CHARS)),
        _ => bounded(name, NAME_CHARS),
    }
}

/// Where a field stands: `file:line:column`.
pub(super) fn place(entry: &Entry, field: &Field) -> Option<String> {
    let (path, at) = (entry.path.as_ref()?, field.at?);
    Some(format!("{path}:{}:{}", at.line, at.column))
}

/// The file of an entry, with the line of the first field that stands in it.
pub(super) fn file(entry: &Entry) -> Option<String> {
    let path = bounded(&entry.path.as_ref()?.to_string(), FILE_CHARS);
    let first = match &entry.fields {
        Fields::Listed { left, fields, .. } if *left != Left::Nothing => {
            fields.iter().find_map(|field| field.at)
        }
        _ => None,
    };
    Some(first.map_or_else(|| path.clone(), |at| format!("{path}:{}", at.line)))
}

/// Why and how much, for the cell of a table; words of ours only.
pub(super) fn short(against: &Against, entry: &Entry) -> String {
    let why = match (against, entry.reason) {
        (Against::Recorded { .. }, Reason::New) => "not recorded".to_owned(),
        _ if entry.hold == Some(Hold::BrokenSource) => "not found".to_owned(),
        (_, reason) => reason.to_string(),
    };
    let fields = match &entry.fields {
        Fields::Listed { left: Left::Nothing, .. } | Fields::None => String::new(),
        Fields::Listed { fields, more: true, .. } => format!(", more than {} fields", fields.len()),
        Fields::Listed { fields, .. } if fields.is_empty() => ", no field differs".to_owned(),
        Fields::Listed { fields, .. } => format!(", {}", counted(fields.len(), "field")),
        Fields::Unknown { .. } => ", fields not known".to_owned(),
    };
    let held = entry.hold.as_ref().map(|hold| format!(", held: {}", hold.name()));
    format!("{why}{fields}{}", held.unwrap_or_default())
}

/// What the causes of fields mean, if a field has one.
pub(super) fn legend(diff: &Diff) -> Option<&'static str> {
    let caused = diff.entries.iter().any(|entry| match &entry.fields {
        Fields::Listed { fields, .. } => fields.iter().any(|field| field.cause.is_some()),
        Fields::None | Fields::Unknown { .. } => false,
    });
    caused.then_some(
        "edit: the source changed the field since it was applied last; drift: somebody changed it in the marketplace",
    )
}

/// What follows the last field, if a report does not list all.
pub(super) const MORE_FIELDS: &str = "… more fields differ than a report lists";

/// Every count, zeros left out.
pub(super) fn counts(diff: &Diff) -> String {
    let tally = Tally::of(diff);
    let mut parts: Vec<String> = [
        (tally.create, "to create"),
        (tally.update, "to update"),
        (tally.delete, "to delete"),
        (tally.adopt, "to adopt"),
        (tally.forget, "to forget"),
        (tally.held, "held"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    parts.push(format!("{} unchanged", diff.unchanged.saturating_sub(diff.unseen)));
    if diff.unseen > 0 {
        parts.push(format!("{} could not be looked at", diff.unseen));
    }
    parts.join(", ")
}

/// What the whole of it comes to, one sentence without full stop.
pub(super) fn verdict(diff: &Diff) -> String {
    let would = would(diff);
    let guarded = holds(diff).filter(|hold| hold.is_guard()).count();
    let guard = format!("a guard holds {}", counted(guarded, "change"));
    let held = Tally::of(diff).held - guarded;
    let held = match held {
        0 => String::new(),
        1 if guarded > 0 => "; 1 other change is held".to_owned(),
        n if guarded > 0 => format!("; {n} other changes are held"),
        n => format!("; {}", are_held(n)),
    };
    let rest = would.clone().unwrap_or_else(|| "nothing else is to do".to_owned());
    match diff.verdict() {
        Comparison::Same if holds(diff).any(Hold::is_trouble) => {
            format!("Nothing would be done: {}", nothing(diff))
        }
        Comparison::Same => format!("Nothing to do: {}", nothing(diff)),
        Comparison::Different => {
            format!("{}{held}", capital(&would.unwrap_or_default()))
        }
        Comparison::Guarded => format!("{}; {rest}{held}", capital(&guard)),
        Comparison::Incomplete => {
            let guard = if guarded > 0 { format!("; {guard}") } else { String::new() };
            format!("Incomplete: {}; {rest}{guard}{held}", lacking(diff))
        }
    }
}

/// What would be written, if anything would.
fn would(diff: &Diff) -> Option<String> {
    let tally = Tally::of(diff);
    let parts: Vec<String> =
        [("create", tally.create), ("update", tally.update), ("delete", tally.delete)]
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(verb, count)| format!("{verb} {}", counted(*count, "item")))
            .collect();
    let (last, others) = parts.split_last()?;
    let writes = match others {
        [] => last.clone(),
        others => format!("{} and {last}", others.join(", ")),
    };
    let who = match diff.against {
        Against::Live { .. } | Against::Recorded { .. } => "apply",
        Against::Revision { .. } => "the change",
    };
    Some(format!("{who} would {writes}"))
}

/// Why nothing is to do.
fn nothing(diff: &Diff) -> String {
    let tally = Tally::of(diff);
    let mut parts = Vec::new();
    if tally.held > 0 {
        parts.push(are_held(tally.held));
    }
    if tally.adopt > 0 {
        parts.push(format!("{} would only be recorded", counted(tally.adopt, "item")));
    }
    if tally.forget > 0 {
        parts.push(format!("{} would be dropped", counted(tally.forget, "record")));
    }
    if !parts.is_empty() {
        return parts.join(", ");
    }
    let head = source(&diff.head);
    match &diff.against {
        _ if diff.items == 0 && diff.unchanged == 0 => "the source holds no item".to_owned(),
        Against::Live { .. } => format!("the marketplace has every item as {head} wants it"),
        Against::Recorded { .. } => {
            format!("every item was applied as {head} wants it; the marketplace was not looked at")
        }
        Against::Revision { commit, .. } => {
            format!("{head} changes no item of {}", source(commit))
        }
    }
}

/// What keeps a comparison from being whole.
fn lacking(diff: &Diff) -> String {
    let errors = diff.errors().count();
    let mut parts = Vec::new();
    match errors {
        0 => {}
        1 => parts.push("1 problem in a file".to_owned()),
        n => parts.push(format!("{n} problems in files")),
    }
    if diff.unseen > 0 {
        parts.push(format!("{} could not be looked at", counted(diff.unseen, "unchanged item")));
    }
    let unobserved = holds(diff).filter(|hold| matches!(hold, Hold::Unobserved { .. })).count();
    if unobserved > 0 {
        parts.push(format!("{} could not be compared", counted(unobserved, "item")));
    }
    let waiting = |hold: &&Hold| matches!(hold, Hold::Waiting { .. } | Hold::Behind { .. });
    match holds(diff).filter(waiting).count() {
        0 => {}
        1 => parts.push("1 change waits for another try".to_owned()),
        n => parts.push(format!("{n} changes wait for another try")),
    }
    parts.join(", ")
}

fn holds(diff: &Diff) -> impl Iterator<Item = &Hold> {
    diff.entries.iter().filter_map(|entry| entry.hold.as_ref())
}

fn are_held(count: usize) -> String {
    format!(
        "{} held",
        if count == 1 { "1 change is".into() } else { format!("{count} changes are") }
    )
}

/// A number and its noun.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
