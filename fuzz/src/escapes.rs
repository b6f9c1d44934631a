//! Words of others in every rendering: a page holds no element of theirs, a
//! terminal none of their escapes, a comment none of their links, a runner's
//! log none of their commands, and no credential is shown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use marketsync::domain::diff::{Against, Diff, Entry, Fields, Left, Pair, Picture, Sides, fields};
use marketsync::domain::event::{
    Action, Applied, Change, Failure, Held, Hold, Outcome, Reason, Verb,
};
use marketsync::domain::item::{CommitId, Digest, ImageSlot, ItemKey, ItemType, RepoPath, Version};
use marketsync::domain::mask::{Mask, masked_problem};
use marketsync::domain::past::{Past, Trail};
use marketsync::domain::report::exported::{Exported, Fate, Row};
use marketsync::domain::report::{Report, annotations, diff as render, history, json, text};
use marketsync::domain::source::{Format, Outline, Place, Problem};
use marketsync::domain::status::{ItemStatus, LastResult, Status};
use serde_json::{Value, json as value};

use super::parts::Parts;
use super::scan;

/// A credential, in places that are known to hold one.
const CANARY: &str = "cAnArY-5ecret-0f-the-item";

/// The texts of a case, given out one after the other, round and round.
struct Words {
    all: Vec<String>,
    next: usize,
}

impl Words {
    /// An escape that nobody made harmless must not look like one of ours.
    fn of(parts: Parts<'_>) -> Self {
        let mut parts = parts;
        let mut all = Vec::new();
        while !parts.is_empty() && all.len() < 64 {
            all.push(parts.text().replace("\u{1b}[", "\u{1b}]").replace(CANARY, "no"));
        }
        if all.is_empty() {
            all.push(String::new());
        }
        Self { all, next: 0 }
    }

    fn next(&mut self) -> String {
        self.next += 1;
        self.all[(self.next - 1) % self.all.len()].clone()
    }

    fn some(&mut self, is: bool) -> Option<String> {
        is.then(|| self.next())
    }
}

/// One case: three bytes that choose the shape, then texts with zeros between
/// them.
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    let shape = Shape { a: parts.byte(), b: parts.byte(), c: parts.byte() };
    let mut words = Words::of(parts);
    let diff = diff(&shape, &mut words);
    let (terminal, page) = (render::text::diff(&diff), render::html::diff(&diff));
    let (comment, json) = (render::markdown::diff(&diff), render::json::diff(&diff));
    scan::terminal(&terminal);
    scan::page(&page);
    scan::comment(&comment);
    scan::json(&json);
    no_credential(&[terminal, page, comment, json.to_string(), format!("{diff:?}")]);
    reports(&shape, &mut words);
    lists(&shape, &mut words);
}

fn no_credential(all: &[String]) {
    for shown in all {
        if let Some(at) = shown.find(CANARY) {
            let around: String =
                shown[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
            panic!("a credential is shown behind {around:?}");
        }
    }
}

/// Choices of a case.
struct Shape {
    a: u8,
    b: u8,
    c: u8,
}

fn diff(shape: &Shape, words: &mut Words) -> Diff {
    let commit = |words: &mut Words| CommitId(words.next());
    let against = match shape.a % 4 {
        0 => Against::Live { endpoint: words.next(), company: words.next() },
        1 => Against::Recorded { endpoint: words.next(), company: words.next() },
        more => {
            Against::Revision { asked: words.next(), commit: commit(words), merge_base: more == 2 }
        }
    };
    let count = 1 + usize::from(shape.a >> 2) % 4;
    let entries = (0..count).map(|at| entry(shape, at, words)).collect();
    let problems = (0..shape.b % 3).map(|at| masked_problem(problem(at, words))).collect();
    Diff {
        head: commit(words),
        against,
        items: 3,
        unchanged: 1,
        unseen: 0,
        entries,
        problems,
        notes: (0..shape.b >> 2 & 1).map(|_| words.next()).collect(),
        plan: Digest::of(b"plan"),
    }
}

fn key(at: usize, words: &mut Words) -> ItemKey {
    let id: String = words.next().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let version = words.next().parse::<Version>();
    ItemKey {
        item_id: format!("i{id}{at}").parse().unwrap(),
        version: version.unwrap_or(Version::Na),
    }
}

fn item_type(words: &mut Words) -> ItemType {
    ItemType { namespace: words.next(), name: words.next() }
}

fn path(words: &mut Words) -> RepoPath {
    RepoPath::new(&words.next()).unwrap_or_else(|_| RepoPath::root())
}

fn problem(at: u8, words: &mut Words) -> Problem {
    let path = path(words);
    let text = words.next();
    let start = usize::from(at) * 7 % (text.len() + 1);
    let problem = if at.is_multiple_of(2) {
        Problem::at(&path, &text, start..start + 3, words.next())
    } else {
        Outline::new(Format::Json, &text).problem(&path, &words.next(), Place::Value, words.next())
    };
    let problem = problem.expected(words.next()).found(&words.next()).hint(words.next());
    if at % 3 == 1 { problem.warning() } else { problem }
}

fn hold(kind: u8, words: &mut Words) -> Option<Hold> {
    let next = || Version::Named("1.2.3-x.y".parse().unwrap());
    Some(match kind % 8 {
        0 => Hold::Unobserved { why: words.next() },
        1 => Hold::Waiting { why: words.next() },
        2 => Hold::Behind { version: next(), why: words.next() },
        3 => Hold::Rejected { why: words.next() },
        4 => Hold::NotOnLegacy { fields: vec![words.next(), words.next()] },
        5 => Hold::Immutable { next: next() },
        _ => return None,
    })
}

fn reason(kind: u8) -> (Action, Reason) {
    match kind % 8 {
        0 => (Action::Create, Reason::New),
        1 => (Action::Update, Reason::Edited),
        2 => (Action::Update, Reason::Drifted),
        3 => (Action::Delete, Reason::Removed),
        4 => (Action::Adopt, Reason::AlreadyThere),
        5 => (Action::Forget, Reason::Gone),
        6 => (Action::Create, Reason::Missing),
        _ => (Action::Update, Reason::Differs),
    }
}

fn entry(shape: &Shape, at: usize, words: &mut Words) -> Entry {
    let kind = shape.c.wrapping_add(u8::try_from(at * 5).unwrap());
    let (action, reason) = reason(kind);
    Entry {
        key: key(at, words),
        item_type: (kind & 1 == 0).then(|| item_type(words)),
        path: (kind & 2 == 0).then(|| path(words)),
        action,
        reason,
        hold: hold(shape.b.wrapping_add(kind), words),
        from: Some(Digest::of(b"from")),
        to: None,
        object_id: words.some(kind & 4 == 0),
        fields: if kind & 8 == 0 {
            all_fields(kind, words)
        } else {
            Fields::Unknown { why: words.next() }
        },
    }
}

/// What changes between two documents that hold words of the case and
/// credentials.
fn all_fields(kind: u8, words: &mut Words) -> Fields {
    let left = match kind >> 4 & 3 {
        0 => Left::Live,
        1 => Left::Recorded,
        2 => Left::Revision,
        _ => Left::Nothing,
    };
    let (before, after) = (document(kind, words), document(kind.wrapping_add(1), words));
    let names = BTreeSet::from(["pin".to_owned()]);
    let picture =
        |words: &mut Words| Picture { digest: None, size: Some(7), path: Some(path(words)) };
    let pictures = vec![Pair {
        slot: ImageSlot::Image,
        from: Some(picture(words)),
        to: Some(picture(words)),
        cause: None,
    }];
    let recorded = (kind & 64 == 0).then(|| document(kind, words));
    let file = after.to_string();
    let before = (left != Left::Nothing).then_some(before);
    let sides = Sides { before, after, recorded, pictures };
    fields(left, &sides, &Mask::new(names), Some(&Outline::new(Format::Json, &file)))
}

fn document(kind: u8, words: &mut Words) -> Value {
    let lines = format!("{}\npassword={CANARY}{kind}\n{}\n", words.next(), words.next());
    let url = format!("{}\nhttps://u:{CANARY}{kind}@host/\n{}", words.next(), words.next());
    let list = if kind & 1 == 0 {
        value!([{"name": "x", "value": words.next()}, {"name": "y"}, {"name": "z", "a": words.next()}])
    } else {
        value!([{"name": "z"}, {"name": "x", "value": words.next()}, {"name": "y", "n": kind}])
    };
    value!({
        words.next(): words.next(),
        "password": format!("{CANARY}{}", words.next()),
        "pin": {"value": format!("{CANARY}{kind}")},
        "env": [{"name": "DB_TOKEN", "value": format!("{}{CANARY}", words.next())},
                {"name": words.next(), "valueType": "secret", "value": format!("{CANARY}{kind}")}],
        "apiKeys": [format!("{CANARY}{kind}")],
        "lines": lines.replace('\r', ""),
        "url": url.replace('\r', ""),
        "list": list,
        "deep": { words.next(): { words.next(): [words.next(), kind, null, {words.next(): words.next()}] } },
        "text": words.next(),
        "tags": [words.next(), words.next(), words.next()],
    })
}

fn change(at: usize, kind: u8, words: &mut Words) -> Change {
    let (action, reason) = reason(kind);
    Change {
        key: key(at, words),
        action,
        reason,
        wanted: None,
        from: None,
        fields: vec![words.next()],
        object_id: words.some(kind & 1 == 0),
    }
}

fn reports(shape: &Shape, words: &mut Words) {
    let problems: Vec<Problem> = (0..=shape.b % 4).map(|at| problem(at, words)).collect();
    for problem in &problems {
        scan::plain(&text::problem(problem));
    }
    let mut report = Report {
        // The repository's own, whatever anybody writes.
        commit: Some(CommitId("0123456789abcdef".to_owned())),
        problems,
        planned: shape.a & 1 == 0,
        ..Report::default()
    };
    for at in 0..4_u8 {
        let kind = shape.c.wrapping_add(at * 3);
        let change = change(usize::from(at), kind, words);
        if let Some(why) = hold(kind, words).filter(|_| at == 3) {
            report.held.insert(change.key.clone(), Held { change, why });
            continue;
        }
        let result = match kind % 3 {
            0 => Ok(Applied {
                verb: Verb::Created,
                object_id: words.some(true),
                read_back: false,
                unchanged_there: false,
                took: Duration::ZERO,
            }),
            1 => Err(Failure::Transient { why: words.next(), retry_after: None }),
            _ => Err(Failure::Rejected { why: words.next(), pointer: words.some(kind & 4 == 0) }),
        };
        report.outcomes.insert(change.key.clone(), Outcome { change, result });
    }
    scan::plain(&text::applied(&report));
    scan::plain(&text::validated(&report));
    scan::json(&json::report(&report, Some(&words.next())));
    scan::json(&json::error(&words.next(), Some(&words.next())));
    scan::github(&annotations::github(&report), report.problems.len());
    let marks = annotations::gitlab(&report);
    assert_eq!(marks.as_array().map(Vec::len), Some(report.problems.len()));
    let names: BTreeSet<_> =
        marks.as_array().unwrap().iter().map(|mark| mark["fingerprint"].to_string()).collect();
    assert_eq!(names.len(), report.problems.len(), "two marks of one fingerprint");
    scan::json(&marks);
}

fn lists(shape: &Shape, words: &mut Words) {
    let last = |kind: u8, words: &mut Words| match kind % 3 {
        0 => LastResult::Done { verb: Verb::Deleted },
        1 => LastResult::Failed { why: words.next() },
        _ => LastResult::Rejected { why: words.next() },
    };
    let at = Timestamp::UNIX_EPOCH;
    let status = Status {
        items: (0..3_u8)
            .map(|n| {
                let status = ItemStatus {
                    digest: None,
                    object_id: words.some(n == 0),
                    path: Some(path(words)),
                    commit: CommitId(words.next()),
                    at,
                    last: last(shape.c.wrapping_add(n), words),
                };
                (key(usize::from(n), words), status)
            })
            .collect(),
    };
    scan::plain(&text::status(&status, at));
    scan::json(&json::status(&status));
    let past = |n: u8, words: &mut Words| Past {
        key: key(0, words),
        at,
        commit: CommitId(words.next()),
        author: words.some(n == 0),
        action: Action::Create,
        reason: Reason::New,
        result: last(shape.b.wrapping_add(n), words),
        object_id: words.some(n == 1),
        from: None,
        to: None,
        fields: vec![words.next(), words.next()],
    };
    let changes: Vec<Past> = (0..3).map(|n| past(n, words)).collect();
    let trail = Trail { item_id: key(0, words).item_id, version: None, changes, older: 2 };
    scan::plain(&history::text(&trail));
    scan::json(&history::json(&trail));
    let fate = |words: &mut Words| match shape.a % 3 {
        0 => Fate::Invalid { why: words.next() },
        1 => Fate::LeftAlone { why: words.next() },
        _ => Fate::Failed { why: words.next() },
    };
    let row = Row { item_type: Some(item_type(words)), file: Some(path(words)), fate: fate(words) };
    let key = key(1, words);
    let exported = Exported {
        rows: [((key.item_id, Some(key.version)), row)].into(),
        skipped: vec![words.next()],
        skipped_more: 1,
        unattempted: 0,
    };
    scan::plain(&exported.text());
    scan::json(&exported.json(words.some(true).as_deref()));
    let _ = Arc::new(exported);
}
