//! The only HTTP client: it looks at the marketplace and it sends to it.
//!
//! Two calls carry a pass: [`Marketplace::observe`] and [`Marketplace::send`].
//! Each request is tried once. What may go next time is an outcome, and the
//! caller repeats the whole pass; only what no repetition mends is an error.
//!
//! Bodies are read on the task that called, requests fly beside it, so memory
//! grows with the requests in flight and never with the catalogue.

mod words;
mod error;
mod connection;
pub mod wire;
pub mod pack;
pub mod answer;
mod upload;
mod http;
mod auth;
mod client;
mod images;
mod streak;
mod delivery;
mod observe;
mod inventory;
mod dispatch;
mod outcome;
mod send;

pub use client::Marketplace;
pub use connection::{Connection, Credential, Patience, SetupError};
pub use dispatch::{Sending, Sent};
pub use error::{CallError, ObserveError, Reach, SendError};
pub use http::{Call, InFlight};
pub use images::Fetched;
pub use inventory::{InventoryError, Listing, Remarks, Round, held_pictures};
pub use observe::{Favour, Observing, Sighted, Witness};

/// How many requests are in flight at most (`practice.md` §4).
pub const IN_FLIGHT: usize = 4;
