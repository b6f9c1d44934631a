//! A commit in memory: files, links and what else git can hold at a path.

use std::collections::BTreeMap;
use std::convert::Infallible;

use marketsync::domain::item::{BlobId, CommitId, RepoPath};
use marketsync::domain::seen::Seen;
use marketsync::domain::tree::{Changes, Entry, Resolved, Target, Tree};

/// Stands for a folder in what was looked at.
const FOLDER: BlobId = BlobId([0xff; 20]);

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    File(Vec<u8>),
    /// A symbolic link and its target.
    Link(String),
    Submodule,
    Special,
    /// A file of the commit whose bytes this clone lacks.
    Lost(Vec<u8>),
}

impl Node {
    /// A link is never equal to a file with the same bytes.
    fn blob(&self) -> BlobId {
        let bytes = match self {
            Self::File(bytes) | Self::Lost(bytes) => bytes.as_slice(),
            Self::Link(target) => &[b"link\0", target.as_bytes()].concat(),
            Self::Submodule | Self::Special => b"no file",
        };
        let mut id = [0; 20];
        id.copy_from_slice(&blake3::hash(bytes).as_bytes()[..20]);
        BlobId(id)
    }
}

/// A commit, and which paths were read from it.
#[derive(Debug, Clone)]
pub(crate) struct MemoryTree {
    commit: CommitId,
    pub(crate) nodes: BTreeMap<RepoPath, Node>,
    /// Every call of `bytes`, in order.
    pub(crate) reads: Vec<String>,
}

pub(crate) fn path(path: &str) -> RepoPath {
    RepoPath::new(path).unwrap()
}

impl Default for MemoryTree {
    fn default() -> Self {
        Self { commit: CommitId("c1".to_owned()), nodes: BTreeMap::new(), reads: Vec::new() }
    }
}

impl MemoryTree {
    /// The same commit with this file.
    pub(crate) fn with(self, at: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.node(at, Node::File(bytes.as_ref().to_vec()))
    }

    pub(crate) fn link(self, at: &str, target: &str) -> Self {
        self.node(at, Node::Link(target.to_owned()))
    }

    pub(crate) fn node(mut self, at: &str, node: Node) -> Self {
        self.nodes.insert(path(at), node);
        self
    }

    pub(crate) fn without(mut self, at: &str) -> Self {
        self.nodes.remove(&path(at)).unwrap_or_else(|| panic!("no {at}"));
        self
    }

    pub(crate) fn rename(mut self, from: &str, to: &str) -> Self {
        let node = self.nodes.remove(&path(from)).unwrap_or_else(|| panic!("no {from}"));
        self.node(to, node)
    }

    /// Every file of a folder on disk, under its name below it.
    pub(crate) fn of_folder(folder: &std::path::Path) -> Self {
        let mut tree = Self::default();
        let mut open = vec![folder.to_path_buf()];
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let at = entry.unwrap().path();
                if at.is_dir() {
                    open.push(at);
                } else {
                    let name = at.strip_prefix(folder).unwrap().to_str().unwrap();
                    tree = tree.with(name, std::fs::read(&at).unwrap());
                }
            }
        }
        tree
    }

    fn is_candidate(&self, at: &RepoPath) -> bool {
        let name = at.file_name();
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        matches!(extension, Some("json" | "yaml" | "yml"))
            && !name.ends_with(".schema.json")
            && name != "package.json"
            && matches!(self.nodes.get(at), Some(Node::File(_) | Node::Link(_) | Node::Lost(_)))
    }

    fn entry(&self, at: &RepoPath) -> Option<Entry> {
        self.is_candidate(at).then(|| Entry { path: at.clone(), blob: self.nodes[at].blob() })
    }

    /// A listing of every candidate.
    pub(crate) fn complete(&self) -> Changes {
        let present = self.nodes.keys().filter_map(|at| self.entry(at)).collect();
        Changes { complete: true, present, ..Changes::default() }
    }

    /// How this commit differs from an earlier one that `seen` was read from.
    pub(crate) fn since(&self, before: &Self, seen: &Seen) -> Changes {
        let mut changes = Changes::default();
        let paths: std::collections::BTreeSet<&RepoPath> =
            self.nodes.keys().chain(before.nodes.keys()).collect();
        for at in paths {
            if self.nodes.get(at) == before.nodes.get(at) {
                continue;
            }
            match self.entry(at) {
                Some(entry) => changes.present.push(entry),
                None if before.is_candidate(at)
                    || seen.named().any(|named| named.is_within(at)) =>
                {
                    changes.touched.push(at.clone());
                }
                None => {}
            }
        }
        // A folder is where its files are, and some item may name it.
        let folders = seen.named().filter(|at| before.is_folder(at) != self.is_folder(at));
        changes.touched.extend(folders.cloned());
        changes
    }

    fn is_folder(&self, at: &RepoPath) -> bool {
        self.nodes.keys().any(|node| node != at && node.is_within(at))
    }
}

impl Tree for MemoryTree {
    type Error = Infallible;

    fn commit(&self) -> &CommitId {
        &self.commit
    }

    fn resolve(&mut self, at: &RepoPath) -> Result<Resolved, Infallible> {
        const MOST_LINKS: usize = 16;
        let mut visited = Vec::new();
        let mut here = RepoPath::root();
        let mut ahead: Vec<String> = at.names().map(str::to_owned).collect();
        ahead.reverse();
        let mut links = 0;
        let target = loop {
            let Some(name) = ahead.pop() else {
                visited.push((here.clone(), Some(FOLDER)));
                break Target::Folder;
            };
            let Ok(next) = here.join(&name) else {
                break Target::Outside;
            };
            let node = self.nodes.get(&next);
            let on_the_way = match node {
                Some(Node::File(_) | Node::Lost(_)) => ahead.is_empty(),
                Some(_) => true,
                None => false,
            };
            if on_the_way {
                visited.push((next.clone(), node.map(Node::blob)));
            }
            match node {
                Some(Node::Link(_)) if links >= MOST_LINKS => break Target::LinkLoop,
                Some(Node::Link(target)) if target.starts_with('/') => break Target::Outside,
                Some(Node::Link(target)) => {
                    links += 1;
                    ahead.extend(target.split('/').rev().map(str::to_owned));
                    continue;
                }
                Some(Node::Submodule) => break Target::Submodule,
                Some(Node::Special) => break Target::Special,
                Some(Node::File(bytes)) if ahead.is_empty() => {
                    here = next;
                    let size = u64::try_from(bytes.len()).unwrap();
                    break Target::File { blob: self.nodes[&here].blob(), size };
                }
                Some(Node::Lost(_)) if ahead.is_empty() => {
                    here = next;
                    break Target::BytesMissing;
                }
                None if self.is_folder(&next) || next == here || here.is_within(&next) => {}
                _ => {
                    ahead.reverse();
                    here = next.join(&ahead.join("/")).unwrap_or(next);
                    visited.push((here.clone(), None));
                    break Target::Missing;
                }
            }
            here = next;
        };
        Ok(Resolved { path: here, target, visited })
    }

    fn bytes(&mut self, at: &RepoPath, blob: BlobId) -> Result<Vec<u8>, Infallible> {
        let Some(node @ Node::File(bytes)) = self.nodes.get(at) else { panic!("{at} is no file") };
        assert_eq!(node.blob(), blob, "{at}");
        self.reads.push(at.to_string());
        Ok(bytes.clone())
    }
}
