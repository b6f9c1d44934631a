//! To be replaced by the helper's.

/// The two generations of the marketplace's API (`marketplace-api.md` §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// Console 14.0 and later: `/api/tenants/{t}/marketplace/…`.
    New,
    /// Before: `/api/backend/marketplace/…`, with the older item model.
    Legacy,
}
