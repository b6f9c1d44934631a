//! What can be wrong with a configuration, and what to do about it.

use std::path::PathBuf;

/// Why there is no usable configuration. Always exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("the configuration file {} cannot be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{place}: {message}")]
    Malformed {
        /// File, line and column, as far as known.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// There is no such setting.
    #[error("{place}: there is no setting `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// File, line and column.
        place: String,
        /// What stands there.
        name: String,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
    /// There is no such variable.
    #[error("the environment sets {name}, and marketsync has no such variable{}", did_you_mean(nearest.as_deref()))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
    /// A value cannot be used.
    #[error("{origin}: {why}")]
    Invalid {
        /// Where the value was given.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something must be given.
    #[error("no {what} is given")]
    Missing {
        /// What.
        what: &'static str,
        /// How to give it.
        hint: String,
    },
    /// A part of a credential is missing.
    #[error("{given} is given without {missing}")]
    HalfCredential {
        /// What is there, and from where.
        given: String,
        /// What is not.
        missing: &'static str,
        /// How to give it.
        hint: String,
    },
    /// Two settings exclude each other.
    #[error("both {one} and {other} are given, and only one can be used")]
    Both {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
    /// The context of miactl that would be used cannot be.
    #[error("the context {context} of miactl in {} cannot be used: {why}", .file.display())]
    Context {
        /// miactl's configuration.
        file: PathBuf,
        /// Its current context.
        context: String,
        /// Why not.
        why: String,
        /// What to do.
        hint: String,
    },
}

impl ConfigError {
    /// What to do, where the message does not say it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { hint, .. } | Self::HalfCredential { hint, .. } | Self::Context { hint, .. } => {
                Some(hint.clone())
            }
            Self::Both { .. } => Some("unset one of them; an option does not unset another one".to_owned()),
            Self::UnknownVariable { .. } => {
                Some("marketsync --help names the options; each has a variable of the same name".to_owned())
            }
            Self::UnknownKey { .. } => {
                Some("marketsync --help names the options; each has a key of the same name; secrets do not belong into this file".to_owned())
            }
            Self::Unreadable { .. } | Self::Malformed { .. } | Self::Invalid { .. } => None,
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
