//! Readers of the renderings that know what the program writes by itself, and
//! take everything else for a fault.

use serde_json::Value;

/// What no line may hold, wherever it goes.
fn is_harmful(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        || c.is_control()
}

/// Text of several lines: nothing that moves a cursor, nothing that a runner
/// takes for a command.
pub fn plain(text: &str) {
    for line in text.split('\n') {
        assert!(!line.chars().any(is_harmful), "{line:?}");
        no_command(line);
    }
    assert!(text.ends_with('\n'), "{text:?}");
}

/// A line of a runner's log.
fn no_command(line: &str) {
    let seen: String = line.chars().filter(char::is_ascii).collect();
    assert!(!seen.trim_start().starts_with("::"), "a command: {line:?}");
    for (at, _) in seen.match_indices("##") {
        let word = seen[at..]
            .trim_start_matches('#')
            .trim_start_matches(|c: char| c.is_ascii_alphabetic());
        assert!(!word.starts_with('['), "a command: {line:?}");
    }
}

/// The same with colours: those of the program and no other escapes.
pub fn terminal(text: &str) {
    let mut bare = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        bare.push_str(&rest[..at]);
        let end = rest[at..].find('m').map(|end| at + end);
        let end = end.unwrap_or_else(|| panic!("an escape without an end: {rest:?}"));
        let style = &rest[at..=end];
        let ours = ["0", "1", "2", "31", "32", "33", "35", "36"];
        let code = style.strip_prefix("\u{1b}[").and_then(|code| code.strip_suffix('m'));
        assert!(code.is_some_and(|code| ours.contains(&code)), "a strange escape: {style:?}");
        rest = &rest[end + 1..];
    }
    bare.push_str(rest);
    plain(&bare);
}

/// JSON as it is printed: the same to a program, harmless to a terminal.
pub fn json(value: &Value) {
    let printed = marketsync::domain::text::clean_json(&format!("{value:#}"));
    assert!(!printed.chars().any(|c| c != '\n' && is_harmful(c)), "{printed:?}");
    printed.lines().for_each(no_command);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), *value);
}

/// Workflow commands, one for each problem, and lines of text.
pub fn github(text: &str, problems: usize) {
    let mut commands = 0;
    for line in text.strip_suffix('\n').unwrap().split('\n') {
        assert!(!line.chars().any(is_harmful), "{line:?}");
        let Some(command) = line.strip_prefix("::") else {
            no_command(line);
            continue;
        };
        let (head, said) = command.split_once("::").expect("a command has an end");
        let (name, properties) = head.split_once(' ').expect("a command has properties");
        if name == "notice" {
            continue;
        }
        commands += 1;
        assert!(matches!(name, "error" | "warning"), "{line:?}");
        let properties: Vec<&str> =
            properties.split(',').map(|one| one.split_once('=').unwrap().0).collect();
        let expected: &[&str] = if properties.len() == 2 {
            &["file", "title"]
        } else {
            &["file", "line", "col", "title"]
        };
        assert_eq!(properties, expected, "{line:?}");
        // It stands in the middle of a line.
        no_command(&format!("Error: {said}"));
    }
    assert_eq!(commands, problems, "{text:?}");
}

/// What the page is made of, and which attributes each element may have.
const ELEMENTS: [(&str, &[&str]); 41] = [
    ("html", &["lang"]),
    ("head", &[]),
    ("meta", &["charset", "http-equiv", "content", "name"]),
    ("title", &[]),
    ("style", &[]),
    ("body", &[]),
    ("header", &[]),
    ("h1", &[]),
    ("h2", &["id"]),
    ("h3", &[]),
    ("h4", &[]),
    ("p", &["class"]),
    ("main", &[]),
    ("footer", &[]),
    ("code", &[]),
    ("dl", &[]),
    ("div", &["class"]),
    ("dt", &[]),
    ("dd", &[]),
    ("section", &["aria-labelledby"]),
    ("ul", &["class"]),
    ("li", &[]),
    ("pre", &["class"]),
    ("table", &[]),
    ("caption", &[]),
    ("thead", &[]),
    ("tbody", &[]),
    ("tr", &[]),
    ("th", &["scope"]),
    ("td", &[]),
    ("a", &["href"]),
    ("span", &["class"]),
    ("details", &["id", "open"]),
    ("summary", &[]),
    ("strong", &[]),
    ("del", &[]),
    ("ins", &[]),
    ("mark", &[]),
    ("i", &[]),
    ("b", &[]),
    ("em", &[]),
];

/// What an attribute says that others could have a word in.
const WORDS: [&str; 17] = [
    "badge", "create", "update", "delete", "adopt", "forget", "held", "verdict", "problem", "hold",
    "field", "cause", "drift", "lines", "place", "more", "type",
];

/// A page: nothing but known elements, each closed, with attributes of which
/// none holds a word of others.
pub fn page(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a page");
    while let Some(at) = rest.find('<') {
        words_of_page(&rest[..at]);
        let end = at + rest[at..].find('>').expect("an element has an end");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed and not open");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let known = ELEMENTS.iter().find(|(known, _)| *known == name);
        let (_, allowed) = known.unwrap_or_else(|| panic!("a strange element: <{tag}>"));
        self::attributes(attributes, allowed, tag);
        match name {
            "meta" => {}
            "style" => {
                let end = rest.find("</style>").expect("a style has an end");
                assert!(!rest[..end].contains('<'));
                rest = &rest[end + "</style>".len()..];
            }
            name => open.push(name),
        }
    }
    words_of_page(rest);
    assert!(open.is_empty(), "{open:?} is not closed");
}

fn words_of_page(text: &str) {
    assert!(!text.contains('>'), "{text:?}");
    assert!(!text.chars().any(|c| c != '\n' && is_harmful(c)), "{text:?}");
    for (at, _) in text.match_indices('&') {
        let entity =
            ["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|entity| text[at..].starts_with(entity));
        assert!(entity, "{text:?}");
    }
}

fn attributes(text: &str, allowed: &[&str], tag: &str) {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let name = &rest[..end];
        assert!(allowed.contains(&name), "a strange attribute: <{tag}>");
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix("=\"") else { continue };
        let end = value.find('"').expect("a value has an end");
        let (value, behind) = value.split_at(end);
        rest = behind[1..].trim_start();
        let number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let is_ours = match name {
            "class" => value.split(' ').all(|word| WORDS.contains(&word) || word == "noted"),
            "href" => value.strip_prefix("#item-").is_some_and(number),
            "id" => value
                .strip_prefix("item-")
                .map_or(value.chars().all(|c| c.is_ascii_lowercase()), number),
            _ => true,
        };
        assert!(is_ours, "a strange value: <{tag}>");
    }
}

/// A comment in the Markdown of GitHub and GitLab: outside of code nothing but
/// plain words and what the template has.
pub fn comment(text: &str) {
    assert!(text.encode_utf16().count() <= 60_000);
    let mut lines = text.strip_suffix('\n').expect("an end").split('\n');
    assert_eq!(lines.next(), Some("<!-- marketsync-diff -->"));
    let (mut details, mut fence): (usize, Option<&str>) = (0, None);
    for line in lines {
        assert!(!line.chars().any(is_harmful), "{line:?}");
        if let Some(ticks) = fence {
            let bare = line.trim_start_matches(' ');
            let closes = line.len() - bare.len() <= 3
                && bare.starts_with(ticks)
                && bare.trim_matches('`').trim().is_empty();
            if closes {
                assert_eq!(line, ticks, "a fence is closed by others");
                fence = None;
            }
            continue;
        }
        if line.starts_with("```") {
            fence = Some(line.strip_suffix("diff").expect("a fence"));
            assert!(fence.is_some_and(|ticks| ticks.chars().all(|c| c == '`')), "{line:?}");
        } else if let Some(summary) = line.strip_prefix("<details><summary>") {
            details += 1;
            summary_of(summary);
        } else if line == "</details>" {
            details -= 1;
        } else if line.starts_with('|') {
            row(line);
        } else {
            let line =
                line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")).unwrap_or(line);
            let line = line.strip_prefix("- ").unwrap_or(line);
            let bold = line.strip_prefix("**").and_then(|line| line.strip_suffix("**"));
            words_of_comment(&outside_of_code(bold.unwrap_or(line)), line);
        }
    }
    assert!(fence.is_none() && details == 0, "something is not closed");
}

fn summary_of(summary: &str) {
    let bare = summary.strip_suffix("</summary>").expect("a summary has an end");
    let bare = bare.replace("<code>", "").replace("</code>", "");
    assert!(!bare.contains(['<', '>']), "{summary:?}");
    // Characters of others stand between `code` and `/code`.
    for (at, part) in summary.split("<code>").enumerate() {
        let outside = if at == 0 { part } else { part.split_once("</code>").expect("closed").1 };
        let outside = outside.trim_end_matches("</summary>");
        assert!(
            outside.chars().all(|c| c.is_ascii_lowercase() || " :()".contains(c)),
            "{summary:?}"
        );
    }
}

/// Six cells. A `|` ends one even in code.
fn row(line: &str) {
    assert_eq!(line.matches('|').count(), 7, "{line:?}");
    if line.starts_with("|---") {
        return;
    }
    for cell in line.trim_matches('|').split('|') {
        words_of_comment(&outside_of_code(cell), line);
    }
}

/// The text with its code taken out: a run of backticks, and the next run of
/// as many (`CommonMark` §6.1).
fn outside_of_code(line: &str) -> String {
    let mut outside = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        outside.push_str(&rest[..at]);
        let behind = rest[at..].trim_start_matches('`');
        let run = rest.len() - at - behind.len();
        let mut search = behind;
        let end = loop {
            let Some(found) = search.find('`') else { panic!("code without an end: {line:?}") };
            let after = search[found..].trim_start_matches('`');
            let length = search.len() - found - after.len();
            if length == run {
                break after;
            }
            search = after;
        };
        outside.push('C');
        rest = end;
    }
    outside.push_str(rest);
    outside
}

fn words_of_comment(words: &str, line: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ,.;:?'()-+→…=".contains(c);
    let strange = words.chars().find(|c| !plain(*c));
    assert!(strange.is_none(), "{strange:?} outside of code: {line:?}");
    for word in words.split(' ') {
        let word = word.to_ascii_lowercase();
        assert!(!word.contains("://") && !word.contains("www."), "a link: {line:?}");
        let is_commit = word.len() >= 7 && word.chars().all(|c| c.is_ascii_hexdigit());
        assert!(!is_commit || word.chars().all(|c| c.is_ascii_digit()), "a commit: {line:?}");
    }
}
