//! The rules of the house as pure functions over files. Each returns what
//! breaks it, ready to read: `file:line: rule: what, and what to do`.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Named, Scanned, scan};

/// A file by its path from the root of the repository, with `/`.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The most lines of a file below `src`: beyond it, a file has two meanings.
const MAX_LINES: usize = 500;

/// What `src/domain` may not name, and why. A path counts when it holds these
/// names one behind the other.
const IMPURE: [(&str, &str); 22] = [
    ("std::fs", "the disk"),
    ("std::net", "the network"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::io::stdin", "a terminal"),
    ("std::io::stdout", "a terminal"),
    ("std::io::stderr", "a terminal"),
    ("std::time::SystemTime", "a clock"),
    ("std::time::Instant", "a clock"),
    ("Uuid::new_v4", "chance"),
    ("ignore::Walk", "the disk"),
    ("ignore::WalkBuilder", "the disk"),
    ("tracing", "the log; return an event instead"),
    ("tokio", "async"),
    ("futures_util", "async"),
    ("axum", "the network"),
    ("reqwest", "the network"),
    ("git2", "the disk"),
    ("rusqlite", "the disk"),
    ("cap_std", "the disk"),
    ("indicatif", "a terminal"),
];

/// What only some files may name: they are the one place where that part of
/// the outside is touched.
const ONLY_IN: [(&str, &[&str]); 12] = [
    ("git2", &["src/edge/git"]),
    ("libgit2_sys", &["src/edge/git.rs"]),
    // One asks the marketplace, with tokens; one a git server; the last a
    // process of ours.
    ("reqwest", &["src/edge/marketplace", "src/edge/git/remote", "src/edge/probe"]),
    ("russh", &["src/edge/git/remote"]),
    ("rusqlite", &["src/edge/store"]),
    ("axum", &["src/embedded", "src/edge/serve"]),
    ("notify", &["src/edge/watch"]),
    ("prometheus", &["src/edge/metrics"]),
    // HMACs: of a webhook, and of the names in a file of host keys.
    ("aws_lc_rs", &["src/edge/hook", "src/edge/git/remote"]),
    ("process::exit", &["src/main.rs"]),
    // No program is ever started (`docs/threat-model.md`).
    ("process::Command", &["no file"]),
    ("process::abort", &["src/main.rs"]),
];

/// Where `unsafe` may stand: libgit2 sets its process-wide options that way.
const UNSAFE_IN: &str = "src/edge/git";

/// The modules that are reached from one root file.
struct House<'a> {
    /// Module path → its file and what that says.
    modules: BTreeMap<Vec<String>, (&'a File, Scanned)>,
}

impl<'a> House<'a> {
    fn of(root: &str, files: &'a [File]) -> Self {
        let mut house = House { modules: BTreeMap::new() };
        let mut open = vec![(Vec::new(), root.to_owned())];
        while let Some((module, path)) = open.pop() {
            let Some(file) = files.iter().find(|file| file.path == path) else {
                continue;
            };
            let scanned = scan(&file.text);
            let folder = folder_of(&path);
            for child in &scanned.children {
                let below: Vec<String> = module.iter().cloned().chain([child.clone()]).collect();
                open.push((below.clone(), format!("{folder}/{child}.rs")));
                open.push((below, format!("{folder}/{child}/mod.rs")));
            }
            house.modules.insert(module, (file, scanned));
        }
        house
    }

    /// The module that holds what `path` names, and the rest of the path.
    /// Names that a module only passes on are followed to where they are from.
    fn home(&self, path: &[String]) -> (Vec<String>, Vec<String>) {
        // Enough for any chain of re-exports that a person can follow.
        const MOST_HOPS: usize = 8;
        let mut path = path.to_vec();
        for _ in 0..MOST_HOPS {
            let depth = (0..=path.len())
                .rev()
                .find(|n| self.modules.contains_key(&path[..*n]))
                .unwrap_or(0);
            let (module, rest) = path.split_at(depth);
            let next = rest.first().and_then(|name| self.imported(module, name));
            let Some(mut next) = next else {
                return (module.to_vec(), rest.to_vec());
            };
            next.extend_from_slice(&rest[1..]);
            path = next;
        }
        (path, Vec::new())
    }

    /// Where a name comes from that `module` imports from this crate.
    fn imported(&self, module: &[String], name: &str) -> Option<Vec<String>> {
        let (_, scanned) = self.modules.get(module)?;
        let import = scanned
            .paths
            .iter()
            .find(|named| named.in_use && named.inline.is_empty() && named.name == name)?;
        if scanned.children.contains(import.segments.first()?) {
            return Some([module, &import.segments].concat());
        }
        absolute(module, import)
    }
}

/// The folder of a file's child modules.
fn folder_of(path: &str) -> &str {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder,
        _ => path.strip_suffix(".rs").unwrap_or(path),
    }
}

/// A path of this crate, counted from its root.
fn absolute(module: &[String], named: &Named) -> Option<Vec<String>> {
    let mut here: Vec<String> = module.iter().chain(&named.inline).cloned().collect();
    let mut rest = named.segments.as_slice();
    if rest.len() < 2 && !named.in_use {
        // `pub(super)`, or the receiver of a method.
        return None;
    }
    match rest.first()?.as_str() {
        "crate" => here.clear(),
        "self" => {}
        "super" => {
            here.pop();
        }
        _ => return None,
    }
    rest = &rest[1..];
    while let [first, more @ ..] = rest
        && first == "super"
    {
        here.pop();
        rest = more;
    }
    here.extend_from_slice(rest);
    Some(here)
}

/// Reading order is dependency order: a module uses what stands above it, what
/// is its own, and what its parents define themselves.
pub(crate) fn order(root: &str, files: &[File]) -> Vec<String> {
    let house = House::of(root, files);
    // One line for each pair of modules: its first place in the file.
    let mut broken = BTreeMap::new();
    for (module, (file, scanned)) in &house.modules {
        for named in &scanned.paths {
            let Some(path) = absolute(module, named) else {
                continue;
            };
            let (home, rest) = house.home(&path);
            if let Some(why) = misplaced(&house, module, &home, &rest) {
                let place = (named.line, named.segments.join("::"));
                broken.entry((&file.path, why)).or_insert(place);
            }
        }
    }
    broken
        .into_iter()
        .map(|((path, why), (line, text))| format!("{path}:{line}: order: `{text}` {why}"))
        .collect()
}

fn misplaced(
    house: &House<'_>,
    module: &[String],
    home: &[String],
    rest: &[String],
) -> Option<String> {
    if home.starts_with(module) {
        return None;
    }
    if module.starts_with(home) {
        return match rest.first().map(String::as_str) {
            None => Some("names a module around it as a whole; name what is used of it".to_owned()),
            Some("*") => {
                Some("takes everything of a module around it; name what is used of it".to_owned())
            }
            Some(_) => None,
        };
    }
    let shared = module.iter().zip(home).take_while(|(a, b)| a == b).count();
    let (list, scanned) = house.modules.get(&module[..shared])?;
    let place = |name: &String| scanned.children.iter().position(|child| child == name);
    let (mine, theirs) = (&module[shared], &home[shared]);
    (place(theirs) >= place(mine)).then(|| {
        format!(
            "is in `{theirs}`, which {} lists below `{mine}`; a module uses only modules above it",
            list.path
        )
    })
}

/// Whether `path` holds the names of `wanted` one behind the other; a crate is
/// meant only where a path begins.
fn holds(named: &Named, wanted: &str) -> bool {
    let wanted: Vec<&str> = wanted.split("::").collect();
    if wanted.len() == 1 {
        return named.segments.first().is_some_and(|first| first == wanted[0])
            && (named.segments.len() > 1 || named.in_use);
    }
    named
        .segments
        .windows(wanted.len())
        .any(|window| window.iter().zip(&wanted).all(|(a, b)| a == b))
}

/// The domain names no clock, disk, network, environment or async.
pub(crate) fn purity(files: &[File]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("src/domain")) {
        let scanned = scan(&file.text);
        let mut say = |line: usize, what: &str, why: &str| {
            broken.push(format!(
                "{}:{line}: purity: `{what}` is {why}; src/domain receives values",
                file.path
            ));
        };
        for named in &scanned.paths {
            let text = named.segments.join("::");
            if let Some((_, why)) = IMPURE.iter().find(|(wanted, _)| holds(named, wanted)) {
                say(named.line, &text, why);
            } else if named.segments.len() > 1
                && named.segments.last().is_some_and(|last| last == "now")
            {
                say(named.line, &text, "a clock");
            }
        }
        for (word, line) in &scanned.words {
            if word == "async" || word == "await" {
                say(*line, word, "async");
            }
        }
    }
    broken.dedup();
    broken
}

/// Each part of the outside is touched in one place.
pub(crate) fn one_caller(files: &[File]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("src/")) {
        let scanned = scan(&file.text);
        let elsewhere = |places: &[&str]| !places.iter().any(|place| is_below(&file.path, place));
        for named in &scanned.paths {
            for (wanted, places) in ONLY_IN {
                if holds(named, wanted) && elsewhere(places) {
                    let (path, line) = (&file.path, named.line);
                    broken.push(format!(
                        "{path}:{line}: one caller: `{wanted}` belongs to {}",
                        places.join(", ")
                    ));
                }
            }
        }
        for (word, line) in &scanned.words {
            if word == "unsafe" && elsewhere(&[UNSAFE_IN]) {
                broken.push(format!("{}:{line}: unsafe: only {UNSAFE_IN} may hold it", file.path));
            }
        }
    }
    broken.dedup();
    broken
}

/// Whether a file is `place`, `place.rs`, or in the folder `place`.
fn is_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

/// No file below `src` is too long.
pub(crate) fn size(files: &[File]) -> Vec<String> {
    let lines = |file: &File| file.text.lines().count();
    files
        .iter()
        .filter(|file| file.path.starts_with("src/") && lines(file) > MAX_LINES)
        .map(|file| {
            format!(
                "{}:{}: size: at most {MAX_LINES} lines; split it by meaning",
                file.path,
                lines(file)
            )
        })
        .collect()
}

/// Every file below `folder` is reached from one of its roots: a file that no
/// `mod` line names is neither compiled nor tested.
pub(crate) fn orphans(folder: &str, roots: &[&str], files: &[File]) -> Vec<String> {
    let houses: Vec<House<'_>> = roots.iter().map(|root| House::of(root, files)).collect();
    let reached: BTreeSet<&str> = houses
        .iter()
        .flat_map(|house| house.modules.values())
        .map(|(file, _)| file.path.as_str())
        .collect();
    files
        .iter()
        .filter(|file| is_below(&file.path, folder) && !reached.contains(file.path.as_str()))
        .map(|file| {
            format!("{}:1: orphan: no `mod` line leads here from {}", file.path, roots.join(" or "))
        })
        .collect()
}
