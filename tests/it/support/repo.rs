//! Real git repositories in temporary folders, made by the `git` program and
//! by nothing of the machine's or the user's configuration.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A checkout with its own home folder.
pub(crate) struct Repo {
    dir: TempDir,
}

impl Repo {
    /// An empty repository whose branch `main` has no commit yet.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same, with further arguments of `git init`.
    pub(crate) fn with(init: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("checkout")).unwrap();
        let repo = Self { dir };
        repo.git(&[&["init", "-q", "-b", "main"], init].concat());
        repo
    }

    /// The root of the checkout.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("checkout")
    }

    /// A path beside the checkout, for clones, worktrees and the like.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, in place of whatever was there or in the way.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Self {
        self.clear(path);
        fs::write(self.path().join(path), bytes).unwrap();
        self
    }

    /// Makes a symbolic link, in place of whatever was there or in the way.
    pub(crate) fn symlink(&self, path: &str, target: &str) -> &Self {
        self.clear(path);
        symlink(target, self.path().join(path)).unwrap();
        self
    }

    /// Removes a file, link or folder; nothing if it is not there.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        let path = self.path().join(path);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path).unwrap(),
            Ok(_) => fs::remove_file(path).unwrap(),
            Err(_) => {}
        }
        self
    }

    fn clear(&self, path: &str) {
        let ancestors: Vec<&Path> = Path::new(path).ancestors().skip(1).collect();
        for folder in ancestors.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            let full = self.path().join(folder);
            if fs::symlink_metadata(&full).is_ok_and(|found| !found.is_dir()) {
                fs::remove_file(&full).unwrap();
            }
        }
        self.remove(path);
        fs::create_dir_all(self.path().join(path).parent().unwrap()).unwrap();
    }

    /// Commits everything that differs, or nothing; returns the id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the checkout; its output, trimmed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_with(args, b"")
    }

    /// The same with bytes on its standard input.
    pub(crate) fn git_with(&self, args: &[&str], input: &[u8]) -> String {
        let out = self.run(OsStr::new("git"), args, input);
        String::from_utf8(out).unwrap().trim().to_owned()
    }

    fn run(&self, program: &OsStr, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada Author")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_NAME", "Carl Committer")
            .env("GIT_COMMITTER_EMAIL", "carl@example.com")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:06Z")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }
}
