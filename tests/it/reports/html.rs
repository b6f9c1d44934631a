//! What a browser shows. `tests/html/check.sh` opens the same pages in a real
//! one.

use marketsync::domain::report::diff::html;

use super::keep;
use crate::support::diffs;

#[test]
fn everything_on_one_page() {
    keep("full.html", &html::diff(&diffs::full()));
    keep("branch.html", &html::diff(&diffs::branch()));
    keep("empty.html", &html::diff(&diffs::empty(diffs::live())));
}

/// The tags of a page, in their order.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split(['>', ' ']).next().unwrap_or_default()).collect()
}

#[test]
fn nothing_that_others_wrote_becomes_a_tag() {
    for evil in diffs::EVIL {
        let page = html::diff(&diffs::hostile(evil));
        let body = page.split_once("</style>").unwrap().1;
        for tag in ["<script", "<img", "<a href='", "<!--", "javascript:x'>"] {
            assert!(!body.contains(tag), "{tag}: {body}");
        }
        let mut open = Vec::new();
        for tag in tags(body).into_iter().skip_while(|tag| *tag != "body") {
            match tag.strip_prefix('/') {
                Some("html") => {}
                Some(name) => assert_eq!(open.pop(), Some(name), "{body}"),
                None => open.push(tag),
            }
        }
        assert_eq!(open, Vec::<&str>::new(), "{body}");
        assert!(!page.contains(['\u{1b}', '\r', '\u{202e}', '\u{2028}']));
        let is_command = |line: &str| line.trim_start().starts_with("::");
        assert!(!body.lines().any(is_command), "{body}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = html::diff(&diffs::full());
    assert!(page.contains(
        r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"#
    ));
    for word in ["<script", "<link", "@import", "url(", "src=", " style="] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn ten_thousand_items() {
    let (small, large) = (html::diff(&diffs::large(1_000)), html::diff(&diffs::large(10_000)));
    assert!(large.len() < 11 * small.len(), "{} and {}", small.len(), large.len());
    assert_eq!(large.matches("<details id").count(), 8_000);
    assert_eq!(large.matches("\" open>").count(), 50);
}

/// For `tests/html/check.sh`, which names the folder.
#[test]
#[ignore = "writes files for tests/html/check.sh"]
fn pages_for_a_browser() {
    let folder = std::env::var_os("MARKETSYNC_PAGES").unwrap();
    let folder = std::path::Path::new(&folder);
    let hostile = diffs::EVIL.map(|evil| diffs::hostile(evil).entries).into_iter().flatten();
    let mut evil = diffs::hostile(&diffs::EVIL.join(" "));
    evil.entries.extend(hostile);
    for (name, diff) in [
        ("full", diffs::full()),
        ("branch", diffs::branch()),
        ("empty", diffs::empty(diffs::live())),
        ("hostile", evil),
        ("large", diffs::large(70)),
    ] {
        std::fs::write(folder.join(format!("{name}.html")), html::diff(&diff)).unwrap();
    }
}
