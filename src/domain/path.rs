//! Paths inside a checkout. What is outside of it has no such path.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::text::clean;

/// The path of a file from the root of the checkout (for a plain directory,
/// from SOURCE): UTF-8, `/` between its names, no empty name, no `.`, no `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepoPath(String);

/// A relative path climbs out of the checkout, or is absolute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutsideCheckout {
    /// The path begins with `/`.
    #[error("the path is absolute")]
    Absolute,
    /// There are more `..` than folders above.
    #[error("the path leads out of the checkout")]
    Above,
}

impl RepoPath {
    /// The root of the checkout.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// This path, normalised from the root: `a//./b/../c` is `a/c`.
    pub fn new(path: &str) -> Result<Self, OutsideCheckout> {
        Self::root().join(path)
    }

    /// `relative`, seen from this folder.
    pub fn join(&self, relative: &str) -> Result<Self, OutsideCheckout> {
        if relative.starts_with('/') {
            return Err(OutsideCheckout::Absolute);
        }
        let mut names: Vec<&str> = self.names().collect();
        for name in relative.split('/') {
            match name {
                "" | "." => {}
                ".." => {
                    names.pop().ok_or(OutsideCheckout::Above)?;
                }
                name => names.push(name),
            }
        }
        Ok(Self(names.join("/")))
    }

    /// The folder that holds this path; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned()))
    }

    /// The last name, empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The names from the root downwards.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Whether this path is `folder` or lies below it.
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.0.is_empty()
            || self
                .0
                .strip_prefix(&folder.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For people: a name may hold what would move the cursor of a terminal.
/// [`RepoPath::as_str`] is the exact text.
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(if self.0.is_empty() { "." } else { &self.0 }))
    }
}
