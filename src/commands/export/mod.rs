//! `export`: what the marketplace holds as files, ready to commit.

mod item;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::commands::apply::tell_pause;
use crate::commands::failure::CommandError;
use crate::commands::market::{EMBEDDED_FILE, client, gone, start_embedded_copy};
use crate::commands::progress::Progress;
use crate::commands::signals::Signals;
use crate::commands::{Exit, parted, print};
use crate::config::{Connect, Endpoint, ExportConfig, RETRY_FOR};
use crate::daemon::until_settled;
use crate::domain::event::Rest;
use crate::domain::item::{ItemId, Lifecycle, Version};
use crate::domain::report::exported::{Exported, Fate, Row};
use crate::domain::schema::Schemas;
use crate::domain::standards::{Standards, Tailoring};
use crate::edge::folder::Folder;
use crate::edge::marketplace::{CallError, IN_FLIGHT, InventoryError, Marketplace, Remarks, Round};

/// Writes every item of the company.
pub async fn export(config: &ExportConfig) -> Result<Exit, CommandError> {
    let mut signals = Signals::catch()?;
    let Connect { endpoint, company, origin, .. } = &config.connect;
    info!(%endpoint, company, from = origin, "Exporting");
    let mut servers = JoinSet::new();
    let url = match endpoint {
        Endpoint::Remote(url) => url.clone(),
        Endpoint::Embedded => {
            let state = config.state.as_deref().ok_or(CommandError::EmbeddedState)?;
            if !state.join(EMBEDDED_FILE).is_file() {
                return Err(CommandError::NoState { dir: state.to_owned() });
            }
            start_embedded_copy(state, &mut servers).await?
        }
    };
    let standards = standards(company)?;
    let folder = match Folder::open(&config.dir) {
        Ok(folder) => folder,
        Err(error) => return finish(config, &Exported::default(), Some(Err(error.into())), None),
    };
    let progress = Progress::start("reading the list of items");
    let counting = progress.clone();
    let market = client(&config.connect, url, move |call| counting.count(call))?;
    let work = Work {
        market: &market,
        folder: &folder,
        standards: &standards,
        overwrite: config.overwrite,
        progress: &progress,
        stop: signals.stop(),
        pending: RefCell::default(),
        report: RefCell::default(),
    };
    let (result, signal) = tokio::select! {
        ended = signals.guard(work.until_done()) => ended,
        Some(server) = servers.join_next() => {
            progress.end();
            return Err(gone(server));
        }
    };
    progress.end();
    servers.shutdown().await;
    finish(config, &work.report(), result, signal)
}

/// What the files are held to: what `validate` holds them to by default.
fn standards(company: &str) -> Result<Standards, CommandError> {
    let schemas = Schemas::new().map_err(|source| CommandError::Schema { path: None, source })?;
    Ok(Standards {
        schemas,
        tailoring: Tailoring { set_tenant: None, default_lifecycle: Lifecycle::Published },
        company: Some(company.to_owned()),
        strict: false,
    })
}

/// What is left to do of an item.
#[derive(Debug, Clone)]
struct Left {
    /// Its versions, as far as they are known.
    versions: BTreeSet<Version>,
    /// Whether those are the ones that the marketplace names for this item, and
    /// not only those of the list.
    asked: bool,
}

/// An export under way. All of it runs on one task.
struct Work<'a> {
    market: &'a Marketplace,
    folder: &'a Folder,
    standards: &'a Standards,
    overwrite: bool,
    progress: &'a Progress,
    stop: watch::Receiver<bool>,
    /// None until there is a list.
    pending: RefCell<Option<BTreeMap<ItemId, Left>>>,
    report: RefCell<Exported>,
}

/// Why a version was not written.
enum Trouble {
    /// It may go next time.
    Passing(String),
    /// It does not go.
    Lasting(String),
    /// Nothing goes.
    All(CommandError),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable { why, .. } => Self::Passing(why),
            // This one item is refused; any other refusal is that of the way.
            CallError::Unsendable { why }
            | CallError::Refused { status: 400 | 406 | 409 | 410 | 422, why } => Self::Lasting(why),
            error @ (CallError::Refused { .. } | CallError::Auth { .. }) => {
                Self::All(InventoryError::from(error).into())
            }
        }
    }
}

impl Work<'_> {
    /// Round after round until nothing is left that may still go.
    async fn until_done(&self) -> Result<Rest, CommandError> {
        let again = |error: &CommandError| match error {
            CommandError::Inventory(InventoryError::Call(error)) if error.is_transient() => {
                Rest::Retry { after: self.market.retry_after() }
            }
            _ => Rest::Settled,
        };
        let wait = |pause: Duration| tell_pause(self.progress, pause);
        until_settled(RETRY_FOR, self.stop.clone(), async || self.round().await, again, wait).await
    }

    async fn round(&self) -> Result<Rest, CommandError> {
        if self.pending.borrow().is_none() {
            let listing = self.market.list(&self.stop).await?;
            self.remark(listing.remarks);
            let count = listing.items.len();
            let left = |versions| Left { versions, asked: false };
            let items = listing.items.into_iter().map(|(id, versions)| (id, left(versions)));
            *self.pending.borrow_mut() = Some(items.collect());
            self.progress.say(format!("exporting {count} items"));
        }
        let round =
            Round::new(self.market, self.stop.clone()).await.map_err(InventoryError::from)?;
        let waiting: Vec<ItemId> =
            self.pending.borrow().iter().flat_map(BTreeMap::keys).cloned().collect();
        stream::iter(waiting)
            .map(Ok)
            .try_for_each_concurrent(IN_FLIGHT, |item_id| self.item(&round, item_id))
            .await?;
        let is_done = self.pending.borrow().as_ref().is_none_or(BTreeMap::is_empty);
        Ok(if is_done { Rest::Settled } else { Rest::Retry { after: self.market.retry_after() } })
    }

    fn remark(&self, remarks: Remarks) {
        let mut report = self.report.borrow_mut();
        report.skipped.extend(remarks.told);
        report.skipped_more += remarks.more;
    }

    /// What there is to tell, whether or not the work came to its end.
    fn report(self) -> Exported {
        let mut report = self.report.into_inner();
        let pending = self.pending.into_inner().unwrap_or_default();
        let is_told = |id: &ItemId| {
            report.rows.range((id.clone(), None)..).next().is_some_and(|((told, _), row)| {
                told == id && matches!(row.fate, Fate::Failed { .. })
            })
        };
        report.unattempted = pending.keys().filter(|id| !is_told(id)).count();
        report
    }

    fn tell(&self, item_id: &ItemId, version: Option<Version>, row: Row) {
        self.report.borrow_mut().rows.insert((item_id.clone(), version), row);
    }
}

/// Prints the result and says how the process ends. The result is printed
/// also when the work could not be done to its end.
fn finish(
    config: &ExportConfig,
    report: &Exported,
    result: Option<Result<Rest, CommandError>>,
    signal: Option<u8>,
) -> Result<Exit, CommandError> {
    let (rest, error) = parted(result);
    let chain = error.as_ref().map(CommandError::chain);
    let nothing_read = rest.is_none() && report.rows.is_empty();
    let text = || if nothing_read { String::new() } else { report.text() };
    print(config.format, text, || report.json(chain.as_deref()))?;
    let passing = match &error {
        Some(CommandError::Inventory(InventoryError::Call(error))) => error.is_transient(),
        Some(_) => false,
        None => true,
    };
    match (error, signal) {
        (_, Some(signal)) if passing && rest != Some(Rest::Settled) => {
            Ok(Exit::Signalled { signal })
        }
        (Some(error), _) => Err(error),
        _ => Ok(Exit::from(report.verdict())),
    }
}
