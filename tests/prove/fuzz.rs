//! The bodies of the fuzz targets (`fuzz/`) as a test: every seed, every case
//! that was found once, and some thousands of mutations of both. What makes
//! one fail is kept in `target/prove/fuzz`.
//!
//! `fuzz/run` looks for more, guided by what is reached.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::findings::{Findings, long, rounds};
use crate::fuzzed::TARGETS;

/// How many mutations of a target are tried.
const MUTATIONS: (usize, usize) = (1_000, 100_000);

/// How long the mutations of one target may take in the short form, whatever
/// else the machine does: all of them together are to stay below 15 seconds.
const TIME: Duration = Duration::from_millis(900);

/// How long one case may take. A fault of this kind takes minutes.
const LONGEST: Duration = Duration::from_mins(1);

/// The longest mutation.
const MAX_BYTES: usize = 4_096;

#[test]
fn seeds_cases_and_their_mutations_break_no_promise() {
    let columns = ["target", "seeds", "found cases", "mutations", "ms"];
    let mut findings = Findings::begin("fuzz-in-tests", &columns);
    let mut broken = Vec::new();
    for (name, check) in TARGETS {
        let begun = Instant::now();
        let (seeds, cases) = (files("seeds", name), files("cases", name));
        assert!(!seeds.is_empty(), "fuzz/seeds/{name} is empty");
        let corpus: Vec<Vec<u8>> =
            seeds.iter().chain(&cases).map(|(_, bytes)| bytes.clone()).collect();
        for (path, bytes) in seeds.iter().chain(&cases) {
            if let Err(why) = tried(check, bytes) {
                broken.push(format!("{}: {why}", path.display()));
            }
        }
        // Each target has a row of its own, so that one more moves no other.
        let mut chance = Rng::with_seed(findings.seed ^ hash(name));
        let most = rounds(MUTATIONS.0, MUTATIONS.1);
        let (mut done, started) = (0, Instant::now());
        while done < most && (long() || started.elapsed() < TIME) {
            done += 1;
            let bytes = mutated(&corpus, &mut chance);
            if let Err(why) = tried(check, &bytes) {
                let kept = keep(name, &bytes);
                broken.push(format!(
                    "{name}: {why}\n  kept as {}; once mended, it belongs into fuzz/cases/{name}",
                    kept.display()
                ));
                break;
            }
        }
        let cells = [seeds.len().to_string(), cases.len().to_string(), done.to_string()];
        let took = begun.elapsed().as_millis().to_string();
        findings.row(&[name, &cells[0], &cells[1], &cells[2], &took]);
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_folder_of_seeds_belongs_to_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
        assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).is_file(), "{name} has no file");
    }
    for folder in ["seeds", "cases"] {
        let Ok(entries) = fs::read_dir(fuzz.join(folder)) else { continue };
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|(known, _)| *known == name), "fuzz/{folder}/{name}");
        }
    }
}

fn files(folder: &str, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn tried(check: fn(&[u8]), bytes: &[u8]) -> Result<(), String> {
    let begun = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| check(bytes)));
    let took = begun.elapsed();
    match result {
        Ok(()) if took < LONGEST => Ok(()),
        Ok(()) => Err(format!("it took {took:?}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(text.unwrap_or("a panic").chars().take(2_000).collect())
        }
    }
}

fn keep(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../prove/fuzz");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{:016x}", hash(&String::from_utf8_lossy(bytes))));
    fs::write(&path, bytes).unwrap();
    path
}

/// FNV-1a: the same in every build.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// One of the corpus, with some bytes of it changed.
fn mutated(corpus: &[Vec<u8>], chance: &mut Rng) -> Vec<u8> {
    let mut bytes = chance.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..chance.usize(1..6) {
        let at = chance.usize(..=bytes.len());
        let end = at + chance.usize(..=(bytes.len() - at).min(16));
        match chance.u8(..9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.u8(..8),
            1 if at < bytes.len() => bytes[at] = chance.u8(..),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                let to = chance.usize(..=bytes.len());
                bytes.splice(to..to, part);
            }
            5 => {
                let other = chance.choice(corpus).unwrap();
                let from = chance.usize(..=other.len());
                let to = (from + chance.usize(..=64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            6 => {
                let odd = ODD[chance.usize(..ODD.len())].as_bytes();
                bytes.splice(at..end, odd.iter().copied());
            }
            7 => bytes.splice(at..at, [b"[{\"' \n\t\0-:"[chance.usize(..10)]]).for_each(drop),
            _ => {
                let part = bytes[at..end].repeat(chance.usize(1..40));
                bytes.splice(at..end, part);
            }
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

/// What is likely to be taken for something.
const ODD: [&str; 40] = [
    "\0",
    "\n",
    "\r\n",
    "\u{feff}",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{2028}",
    "é",
    "🦀",
    "\u{fffd}",
    "..",
    "/",
    "~1",
    "~0",
    "%2e%2e",
    "%00",
    "`",
    "```\n",
    "</details>",
    "<script>",
    "&lt;",
    "|",
    "@everyone",
    "::error::",
    "##[error]",
    "##vso[",
    "http://x",
    "***",
    "1.0",
    "1e999",
    "-0",
    "18446744073709551616",
    "null",
    "\"\"",
    "{}",
    "[]",
    "*a",
    "&a",
    "\\u0000",
    "password=",
];
