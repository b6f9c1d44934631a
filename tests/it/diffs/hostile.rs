//! Whatever files and servers say, every report stays a report.

use marketsync::embedded::Fault;
use marketsync::embedded::{FaultKind, Route};
use serde_json::{Value, json};

use super::{diff, told};
use crate::reports::json::faultless;
use crate::support::cli::Bench;
use crate::support::documents::{set, sidecar};
use crate::support::market::COMPANY;

const FORMATS: [&str; 4] = ["text", "json", "markdown", "html"];

const EVIL: &[&str] = &[
    "::error::x",
    "\n::error file=a,line=1::x\n",
    "\r::warning::x",
    "\u{85}::warning::x\u{2028}::notice::y\u{b}::notice::z\u{c}::notice::z",
    "##[error]x\n##[group]y",
    "##vso[task.setvariable variable=a]b",
    "##teamcity[buildStatus status='FAILURE']",
    "\n/close\n/merge\n/approve",
    "/assign @me",
    "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m",
    "\u{0}\u{8}\u{7f}\u{202e}gnp.exe\u{2066}\u{feff}",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</pre></details></body>--><!-- marketsync-diff -->",
    "<!-- marketsync-diff -->",
    "```\n# Heading\n```",
    "~~~~~~\n``````\n|a|b|\n|-|-|",
    "@octocat @org/team #1 org/repo#1 GH-1 !5 ~label %milestone",
    "![x](https://evil.example.com/x.png) [y](javascript:alert(1))",
    "javascript:alert(1)",
    "{{7*7}} ${x} $(id) `id` %0a::error::x",
    "- a\n+ b\n@@ -1,1 +1,1 @@\n--- a\n+++ b",
    "🏴\u{e0067}\u{e007f}e\u{301}\u{301}\u{301}",
];

/// An item with evil in each key and value that it may have.
fn evil(item_id: &str, words: &str, time: &str) -> Value {
    let mut item = set(sidecar(item_id), "/name", format!("{words}{time}"));
    item["itemTypeDefinitionRef"] =
        json!({ "name": "infrastructure-component-runtime", "namespace": "mia-platform" });
    item["description"] = json!(format!("{time}\n{words}\n{words}{time}\n"));
    item["resources"] = json!({
        words: words.to_owned() + time,
        "list": [{ "name": words, "value": time }, { "name": time, "value": words }],
        "texts": [words, time],
        "file": format!("a\nb\n{words}\n{time}\nc\n"),
    });
    item
}

/// A line of text or Markdown is no command to whoever shows it.
#[track_caller]
fn tame(format: &str, words: &str, text: &str) {
    for (number, line) in
        text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']).enumerate()
    {
        let begun = line.trim_start();
        let bad = ["::", "##[", "##vso[", "##teamcity["].iter().any(|word| begun.starts_with(word))
            || (format == "markdown" && line.starts_with('/'))
            || line.contains("##vso[")
            || line.contains("##[")
            || line.contains("##teamcity[");
        assert!(!bad, "{format} {words:?}: line {number}: {line:?}");
    }
    let control = text.chars().find(|&c| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    });
    assert_eq!(control, None, "{format} {words:?}:\n{text}");
}

#[track_caller]
fn all_formats(bench: &Bench, words: &str, args: &[&str]) {
    for format in FORMATS {
        let run = diff(bench, &[args, &["--format", format]].concat());
        assert!(matches!(run.code, Some(0..=3)), "{run}");
        let text = &run.stdout;
        match format {
            "json" => {
                faultless(&run.json());
                assert!(!text.contains("##[") && !text.contains("##vso["), "{words:?}\n{text}");
            }
            "html" => {
                assert!(!text.contains("<script") && !text.contains("<img"), "{words:?}\n{text}");
                assert_eq!(text.matches("</body>").count(), 1, "{words:?}\n{text}");
                assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{words:?}");
            }
            _ => tame(format, words, text),
        }
        if format == "markdown" {
            assert!(text.starts_with("<!-- marketsync-diff -->\n"), "{words:?}\n{text}");
            let marks = text.lines().filter(|line| line.starts_with("<!--")).count();
            assert_eq!(marks, 1, "{words:?}\n{text}");
            assert!(text.encode_utf16().count() <= 60_000);
        }
    }
}

#[test]
fn in_values_and_keys() {
    let bench = Bench::new();
    let all = |time: &str| -> Vec<Value> {
        EVIL.iter().enumerate().map(|(n, words)| evil(&format!("evil-{n}"), words, time)).collect()
    };
    bench.commit(&all("before"));
    all_formats(&bench, "new", &[]);
    assert_eq!(told(&bench, &[], 1)["summary"]["create"], json!(EVIL.len()));
    bench.apply(&[]).exits(0);
    bench.commit(&all("after"));
    assert_eq!(told(&bench, &[], 1)["summary"]["update"], json!(EVIL.len()));
    all_formats(&bench, "live", &[]);
    all_formats(&bench, "revision", &["--against=HEAD~1"]);
    all_formats(&bench, "recorded", &["--against=recorded"]);
    for item in all("theirs") {
        bench.handle().put_raw(COMPANY, &item).unwrap();
    }
    all_formats(&bench, "drift", &["--drift=correct"]);
    bench.repo.remove("items").commit("all leave");
    all_formats(&bench, "removed", &["--prune", "--allow-deletes=99"]);
    all_formats(&bench, "removed of a revision", &["--against=HEAD~1"]);
}

#[test]
fn in_paths_ids_types_and_messages() {
    for words in EVIL.iter().filter(|words| !words.contains('\0')) {
        let bench = Bench::new();
        let file = words.replace('/', "_");
        bench
            .repo
            .write(&format!("items/{file}.json"), set(sidecar("a"), "/name", *words).to_string());
        bench.repo.write(&format!("items/broken{file}.json"), format!("{{ {words}"));
        bench.repo.write("items/id.json", set(sidecar("b"), "/itemId", *words).to_string());
        bench.repo.write(
            "items/type.json",
            set(sidecar("c"), "/itemTypeDefinitionRef/name", *words).to_string(),
        );
        bench.repo.write(
            "items/space.json",
            set(sidecar("d"), "/itemTypeDefinitionRef/namespace", *words).to_string(),
        );
        bench.repo.write("items/tenant.json", set(sidecar("e"), "/tenantId", *words).to_string());
        bench.repo.commit(words);
        all_formats(&bench, words, &[]);
        // The log is read by the same eyes.
        let run = diff(&bench, &["--log-format=text"]);
        tame("log", words, &run.stderr);
    }
}

#[test]
fn in_what_the_server_says() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    let kind = FaultKind::Status {
        code: 403,
        body: Some(EVIL.concat()),
        content_type: Some("text/plain".to_owned()),
        retry_after: None,
        processed: false,
    };
    bench.handle().fail(Fault::always(Route::Get, kind));
    for format in FORMATS {
        let run = diff(&bench, &["--log-format=text", "--format", format]).exits(2);
        tame("log", "all", &run.stderr);
        assert!(!run.stdout.contains("<script") && !run.stdout.contains('\u{1b}'), "{run}");
    }
}

#[test]
fn in_the_name_of_a_revision() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    for words in ["::error::x", "\n::error::x", "\u{1b}[2J", "<script>", "`id`", "--help"] {
        let run = diff(&bench, &["--log-format=text", &format!("--against={words}")]).exits(2);
        tame("log", words, &run.stderr);
        tame("text", words, &run.stdout);
    }
    bench.repo.git(&["branch", "<img@me>"]);
    all_formats(&bench, "branch", &["--against=<img@me>"]);
}

#[test]
fn a_large_change_stays_a_comment() {
    let bench = Bench::new();
    let many: Vec<Value> = (0..400)
        .map(|number| set(sidecar(&format!("item-{number}")), "/description", "é".repeat(2000)))
        .collect();
    bench.commit(&many);
    let run = diff(&bench, &["--format=markdown"]).exits(1);
    assert!(run.stdout.encode_utf16().count() <= 60_000);
    assert!(run.stdout.contains("400") && run.stdout.contains("more"), "{run}");
    let report = told(&bench, &[], 1);
    assert_eq!(report["entries"].as_array().unwrap().len(), 400);
    all_formats(&bench, "large", &[]);
}

#[test]
fn more_fields_than_are_listed() {
    let bench = Bench::new();
    let with = |time: &str| {
        let fields: serde_json::Map<String, Value> =
            (0..3000).map(|n| (format!("f{n}"), json!(format!("{time}{n}")))).collect();
        let mut item = evil("a", "x", "y");
        item["resources"] = Value::Object(fields);
        item
    };
    bench.commit(&[with("before")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with("after")]);
    let report = told(&bench, &[], 1);
    let entry = &report["entries"][0];
    assert_eq!((entry["fields"].as_array().unwrap().len(), &entry["more"]), (1000, &json!(true)));
    all_formats(&bench, "many fields", &[]);
}

#[test]
fn texts_that_are_dear_to_compare() {
    let bench = Bench::new();
    let with = |step: usize| {
        let text: String =
            (0..20_000).map(|n| format!("{}\n", (n * step) % 7919)).collect::<Vec<_>>().concat();
        let mut item = evil("a", "x", "y");
        item["resources"] = json!({ "file": text });
        item
    };
    bench.commit(&[with(1)]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with(7)]);
    let began = std::time::Instant::now();
    all_formats(&bench, "dear", &[]);
    assert!(began.elapsed() < std::time::Duration::from_secs(40), "{:?}", began.elapsed());
}
