//! Whether what is said of places in a text is true, told by other means than
//! the program's own.

use marketsync::domain::source::{Position, Problem, Severity, Span};

/// The line and the column of a byte, counted anew.
pub fn position(text: &str, offset: usize) -> Position {
    let (mut line, mut column) = (1, 1);
    for (at, c) in text.char_indices() {
        if at >= offset {
            break;
        }
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    Position { line, column }
}

/// A span begins at a character of the text, and does not leave its line.
pub fn span_lies_within(text: &str, span: &Span) {
    assert!(text.is_char_boundary(span.offset), "{span:?} is in the middle of a character");
    assert_eq!(span.position, position(text, span.offset), "{span:?}");
    assert!(span.length >= 1, "{span:?}");
    let line = text[span.offset..].split('\n').next().unwrap_or_default();
    let room = u32::try_from(line.chars().count()).unwrap().max(1);
    assert!(span.length <= room, "{span:?} leaves its line of {room}");
}

/// Every place that is named is one of the text (which is without its byte
/// order mark), and the caret stands under the line that is shown.
pub fn problems_lie_within(text: &str, problems: &[Problem]) {
    let lines: Vec<&str> = text.split('\n').collect();
    for problem in problems {
        assert!(problem.message.chars().all(|c| !c.is_control()), "{problem:?}");
        assert!(problem.found.iter().all(|found| found.chars().count() <= 80), "{problem:?}");
        let Some(at) = problem.position else { continue };
        let line = lines.get(at.line as usize - 1);
        let line = line.unwrap_or_else(|| panic!("no such line: {problem:?}"));
        let width = line.chars().count();
        assert!(at.column >= 1 && at.column as usize <= width + 1, "no such column: {problem:?}");
        let Some(excerpt) = &problem.excerpt else { continue };
        assert!(excerpt.length >= 1, "{problem:?}");
        let shown = excerpt.text.chars().count();
        assert!(shown <= 200 && excerpt.text.chars().all(|c| !c.is_control()), "{problem:?}");
        let end = excerpt.start as usize + excerpt.length as usize;
        assert!(excerpt.start as usize <= shown && end <= shown + 1, "caret off: {problem:?}");
        // The character above the caret is the one that is meant.
        let meant = line.chars().nth(at.column as usize - 1);
        let above = excerpt.text.chars().nth(excerpt.start as usize);
        if let (Some(meant), Some(above)) = (meant, above)
            && meant.is_ascii_alphanumeric()
        {
            assert_eq!(meant, above, "caret off: {problem:?}");
        }
    }
}

/// A document exactly where nothing is wrong.
pub fn has_value_or_error(value: Option<&serde_json::Value>, problems: &[Problem]) {
    let is_wrong = problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(value.is_none(), is_wrong, "{value:?} with {problems:#?}");
    assert!(problems.len() < 100, "{} problems", problems.len());
}

/// The pointers of a document and its values, the first so many, with how each
/// is called in its object.
pub fn values(
    document: &serde_json::Value,
    most: usize,
) -> Vec<(String, Option<&str>, &serde_json::Value)> {
    let mut open = vec![(String::new(), None, document)];
    let mut next = 0;
    while next < open.len() && open.len() < most {
        let (pointer, _, value) = open[next].clone();
        match value {
            serde_json::Value::Object(members) => {
                open.extend(members.iter().map(|(key, value)| {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    (format!("{pointer}/{step}"), Some(key.as_str()), value)
                }));
            }
            serde_json::Value::Array(list) => open.extend(
                list.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), None, value)),
            ),
            _ => {}
        }
        next += 1;
    }
    open.truncate(most);
    open
}
