//! What a process takes up, and whether that grows.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::life::{ITEMS, Life};
use super::truth::Truth;
use crate::support::daemon::Daemon;

/// The columns of the table.
pub(super) const COLUMNS: [&str; 14] = [
    "phase",
    "s",
    "beats",
    "commits",
    "drifts",
    "faults",
    "writes",
    "RssAnon KiB",
    "VmHWM KiB",
    "fds",
    "threads",
    "state KiB",
    "history rows",
    "/metrics bytes",
];

/// The rows of the history that one item version may have
/// (`edge::store::HISTORY_ROWS`), as the documents promise.
const HISTORY_ROWS: u64 = 1_000;

/// What a row of the history may take in KiB, with its part of three indexes.
const ROW_KIB: u64 = 1;

/// What the rest of the state may take in KiB: the ledger, the caches, and a
/// log of SQLite of 1,000 pages before it is written back.
const REST_KIB: u64 = 6 * 1024;

/// What a process takes up at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) beats: u64,
    commits: u64,
    drifts: u64,
    faults: u64,
    writes: u64,
    anon_kib: u64,
    peak_kib: u64,
    fds: u64,
    threads: u64,
    state_kib: u64,
    history: u64,
    metrics: u64,
}

impl Sample {
    /// Looks at it.
    pub(super) fn take(daemon: &Daemon, life: &Life<'_>, truth: &Truth) -> Self {
        let (code, page) = daemon.get("/metrics");
        assert_eq!(code, 200, "{page}");
        assert_eq!(daemon.get("/healthz").0, 200, "{}", truth.last_words());
        let proc = Path::new("/proc").join(daemon.id().to_string());
        let status = fs::read_to_string(proc.join("status")).unwrap();
        let field = |name: &str| -> u64 {
            let rest = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            rest.split_whitespace().next().unwrap().parse().unwrap()
        };
        let state = life.bench.state();
        let files = fs::read_dir(&state).unwrap();
        // The log of the database may go in between.
        let sizes = files.filter_map(|file| Some(file.unwrap().metadata().ok()?.len()));
        Self {
            beats: beats(&page),
            commits: life.commits,
            drifts: life.drifts,
            faults: truth.faults,
            writes: truth.writes(),
            anon_kib: field("RssAnon:"),
            peak_kib: field("VmHWM:"),
            threads: field("Threads:"),
            fds: fs::read_dir(proc.join("fd")).unwrap().count().try_into().unwrap(),
            state_kib: sizes.sum::<u64>() / 1024,
            history: history(&state.join("state.db")),
            metrics: page.len().try_into().unwrap(),
        }
    }

    /// As a row of the table.
    pub(super) fn row(&self, phase: &str, lived: Duration) -> Vec<String> {
        let numbers = [
            lived.as_secs(),
            self.beats,
            self.commits,
            self.drifts,
            self.faults,
            self.writes,
            self.anon_kib,
            self.peak_kib,
            self.fds,
            self.threads,
            self.state_kib,
            self.history,
            self.metrics,
        ];
        let numbers = numbers.iter().map(u64::to_string);
        std::iter::once(phase.to_owned()).chain(numbers).collect()
    }
}

/// How many seconds a process has computed.
pub(super) fn cpu_seconds(id: u32) -> f64 {
    // Of the whole line the name may hold spaces; what follows is numbers.
    let line = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = line.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Fields 14 and 15 of proc(5), in ticks of which Linux has 100 a second.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// The passes that came to their end.
fn beats(page: &str) -> u64 {
    let passes = page.lines().filter(|line| line.starts_with("marketsync_reconcile_total{"));
    passes.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// The rows of the history.
fn history(database: &Path) -> u64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(database, flags).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    let sql = "SELECT coalesce(sum(n), 0), coalesce(max(n), 0) FROM
        (SELECT count(*) AS n FROM history GROUP BY item_id, version)";
    let (rows, most): (i64, i64) =
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let (rows, most) = (u64::try_from(rows).unwrap(), u64::try_from(most).unwrap());
    assert!(most <= HISTORY_ROWS, "an item has {most} rows of history");
    rows
}

/// The samples of one process.
#[derive(Default)]
pub(super) struct Samples(Vec<Sample>);

/// From so many beats on a process is grown up: each of its threads has met
/// the largest of everything, and the allocator keeps what that took.
const GROWN_UP: u64 = 10_000;

/// What may not grow.
struct Figure {
    name: &'static str,
    of: fn(&Sample) -> u64,
    /// What it may have more at the end than after a fifth of the time.
    slack: u64,
}

fn figures(beats: u64) -> [Figure; 4] {
    let slack = |young, grown_up| if beats < GROWN_UP { young } else { grown_up };
    let anon = slack(24 * 1024, 8 * 1024);
    [
        Figure { name: "RssAnon KiB", of: |at| at.anon_kib, slack: anon },
        Figure { name: "fds", of: |at| at.fds, slack: 4 },
        Figure { name: "threads", of: |at| at.threads, slack: 4 },
        // A series appears when its combination of labels is first met, some of
        // them after hours; what they are made of is a closed set.
        Figure { name: "/metrics bytes", of: |at| at.metrics, slack: 8 * 1024 },
    ]
}

impl Samples {
    pub(super) fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// The median of a fifth of the samples, the first being 0.
    fn median(&self, fifth: usize, of: fn(&Sample) -> u64) -> u64 {
        let all = self.0.len();
        let mut part: Vec<u64> =
            self.0[all * fifth / 5..all * (fifth + 1) / 5].iter().map(of).collect();
        part.sort_unstable();
        part[part.len() / 2]
    }

    /// Nothing has grown from the second fifth of the time to the last, and
    /// the state holds what it may.
    pub(super) fn are_flat(&self) {
        assert!(self.0.len() >= 10, "{} samples tell nothing", self.0.len());
        let last = self.0.last().unwrap();
        for Figure { name, of, slack } in figures(last.beats) {
            let (before, after) = (self.median(1, of), self.median(4, of));
            assert!(after <= before + slack, "{name} grew from {before} to {after}: {self}");
        }
        let items = u64::try_from(ITEMS).unwrap();
        assert!(last.history <= items * HISTORY_ROWS, "{last:?}");
        assert!(last.state_kib <= REST_KIB + ROW_KIB * last.history, "{last:?}");
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Medians of the second and the last fifth of {} samples", self.0.len())?;
        for Figure { name, of, .. } in figures(0) {
            write!(f, "; {name} {} and {}", self.median(1, of), self.median(4, of))?;
        }
        f.write_str(".")
    }
}
