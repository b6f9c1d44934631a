//! Whatever the marketplace answers: every conversation ends, each change has
//! one outcome, and no secret that a server repeats is told.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use marketsync::domain::catalog::{Bodies, Snapshot, load};
use marketsync::domain::event::{Action, Change, Outcome, Reason};
use marketsync::domain::images::{ImageLocation, ImageLocations, ImageName};
use marketsync::domain::item::{BlobId, CommitId, ImageFormat, ItemKey, Lifecycle, RepoPath};
use marketsync::domain::schema::Schemas;
use marketsync::domain::seen::Seen;
use marketsync::domain::standards::{Standards, Tailoring};
use marketsync::domain::tree::{Changes, Entry, Resolved, Target, Tree};
use marketsync::edge::marketplace::{
    Connection, Credential, Fetched, Marketplace, Observing, Patience, Round, Sending, Sent, answer,
};
use marketsync::edge::secret::Secret;
use marketsync::edge::secrets::Secrets;
use tokio::sync::watch;

use super::parts::Parts;
use super::served::{answers, talk};

/// What must not be told.
const CANARY: &str = "cAnArY-5ecret-0f-the-account";

/// How many requests a case may make for each answer that it gets, and
/// besides: a token, a look and another try.
const REQUESTS: usize = 40;

/// One case: a byte that says what is asked, one for who asks, and the answers
/// (see `served`).
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    let (what, who) = (parts.byte(), parts.byte());
    let script = parts.rest();
    of_an_apply(what, script);
    let _ = ImageFormat::sniff(script);
    let script = answers(script);
    let given = script.len();
    let (told, asked) = talk(script, |address| conversation(address, what, who));
    // Who has no secret cannot tell that this is one.
    assert!(who % 3 == 0 || !told.contains(CANARY), "a secret is told: {told}");
    assert!(told.chars().all(|c| !c.is_control()), "{told:?}");
    assert!(asked <= 2 * given + REQUESTS, "{asked} requests for {given} answers");
}

async fn conversation(address: SocketAddr, what: u8, who: u8) -> String {
    let market = Marketplace::new(connection(address, who)).expect("a good connection");
    let (_keep, stop) = watch::channel(false);
    match what % 6 {
        0 => told(market.generation().await.map(|_| ())),
        1 => match market.list(&stop).await {
            // An id is legal whatever it says; what is remarked is told.
            Ok(listing) => listing.remarks.told.concat(),
            Err(why) => why.to_string(),
        },
        2 => round(&market, stop).await,
        3 => looks(&market, &stop).await,
        _ => sending(&market, &stop, what).await,
    }
}

fn connection(address: SocketAddr, who: u8) -> Connection {
    let secret = || Secret::Text(CANARY.into());
    let name = || "acme".to_owned();
    Connection {
        endpoint: format!("http://{address}").parse().unwrap(),
        company: name(),
        credential: match who % 3 {
            0 => Credential::None,
            1 => Credential::Token { token: secret() },
            _ => Credential::Basic { client_id: name(), secret: secret() },
        },
        ca_file: None,
        patience: Patience { connect: Duration::from_secs(2), request: Duration::from_secs(2) },
    }
}

fn told<T>(result: Result<T, impl std::error::Error>) -> String {
    result
        .err()
        .map(|why| format!("{why}{}", why.source().map(ToString::to_string).unwrap_or_default()))
        .unwrap_or_default()
}

async fn round(market: &Marketplace, stop: watch::Receiver<bool>) -> String {
    let round = match Round::new(market, stop).await {
        Ok(round) => round,
        Err(why) => return why.to_string(),
    };
    let key = key();
    let mut all = match round.versions(&key.item_id).await {
        Ok((_, remarks)) => remarks.told.concat(),
        Err(why) => why.to_string(),
    };
    match round.document(&key).await {
        Ok(Some(live)) => {
            let pictures = marketsync::edge::marketplace::held_pictures(&live);
            for (_, location) in pictures {
                assert!(location.starts_with("/v2/files/download/"), "{location}");
            }
        }
        Ok(None) => {}
        Err(why) => all.push_str(&why.to_string()),
    }
    match round.picture("/v2/files/download/a.png").await {
        Ok(Fetched::Bytes(bytes)) => assert!(bytes.len() <= 2 * 1024 * 1024),
        Ok(Fetched::Nothing { why }) => all.push_str(&why),
        Err(why) => all.push_str(&why.to_string()),
    }
    all
}

async fn looks(market: &Marketplace, stop: &watch::Receiver<bool>) -> String {
    let (snapshot, tailoring) = wanted();
    let keys: BTreeSet<ItemKey> = snapshot.items.keys().cloned().collect();
    let mut locations = locations();
    let observing = Observing {
        keys: &keys,
        snapshot,
        bodies: &mut Bodies { tree: &mut Files::default(), tailoring },
        locations: &mut locations,
        favour: None,
        sight: None,
        stop,
    };
    match market.observe(observing).await {
        Ok(live) => {
            assert!(keys.iter().all(|key| live.contains_key(key)), "a key without a look");
            // What differs names fields, whose names are the item's own.
            format!("{live:?}").replace('\\', "")
        }
        Err(why) => told::<()>(Err(why)),
    }
}

async fn sending(market: &Marketplace, stop: &watch::Receiver<bool>, what: u8) -> String {
    let (snapshot, tailoring) = wanted();
    let change = |(key, item): (&ItemKey, &std::sync::Arc<marketsync::domain::item::Item>)| {
        let is_gone = what >= 128;
        Change {
            key: key.clone(),
            action: if is_gone { Action::Delete } else { Action::Create },
            reason: if is_gone { Reason::Removed } else { Reason::New },
            wanted: (!is_gone).then(|| item.clone()),
            from: None,
            fields: Vec::new(),
            object_id: None,
        }
    };
    let changes: Vec<Change> = snapshot.items.iter().map(change).collect();
    let mut locations = if what & 64 == 0 { ImageLocations::default() } else { locations() };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut uploaded = Vec::new();
    let sending = Sending {
        changes: changes.clone(),
        bodies: &mut Bodies { tree: &mut Files::default(), tailoring },
        locations: &mut locations,
        tries: &BTreeMap::new(),
        stop,
    };
    let sink = |sent: Sent| {
        match sent {
            Sent::Outcomes(more) | Sent::Unsent(more) => outcomes.extend(more),
            Sent::Uploaded(location) => uploaded.push(location),
        }
        Ok::<(), Infallible>(())
    };
    let result = market.send(sending, sink).await;
    let keys: BTreeSet<&ItemKey> = outcomes.iter().map(|outcome| &outcome.change.key).collect();
    assert_eq!(keys.len(), outcomes.len(), "two outcomes of one change");
    assert!(result.is_err() || keys.len() == changes.len(), "a change without an outcome");
    let results: Vec<_> = outcomes.iter().map(|outcome| &outcome.result).collect();
    format!("{results:?} {uploaded:?} {}", told(result)).replace('\\', "")
}

/// The answer to an apply by itself, of both generations.
fn of_an_apply(what: u8, body: &[u8]) {
    use marketsync::domain::canon::Generation;
    let generation = if what & 1 == 0 { Generation::New } else { Generation::Legacy };
    let keys: Vec<ItemKey> = wanted().0.items.keys().cloned().collect();
    let asked: Vec<&ItemKey> = keys.iter().collect();
    let mut secrets = Secrets::default();
    secrets.note(CANARY);
    let verdicts = answer::read(body, &asked, generation, &secrets);
    assert_eq!(verdicts.len(), asked.len());
    let told = format!("{verdicts:?}");
    assert!(!told.contains(CANARY) && told.len() < 20_000, "{told}");
}

fn key() -> ItemKey {
    wanted().0.items.keys().next().unwrap().clone()
}

fn locations() -> ImageLocations {
    let items = wanted().0.items.values();
    items
        .flat_map(|item| item.images.iter().map(move |image| (item, image)))
        .map(|(item, image)| ImageLocation {
            name: ImageName {
                digest: image.digest,
                item_id: item.key.item_id.clone(),
                slot: image.slot,
            },
            location: "/v2/files/download/known.png".to_owned(),
        })
        .collect()
}

/// What the source wants: two versions of one item, and one with a picture.
fn wanted() -> &'static (Snapshot, Tailoring) {
    static WANTED: OnceLock<(Snapshot, Tailoring)> = OnceLock::new();
    WANTED.get_or_init(|| {
        let tailoring = || Tailoring { set_tenant: None, default_lifecycle: Lifecycle::Published };
        let standards = Standards {
            schemas: Schemas::new().unwrap(),
            tailoring: tailoring(),
            company: None,
            strict: false,
        };
        let mut tree = Files::default();
        let present = FILES[..3]
            .iter()
            .enumerate()
            .map(|(at, (path, _))| Entry { path: RepoPath::new(path).unwrap(), blob: blob(at) });
        let changes = Changes { complete: true, present: present.collect(), ..Changes::default() };
        let loaded = load(&mut tree, &changes, &standards, &mut Seen::default());
        let (snapshot, _) = loaded.unwrap_or_else(|never| match never {});
        assert_eq!(snapshot.items.len(), 3, "{:#?}", snapshot.problems);
        (snapshot, tailoring())
    })
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nno picture, but who looks";

const FILES: [(&str, &[u8]); 4] = [
    ("items/a1.json", br#"{"itemId":"a","name":"A","description":"d","tenantId":"acme","lifecycleStatus":"draft","itemTypeDefinitionRef":{"name":"plugin","namespace":"mia-platform"},"version":{"name":"1.0.0","releaseNote":"-"},"resources":{"services":{"one":{"sourceComponentId":"c1","replicas":1}}}}"#),
    ("items/a2.json", br#"{"itemId":"a","name":"A","description":"d","tenantId":"acme","lifecycleStatus":"draft","itemTypeDefinitionRef":{"name":"plugin","namespace":"mia-platform"},"version":{"name":"2.0.0","releaseNote":"-"},"resources":{"services":{"one":{"sourceComponentId":"c1","replicas":1}}}}"#),
    ("items/b.json", br#"{"itemId":"b","name":"B","description":"d","tenantId":"acme","lifecycleStatus":"draft","itemTypeDefinitionRef":{"name":"plugin","namespace":"mia-platform"},"version":{"name":"1.0.0","releaseNote":"-"},"image":{"localPath":"b.png"},"resources":{"services":{"one":{"sourceComponentId":"c1","replicas":1}}}}"#),
    ("items/b.png", PNG),
];

fn blob(at: usize) -> BlobId {
    BlobId([u8::try_from(at).unwrap() + 1; 20])
}

/// The files of a source that is always the same.
struct Files {
    commit: CommitId,
}

impl Default for Files {
    fn default() -> Self {
        Self { commit: CommitId("0".repeat(40)) }
    }
}

impl Tree for Files {
    type Error = Infallible;

    fn commit(&self) -> &CommitId {
        &self.commit
    }

    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, Infallible> {
        let found = FILES.iter().position(|(known, _)| *known == path.as_str());
        let target = found.map_or(Target::Missing, |at| Target::File {
            blob: blob(at),
            size: FILES[at].1.len() as u64,
        });
        let visited = vec![(path.clone(), found.map(blob))];
        Ok(Resolved { path: path.clone(), target, visited })
    }

    fn bytes(&mut self, _: &RepoPath, blob: BlobId) -> Result<Vec<u8>, Infallible> {
        Ok(FILES[usize::from(blob.0[0]) - 1].1.to_vec())
    }
}
