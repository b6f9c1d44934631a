//! How much of a proof runs, with which seed, and the table it leaves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Set to `long`, everything runs at length.
const FORM: &str = "MARKETSYNC_PROVE";

/// The seed of a run that is to be repeated.
const SEED: &str = "MARKETSYNC_PROVE_SEED";

/// How many rounds, in place of what the form says.
const ROUNDS: &str = "MARKETSYNC_PROVE_ROUNDS";

/// The seed of the short form: what fails in one clone fails in all.
const SHORT_SEED: u64 = 20_261_122;

/// Whether this is the long form.
pub(crate) fn long() -> bool {
    std::env::var(FORM).is_ok_and(|form| form == "long")
}

/// How many rounds to go, in the short form and in the long one.
pub(crate) fn rounds(short: usize, long_form: usize) -> usize {
    match number(ROUNDS) {
        Some(rounds) => usize::try_from(rounds).unwrap(),
        None if long() => long_form,
        None => short,
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|why| panic!("{name}={text}: {why}")))
}

/// Whether this program is there; a proof that cannot do without says that it
/// was skipped.
pub(crate) fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    if !there {
        eprintln!("skipped: {tool} is not installed (tests/prove/run installs it)");
    }
    there
}

/// What a proof did, row by row. Printed and written to `target/prove` when it
/// goes, also when the proof fails.
pub(crate) struct Findings {
    name: &'static str,
    pub(crate) seed: u64,
    began: Instant,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Findings {
    /// A table with these columns. `name` is that of the file it becomes.
    pub(crate) fn begin(name: &'static str, columns: &[&str]) -> Self {
        let random = || if long() { fastrand::u64(..1_000_000_000) } else { SHORT_SEED };
        let seed = number(SEED).unwrap_or_else(random);
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        println!("{name}: seed {seed}");
        Self { name, seed, began: Instant::now(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// A source of chance that this seed repeats.
    pub(crate) fn chance(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }

    /// Adds a row, a cell for each column.
    #[track_caller]
    pub(crate) fn row(&mut self, cells: &[&str]) {
        assert_eq!(cells.len(), self.columns.len(), "{}: {cells:?}", self.name);
        self.rows.push(cells.iter().map(|cell| cell.replace('|', "\\|")).collect());
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// As Markdown.
    fn text(&self, failed: bool) -> String {
        let seconds = self.began.elapsed().as_secs();
        let form = if long() { "long" } else { "short" };
        let end = if failed { ", FAILED" } else { "" };
        let mut text =
            format!("### {}\n\nSeed {}, {form} form, {seconds} s{end}.\n\n", self.name, self.seed);
        let mut line = |cells: &[String]| {
            writeln!(text, "| {} |", cells.join(" | ")).unwrap();
        };
        line(&self.columns);
        line(&vec!["---".to_owned(); self.columns.len()]);
        self.rows.iter().for_each(|row| line(row));
        for note in &self.notes {
            write!(text, "\n{note}\n").unwrap();
        }
        text
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        let text = self.text(std::thread::panicking());
        println!("{text}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../prove");
        // Not a reason to fail: it has been printed.
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(format!("{}.md", self.name)), text));
        if let Err(why) = written {
            eprintln!("the table is not written: {why}");
        }
    }
}
