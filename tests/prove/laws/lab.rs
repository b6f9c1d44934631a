//! What all histories share, because it is slow to make: a runtime, a
//! marketplace, the wire to it, and compiled schemas. One thread runs all of
//! it, the marketplace and the program, so that a history repeats.

use std::collections::BTreeMap;

use marketsync::domain::item::Lifecycle;
use marketsync::domain::schema::Schemas;
use marketsync::domain::standards::{Standards, Tailoring};
use marketsync::embedded::{Handle, Settings, Switches};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::catalogue::{Name, Wanted, Wishes, repository};
use super::steps::{CONSOLES, Meddling};
use super::table::Look;
use super::tap::Tap;
use crate::support::documents::{plugin, sidecar};
use crate::support::market::{COMPANY, Market, key};

/// Items that nobody commits: another id, one that begins alike, another
/// version of one that is committed, another company.
pub(crate) const BYSTANDERS: [(&str, &str); 3] =
    [("stranger", "NA"), ("alphabet", "NA"), ("gamma", "9.0.0")];

/// What the marketplace holds of one item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) document: Value,
    pub(crate) object_id: String,
    /// The bytes of its picture, if it has one that can be had.
    pub(crate) picture: Option<Vec<u8>>,
}

pub(crate) type Truth = BTreeMap<Name, Stored>;

pub(crate) struct Lab {
    pub(crate) runtime: Runtime,
    pub(crate) market: Market,
    pub(crate) tap: Tap,
    /// The program's end of the wire.
    pub(crate) url: String,
    /// Without and with `--set-tenant`.
    standards: [Standards; 2],
}

impl Lab {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tap = Tap::default();
        let (market, url) = runtime.block_on(async {
            let market = Market::start_signed_out(Settings::default()).await;
            let address = market.url.trim_start_matches("http://").to_owned();
            let url = tap.lay(address).await;
            (market, url)
        });
        let standards = [None, Some(COMPANY.to_owned())].map(|set_tenant| Standards {
            schemas: Schemas::new().unwrap(),
            tailoring: Tailoring { set_tenant, default_lifecycle: Lifecycle::Published },
            company: Some(COMPANY.to_owned()),
            strict: false,
        });
        Self { runtime, market, tap, url, standards }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.market.handle
    }

    pub(crate) fn standards(&self, tenant: bool) -> &Standards {
        &self.standards[usize::from(tenant)]
    }

    /// An empty marketplace, but for the bystanders.
    pub(crate) fn clear(&self) {
        let handle = self.handle();
        handle.clear_faults();
        handle.set_switches(Switches::default());
        handle.set_console(CONSOLES[0].parse().unwrap());
        for name in handle.items().keys() {
            let mut words = name.split(' ');
            let mut word = || words.next().unwrap();
            let (tenant, item, version) = (word(), word(), word());
            assert!(handle.remove(tenant, &key(item, version)).unwrap());
        }
        for (item, version) in BYSTANDERS {
            let document = if version == "NA" { sidecar(item) } else { plugin(item, version) };
            handle.put_raw(COMPANY, &document).unwrap();
        }
        handle.put_raw("other", &sidecar("alpha")).unwrap();
    }

    /// What the marketplace holds of the company, bystanders too.
    pub(crate) async fn truth(&self) -> Truth {
        let mut truth = Truth::new();
        for (name, document) in self.handle().items() {
            let Some(name) = name.strip_prefix(&format!("{COMPANY} ")) else { continue };
            let (item, version) = name.split_once(' ').unwrap();
            let object_id = self.handle().object_id(COMPANY, &key(item, version)).unwrap();
            let picture = match document["imageUrl"].as_str() {
                Some(path) if path.starts_with('/') => self.picture(path).await,
                _ => None,
            };
            truth.insert(name.to_owned(), Stored { document, object_id, picture });
        }
        truth
    }

    async fn picture(&self, path: &str) -> Option<Vec<u8>> {
        let url = format!("{}{path}", self.market.url);
        let answer = self.market.http.get(url).send().await.unwrap();
        let there = answer.status().is_success();
        let bytes = answer.bytes().await.unwrap();
        there.then(|| bytes.to_vec())
    }

    /// Somebody else writes an item, or makes it.
    pub(crate) fn meddle(&self, name: &Name, what: &Meddling) {
        let (item, version) = name.split_once(' ').unwrap();
        let fresh = || if version == "NA" { sidecar(item) } else { plugin(item, version) };
        let handle = self.handle();
        let mut document = handle.item(COMPANY, &key(item, version)).unwrap_or_else(fresh);
        let object = document.as_object_mut().unwrap();
        match what {
            Meddling::Name(value) => {
                drop(object.insert("name".to_owned(), json!(format!("Name {value}"))));
            }
            Meddling::Repository(None) => drop(object.remove("repositoryUrl")),
            Meddling::Repository(Some(value)) => {
                object.insert("repositoryUrl".to_owned(), json!(repository(*value)));
            }
            Meddling::Resources(value) if version == "NA" => {
                document["resources"]["dockerImage"] =
                    json!(format!("ghcr.io/my-sidecar:1.{value}"));
            }
            Meddling::Resources(value) => {
                document["resources"]["services"]["one"]["replicas"] = json!(1 + u32::from(*value));
            }
            Meddling::OtherPicture => {
                object.insert("imageUrl".to_owned(), json!("https://example.com/other.png"));
            }
            Meddling::Tags => drop(object.insert("tags".to_owned(), json!(["theirs"]))),
        }
        handle.put_raw(COMPANY, &document).unwrap();
    }
}

/// What a look shows of an item.
pub(crate) fn look(truth: &Truth, name: &Name, wishes: &Wishes, console: &str) -> Look {
    match (truth.get(name), wishes.items.get(name)) {
        (None, _) => Look::Absent,
        (Some(stored), Some(wanted)) if agrees(stored, wanted, console) => Look::Agrees,
        _ => Look::Differs,
    }
}

/// Whether the marketplace has all that is stated, as far as this Console can
/// hold it.
pub(crate) fn agrees(stored: &Stored, wanted: &Wanted, console: &str) -> bool {
    let mut stated = wanted.document.clone();
    let object = stated.as_object_mut().unwrap();
    object.remove("tenantId");
    if let Some(name) = object.remove("type") {
        let named = json!({ "name": name, "namespace": "mia-platform" });
        object.insert("itemTypeDefinitionRef".to_owned(), named);
    }
    if console != "14.1" {
        object.remove("tags");
    }
    if matches!(console, "13.6" | "404") {
        object.remove("lifecycleStatus");
    }
    let has_picture = wanted.picture.is_none() || stored.picture == wanted.picture;
    has_picture && has_all(&stored.document, &stated)
}

/// Objects may have more members, at any level; lists are equally long.
fn has_all(stored: &Value, stated: &Value) -> bool {
    match (stored, stated) {
        (Value::Object(stored), Value::Object(stated)) => stated
            .iter()
            .all(|(key, value)| stored.get(key).is_some_and(|there| has_all(there, value))),
        (Value::Array(stored), Value::Array(stated)) => {
            stored.len() == stated.len()
                && stored.iter().zip(stated).all(|(stored, stated)| has_all(stored, stated))
        }
        _ => stored == stated,
    }
}

/// Whether the marketplace may refuse this document, which is in order; none:
/// nobody can say.
pub(crate) fn refuses(truth: &Truth, name: &Name, wanted: &Wanted, console: &str) -> Option<bool> {
    let stored = truth.get(name).filter(|_| !name.ends_with(" NA"));
    let sealed = stored.is_some_and(|stored| {
        stored.document["lifecycleStatus"] != "draft"
            && !has_all(&stored.document["resources"], &wanted.document["resources"])
    });
    match console {
        "14.0" if wanted.is_new => None,
        _ => Some(sealed),
    }
}
