//! The difference of two texts, line by line.

use similar::{ChangeTag, DiffOp, TextDiff};

/// How many lines stand around a change.
const CONTEXT: usize = 3;

/// The most lines of both texts that are compared, what they share at their
/// ends aside: the time grows with their product where nothing is the same.
/// The longest text of the public catalogue has 1,100 lines.
const MAX_LINES: usize = 6_000;

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

/// The lines in which two texts differ, each with up to three around it. Texts
/// too large to compare are one hunk that replaces all between their common
/// ends.
///
/// A text whose last line has no end, and one that has it, differ in that line
/// only if nothing else tells them apart.
pub fn hunks(left: &str, right: &str) -> Vec<Hunk> {
    // What ends a line counts: CR LF is another line than LF.
    let mut old: Vec<&str> = left.split_terminator('\n').collect();
    let mut new: Vec<&str> = right.split_terminator('\n').collect();
    if old.iter().chain(&new).all(|line| line.ends_with('\r')) {
        for line in old.iter_mut().chain(&mut new) {
            *line = line.trim_end_matches('\r');
        }
    }
    let shared = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[shared..], &new[shared..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = tail.take_while(|(old, new)| old == new).count();
    if old_rest.len() + new_rest.len() - 2 * tail > MAX_LINES {
        return vec![replaced(
            &old_rest[..old_rest.len() - tail],
            &new_rest[..new_rest.len() - tail],
            shared,
        )];
    }
    let diff = TextDiff::from_slices(&old, &new);
    let hunks: Vec<Hunk> = diff.grouped_ops(CONTEXT).iter().map(|ops| hunk(&diff, ops)).collect();
    if hunks.is_empty() && left != right { vec![ends(left, right)] } else { hunks }
}

fn hunk(diff: &TextDiff<'_, '_, str>, ops: &[DiffOp]) -> Hunk {
    let first = |range: fn(&DiffOp) -> usize| ops.first().map_or(1, |op| range(op) + 1);
    let lines = ops.iter().flat_map(|op| diff.iter_changes(op)).map(|change| Line {
        kind: match change.tag() {
            ChangeTag::Equal => LineKind::Same,
            ChangeTag::Delete => LineKind::Removed,
            ChangeTag::Insert => LineKind::Added,
        },
        text: change.value().to_owned(),
    });
    Hunk {
        left: first(|op| op.old_range().start),
        right: first(|op| op.new_range().start),
        lines: lines.collect(),
    }
}

fn replaced(old: &[&str], new: &[&str], before: usize) -> Hunk {
    let line = |kind| move |text: &&str| Line { kind, text: (*text).to_owned() };
    let lines =
        old.iter().map(line(LineKind::Removed)).chain(new.iter().map(line(LineKind::Added)));
    Hunk { left: before + 1, right: before + 1, lines: lines.collect() }
}

/// Texts whose lines are the same differ in how these end.
fn ends(left: &str, right: &str) -> Hunk {
    let count = left.lines().count().max(1);
    let line = |kind, text: &str| Line { kind, text: described(text) };
    let lines = vec![line(LineKind::Removed, left), line(LineKind::Added, right)];
    Hunk { left: count, right: count, lines }
}

fn described(text: &str) -> String {
    let end = if text.ends_with('\n') { "ends with LF" } else { "has no end" };
    format!("(the last line {end})")
}

#[cfg(test)]
mod tests {
    use super::{LineKind, MAX_LINES, hunks};

    fn show(left: &str, right: &str) -> String {
        let sign = |kind| match kind {
            LineKind::Same => ' ',
            LineKind::Removed => '-',
            LineKind::Added => '+',
        };
        let mut out = Vec::new();
        for hunk in hunks(left, right) {
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
        let side = |word: &str| -> String {
            (0..100_000).map(|n| format!("{word}{n}\n")).collect::<Vec<_>>().concat()
        };
        let (left, right) =
            (format!("same\n{}end\n", side("a")), format!("same\n{}end\n", side("b")));
        let hunks = hunks(&left, &right);
        assert_eq!(hunks.len(), 1);
        assert_eq!((hunks[0].left, hunks[0].lines.len()), (2, 200_000));
        assert!(hunks[0].lines.len() > MAX_LINES);
    }
}
