//! `file://`: a repository of this machine, read as any source is, copied
//! without its past.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use git2::{ErrorCode, OdbLookupFlags, Oid, Repository};

use super::error::RemoteError;
use super::pack;
use super::refs::{Refs, Tip, Wanted};
use super::talk::Shallow;
use crate::edge::git::kind::Kind;
use crate::edge::git::{discover, peel};

/// A repository whose commits are copied.
pub(super) struct Origin {
    repo: Repository,
    shown: PathBuf,
}

impl Origin {
    pub(super) fn open(path: &Path) -> Result<Self, RemoteError> {
        let shown = path.to_owned();
        let gone =
            || RemoteError::refused(format!("there is no git repository at {}", shown.display()));
        let at = path.canonicalize().map_err(|_| gone())?;
        if !at.is_dir() {
            return Err(gone());
        }
        // The same rules as for a source: nothing outside of it is read.
        let (repo, inside) = discover::open(&at)?.ok_or_else(gone)?;
        if !inside.as_str().is_empty() {
            return Err(gone());
        }
        Ok(Self { repo, shown })
    }

    /// Where the wanted ref leads.
    pub(super) fn choose(&self, wanted: &Wanted) -> Result<Tip, RemoteError> {
        let mut refs = Refs::default();
        let names = wanted.names();
        for name in &names {
            let found = self.repo.find_reference(name).and_then(|found| {
                refs.head = found.symbolic_target().ok().flatten().map(str::to_owned);
                found.resolve()
            });
            match found.map(|found| found.target()) {
                Ok(Some(object)) => {
                    let commit = peel(&self.repo, object, name)?.ok();
                    refs.note(&names, name, object, commit);
                }
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::NotFound => {}
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
        wanted.choose(&refs, &self.shown.display().to_string())
    }

    /// Copies what the clone lacks of a commit.
    pub(super) fn copy(
        &self,
        tip: Tip,
        git_dir: &Path,
        most: u64,
        cancel: &AtomicBool,
    ) -> Result<Shallow, RemoteError> {
        let lacking = |error: git2::Error| self.unreadable(&error);
        let clone = pack::open(git_dir)?;
        let odb = clone.odb().map_err(RemoteError::disk("open the clone"))?;
        let has = |oid: Oid| odb.exists_ext(oid, OdbLookupFlags::NO_REFRESH);
        let reader = self.reader(git_dir)?;
        let mut builder = reader.packbuilder().map_err(lacking)?;
        let mut put = |oid: Oid| builder.insert_object(oid, None).map_err(lacking);
        let commit = self.tags(tip.object, &mut put)?;
        let found = self.repo.find_commit(commit).map_err(lacking)?;
        pack::walk(&self.repo, found.tree_id(), cancel, |oid, kind| {
            // A folder that is there is there whole: packs come whole.
            if has(oid) {
                return Ok(false);
            }
            put(oid)?;
            Ok(kind == Kind::Folder)
        })?;
        let folder = git_dir.join("objects/pack");
        let mut indexer = pack::indexer(&odb, &folder, cancel)?;
        let (mut written, mut failed) = (0, None);
        let sent = builder.foreach(|bytes| {
            written += bytes.len() as u64;
            if written > most {
                failed = Some(RemoteError::refused(format!(
                    "the commit is larger than {} MiB",
                    most >> 20
                )));
            } else if let Err(error) = indexer.write_all(bytes) {
                failed = Some(pack::unpackable(error));
            }
            failed.is_none()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        sent.map_err(lacking)?;
        pack::finish(indexer, &folder, cancel)?;
        let has_past = found.parent_count() > 0;
        let added = if has_past { vec![commit] } else { Vec::new() };
        Ok(Shallow { added, removed: Vec::new() })
    }

    /// The clone with the objects of this repository in sight.
    ///
    /// The pack is written with the clone's settings: its objects are not
    /// compared with each other for a smaller one, which takes seconds for
    /// 10,000 files and is of no use to a copy.
    fn reader(&self, git_dir: &Path) -> Result<Repository, RemoteError> {
        let clone = pack::open(git_dir)?;
        let cannot = |error| RemoteError::disk("write the clone")(error);
        let mut config = clone.config().map_err(cannot)?;
        // libgit2 1.9 reads the threshold from the first, git from the second.
        for name in ["pack.deltaCacheSize", "core.bigFileThreshold"] {
            config.set_i64(name, 1).map_err(cannot)?;
        }
        let objects = self.repo.commondir().join("objects");
        let objects = objects.to_str().ok_or_else(|| {
            RemoteError::refused(format!("the path {} is not UTF-8", objects.display()))
        })?;
        clone
            .odb()
            .and_then(|odb| odb.add_disk_alternate(objects))
            .map_err(|error| self.unreadable(&error))?;
        Ok(clone)
    }

    /// Takes the tags before a commit, and the commit, which is returned.
    fn tags(
        &self,
        object: Oid,
        put: &mut impl FnMut(Oid) -> Result<(), RemoteError>,
    ) -> Result<Oid, RemoteError> {
        let commit =
            peel(&self.repo, object, "the commit")?.map_err(|error| self.unreadable(&error))?;
        let mut at = object;
        while at != commit {
            put(at)?;
            at = self.repo.find_tag(at).map_err(|error| self.unreadable(&error))?.target_id();
        }
        put(commit)?;
        Ok(commit)
    }

    fn unreadable(&self, error: &git2::Error) -> RemoteError {
        RemoteError::unavailable(format!(
            "the repository at {} cannot be read ({})",
            self.shown.display(),
            error.message()
        ))
    }
}
