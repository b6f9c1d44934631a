//! Canaries in every place where a secret can be, and a search for them, in
//! any spelling, in everything that the program puts out.

mod content;
mod credentials;
mod debug;
mod echo;
mod fields;
mod hunt;
mod mistakes;
mod surroundings;

use crate::findings::Findings;
use hunt::Hunt;

/// The columns of the tables.
const COLUMNS: [&str; 5] = ["place", "seen at work", "outputs searched", "bytes", "hits"];

#[test]
fn the_search_finds_what_leaks() {
    let mut findings = Findings::begin("secrets-search", &["spelling", "found"]);
    let mut chance = findings.chance();
    for _ in 0..crate::findings::rounds(10, 1000) {
        let core = Hunt::new(&mut chance).canary("x");
        for (form, line) in hunt::leaky(&core) {
            let mut hunt = Hunt::new(&mut chance);
            hunt.adopt("a place", &core);
            hunt.keep("harmless", format!("nothing of {}", &core[..8]));
            assert!(hunt.hits().is_empty(), "{form}");
            hunt.keep("a line", line.clone());
            assert_eq!(hunt.hits().len(), 1, "{form}: {line}");
        }
    }
    for (form, _) in hunt::leaky("0123456789abcdefghijABCDEFGH") {
        findings.row(&[form, "yes"]);
    }
}

#[test]
#[should_panic(expected = "never seen at work")]
fn a_place_that_was_never_used_proves_nothing() {
    let mut findings = Findings::begin("secrets-idle", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    hunt.canary("a place");
    hunt.keep("a line", "harmless");
    hunt.conclude(&mut findings);
}
