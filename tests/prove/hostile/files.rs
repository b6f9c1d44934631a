//! Texts that cost their reader more than their writer.

use super::site::{Row, Site};

/// A text, and words of what is said of it; none if it is read.
type Case = (&'static str, Vec<u8>, &'static str);

/// The length of the texts of the short form, in bytes.
const SHORT: usize = 24 * 1024;

/// A little less than the largest file that is read.
const LONG: usize = 1000 * 1024;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![Row::new("texts of all kinds", |site| together(site, SHORT))];
    for index in 0..cases(64).len() {
        let name = format!("a text of 1 MiB: {}", cases(64)[index].0);
        rows.push(Row::long(name, move |site| {
            let (name, bytes, words) = cases(LONG).swap_remove(index);
            site.bench.repo.write(&format!("items/{name}"), bytes);
            site.commit().tells(format!("items/{name}"), words)
        }));
    }
    rows.push(Row::long("a file of 100 MB", |site| {
        site.bench
            .repo
            .write("items/large.json", format!("{{\"a\": \"{}\"}}", "x".repeat(100_000_000)));
        site.commit().tells("items/large.json", "are read")
    }));
    rows
}

fn together(site: &Site, bytes: usize) -> super::site::Expected {
    let all = cases(bytes);
    for (name, bytes, _) in &all {
        site.bench.repo.write(&format!("items/{name}"), bytes);
    }
    let told = all.into_iter().map(|(name, _, words)| (format!("items/{name}"), words.to_owned()));
    site.commit().all(told.collect())
}

/// So many times, to fill so many bytes.
fn fill(size: usize, text: &str) -> String {
    text.repeat(size / text.len())
}

/// Numbered, to fill so many bytes.
fn each(size: usize, bytes: usize, separator: &str, text: impl Fn(usize) -> String) -> String {
    (0..size / bytes).map(text).collect::<Vec<_>>().join(separator)
}

/// All texts, of about this size each.
fn cases(size: usize) -> Vec<Case> {
    let mut cases = json(size);
    cases.extend(yaml(size));
    cases.extend(yaml_shapes(size));
    cases.extend([
        ("empty.json", Vec::new(), "the file is empty"),
        (
            "utf-16.json",
            "{\"itemId\": \"a\"}".encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "a key",
        ),
        ("invalid.json", [b"{\"itemId\": \"\xff\xfe".to_vec(), vec![0xff; size]].concat(), "UTF-8"),
        ("surrogate.yaml", b"itemId: \xed\xa0\x80\n".to_vec(), "UTF-8"),
        ("nul.json", vec![0; size], "items/nul.json"),
        ("nul.yaml", [b"itemId: a".to_vec(), vec![0; size]].concat(), "items/nul.yaml"),
        ("marks.json", "\u{feff}".repeat(size / 3).into_bytes(), "items/marks.json"),
        ("returns.yaml", vec![b'\r'; size], "the file is empty"),
    ]);
    cases
}

fn json(size: usize) -> Vec<Case> {
    let cases: Vec<(&'static str, String, &'static str)> = vec![
        ("deep.json", fill(size, "["), "nests deeper"),
        ("deep-objects.json", fill(size, "{\"a\":"), "nests deeper"),
        ("deep-mixed.json", fill(size, "[{\"a\":"), "nests deeper"),
        (
            "keys.json",
            format!("{{{}}}", each(size, 14, ",", |n| format!("\"k{n:x}\":1"))),
            "no itemId",
        ),
        // Keys that end alike and keys that begin alike, for a table of hashes.
        (
            "flood.json",
            format!("{{{}}}", each(size, 24, ",", |n| format!("\"{:016x}\":1", n << 20))),
            "no itemId",
        ),
        ("twice.json", format!("{{{}}}", each(size, 6, ",", |_| "\"a\":1".to_owned())), "twice"),
        ("digits.json", format!("{{\"itemId\":{}}}", fill(size, "9")), "items/digits.json"),
        ("fraction.json", format!("{{\"itemId\":0.{}}}", fill(size, "9")), "no type"),
        ("exponent.json", "{\"itemId\":1e999999}".to_owned(), "items/exponent.json"),
        ("exponents.json", format!("{{\"itemId\":1e{}}}", fill(size, "9")), "items/exponents.json"),
        ("text.json", format!("{{\"itemId\":\"{}\"}}", fill(size, "x")), "no type"),
        ("key.json", format!("{{\"{}\":1}}", fill(size, "x")), "no itemId"),
        ("commas.json", format!("[{}", fill(size, "1,],")), "items/commas.json"),
        ("trailing.json", format!("{{\"a\":[{}1]}}", fill(size, "[1,],")), "no itemId"),
        ("quotes.json", format!("\"{}", fill(size, "\\\"")), "items/quotes.json"),
        ("escapes.json", format!("{{\"itemId\":\"{}\"}}", fill(size, "\\u0041")), "no type"),
        (
            "halves.json",
            format!("{{\"itemId\":\"{}\"}}", fill(size, "\\ud800")),
            "items/halves.json",
        ),
        ("blanks.json", fill(size, " \n"), "the file is empty"),
        ("no-end.json", fill(size, "{\"a\":["), "items/no-end.json"),
        ("list.json", format!("[{}1]", fill(size, "1,")), "holds something else"),
        (
            "types.json",
            format!("{{\"itemId\":{{{}}}}}", each(size, 12, ",", |n| format!("\"{n}\":[]"))),
            "no type",
        ),
    ];
    bytes(cases)
}

fn yaml(size: usize) -> Vec<Case> {
    let nine = |n: usize| ["*a"; 9].map(|name| format!("{name}{n}")).join(",");
    let bomb = each(29, 1, "\n", |n| format!("a{}: &a{} [{}]", n + 1, n + 1, nine(n)));
    let merge =
        each(29, 1, "\n", |n| format!("a{}: &a{} {{<<: [{}], y{n}: 1}}", n + 1, n + 1, nine(n)));
    let wide = each(size / 2, 4, "\n", |_| "- *a".to_owned());
    let cases: Vec<(&'static str, String, &'static str)> = vec![
        ("bomb.yaml", format!("a0: &a0 [x,x,x,x,x,x,x,x,x]\n{bomb}"), "grows too large"),
        ("merge.yaml", format!("a0: &a0 {{x: 1}}\n{merge}"), "items/merge.yaml"),
        ("wide.yaml", format!("- &a [{}]\n{wide}", fill(size / 2, "x,")), "items/wide.yaml"),
        ("cycle.yaml", "a: &a [*a]\n".to_owned(), "within its own anchor"),
        ("cycles.yaml", "a: &a {b: &b {c: *a, d: *b}}\n".to_owned(), "within its own anchor"),
        ("anchors.yaml", each(size, 10, "\n", |n| format!("- &a{n} x")), "items/anchors.yaml"),
        ("no-anchor.yaml", "itemId: *nobody\n".to_owned(), "does not stand above"),
        (
            "tag.yaml",
            "itemId: !!python/object/apply:os.system ['touch TRAP']\n".to_owned(),
            "items/tag.yaml",
        ),
        ("tag-url.yaml", "itemId: !<tag:http://192.0.2.1/x> a\n".to_owned(), "items/tag-url.yaml"),
        (
            "tags.yaml",
            format!(
                "{}---\na: 1\n",
                each(size, 21, "\n", |n| format!("%TAG !a{n}! tag:x,2000:\n"))
            ),
            "items/tags.yaml",
        ),
        ("documents.yaml", each(size, 6, "\n", |_| "--- a".to_owned()), "more than one document"),
        ("markers.yaml", fill(size, "---\n"), "items/markers.yaml"),
    ];
    bytes(cases)
}

fn yaml_shapes(size: usize) -> Vec<Case> {
    let cases: Vec<(&'static str, String, &'static str)> = vec![
        ("deep.yaml", fill(size, "["), "items/deep.yaml"),
        (
            "deep-block.yaml",
            (0..(size / 10).min(1400))
                .map(|n| format!("{}a:\n", " ".repeat(n)))
                .take(180)
                .collect(),
            "nests deeper",
        ),
        ("dashes.yaml", fill(size, "- "), "items/dashes.yaml"),
        ("questions.yaml", fill(size, "? "), "items/questions.yaml"),
        ("colons.yaml", fill(size, ": "), "items/colons.yaml"),
        ("bangs.yaml", fill(size, "! "), "items/bangs.yaml"),
        ("ampersands.yaml", fill(size, "&a "), "items/ampersands.yaml"),
        (
            "flow-keys.yaml",
            format!("{{{}}}", each(size, 8, ",", |n| format!("k{n}"))),
            "items/flow-keys.yaml",
        ),
        ("flow-twins.yaml", format!("{{{}}}", fill(size, "a,")), "items/flow-twins.yaml"),
        ("keys.yaml", each(size, 11, "\n", |n| format!("k{n:x}: 1")), "no itemId"),
        ("numbers.yaml", each(size, 10, "\n", |n| format!("{n}: 1")), "a key is not a text"),
        ("tabs.yaml", format!("a:\n{}", fill(size, "\t")), "items/tabs.yaml"),
        ("block.yaml", format!("a: |\n{}", fill(size, " \n")), "no itemId"),
        ("folded.yaml", format!("a: >\n{}", fill(size, "  x\n")), "no itemId"),
        ("lines.yaml", fill(size, "a\n"), "holds something else"),
        ("comment.yaml", fill(size, "#"), "no document"),
        ("key.yaml", format!("{}: 1", fill(size, "x")), "items/key.yaml"),
        ("exponent.yaml", "itemId: 1e999999".to_owned(), "items/exponent.yaml"),
        ("infinity.yaml", "itemId: .inf".to_owned(), "not a number that JSON can hold"),
        ("norway.yaml", "itemId: no\nno: no\n".to_owned(), "items/norway.yaml"),
    ];
    bytes(cases)
}

/// What names its file says nothing that could be known before.
fn bytes(cases: Vec<(&'static str, String, &'static str)>) -> Vec<Case> {
    cases.into_iter().map(|(name, text, words)| (name, text.into_bytes(), words)).collect()
}
