//! Text of others, made harmless for a terminal, for a log of one line an
//! event, and for a CI runner that reads the log.

use std::fmt::Write as _;

/// This text, harmless in a terminal and with as many characters: a tab
/// becomes a space; control characters and those that turn the direction of
/// the line (Unicode's bidirectional controls) become U+FFFD, and so does the
/// bracket of `##[error]` and its like, which a CI runner obeys wherever it
/// stands in a line of the log.
pub fn clean(text: &str) -> String {
    cleaned(text.chars()).collect()
}

/// The same, one character for each.
pub fn cleaned(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut brackets = Brackets::default();
    chars.map(move |c| {
        let c = clean_char(c);
        if brackets.is_command(c) { char::REPLACEMENT_CHARACTER } else { c }
    })
}

/// One character of it, whatever stands before it.
fn clean_char(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// What stands before a bracket: `##[…]` is a command for the runners of
/// GitHub, `##vso[…]` for those of Azure, `##teamcity[…]` for those of
/// `TeamCity`.
#[derive(Debug, Clone, Copy, Default)]
enum Brackets {
    #[default]
    Nothing,
    /// `#`
    Hash,
    /// `##`, and maybe more.
    Hashes,
    /// `##` and a word.
    Word,
}

impl Brackets {
    /// Reads on; whether this is the bracket of a command.
    fn is_command(&mut self, c: char) -> bool {
        *self = match (*self, c) {
            (Self::Hashes | Self::Word, '[') => {
                *self = Self::Nothing;
                return true;
            }
            (Self::Nothing | Self::Word, '#') => Self::Hash,
            (Self::Hash | Self::Hashes, '#') => Self::Hashes,
            (Self::Hashes | Self::Word, c) if c.is_ascii_alphabetic() => Self::Word,
            // Runners compare as people do, for whom some characters, such as
            // a soft hyphen, are not there.
            (before, c) if !c.is_ascii() => before,
            _ => Self::Nothing,
        };
        false
    }
}

/// This line of the log, no command for a CI runner; the rest of it is as it
/// was. `is_json` says whether the line must stay the same for a program.
pub fn no_command(line: &str, is_json: bool) -> String {
    let mut brackets = Brackets::default();
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        match (brackets.is_command(c), is_json) {
            (false, _) => shown.push(c),
            (true, false) => shown.push(char::REPLACEMENT_CHARACTER),
            (true, true) => shown.push_str("\\u005b"),
        }
    }
    shown
}

/// This line, if it begins with `::`, with another sign in place of the first
/// colon: GitHub's runner obeys a line such as `::error::…`, whatever blanks
/// stand before it.
pub fn no_first_command(line: &str) -> String {
    let begin = line.trim_start_matches(|c: char| !c.is_ascii() || c.is_ascii_whitespace());
    if !begin.chars().filter(char::is_ascii).take(2).eq("::".chars()) {
        return line.to_owned();
    }
    line.replacen(':', "\u{fffd}", 1)
}

/// This JSON, the same for a program and harmless in a terminal and in the log
/// of a CI runner: what [`clean`] would replace becomes `\u` and its number.
pub fn clean_json(json: &str) -> String {
    let mut brackets = Brackets::default();
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        let is_command = brackets.is_command(c);
        // Tabs and ends of lines stand between the values only, and both are
        // harmless.
        if !is_command && (c == clean_char(c) || c == '\n' || c == '\t') {
            shown.push(c);
        } else {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        }
    }
    shown
}

/// The first `limit` characters, cleaned; `…` stands for the rest.
pub fn cut(text: &str, limit: usize) -> String {
    let mut chars = text.chars();
    let mut shown: String = cleaned(chars.by_ref().take(limit)).collect();
    if chars.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_char, clean_json, cut, no_command, no_first_command};

    #[test]
    fn json_is_the_same_and_harmless() {
        let value = serde_json::json!({
            "k\u{9b}2J": ["\u{1b}[2J \u{7f} \u{85} \u{202e}abc \u{feff}", "grün 日本 🦀 \\u009b \" \n\t"],
            "##[k]": "##[error]a ##vso[task.complete]b ##\u{ad}[c] #[d] ## [e]",
        });
        let shown = clean_json(&format!("{value:#}"));
        assert!(
            shown.contains(r"\u009b2J")
                && shown.contains(r"\u202e")
                && shown.contains("grün 日本 🦀")
        );
        assert!(shown.chars().all(|c| c == '\n' || c == clean_char(c)), "{shown:?}");
        assert!(shown.contains(r"##\u005berror]") && shown.contains("#[d] ## [e]"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_runner_finds_no_command() {
        for (hostile, harmless) in [
            ("##[error]x", "##\u{fffd}error]x"),
            ("a ##[add-mask]x ##[group]", "a ##\u{fffd}add-mask]x ##\u{fffd}group]"),
            ("####[error]", "####\u{fffd}error]"),
            ("##vso[task.setvariable]x", "##vso\u{fffd}task.setvariable]x"),
            ("##VSO[x]", "##VSO\u{fffd}x]"),
            ("##teamcity[x]", "##teamcity\u{fffd}x]"),
            ("#\u{ad}#\u{34f}[error]", "#\u{ad}#\u{34f}\u{fffd}error]"),
            // Cleaning makes no command of what was none.
            ("##\u{1}[error]", "##\u{fffd}\u{fffd}error]"),
        ] {
            assert_eq!(clean(hostile), harmless);
            assert_eq!(cut(hostile, 99), harmless);
            assert_eq!(clean(hostile).chars().count(), hostile.chars().count());
            assert_eq!(clean(harmless), harmless);
        }
        for innocent in ["#[test]", "## [1]", "a#b#[c]", "##1[x]", "[x] ##", "##v so[x]"] {
            assert_eq!(clean(innocent), innocent);
            assert_eq!(no_command(innocent, false), innocent);
        }
        // The colours of a log are not its text.
        let log = "\u{1b}[2mpath\u{1b}[0m=\"##[error]\" ##\u{1b}[0m";
        assert_eq!(no_command(log, false), log.replacen("##[", "##\u{fffd}", 1));
        assert_eq!(no_command(r###"{"a":"##[x]"}"###, true), r###"{"a":"##\u005bx]"}"###);
    }

    #[test]
    fn a_line_does_not_begin_with_a_command() {
        for hostile in ["::error::x", " \t ::stop-commands::x", "\u{ad}:\u{a0}:debug::"] {
            let harmless = no_first_command(hostile);
            assert_eq!(harmless.chars().count(), hostile.chars().count());
            assert_eq!(no_first_command(&harmless), harmless, "{hostile}");
        }
        for innocent in ["a ::error::", ": :x", "", ":", "error: ::x"] {
            assert_eq!(no_first_command(innocent), innocent);
        }
    }
}
