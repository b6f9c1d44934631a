//! Fenced blocks of a Markdown page.

use std::ops::Range;

/// A fenced block.
pub(super) struct Block<'t> {
    /// What stands behind the fence.
    pub(super) language: &'t str,
    /// The text between the fences, with its last line break.
    pub(super) body: &'t str,
    /// The comment `<!-- … -->` on the line before the block, if there is one.
    pub(super) note: Option<&'t str>,
    /// Where the body stands.
    range: Range<usize>,
}

/// The blocks of a page, in their order.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, Option<&str>)> = None;
    let mut before = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end();
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((language, at, before)),
            (Some(_), Some((language, from, note))) => {
                found.push(Block { language, body: &text[from..start], note, range: from..start });
            }
            (None, still) => open = still,
        }
        let comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        before = comment;
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

/// The page with other bodies of some of its blocks.
pub(super) fn rewritten(text: &str, bodies: &[Option<String>]) -> String {
    let mut out = String::new();
    let mut at = 0;
    for (block, body) in blocks(text).iter().zip(bodies) {
        out.push_str(&text[at..block.range.start]);
        out.push_str(body.as_deref().unwrap_or(block.body));
        at = block.range.end;
    }
    out.push_str(&text[at..]);
    out
}
