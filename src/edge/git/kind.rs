//! What a name of a git tree stands for.

use git2::Oid;

use crate::domain::item::BlobId;

/// What an entry of a tree or of the index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Link,
    Submodule,
}

impl Kind {
    /// From the mode as git writes it. The executable bit does not matter.
    pub(super) fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => Self::Folder,
            0o120_000 => Self::Link,
            0o160_000 => Self::Submodule,
            _ => Self::File,
        }
    }

    pub(super) fn of(entry: &git2::TreeEntry<'_>) -> Self {
        Self::of_mode(entry.filemode_raw().cast_unsigned())
    }
}

/// The name of an object as the catalogue knows it.
///
/// Git names a link and a regular file that holds the link's text alike; a
/// checkout on Windows commits the one for the other. The bits of a link's
/// name are flipped, so that "these bytes at this path" says which it is.
pub(super) fn blob_id(kind: Kind, oid: Oid) -> BlobId {
    let mut id = [0; 20];
    for (to, from) in id.iter_mut().zip(oid.as_bytes()) {
        *to = if kind == Kind::Link { !from } else { *from };
    }
    BlobId(id)
}
