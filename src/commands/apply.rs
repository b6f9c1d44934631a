//! `apply`: the whole line, repeated until nothing is left to try again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::cli::LogFormat;
use crate::commands::failure::CommandError;
use crate::commands::market::{client, gone, rest_after, setting, start_embedded};
use crate::commands::order::order;
use crate::commands::progress::Progress;
use crate::commands::remote::{Opened, open_once};
use crate::commands::signals::Signals;
use crate::commands::standards::{fingerprint, open_source, standards, warn_of_uncommitted};
use crate::commands::{Exit, parted, plan_file, print};
use crate::config::{ApplyConfig, Connect, Endpoint, Location};
use crate::cycle::{self, Approved, CycleError, Order, World};
use crate::daemon::until_settled;
use crate::domain::approval::{Approval, Line, Looked};
use crate::domain::event::{Event, Rest};
use crate::domain::item::Digest;
use crate::domain::looks::Looks;
use crate::domain::plan::Scope;
use crate::domain::report::{Report, json, text};
use crate::domain::retries::Retries;
use crate::edge::git::remote::RemoteError;
use crate::edge::marketplace::Marketplace;
use crate::edge::source::{Source, SourceError};
use crate::edge::store::Store;
use crate::edge::telemetry;

/// What the last pass left, or why it could not be made.
type Passes = Result<Rest, CycleError>;

/// What every pass of a run uses.
struct Tools<'a> {
    source: &'a Source,
    market: &'a Marketplace,
    progress: &'a Progress,
    approval: Option<Arc<Approval>>,
    stop: watch::Receiver<bool>,
    log: LogFormat,
}

/// Applies the source once.
pub async fn apply(config: &ApplyConfig, log: LogFormat) -> Result<Exit, CommandError> {
    let mut signals = Signals::catch()?;
    let Connect { endpoint, company, origin, .. } = &config.connect;
    info!(%endpoint, company, from = origin, "Applying");
    let approval = match &config.plan {
        Some(path) => Some(Arc::new(plan_file::read(path, &config.connect)?)),
        None => None,
    };
    // A path that is wrong is told before a state is made.
    let here = match &config.source.location {
        Location::Here(_) => Some(open_source(&config.source)?),
        Location::Remote(_) => None,
    };
    here.iter().for_each(warn_of_uncommitted);
    let store = Store::open(&config.state, &config.identity, Timestamp::now())?;
    if let Some(before) = store.moved_from() {
        telemetry::notice(&format!(
            "this state was last used for the source {before}: what it recorded and this source lacks counts as removed"
        ));
    }
    let opened = match here {
        Some(source) => Opened::here(source),
        None => match signals.guard(Box::pin(fetched(config, signals.stop()))).await {
            (Some(opened), None) => opened?,
            (_, signal) => return finish(config, &Report::default(), None, signal),
        },
    };
    let source = &opened.source;
    let mut servers = JoinSet::new();
    let url = match endpoint {
        Endpoint::Remote(url) => url.clone(),
        Endpoint::Embedded => start_embedded(&config.state, &mut servers).await?,
    };
    let progress = Progress::start("reading items");
    let counting = progress.clone();
    let market = client(&config.connect, url, move |call| counting.count(call))?;

    let mut report = Report::default();
    let stop = signals.stop();
    let tools = Tools { source, market: &market, progress: &progress, approval, stop, log };
    let work = passes(config, store, tools, &mut report);
    let (result, signal) = tokio::select! {
        ended = signals.guard(work) => ended,
        Some(server) = servers.join_next() => {
            progress.end();
            return Err(gone(server));
        }
    };
    progress.end();
    servers.shutdown().await;
    finish(config, &report, result.transpose()?, signal)
}

/// The clone of a remote source, as of now.
async fn fetched(
    config: &ApplyConfig,
    stop: watch::Receiver<bool>,
) -> Result<Opened, CommandError> {
    let progress = Progress::start("fetching");
    let wait = |error: &RemoteError, pause: Duration| {
        progress.above(|| warn!(reason = %error, "Fetch failed"));
        tell_pause(&progress, pause);
    };
    let opened = open_once(&config.source, &config.state, config.retry_for, stop, wait).await;
    progress.end();
    opened
}

/// Says how long it is until the next try.
pub(super) fn tell_pause(progress: &Progress, pause: Duration) {
    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    progress.say(format!("trying again in {} s", pause.as_secs()));
    progress.above(|| info!(pause_ms, "Trying again"));
}

/// Runs passes until nothing is left to try again, and adds them up.
async fn passes(
    config: &ApplyConfig,
    mut store: Store,
    tools: Tools<'_>,
    report: &mut Report,
) -> Result<Passes, CommandError> {
    let Tools { source, market, progress, approval, stop, log } = tools;
    let company = &config.connect.company;
    let standards = standards(&config.source, Some(company))?;
    let mut ledger = store.load_ledger()?;
    let mut seen = store.recall_seen(fingerprint(&standards, source))?;
    let mut locations = store.image_locations()?;
    let (mut retries, mut looks) = (Retries::default(), Looks::default());
    if ledger.rows.is_empty() {
        info!("No record of earlier passes: every item is looked at, and what agrees is adopted");
    }
    let mut order = held_to(approval, order(&config.pass, stop.clone()));
    order.setting = setting(&config.connect.credential, standards.schemas.fingerprint());
    let mut told = BTreeSet::new();
    let mut tries = 0;
    let pass = async || {
        order.now = Timestamp::now();
        tries += 1;
        let mut tell = |event: &Event| {
            // A repeated pass finds the same problems and holds the same items:
            // what was said once is not said again.
            let settled = matches!(event, Event::Settled { .. });
            if settled || told.insert(Digest::of(format!("{event:?}").as_bytes())) {
                progress.tell(event, || match (event, log) {
                    (Event::Found(problem), LogFormat::Text) => telemetry::show(problem),
                    _ => telemetry::log(event, company),
                });
            }
        };
        let mut now = Report::default();
        let result = match anew(source, tries) {
            Ok(anew) => {
                let world = World {
                    source: anew.as_ref().unwrap_or(source),
                    standards: &standards,
                    market,
                    store: &mut store,
                    ledger: &mut ledger,
                    seen: &mut seen,
                    locations: &mut locations,
                    retries: &mut retries,
                    looks: &mut looks,
                };
                cycle::run(world, &order, &mut now, &mut tell).await
            }
            Err(error) => Err(error.into()),
        };
        if let Some(approved) = &mut order.approved {
            approved.done.get_or_insert_default().extend(done(&now));
        }
        *report = std::mem::take(report).continued(now);
        if let Err(error) = &result
            && error.is_transient()
        {
            progress.above(|| warn!(reason = %error, "Failed"));
        }
        result
    };
    let wait = |pause| tell_pause(progress, pause);
    let again = |error: &CycleError| rest_after(error, market);
    Ok(until_settled(config.retry_for, stop, pass, again, wait).await)
}

/// The source of a repeated pass; none for the first, which has one.
fn anew(source: &Source, tries: usize) -> Result<Option<Source>, SourceError> {
    if tries > 1 { source.again().map(Some) } else { Ok(None) }
}

/// What a pass has done of a plan.
fn done(report: &Report) -> impl Iterator<Item = Line> {
    let done = report.outcomes.values().filter(|outcome| outcome.result.is_ok());
    done.filter_map(|outcome| Line::of(&outcome.change))
}

/// A pass that does what was approved, and looks where was looked then.
fn held_to(approval: Option<Arc<Approval>>, order: Order) -> Order {
    let Some(approval) = approval else { return order };
    let scope = match approval.looked {
        Looked::New => Scope::New,
        Looked::All => Scope::All,
    };
    Order { scope, approved: Some(Approved { approval, done: None }), ..order }
}

/// Prints the result and says how the process ends. The result is printed
/// also when the work could not be done to its end.
fn finish(
    config: &ApplyConfig,
    report: &Report,
    result: Option<Passes>,
    signal: Option<u8>,
) -> Result<Exit, CommandError> {
    let (rest, error) = parted(result);
    let interrupted = signal.is_some() && error.as_ref().is_none_or(CycleError::is_transient);
    let error = error.map(CommandError::from);
    let chain = error.as_ref().map(CommandError::chain);
    // A run that ended before it read anything has nothing to count.
    let nothing_read = rest.is_none() && report.commit.is_none();
    let text = || if nothing_read { String::new() } else { text::applied(report) };
    print(config.format, text, || json::report(report, chain.as_deref()))?;
    let undone = report.unattempted > 0 || rest != Some(Rest::Settled);
    match (error, signal) {
        (_, Some(signal)) if interrupted && undone => Ok(Exit::Signalled { signal }),
        (Some(error), _) => Err(error),
        _ => Ok(Exit::from(report.verdict())),
    }
}
