//! The files of one moment of a source, as the catalogue asks for them.

use crate::domain::item::{BlobId, CommitId, RepoPath};

/// The largest item file in bytes. The largest of the public catalogue has
/// 161 KiB; a batch of 1 MiB must be able to hold one item.
pub const MAX_ITEM_BYTES: u64 = 1024 * 1024;

/// The largest image in bytes. The largest of the public catalogue has 48 KiB.
pub const MAX_IMAGE_BYTES: u64 = 2 * 1024 * 1024;

/// The largest JSON Schema file in bytes. The largest of the public catalogue
/// has 243 KB.
pub const MAX_SCHEMA_BYTES: u64 = 2 * 1024 * 1024;

/// The most bytes that are ever read of one file: the largest of the three.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// The most files that are looked at below the source path. The public
/// catalogue has 495 items.
pub const MAX_FILES: usize = 100_000;

/// The most files and folders of any kind that a walk below the source path
/// meets. A million take git some 0.4 s; a forged repository can hold a
/// thousand million in a few hundred bytes.
pub const MAX_ENTRIES: usize = 1_000_000;

/// How deep folders may nest. Nobody nests deeper by hand, and a walk needs
/// stack for each.
pub const MAX_FOLDERS: usize = 128;

/// What a path leads to once its symbolic links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A regular file.
    File {
        /// Names its bytes.
        blob: BlobId,
        /// Its length in bytes.
        size: u64,
    },
    /// Nothing is there.
    Missing,
    /// A folder.
    Folder,
    /// A link on the way leads out of the checkout.
    Outside,
    /// The links on the way form a loop, or are too many.
    LinkLoop,
    /// The path leads into a submodule, whose files are not in this
    /// repository.
    Submodule,
    /// The path leads into a folder called `.git`: the repository itself (its
    /// configuration may hold a token), not what it keeps.
    Repository,
    /// A FIFO, a device or a socket.
    Special,
    /// The commit has the file, but this clone lacks its bytes (a partial or
    /// broken clone).
    BytesMissing,
}

/// What a path leads to, and what that answer rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path after all links, as far as it could be followed.
    pub path: RepoPath,
    /// What is there.
    pub target: Target,
    /// Every path that was looked at on the way: links and the target itself,
    /// with what was found there (`None`: nothing). When one of them changes,
    /// the answer may change.
    pub visited: Vec<(RepoPath, Option<BlobId>)>,
}

/// Stands in what a reading rests on for bytes that this clone lacks: they may
/// be fetched at any time, and no path would differ.
pub const LACKING: BlobId = BlobId(*b"bytes not here (yet)");

impl Resolved {
    /// Every path that was looked at, with what the answer rests on there.
    pub fn rests_on(&self) -> impl Iterator<Item = (RepoPath, Option<BlobId>)> {
        let lacking =
            (self.target == Target::BytesMissing).then(|| (self.path.clone(), Some(LACKING)));
        self.visited.iter().cloned().chain(lacking)
    }
}

/// A file below the source path that may be an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, as walked (links not followed).
    pub path: RepoPath,
    /// The blob at that path; of a link its own, not its target's, and never
    /// equal to that of a regular file with the same bytes.
    pub blob: BlobId,
}

/// Which files differ from the last reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Whether `present` lists every candidate below the source path. If so,
    /// what it lacks is gone.
    pub complete: bool,
    /// Candidates that are there: all of them, or those that differ.
    pub present: Vec<Entry>,
    /// Paths that differ from the last reading and are no longer candidates,
    /// and paths outside the source that an item names and that differ.
    /// A changed link stands for everything below it.
    pub touched: Vec<RepoPath>,
    /// Candidates whose path cannot be said as text: what can be shown of it,
    /// the bytes that are not UTF-8 replaced. Empty unless `complete`: where
    /// such a path differs, everything is listed.
    pub unreadable: Vec<String>,
    /// Files that are called like marketsync's own configuration: no items,
    /// but worth a notice. All of them, or those that differ.
    pub passed_over: Vec<RepoPath>,
}

/// One moment of a source: a commit, or a directory that held still.
///
/// The implementations are `edge::git`, `edge::directory`, and the files that
/// `domain::export` is about to write.
pub trait Tree {
    /// The source could not be read; no statement about any file.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What was read.
    fn commit(&self) -> &CommitId;

    /// Where a path leads, following symbolic links inside the checkout only.
    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, Self::Error>;

    /// The bytes of a file that [`Tree::resolve`] found. The caller has
    /// checked its size against a limit.
    fn bytes(&mut self, path: &RepoPath, blob: BlobId) -> Result<Vec<u8>, Self::Error>;
}

/// Why a path gives no usable bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Unusable {
    /// The reason in two clauses.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// The bytes of a resolved path, unless it is no file, or too large, or
/// stands for bytes that are elsewhere.
pub fn opened<T: Tree>(
    tree: &mut T,
    resolved: &Resolved,
    limit: u64,
) -> Result<Result<Vec<u8>, Unusable>, T::Error> {
    let unusable = |message: &str, hint: &str| Ok(Err(Unusable::new(message, hint)));
    match resolved.target {
        Target::File { size, .. } if size > limit => Ok(Err(Unusable::new(
            format!("the file has {size} bytes, and at most {limit} are read"),
            "make it smaller; if this is not an item, exclude it",
        ))),
        Target::File { blob, .. } => {
            let bytes = tree.bytes(&resolved.path, blob)?;
            if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
                return unusable(
                    "this is a Git LFS pointer, not the file itself",
                    "commit the file itself (git lfs migrate export), because marketsync reads commits",
                );
            }
            Ok(Ok(bytes))
        }
        Target::Missing => {
            unusable("no such file in this commit", "commit the file, or correct the path")
        }
        Target::Folder => unusable("this is a folder", "name a file"),
        Target::Outside => unusable(
            "a symbolic link leads out of the checkout",
            "only files inside the checkout are read; commit the file itself",
        ),
        Target::LinkLoop => unusable("the symbolic links form a loop", "let the link name a file"),
        Target::Submodule => unusable(
            "the path leads into a submodule, whose files are not in this repository",
            "commit the file here, or run marketsync on the submodule's own checkout",
        ),
        Target::Repository => unusable(
            "the path leads into `.git`, which is the repository itself and not its content",
            "name a file of the checkout",
        ),
        Target::Special => unusable("this is no regular file", "only regular files are read"),
        Target::BytesMissing => unusable(
            "the commit has this file, but this clone lacks its bytes (a partial clone?)",
            "fetch them (git fetch --refetch --no-filter), or clone without --filter",
        ),
    }
}
