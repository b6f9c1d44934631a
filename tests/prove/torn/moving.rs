//! Sources that move: for each kind, how a generation is published.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::generation::files;
use crate::support::repo::Repo;

/// A source that somebody writes.
pub(crate) trait Moving: Send {
    /// SOURCE.
    fn source(&self) -> OsString;

    /// What the program is told beside it.
    fn args(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a generation appears all at once.
    fn is_atomic(&self) -> bool {
        true
    }

    /// The longest time within the last publication in which nothing was
    /// written, of what does not appear all at once.
    fn rested(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether it may be that no reading is possible for long.
    fn may_be_refused(&self) -> bool {
        !self.is_atomic()
    }

    /// Publishes a generation; it stands there whole when this returns.
    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng);
}

/// Everything that git keeps of the past goes; now and then what is left is
/// packed, too.
pub(super) fn forget_the_past(repo: &Repo, chance: &mut fastrand::Rng) {
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    if chance.u32(..8) == 0 {
        repo.git(&["gc", "-q", "--prune=now"]);
    } else {
        repo.git(&["prune", "--expire=now"]);
    }
}

/// Replaces all files of a work tree, one after the other.
pub(super) fn write_tree(repo: &Repo, generation: u64) {
    repo.git(&["rm", "-q", "-r", "-f", "--ignore-unmatch", "."]);
    for (path, bytes) in files(generation) {
        repo.write(&path, bytes);
    }
    repo.git(&["add", "-A"]);
}

/// Makes a commit of a generation at a branch, without a work tree. It has a
/// parent if one is named.
pub(super) fn import(repo: &Repo, branch: &str, generation: u64, parent: Option<&str>) -> String {
    let from = parent.map(|parent| format!("from {parent}\n")).unwrap_or_default();
    let time = 1_700_000_000 + generation;
    let mut stream = format!(
        "commit refs/heads/{branch}\ncommitter Carl <c@example.com> {time} +0000\ndata 1\nx\n{from}"
    );
    stream.push_str("deleteall\n");
    let mut stream = stream.into_bytes();
    for (path, bytes) in files(generation) {
        stream.extend(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).into_bytes());
        stream.extend(bytes);
        stream.push(b'\n');
    }
    repo.git_with(&["fast-import", "--quiet", "--force"], &stream);
    repo.git(&["rev-parse", branch])
}

/// A checkout that somebody commits into.
pub(crate) struct Commits {
    pub(super) repo: Repo,
    /// Each commit takes the place of the last, which goes for good.
    pub(super) amends: bool,
}

impl Commits {
    pub(crate) fn new(amends: bool) -> Self {
        let repo = Repo::new();
        write_tree(&repo, 0);
        repo.commit("0");
        Self { repo, amends }
    }
}

impl Moving for Commits {
    fn source(&self) -> OsString {
        self.repo.path().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        write_tree(&self.repo, generation);
        let commit: &[&str] = if self.amends {
            &["commit", "-q", "-m", "x", "--amend"]
        } else {
            &["commit", "-q", "-m", "x"]
        };
        self.repo.git(commit);
        if self.amends && chance.bool() {
            forget_the_past(&self.repo, chance);
        }
    }
}

/// A repository that is packed anew while it is read.
pub(crate) struct Packing {
    repo: Repo,
    head: String,
}

impl Packing {
    pub(crate) fn new() -> Self {
        let repo = Repo::new();
        let head = import(&repo, "main", 0, None);
        Self { repo, head }
    }
}

impl Moving for Packing {
    fn source(&self) -> OsString {
        self.repo.path().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        self.head = import(&self.repo, "main", generation, Some(&self.head));
        let chores: [&[&str]; 6] = [
            &["pack-refs", "--all"],
            &["repack", "-adq"],
            &["repack", "-adq", "--write-midx", "--write-bitmap-index"],
            &["multi-pack-index", "write", "--no-progress"],
            &["gc", "-q", "--prune=now"],
            &["prune-packed", "-q"],
        ];
        for _ in 0..chance.usize(0..3) {
            self.repo.git(chores[chance.usize(..chores.len())]);
        }
    }
}

/// A bare repository that is pushed into by force.
pub(crate) struct Pushed {
    repo: Repo,
    bare: PathBuf,
}

impl Pushed {
    pub(crate) fn new() -> Self {
        let repo = Repo::new();
        let bare = repo.beside("bare.git");
        repo.git(&["init", "-q", "--bare", "-b", "main", bare.to_str().unwrap()]);
        let mut this = Self { repo, bare };
        this.publish(0, &mut fastrand::Rng::with_seed(0));
        this
    }
}

impl Moving for Pushed {
    fn source(&self) -> OsString {
        self.bare.clone().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        import(&self.repo, "main", generation, None);
        let bare = self.bare.to_str().unwrap();
        self.repo.git(&["push", "-q", "--force", bare, "main"]);
        match chance.u32(..16) {
            0 => drop(self.repo.git(&["-C", bare, "gc", "-q", "--prune=now"])),
            1..8 => drop(self.repo.git(&["-C", bare, "prune", "--expire=now"])),
            _ => {}
        }
    }
}

/// A checkout that pulls what was pushed by force.
pub(crate) struct Pulls {
    upstream: Repo,
    repo: Repo,
}

impl Pulls {
    pub(crate) fn new() -> Self {
        let (upstream, repo) = (Repo::new(), Repo::new());
        let mut this = Self { upstream, repo };
        this.publish(0, &mut fastrand::Rng::with_seed(0));
        this
    }
}

impl Moving for Pulls {
    fn source(&self) -> OsString {
        self.repo.path().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        import(&self.upstream, "main", generation, None);
        let from = self.upstream.path();
        self.repo.git(&["fetch", "-q", from.to_str().unwrap(), "+main:refs/remotes/origin/main"]);
        self.repo.git(&["reset", "-q", "--hard", "origin/main"]);
        if chance.bool() {
            forget_the_past(&self.repo, chance);
        }
    }
}

/// A work tree that is read as it lies there, and checked out meanwhile.
pub(crate) struct WorkTree(Pulls, Duration);

impl WorkTree {
    pub(crate) fn new() -> Self {
        Self(Pulls::new(), Duration::ZERO)
    }
}

impl Moving for WorkTree {
    fn source(&self) -> OsString {
        self.0.source()
    }

    fn args(&self) -> &'static [&'static str] {
        &["--working-tree"]
    }

    fn is_atomic(&self) -> bool {
        false
    }

    fn rested(&self) -> Duration {
        self.1
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        let began = Instant::now();
        self.0.publish(generation, chance);
        // What git does in it is not seen from here.
        self.1 = began.elapsed();
        rest(chance);
    }
}

/// Somebody who copies files rests now and then.
pub(super) fn rest(chance: &mut fastrand::Rng) {
    if chance.u32(..3) == 0 {
        pause(chance.u64(..600));
    }
}

#[expect(clippy::disallowed_methods, reason = "the rhythm of a writer, not a wait")]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// A checkout in the middle of a pull: locks lie there, the work tree is half
/// written, and a ref names what arrives after it.
pub(crate) struct HalfPulls {
    store: Repo,
    repo: Repo,
}

impl HalfPulls {
    pub(crate) fn new() -> Self {
        let (store, repo) = (Repo::new(), Repo::new());
        let mut this = Self { store, repo };
        this.publish(0, &mut fastrand::Rng::with_seed(0));
        this
    }

    fn point(&self, commit: &str) {
        let path = self.repo.path().join(".git/refs/heads/main");
        let next = path.with_extension("next");
        fs::write(&next, format!("{commit}\n")).unwrap();
        fs::rename(next, path).unwrap();
    }
}

impl Moving for HalfPulls {
    fn source(&self) -> OsString {
        self.repo.path().into()
    }

    fn may_be_refused(&self) -> bool {
        true
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        let commit = import(&self.store, "main", generation, None);
        let git = self.repo.path().join(".git");
        fs::write(git.join("index.lock"), "half an index").unwrap();
        let early = chance.bool();
        if early {
            self.point(&commit);
        }
        for (path, bytes) in files(generation).iter().take(chance.usize(1..20)) {
            self.repo.write(path, &bytes[..bytes.len() / 2]);
        }
        // The commit and the folders come first, then the files.
        let list = ["rev-list", "--objects", "--no-object-names", &commit];
        let folders = self.store.git(&[list.as_slice(), &["--filter=blob:none"]].concat());
        let all = self.store.git(&list);
        for object in folders.lines().chain(all.lines()) {
            let at = format!("{}/{}", &object[..2], &object[2..]);
            let from = self.store.path().join(".git/objects").join(&at);
            let to = git.join("objects").join(&at);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            if !to.exists() {
                pause(chance.u64(..2));
                let next = to.with_extension("next");
                fs::copy(from, &next).unwrap();
                fs::rename(next, to).unwrap();
            }
        }
        if !early {
            self.point(&commit);
        }
        fs::remove_file(git.join("index.lock")).unwrap();
    }
}

/// A checkout that goes from one branch to the other.
pub(crate) struct Switches {
    repo: Repo,
}

impl Switches {
    pub(crate) fn new() -> Self {
        let repo = Repo::new();
        import(&repo, "other", 1, None);
        import(&repo, "main", 0, None);
        repo.git(&["checkout", "-q", "-f", "main"]);
        Self { repo }
    }
}

impl Moving for Switches {
    fn source(&self) -> OsString {
        self.repo.path().into()
    }

    fn publish(&mut self, generation: u64, _: &mut fastrand::Rng) {
        let here = self.repo.git(&["symbolic-ref", "--short", "HEAD"]);
        let there = if here == "main" { "other" } else { "main" };
        import(&self.repo, there, generation, None);
        self.repo.git(&["checkout", "-q", "-f", there]);
    }
}

/// A linked worktree, beside others that come and go.
pub(crate) struct Linked {
    repo: Repo,
}

impl Linked {
    pub(crate) fn new() -> Self {
        let repo = Repo::new();
        import(&repo, "main", 0, None);
        import(&repo, "side", 0, None);
        repo.git(&["worktree", "add", "-q", "-f", "../linked", "side"]);
        Self { repo }
    }
}

impl Moving for Linked {
    fn source(&self) -> OsString {
        self.repo.beside("linked").into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        import(&self.repo, "side", generation, None);
        if chance.bool() {
            self.repo.git(&["worktree", "add", "-q", "--detach", "../more", "side"]);
            self.repo.git(&["-C", "../linked", "reset", "-q", "--hard"]);
            self.repo.git(&["worktree", "remove", "--force", "../more"]);
        } else {
            forget_the_past(&self.repo, chance);
        }
    }
}

/// A shallow clone that gets deeper, and shallow again.
pub(crate) struct Deepens {
    upstream: Repo,
    repo: Repo,
    head: String,
}

impl Deepens {
    pub(crate) fn new() -> Self {
        let (upstream, repo) = (Repo::new(), Repo::new());
        let head = import(&upstream, "main", 0, None);
        let mut this = Self { upstream, repo, head };
        this.publish(1, &mut fastrand::Rng::with_seed(0));
        this
    }
}

impl Moving for Deepens {
    fn source(&self) -> OsString {
        self.repo.path().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        self.head = import(&self.upstream, "main", generation, Some(&self.head));
        let url = format!("file://{}", self.upstream.path().display());
        let fetch = |how: &str| {
            self.repo.git(&["fetch", "-q", how, &url, "+main:refs/remotes/origin/main"]);
        };
        fetch("--depth=1");
        self.repo.git(&["reset", "-q", "--hard", "origin/main"]);
        let how = ["--depth=2", "--deepen=1", "--depth=1", "--depth=2147483647"];
        fetch(how[chance.usize(..how.len())]);
        if chance.bool() {
            forget_the_past(&self.repo, chance);
        }
    }
}

/// What git-sync does: a worktree for each commit, a link to the last, and the
/// one before goes at once.
pub(crate) struct Flips {
    repo: Repo,
    last: Option<String>,
}

impl Flips {
    pub(crate) fn new() -> Self {
        let mut this = Self { repo: Repo::new(), last: None };
        this.publish(0, &mut fastrand::Rng::with_seed(0));
        this
    }

    fn link(&self) -> PathBuf {
        self.repo.beside("link")
    }
}

impl Moving for Flips {
    fn source(&self) -> OsString {
        self.link().into()
    }

    fn publish(&mut self, generation: u64, chance: &mut fastrand::Rng) {
        let commit = import(&self.repo, "main", generation, None);
        let tree = format!("../worktrees/{commit}");
        self.repo.git(&["worktree", "add", "-q", "-f", "--detach", &tree, &commit]);
        swap(&self.link(), &format!("worktrees/{commit}"));
        if let Some(last) = self.last.replace(tree) {
            if chance.bool() {
                self.repo.git(&["worktree", "remove", "--force", &last]);
            } else {
                fs::remove_dir_all(self.repo.path().join(last)).unwrap();
                self.repo.git(&["worktree", "prune"]);
            }
        }
        if chance.u32(..4) == 0 {
            forget_the_past(&self.repo, chance);
        }
    }
}

/// Makes a link lead elsewhere, in one step.
pub(super) fn swap(link: &Path, target: &str) {
    let name = link.file_name().unwrap().to_str().unwrap();
    let next = link.with_file_name(format!("{name}_tmp"));
    std::os::unix::fs::symlink(target, &next).unwrap();
    fs::rename(next, link).unwrap();
}
