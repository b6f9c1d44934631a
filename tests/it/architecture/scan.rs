//! Rust text to tokens, and tokens to the paths and modules that they name.
//!
//! Comments, strings and characters are skipped, so that prose and messages
//! do not count as code. This is no parser: it knows as much of the grammar as
//! the rules need, and it never fails.

/// A token, without the text of literals and comments.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// An identifier, a keyword or a number.
    Word(String),
    /// `::`
    Sep,
    /// Any other sign; a string or character is one `"`.
    Sign(char),
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
    /// The inline modules (`mod tests { … }`) that it stands in.
    inline: Vec<String>,
}

impl Token {
    fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Sep | Kind::Sign(_) => None,
        }
    }

    fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// A path as it is written, the groups of a `use` spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// `["crate", "domain", "item"]`; a glob ends in `*`; `_` stands for a
    /// type in angle brackets.
    pub(crate) segments: Vec<String>,
    /// The name that a `use` gives it.
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) in_use: bool,
    /// The inline modules that it stands in.
    pub(crate) inline: Vec<String>,
}

/// What a file says, as far as the rules ask.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Every path with its place.
    pub(crate) paths: Vec<Named>,
    /// Every word with its line.
    pub(crate) words: Vec<(String, usize)>,
    /// The modules that are files of their own, in the order of their lines.
    pub(crate) children: Vec<String>,
}

/// Reads one file.
pub(crate) fn scan(text: &str) -> Scanned {
    let mut tokens = tokens(text);
    let children = mark_modules(&mut tokens);
    let words =
        tokens.iter().filter_map(|token| Some((token.word()?.to_owned(), token.line))).collect();
    Scanned { paths: paths(&tokens), words, children }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let mut line = 1;
    let mut index = 0;
    while index < chars.len() {
        let start = index;
        let kind = match (at(index), at(index + 1)) {
            ('/', '/') => {
                index = skip_until(&chars, index, '\n');
                None
            }
            ('/', '*') => {
                index = after_block_comment(&chars, index);
                None
            }
            ('"', _) => {
                index = after_quoted(&chars, index);
                Some(Kind::Sign('"'))
            }
            ('\'', next) if next == '\\' || at(index + 2) == '\'' => {
                index = after_quoted(&chars, index);
                Some(Kind::Sign('"'))
            }
            // A lifetime or a label: its name is no word of the rules.
            ('\'', _) => {
                index = after_word(&chars, index + 1);
                None
            }
            (':', ':') => {
                index += 2;
                Some(Kind::Sep)
            }
            (c, _) if is_word(c) => {
                index = after_word(&chars, index);
                let word: String = chars[start..index].iter().collect();
                let (end, kind) = prefixed(&chars, index, word);
                index = end;
                Some(kind)
            }
            (c, _) => {
                index += 1;
                (!c.is_whitespace()).then_some(Kind::Sign(c))
            }
        };
        if let Some(kind) = kind {
            found.push(Token { kind, line, inline: Vec::new() });
        }
        let end = index.min(chars.len());
        line += chars[start..end].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// The word before `index`, unless it is the prefix of a literal (`b"`, `r#"`)
/// or of a raw name (`r#type`).
fn prefixed(chars: &[char], index: usize, word: String) -> (usize, Kind) {
    let raw = matches!(word.as_str(), "r" | "br" | "cr");
    let hashes = chars[index..].iter().take_while(|c| **c == '#').count();
    match chars.get(index + hashes) {
        Some('"') if raw => {
            let mut end = index + hashes + 1;
            while end < chars.len() {
                let closing = chars[end] == '"'
                    && chars[end + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
                end += 1;
                if closing {
                    return (end + hashes, Kind::Sign('"'));
                }
            }
            (end, Kind::Sign('"'))
        }
        Some('"' | '\'') if hashes == 0 && matches!(word.as_str(), "b" | "c") => {
            (after_quoted(chars, index), Kind::Sign('"'))
        }
        // The raw name is another word than the keyword that it evades.
        Some(c) if word == "r" && hashes == 1 && is_word(*c) => {
            let end = after_word(chars, index + 1);
            (end, Kind::Word(chars[index..end].iter().collect()))
        }
        _ => (index, Kind::Word(word)),
    }
}

fn skip_until(chars: &[char], mut index: usize, stop: char) -> usize {
    while index < chars.len() && chars[index] != stop {
        index += 1;
    }
    index
}

fn after_word(chars: &[char], mut index: usize) -> usize {
    while chars.get(index).is_some_and(|c| is_word(*c)) {
        index += 1;
    }
    index
}

/// Block comments nest.
fn after_block_comment(chars: &[char], mut index: usize) -> usize {
    let mut depth = 0_usize;
    while index < chars.len() {
        match (chars[index], chars.get(index + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                index += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                index += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => index += 1,
        }
    }
    index
}

/// Behind the sign that opened at `index`, escapes skipped.
fn after_quoted(chars: &[char], index: usize) -> usize {
    let sign = chars[index];
    let mut end = index + 1;
    while end < chars.len() && chars[end] != sign {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    end + 1
}

/// Notes in every token the inline modules around it; returns the modules that
/// are files of their own.
fn mark_modules(tokens: &mut [Token]) -> Vec<String> {
    let mut children = Vec::new();
    let mut around: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    for index in 0..tokens.len() {
        if tokens[index].is('{') {
            depth += 1;
            if let Some(name) = index.checked_sub(2).and_then(|before| module_at(tokens, before)) {
                around.push((name, depth));
            }
        } else if tokens[index].is('}') {
            if around.last().is_some_and(|(_, opened)| *opened == depth) {
                around.pop();
            }
            depth = depth.saturating_sub(1);
        } else if tokens[index].is(';') && around.is_empty() {
            children.extend(index.checked_sub(2).and_then(|before| module_at(tokens, before)));
        }
        tokens[index].inline = around.iter().map(|(name, _)| name.clone()).collect();
    }
    children
}

fn module_at(tokens: &[Token], index: usize) -> Option<String> {
    (tokens.get(index)?.word()? == "mod").then_some(())?;
    tokens.get(index + 1)?.word().map(str::to_owned)
}

fn paths(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut in_use = false;
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let next = tokens.get(index + 1);
        match token.word() {
            // `use<'a>` in a return type captures; it imports nothing.
            Some("use") if !next.is_some_and(|next| next.is('<')) => in_use = true,
            // The end of a `pub(in …)` names who may see, not what is used.
            Some("in") if index > 0 && tokens[index - 1].is('(') => index += 1,
            Some(_) => {
                let behind = index.checked_sub(2).map(|before| &tokens[before]);
                let after_type = index > 0
                    && tokens[index - 1].kind == Kind::Sep
                    && behind.is_some_and(|behind| behind.is('>'));
                let prefix = if after_type { vec!["_".to_owned()] } else { Vec::new() };
                let before = found.len();
                index = tree(tokens, index, prefix, &mut found);
                for named in &mut found[before..] {
                    named.in_use = in_use;
                }
                continue;
            }
            None if token.is(';') => in_use = false,
            None if in_use && token.is('{') => {
                let before = found.len();
                index = group(tokens, index, &[], &mut found);
                for named in &mut found[before..] {
                    named.in_use = true;
                }
                continue;
            }
            None => {}
        }
        index += 1;
    }
    found
}

/// The path that begins at the word `index`; returns where it ends.
fn tree(
    tokens: &[Token],
    mut index: usize,
    mut segments: Vec<String>,
    found: &mut Vec<Named>,
) -> usize {
    let first = index;
    while let Some(word) = tokens.get(index).and_then(Token::word) {
        segments.push(word.to_owned());
        index += 1;
        if tokens.get(index).is_none_or(|token| token.kind != Kind::Sep) {
            break;
        }
        match tokens.get(index + 1) {
            Some(token) if token.word().is_some() => index += 1,
            Some(token) if token.is('{') => return group(tokens, index + 1, &segments, found),
            Some(token) if token.is('*') => {
                segments.push("*".to_owned());
                index += 2;
                break;
            }
            _ => break,
        }
    }
    let renamed = tokens.get(index).and_then(Token::word) == Some("as");
    let alias = tokens.get(index + 1).filter(|_| renamed).and_then(Token::word);
    let name = alias.or(segments.last().map(String::as_str)).unwrap_or_default().to_owned();
    let start = &tokens[first];
    found.push(Named {
        segments,
        name,
        line: start.line,
        in_use: false,
        inline: start.inline.clone(),
    });
    if alias.is_some() { index + 2 } else { index.max(first + 1) }
}

/// The group of a `use` whose brace opens at `index`; returns what is behind it.
fn group(tokens: &[Token], mut index: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    index += 1;
    while let Some(token) = tokens.get(index) {
        if token.is('}') {
            return index + 1;
        }
        if token.word() == Some("self") {
            // `a::{self}` names `a`.
            let before = found.len();
            index = tree(tokens, index, Vec::new(), found);
            if let Some(named) = found.get_mut(before) {
                named.segments = prefix.to_vec();
                if named.name == "self" {
                    named.name = prefix.last().cloned().unwrap_or_default();
                }
            }
        } else if token.word().is_some() {
            index = tree(tokens, index, prefix.to_vec(), found);
        } else {
            if token.is('*') {
                let segments = prefix.iter().cloned().chain(["*".to_owned()]).collect();
                let named = Named {
                    segments,
                    name: "*".to_owned(),
                    line: token.line,
                    in_use: true,
                    inline: token.inline.clone(),
                };
                found.push(named);
            }
            index += 1;
        }
    }
    index
}
