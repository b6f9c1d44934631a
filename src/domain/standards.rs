//! What files are held to, and how documents are made fit for their company.

use serde_json::{Map, Value};

use crate::domain::item::{Digest, Lifecycle};
use crate::domain::schema::Schemas;

/// How documents are made fit for their company, before they are hashed. The
/// same for both generations of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tailoring {
    /// Written into every item as `tenantId` (`--set-tenant`).
    pub set_tenant: Option<String>,
    /// The `lifecycleStatus` of items that state none.
    pub default_lifecycle: Lifecycle,
}

impl Tailoring {
    /// The document as it is wanted: without `$schema`, with the tenant and
    /// the lifecycle status filled in.
    pub fn tailor(&self, mut document: Map<String, Value>) -> Map<String, Value> {
        document.remove("$schema");
        if let Some(tenant) = &self.set_tenant {
            document.insert("tenantId".to_owned(), Value::from(tenant.as_str()));
        }
        document
            .entry("lifecycleStatus")
            .or_insert_with(|| Value::from(self.default_lifecycle.as_str()));
        document
    }
}

/// What files are read against.
pub struct Standards {
    /// The schemas of every type.
    pub schemas: Schemas,
    /// How documents are made fit.
    pub tailoring: Tailoring,
    /// The company, if it is known: another `tenantId` deserves a look.
    pub company: Option<String>,
    /// Whether warnings are problems.
    pub strict: bool,
}

impl Standards {
    /// Changes when readings under these standards may differ from earlier
    /// ones.
    pub fn fingerprint(&self) -> Digest {
        let text = format!(
            "{}\n{}\n{:?}\n{:?}\n{}",
            env!("CARGO_PKG_VERSION"),
            self.schemas.fingerprint(),
            self.tailoring,
            self.company,
            self.strict
        );
        Digest::of(text.as_bytes())
    }
}
