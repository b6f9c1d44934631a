//! Repositories that somebody prepared.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use marketsync::domain::item::CommitId;
use marketsync::domain::tree::{MAX_BYTES, MAX_FILES, Target, Tree as _};
use marketsync::edge::git::{Checkout, GitError};

use super::{discover, everything, path, paths};
use crate::support::repo::Repo;

fn oid_bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A tree object with these entries exactly, which git itself would not write.
fn forge(repo: &Repo, entries: &[(&str, &[u8], &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, oid) in entries {
        bytes.extend([mode.as_bytes(), b" ", name, b"\0", &oid_bytes(oid)].concat());
    }
    repo.git_with(&["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes)
}

fn commit_tree(repo: &Repo, tree: &str) -> CommitId {
    CommitId(repo.git(&["commit-tree", "-m", "forged", tree]))
}

#[test]
fn names_that_are_no_text_are_told_and_cannot_escape() {
    let repo = Repo::new();
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
    let inner = forge(&repo, &[("100644", b"in.json", &blob)]);
    let tree = forge(
        &repo,
        &[
            ("40000", b"..", &inner),
            ("100644", b"..json", &blob),
            ("100644", b"a.json", &blob),
            ("100644", b"caf\xe9.json", &blob),
            ("40000", b"d\xfff", &inner),
            ("100644", b"no\xffitem.txt", &blob),
        ],
    );
    let root = forge(&repo, &[("40000", b"s", &tree)]);
    let base = commit_tree(&repo, &forge(&repo, &[("40000", b"s", &inner)]));
    let commit = commit_tree(&repo, &root);
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&commit).unwrap();
    // Also the difference: such names cannot be said one by one.
    for since in [None, Some(&base)] {
        let found = tree.changes(&everything("s"), since, &[].into()).unwrap();
        assert!(found.complete);
        assert_eq!(paths(found.present.iter().map(|entry| &entry.path)), ["s/a.json"]);
        assert_eq!(
            found.unreadable,
            ["s/caf\u{fffd}.json", "s/d\u{fffd}f/in.json", "s/\u{fffd}/in.json"]
        );
    }
}

#[test]
fn a_tree_of_thousand_millions_of_entries_ends() {
    let repo = Repo::new();
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
    let bomb = |leaf: &str| {
        let names: Vec<String> = (0..10).map(|number| format!("f{number}{leaf}")).collect();
        let mut tree = forge(
            &repo,
            &names.iter().map(|name| ("100644", name.as_bytes(), &*blob)).collect::<Vec<_>>(),
        );
        for _ in 0..9 {
            let entries: Vec<_> =
                names.iter().map(|name| ("40000", name.as_bytes(), tree.as_str())).collect();
            tree = forge(&repo, &entries);
        }
        commit_tree(&repo, &tree)
    };
    let (json, text) = (bomb(".json"), bomb(".txt"));
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&json).unwrap();
    let found = tree.changes(&everything(""), None, &[].into());
    assert!(matches!(found, Err(GitError::TooManyFiles { .. })), "{found:?}");
    let mut tree = checkout.tree(&text).unwrap();
    let found = tree.changes(&everything(""), Some(&json), &[].into());
    assert!(matches!(found, Err(GitError::TooManyEntries { .. })), "{found:?}");
}

#[test]
fn one_file_more_than_the_limit_is_too_many() {
    let repo = Repo::new();
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
    let folder = |files: usize| {
        let names: Vec<String> = (0..files).map(|number| format!("{number:06}.json")).collect();
        let entries: Vec<_> =
            names.iter().map(|name| ("100644", name.as_bytes(), &*blob)).collect();
        commit_tree(&repo, &forge(&repo, &entries))
    };
    let (most, more) = (folder(MAX_FILES), folder(MAX_FILES + 1));
    let (checkout, _) = discover(&repo.path());
    let list = |commit| checkout.tree(commit).unwrap().changes(&everything(""), None, &[].into());
    assert_eq!(list(&most).unwrap().present.len(), MAX_FILES);
    assert!(matches!(list(&more), Err(GitError::TooManyFiles { .. })));
}

#[test]
fn folders_without_end_end() {
    let repo = Repo::new();
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], b"{}");
    let mut tree = forge(&repo, &[("100644", b"a.json", &blob)]);
    for _ in 0..200 {
        tree = forge(&repo, &[("40000", b"d", &tree)]);
    }
    let root = forge(&repo, &[("40000", b"deep", &tree), ("40000", b"s", &forge(&repo, &[]))]);
    let commit = commit_tree(&repo, &root);
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&commit).unwrap();
    assert!(matches!(
        tree.changes(&everything(""), None, &[].into()),
        Err(GitError::TooDeep { .. })
    ));
    // What lies outside the source does not matter.
    assert_eq!(tree.changes(&everything("s"), None, &[].into()).unwrap().present, []);
    let deep = format!("deep/{}a.json", "d/".repeat(200));
    assert!(matches!(tree.resolve(&path(&deep)).unwrap().target, Target::File { .. }));
}

#[test]
fn a_huge_file_is_not_read() {
    let repo = Repo::new();
    let length = usize::try_from(MAX_BYTES).unwrap() + 1;
    repo.write("a.json", vec![b' '; length]).commit("one");
    // A link whose text is too long for a path.
    let long = repo.git_with(&["hash-object", "-w", "--stdin"], &[b'x'; 5000]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("120000,{long},l.json")]);
    repo.git(&["commit", "-q", "-m", "two"]);
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();
    let Target::File { blob, size } = tree.resolve(&path("a.json")).unwrap().target else {
        panic!("a file")
    };
    assert_eq!(size, length as u64);
    assert!(matches!(tree.bytes(&path("a.json"), blob), Err(GitError::TooLarge { .. })));
    assert_eq!(tree.resolve(&path("l.json")).unwrap().target, Target::Missing);
}

#[test]
fn nothing_of_the_repository_is_run() {
    let repo = Repo::new();
    repo.write(".gitattributes", "* filter=evil diff=evil\n").write("a.json", "1").commit("one");
    let trap = repo.beside("trap");
    let script = repo.beside("evil.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", trap.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
    ] {
        repo.git(&["config", key, script]);
    }
    for key in [
        "diff.evil.command",
        "diff.evil.textconv",
        "core.alternateRefsCommand",
        "gpg.program",
        "core.pager",
    ] {
        repo.git(&["config", key, script]);
    }
    fs::create_dir_all(repo.path().join(".git/hooks")).unwrap();
    for hook in [
        "post-index-change",
        "reference-transaction",
        "pre-commit",
        "post-checkout",
        "fsmonitor-watchman",
    ] {
        fs::copy(script, repo.path().join(".git/hooks").join(hook)).unwrap();
    }
    let (checkout, source) = discover(&repo.path());
    fs::write(repo.path().join("a.json"), "2").unwrap();
    let filter = everything(source.as_str());
    let budget = marketsync::edge::git::UNCOMMITTED_BUDGET;
    assert_eq!(checkout.uncommitted(&filter, budget).unwrap(), Some(path("a.json")));
    let head = checkout.head().unwrap();
    checkout.resolve_revision("main").unwrap();
    let found = checkout.tree(&head).unwrap().changes(&filter, None, &[].into()).unwrap();
    assert_eq!(found.present.len(), 1);
    assert!(!trap.exists(), "the repository ran a program");
}

/// Only root can give files away.
#[test]
fn it_does_not_matter_who_owns_the_repository() {
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    if fs::metadata(repo.path()).unwrap().uid() != 0 {
        eprintln!("skipped: not root");
        return;
    }
    for at in [repo.path(), repo.beside("bare.git")] {
        let mut folders = vec![at.clone()];
        while let Some(folder) = folders.pop() {
            std::os::unix::fs::lchown(&folder, Some(12345), Some(12345)).unwrap();
            for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    std::os::unix::fs::lchown(entry.path(), Some(12345), Some(12345)).unwrap();
                }
            }
        }
        let (checkout, _) = discover(&at);
        checkout.head().unwrap();
    }
}

#[test]
fn a_path_to_the_source_that_is_no_text_is_named() {
    let repo = Repo::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::create_dir(repo.path().join(name)).unwrap();
    let found = Checkout::discover(&repo.path().join(name));
    assert!(matches!(found, Err(GitError::NotUtf8 { .. })));
}

#[test]
fn a_work_tree_elsewhere_does_not_become_the_source() {
    let repo = Repo::new();
    repo.write("s/a.json", "{}").commit("one");
    repo.git(&["config", "core.worktree", "/etc"]);
    let found = Checkout::discover(&repo.path().join("s"));
    assert!(matches!(found, Err(GitError::OutsideWorkTree { .. })));
}

/// A repository somewhere else on the machine, which must never be read.
fn secret() -> (Repo, String) {
    let repo = Repo::new();
    let head = repo.write("secret.json", "{}").commit("secret");
    (repo, head)
}

/// A folder with the files of a bare repository, whose HEAD names a commit.
fn plant(at: &Path, head: &str) {
    for folder in ["refs/heads", "objects/info"] {
        fs::create_dir_all(at.join(folder)).unwrap();
    }
    fs::write(at.join("HEAD"), format!("{head}\n")).unwrap();
    fs::write(at.join("config"), "[core]\n\trepositoryformatversion = 0\n").unwrap();
}

/// What leads elsewhere, and how it is put there.
type Lead = (&'static str, Box<dyn Fn()>);

/// The ways of a folder that has the files of a repository to another one.
fn leads(at: &Path, other: &Repo) -> [Lead; 5] {
    let (at, git) = (at.to_owned(), other.path().join(".git"));
    let config = at.join("config");
    let (commondir, alternates) = (at.join("commondir"), at.join("objects/info/alternates"));
    let (shared, included, objects) =
        (git.display().to_string(), git.join("config"), git.join("objects"));
    let (real, work_tree) = (objects.clone(), other.path());
    let (first, second) = (config.clone(), config);
    [
        ("a commondir file", Box::new(move || fs::write(&commondir, &shared).unwrap())),
        (
            "objects/info/alternates",
            Box::new(move || fs::write(&alternates, real.as_os_str().as_bytes()).unwrap()),
        ),
        (
            "core.worktree in its config",
            Box::new(move || {
                let text = format!("[core]\n\tworktree = {}\n", work_tree.display());
                fs::write(&first, text).unwrap();
            }),
        ),
        (
            "an include in its config",
            Box::new(move || {
                let text = format!("[core]\n[ Include]\n\tpath = {}\n", included.display());
                fs::write(&second, text).unwrap();
            }),
        ),
        (
            "symbolic links",
            Box::new(move || {
                fs::remove_dir_all(at.join("objects")).unwrap();
                symlink(&objects, at.join("objects")).unwrap();
            }),
        ),
    ]
}

#[test]
fn a_committed_folder_is_no_repository() {
    let (other, head) = secret();
    for number in 0..5 {
        let repo = Repo::new();
        let planted = repo.path().join("deep/items");
        plant(&planted, &head);
        repo.write("deep/items/own.json", "{}");
        let (how, lead) = &leads(&planted, &other)[number];
        lead();
        let own = repo.commit("planted");
        for (at, expected) in
            [(planted.clone(), "deep/items"), (planted.join("refs"), "deep/items/refs")]
        {
            let (checkout, source) = discover(&at);
            assert_eq!(source.as_str(), expected, "{how}");
            assert_eq!(checkout.head().unwrap().0, own, "{how}");
            assert!(checkout.tree(&CommitId(head.clone())).is_err(), "{how}");
            let work_dir = checkout.work_dir().unwrap().canonicalize().unwrap();
            assert_eq!(work_dir, repo.path().canonicalize().unwrap(), "{how}");
        }
    }
}

#[test]
fn a_bare_repository_leads_nowhere_else() {
    let (other, head) = secret();
    for number in 0..5 {
        let repo = Repo::new();
        let planted = repo.beside("mounted");
        plant(&planted, &head);
        let (checkout, _) = discover(&planted);
        assert!(matches!(checkout.tree(&CommitId(head.clone())), Err(GitError::NoCommit { .. })));
        let (how, lead) = &leads(&planted, &other)[number];
        lead();
        let found = Checkout::discover(&planted).map(|_| ());
        assert!(
            matches!(&found, Err(GitError::Foreign { how: got, .. }) if got == how),
            "{found:?}"
        );
    }
    // A link further inside.
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let folder = repo.beside("bare.git/objects/ab");
    fs::create_dir_all(&folder).unwrap();
    discover(&repo.beside("bare.git"));
    symlink("/etc/hosts", folder.join("cd")).unwrap();
    let found = Checkout::discover(&repo.beside("bare.git")).map(|_| ());
    assert!(matches!(found, Err(GitError::Foreign { .. })), "{found:?}");
}

#[test]
fn the_configuration_of_a_worktree_leads_nowhere_else() {
    let (other, head) = secret();
    let included = other.path().join(".git/config");
    for (how, text) in [
        ("an include in its config", format!("[include]\n\tpath = {}\n", included.display())),
        (
            "core.worktree in its config",
            format!("[core]\n\tworktree = {}\n", other.path().display()),
        ),
        ("symbolic links", String::new()),
    ] {
        let repo = Repo::new();
        let planted = repo.beside("mounted");
        plant(&planted, &head);
        let extended =
            "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tworktreeConfig = true\n";
        fs::write(planted.join("config"), extended).unwrap();
        discover(&planted);
        if text.is_empty() {
            symlink(&included, planted.join("config.worktree")).unwrap();
        } else {
            fs::write(planted.join("config.worktree"), text).unwrap();
        }
        let found = Checkout::discover(&planted).map(|_| ());
        assert!(
            matches!(&found, Err(GitError::Foreign { how: got, .. }) if *got == how),
            "{how}: {found:?}"
        );
    }
}

#[test]
fn a_repository_of_a_stranger_above_the_source_is_not_believed() {
    let repo = Repo::new();
    repo.write("x/items/a.json", "{}").commit("one");
    let (git, items) = (repo.path().join(".git"), repo.path().join("x/items"));
    if git.metadata().unwrap().uid() != 0 || chown(&git, Some(1234), None).is_err() {
        eprintln!("skipped: only root gives files to somebody else");
        return;
    }
    let found = Checkout::discover(&items).map(|_| ()).unwrap_err();
    assert!(matches!(&found, GitError::Stranger { owner: 1234, source_owner: 0, .. }), "{found:?}");
    assert!(found.to_string().contains(git.to_str().unwrap()), "{found}");
    // Somebody names the checkout itself.
    for at in [repo.path(), git.clone()] {
        discover(&at);
    }
    // The same owner, as in a volume that another container fills.
    chown(&items, Some(1234), None).unwrap();
    discover(&items);
    // This process's, which is also root's.
    chown(&git, Some(0), None).unwrap();
    discover(&items);
}

#[test]
fn a_plain_folder_with_some_files_of_a_repository_is_none() {
    let repo = Repo::new();
    let folder = repo.beside("volume");
    fs::create_dir(&folder).unwrap();
    for name in ["HEAD", "config"] {
        fs::write(folder.join(name), "text").unwrap();
    }
    assert!(Checkout::discover(&folder).unwrap().is_none());
    // With a `.git`, be it empty, only that is asked.
    plant(&folder, "ref: refs/heads/main");
    fs::create_dir(folder.join(".git")).unwrap();
    assert!(Checkout::discover(&folder).unwrap().is_none());
}

#[test]
fn a_git_folder_with_a_commondir_is_refused() {
    let (other, _) = secret();
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    let shared = other.path().join(".git").display().to_string();
    fs::write(repo.path().join(".git/commondir"), shared).unwrap();
    let found = Checkout::discover(&repo.path()).map(|_| ());
    assert!(matches!(found, Err(GitError::Foreign { .. })), "{found:?}");
}

#[test]
fn shared_clones_submodules_and_separate_folders_work() {
    let repo = Repo::new();
    let head = repo.write("s/a.json", "{}").commit("one");
    repo.git(&["clone", "-q", "--shared", ".", "../shared"]);
    repo.git(&["init", "-q", "--separate-git-dir", "../apart.git", "../apart"]);
    repo.git(&["-C", "../apart", "fetch", "-q", "../checkout", "main"]);
    repo.git(&["-C", "../apart", "checkout", "-q", "FETCH_HEAD"]);
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    repo.git(&["-C", "../bare.git", "worktree", "add", "-q", "--detach", "../sync"]);
    symlink("sync", repo.beside("current")).unwrap();
    repo.git(&["init", "-q", "../super"]);
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"];
    repo.git(&[&["-C", "../super"][..], &add[..], &["../checkout", "sub"][..]].concat());
    for at in ["shared/s", "apart/s", "current/s", "super/sub/s"] {
        let (checkout, source) = discover(&repo.beside(at));
        assert_eq!(source.as_str(), "s", "{at}");
        assert_eq!(checkout.head().unwrap().0, head, "{at}");
        let mut tree = checkout.tree(&CommitId(head.clone())).unwrap();
        assert!(matches!(tree.resolve(&path("s/a.json")).unwrap().target, Target::File { .. }));
    }
    let (checkout, source) = discover(&repo.beside("super/.git/modules/sub"));
    assert_eq!((source.as_str(), checkout.head().unwrap().0), ("", head));
}

#[test]
fn a_huge_commit_tag_or_folder_is_not_read() {
    let repo = Repo::new();
    let own = repo.write("s/a.json", "{}").commit("one");
    let huge = "x".repeat(1024 * 1024);
    repo.git_with(&["tag", "-a", "-F", "-", "huge-tag"], huge.as_bytes());
    let (checkout, _) = discover(&repo.path());
    let tag = repo.git(&["rev-parse", "huge-tag"]);
    for text in ["huge-tag", &tag] {
        let found = checkout.resolve_revision(text);
        assert!(matches!(found, Err(GitError::Oversized { .. })), "{text}: {found:?}");
    }
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let commit = repo.git_with(&["commit-tree", &tree], huge.as_bytes());
    let found = checkout.tree(&CommitId(commit.clone())).map(|_| ());
    assert!(matches!(found, Err(GitError::Oversized { .. })), "{found:?}");
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    assert!(matches!(checkout.head(), Err(GitError::Oversized { .. })));

    // 64 MiB of one byte, which git keeps in 64 KiB.
    let length = 64 * 1024 * 1024 + 1;
    let folder = repo.git_with(
        &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        &vec![b'1'; length],
    );
    let root = forge(&repo, &[("40000", b"s", &folder)]);
    for (tree, source) in [(&folder, ""), (&root, "s")] {
        let commit = commit_tree_raw(&repo, tree);
        for since in [None, Some(CommitId(own.clone()))] {
            let found = checkout
                .tree(&commit)
                .and_then(|mut tree| tree.changes(&everything(source), since.as_ref(), &[].into()));
            assert!(
                matches!(&found, Err(GitError::Oversized { size, .. }) if *size == length as u64),
                "{found:?}"
            );
        }
    }
}

/// A commit of a tree that git itself would refuse.
fn commit_tree_raw(repo: &Repo, tree: &str) -> CommitId {
    let text = format!("tree {tree}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n\nx\n");
    CommitId(repo.git_with(
        &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        text.as_bytes(),
    ))
}
