//! The HTTP client against a scripted server.

mod answers;
mod auth;
mod looking;
mod packing;
mod pictures;
mod secrets;
mod sending;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use marketsync::domain::event::{Applied, Change, Failure, Outcome, Verb};
use marketsync::domain::images::ImageLocations;
use marketsync::domain::item::ItemKey;
use marketsync::domain::plan::Live;
use marketsync::edge::marketplace::{
    Connection, Credential, Marketplace, ObserveError, Observing, Patience, SendError, Sending,
    Sent,
};
use marketsync::edge::secret::Secret;
use tokio::sync::watch;

use crate::support::scripted::Scripted;
use crate::support::shop::{NoSuchFile, Shop};

fn connection(server: &Scripted, credential: Credential) -> Connection {
    let patience = Patience { connect: Duration::from_secs(2), request: Duration::from_secs(10) };
    Connection {
        endpoint: server.url.clone(),
        company: "acme".to_owned(),
        credential,
        ca_file: None,
        patience,
    }
}

fn basic() -> Credential {
    Credential::Basic {
        client_id: "robot".to_owned(),
        secret: Secret::Text("s3cret-of-robot".into()),
    }
}

fn market(server: &Scripted) -> Marketplace {
    Marketplace::new(connection(server, basic())).unwrap()
}

/// A client that loses patience soon.
fn hasty(server: &Scripted) -> Marketplace {
    let patience =
        Patience { connect: Duration::from_secs(2), request: Duration::from_millis(300) };
    Marketplace::new(Connection { patience, ..connection(server, basic()) }).unwrap()
}

async fn observe(
    market: &Marketplace,
    shop: &mut Shop,
    locations: &mut ImageLocations,
) -> Result<Live, ObserveError<NoSuchFile>> {
    let keys: BTreeSet<ItemKey> = shop.snapshot.items.keys().cloned().collect();
    let (mut bodies, snapshot) = shop.bodies();
    let (_keep, halt) = watch::channel(false);
    market
        .observe(Observing {
            keys: &keys,
            snapshot,
            bodies: &mut bodies,
            locations,
            favour: None,
            sight: None,
            stop: &halt,
        })
        .await
}

/// What a sink was told.
#[derive(Default)]
struct Told {
    sent: Vec<Sent>,
}

impl Told {
    fn outcomes(&self) -> Vec<&Outcome> {
        let all = self.sent.iter().flat_map(|sent| match sent {
            Sent::Outcomes(outcomes) | Sent::Unsent(outcomes) => outcomes.as_slice(),
            Sent::Uploaded(_) => &[],
        });
        all.collect()
    }

    fn unsent(&self) -> usize {
        let count = |sent: &Sent| {
            if let Sent::Unsent(outcomes) = sent { outcomes.len() } else { 0 }
        };
        self.sent.iter().map(count).sum()
    }

    fn of(&self, item_id: &str) -> &Result<Applied, Failure> {
        let all = self.outcomes();
        let mut found = all.iter().filter(|outcome| outcome.change.key.item_id.as_str() == item_id);
        let first = found.next().unwrap_or_else(|| panic!("no outcome of {item_id}"));
        assert!(found.next().is_none(), "two outcomes of {item_id}");
        &first.result
    }

    fn verb(&self, item_id: &str) -> Verb {
        self.of(item_id).as_ref().unwrap().verb
    }

    fn rejection(&self, item_id: &str) -> &str {
        match self.of(item_id) {
            Err(Failure::Rejected { why, .. }) => why,
            other => panic!("{item_id}: {other:?}"),
        }
    }

    fn trouble(&self, item_id: &str) -> (&str, Option<Duration>) {
        match self.of(item_id) {
            Err(Failure::Transient { why, retry_after }) => (why, *retry_after),
            other => panic!("{item_id}: {other:?}"),
        }
    }
}

async fn send(
    market: &Marketplace,
    shop: &mut Shop,
    changes: Vec<Change>,
) -> (Told, Result<(), SendError<NoSuchFile, Infallible>>) {
    send_with(market, shop, changes, &mut ImageLocations::default(), &BTreeMap::new()).await
}

async fn send_with(
    market: &Marketplace,
    shop: &mut Shop,
    changes: Vec<Change>,
    locations: &mut ImageLocations,
    tries: &BTreeMap<ItemKey, u32>,
) -> (Told, Result<(), SendError<NoSuchFile, Infallible>>) {
    let mut told = Told::default();
    let (mut bodies, _) = shop.bodies();
    let (_keep, halt) = watch::channel(false);
    let sending = Sending { changes, bodies: &mut bodies, locations, tries, stop: &halt };
    let result = market
        .send(sending, |sent| {
            told.sent.push(sent);
            Ok(())
        })
        .await;
    (told, result)
}

#[test]
fn a_pass_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn check(market: &Marketplace, shop: &mut Shop, locations: &mut ImageLocations) {
        let (keys, tries, (_keep, halt)) =
            (BTreeSet::new(), BTreeMap::new(), watch::channel(false));
        let (mut bodies, snapshot) = shop.bodies();
        is_send(&market.observe(Observing {
            favour: None,
            sight: None,
            keys: &keys,
            snapshot,
            bodies: &mut bodies,
            locations,
            stop: &halt,
        }));
        let sending = Sending {
            changes: Vec::new(),
            bodies: &mut bodies,
            locations,
            tries: &tries,
            stop: &halt,
        };
        is_send(&market.send(sending, |_| Ok::<(), Infallible>(())));
    }
    let _ = check;
}
