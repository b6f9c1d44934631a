//! The architecture as a test: what `docs/architecture.md` draws, this holds.
//!
//! Each rule is a pure function over files (`rules`). It is run over this
//! repository here, and over made-up sources in `proofs`, which show that
//! every rule can fail.

mod scan;
mod rules;
mod proofs;

use std::fs;
use std::io;
use std::path::Path;

use rules::File;

/// Every `.rs` file below a folder of this repository, ordered by path.
fn files(folder: &str) -> io::Result<Vec<File>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                found.push(File { text: fs::read_to_string(entry.path())?, path });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn source() -> Vec<File> {
    let found = files("src").unwrap_or_default();
    // Without files no rule could be broken.
    for expected in ["src/lib.rs", "src/main.rs", "src/domain/mod.rs"] {
        let is_there = found.iter().any(|file| file.path == expected);
        assert!(is_there, "{expected} is gone");
    }
    found
}

#[track_caller]
fn assert_kept(broken: &[String]) {
    assert!(broken.is_empty(), "{} places break the rule:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let files = source();
    assert_kept(
        &[rules::order("src/lib.rs", &files), rules::order("src/main.rs", &files)].concat(),
    );
}

#[test]
fn the_domain_is_pure() {
    assert_kept(&rules::purity(&source()));
}

#[test]
fn the_outside_is_touched_in_one_place_each() {
    assert_kept(&rules::one_caller(&source()));
}

#[test]
fn no_file_is_too_long() {
    assert_kept(&rules::size(&source()));
}

#[test]
fn every_file_is_compiled() {
    assert_kept(&rules::orphans("src", &["src/lib.rs", "src/main.rs"], &source()));
}

#[test]
fn every_test_file_is_run() {
    let files = files("tests/it").unwrap_or_default();
    assert!(files.len() > 1, "the test files are gone");
    assert_kept(&rules::orphans("tests/it", &["tests/it/main.rs"], &files));
}
