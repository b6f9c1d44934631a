//! Why a command could not do its work, and what to do about it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::commands::Exit;
use crate::config::ConfigError;
use crate::cycle::CycleError;
use crate::domain::approval::NoPlan;
use crate::domain::schema::SchemaError;
use crate::domain::text::clean;
use crate::edge::folder::FolderError;
use crate::edge::git::remote::RemoteError;
use crate::edge::git::{GitError, fetch_line};
use crate::edge::marketplace::{CallError, InventoryError, SetupError};
use crate::edge::metrics::MetricsError;
use crate::edge::probe::ProbeError;
use crate::edge::source::SourceError;
use crate::edge::store::StoreError;
use crate::edge::telemetry::InvalidLevel;
use crate::embedded::EmbeddedError;

/// What to do about what another try may find otherwise.
const AGAIN: &str = "this may pass: run it again later";

/// The work could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log settings cannot be used.
    #[error(transparent)]
    Log(#[from] InvalidLevel),
    /// A schema of `--schema` cannot be read.
    #[error("cannot read the schema {}", path.display())]
    ReadSchema {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A schema cannot be used.
    #[error("a schema cannot be used{}", path.as_ref().map(|path| format!(": {}", path.display())).unwrap_or_default())]
    Schema {
        /// The file; none for those of the program.
        path: Option<PathBuf>,
        /// Why.
        #[source]
        source: SchemaError,
    },
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The marketplace cannot be talked to.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The pass could not be made, or not to its end.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The marketplace refuses, or cannot be reached.
    #[error(transparent)]
    Market(CallError),
    /// A plan cannot be read.
    #[error("cannot read the plan {}", path.display())]
    ReadPlan {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A plan cannot be written.
    #[error("cannot write the plan {}", path.display())]
    WritePlan {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no plan.
    #[error("the plan {} cannot be used", path.display())]
    NoPlan {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NoPlan,
    },
    /// A plan is for something else.
    #[error("the plan {} is for the {what} {planned}, not for {asked}", path.display())]
    PlanOfAnother {
        /// The file.
        path: PathBuf,
        /// Endpoint or company.
        what: &'static str,
        /// What the plan says.
        planned: String,
        /// What `apply` was told.
        asked: String,
    },
    /// The items of the company cannot be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A file cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Nobody said where the embedded marketplace keeps its items.
    #[error("the embedded marketplace keeps its items in the state directory, and none is named")]
    EmbeddedState,
    /// The embedded marketplace cannot run.
    #[error("the embedded marketplace cannot run")]
    Embedded(#[from] EmbeddedError),
    /// A switch of the embedded marketplace is unknown.
    #[error("the switch {switch} cannot be set: {why}")]
    Switch {
        /// As given.
        switch: String,
        /// What is wrong.
        why: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no state to show.
    #[error("there is no state in {}", dir.display())]
    NoState {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// The state knows nothing of an item.
    #[error("the state in {} has no history of {item}", dir.display())]
    NoHistory {
        /// The state directory.
        dir: PathBuf,
        /// What was asked for: an item, or one version of it.
        item: String,
        /// What to do.
        hint: String,
    },
    /// The daemon's own work ended, which it never does by itself.
    #[error("the work of the daemon ended by itself; the log says what came before")]
    Ended,
    /// The remote repository cannot be read.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A fetch that went left no clone.
    #[error("the remote repository was fetched, and there is no clone of it")]
    NoClone,
    /// The metrics cannot be made.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A secret that was named cannot be used.
    #[error("{0}")]
    Secret(String),
    /// A running process cannot be asked.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The result could not be printed.
    #[error("the result could not be printed")]
    Print(#[source] std::io::Error),
    /// The system refuses something that every program needs.
    #[error("cannot {what}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl CommandError {
    /// What to do, where the message does not say it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::NoState { .. } => Some(
                "run `marketsync apply` first, or name the state with --state, or with the --endpoint, \
                 --company-id and SOURCE that apply was given"
                    .to_owned(),
            ),
            Self::Source(SourceError::Git(GitError::UnknownRevision { text, is_shallow, .. })) => {
                let deepen = "; the clone is shallow: `git fetch --unshallow` brings what lies behind its end";
                Some(format!(
                    "`{}` brings it, if it is a branch of the remote repository{}",
                    fetch_line(text),
                    if *is_shallow { deepen } else { "" }
                ))
            }
            Self::Source(error) | Self::Cycle(CycleError::Source(error)) if lacks(error) => Some(
                "`git fetch --unshallow` completes a shallow clone, `git fetch --refetch --no-filter` a partial one"
                    .to_owned(),
            ),
            Self::Cycle(CycleError::Departed(_)) => Some(
                "look at what is to be done now with `marketsync diff --out`, and apply that plan; apply \
                 needs the options of the pass that diff was given"
                    .to_owned(),
            ),
            Self::Cycle(error) if error.is_transient() => Some(AGAIN.to_owned()),
            Self::Market(error) | Self::Inventory(InventoryError::Call(error))
                if error.is_transient() =>
            {
                Some(AGAIN.to_owned())
            }
            Self::Remote(error) if error.is_transient() => Some(AGAIN.to_owned()),
            Self::NoHistory { hint, .. } => Some(hint.clone()),
            Self::EmbeddedState => {
                Some("name the one of `marketsync apply` or `run` with --state DIR".to_owned())
            }
            Self::Probe(ProbeError::Unreachable { .. }) => Some(
                "check that `marketsync run` runs there, and that the URL is that of its --listen".to_owned(),
            ),
            Self::Probe(_) => Some("the URL is that of --listen of `marketsync run`, without /status".to_owned()),
            Self::Listen { .. } => Some("choose another address with --listen; port 0 takes any free one".to_owned()),
            Self::Switch { .. } => Some("docs/embedded-marketplace.md lists the switches and their values".to_owned()),
            _ => None,
        }
    }

    /// How the process ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Cycle(CycleError::Departed(departure)) if !departure.is_transient() => {
                Exit::Guarded
            }
            _ => Exit::CouldNot,
        }
    }

    /// Whether the command printed its result before it failed.
    pub fn has_printed(&self) -> bool {
        matches!(self, Self::Cycle(_) | Self::Print(_) | Self::Inventory(_) | Self::Folder(_))
    }

    /// The message and all its causes, each said once.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// Whether a clone has not all that it should have.
fn lacks(error: &SourceError) -> bool {
    use GitError as G;
    matches!(
        error,
        SourceError::Git(G::Lacking { .. } | G::NoCommit { .. })
            | SourceError::Damaged { source: G::Lacking { .. } | G::NoCommit { .. }, .. }
    )
}

/// The same in one line, for the log.
pub fn line(error: &dyn Error) -> String {
    chain(error).replace("\n  because ", ", because ")
}

/// The message of an error and all its causes, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = clean(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n  because {}", clean(&error.to_string()));
        cause = error.source();
    }
    text
}
