//! What the daemon is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::connect::{self, Connect, secret};
use super::error::ConfigError;
use super::layers::Layers;
use super::{PassConfig, SourceConfig, identity, listen, pass, source, state_of, value};
use crate::cli::{self, Drift};
use crate::edge::secret::Secret;
use crate::edge::store::Identity;

/// How often HEAD is looked at beside the events (`practice.md` §4).
const POLL_EVERY: Duration = Duration::from_secs(10);

/// How often a remote repository is fetched (`practice.md` §4).
const FETCH_EVERY: Duration = Duration::from_mins(1);

/// How often items are looked at in the marketplace (`practice.md` §4).
const DRIFT_EVERY: Duration = Duration::from_mins(10);

/// How many looks there are in a second at most (`practice.md` §4).
const DRIFT_RATE: u32 = 20;

/// A daemon.
#[derive(Debug)]
pub struct RunConfig {
    /// Which files.
    pub source: SourceConfig,
    /// Which marketplace.
    pub connect: Connect,
    /// The state directory.
    pub state: PathBuf,
    /// What that state is for.
    pub identity: Identity,
    /// What a pass may do.
    pub pass: PassConfig,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The secret of the webhook; without it there is none.
    pub hook_secret: Option<Secret>,
    /// How often HEAD is looked at beside the events.
    pub poll_every: Duration,
    /// How often a remote source is fetched.
    pub fetch_every: Duration,
    /// How often items are looked at in the marketplace.
    pub drift_every: Duration,
    /// How many looks there are in a second at most.
    pub drift_rate: u32,
}

pub(super) fn run(layers: &Layers<'_>, args: &cli::Run) -> Result<RunConfig, ConfigError> {
    let source = source(layers, &args.source, Some(&args.remote))?;
    if source.working_tree {
        return Err(ConfigError::Invalid {
            origin: "--working-tree".to_owned(),
            why: "`run` follows commits; only `apply` and `validate` read files that are not \
                  committed"
                .to_owned(),
        });
    }
    let connect = connect::connect(layers, &args.connection)?;
    let identity = identity(&connect, &source);
    let beat = &args.beat;
    let every = |name, flag, default| Ok(value(layers.one(name, flag, cli::beat)?, default));
    let file = layers.path("hook_secret_file", beat.hook_secret_file.as_ref())?;
    let rate = |text: &str| match text.parse() {
        Ok(rate @ 1..=1000) => Ok(rate),
        _ => Err(format!("`{text}` is no whole number from 1 to 1000")),
    };
    Ok(RunConfig {
        state: state_of(layers, &args.state, &identity)?,
        pass: pass(layers, &args.pass, Drift::Report)?,
        listen: listen(layers, beat.listen.as_ref())?,
        hook_secret: secret(layers, "HOOK_SECRET", file)?.map(|given| given.value),
        poll_every: every("poll_every", beat.poll_every, POLL_EVERY)?,
        fetch_every: every("fetch_every", beat.fetch_every, FETCH_EVERY)?,
        drift_every: every("drift_every", beat.drift_every, DRIFT_EVERY)?,
        drift_rate: value(layers.one("drift_rate", beat.drift_rate, rate)?, DRIFT_RATE),
        source,
        connect,
        identity,
    })
}
