//! Marks at the lines of a change under review: what GitHub and GitLab read of
//! `validate`, and what a CI runner must not read anywhere.

use std::collections::BTreeMap;

use marketsync::domain::item::{CommitId, RepoPath};
use marketsync::domain::report::{Report, annotations, text};
use marketsync::domain::source::{Format, Outline, Place, Problem};
use serde_json::Value;

use crate::support::cli::{Bench, Run, Running, bare, program};
use crate::support::documents::{pretty, set, sidecar};
use crate::support::market::COMPANY;

const TEXT: &str = "{\n  \"itemId\": \"a\",\n  \"resources\": {\"naem\": \"a\"}\n}\n";

fn misspelt(path: &str, text: &str) -> Problem {
    Outline::new(Format::Json, text)
        .problem(
            &RepoPath::new(path).unwrap(),
            "/resources/naem",
            Place::Key,
            "`naem` is not allowed here",
        )
        .expected("name")
        .found("naem")
        .hint("did you mean `name`?")
}

fn report(problems: Vec<Problem>) -> Report {
    let commit = CommitId("0123456789abcdef0123456789abcdef01234567".to_owned());
    Report { commit: Some(commit), items: 3, problems, ..Report::default() }
}

/// What stands in files with a bad will.
const EVIL: &str =
    "a%0Ab,c:d::error::e\n::stop-commands::f\r##[error]g##vso[task.complete]\u{1b}[2Jh";

fn evil() -> Problem {
    let mut problem = misspelt("items/a.json", TEXT).expected(EVIL).hint(EVIL);
    EVIL.clone_into(&mut problem.path);
    EVIL.clone_into(&mut problem.message);
    problem.found = Some(EVIL.to_owned());
    problem.pointer = Some(EVIL.to_owned());
    problem
}

/// A line of a log as GitHub's runner reads it: a command at its beginning
/// (`::name key=value::text`), or an old one anywhere in it (`##[name]text`).
/// From `ActionCommand.cs` of actions/runner.
#[derive(Debug, PartialEq)]
struct Command {
    name: String,
    properties: BTreeMap<String, String>,
    text: String,
}

fn command(line: &str) -> Option<Command> {
    // As people compare: what cannot be seen is not there.
    let seen: String =
        line.chars().filter(|c| !c.is_control() && !matches!(c, '\u{ad}' | '\u{34f}')).collect();
    if let Some(at) = seen.find("##[").or_else(|| seen.find("##vso[")) {
        let name = seen[at..].split(']').next().unwrap_or_default().to_owned();
        return Some(Command { name, properties: BTreeMap::new(), text: String::new() });
    }
    let (head, text) = seen.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, rest) = head.split_once(' ').unwrap_or((head, ""));
    let unescaped = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n");
        text.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
    };
    let pairs = rest.split(',').filter_map(|pair| pair.split_once('='));
    Some(Command {
        name: name.to_owned(),
        properties: pairs.map(|(key, value)| (key.to_owned(), unescaped(value))).collect(),
        text: text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%"),
    })
}

#[track_caller]
fn no_command(text: &str) {
    for line in text.split(['\n', '\r']) {
        assert_eq!(command(line), None, "a runner obeys {line:?}");
    }
}

#[test]
fn github_reads_a_command_for_each_problem() {
    let of_file = Problem::of_file(&RepoPath::new("b.yaml").unwrap(), "the file is empty");
    let found = report(vec![misspelt("items/a.json", TEXT), of_file.warning()]);
    insta::assert_snapshot!(annotations::github(&found), @"
    ::error file=items/a.json,line=3,col=17,title=marketsync::items/a.json:3:17: `naem` is not allowed here%0Aexpected: name%0Afound: naem%0Ahelp: did you mean `name`?
    ::warning file=b.yaml,title=marketsync::b.yaml: the file is empty
    3 valid items at 0123456: 1 problem, 1 warning
    ");
    insta::assert_snapshot!(annotations::github(&report(Vec::new())), @"3 valid items at 0123456: 0 problems, 0 warnings");
}

#[test]
fn github_is_told_of_what_it_does_not_show() {
    let last = |errors: usize, warnings: usize| {
        let error = misspelt("items/a.json", TEXT);
        let mut problems = vec![error.clone(); errors];
        problems.extend(vec![error.warning(); warnings]);
        let shown = annotations::github(&report(problems));
        let lines: Vec<String> = shown.lines().map(str::to_owned).collect();
        let marks = lines.iter().filter(|line| line.contains(" file=")).count();
        assert_eq!(marks, errors + warnings, "all stand in the log");
        lines[lines.len() - 2].clone()
    };
    assert!(last(10, 10).starts_with("::warning file="));
    let told = "GitHub marks at most 10 of each, and all of them stand in the log of this step";
    assert_eq!(
        last(11, 1),
        format!("::notice title=marketsync::11 errors and 1 warning were found; {told}")
    );
    assert_eq!(
        last(1, 11),
        format!("::notice title=marketsync::1 error and 11 warnings were found; {told}")
    );
}

#[test]
fn nothing_that_others_wrote_is_a_command() {
    let shown = annotations::github(&report(vec![evil()]));
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(!shown.contains(['\r', '\u{1b}']) && !shown.contains("##["), "{shown:?}");
    let read = command(shown.lines().next().unwrap()).unwrap();
    assert_eq!(read.name, "error");
    let names: Vec<&str> = read.properties.keys().map(String::as_str).collect();
    assert_eq!(names, ["col", "file", "line", "title"]);
    assert_eq!(
        read.properties["file"],
        EVIL.replace("##[", "##\u{fffd}")
            .replace("vso[", "vso\u{fffd}")
            .replace('\u{1b}', "\u{fffd}"),
        "it is the name of the file as far as a name may be"
    );
    assert_eq!(read.properties["title"], "marketsync");
    assert_eq!(read.text.lines().count(), 4, "{}", read.text);
    no_command(shown.lines().nth(1).unwrap());

    no_command(&text::validated(&report(vec![evil()])));
    let whole = annotations::gitlab(&report(vec![evil()]));
    assert_eq!(whole[0]["location"]["path"], EVIL);
    assert!(!whole[0]["description"].as_str().unwrap().contains(['\n', '\r', '\u{1b}']));
}

#[test]
fn gitlab_reads_a_report() {
    let of_file = Problem::of_file(&RepoPath::new("b.yaml").unwrap(), "the file is empty");
    let found = report(vec![misspelt("items/a.json", TEXT), of_file.warning()]);
    insta::assert_snapshot!(format!("{:#}", annotations::gitlab(&found)), @r#"
    [
      {
        "check_name": "marketsync",
        "description": "`naem` is not allowed here; expected: name; found: naem; help: did you mean `name`?",
        "fingerprint": "cd586e56fa01f6fc8f91f906c65c00e4c6a0bad8f4550917265c780ffd1968d2",
        "location": {
          "lines": {
            "begin": 3
          },
          "path": "items/a.json"
        },
        "severity": "major"
      },
      {
        "check_name": "marketsync",
        "description": "the file is empty",
        "fingerprint": "63a54233429e5e35f2036ed0a2ee61080d339b4ba2095c4d73a770a21d2ca3dc",
        "location": {
          "lines": {
            "begin": 1
          },
          "path": "b.yaml"
        },
        "severity": "minor"
      }
    ]
    "#);
    assert_eq!(annotations::gitlab(&report(Vec::new())), Value::Array(Vec::new()));
}

#[test]
fn a_fingerprint_outlives_a_move_and_tells_findings_apart() {
    let prints = |problems: Vec<Problem>| {
        let whole = annotations::gitlab(&report(problems));
        let entries = whole.as_array().unwrap().clone();
        entries.iter().map(|e| e["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let here = misspelt("items/a.json", TEXT);
    let moved = misspelt("items/a.json", &format!("\n\n{TEXT}"));
    assert_ne!(here.position, moved.position);
    assert_eq!(prints(vec![here.clone()]), prints(vec![moved.clone()]));
    let elsewhere = misspelt("items/b.json", TEXT);
    let mut other_words = here.clone();
    other_words.message = "something else".to_owned();
    let mut other_value = here.clone();
    other_value.pointer = Some("/resources".to_owned());
    let mut all = prints(vec![here, moved, elsewhere, other_words, other_value]);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5, "two that are alike are two");
}

fn validate(bench: &Bench, source: &str, args: &[&str]) -> Run {
    let path = bench.repo.path().join(source);
    bare(bench.home.path(), &[&["validate", path.to_str().unwrap()], args].concat())
}

#[test]
fn a_file_is_named_from_the_root_of_its_repository() {
    let bench = Bench::new();
    let broken = set(sidecar("alpha"), "/resources/containerPorts/0/from", true);
    bench.repo.write("catalog/items/alpha.json", pretty(&broken));
    bench.repo.commit("broken");
    let file = "catalog/items/alpha.json";
    for (source, more) in [
        ("", vec![]),
        ("catalog", vec![]),
        ("catalog/items", vec![]),
        ("", vec!["--path=catalog/items"]),
        ("catalog", vec!["--working-tree"]),
        ("catalog/items", vec!["--working-tree"]),
    ] {
        let asked = |format| [&more[..], &[format]].concat();
        let run = validate(&bench, source, &asked("--format=github")).exits(1);
        let mark = command(run.stdout.lines().next().unwrap()).unwrap();
        assert_eq!((mark.name.as_str(), mark.properties["file"].as_str()), ("error", file));
        let line = mark.properties["line"].clone();
        let whole = validate(&bench, source, &asked("--format=gitlab")).exits(1).json();
        assert_eq!(whole[0]["location"]["path"], file, "{source} {more:?}");
        assert_eq!(whole[0]["location"]["lines"]["begin"].to_string(), line);
        assert_eq!(whole[0]["severity"], "major");
    }
    // Nothing wrong: GitLab reads an empty list, GitHub a line that counts.
    bench.commit(&[sidecar("beta")]);
    bench.repo.remove("catalog").commit("mended");
    assert_eq!(validate(&bench, "", &["--format=gitlab"]).exits(0).json(), Value::Array(vec![]));
    let run = validate(&bench, "", &["--format=github"]).exits(0);
    assert!(run.stdout.starts_with("1 valid item at "), "{run}");
    assert_eq!(validate(&bench, "", &["--format=gitlab", "--revision=x"]).exits(2).stdout, "");
}

#[test]
fn hostile_files_command_no_runner() {
    let bench = Bench::new();
    let words = "##[error]x ##vso[task.complete]y #\u{ad}#[add-mask]z";
    let names = ["##[error]x.json", "::error::y.json", "a,b:c%0Ad.json", "l\n::debug::m.json"];
    for name in names {
        let id = format!("x{}", name.len());
        let mut item = set(sidecar(&id), "/resources/containerPorts/0/from", words);
        item[words] = words.into();
        bench.repo.write(name, pretty(&item));
    }
    bench.repo.write("::syntax.json", format!("{{\"itemId\": \"##[error]\",\n::error::{words}"));
    bench.repo.commit(&format!("##[error]{words}"));
    for format in ["text", "json", "gitlab"] {
        let run = validate(&bench, "", &["--format", format]).exits(1);
        assert!(run.stdout.contains("x.json") && !run.stdout.contains("##["), "{run}");
        no_command(&run.stdout);
        no_command(&run.stderr);
    }
    let run = validate(&bench, "", &["--format=github"]).exits(1);
    assert!(!run.stdout.contains("##["), "{run}");
    let marks: Vec<Command> = run.stdout.lines().filter_map(command).collect();
    assert!(marks.iter().all(|mark| ["error", "warning"].contains(&mark.name.as_str())), "{run}");
    for name in &names[1..] {
        assert!(marks.iter().any(|mark| mark.properties["file"] == *name), "{name:?}: {run}");
    }
    let whole = validate(&bench, "", &["--format=gitlab"]).exits(1).json();
    let paths: Vec<&str> =
        whole.as_array().unwrap().iter().filter_map(|e| e["location"]["path"].as_str()).collect();
    assert!(names.iter().all(|name| paths.contains(name)), "a program reads the names: {paths:?}");

    // The log of a pass, in both forms.
    bench.commit(&[set(sidecar("alpha"), "/name", words)]);
    let run = bench.apply(&["--prune"]).exits(1);
    assert!(run.stderr.contains("##\\u005berror]"), "{run}");
    run.log();
    no_command(&run.stderr);
    let mut plain = program(bench.home.path());
    plain.env("MARKETSYNC_CLIENT_SECRET", "x").arg("apply").arg(bench.repo.path());
    plain.args(["--endpoint", &bench.market.url, "--company-id", COMPANY, "--client-id=id"]);
    let run = Running::start(plain).end().exits(1);
    assert!(run.stderr.contains("##\u{fffd}error]"), "{run}");
    no_command(&run.stderr);
}

#[test]
fn a_table_does_not_begin_with_a_command() {
    let mut out = String::new();
    let rows = [["::stop-commands::x".to_owned()], ["\u{a0}::error::y".to_owned()]];
    text::table(&mut out, ["OBJECT ID"], rows.into_iter());
    assert!(out.contains("stop-commands::x"), "{out}");
    no_command(&out);
}
