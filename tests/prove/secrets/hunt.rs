//! Canaries, and the search for them in everything that was put out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::findings::Findings;
use crate::support::cli::Run;

/// How long the random part of a canary is. No word and no hash holds it by
/// chance, nor half of it.
const LENGTH: usize = 24;

/// One secret in one place.
struct Canary {
    place: String,
    core: String,
    /// Whether it was seen to do what a secret there does; else nothing is
    /// proven.
    used: bool,
}

/// Everything that was put out while the canaries were in their places.
pub(crate) struct Hunt {
    chance: fastrand::Rng,
    canaries: Vec<Canary>,
    outputs: Vec<(String, Vec<u8>)>,
}

/// A canary was found where nobody may read it.
#[derive(Debug)]
pub(crate) struct Hit {
    place: String,
    what: String,
    form: &'static str,
    around: String,
}

impl std::fmt::Display for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, what, form, around } = self;
        write!(f, "{place} ({form}) in {what}: {around}")
    }
}

impl Hunt {
    pub(crate) fn new(chance: &mut fastrand::Rng) -> Self {
        Self { chance: chance.fork(), canaries: Vec::new(), outputs: Vec::new() }
    }

    /// A new secret for a place.
    pub(crate) fn canary(&mut self, place: &str) -> String {
        let core: String = (0..LENGTH).map(|_| self.chance.alphanumeric()).collect();
        self.adopt(place, &core);
        core
    }

    /// A secret that somebody else made, such as a part of a key.
    pub(crate) fn adopt(&mut self, place: &str, core: &str) {
        assert!(core.len() >= LENGTH && core.is_ascii(), "{place}: {core}");
        self.canaries.push(Canary { place: place.to_owned(), core: core.to_owned(), used: false });
    }

    /// Says that the secret of a place was seen at work.
    #[track_caller]
    pub(crate) fn used(&mut self, place: &str) {
        let mut known = self.canaries.iter_mut().filter(|canary| canary.place == place).peekable();
        assert!(known.peek().is_some(), "no canary is in {place}");
        known.for_each(|canary| canary.used = true);
    }

    /// The same if these bytes, of a server or of a file, hold it as it is.
    pub(crate) fn used_in(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for canary in &mut self.canaries {
            canary.used |= text.contains(&canary.core);
        }
    }

    /// Takes in something that was put out.
    pub(crate) fn keep(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.outputs.push((what.to_owned(), bytes.into()));
    }

    pub(crate) fn keep_run(&mut self, what: &str, run: &Run) {
        assert!(!run.stderr.contains("panicked"), "{what}: {run}");
        self.keep(&format!("{what}, stdout"), run.stdout.as_bytes());
        self.keep(&format!("{what}, stderr"), run.stderr.as_bytes());
    }

    /// Takes in every file below a folder, and the names of all; those whose
    /// path ends so are the user's own.
    pub(crate) fn keep_folder(&mut self, what: &str, folder: &Path, but: &[&str]) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            let shown = path.display().to_string();
            if but.iter().any(|end| shown.ends_with(end)) {
                continue;
            }
            self.keep(&format!("{what}, a name"), shown.as_bytes());
            if path.is_dir() {
                self.keep_folder(what, &path, but);
            } else if path.is_file() {
                self.keep(&format!("{what}, {shown}"), fs::read(&path).unwrap());
            }
        }
    }

    /// Every place where a canary turned up.
    pub(crate) fn hits(&self) -> Vec<Hit> {
        let mut hits = Vec::new();
        let forms: Vec<_> = self.canaries.iter().map(|canary| forms(&canary.core)).collect();
        for (what, bytes) in &self.outputs {
            let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            for (canary, forms) in self.canaries.iter().zip(&forms) {
                let found = forms.iter().find_map(|(form, written)| {
                    Some((*form, text.find(&written.to_ascii_lowercase())?))
                });
                if let Some((form, at)) = found {
                    let from = text.floor_char_boundary(at.saturating_sub(100));
                    let to = text.ceil_char_boundary((at + 60).min(text.len()));
                    let around = text[from..to].to_owned();
                    let place = canary.place.clone();
                    hits.push(Hit { place, what: what.clone(), form, around });
                }
            }
        }
        hits
    }

    /// A row for each place; fails if a canary was found, or was never used.
    #[track_caller]
    pub(crate) fn conclude(self, findings: &mut Findings) {
        let hits = self.hits();
        let bytes: usize = self.outputs.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut places: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
        for canary in &self.canaries {
            let row = places.entry(&canary.place).or_insert((true, 0));
            row.0 &= canary.used;
        }
        for hit in &hits {
            places.entry(&hit.place).or_default().1 += 1;
        }
        let outputs = self.outputs.len().to_string();
        for (place, (used, hits)) in &places {
            let used = if *used { "yes" } else { "NO" };
            findings.row(&[place, used, &outputs, &bytes.to_string(), &hits.to_string()]);
        }
        let idle: Vec<_> = places.iter().filter(|(_, (used, _))| !used).collect();
        let shown: Vec<String> = hits.iter().map(ToString::to_string).collect();
        assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), shown.join("\n"));
        assert!(idle.is_empty(), "never seen at work, so nothing is proven: {idle:?}");
    }
}

/// How a secret can be written, and yet be read.
pub(crate) fn forms(core: &str) -> Vec<(&'static str, String)> {
    let each = |write: &dyn Fn(u8) -> String| core.bytes().map(write).collect::<String>();
    let half = core.len() / 2;
    let mut forms = vec![
        ("its first half", core[..half].to_owned()),
        ("its second half", core[half..].to_owned()),
        ("reversed", core.chars().rev().collect()),
        ("hexadecimal", each(&|byte| format!("{byte:02x}"))),
        ("hexadecimal with colons", each(&|byte| format!("{byte:02x}:"))),
        ("a list of bytes", each(&|byte| format!("{byte}, ")).trim_end_matches(", ").to_owned()),
        ("percent-encoded", each(&|byte| format!("%{byte:02x}"))),
        ("JSON escapes", each(&|byte| format!("\\u{byte:04x}"))),
        ("HTML, decimal", each(&|byte| format!("&#{byte};"))),
        ("HTML, hexadecimal", each(&|byte| format!("&#x{byte:x};"))),
    ];
    for shift in 0..3 {
        forms.push(("base64", base64_within(core, shift)));
    }
    forms
}

/// What of the base64 of a text with this in it rests on this alone, when so
/// many bytes (modulo 3) stand before it.
fn base64_within(core: &str, shift: usize) -> String {
    let whole = STANDARD_NO_PAD.encode(format!("{}{core}", "\0".repeat(shift)));
    let first = (shift * 8).div_ceil(6);
    let last = (shift + core.len()) * 8 / 6;
    whole[first..last].to_owned()
}

/// A text in which each form of each canary stands.
pub(crate) fn leaky(core: &str) -> Vec<(&'static str, String)> {
    let mut leaks = forms(core);
    let pair = |user: &str| STANDARD_NO_PAD.encode(format!("{user}:{core}@behind"));
    for user in ["a", "ab", "abc"] {
        leaks.push(("base64 of a pair", pair(user)));
    }
    leaks.push(("as it is", core.to_owned()));
    leaks.push(("in small letters", core.to_lowercase()));
    for (_, text) in &mut leaks {
        let mut line = String::new();
        write!(line, "something before {text} and behind").unwrap();
        *text = line;
    }
    leaks
}
