//! `export`: live items to files (`domain/export`), and the way round: apply,
//! export, commit, and an apply that knows nothing adopts everything.

mod document;
mod files;
mod hostile;
mod round_trip;
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::cli::{Bench, Run, Running, program};
use crate::support::market::COMPANY;

/// `export` of the company at a marketplace.
fn start(home: &Path, url: &str, dir: &Path, args: &[&str]) -> Running {
    let mut command = program(home);
    command
        .env("MARKETSYNC_CLIENT_SECRET", "secret")
        .arg("export")
        .arg(dir)
        .args(["--endpoint", url, "--company-id", COMPANY, "--client-id", "id"])
        .args(["--log-format", "json"])
        .args(args);
    Running::start(command)
}

/// The same of the marketplace of a bench; its log begins anew.
fn export(bench: &Bench, dir: &Path, args: &[&str]) -> Run {
    bench.handle().clear_log();
    start(bench.home.path(), &bench.market.url, dir, args).end()
}

/// Every file below a folder, by its path in it, with its text.
pub(crate) fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                if !path.ends_with(".git") {
                    open.push(path);
                }
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn names(dir: &Path) -> Vec<String> {
    tree(dir).into_keys().collect()
}

/// A folder for an export, in a folder of its own where what leaves it shows.
fn outer() -> TempDir {
    TempDir::new().unwrap()
}
