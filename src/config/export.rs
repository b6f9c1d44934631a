//! What an export is told.

use std::path::PathBuf;

use super::connect::{self, Connect};
use super::error::ConfigError;
use super::layers::{Layers, truth};
use super::{format, state, value};
use crate::cli::{self, Format};

/// An export.
#[derive(Debug)]
pub struct ExportConfig {
    /// Where the files go.
    pub dir: PathBuf,
    /// Whether files that hold something else are replaced.
    pub overwrite: bool,
    /// Which marketplace.
    pub connect: Connect,
    /// The folder of the state, which holds the items of an embedded
    /// marketplace.
    pub state: Option<PathBuf>,
    /// The form of the result.
    pub format: Format,
}

pub(super) fn export(layers: &Layers<'_>, args: &cli::Export) -> Result<ExportConfig, ConfigError> {
    Ok(ExportConfig {
        dir: args.dir.clone(),
        overwrite: value(layers.one("overwrite", args.overwrite, truth)?, false),
        connect: connect::connect(layers, &args.connection)?,
        state: state(layers, &args.state)?,
        format: format(layers, &args.output)?,
    })
}
