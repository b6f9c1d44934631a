//! Commits, read from real repositories.

mod changes;
mod hostile;
mod moved;
mod plain;
mod uncommitted;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use marketsync::domain::candidate::{Filter, filter_of};
use marketsync::domain::item::{CommitId, RepoPath};
use marketsync::domain::tree::{Target, Tree as _};
use marketsync::edge::git::{Checkout, GitError, GitTree};

use crate::support::repo::Repo;

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn discover(at: &Path) -> (Checkout, RepoPath) {
    Checkout::discover(at).unwrap().expect("a repository")
}

fn everything(source: &str) -> Filter {
    Filter::new(path(source), None, &[]).unwrap()
}

fn paths<'a>(paths: impl IntoIterator<Item = &'a RepoPath>) -> Vec<&'a str> {
    paths.into_iter().map(RepoPath::as_str).collect()
}

#[test]
fn a_source_is_found_wherever_it_lies() {
    let repo = Repo::new();
    repo.write("deep/er/a.json", "{}");
    let head = repo.commit("one");
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    symlink(repo.path().join("deep"), repo.beside("link")).unwrap();
    let cases = [
        (repo.path(), ""),
        (repo.path().join("deep/er"), "deep/er"),
        (repo.path().join("deep/../deep/./er"), "deep/er"),
        (repo.beside("link/er"), "deep/er"),
        (repo.path().join(".git"), ""),
        (repo.path().join(".git/refs"), ""),
        (repo.beside("bare.git"), ""),
        (repo.beside("linked/deep"), "deep"),
    ];
    for (at, expected) in cases {
        let (checkout, source) = discover(&at);
        assert_eq!(source.as_str(), expected, "{}", at.display());
        assert_eq!(checkout.head().unwrap().0, head, "{}", at.display());
    }
    assert_eq!(discover(&repo.beside("bare.git")).0.work_dir(), None);
    let linked = discover(&repo.beside("linked")).0;
    assert_ne!(linked.git_dir(), linked.common_dir());
    assert!(linked.common_dir().join("refs").is_dir());
}

#[test]
fn what_is_no_repository_is_told_from_a_broken_one() {
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    assert!(Checkout::discover(&repo.beside(".")).unwrap().is_none());
    let file = Checkout::discover(&repo.path().join("a.json"));
    assert!(matches!(file, Err(GitError::NotADirectory { .. })));
    assert!(matches!(Checkout::discover(&repo.beside("none")), Err(GitError::Source { .. })));
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    fs::rename(repo.path(), repo.beside("moved")).unwrap();
    assert!(matches!(Checkout::discover(&repo.beside("linked")), Err(GitError::Broken { .. })));
}

#[test]
fn formats_that_cannot_be_read_are_named() {
    for (init, word) in
        [("--object-format=sha256", "SHA-256"), ("--ref-format=reftable", "reftable")]
    {
        let repo = Repo::with(&[init]);
        repo.write("a.json", "{}").commit("one");
        let error = Checkout::discover(&repo.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, GitError::Format { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn head_may_be_unborn_packed_or_detached() {
    let repo = Repo::new();
    let (checkout, _) = discover(&repo.path());
    assert!(matches!(checkout.head(), Err(GitError::Unborn)));
    let one = repo.write("a.json", "1").commit("one");
    let two = repo.write("a.json", "2").commit("two");
    // The same handle sees what moved since.
    assert_eq!(checkout.head().unwrap().0, two);
    repo.git(&["pack-refs", "--all"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    assert!(!repo.path().join(".git/refs/heads/main").exists());
    assert_eq!(checkout.head().unwrap().0, two);
    let mut tree = checkout.tree(&CommitId(two)).unwrap();
    assert!(matches!(tree.resolve(&path("a.json")).unwrap().target, Target::File { size: 1, .. }));
    repo.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    assert_eq!(checkout.head().unwrap().0, one);
}

#[test]
fn revisions_are_peeled_to_commits() {
    let repo = Repo::new();
    let one = repo
        .write("a.json", "1")
        .commit("one\n\nBody with \u{e8}.\n\nMarketsync-Allow-Deletes: 3\n");
    repo.git(&["tag", "-a", "v1", "-m", "annotated"]);
    let two = repo.write("a.json", "2").commit("two");
    let (checkout, _) = discover(&repo.path());
    for (text, expected) in
        [("v1", &one), ("HEAD~1", &one), ("main", &two), (&two[..8], &two), ("refs/tags/v1", &one)]
    {
        assert_eq!(&checkout.resolve_revision(text).unwrap().0, expected, "{text}");
    }
    for text in ["none", "", "main\0", "HEAD~7", "main:a.json", "--help"] {
        let error = checkout.resolve_revision(text).unwrap_err();
        assert!(matches!(error, GitError::UnknownRevision { .. }), "{text}: {error:?}");
    }
    let info = checkout.commit_info(&CommitId(one)).unwrap();
    assert_eq!(
        (info.author.as_str(), info.time.to_string().as_str()),
        ("Ada Author", "2026-01-02T03:04:06Z")
    );
    assert!(info.message.ends_with("Marketsync-Allow-Deletes: 3\n"), "{}", info.message);
    for unknown in ["1234567", "dir-0123456789012345678901234567890123456789", &"0".repeat(40), ""]
    {
        assert!(
            matches!(checkout.tree(&CommitId(unknown.into())), Err(GitError::NoCommit { .. })),
            "{unknown}"
        );
    }
}

fn resolve(tree: &mut GitTree<'_>, at: &str) -> (String, Target) {
    let resolved = tree.resolve(&path(at)).unwrap();
    (resolved.path.to_string(), resolved.target)
}

#[test]
fn paths_lead_where_links_of_the_commit_lead() {
    let repo = Repo::new();
    repo.write("items/a.json", "bytes")
        .write("img/a.png", "png")
        .symlink("items/near.json", "a.json");
    repo.symlink("items/up.png", "../img/a.png")
        .symlink("pics", "img")
        .symlink("abs.json", "/etc/passwd");
    repo.symlink("items/out.json", "../../out.json")
        .symlink("loop1", "loop2")
        .symlink("loop2", "loop1");
    repo.symlink("dangling.json", "no/such.json");
    let module = Repo::new();
    let commit = module.write("x.json", "{}").commit("module");
    repo.commit("base");
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},mod")]);
    repo.git(&["commit", "-q", "-m", "with a submodule"]);
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();

    let Target::File { blob, size: 5 } = resolve(&mut tree, "items/a.json").1 else {
        panic!("a file of 5 bytes")
    };
    assert_eq!(tree.bytes(&path("items/a.json"), blob).unwrap(), b"bytes");
    assert_eq!(
        resolve(&mut tree, "items/near.json"),
        ("items/a.json".into(), Target::File { blob, size: 5 })
    );
    for at in ["items/up.png", "pics/a.png", "img/a.png"] {
        let (end, target) = resolve(&mut tree, at);
        assert!(
            end == "img/a.png" && matches!(target, Target::File { size: 3, .. }),
            "{at}: {end} {target:?}"
        );
    }
    let cases = [
        ("items", Target::Folder),
        ("pics", Target::Folder),
        ("abs.json", Target::Outside),
        ("items/out.json", Target::Outside),
        ("loop1", Target::LinkLoop),
        ("dangling.json", Target::Missing),
        ("items/a.json/x", Target::Missing),
        ("none", Target::Missing),
        ("a\0b", Target::Missing),
        ("mod", Target::Submodule),
        ("mod/x.json", Target::Submodule),
    ];
    for (at, expected) in cases {
        assert_eq!(resolve(&mut tree, at).1, expected, "{at}");
    }
    let visited = tree.resolve(&path("pics/none.png")).unwrap().visited;
    assert_eq!(paths(visited.iter().map(|(path, _)| path)), ["pics", "img/none.png"]);
    assert!(visited[0].1.is_some() && visited[1].1.is_none());
}

#[test]
fn a_link_and_a_file_of_the_same_bytes_have_different_names() {
    let repo = Repo::new();
    repo.symlink("a.json", "b.json").write("c.json", "b.json").commit("one");
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();
    let found = tree.changes(&everything(""), None, &[].into()).unwrap().present;
    assert_ne!(found[0].blob, found[1].blob);
}

#[test]
fn a_partial_clone_says_that_bytes_are_missing() {
    let repo = Repo::new();
    repo.write("items/a.json", "{}").symlink("items/b.json", "a.json").commit("one");
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", repo.path().display());
    repo.git(&["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "../partial"]);
    let (checkout, _) = discover(&repo.beside("partial"));
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();
    let found = tree.changes(&everything("items"), None, &[].into()).unwrap();
    assert_eq!(
        paths(found.present.iter().map(|entry| &entry.path)),
        ["items/a.json", "items/b.json"]
    );
    for at in ["items/a.json", "items/b.json"] {
        assert_eq!(resolve(&mut tree, at).1, Target::BytesMissing, "{at}");
    }
    let error = tree.bytes(&path("items/a.json"), found.present[0].blob).unwrap_err();
    assert!(matches!(error, GitError::Lacking { .. }), "{error:?}");
}

#[test]
fn the_ignore_file_is_that_of_the_commit() {
    let repo = Repo::new();
    repo.write("s/.marketsyncignore", "draft.*\n").write("s/draft.json", "").write("s/a.json", "");
    let old = repo.commit("one");
    repo.write("s/.marketsyncignore", "a.*\n").commit("two");
    let (checkout, _) = discover(&repo.path());
    for (commit, expected) in
        [(CommitId(old), "s/a.json"), (checkout.head().unwrap(), "s/draft.json")]
    {
        let mut tree = checkout.tree(&commit).unwrap();
        let filter = filter_of(&mut tree, &path("s"), &[]).unwrap().unwrap();
        let found = tree.changes(&filter, None, &[].into()).unwrap();
        assert_eq!(paths(found.present.iter().map(|entry| &entry.path)), [expected]);
    }
    repo.symlink("s/.marketsyncignore", "/etc/hosts").commit("three");
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();
    let error = filter_of(&mut tree, &path("s"), &[]).unwrap().unwrap_err();
    assert!(error.to_string().contains("leads out of the checkout"), "{error}");
}
