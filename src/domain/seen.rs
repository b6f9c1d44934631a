//! What the files of the last reading were: a cache, safe to lose. A file is
//! parsed, validated and hashed again only when one of the blobs changes that
//! its result rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::item::{BlobId, CommitId, Digest, Item, RepoPath};
use crate::domain::source::{Problem, Severity};
use crate::domain::tree::{Changes, LACKING};

/// The most problems that are remembered of all files; nobody mends more in
/// one go. Of a file beyond them one problem is remembered: a hundred thousand
/// files of a few hundred mistakes each would otherwise take as much memory as
/// one likes.
pub const MAX_PROBLEMS: usize = 10_000;

/// The most that is remembered of the paths that one result rests on, in
/// bytes. Forty links on the way to each of thirty schema files make a hundred
/// times as much, and again for every file that names them.
const MAX_RESTS_BYTES: usize = 4 * 1024;

/// What one path costs besides its text, in bytes.
const PATH_BYTES: usize = 64;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The blob at the path itself.
    pub blob: BlobId,
    /// Every other path that the result rests on (its images, its schema and
    /// the links on the way), with what was found there.
    pub rests_on: Vec<(RepoPath, Option<BlobId>)>,
    /// The item, if the file holds a valid one.
    pub item: Option<Arc<Item>>,
    /// What is wrong, and what deserves a look.
    pub problems: Vec<Problem>,
}

impl Reading {
    /// As much of it as is remembered of the file at `path`, with so many
    /// problems to remember in all. What is cut is read again at the next
    /// pass, as if this clone lacked a part of it.
    fn bounded(mut self, path: &RepoPath, room: usize) -> Self {
        let rests: usize =
            self.rests_on.iter().map(|(path, _)| path.as_str().len() + PATH_BYTES).sum();
        let is_cut = self.problems.len() > room.max(1);
        if is_cut {
            let rest = self.problems.len() - 1;
            let is_error = |problem: &Problem| problem.severity == Severity::Error;
            let worst = self.problems.iter().position(is_error).unwrap_or_default();
            self.problems.swap(0, worst);
            self.problems.truncate(1);
            for problem in &mut self.problems {
                let told = problem.hint.take().map(|hint| format!("{hint}; ")).unwrap_or_default();
                problem.hint = Some(format!(
                    "{told}{rest} more in this file are told when other files are mended"
                ));
            }
        }
        if is_cut || rests > MAX_RESTS_BYTES {
            self.rests_on = vec![(path.clone(), Some(LACKING))];
        }
        self.problems.shrink_to_fit();
        self
    }
}

/// The last reading of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Under which schemas and settings, by which version of the program. A
    /// reading under others is worth nothing.
    pub fingerprint: Option<Digest>,
    /// Of which commit.
    pub commit: Option<CommitId>,
    files: BTreeMap<RepoPath, Reading>,
    /// Paths whose reading is not kept yet, kept until it is: also if the pass
    /// that read them came to no end.
    unkept: BTreeSet<RepoPath>,
    /// For a path outside of a file, the files whose result rests on it.
    named_by: BTreeMap<RepoPath, BTreeSet<RepoPath>>,
    /// Files whose result rests on bytes that the clone lacked.
    lacking: BTreeSet<RepoPath>,
    /// How many problems all readings have.
    problems: usize,
}

impl Seen {
    /// An empty cache for readings under `fingerprint`.
    pub fn empty(fingerprint: Digest) -> Self {
        Self { fingerprint: Some(fingerprint), ..Self::default() }
    }

    /// The readings, by path.
    pub fn files(&self) -> &BTreeMap<RepoPath, Reading> {
        &self.files
    }

    /// The paths that results rest on.
    pub fn named(&self) -> impl Iterator<Item = &RepoPath> {
        self.named_by.keys()
    }

    fn named_within<'a>(&'a self, path: &RepoPath) -> impl Iterator<Item = &'a RepoPath> + use<'a> {
        let folder = path.clone();
        self.named_by
            .range(path.clone()..)
            .take_while(move |(named, _)| named.as_str().starts_with(folder.as_str()))
            .map({
                let folder = path.clone();
                move |(named, files)| (named.is_within(&folder), files)
            })
            .filter(|(within, _)| *within)
            .flat_map(|(_, files)| files)
    }

    /// Takes in a reading that is kept already.
    pub fn recall(&mut self, path: &RepoPath, reading: Reading) {
        self.insert(path.clone(), reading);
        self.unkept.remove(path);
    }

    /// The paths whose reading is not kept yet.
    pub fn unkept(&self) -> &BTreeSet<RepoPath> {
        &self.unkept
    }

    /// Notes that every reading is kept.
    pub fn kept(&mut self) {
        self.unkept.clear();
    }

    /// Sets what became of a file.
    pub fn insert(&mut self, path: RepoPath, reading: Reading) {
        self.remove(&path);
        let reading = reading.bounded(&path, MAX_PROBLEMS.saturating_sub(self.problems));
        self.problems += reading.problems.len();
        if reading.rests_on.iter().any(|(_, blob)| *blob == Some(LACKING)) {
            self.lacking.insert(path.clone());
        }
        for (named, _) in &reading.rests_on {
            self.named_by.entry(named.clone()).or_default().insert(path.clone());
        }
        self.unkept.insert(path.clone());
        self.files.insert(path, reading);
    }

    /// Forgets a file.
    pub fn remove(&mut self, path: &RepoPath) {
        let Some(reading) = self.files.remove(path) else { return };
        self.problems -= reading.problems.len();
        self.unkept.insert(path.clone());
        self.lacking.remove(path);
        for (named, _) in &reading.rests_on {
            if let Some(files) = self.named_by.get_mut(named) {
                files.remove(path);
                if files.is_empty() {
                    self.named_by.remove(named);
                }
            }
        }
    }

    /// What a set of changes means for the readings: the files to read again,
    /// and those that are gone.
    pub fn stale(&self, changes: &Changes) -> Stale {
        let mut again: BTreeMap<RepoPath, BlobId> = BTreeMap::new();
        let mut gone: BTreeSet<RepoPath> = BTreeSet::new();
        for entry in &changes.present {
            let known =
                self.files.get(&entry.path).is_some_and(|reading| reading.blob == entry.blob);
            if !known {
                again.insert(entry.path.clone(), entry.blob);
            }
        }
        if changes.complete {
            let present: BTreeSet<&RepoPath> =
                changes.present.iter().map(|entry| &entry.path).collect();
            gone.extend(self.files.keys().filter(|path| !present.contains(path)).cloned());
        }
        for path in &changes.touched {
            if self.files.contains_key(path) {
                gone.insert(path.clone());
            }
        }
        // A complete listing does not say which of its paths differ; the
        // catalogue looks at those that are named.
        let listed = changes.present.iter().filter(|_| !changes.complete);
        let moved = changes.touched.iter().chain(listed.map(|entry| &entry.path));
        for file in moved.flat_map(|path| self.named_within(path)).chain(&self.lacking) {
            if let Some(reading) = self.files.get(file) {
                again.entry(file.clone()).or_insert(reading.blob);
            }
        }
        again.retain(|path, _| !gone.contains(path));
        Stale { again, gone }
    }
}

/// What a set of changes means for the readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stale {
    /// The files to read again, with the blob at their path.
    pub again: BTreeMap<RepoPath, BlobId>,
    /// The files that are gone.
    pub gone: BTreeSet<RepoPath>,
}
