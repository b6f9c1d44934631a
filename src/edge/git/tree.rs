//! The files of one commit.

use std::collections::BTreeMap;

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository, TreeEntry};

use super::kind::{Kind, blob_id};
use super::{GitError, MAX_TREE_BYTES, check_size, find_commit};
use crate::domain::follow::{self, MAX_PATH_BYTES, Node};
use crate::domain::item::{BlobId, CommitId, RepoPath};
use crate::domain::tree::{MAX_BYTES, Resolved, Tree};

/// How many folders are kept parsed. Items come in the order of their paths
/// and name images nearby, so few are in use at a time; libgit2 itself keeps
/// no folder above 4 KiB, and parsing one of 10,000 files takes 1 ms.
const FOLDERS_KEPT: usize = 64;

/// The files of one commit.
pub struct GitTree<'repo> {
    pub(super) repo: &'repo Repository,
    odb: Odb<'repo>,
    commit: CommitId,
    pub(super) root: git2::Tree<'repo>,
    folders: BTreeMap<RepoPath, Option<git2::Tree<'repo>>>,
}

impl<'repo> GitTree<'repo> {
    pub(super) fn of(repo: &'repo Repository, commit: &CommitId) -> Result<Self, GitError> {
        let root = find_commit(repo, commit)?.tree_id();
        check_size(repo, root, MAX_TREE_BYTES, format_args!("the tree of {commit}"))?;
        let root = repo.find_tree(root).map_err(GitError::read(format!("the tree of {commit}")))?;
        let odb = repo.odb().map_err(GitError::read("the object database"))?;
        Ok(Self { repo, odb, commit: commit.clone(), root, folders: BTreeMap::new() })
    }

    /// The folder at a path, links not followed.
    pub(super) fn folder(
        &mut self,
        path: &RepoPath,
    ) -> Result<Option<git2::Tree<'repo>>, GitError> {
        if path == &RepoPath::root() {
            return Ok(Some(self.root.clone()));
        }
        if let Some(known) = self.folders.get(path) {
            return Ok(known.clone());
        }
        let found = self.find_folder(path)?;
        if self.folders.len() >= FOLDERS_KEPT {
            self.folders.clear();
        }
        self.folders.insert(path.clone(), found.clone());
        Ok(found)
    }

    fn find_folder(&self, path: &RepoPath) -> Result<Option<git2::Tree<'repo>>, GitError> {
        let mut tree = self.root.clone();
        for name in path.names() {
            let Some(id) = entry(&tree, name)
                .filter(|entry| Kind::of(entry) == Kind::Folder)
                .map(|entry| entry.id())
            else {
                return Ok(None);
            };
            tree = find_tree(self.repo, id, path)?;
        }
        Ok(Some(tree))
    }

    /// What is at a path whose folders are no links.
    pub(super) fn look(&mut self, path: &RepoPath) -> Result<Node, GitError> {
        let Some(folder) = self.folder(&path.parent())? else {
            return Ok(Node::Nothing);
        };
        let Some(entry) = entry(&folder, path.file_name()) else {
            return Ok(Node::Nothing);
        };
        let kind = Kind::of(&entry);
        let blob = blob_id(kind, entry.id());
        Ok(match kind {
            Kind::Folder => Node::Folder,
            Kind::Submodule => Node::Submodule { commit: blob },
            // A forged entry may name a folder or a commit as if it were a file.
            Kind::File => match self.header(entry.id(), path)? {
                Some((size, ObjectType::Blob)) => Node::File { blob, size },
                Some(_) => Node::Special,
                None => self.lacking(path, Node::Lacking { blob })?,
            },
            Kind::Link => match self.header(entry.id(), path)? {
                None => self.lacking(path, Node::LackingLink { blob })?,
                Some((_, kind)) if kind != ObjectType::Blob => Node::Special,
                Some((size, _)) if size > MAX_PATH_BYTES as u64 => Node::Link { blob, text: None },
                Some(_) => {
                    let bytes = self.read(entry.id(), path)?;
                    Node::Link { blob, text: String::from_utf8(bytes).ok() }
                }
            },
        })
    }

    /// A partial clone leaves out bytes on purpose, and says so. In any other
    /// they are on their way, or gone with a commit that nobody names any more:
    /// that says nothing of the file.
    fn lacking(&self, path: &RepoPath, node: Node) -> Result<Node, GitError> {
        if is_partial(self.repo) {
            return Ok(node);
        }
        Err(GitError::Lacking { what: format!("the bytes of {path}") })
    }

    /// The mark of [`GitTree::look`] without the look at the object itself.
    pub(super) fn file_mark(&mut self, path: &RepoPath) -> Result<Option<BlobId>, GitError> {
        let Some(folder) = self.folder(&path.parent())? else {
            return Ok(None);
        };
        let found = entry(&folder, path.file_name());
        Ok(found.map(|entry| blob_id(Kind::of(&entry), entry.id())))
    }

    fn header(&self, oid: Oid, path: &RepoPath) -> Result<Option<(u64, ObjectType)>, GitError> {
        match self.odb.read_header(oid) {
            Ok((size, kind)) => Ok(Some((size as u64, kind))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::read(format!("the size of {path}"))(error)),
        }
    }

    fn read(&self, oid: Oid, path: &RepoPath) -> Result<Vec<u8>, GitError> {
        let object = self.odb.read(oid).map_err(GitError::read(format!("the bytes of {path}")))?;
        Ok(object.data().to_vec())
    }
}

impl Tree for GitTree<'_> {
    type Error = GitError;

    fn commit(&self) -> &CommitId {
        &self.commit
    }

    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, GitError> {
        follow::follow(path, |at| self.look(at))
    }

    fn bytes(&mut self, path: &RepoPath, blob: BlobId) -> Result<Vec<u8>, GitError> {
        let oid =
            Oid::from_bytes(&blob.0).map_err(GitError::read(format!("the bytes of {path}")))?;
        match self.header(oid, path)? {
            Some((size, _)) if size > MAX_BYTES => {
                Err(GitError::TooLarge { path: path.clone(), size })
            }
            _ => self.read(oid, path),
        }
    }
}

/// Whether git was told that objects of this clone are elsewhere.
fn is_partial(repo: &Repository) -> bool {
    let promised = |config: &git2::Config| -> Result<bool, git2::Error> {
        let mut entries = config.entries(Some(r"^remote\..*\.(promisor|partialclonefilter)$"))?;
        Ok(entries.next().is_some_and(|entry| entry.is_ok()))
    };
    repo.config().is_ok_and(|config| {
        config.get_entry("extensions.partialclone").is_ok() || promised(&config).unwrap_or(false)
    })
}

/// The entry of that name. libgit2 takes no NUL in a name.
fn entry<'tree>(tree: &'tree git2::Tree<'_>, name: &str) -> Option<TreeEntry<'tree>> {
    if name.contains('\0') { None } else { tree.get_name(name) }
}

pub(super) fn find_tree<'repo>(
    repo: &'repo Repository,
    id: Oid,
    path: &RepoPath,
) -> Result<git2::Tree<'repo>, GitError> {
    check_size(repo, id, MAX_TREE_BYTES, format_args!("the folder {path}"))?;
    repo.find_tree(id).map_err(GitError::read(format!("the folder {path}")))
}
