//! `run`: the daemon. What is set up once, and how it ends.

mod fetching;
mod place;
mod search;
mod clock;
mod after;
mod passes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::info;
use url::Url;

use crate::cli::Drift;
use crate::commands::Exit;
use crate::commands::failure::CommandError;
use crate::commands::market::{client, gone, start_embedded};
use crate::commands::remote;
use crate::commands::signals::Signals;
use crate::commands::standards::{open_source, standards};
use crate::config::{Connect, Endpoint, RunConfig, SourceConfig};
use crate::daemon::{self, Pace};
use crate::domain::standing::{About, Standing, Trigger};
use crate::edge::git::GitError;
use crate::edge::git::remote::Remote;
use crate::edge::heartbeat::Heartbeat;
use crate::edge::hook::Hook;
use crate::edge::marketplace::{Call, Credential, Marketplace, Patience};
use crate::edge::metrics::Metrics;
use crate::edge::serve::{Serving, serve};
use crate::edge::source::SourceError;
use crate::edge::store::{Store, StoreError};

use fetching::Fetcher;
use passes::{Parts, Passes};

/// How much longer than the longest call nothing may make progress before
/// `/healthz` says so (`practice.md` §5).
const SILENCE: Duration = Duration::from_mins(1);

/// Follows the source until a signal comes.
pub async fn run(config: RunConfig) -> Result<Exit, CommandError> {
    let mut signals = Signals::catch()?;
    let config = Arc::new(config);
    let Connect { endpoint, company, origin, .. } = &config.connect;
    info!(source = config.identity.source, %endpoint, company, from = origin, "Running");
    check_secrets(&config).await?;
    check_source(&config.source)?;
    let store = Store::open(&config.state, &config.identity, Timestamp::now())?;
    let standards = standards(&config.source, Some(company))?;
    let remote = remote::open(&config.source, &config.state)?.map(Arc::new);
    let listener = listen(config.listen).await?;
    let mut servers = JoinSet::new();
    let url = match endpoint {
        Endpoint::Remote(url) => url.clone(),
        Endpoint::Embedded => start_embedded(&config.state, &mut servers).await?,
    };
    let (common, market) = common(&config, url, &signals)?;
    let mut windows = JoinSet::new();
    windows.spawn(serve(listener, serving(&config, &common), std::future::pending()));
    if let Some(remote) = &remote {
        windows.spawn(fetch(fetcher(&config, &common, Arc::clone(remote)), signals.stop()));
    }
    windows.spawn(say_that_it_stops(signals.stop()));
    let pace = pace(&config);
    let parts = Parts { config, store, standards, market, remote, common: common.clone() };
    let passes = Passes::new(parts)?;
    let done = on_its_own_thread(passes, pace, common)?;
    let (ended, signal) = tokio::select! {
        ended = signals.guard(done) => ended,
        Some(server) = servers.join_next() => return Err(gone(server)),
        Some(window) = windows.join_next() => return Err(closed(window)),
    };
    servers.shutdown().await;
    windows.shutdown().await;
    match (ended, signal) {
        (Some(Ok(Err(error))), _) => Err(error.into()),
        // A thread that panicked has dropped its end.
        (Some(Err(_)), _) | (_, None) => Err(CommandError::Ended),
        (_, Some(_)) => Ok(Exit::Good),
    }
}

/// What the tasks of the process share.
#[derive(Clone)]
struct Common {
    heart: Heartbeat,
    metrics: Metrics,
    standing: watch::Sender<Arc<Standing>>,
    /// Told when somebody called the webhook.
    called: Arc<Notify>,
    /// Told when a fetch brought something new.
    moved: Arc<Notify>,
    stop: watch::Receiver<bool>,
}

fn common(
    config: &RunConfig,
    url: Url,
    signals: &Signals,
) -> Result<(Common, Marketplace), CommandError> {
    let (heart, metrics) = (Heartbeat::default(), Metrics::new()?);
    let (beating, counting) = (heart.clone(), metrics.clone());
    let log = move |call: &Call| {
        beating.beat();
        counting.call(call);
    };
    let market = client(&config.connect, url, log)?;
    metrics.in_flight(market.in_flight());
    let standing = watch::Sender::new(Arc::new(Standing::new(About {
        source: config.identity.source.clone(),
        endpoint: config.connect.endpoint.to_string(),
        company: config.connect.company.clone(),
        started: Timestamp::now(),
    })));
    let (called, moved) = (Arc::default(), Arc::default());
    Ok((Common { heart, metrics, standing, called, moved, stop: signals.stop() }, market))
}

fn serving(config: &RunConfig, common: &Common) -> Serving {
    let hook = config.hook_secret.clone();
    Serving {
        metrics: common.metrics.clone(),
        standing: common.standing.subscribe(),
        heart: common.heart.clone(),
        patience: Patience::default().request + SILENCE,
        hook: hook.map(|secret| Hook { secret, called: Arc::clone(&common.called) }),
        stop: common.stop.clone(),
        state: config.state.clone(),
    }
}

fn fetcher(config: &RunConfig, common: &Common, remote: Arc<Remote>) -> Fetcher {
    Fetcher { remote, every: config.fetch_every, common: common.clone() }
}

/// Reads every secret once, so that one that is missing is told at the start
/// and not when it is needed.
async fn check_secrets(config: &RunConfig) -> Result<(), CommandError> {
    let credential = match &config.connect.credential {
        Credential::Basic { secret, .. } => Some(secret),
        Credential::PrivateKeyJwt { key, .. } => Some(key),
        Credential::Token { token } => Some(token),
        Credential::None => None,
    };
    for secret in [credential, config.hook_secret.as_ref()].into_iter().flatten() {
        secret.read().await.map_err(CommandError::Secret)?;
    }
    Ok(())
}

/// Tells at the start what waiting does not mend. A folder that is missing is
/// waited for: whoever makes it may start later.
fn check_source(config: &SourceConfig) -> Result<(), CommandError> {
    use {GitError as G, SourceError as S};
    match open_source(config) {
        Err(CommandError::Source(
            error @ (S::Path { .. }
            | S::NoRevisions { .. }
            | S::Git(G::NotADirectory { .. } | G::NotUtf8 { .. } | G::Foreign { .. })),
        )) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Tells that the signal was heard: the call under way is waited for, and a
/// second signal ends the process at once.
async fn say_that_it_stops(mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    if stop.wait_for(|stopped| *stopped).await.is_ok() {
        info!("Stopping");
    }
    std::future::pending().await
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    let refused = |source| CommandError::Listen { address: address.to_string(), source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    info!(%address, "Listening");
    Ok(listener)
}

/// Fetches until the process ends.
async fn fetch(fetcher: Fetcher, stop: watch::Receiver<bool>) -> std::io::Result<()> {
    fetcher.run().await;
    if *stop.borrow() {
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Why what serves the passes ended, which never ends by itself.
fn closed(window: Result<std::io::Result<()>, JoinError>) -> CommandError {
    let source = match window {
        Ok(Err(error)) => error,
        Ok(Ok(())) => std::io::Error::other("it ended"),
        Err(error) => std::io::Error::other(error),
    };
    CommandError::System { what: "go on listening and fetching", source }
}

fn pace(config: &RunConfig) -> Pace {
    let drift = (config.pass.drift != Drift::Off).then_some(config.drift_every);
    Pace { poll: config.poll_every, drift }
}

/// Makes the passes on a thread of their own: however long a source takes to
/// be parsed, signals and probes are answered. What is returned completes when
/// the passes ended, or the thread did.
fn on_its_own_thread(
    mut passes: Passes,
    pace: Pace,
    common: Common,
) -> Result<oneshot::Receiver<Result<(), StoreError>>, CommandError> {
    let (done, ended) = oneshot::channel();
    let Common { heart, standing, called, moved: fetched, stop, .. } = common;
    let runtime = Handle::current();
    let work = move || {
        let (hurry, wakes) = (passes.hurry(), passes.wakes());
        let moved = async || match &wakes {
            // The webhook of a remote source calls the fetcher.
            None => {
                fetched.notified().await;
                Trigger::Commit
            }
            Some(wakes) => tokio::select! {
                () = wakes.moved() => Trigger::Commit,
                () = called.notified() => Trigger::Hook,
            },
        };
        let turn = async |trigger| passes.turn(trigger).await;
        let next = |pause| {
            heart.rest();
            Passes::next(&standing, pause);
        };
        let ended = runtime.block_on(daemon::drive(pace, &hurry, stop, moved, turn, next));
        // The state is closed in order before anybody is told.
        drop(passes);
        // Nobody waits for it after a second signal.
        let _ = done.send(ended);
    };
    std::thread::Builder::new().name("passes".to_owned()).spawn(work).map_err(|source| {
        CommandError::System { what: "start the threads of the program", source }
    })?;
    Ok(ended)
}
