//! The way to a location: which folder it is, and the links on the way.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::folders::Folders;

/// How many links a way may have; as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Where the way ends.
pub(super) enum End {
    /// There. No part of the path is a link.
    At(PathBuf),
    /// Before it: this is missing, is no folder or cannot be reached.
    Missing(PathBuf, io::Error),
}

/// Follows a path, link by link. What decides where it leads is added to
/// `points`: the entry of each link in the folder around it, because a watch
/// of the link itself says nothing when it is replaced; and the entry where
/// the way ends.
pub(super) fn follow(location: &Path, points: &mut Folders) -> End {
    let absolute = match std::path::absolute(location) {
        Ok(absolute) => absolute,
        Err(error) => return End::Missing(location.to_owned(), error),
    };
    let mut at = PathBuf::from("/");
    let mut rest = names(&absolute);
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let target = match next.symlink_metadata() {
            Ok(found) if found.is_symlink() => next.read_link(),
            Ok(_) => {
                at = next;
                continue;
            }
            Err(error) => Err(error),
        };
        points.name(&at, name);
        links += 1;
        let target = match target {
            Ok(_) if links > MAX_LINKS => {
                Err(io::Error::other("there are too many links on the way"))
            }
            other => other,
        };
        match target {
            Ok(target) => {
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for name in names(&target).into_iter().rev() {
                    rest.push_front(name);
                }
            }
            Err(error) => return End::Missing(next, error),
        }
    }
    points.entry(&at);
    End::At(at)
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}
