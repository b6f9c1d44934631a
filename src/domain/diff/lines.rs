//! The difference of two texts, line by line.

use std::borrow::Cow;
use std::collections::BTreeSet;

use similar::{ChangeTag, DiffOp, TextDiff};

use crate::domain::mask::masked_lines;

/// How many lines stand around a change.
const CONTEXT: usize = 3;

/// The most lines that are compared of all texts of an item, both sides
/// together, what two texts share at their ends aside. The longest text of the
/// public catalogue has 1,100 lines; a file of nothing but line breaks has a
/// million.
const MAX_LINES: usize = 100_000;

/// What a line of a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Both texts have it.
    Same,
    /// Only the left one has it.
    Removed,
    /// Only the right one has it.
    Added,
}

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which side has it.
    pub kind: LineKind,
    /// The line without its end.
    pub text: String,
    /// Whether a line of the other side in the hunk looks the same and is
    /// not, because what differs is masked.
    pub hides: bool,
}

/// Some lines that change, with those around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The first line in the left text, counted from 1.
    pub left: usize,
    /// The first line in the right text, counted from 1.
    pub right: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// How many lines of one item may still be compared.
#[derive(Debug)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_LINES)
    }
}

impl Budget {
    /// Whether so many lines can be compared still; then they are paid for.
    fn pay(&mut self, lines: usize) -> bool {
        let rest = self.0.checked_sub(lines);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

/// A text by its lines: as they are, by which they are compared, and as they
/// may be seen.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    whole: &'a str,
    lines: Vec<&'a str>,
    shown: Vec<Cow<'a, str>>,
}

impl<'a> Text<'a> {
    /// With what looks like a credential masked.
    pub fn new(whole: &'a str) -> Self {
        Self { whole, lines: whole.split('\n').collect(), shown: masked_lines(whole) }
    }

    /// All of it as it may be seen.
    pub fn shown(&self) -> String {
        self.shown.join("\n")
    }

    /// Whether it has several lines.
    pub fn is_long(&self) -> bool {
        self.lines.len() > 1
    }

    /// What ends with a line break ends with no other line.
    fn terminated(mut self) -> Self {
        if self.lines.last().is_some_and(|line| line.is_empty()) {
            self.lines.pop();
            self.shown.pop();
        }
        self
    }

    fn without_returns(&mut self) {
        for line in &mut self.lines {
            *line = line.trim_end_matches('\r');
        }
        for line in &mut self.shown {
            *line = Cow::Owned(line.trim_end_matches('\r').to_owned());
        }
    }

    /// A line as it is, and as it may be seen.
    fn line(&self, index: usize) -> (&str, &str) {
        let line = self.lines.get(index).copied().unwrap_or_default();
        (line, self.shown.get(index).map(AsRef::as_ref).unwrap_or_default())
    }
}

/// The lines in which two texts differ as they are, each with up to three
/// around it, masked. Of texts too large for what the budget holds only their
/// lengths are told.
///
/// A text whose last line has no end, and one that has it, differ in that line
/// only if nothing else tells them apart.
pub fn hunks(left: Text<'_>, right: Text<'_>, budget: &mut Budget) -> Vec<Hunk> {
    let (mut old, mut new) = (left.terminated(), right.terminated());
    // What ends a line counts: CR LF is another line than LF.
    if old.lines.iter().chain(&new.lines).all(|line| line.ends_with('\r')) {
        old.without_returns();
        new.without_returns();
    }
    let shared = old.lines.iter().zip(&new.lines).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old.lines[shared..], &new.lines[shared..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = tail.take_while(|(old, new)| old == new).count();
    if !budget.pay(old_rest.len() + new_rest.len() - 2 * tail) {
        return vec![uncompared(&old, &new, shared)];
    }
    let diff = TextDiff::from_slices(&old.lines, &new.lines);
    let groups = diff.grouped_ops(CONTEXT);
    let hunks: Vec<Hunk> = groups.iter().map(|ops| hunk(&diff, (&old, &new), ops)).collect();
    if hunks.is_empty() && old.whole != new.whole {
        vec![ends(old.whole, new.whole)]
    } else {
        hunks
    }
}

fn hunk(diff: &TextDiff<'_, '_, str>, sides: (&Text<'_>, &Text<'_>), ops: &[DiffOp]) -> Hunk {
    let first = |range: fn(&DiffOp) -> usize| ops.first().map_or(1, |op| range(op) + 1);
    let changes = ops.iter().flat_map(|op| diff.iter_changes(op)).map(|change| {
        let (left, right) = (change.old_index(), change.new_index());
        match change.tag() {
            ChangeTag::Equal => (LineKind::Same, right.unwrap_or_default()),
            ChangeTag::Delete => (LineKind::Removed, left.unwrap_or_default()),
            ChangeTag::Insert => (LineKind::Added, right.unwrap_or_default()),
        }
    });
    Hunk {
        left: first(|op| op.old_range().start),
        right: first(|op| op.new_range().start),
        lines: seen(sides, &changes.collect::<Vec<_>>()),
    }
}

fn uncompared(old: &Text<'_>, new: &Text<'_>, shared: usize) -> Hunk {
    let line = |kind, text: &Text<'_>| {
        let text = format!("({} lines, more than are compared)", text.lines.len());
        Line { kind, text, hides: false }
    };
    let lines = vec![line(LineKind::Removed, old), line(LineKind::Added, new)];
    Hunk { left: shared + 1, right: shared + 1, lines }
}

/// Lines by their numbers as they may be seen; of one that both sides have
/// the right one.
fn seen((old, new): (&Text<'_>, &Text<'_>), lines: &[(LineKind, usize)]) -> Vec<Line> {
    let line =
        |kind, index| if kind == LineKind::Removed { old.line(index) } else { new.line(index) };
    let of = |kind: LineKind| -> BTreeSet<(&str, &str)> {
        let lines = lines.iter().filter(|(found, _)| *found == kind);
        // By its look first: those that look the same stand together.
        lines.map(|(_, index)| line(kind, *index)).map(|(line, shown)| (shown, line)).collect()
    };
    let (removed, added) = (of(LineKind::Removed), of(LineKind::Added));
    let hides = |kind, line: &str, shown: &str| {
        let others = match kind {
            LineKind::Same => return false,
            LineKind::Removed => &added,
            LineKind::Added => &removed,
        };
        let twin = others.range((shown, "")..).next();
        line != shown
            && twin.is_some_and(|twin| twin.0 == shown)
            && !others.contains(&(shown, line))
    };
    lines
        .iter()
        .map(|(kind, index)| {
            let (line, shown) = line(*kind, *index);
            Line { kind: *kind, text: shown.to_owned(), hides: hides(*kind, line, shown) }
        })
        .collect()
}

/// Texts whose lines are the same differ in how these end.
fn ends(left: &str, right: &str) -> Hunk {
    let count = left.lines().count().max(1);
    let line = |kind, text: &str| Line { kind, text: described(text), hides: false };
    let lines = vec![line(LineKind::Removed, left), line(LineKind::Added, right)];
    Hunk { left: count, right: count, lines }
}

fn described(text: &str) -> String {
    let end = if text.ends_with('\n') { "ends with LF" } else { "has no end" };
    format!("(the last line {end})")
}

#[cfg(test)]
mod tests {
    use super::{Budget, LineKind, MAX_LINES, Text, hunks};

    fn show(left: &str, right: &str) -> String {
        let sign = |kind| match kind {
            LineKind::Same => ' ',
            LineKind::Removed => '-',
            LineKind::Added => '+',
        };
        let mut out = Vec::new();
        for hunk in hunks(Text::new(left), Text::new(right), &mut Budget::default()) {
            out.push(format!("@@ {} {}\n", hunk.left, hunk.right));
            out.extend(hunk.lines.iter().map(|line| format!("{}{}\n", sign(line.kind), line.text)));
        }
        out.concat()
    }

    #[test]
    fn a_change_stands_among_its_neighbours() {
        let left = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let right = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        assert_eq!(
            show(left, right),
            "@@ 2 2\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ 10 10\n 10\n 11\n 12\n+13\n"
        );
        assert_eq!(show(left, left), "");
        assert_eq!(show("", "a\n"), "@@ 1 1\n+a\n");
    }

    #[test]
    fn ends_of_lines_alone_are_told() {
        assert_eq!(
            show("a\nb", "a\nb\n"),
            "@@ 2 2\n-(the last line has no end)\n+(the last line ends with LF)\n"
        );
        assert_eq!(show("a\r\nb\r\n", "a\r\nc\r\n"), "@@ 1 1\n a\n-b\n+c\n");
        assert_eq!(show("a\r\nb\r\n", "a\nc\n"), "@@ 1 1\n-a\r\n-b\r\n+a\n+c\n");
    }

    #[test]
    fn texts_without_a_common_line_take_no_time() {
        let side = |word: &str, count: usize| -> String {
            (0..count).map(|n| format!("{word}{n}\n")).collect::<Vec<_>>().concat()
        };
        let told = |count: usize| {
            let (left, right) = (side("a", count), side("b", count));
            let (left, right) = (format!("same\n{left}end\n"), format!("same\n{right}end\n"));
            hunks(Text::new(&left), Text::new(&right), &mut Budget::default())
        };
        let hunks = told(MAX_LINES / 2);
        assert_eq!((hunks.len(), hunks[0].lines.len()), (1, MAX_LINES + 2));
        let hunks = told(MAX_LINES / 2 + 1);
        let lines: Vec<&str> = hunks[0].lines.iter().map(|line| line.text.as_str()).collect();
        let told = format!("({} lines, more than are compared)", MAX_LINES / 2 + 3);
        assert_eq!(lines, [told.as_str(); 2]);
    }

    #[test]
    fn changes_that_lie_far_apart_are_told_apart() {
        let line =
            |n: usize| if n.is_multiple_of(7) { "\n".to_owned() } else { format!("line {n}\n") };
        let left: Vec<String> = (0..8_000).map(line).collect();
        let mut right = left.clone();
        for n in [1, 1_000, 4_000, 7_999] {
            right[n] = "changed\n".to_owned();
        }
        let (left, right) = (left.concat(), right.concat());
        let hunks = hunks(Text::new(&left), Text::new(&right), &mut Budget::default());
        assert_eq!(hunks.len(), 4);
        let changed = hunks.iter().flat_map(|hunk| &hunk.lines);
        assert_eq!(changed.filter(|line| line.kind != LineKind::Same).count(), 8);
    }

    #[test]
    fn a_credential_that_changes_is_a_line_that_changes() {
        assert_eq!(
            show("password=old\nlog=info", "password=new\nlog=debug"),
            "@@ 1 1\n-password=(masked)\n-log=info\n+password=(masked)\n+log=debug\n"
        );
        let key = |body: &str| {
            format!(
                "a\n-----BEGIN PRIVATE KEY-----\n{body}\n1\n2\n3\n4\n-----END PRIVATE KEY-----\nb\n"
            )
        };
        assert_eq!(
            show(&key("old"), &key("new")),
            "@@ 1 1\n a\n (masked)\n-(masked)\n+(masked)\n (masked)\n (masked)\n (masked)\n"
        );
        assert_eq!(
            show("password=old\r\nb\r\n", "password=new\r\nb\r\n"),
            "@@ 1 1\n-password=(masked)\n+password=(masked)\n b\n"
        );
    }

    #[test]
    fn only_a_line_that_changes_hides_something() {
        let hides = |left: &str, right: &str, budget: &mut Budget| -> Vec<bool> {
            let hunks = hunks(Text::new(left), Text::new(right), budget);
            hunks.iter().flat_map(|hunk| &hunk.lines).map(|line| line.hides).collect()
        };
        let (left, right) = ("a\ntoken=x\nb\npwd=1", "c\ntoken=x\nd\npwd=2");
        let budget = &mut Budget::default();
        assert_eq!(hides(left, right, budget), [false, false, false, false, true, false, true]);
    }

    #[test]
    fn many_texts_have_one_budget() {
        let side = |word: &str, count: usize| -> String {
            (0..count).map(|n| format!("{word}{n}\nsame\n")).collect::<Vec<_>>().concat()
        };
        let mut budget = Budget::default();
        let mut compared = |count: usize| {
            let (left, right) = (side("a", count), side("b", count));
            let hunks = hunks(Text::new(&left), Text::new(&right), &mut budget);
            hunks.iter().any(|hunk| hunk.lines.iter().any(|line| line.kind == LineKind::Same))
        };
        // Both have 2,000 lines, of which the last one is the same.
        let several = (0..50).filter(|_| compared(1_000)).count();
        assert_eq!(several, MAX_LINES / 3_998);
        assert!(compared(10), "a small one is compared still");
    }
}
