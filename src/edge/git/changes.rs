//! Which files of a commit differ from another, at a cost that follows the
//! size of the difference: folders with the same object name are not entered.
//!
//! libgit2's own `diff_tree_to_tree` reads every folder of both sides, some
//! thousand times the work for one changed file among 100,000.

use std::collections::BTreeSet;

use git2::{Repository, TreeEntry};

use super::kind::{Kind, blob_id};
use super::tree::find_tree;
use super::{GitError, GitTree};
use crate::domain::candidate::{Admission, Filter, IGNORE_FILE};
use crate::domain::follow::{self, Place};
use crate::domain::item::{CommitId, RepoPath};
use crate::domain::tree::{Changes, Entry, MAX_ENTRIES, MAX_FILES, MAX_FOLDERS, Tree};

impl GitTree<'_> {
    /// What differs from the commit `since`, which must have been read with
    /// the same source path and the same `--exclude`; `filter` is that of this
    /// commit. `named` are the paths that known items depend on, candidates or
    /// not, anywhere in the checkout.
    ///
    /// Everything below the source path is listed if there is no such commit
    /// (any more), if the ignore file differs, or if a candidate differs whose
    /// path is not text. `touched` is empty then: ask for each named path.
    pub fn changes(
        &mut self,
        filter: &Filter,
        since: Option<&CommitId>,
        named: &BTreeSet<RepoPath>,
    ) -> Result<Changes, GitError> {
        if self.folder(filter.source())?.is_none() {
            return Err(GitError::NoSource {
                path: filter.source().clone(),
                commit: self.commit().clone(),
            });
        }
        if let Some(since) = since
            && let Some(changes) = self.since(filter, since, named)?
        {
            return Ok(changes);
        }
        self.everything(filter, MAX_ENTRIES)
    }

    /// All candidates, if at most `limit` entries have to be looked at.
    pub(super) fn everything(
        &mut self,
        filter: &Filter,
        limit: usize,
    ) -> Result<Changes, GitError> {
        let mut walk = Walk::new(self.repo, filter, Vec::new(), limit);
        if let Some(source) = self.folder(filter.source())? {
            let at = walk.start(filter.source().clone());
            walk.compare(&at, None, Some(&source))?;
        }
        walk.found.complete = true;
        Ok(sorted(walk.found))
    }

    /// `None` if everything has to be listed.
    fn since(
        &mut self,
        filter: &Filter,
        since: &CommitId,
        named: &BTreeSet<RepoPath>,
    ) -> Result<Option<Changes>, GitError> {
        let mut base = match GitTree::of(self.repo, since) {
            Ok(base) => base,
            Err(GitError::NoCommit { .. } | GitError::Lacking { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(ignore) = follow::child(filter.source(), IGNORE_FILE) {
            let here = self.resolve(&ignore)?;
            if base.resolve(&ignore).ok() != Some(here) {
                return Ok(None);
            }
        }
        let watched = named.iter().map(RepoPath::as_str).collect();
        let mut walk = Walk::new(self.repo, filter, watched, MAX_ENTRIES);
        let root = walk.start(RepoPath::root());
        if self.root.id() != base.root.id() {
            match walk.compare(&root, Some(&base.root), Some(&self.root)) {
                // The old commit may be there and its folders not.
                Err(GitError::Lacking { .. }) => return Ok(None),
                result => result?,
            }
        }
        Ok(if walk.found.unreadable.is_empty() { Some(sorted(walk.found)) } else { None })
    }
}

/// In the order of paths, each path once, none in both lists.
fn sorted(mut changes: Changes) -> Changes {
    changes.present.sort_by(|a, b| a.path.cmp(&b.path));
    // A forged tree can hold a name twice; libgit2 finds one of them.
    changes.present.dedup_by(|a, b| a.path == b.path);
    changes.touched.sort();
    changes.touched.dedup();
    let present = &changes.present;
    changes.touched.retain(|path| present.binary_search_by(|entry| entry.path.cmp(path)).is_err());
    changes.unreadable.sort();
    changes.passed_over.sort();
    changes
}

/// A folder on a walk.
struct Folder {
    place: Place,
    /// Whether nothing in it can be a candidate ([`Filter::prunes`]).
    is_out: bool,
}

struct Walk<'a, 'repo> {
    repo: &'repo Repository,
    filter: &'a Filter,
    /// In ascending order.
    named: Vec<&'a str>,
    limit: usize,
    entries: usize,
    found: Changes,
}

impl<'a, 'repo> Walk<'a, 'repo> {
    fn new(repo: &'repo Repository, filter: &'a Filter, named: Vec<&'a str>, limit: usize) -> Self {
        Self { repo, filter, named, limit, entries: 0, found: Changes::default() }
    }

    /// Where a walk begins.
    fn start(&self, path: RepoPath) -> Folder {
        Folder { is_out: self.filter.prunes(&path), place: Place::start(path) }
    }

    fn compare(
        &mut self,
        at: &Folder,
        old: Option<&git2::Tree<'repo>>,
        new: Option<&git2::Tree<'repo>>,
    ) -> Result<(), GitError> {
        for entry in new.iter().flat_map(|tree| tree.iter()) {
            self.count()?;
            let was = old.and_then(|tree| tree.get_name_bytes(entry.name_bytes()));
            let same = was
                .as_ref()
                .is_some_and(|was| was.id() == entry.id() && Kind::of(was) == Kind::of(&entry));
            if !same {
                self.differs(at, entry.name_bytes(), was.as_ref(), Some(&entry))?;
            }
        }
        for entry in old.iter().flat_map(|tree| tree.iter()) {
            self.count()?;
            if new.is_none_or(|tree| tree.get_name_bytes(entry.name_bytes()).is_none()) {
                self.differs(at, entry.name_bytes(), Some(&entry), None)?;
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), GitError> {
        self.entries += 1;
        if self.entries > self.limit {
            return Err(GitError::TooManyEntries {
                path: self.filter.source().clone(),
                limit: self.limit,
            });
        }
        Ok(())
    }

    fn differs(
        &mut self,
        at: &Folder,
        name: &[u8],
        was: Option<&TreeEntry<'_>>,
        is: Option<&TreeEntry<'_>>,
    ) -> Result<(), GitError> {
        let Some(place) = at.place.child(name) else {
            // Nobody can name what lies there, so it matters only where items
            // are looked for.
            return if at.is_out {
                Ok(())
            } else {
                Err(GitError::TooDeep { path: at.place.path.clone() })
            };
        };
        let is_folder = |entry: Option<&TreeEntry<'_>>| {
            entry.is_some_and(|entry| Kind::of(entry) == Kind::Folder)
        };
        let (was_folder, is_folder) = (is_folder(was), is_folder(is));
        self.file(at, &place, was, is);
        if self.found.present.len() > MAX_FILES {
            return Err(GitError::TooManyFiles { path: self.filter.source().clone() });
        }
        if !(was_folder && is_folder) {
            let below = self.named_within(&place.path);
            self.found.touched.extend(below);
        }
        if !(was_folder || is_folder) {
            return Ok(());
        }
        let is_out = self.filter.prunes_in(&place.path, at.is_out);
        if is_out && !self.leads_on(&place.path) {
            return Ok(());
        }
        if place.path.names().count() > MAX_FOLDERS {
            return Err(GitError::TooDeep { path: place.path });
        }
        let repo = self.repo;
        let open = |entry: Option<&TreeEntry<'_>>, really: bool| {
            entry
                .filter(|_| really)
                .map(|entry| find_tree(repo, entry.id(), &place.path))
                .transpose()
        };
        let (old, new) = (open(was, was_folder)?, open(is, is_folder)?);
        self.compare(&Folder { place, is_out }, old.as_ref(), new.as_ref())
    }

    /// Notes a file or link that came, went or changed.
    fn file(
        &mut self,
        folder: &Folder,
        place: &Place,
        was: Option<&TreeEntry<'_>>,
        is: Option<&TreeEntry<'_>>,
    ) {
        let kind = |entry: &TreeEntry<'_>| {
            Some(Kind::of(entry)).filter(|kind| matches!(kind, Kind::File | Kind::Link))
        };
        let is = is.and_then(|entry| kind(entry).map(|kind| blob_id(kind, entry.id())));
        let was = was.and_then(kind).is_some();
        if is.is_none() && !was {
            return;
        }
        match (self.filter.admits_in(&place.path, folder.is_out), is) {
            (Admission::No, _) | (Admission::Configuration, None) => {}
            (Admission::Configuration, Some(_)) => self.found.passed_over.push(place.path.clone()),
            (Admission::Candidate, _) if !place.is_text => {
                self.found.unreadable.push(place.path.to_string());
            }
            (Admission::Candidate, Some(blob)) => {
                self.found.present.push(Entry { path: place.path.clone(), blob });
            }
            (Admission::Candidate, None) => self.found.touched.push(place.path.clone()),
        }
    }

    /// Whether a folder that is out holds something of interest all the same.
    fn leads_on(&self, folder: &RepoPath) -> bool {
        self.filter.source().is_within(folder) || !self.named_within(folder).is_empty()
    }

    /// The named paths at or below this one.
    fn named_within(&self, path: &RepoPath) -> Vec<RepoPath> {
        let mut found = Vec::new();
        if self.named.is_empty() {
            return found;
        }
        let text = path.as_str();
        if self.named.binary_search(&text).is_ok() {
            found.push(path.clone());
        }
        let below = format!("{text}/");
        let start = self.named.partition_point(|name| *name < below.as_str());
        let names = self.named.get(start..).unwrap_or_default();
        let names = names.iter().take_while(|name| name.starts_with(&below));
        found.extend(names.filter_map(|name| RepoPath::new(name).ok()));
        found
    }
}
