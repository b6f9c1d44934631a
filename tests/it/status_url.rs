//! `status --url`: the standing of a running process, asked from outside.

use serde_json::json;
use tempfile::TempDir;

use crate::support::cli::{Run, bare};
use crate::support::domain::{commit, noon};
use crate::support::front::Front;
use crate::support::scripted::{Answer, Scripted, json_answer, text_answer};

/// Runs the program beside the server.
async fn status(args: &[&str]) -> Run {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let run = move || {
        let home = TempDir::new().unwrap();
        let args: Vec<&str> =
            ["status"].into_iter().chain(args.iter().map(String::as_str)).collect();
        bare(home.path(), &args)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn a_running_process_is_asked() {
    let front = Front::start().await;
    front.now(|standing| {
        standing.commit = Some(commit("c0ffee1234567"));
        standing.items = 7;
        standing.recorded = 7;
    });
    let url = format!("http://{}", front.address);
    let run = status(&["--url", &url]).await;
    assert_eq!(run.code, Some(0), "{run}");
    run.prints("https://git.example.com/acme/catalogue.git at c0ffee1")
        .prints("7 items in the source");
    let run = status(&["--url", &format!("{}/", front.address), "--format", "json"]).await;
    assert_eq!(run.code, Some(0), "{run}");
    let page = run.json();
    assert_eq!((&page["wanted"], &page["items"]), (&json!(7), &json!([])));
}

#[tokio::test]
async fn trouble_is_an_exit_code() {
    let front = Front::start().await;
    front.now(|standing| {
        let path = marketsync::domain::item::RepoPath::new("broken.json").unwrap();
        let problem = marketsync::domain::source::Problem::of_file(&path, "not valid JSON");
        std::sync::Arc::make_mut(&mut standing.problems).push(problem);
    });
    let url = format!("http://{}", front.address);
    let run = status(&["--url", &url]).await;
    assert_eq!(run.code, Some(1), "{run}");
    run.prints("broken.json").prints("1 invalid");
}

#[tokio::test]
async fn nobody_there_is_told_with_what_to_do() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let run = status(&["--url", &url]).await;
    assert_eq!(run.code, Some(2), "{run}");
    run.tells("no marketsync can be reached at http://127.0.0.1").tells("hint: check that");
    let run = status(&["--url", &url, "--format", "json"]).await;
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("can be reached"), "{run}");
}

#[tokio::test]
async fn what_is_no_marketsync_is_told_so() {
    let other = Scripted::start().await;
    let url = other.url.to_string();
    let elsewhere = text_answer(302, "").with("location", "http://127.0.0.1:1/");
    for (answer, words) in [
        (text_answer(200, "<html>"), "is no marketsync of this version"),
        (json_answer(200, &json!({ "items": [] })), "is no marketsync of this version"),
        (text_answer(503, "down \u{1b}[31mfor now\nand later"), "answers 503: down"),
        (elsewhere, "answers 302"),
        (Answer::Cut, "can be reached"),
    ] {
        other.once("GET /status", answer);
        let run = status(&["--url", &url]).await;
        assert_eq!(run.code, Some(2), "{run}");
        run.tells(words).tells("hint:");
        assert!(!run.stderr.contains('\u{1b}'), "{run}");
    }
    let asked = other.seen("GET /status");
    assert_eq!(asked.len(), 5);
    assert!(asked.iter().all(|seen| seen.headers.get("authorization").is_none()));
}

#[tokio::test]
async fn a_hostile_answer_stays_on_its_lines() {
    let front = Front::start().await;
    front.now(|standing| {
        standing.about.source = "evil\u{1b}[2J\nline".to_owned();
        standing.next_pass = Some(noon(0));
    });
    let run = status(&["--url", &format!("http://{}", front.address)]).await;
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains("\nline"), "{run}");
}

#[tokio::test]
async fn one_of_two_is_asked() {
    let run = status(&["--url", "http://127.0.0.1:1", "--state", "/s"]).await;
    assert_eq!(run.code, Some(2), "{run}");
    run.tells("--url").tells("--state");
    for (url, words) in [
        ("ftp://127.0.0.1", "not ftp://"),
        ("http://user:hunter2@127.0.0.1", "no user and no password"),
        ("http://127.0.0.1/?a", "no query"),
        ("http://[", "no URL"),
    ] {
        let run = status(&["--url", url]).await;
        assert_eq!(run.code, Some(2), "{run}");
        run.tells(words);
        assert!(!run.stderr.contains("hunter2"), "{run}");
    }
}
