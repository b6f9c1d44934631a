//! Text of others, made harmless for a terminal and for a log of one line an
//! event.

use std::fmt::Write as _;

/// This text, harmless in a terminal and with as many characters: a tab
/// becomes a space; control characters and those that turn the direction of
/// the line (Unicode's bidirectional controls) become U+FFFD.
pub fn clean(text: &str) -> String {
    text.chars().map(clean_char).collect()
}

/// One character of it.
pub fn clean_char(c: char) -> char {
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

/// This JSON, the same for a program and harmless in a terminal: what [`clean`]
/// would replace becomes `\u` and its number.
pub fn clean_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // Tabs and ends of lines stand between the values only, and both are
        // harmless.
        if c == clean_char(c) || c == '\n' || c == '\t' {
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
    let mut shown: String = chars.by_ref().take(limit).map(clean_char).collect();
    if chars.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::clean_json;

    #[test]
    fn json_is_the_same_and_harmless() {
        let value = serde_json::json!({
            "k\u{9b}2J": ["\u{1b}[2J \u{7f} \u{85} \u{202e}abc \u{feff}", "grün 日本 🦀 \\u009b \" \n\t"],
        });
        let shown = clean_json(&format!("{value:#}"));
        assert!(
            shown.contains(r"\u009b2J")
                && shown.contains(r"\u202e")
                && shown.contains("grün 日本 🦀")
        );
        assert!(shown.chars().all(|c| c == '\n' || c == super::clean_char(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
