//! The commit that a branch is compared with.

use git2::{ErrorCode, Oid};

use super::{Checkout, GitError};
use crate::domain::item::CommitId;

/// What a commit is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The commit.
    pub commit: CommitId,
    /// Whether it is the one that was asked for.
    pub is_asked: bool,
    /// Whether it is the last one that both share (git's merge base).
    pub is_shared: bool,
    /// Whether this clone lacks a part of the history.
    pub is_shallow: bool,
}

impl Checkout {
    /// What `head` is compared with if somebody names `revision`: the last
    /// commit that both share, else the revision itself. A clone that is not
    /// deep enough does not show what they share.
    pub fn base(&self, head: &CommitId, revision: &str) -> Result<Base, GitError> {
        let asked = self.resolve_revision(revision)?;
        let oid = |commit: &CommitId| {
            Oid::from_str(&commit.0).map_err(|_| GitError::NoCommit { commit: commit.clone() })
        };
        let is_shallow = self.repo.is_shallow();
        match self.repo.merge_base(oid(head)?, oid(&asked)?) {
            Ok(shared) => {
                let commit = CommitId(shared.to_string());
                Ok(Base { is_asked: commit == asked, commit, is_shared: true, is_shallow })
            }
            Err(error) if error.code() == ErrorCode::NotFound => {
                Ok(Base { commit: asked, is_asked: true, is_shared: false, is_shallow })
            }
            Err(error) => Err(GitError::read("what the two commits share")(error)),
        }
    }
}

/// The line that brings a revision of that name into a clone.
pub fn fetch_line(revision: &str) -> String {
    let is_plain = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
            && !text.starts_with('-')
    };
    if !is_plain(revision) || revision.is_empty() {
        return "git fetch origin".to_owned();
    }
    if revision.len() >= 40 && revision.chars().all(|c| c.is_ascii_hexdigit()) {
        return format!("git fetch origin {revision}");
    }
    if let Some(tag) = revision.strip_prefix("refs/tags/") {
        return format!("git fetch origin tag {tag}");
    }
    // A name of the remote is fetched as such, any other as the branch that it
    // would be here.
    let tracked = revision.strip_prefix("refs/remotes/").unwrap_or(revision);
    if let Some((remote @ ("origin" | "upstream"), branch)) = tracked.split_once('/') {
        return format!("git fetch {remote} +refs/heads/{branch}:refs/remotes/{remote}/{branch}");
    }
    let branch = revision.strip_prefix("refs/heads/").unwrap_or(revision);
    format!("git fetch origin +refs/heads/{branch}:refs/heads/{branch}")
}

#[cfg(test)]
mod tests {
    use super::fetch_line;

    #[test]
    fn the_line_brings_what_was_named() {
        let branch = "git fetch origin +refs/heads/main:refs/remotes/origin/main";
        for name in ["origin/main", "refs/remotes/origin/main"] {
            assert_eq!(fetch_line(name), branch);
        }
        for name in ["feature/x", "refs/heads/feature/x"] {
            let line = "git fetch origin +refs/heads/feature/x:refs/heads/feature/x";
            assert_eq!(fetch_line(name), line);
        }
        assert_eq!(fetch_line("refs/tags/v1"), "git fetch origin tag v1");
        let id = "0123456789012345678901234567890123456789";
        assert_eq!(fetch_line(id), format!("git fetch origin {id}"));
        for odd in ["a b", "x;rm -rf", "-x", "", "HEAD~3", "$(id)"] {
            assert_eq!(fetch_line(odd), "git fetch origin", "{odd}");
        }
    }
}
