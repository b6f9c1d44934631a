//! Following symbolic links inside a tree: the rules once, for git and for
//! directories. A link is read as the kernel reads it (`path_resolution(7)`),
//! except that nothing may lead above the root of the tree.

use crate::domain::item::{BlobId, RepoPath};
use crate::domain::tree::{Resolved, Target};

/// The most links on the way to one file, the kernel's own limit
/// (`path_resolution(7)`: `ELOOP` after 40).
pub const MAX_LINKS: usize = 40;

/// The longest path, and the longest text of a link, in bytes (`PATH_MAX`).
/// A git tree may hold longer ones, but nobody could check them out.
pub const MAX_PATH_BYTES: usize = 4096;

/// The most names that are looked at on the way to one file. A path of
/// [`MAX_PATH_BYTES`] has at most half as many; only links that lead through
/// long chains of folders again and again need more.
pub const MAX_NAMES: usize = 4096;

/// Stands in [`Resolved::visited`] for a folder. Its content is left out on
/// purpose: the answer "a folder" does not depend on it.
pub const FOLDER: BlobId = BlobId(*b"a folder, not a file");

/// Stands in [`Resolved::visited`] for a FIFO, a device or a socket.
pub const SPECIAL: BlobId = BlobId(*b"special, not a file!");

/// What is at one path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// A regular file.
    File {
        /// Names its bytes.
        blob: BlobId,
        /// Its length in bytes.
        size: u64,
    },
    /// A regular file whose bytes this clone lacks.
    Lacking {
        /// Names its bytes.
        blob: BlobId,
    },
    /// A symbolic link.
    Link {
        /// Names its text; never equal to the blob of a regular file.
        blob: BlobId,
        /// Where it leads; `None` if that is no text or longer than
        /// [`MAX_PATH_BYTES`].
        text: Option<String>,
    },
    /// A symbolic link whose text this clone lacks.
    LackingLink {
        /// Names its text.
        blob: BlobId,
    },
    /// A submodule.
    Submodule {
        /// The commit it stands at.
        commit: BlobId,
    },
    /// A FIFO, a device or a socket.
    Special,
}

impl Node {
    /// How it is written down in [`Resolved::visited`].
    pub fn mark(&self) -> Option<BlobId> {
        match self {
            Self::Nothing => None,
            Self::Folder => Some(FOLDER),
            Self::File { blob, .. }
            | Self::Lacking { blob }
            | Self::Link { blob, .. }
            | Self::LackingLink { blob }
            | Self::Submodule { commit: blob } => Some(*blob),
            Self::Special => Some(SPECIAL),
        }
    }
}

/// The path of `name` in this folder; `None` if it is no name of a file
/// (empty, `.`, `..`, with a `/` or NUL in it: a forged git tree may hold
/// those) or would make the path longer than [`MAX_PATH_BYTES`].
pub fn child(folder: &RepoPath, name: &str) -> Option<RepoPath> {
    let legal = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    if !legal || folder.as_str().len() + 1 + name.len() > MAX_PATH_BYTES {
        return None;
    }
    folder.join(name).ok()
}

/// A path on a walk, and whether it says exactly what is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path; what cannot be said as text is replaced by U+FFFD.
    pub path: RepoPath,
    /// Whether nothing was replaced.
    pub is_text: bool,
}

impl Place {
    /// Where a walk begins.
    pub fn start(path: RepoPath) -> Self {
        Self { path, is_text: true }
    }

    /// A name within this folder; `None` if the path gets longer than
    /// [`MAX_PATH_BYTES`].
    pub fn child(&self, name: &[u8]) -> Option<Self> {
        if let Ok(text) = std::str::from_utf8(name)
            && let Some(path) = child(&self.path, text)
        {
            return Some(Self { path, is_text: self.is_text });
        }
        let text = String::from_utf8_lossy(name).replace(['/', '\0'], "\u{fffd}");
        let text = if matches!(text.as_str(), "" | "." | "..") { "\u{fffd}" } else { &text };
        child(&self.path, text).map(|path| Self { path, is_text: false })
    }
}

/// Where `path` leads. `look` tells what is at a path whose folders are no
/// links.
pub fn follow<E>(
    path: &RepoPath,
    mut look: impl FnMut(&RepoPath) -> Result<Node, E>,
) -> Result<Resolved, E> {
    let mut names: Vec<String> = path.as_str().rsplit('/').map(str::to_owned).collect();
    let mut at = RepoPath::root();
    let mut visited = Vec::new();
    let (mut links, mut looks) = (0, 0);
    while let Some(name) = names.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." if at == RepoPath::root() => return Ok(end(at, Target::Outside, visited)),
            ".." => {
                at = at.parent();
                continue;
            }
            // A work tree has its repository in sight; no commit holds the name.
            _ if name.eq_ignore_ascii_case(".git") => {
                let next = at.join(&name).unwrap_or(at);
                return Ok(end(next, Target::Repository, visited));
            }
            _ => {}
        }
        let Some(next) = child(&at, &name) else {
            return Ok(end(at, Target::Missing, visited));
        };
        looks += 1;
        if looks > MAX_NAMES {
            return Ok(end(next, Target::LinkLoop, visited));
        }
        let node = look(&next)?;
        match node {
            Node::Folder => at = next,
            Node::Link { blob, text } => {
                visited.push((next.clone(), Some(blob)));
                links += 1;
                match text {
                    Some(_) if links > MAX_LINKS => {
                        return Ok(end(next, Target::LinkLoop, visited));
                    }
                    Some(text) if text.starts_with('/') => {
                        return Ok(end(next, Target::Outside, visited));
                    }
                    Some(text) if !text.is_empty() => {
                        names.extend(text.rsplit('/').map(str::to_owned));
                    }
                    _ => return Ok(end(next, Target::Missing, visited)),
                }
            }
            node => {
                names.reverse();
                return Ok(last(next, &node, &names.join("/"), visited));
            }
        }
    }
    visited.push((at.clone(), Some(FOLDER)));
    Ok(end(at, Target::Folder, visited))
}

/// The answer at something that is neither link nor folder, with `rest` still
/// to go.
fn last(
    at: RepoPath,
    node: &Node,
    rest: &str,
    mut visited: Vec<(RepoPath, Option<BlobId>)>,
) -> Resolved {
    let target = match node {
        Node::Submodule { .. } => Target::Submodule,
        Node::Lacking { .. } | Node::LackingLink { .. } => Target::BytesMissing,
        Node::File { blob, size } if rest.is_empty() => Target::File { blob: *blob, size: *size },
        Node::Special if rest.is_empty() => Target::Special,
        _ => Target::Missing,
    };
    if target == Target::Missing {
        // Nothing lies behind a file or behind nothing. The whole path is
        // written down, because something may appear there.
        let whole = at.join(rest).unwrap_or(at);
        visited.push((whole.clone(), None));
        return end(whole, target, visited);
    }
    visited.push((at.clone(), node.mark()));
    end(at, target, visited)
}

fn end(path: RepoPath, target: Target, visited: Vec<(RepoPath, Option<BlobId>)>) -> Resolved {
    Resolved { path, target, visited }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    /// A world of files `f` and links; every prefix of a path is a folder.
    fn run(links: &[(&str, &str)], start: &str) -> (String, Target, Vec<String>) {
        let files = ["d/f", "top"];
        let resolved = follow(&path(start), |at| {
            let text = at.as_str();
            if let Some((_, target)) = links.iter().find(|(link, _)| *link == text) {
                return Ok::<_, Infallible>(Node::Link {
                    blob: BlobId([1; 20]),
                    text: Some((*target).to_owned()),
                });
            }
            if files.contains(&text) {
                return Ok(Node::File { blob: BlobId([2; 20]), size: 3 });
            }
            let mut all = files.iter().chain(links.iter().map(|(link, _)| link));
            let is_folder = all.any(|file| path(file).is_within(at));
            Ok(match text {
                "sub" => Node::Submodule { commit: BlobId([4; 20]) },
                _ if is_folder => Node::Folder,
                _ => Node::Nothing,
            })
        })
        .unwrap();
        let visited = resolved
            .visited
            .iter()
            .map(|(path, mark)| format!("{path}{}", if mark.is_none() { "?" } else { "" }));
        (resolved.path.to_string(), resolved.target, visited.collect())
    }

    fn check(links: &[(&str, &str)], start: &str, end: &str, target: &Target, visited: &[&str]) {
        let got = run(links, start);
        let want =
            (end.to_owned(), target.clone(), visited.iter().map(|&text| text.to_owned()).collect());
        assert_eq!(got, want, "{start}");
    }

    #[test]
    fn links_are_followed_as_the_kernel_does() {
        let file = Target::File { blob: BlobId([2; 20]), size: 3 };
        check(&[], "d/f", "d/f", &file, &["d/f"]);
        check(&[("d/l", "f")], "d/l", "d/f", &file, &["d/l", "d/f"]);
        check(&[("d/l", "../top")], "d/l", "top", &file, &["d/l", "top"]);
        check(&[("e", "d")], "e/f", "d/f", &file, &["e", "d/f"]);
        check(&[("e", "./d//"), ("g/h", "../e/../d/f")], "g/h", "d/f", &file, &["g/h", "e", "d/f"]);
        check(&[("e", "d")], "e", "d", &Target::Folder, &["e", "d"]);
        check(&[], "", ".", &Target::Folder, &["."]);
    }

    #[test]
    fn what_cannot_be_followed_is_told_apart() {
        check(&[("l", "/etc/passwd")], "l", "l", &Target::Outside, &["l"]);
        check(&[("d/l", "../../x")], "d/l", ".", &Target::Outside, &["d/l"]);
        check(&[("l", "none/x")], "l", "none/x", &Target::Missing, &["l", "none/x?"]);
        check(&[], "d/f/x", "d/f/x", &Target::Missing, &["d/f/x?"]);
        check(&[], "no/such/file", "no/such/file", &Target::Missing, &["no/such/file?"]);
        check(&[("l", "")], "l", "l", &Target::Missing, &["l"]);
        check(&[("d/l", "../.git/x")], "d/l", ".git", &Target::Repository, &["d/l"]);
        check(&[], "d/.GIT/x", "d/.GIT", &Target::Repository, &[]);
        check(&[("l", "sub/x.json")], "l", "sub", &Target::Submodule, &["l", "sub"]);
        let (_, target, visited) = run(&[("a", "b"), ("b", "a")], "a");
        assert_eq!((target, visited.len()), (Target::LinkLoop, MAX_LINKS + 1));
    }

    #[test]
    fn links_through_long_chains_of_folders_end() {
        let mut looks = 0;
        let down = format!("{}{}", "d/".repeat(1000), "../".repeat(1000));
        let resolved = follow(&path("l0"), |at| {
            looks += 1;
            Ok::<_, Infallible>(match at.as_str().strip_prefix('l') {
                Some(number) => {
                    let next = number.parse::<u32>().unwrap() + 1;
                    let text = Some(format!("{down}l{next}"));
                    Node::Link { blob: BlobId([1; 20]), text: text.filter(|_| next < 30) }
                }
                None => Node::Folder,
            })
        })
        .unwrap();
        assert_eq!((resolved.target, looks), (Target::LinkLoop, MAX_NAMES));
    }

    #[test]
    fn a_forged_name_is_no_child() {
        for name in ["", ".", "..", "a/b", "a\0"] {
            assert_eq!(child(&path("x"), name), None, "{name:?}");
        }
        assert_eq!(child(&path("x"), &"n".repeat(MAX_PATH_BYTES)), None);
        assert_eq!(child(&path("x"), "..data"), Some(path("x/..data")));
    }
}
