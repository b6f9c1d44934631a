//! What the embedded marketplace is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::ConfigError;
use super::layers::{Layers, truth};
use super::{listen, value};
use crate::cli;
use crate::embedded::{ConsoleVersion, InvalidConsoleVersion};

/// A marketplace of our own.
#[derive(Debug)]
pub struct MarketplaceConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The Console that it behaves like.
    pub console: ConsoleVersion,
    /// Where the items are kept; none: in memory.
    pub data: Option<PathBuf>,
    /// Whether it serves the routes by which tests arrange things.
    pub control: bool,
    /// Decisions on what the API leaves open, by name; the names are not
    /// checked here.
    pub switches: Vec<(String, String)>,
}

pub(super) fn marketplace(
    layers: &Layers<'_>,
    args: &cli::Marketplace,
) -> Result<MarketplaceConfig, ConfigError> {
    let switch = |text: &str| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    };
    let console =
        |text: &str| text.parse().map_err(|why: InvalidConsoleVersion| format!("`{text}`: {why}"));
    let switches = layers.several("switch", &args.switches, switch)?;
    Ok(MarketplaceConfig {
        listen: listen(layers, args.listen.as_ref())?,
        console: value(
            layers.checked("console", args.console.as_ref(), console)?,
            ConsoleVersion::default(),
        ),
        data: layers.path("data", args.data.as_ref())?.map(|given| given.value),
        control: value(layers.one("control", args.control, truth)?, false),
        switches: switches.into_iter().map(|given| given.value).collect(),
    })
}
