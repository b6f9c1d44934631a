//! `run`: the daemon. What is set up once, and how it ends.

mod passes;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tracing::info;

use crate::cli::Drift;
use crate::commands::Exit;
use crate::commands::failure::CommandError;
use crate::commands::market::{client, gone, start_embedded};
use crate::commands::signals::Signals;
use crate::commands::standards::standards;
use crate::config::{Connect, Endpoint, RunConfig};
use crate::daemon::{self, Pace};
use crate::domain::standing::{About, Standing, Trigger};
use crate::edge::heartbeat::Heartbeat;
use crate::edge::store::Store;

use passes::{Parts, Passes};

/// Follows the source until a signal comes.
pub async fn run(config: RunConfig) -> Result<Exit, CommandError> {
    let mut signals = Signals::catch()?;
    let config = Arc::new(config);
    let Connect { endpoint, company, origin, .. } = &config.connect;
    info!(source = config.identity.source, %endpoint, company, from = origin, "Running");
    let started = Timestamp::now();
    let store = Store::open(&config.state, &config.identity, started)?;
    let standards = standards(&config.source, Some(company))?;
    let mut servers = JoinSet::new();
    let url = match endpoint {
        Endpoint::Remote(url) => url.clone(),
        Endpoint::Embedded => start_embedded(&config.state, &mut servers).await?,
    };
    let heart = Heartbeat::default();
    let beating = heart.clone();
    let market = client(&config.connect, url, move |_| beating.beat())?;
    let standing = watch::Sender::new(Arc::new(Standing::new(About {
        source: config.identity.source.clone(),
        endpoint: endpoint.to_string(),
        company: company.clone(),
        started,
    })));
    let pace = pace(&config);
    let parts = Parts {
        config,
        store,
        standards,
        market,
        heart,
        publish: standing.clone(),
        stop: signals.stop(),
    };
    let passes = Passes::new(parts)?;
    let done = on_its_own_thread(passes, pace, standing, signals.stop())?;
    let (_, signal) = tokio::select! {
        ended = signals.guard(done) => ended,
        Some(server) = servers.join_next() => return Err(gone(server)),
    };
    servers.shutdown().await;
    match signal {
        Some(_) => Ok(Exit::Good),
        None => Err(CommandError::Ended),
    }
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
    standing: watch::Sender<Arc<Standing>>,
    stop: watch::Receiver<bool>,
) -> Result<oneshot::Receiver<()>, CommandError> {
    let (done, ended) = oneshot::channel();
    let runtime = Handle::current();
    let work = move || {
        let hurry = passes.hurry();
        let moved = async || std::future::pending::<Trigger>().await;
        let turn = async |trigger| passes.turn(trigger).await;
        let next = |pause| Passes::next(&standing, pause);
        runtime.block_on(daemon::drive(pace, &hurry, stop, moved, turn, next));
        // Nobody waits for it after a second signal.
        let _ = done.send(());
    };
    std::thread::Builder::new().name("passes".to_owned()).spawn(work).map_err(|source| {
        CommandError::System { what: "start the threads of the program", source }
    })?;
    Ok(ended)
}
