//! Every rule can fail, and fails only for its reason.

use super::rules::{self, File};

fn house(files: &[(&str, &str)]) -> Vec<File> {
    files
        .iter()
        .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}

/// `lib.rs` lists `low`, `mid` and `high`; `mid` has the files `one` and `two`.
/// `text` is the file at `path` in it.
fn order_of(path: &str, text: &str) -> Vec<String> {
    let mut files = house(&[
        ("src/lib.rs", "pub mod low;\npub mod mid;\npub mod high;\n"),
        ("src/low.rs", "pub struct Low;"),
        ("src/mid/mod.rs", "mod one;\nmod two;\npub use two::Two;\npub struct Mid;\n"),
        ("src/mid/one.rs", ""),
        ("src/mid/two.rs", ""),
        ("src/high.rs", ""),
    ]);
    for file in &mut files {
        if file.path == path {
            text.clone_into(&mut file.text);
        }
    }
    rules::order("src/lib.rs", &files)
}

#[track_caller]
fn refused(found: &[String], begin: &str) {
    assert!(
        found.len() == 1 && found[0].starts_with(begin),
        "expected one line that begins {begin:?}: {found:#?}"
    );
}

#[track_caller]
fn accepted(found: &[String]) {
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_stands_below_may_not_be_used() {
    refused(
        &order_of("src/low.rs", "\nuse crate::mid::Mid;"),
        "src/low.rs:2: order: `crate::mid::Mid` is in `mid`",
    );
    refused(
        &order_of("src/low.rs", "use crate::{\n    high::{self},\n};"),
        "src/low.rs:2: order: `crate::high`",
    );
    refused(
        &order_of("src/low.rs", "fn f() { crate::high::g::<u8>() }"),
        "src/low.rs:1: order: `crate::high::g`",
    );
    refused(&order_of("src/low.rs", "use super::high as h;"), "src/low.rs:1: order: `super::high`");
    refused(
        &order_of("src/mid/one.rs", "use crate::high::X;"),
        "src/mid/one.rs:1: order: `crate::high::X`",
    );
    refused(
        &order_of("src/mid/mod.rs", "mod one;\nmod two;\nuse crate::high::*;"),
        "src/mid/mod.rs:3: order:",
    );
}

#[test]
fn what_stands_above_may_be_used() {
    accepted(&order_of(
        "src/high.rs",
        "use crate::{low::Low, mid::{self, Mid, Two}};\nfn f(_: crate::low::Low) {}",
    ));
    accepted(&order_of(
        "src/mid/two.rs",
        "use super::one::X;\nuse crate::mid::one;\nuse crate::low::*;",
    ));
}

#[test]
fn siblings_keep_the_order_of_their_parent() {
    refused(
        &order_of("src/mid/one.rs", "use super::two::X;"),
        "src/mid/one.rs:1: order: `super::two::X` is in `two`",
    );
    refused(
        &order_of("src/mid/one.rs", "use crate::mid::two;"),
        "src/mid/one.rs:1: order: `crate::mid::two`",
    );
}

#[test]
fn a_child_may_use_what_its_parent_defines_and_not_what_it_passes_on() {
    accepted(&order_of("src/mid/one.rs", "use super::Mid;\nuse crate::mid::Mid as M;"));
    refused(
        &order_of("src/mid/one.rs", "use super::Two;"),
        "src/mid/one.rs:1: order: `super::Two` is in `two`",
    );
    refused(
        &order_of("src/mid/one.rs", "use super::*;"),
        "src/mid/one.rs:1: order: `super::*` takes everything",
    );
    refused(
        &order_of("src/mid/one.rs", "use crate::mid;"),
        "src/mid/one.rs:1: order: `crate::mid` names a module",
    );
}

#[test]
fn an_inline_module_belongs_to_its_file() {
    accepted(&order_of(
        "src/low.rs",
        "fn f() {}\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use super::f;\n}",
    ));
    let text = "mod tests {\n    fn g() { if true { } }\n    use super::super::high;\n}\n\
        use super::mid;\nuse super::mid::Mid;";
    let found = order_of("src/low.rs", text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("src/low.rs:3:") && found[1].starts_with("src/low.rs:5:"),
        "{found:#?}"
    );
}

#[test]
fn what_is_not_code_does_not_count() {
    let text = "//! `crate::high`\n/* crate::high /* crate::high */ crate::high */\n\
        const A: &str = \"crate::high \\\" crate::high\"; const B: &str = r#\"crate::high \" crate::high\"#;\n\
        const C: char = '\"'; fn f<'a>(_: &'a str, _: char) { let _ = b'\"'; let _ = '\\''; }\n\
        pub(in crate::high) struct S; pub(crate) struct T; pub(super) struct U;\n// crate::high";
    accepted(&order_of("src/low.rs", text));
    // The line is counted through all of it.
    refused(&order_of("src/low.rs", &format!("{text}\nuse crate::high;")), "src/low.rs:7: order:");
}

fn purity_of(text: &str) -> Vec<String> {
    rules::purity(&house(&[
        ("src/domain/a.rs", text),
        ("src/edge/b.rs", "use std::fs; async fn f() {}"),
    ]))
}

#[test]
fn the_domain_may_not_name_the_outside() {
    for text in [
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "use std::{fmt, io::{self as i, stdin}};",
        "use ::std::net::TcpStream;",
        "fn f() { std::env::var(\"A\"); }",
        "fn f() { std::process::id(); }",
        "fn f() { std::io::stdout(); }",
        "use std::time::{Duration, SystemTime};",
        "fn f() { Instant::now(); }",
        "fn f() { jiff::Timestamp::now(); }",
        "fn f() { <jiff::Zoned>::now(); }",
        "use tokio as t;",
        "#[tokio::main] fn f() {}",
        "use reqwest;",
        "fn f(_: git2::Oid) {}",
        "use rusqlite::Connection;",
        "async fn f() {}",
        "fn f() { g().await; }",
    ] {
        refused(&purity_of(text), "src/domain/a.rs:1: purity:");
    }
}

#[test]
fn the_domain_may_name_values() {
    accepted(&purity_of(
        "//! No std::fs, async or tokio::spawn.\nuse std::time::Duration;\nuse std::{fmt, io};\nuse jiff::Timestamp;\n\
         const V: &str = env!(\"CARGO_PKG_VERSION\");\nfn f(now: Timestamp, tokio: u8) -> &'static str {\n    \
         let _ = (now, tokio, x.now());\n    \"std::env .await\"\n}",
    ));
}

#[test]
fn each_part_of_the_outside_has_one_caller() {
    let one = |path: &str, text: &str| rules::one_caller(&house(&[(path, text)]));
    for (home, text) in [
        ("src/edge/git.rs", "use git2::Oid;"),
        ("src/edge/git/tree.rs", "use git2 as g;"),
        ("src/edge/marketplace/client.rs", "fn f(_: reqwest::Error) {}"),
        ("src/edge/store.rs", "use rusqlite::{Connection, params};"),
        ("src/edge/store/rows.rs", "fn f() { rusqlite::params![]; }"),
        ("src/embedded/routes.rs", "use axum::Router;"),
        ("src/edge/serve.rs", "use axum::Router;"),
        ("src/main.rs", "fn main() { std::process::exit(1) }"),
        ("src/edge/git.rs", "fn f() { unsafe { g() } }"),
    ] {
        accepted(&one(home, text));
        refused(&one("src/cycle.rs", text), "src/cycle.rs:1: ");
        refused(&one("src/edge/gitlike.rs", text), "src/edge/gitlike.rs:1: ");
    }
    refused(
        &one("src/edge/git/remote/ssh.rs", "use std::process::{Child, Command};"),
        "src/edge/git/remote/ssh.rs:1: one caller: `process::Command` belongs to no file",
    );
    refused(
        &one("src/cli.rs", "use std::process;\nfn f() { process::exit(1) }"),
        "src/cli.rs:2: one caller:",
    );
    accepted(&one(
        "src/cli.rs",
        "#![deny(unsafe_code)] // git2::Oid\nfn f(_: std::process::ExitCode) {}",
    ));
}

#[test]
fn a_file_has_at_most_five_hundred_lines() {
    let of = |lines: usize| {
        rules::size(&house(&[
            ("src/a.rs", &"//\n".repeat(lines)),
            ("tests/it/b.rs", &"\n".repeat(900)),
        ]))
    };
    accepted(&of(500));
    refused(&of(501), "src/a.rs:501: size:");
}

#[test]
fn a_file_that_no_line_names_is_found() {
    let files = house(&[
        ("src/lib.rs", "// mod lost;\nmod a;\nmod b;"),
        ("src/main.rs", "mod c;"),
        ("src/a.rs", "mod deep;"),
        ("src/a/deep.rs", ""),
        ("src/b/mod.rs", "#[cfg(test)]\nmod tests;"),
        ("src/b/tests.rs", ""),
        ("src/c.rs", ""),
        ("src/lost.rs", ""),
    ]);
    refused(
        &rules::orphans("src", &["src/lib.rs", "src/main.rs"], &files),
        "src/lost.rs:1: orphan:",
    );
    let tests = house(&[
        ("tests/it/main.rs", "mod plan;"),
        ("tests/it/plan.rs", ""),
        ("tests/it/lost.rs", ""),
    ]);
    refused(
        &rules::orphans("tests/it", &["tests/it/main.rs"], &tests),
        "tests/it/lost.rs:1: orphan:",
    );
}
