//! What can go wrong with the marketplace itself.

use std::io;

use crate::embedded::journal::JournalError;
use crate::embedded::validate::SchemaError;

/// Why the embedded marketplace could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The built-in schemas are broken.
    #[error("the embedded marketplace could not make its schemas ready")]
    Schema(#[from] SchemaError),
    /// The journal could not be used.
    #[error("the embedded marketplace could not use its journal")]
    Journal(#[from] JournalError),
    /// The listener broke.
    #[error("the embedded marketplace could not serve")]
    Serve(#[source] io::Error),
    /// A raw document names no item.
    #[error("the document needs an itemId, and version.name, if there, must be a semantic version")]
    NoItem,
}
