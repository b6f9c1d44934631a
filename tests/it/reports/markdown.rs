//! What a reviewer sees in a comment.

use marketsync::domain::diff::{Diff, Edit, Left};
use marketsync::domain::event::{Action, Hold, Reason};
use marketsync::domain::report::diff::markdown;
use proptest::prelude::*;
use serde_json::json;

use super::keep;
use crate::support::diffs;

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Checks what holds for every comment: its length, its first line, that it
/// closes what it opens, and that no line of others' words begins a line.
/// Returns what stands outside of fences.
fn checked(text: &str) -> String {
    assert!(units(text) <= markdown::MAX_UNITS, "{} units", units(text));
    assert_eq!(text.lines().next(), Some("<!-- marketsync-diff -->"));
    let mut fence: Option<&str> = None;
    let mut outside = String::new();
    let mut folds = 0;
    for line in text.lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.trim_start().starts_with("::"), "a workflow command: {line:?}");
        assert!(!line.starts_with('/'), "a quick action: {line:?}");
        let ticks: &str = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if line.trim() == open => fence = None,
            Some(open) => {
                let run = line.trim_start();
                let run = run.len() - run.trim_start_matches('`').len();
                assert!(run < open.len(), "closes the fence: {line:?}");
                let signs = ["  ", "- ", "+ ", "~ ", "| ", "@@ ", "… "];
                let alone = ["", "-", "+", "~"];
                assert!(
                    alone.contains(&line) || signs.iter().any(|sign| line.starts_with(sign)),
                    "no sign: {line:?}"
                );
            }
            None if ticks.len() >= 3 && line.ends_with("diff") => fence = Some(ticks),
            None => {
                let known = [
                    "<!-- m",
                    "## ",
                    "### ",
                    "**",
                    "- ",
                    "| ",
                    "|---",
                    "<details>",
                    "</details>",
                    "What changes",
                    "Without a write",
                    "Plan `b3:",
                ];
                let counted = line.split(' ').next().unwrap().parse::<usize>().is_ok();
                assert!(
                    line.is_empty() || counted || known.iter().any(|begin| line.starts_with(begin)),
                    "unknown line: {line:?}"
                );
                if line.starts_with("| ") {
                    assert_eq!(line.matches('|').count(), 7, "a row has six cells: {line:?}");
                }
                folds += usize::from(line.starts_with("<details>"));
                assert!(folds > 0 || line != "</details>", "closes what is not open");
                folds -= usize::from(line == "</details>");
                outside += line;
                outside.push('\n');
            }
        }
    }
    assert_eq!((fence, folds), (None, 0), "everything is closed");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("Plan `b3:") && text.ends_with("`\n"), "{last}");
    outside
}

/// What stands outside of code, by the rule of `CommonMark`: a run of backticks
/// is closed by a run of the same length, in the same paragraph.
fn outside_of_code(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        // A block of HTML: no Markdown in it.
        if line.starts_with("<details>") {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find('`') {
            out += &rest[..at];
            let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
            let inner = &rest[at + run..];
            let mut from = 0;
            let end = loop {
                let Some(next) = inner[from..].find('`') else { panic!("open code: {line:?}") };
                let start = from + next;
                let len = inner[start..].len() - inner[start..].trim_start_matches('`').len();
                if len == run {
                    break start + len;
                }
                from = start + len;
            };
            out.push('C');
            rest = &inner[end..];
        }
        out += rest;
        out.push('\n');
    }
    out
}

#[test]
fn everything_in_a_comment() {
    for (name, diff) in [
        ("full.md", diffs::full()),
        ("branch.md", diffs::branch()),
        ("empty.md", diffs::empty(diffs::live())),
    ] {
        let shown = markdown::diff(&diff);
        checked(&shown);
        keep(name, &shown);
    }
}

#[test]
fn nothing_that_others_wrote_is_active() {
    for evil in diffs::EVIL {
        let text = checked(&markdown::diff(&diffs::hostile(evil)));
        let active = outside_of_code(&text);
        for word in [
            "@team", "@ada", "#1", "GH-", "deadbeef", "://", "www.", "](", "<script", "<img",
            "/close", ":smile",
        ] {
            assert!(!active.contains(word), "{word}: {active}");
        }
        let summary = text.lines().filter(|line| line.starts_with("<details>"));
        for line in summary {
            let tags = line.matches('<').count();
            assert_eq!(tags, 9, "{line}");
        }
    }
}

#[test]
fn ten_thousand_items_fit() {
    let shown = markdown::diff(&diffs::large(10_000));
    checked(&shown);
    let rows = shown.lines().filter(|line| line.starts_with("| update ")).count();
    assert!(rows > 200, "{rows}");
    let more = format!(
        "\n{} more items are not shown here; the whole report: `marketsync diff`\n",
        8_000 - rows
    );
    assert!(shown.contains(&more), "{more}");
    assert!(shown.contains(", and 1980 more\n"));
    assert!(units(&shown) > markdown::MAX_UNITS - 2_000, "the room is used: {}", units(&shown));
}

#[test]
fn folds_go_before_rows() {
    let shown = markdown::diff(&diffs::large(250));
    checked(&shown);
    let rows = shown.lines().filter(|line| line.starts_with("| update ")).count();
    let folds = shown.matches("<details>").count();
    assert_eq!(rows, 200);
    assert!(folds > 50 && folds < 200, "{folds}");
    let told = format!(
        "What changes in the last {} items is not shown here; the whole report: `marketsync diff`",
        200 - folds
    );
    assert!(shown.contains(&told), "{told}");
}

/// Any words in any number, in every place.
fn any_diff() -> impl Strategy<Value = Diff> {
    let word = prop_oneof![
        proptest::sample::select(diffs::EVIL.to_vec()).prop_map(str::to_owned),
        "[`~|<>&@#/:a\\\\ \n\u{1b}🦀]{0,40}",
        "[`]{1,600}",
        "x{0,3000}",
    ];
    let few = proptest::collection::vec(word, 1..4).prop_map(|words| words.join(" "));
    (few, 0_usize..400, 1_usize..30).prop_map(|(text, copies, fields)| {
        let mut diff = diffs::hostile(&text);
        let one = diff.entries.clone();
        for index in 0..copies {
            let mut entry = one[index % one.len()].clone();
            entry.key.item_id = format!("copy-{index}").parse().unwrap();
            diff.entries.push(entry);
        }
        let edit = Edit::Removed { from: json!(text.repeat(20)) };
        let mut large = diffs::entry("large", "NA", Action::Update, Reason::Edited);
        large.fields = diffs::listed(Left::Live, vec![diffs::field(&text, 1, None, edit); fields]);
        large.hold = Some(Hold::Rejected { why: text.clone() });
        diff.entries.push(large);
        diff.problems = vec![diff.problems[0].clone(); copies];
        diff.notes = vec![text; fields];
        diff
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_comment_fits_and_closes_what_it_opens(diff in any_diff()) {
        let text = checked(&markdown::diff(&diff));
        outside_of_code(&text);
    }
}
