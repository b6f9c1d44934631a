//! `diff`: the line up to *check*. Nothing is sent, and of this machine's files
//! only that of `--out` is written.

mod subject;
mod applied;
mod hide;
mod sides;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::cli::{DiffFormat, Drift};
use crate::commands::failure::CommandError;
use crate::commands::market::{client, gone, rest_after, start_embedded_copy};
use crate::commands::order::order;
use crate::commands::progress::Progress;
use crate::commands::signals::Signals;
use crate::commands::standards::{open_source, warn_of_uncommitted};
use crate::commands::{Exit, plan_file, print_json, print_text};
use crate::config::{Against, Connect, DiffConfig, Endpoint};
use crate::cycle::{self, CycleError, Eyes, Foreseen, Order, View};
use crate::daemon::until_settled;
use crate::domain::approval::{self, Approval, Looked};
use crate::domain::canon::Generation;
use crate::domain::catalog::Bodies;
use crate::domain::diff::{self, Claims, Diff};
use crate::domain::event::{Event, Reason, Rest};
use crate::domain::plan::{Look, Scope};
use crate::domain::report::{Report, diff as render, json};
use crate::domain::retries::Retries;
use crate::edge::marketplace::{Marketplace, Sighted};
use crate::edge::secrets::Secrets;
use crate::edge::source::Source;
use crate::edge::telemetry;

use sides::{Gathering, Witnessed};
use subject::Subject;

/// How long looks that failed for a passing reason are repeated. Somebody waits
/// for the report, and nothing is lost without it.
const LOOK_AGAIN_FOR: Duration = Duration::from_secs(30);

/// How many notes a report has: they stand above everything, and each item may
/// have one.
const NOTES_SHOWN: usize = 50;

/// Says what `apply` would do.
pub async fn diff(config: &DiffConfig) -> Result<Exit, CommandError> {
    let mut signals = Signals::catch()?;
    if let Against::Live { connect, .. } = &config.against {
        let Connect { endpoint, company, origin, .. } = connect.as_ref();
        info!(%endpoint, company, from = origin, "Comparing");
    }
    let source = open_source(&config.source)?;
    warn_of_uncommitted(&source);
    let progress = Progress::start_to("reading items", "comparing");
    let comparing = compare(config, &source, &progress, signals.stop());
    let compared = signals.interrupt(Box::pin(comparing)).await;
    progress.end();
    match compared {
        Ok(compared) => finish(config, &compared?),
        // A report of what was seen until then would tell what is not so.
        Err(signal) => {
            if config.format == DiffFormat::Json {
                print_json(&json::error("interrupted before everything was compared", None))?;
            }
            Ok(Exit::Signalled { signal })
        }
    }
}

/// What was found, and how far was looked for it.
struct Compared {
    diff: Diff,
    /// What may be approved, where it was asked of the marketplace.
    approval: Option<Approval>,
}

fn finish(config: &DiffConfig, compared: &Compared) -> Result<Exit, CommandError> {
    let Compared { diff, approval } = compared;
    if let (Some(path), Some(approval)) = (&config.out, approval) {
        plan_file::write(path, approval)?;
    }
    match config.format {
        DiffFormat::Text => print_text(&render::text::diff(diff))?,
        DiffFormat::Json => print_json(&render::json::diff(diff))?,
        DiffFormat::Markdown => print_text(&render::markdown::diff(diff))?,
        DiffFormat::Html => print_text(&render::html::diff(diff))?,
    }
    Ok(Exit::from(diff.verdict()))
}

async fn compare(
    config: &DiffConfig,
    source: &Source,
    progress: &Progress,
    stop: watch::Receiver<bool>,
) -> Result<Compared, CommandError> {
    let files = &config.source;
    let mut order = order(&config.pass, stop);
    order.now = Timestamp::now();
    match &config.against {
        Against::Live { connect, state, identity } => {
            let subject = Subject::live(files, source, connect, (state, identity))?;
            let mut servers = JoinSet::new();
            let url = match &connect.endpoint {
                Endpoint::Remote(url) => url.clone(),
                Endpoint::Embedded => start_embedded_copy(state, &mut servers).await?,
            };
            let counting = progress.clone();
            let market = client(connect, url, move |call| counting.count(call))?;
            let looking = live(source, subject, &market, &order, progress);
            let (diff, lines) = tokio::select! {
                found = Box::pin(looking) => found?,
                Some(server) = servers.join_next() => return Err(gone(server)),
            };
            let looked = if config.pass.drift == Drift::Off { Looked::New } else { Looked::All };
            let approval = Approval {
                version: approval::VERSION,
                endpoint: connect.endpoint.to_string(),
                company: connect.company.clone(),
                looked,
                digest: diff.plan,
                changes: lines,
            };
            Ok(Compared { diff, approval: Some(approval) })
        }
        Against::Recorded { state, endpoint, company } => {
            let asked = (endpoint.as_ref(), company.as_ref());
            let subject = Subject::recorded(files, source, state, asked)?;
            offline(source, subject, order, progress).await
        }
        Against::Revision { revision, company } => {
            let subject = Subject::revision(files, source, revision, company.as_deref())?;
            offline(source, subject, order, progress).await
        }
    }
}

type Lines = BTreeSet<approval::Line>;

/// Compares with the marketplace. What could not be looked at for a moment is
/// looked at again.
async fn live(
    source: &Source,
    mut subject: Subject,
    market: &Marketplace,
    order: &Order,
    progress: &Progress,
) -> Result<(Diff, Lines), CommandError> {
    let mut found = None;
    let mut is_first = true;
    let look = async || {
        let mut witnessed = Witnessed::default();
        let Subject { standards, store, ledger, seen, locations, .. } = &mut subject;
        let mut keep = |sighted: Sighted<'_>| witnessed.note(sighted, ledger);
        let view = View {
            source,
            standards,
            eyes: Eyes::Open { market, witness: Some(&mut keep) },
            store: store.as_ref(),
            ledger,
            seen,
            locations,
            retries: &Retries::default(),
        };
        let mut tell = |event: &Event| {
            if is_first || matches!(event, Event::Loaded { .. }) {
                say(event, progress);
            }
        };
        let foreseen = cycle::foresee(view, order, &mut Report::default(), &mut tell).await;
        is_first = false;
        let foreseen = foreseen?;
        let failed = foreseen.live.values().any(|look| matches!(look, Look::Failed { .. }));
        found = Some((foreseen, witnessed));
        Ok(if failed { Rest::Retry { after: market.retry_after() } } else { Rest::Settled })
    };
    let again = |error: &CycleError| rest_after(error, market);
    let wait = |pause: Duration| progress.say(format!("trying again in {} s", pause.as_secs()));
    let stop = order.stop.clone();
    let ended = until_settled(LOOK_AGAIN_FOR, stop, look, again, wait).await;
    let Some((foreseen, witnessed)) = found else {
        return Err(ended.map_or_else(unprinted, |_| CommandError::Ended));
    };
    let generation = match foreseen.generation {
        None if !witnessed.is_empty() => {
            Some(market.generation().await.map_err(CommandError::Market)?)
        }
        known => known,
    };
    let seen = Seen { witnessed, secrets: market.secrets(), generation };
    describe(source, subject, foreseen, seen)
}

/// Compares with what is known here.
async fn offline(
    source: &Source,
    mut subject: Subject,
    order: Order,
    progress: &Progress,
) -> Result<Compared, CommandError> {
    let Subject { standards, store, ledger, seen, locations, .. } = &mut subject;
    let view = View {
        source,
        standards,
        eyes: Eyes::Closed,
        store: store.as_ref(),
        ledger,
        seen,
        locations,
        retries: &Retries::default(),
    };
    let order = Order { scope: Scope::New, ..order };
    let mut tell = |event: &Event| say(event, progress);
    let mut report = Report::default();
    let foreseen = cycle::foresee(view, &order, &mut report, &mut tell);
    let foreseen = foreseen.await.map_err(unprinted)?;
    let (diff, _) = describe(source, subject, foreseen, Seen::default())?;
    Ok(Compared { diff, approval: None })
}

/// What was seen of the marketplace, if it was asked.
#[derive(Default)]
struct Seen {
    witnessed: Witnessed,
    secrets: Secrets,
    generation: Option<Generation>,
}

/// Adds to a plan what changes in each item.
fn describe(
    source: &Source,
    subject: Subject,
    foreseen: Foreseen<'_>,
    seen: Seen,
) -> Result<(Diff, Lines), CommandError> {
    let Seen { witnessed, secrets, generation } = seen;
    let Foreseen { mut reading, snapshot, plan, live, .. } = foreseen;
    let tailoring = &subject.standards.tailoring;
    let bodies = Bodies { tree: &mut reading.tree, tailoring };
    let (looks, notes, claims) = (&live, BTreeSet::new(), Claims::default());
    let mut gathering = Gathering {
        source,
        subject: &subject,
        bodies,
        looks,
        witnessed,
        secrets,
        generation,
        notes,
        claims,
    };
    let changes = plan.changes.iter().map(|change| (change, None));
    let held = plan.held.iter().map(|held| (&held.change, Some(&held.why)));
    let mut entries = Vec::new();
    for (change, hold) in changes.chain(held) {
        entries.push(gathering.entry(change, hold)?);
    }
    let claims = gathering.claims.notes();
    let secrets = gathering.secrets;
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let mut notes = gathering.notes;
    let is_live = matches!(subject.against, diff::Against::Live { .. });
    if !is_live && entries.iter().any(|entry| entry.reason == Reason::New) {
        notes.insert(
            "the marketplace was not asked: what is new here may be there already".to_owned(),
        );
    }
    let mut notes: Vec<String> = subject.notes.into_iter().chain(claims).chain(notes).collect();
    let rest = notes.split_off(notes.len().min(NOTES_SHOWN));
    if !rest.is_empty() {
        notes.push(format!("{} more notes of this kind", rest.len()));
    }
    let lines = approval::lines(&plan);
    let diff = Diff {
        head: snapshot.commit,
        against: subject.against,
        items: snapshot.items.len(),
        unchanged: plan.unchanged,
        unseen: plan.unseen,
        entries,
        problems: snapshot.problems,
        notes: notes.iter().map(|note| secrets.mask(note)).collect(),
        plan: approval::digest(&lines),
    };
    Ok((diff, lines))
}

/// What the report itself says is not said twice.
fn say(event: &Event, progress: &Progress) {
    progress.tell(event, || {
        if let Event::Notice(text) = event {
            telemetry::notice(text);
        }
    });
}

/// Nothing was printed of a comparison that did not come to its end.
fn unprinted(error: CycleError) -> CommandError {
    match error {
        CycleError::Source(error) => error.into(),
        CycleError::Store(error) => error.into(),
        CycleError::Marketplace(error) => CommandError::Market(error),
        CycleError::Departed(departure) => CycleError::Departed(departure).into(),
    }
}
