//! One pass: head → read → load → observe → plan → check → send → settle →
//! save. Every command is a prefix of it.

use jiff::Timestamp;

use crate::domain::catalog::{self, Bodies, Snapshot};
use crate::domain::event::{Event, Failure, Hold, Outcome};
use crate::domain::item::{Digest, RepoPath};
use crate::domain::ledger::{self, Ledger, Settling};
use crate::domain::manifest::Standards;
use crate::domain::plan::{self, Limits, Live, Plan, Policy, Scope};
use crate::domain::report::Report;
use crate::domain::seen::Seen;
use crate::edge::marketplace::{Marketplace, Sent};
use crate::edge::source::{Reading, Source, SourceError};
use crate::edge::store::{Store, StoreError};
