//! Which commit of a remote is wanted.

use std::collections::BTreeMap;

use git2::{Oid, Reference};

use super::error::RemoteError;
use crate::domain::text;

/// Which commit of a remote is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Wanted {
    /// What the remote's HEAD leads to: its default branch, also after that
    /// was renamed.
    #[default]
    Head,
    /// This branch (`--branch`).
    Branch(String),
    /// A tag (followed when it moves), a branch, a full name `refs/…`, or the
    /// full id of a commit (`--revision`).
    Revision(String),
}

/// Where a ref leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    /// The object to ask for.
    pub(super) object: Oid,
    /// The commit that this is, unless that shows only when it is read.
    pub(super) commit: Option<Oid>,
}

/// The refs of a remote, as far as they are wanted.
#[derive(Debug, Default)]
pub(super) struct Refs {
    tips: BTreeMap<String, Tip>,
    /// The branch that HEAD names, if the server says so.
    pub(super) head: Option<String>,
    /// Whether there is any ref, as far as that shows.
    pub(super) any: bool,
}

impl Wanted {
    /// Whether a name can be looked for at all.
    pub(super) fn check(&self) -> Result<(), RemoteError> {
        let (option, text, names) = match self {
            Self::Head => return Ok(()),
            Self::Branch(name) => ("--branch", name, self.names()),
            Self::Revision(name) => ("--revision", name, self.names()),
        };
        if names.iter().all(|name| Reference::is_valid_name(name)) {
            return Ok(());
        }
        let shown = text::cut(text, 60);
        Err(RemoteError::refused(format!("{option} {shown:?} is no name that git gives")))
    }

    /// The refs that may be it, the first that is there wins; none for an id.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Head => vec!["HEAD".to_owned()],
            Self::Branch(name) => vec![format!("refs/heads/{name}")],
            Self::Revision(_) if self.id().is_some() => Vec::new(),
            Self::Revision(name) if name.starts_with("refs/") => vec![name.clone()],
            // Git prefers tags, too.
            Self::Revision(name) => vec![format!("refs/tags/{name}"), format!("refs/heads/{name}")],
        }
    }

    /// The commit that is named by its id.
    pub(super) fn id(&self) -> Option<Oid> {
        match self {
            Self::Revision(text) => Oid::from_str(text).ok().filter(|_| text.len() == 40),
            Self::Head | Self::Branch(_) => None,
        }
    }

    /// Where it leads.
    pub(super) fn choose(&self, refs: &Refs, remote: &str) -> Result<Tip, RemoteError> {
        if let Some(object) = self.id() {
            return Ok(Tip { object, commit: Some(object) });
        }
        if let Some(tip) = self.names().iter().find_map(|name| refs.tips.get(name)) {
            return Ok(*tip);
        }
        Err(RemoteError::missing(match self {
            Self::Head => match &refs.head {
                Some(head) => {
                    let head = text::cut(head.trim_start_matches("refs/heads/"), 60);
                    format!(
                        "{remote} has no commit yet on its default branch {head}; push one, or name another branch with --branch"
                    )
                }
                None if refs.any => {
                    format!("the HEAD of {remote} leads to no commit; name a branch with --branch")
                }
                None => format!("{remote} has no commit yet; push one"),
            },
            Self::Branch(name) => format!(
                "{remote} has no branch {}; if it was deleted or renamed, name another with --branch, else push it",
                text::cut(name, 60)
            ),
            Self::Revision(name) => format!(
                "{remote} has no tag and no branch {}; a commit is named by all of its 40 digits",
                text::cut(name, 60)
            ),
        }))
    }
}

impl Refs {
    /// Takes in a ref, if it is one of `names`.
    pub(super) fn note(&mut self, names: &[String], name: &str, object: Oid, peeled: Option<Oid>) {
        self.any = true;
        if names.iter().any(|wanted| wanted == name) {
            // A ref outside of tags may lead to a tag object, too; it shows
            // when it is read.
            let commit = peeled.or_else(|| Some(object).filter(|_| is_branch(name)));
            self.tips.insert(name.to_owned(), Tip { object, commit });
        }
    }

    /// Takes in what the annotated tag `name` leads to.
    pub(super) fn note_peeled(&mut self, name: &str, commit: Oid) {
        if let Some(tip) = self.tips.get_mut(name) {
            tip.commit = Some(commit);
        }
    }
}

fn is_branch(name: &str) -> bool {
    name == "HEAD" || name.starts_with("refs/heads/")
}
