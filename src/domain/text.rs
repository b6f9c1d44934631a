//! Text of others, made harmless for a terminal and for a log of one line an
//! event.

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
