//! What is to be sent, what is told of it, and a sending under way.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use crate::domain::canon::Generation;
use crate::domain::catalog::Bodies;
use crate::domain::event::{Change, Outcome};
use crate::domain::images::{ImageLocation, ImageLocations, ImageName};
use crate::domain::item::{ItemId, ItemKey};
use crate::domain::tree::Tree;

use super::client::Marketplace;
use super::error::SendError;
use super::streak::Streak;

/// What is to be sent.
pub struct Sending<'a, 'b, T> {
    /// The changes, in any order.
    pub changes: Vec<Change>,
    /// The documents of what is wanted.
    pub bodies: &'a mut Bodies<'b, T>,
    /// Which pictures the marketplace has. What is uploaded is added, and told
    /// to the sink.
    pub locations: &'a mut ImageLocations,
    /// How often each item was sent in vain before: see [`super::pack::Weight::tries`].
    pub tries: &'a BTreeMap<ItemKey, u32>,
    /// Set when no further request may start.
    pub stop: &'a watch::Receiver<bool>,
}

/// What the sink is told, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// What became of some changes: to be settled before the next is told.
    Outcomes(Vec<Outcome>),
    /// Changes that no request was made for, because the server asked to be
    /// left alone or cannot be reached. They may go next time, and they were
    /// not tried.
    Unsent(Vec<Outcome>),
    /// A picture was uploaded. Saved at once, it is not uploaded again after a
    /// crash.
    Uploaded(ImageLocation),
}

/// A sending under way.
pub(super) struct Dispatch<'a, 'b, T: Tree, S, E> {
    pub(super) market: &'a Marketplace,
    pub(super) generation: Generation,
    pub(super) bodies: &'a mut Bodies<'b, T>,
    pub(super) locations: &'a mut ImageLocations,
    pub(super) tries: &'a BTreeMap<ItemKey, u32>,
    pub(super) stop: &'a watch::Receiver<bool>,
    pub(super) sink: S,
    pub(super) streak: Streak,
    pub(super) held: Option<String>,
    /// Items of which a version failed and may go next time: the versions
    /// above it wait for it.
    pub(super) behind: BTreeSet<ItemId>,
    /// Pictures that this sending saw or uploaded: they are where they are
    /// remembered.
    pub(super) seen_pictures: BTreeSet<ImageName>,
    pub(super) ending: Option<SendError<T::Error, E>>,
}
