//! What a person sees in a terminal.

use marketsync::domain::report::diff::text;

use super::keep;
use crate::support::diffs;

/// Without its colours.
fn plain(diff: &marketsync::domain::diff::Diff) -> String {
    anstream::adapter::strip_str(&text::diff(diff)).to_string()
}

#[test]
fn everything_in_a_terminal() {
    let shown = text::diff(&diffs::full());
    assert!(shown.contains('\u{1b}'), "a terminal gets colours");
    keep("full.txt", &plain(&diffs::full()));
    keep("full.ansi.txt", &shown.replace('\u{1b}', "ESC"));
    keep("branch.txt", &plain(&diffs::branch()));
}

#[test]
fn nothing_to_do() {
    for (against, name) in [
        (diffs::live(), "empty-live.txt"),
        (diffs::recorded(), "empty-recorded.txt"),
        (diffs::revision(true), "empty-revision.txt"),
    ] {
        let shown = plain(&diffs::empty(against));
        assert!(shown.contains("\nNothing to do: "), "{shown}");
        keep(name, &shown);
    }
}

#[test]
fn nothing_that_others_wrote_reaches_the_terminal() {
    let mut all = Vec::new();
    for evil in diffs::EVIL {
        let coloured = text::diff(&diffs::hostile(evil));
        let shown = anstream::adapter::strip_str(&coloured).to_string();
        let moves =
            |c: char| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
        assert!(!shown.contains(moves), "{shown:?}");
        for line in shown.lines() {
            assert!(!line.trim_start().starts_with("::"), "a workflow command: {line:?}");
            assert!(!line.starts_with('/'), "a quick action: {line:?}");
            for command in ["##[", "##vso["] {
                assert!(!line.contains(command), "a command of older runners: {line:?}");
            }
        }
        // What is left of the colours is all that the stripped text lacks.
        let own = coloured.matches('\u{1b}').count();
        let harmless = text::diff(&diffs::hostile("plain")).matches('\u{1b}').count();
        assert!(own >= harmless);
        all.push(format!("=== {evil:?}\n{shown}"));
    }
    keep("hostile.txt", &all.concat());
}

#[test]
fn ten_thousand_items() {
    let (small, large) = (plain(&diffs::large(1_000)), plain(&diffs::large(10_000)));
    assert!(large.len() < 11 * small.len(), "{} and {}", small.len(), large.len());
    assert!(large.contains("item-09998 NA (sidecar)"));
    assert!(large.contains("\n… 1980 more\n"), "adopted items are counted");
}
