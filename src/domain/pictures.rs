//! What the bytes of a picture are, told once per content.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::item::{BlobId, Digest, ImageFormat, ImageSlot, RepoPath};
use crate::domain::tree::{MAX_IMAGE_BYTES, Resolved, Target, Tree, Unusable, opened};

/// What is known of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The blake3 hash of its bytes.
    pub digest: Digest,
    /// What its bytes are.
    pub format: ImageFormat,
}

/// The picture that a path led to: its file, its bytes' name, what it is; or
/// why it is none.
pub type Picture = Result<(RepoPath, BlobId, Fact), Unusable>;

/// Looks at the picture that `resolved` found. Bytes that were looked at
/// before are not read again.
pub fn fact<T: Tree>(
    tree: &mut T,
    resolved: &Resolved,
    known: &mut BTreeMap<BlobId, Fact>,
) -> Result<Picture, T::Error> {
    if let Target::File { blob, .. } = resolved.target
        && let Some(fact) = known.get(&blob)
    {
        return Ok(Ok((resolved.path.clone(), blob, *fact)));
    }
    let bytes = match opened(tree, resolved, MAX_IMAGE_BYTES)? {
        Ok(bytes) => bytes,
        Err(why) => return Ok(Err(why)),
    };
    let Target::File { blob, .. } = resolved.target else {
        return Ok(Err(Unusable::new(
            "no such file in this commit",
            "commit the file, or correct the path",
        )));
    };
    let Some(format) = ImageFormat::sniff(&bytes) else {
        return Ok(Err(Unusable::new(
            format!("{}, and the marketplace takes PNG and JPEG", guess(&bytes)),
            "convert the picture; its name does not matter, its bytes do",
        )));
    };
    let fact = Fact { digest: Digest::of(&bytes), format };
    known.insert(blob, fact);
    Ok(Ok((resolved.path.clone(), blob, fact)))
}

/// The path that a document of the file at `path` names as this picture.
pub fn named(document: &Value, slot: ImageSlot, path: &RepoPath) -> Option<RepoPath> {
    let local = document.get(slot.field())?.get("localPath")?.as_str()?;
    path.parent().join(local).ok()
}

fn guess(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "the file is empty",
        [b'G', b'I', b'F', b'8', ..] => "the file is a GIF",
        [b'R', b'I', b'F', b'F', ..] => "the file is a WebP or another RIFF file",
        [b'<', ..] => "the file is text (an SVG?)",
        bytes if std::str::from_utf8(bytes).is_ok() => "the file is text",
        _ => "the file is no picture that is known here",
    }
}
