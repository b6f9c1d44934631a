//! Names and texts that mean something to a terminal, a runner or a browser.

use std::process::Command;

use crate::support::cli::{Run, Running, program};
use crate::support::diffs::EVIL;
use crate::support::documents::{pretty, set, sidecar};

use super::site::{Expected, Row, Site};

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("names that speak", |site| {
        let expected = speaking(site);
        shown(site, &expected);
        expected
    })]
}

/// Broken files and good items with hostile names and texts.
fn speaking(site: &Site) -> Expected {
    let repo = &site.bench.repo;
    let mut told = Vec::new();
    let mut names: Vec<String> = EVIL.iter().map(|text| text.replace('/', "\u{2215}")).collect();
    names.push("n".repeat(250));
    names.push("\n::error file=a,line=1::pwned\n".to_owned());
    names.push("\r\u{1b}]8;;http://192.0.2.1\u{7}link\u{1b}]8;;\u{7}".to_owned());
    names.push("\u{202e}nosj.evil\u{2066}".to_owned());
    for (number, name) in names.iter().enumerate() {
        let name = name.get(..240).unwrap_or(name);
        let path = format!("items/{number}{name}.json");
        // A bracket, so that the line with the text is shown.
        repo.write(
            &path,
            format!("{{\"itemId\": \"{}\",\n]\n", name.replace(['"', '\\', '\n'], "")),
        );
        told.push((path, String::new()));
        let item = set(sidecar(&format!("evil-{number}")), "/description", name);
        repo.write(&format!("items/evil-{number}.json"), pretty(&item));
    }
    repo.git(&["add", "-A"]);
    let subject = "::error::pwned \u{1b}[2J\u{202e}";
    repo.git(&["-c", "user.name=\u{1b}[2J::error::", "commit", "-q", "-m", subject]);
    Expected::of(repo.path()).all(told)
}

/// Every report and every log of it is harmless.
fn shown(site: &Site, expected: &Expected) {
    let formats = [
        ("validate", vec!["text", "json", "github", "gitlab", "sarif", "markdown", "html"]),
        ("diff", vec!["text", "json", "markdown", "html"]),
        ("apply", vec!["text", "json"]),
    ];
    for (verb, formats) in formats {
        for format in formats {
            let args = [format!("--format={format}"), "--log-format=text".to_owned()];
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let run = Running::start(site.command(verb, expected, &args)).end();
            // Not every command has every format.
            if run.stderr.contains("invalid value") && run.stderr.contains("--format") {
                continue;
            }
            let told = run.stdout.contains("items/") || run.stdout.contains("evil-3");
            assert!(told, "{verb} as {format} tells nothing: {run}");
            harmless(&format!("{verb} as {format}"), &run, format);
        }
    }
    for verb in [vec!["status"], vec!["history", "evil-3"]] {
        for format in ["text", "json"] {
            let mut command: Command = program(site.bench.home.path());
            command.args(&verb).arg("--state").arg(site.bench.state()).args(["--format", format]);
            let run = Running::start(command).end();
            assert_eq!(run.code, Some(0), "{run}");
            harmless(verb[0], &run, format);
        }
    }
}

/// Nothing moves a cursor, turns a line, or is a command of a runner.
#[track_caller]
fn harmless(what: &str, run: &Run, format: &str) {
    for (stream, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let bad = text.chars().find(|&c| (c.is_control() && c != '\n') || turns(c));
        // Tabs stand between the columns of HTML and JSON at most.
        let bad = bad.filter(|&c| c != '\t');
        assert_eq!(bad, None, "{what}: {stream}\n{run}");
        for line in text.lines() {
            let is_command = line.trim_start().starts_with("::");
            let is_ours = format == "github" && stream == "stdout";
            assert!(is_ours || !is_command, "{what}: {stream}: {line}\n{run}");
            assert!(!line.starts_with("::error file=a"), "{what}: {line}");
            for runner in ["##[", "##vso["] {
                assert!(!line.contains(runner), "{what}: {stream}: {line}");
            }
        }
    }
    if format == "html" {
        let lower = run.stdout.to_lowercase();
        assert!(!lower.contains("<img src=x") && !lower.contains("<script>alert"), "{what}");
    }
}
