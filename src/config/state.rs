//! Looks at a state, or at the process that writes one.

use std::path::PathBuf;

use url::Url;

use super::connect;
use super::error::ConfigError;
use super::layers::{Given, Layers, count};
use super::{below, format, location, remote, source_name, state, usual_state, value};
use crate::cli::{self, Format};
use crate::domain::item::{InvalidItemId, ItemId, Version};
use crate::edge::store::Identity;

/// How many changes of an item are shown if nobody says: two screens.
const LIMIT: usize = 50;

/// A look at the state.
#[derive(Debug)]
pub struct StatusConfig {
    /// Who is asked.
    pub of: StatusOf,
    /// The form of the result.
    pub format: Format,
}

/// Who knows the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusOf {
    /// The state in this directory.
    State(PathBuf),
    /// The process that listens there.
    Process(Url),
}

/// What was done to one item.
#[derive(Debug)]
pub struct HistoryConfig {
    /// The item.
    pub item_id: ItemId,
    /// Only this version of it.
    pub version: Option<Version>,
    /// The folder of the state.
    pub state: PathBuf,
    /// How many changes are shown at most.
    pub limit: usize,
    /// The form of the result.
    pub format: Format,
}

pub(super) fn status(layers: &Layers<'_>, args: &cli::Status) -> Result<StatusConfig, ConfigError> {
    let format = format(layers, &args.output)?;
    let of = match daemon(layers, args)? {
        Some(url) => StatusOf::Process(url),
        None => StatusOf::State(which(layers, &args.which)?),
    };
    Ok(StatusConfig { of, format })
}

pub(super) fn history(
    layers: &Layers<'_>,
    args: &cli::History,
) -> Result<HistoryConfig, ConfigError> {
    let (item_id, version) = match args.item.split_once('@') {
        Some((item_id, version)) => (item_id, Some(version)),
        None => (args.item.as_str(), None),
    };
    let invalid = |why: String| ConfigError::Invalid { origin: "ITEM".to_owned(), why };
    let item_id: ItemId = item_id.parse().map_err(|why: InvalidItemId| invalid(why.to_string()))?;
    let version = version
        .map(str::parse)
        .transpose()
        .map_err(|_| invalid("what follows `@` is a version, such as 1.2.0, or NA".to_owned()))?;
    Ok(HistoryConfig {
        item_id,
        version,
        state: which(layers, &args.which)?,
        limit: value(layers.one("limit", args.limit, count)?, LIMIT),
        format: format(layers, &args.output)?,
    })
}

/// The folder of the state that is meant.
fn which(layers: &Layers<'_>, args: &cli::WhichState) -> Result<PathBuf, ConfigError> {
    if let Some(dir) = state(layers, &args.state)? {
        return Ok(dir);
    }
    let connection = cli::Connection {
        endpoint: args.endpoint.clone(),
        company_id: args.company_id.clone(),
        ..cli::Connection::default()
    };
    let target = connect::target(layers, &connection)?;
    let path = below(layers, args.path.as_ref())?;
    let source = match remote::url(layers, args.source.as_ref())? {
        Some(Given { value: url, .. }) => remote::name(&url, path.as_ref()),
        None => source_name(&location(layers, args.source.as_ref())?, path.as_ref()),
    };
    let identity =
        Identity { endpoint: target.endpoint.to_string(), company: target.company, source };
    usual_state(layers, &identity)
}

/// The process that is to be asked, if one is. Environment and file may hold
/// what other commands need; an option says what this one is to do.
fn daemon(layers: &Layers<'_>, args: &cli::Status) -> Result<Option<Url>, ConfigError> {
    let others = [
        ("--state", args.which.state.state.is_some()),
        ("SOURCE", args.which.source.is_some()),
        ("--path", args.which.path.is_some()),
        ("--endpoint", args.which.endpoint.is_some()),
        ("--company-id", args.which.company_id.is_some()),
    ];
    let other = others.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name);
    match (&args.url, other) {
        (None, Some(_)) => Ok(None),
        (Some(_), Some(other)) => {
            Err(ConfigError::Both { one: "--url".to_owned(), other: other.to_owned() })
        }
        (url, None) => Ok(layers.checked("url", url.as_ref(), address)?.map(|given| given.value)),
    }
}

/// The address of a process of ours: http, as it speaks it, if nothing else is
/// said.
fn address(text: &str) -> Result<Url, String> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    // The text is not repeated: it may hold a password.
    let url: Url = with_scheme.parse().map_err(|cause| format!("this is no URL: {cause}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("this is an http:// or https:// URL, not {}://", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("this URL holds no user and no password; nobody asks for one".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("this URL has no query (`?`) and no fragment (`#`)".to_owned());
    }
    Ok(url)
}
