//! A live item to the file that holds it: what `export` writes, and where.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::{Map, Value, json};

use crate::domain::canon::Generation;
use crate::domain::item::{
    BlobId, CommitId, Digest, ImageFormat, ImageSlot, ItemId, ItemKey, ItemType, NA, PLATFORM,
    RepoPath,
};
use crate::domain::manifest::Reader;
use crate::domain::path::OutsideCheckout;
use crate::domain::source::Severity;
use crate::domain::standards::Standards;
use crate::domain::text::{clean, clean_json};
use crate::domain::tree::{Resolved, Target, Tree};

/// The longest namespace of a type that becomes a folder, in bytes.
const MAX_NAMESPACE_BYTES: usize = 63;

/// Which model has a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Both,
    New,
    Legacy,
}

/// The fields of a file in their order: who it is, what it is, in which state,
/// whose it is, how it looks, where to read on, what it consists of.
///
/// They are those that a client may state (`marketplace-api.md` §7.1, §7.2);
/// whatever else a marketplace says of an item is its own, and left out.
const FIELDS: [(&str, Of); 28] = [
    ("itemId", Of::Both),
    ("name", Of::Both),
    ("description", Of::Both),
    ("type", Of::Both),
    ("itemTypeDefinitionRef", Of::Both),
    ("version", Of::Both),
    ("lifecycleStatus", Of::New),
    ("releaseStage", Of::Legacy),
    ("comingSoon", Of::Legacy),
    ("releaseDate", Of::New),
    ("tenantId", Of::Both),
    ("categoryId", Of::Both),
    ("imageUrl", Of::Both),
    ("supportedBy", Of::Both),
    ("supportedByImageUrl", Of::Both),
    ("visibility", Of::Both),
    ("documentation", Of::Both),
    ("repositoryUrl", Of::Both),
    ("providerId", Of::Both),
    ("tags", Of::New),
    ("labels", Of::New),
    ("annotations", Of::New),
    ("links", Of::New),
    ("maintainers", Of::New),
    ("relationships", Of::New),
    ("publishOnMiaDocumentation", Of::Legacy),
    ("isVersioningSupported", Of::Legacy),
    ("resources", Of::Both),
];

/// The type that a live document states, if it states one.
pub fn item_type(live: &Value) -> Option<ItemType> {
    let part = |name: &str| live.pointer(name).and_then(Value::as_str);
    match (part("/itemTypeDefinitionRef/namespace"), part("/itemTypeDefinitionRef/name")) {
        (Some(namespace), Some(name)) => {
            Some(ItemType { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => part("/type").map(ItemType::platform),
    }
}

/// Where an item lies, from the root of the export: the layout of the public
/// catalogue (`marketplace-api.md` §9.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `<type>/<item id>/versions/<version or NA>.json`
    pub file: RepoPath,
    /// `<type>/<item id>/assets`
    assets: RepoPath,
}

/// An item has no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The type is no plain name.
    #[error("its type {} makes no name of a folder", clean(.0))]
    Type(String),
    /// The names lead elsewhere; the checks above do not let that happen.
    #[error(transparent)]
    Outside(#[from] OutsideCheckout),
}

impl Place {
    /// The place of an item. A type of the platform is a folder by its name, a
    /// type of a company by `<namespace>.<name>`.
    ///
    /// # Errors
    /// A type whose names are no plain ones: they come from a server and must
    /// not choose a path.
    pub fn of(key: &ItemKey, item_type: &ItemType) -> Result<Self, NoPlace> {
        // The names of types follow the pattern of item ids (§7.1).
        let is_plain = item_type.name.parse::<ItemId>().is_ok();
        let folder = if item_type.is_platform() {
            item_type.name.clone()
        } else {
            format!("{}.{}", item_type.namespace, item_type.name)
        };
        if !is_plain || !(item_type.is_platform() || is_plain_namespace(&item_type.namespace)) {
            return Err(NoPlace::Type(item_type.to_string()));
        }
        let item = RepoPath::new(&format!("{folder}/{}", key.item_id))?;
        let mut name = key.version.to_string();
        // A file called so is passed over as a schema; `_` is in no version.
        if name.ends_with(".schema") {
            name.push('_');
        }
        Ok(Self {
            file: item.join(&format!("versions/{name}.json"))?,
            assets: item.join("assets")?,
        })
    }

    /// The file of a picture: after what it is, and if that name is taken by
    /// other bytes also after what it holds.
    pub fn picture(
        &self,
        slot: ImageSlot,
        format: ImageFormat,
        taken: Option<Digest>,
    ) -> Result<RepoPath, OutsideCheckout> {
        let base = match slot {
            ImageSlot::Image => "image",
            ImageSlot::SupportedByImage => "supported-by",
        };
        let end = match format {
            ImageFormat::Png => "png",
            ImageFormat::Jpeg => "jpg",
        };
        let digits = taken.map(|digest| {
            let hex = digest.to_string();
            format!("-{}", hex.trim_start_matches("b3:").chars().take(12).collect::<String>())
        });
        self.assets.join(&format!("{base}{}.{end}", digits.unwrap_or_default()))
    }
}

fn is_plain_namespace(namespace: &str) -> bool {
    let bytes = namespace.as_bytes();
    (1..=MAX_NAMESPACE_BYTES).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
}

/// The document of the file of a live item, which may be a manifest or an item
/// as it is read (`marketplace-api.md` §8.1). `pictures` are the files of the
/// pictures that the marketplace holds; a picture elsewhere stays a location.
pub fn document(
    live: &Value,
    generation: Generation,
    pictures: &BTreeMap<ImageSlot, RepoPath>,
) -> Value {
    let mut file = Map::new();
    let own = if generation == Generation::New { Of::New } else { Of::Legacy };
    for (field, of) in FIELDS {
        let stated = live.get(field).filter(|value| !value.is_null());
        if let (Some(value), true) = (stated, of == Of::Both || of == own) {
            file.insert(field.to_owned(), value.clone());
        }
    }
    spell_type(&mut file, generation);
    if let Some(id) = live.pointer("/category/id").filter(|id| id.is_string()) {
        file.entry("categoryId").or_insert_with(|| id.clone());
    }
    if live.pointer("/version/name").and_then(Value::as_str) == Some(NA) {
        file.remove("version");
    }
    leave_out_defaults(&mut file);
    for (slot, path) in pictures {
        let name = path.file_name();
        file.remove(slot.url_field());
        file.insert(slot.field().to_owned(), json!({ "localPath": format!("../assets/{name}") }));
    }
    Value::Object(file)
}

/// One word for the type: the reference where there is one, and on the legacy
/// API, which does not take it for a type of the platform, the bare name.
fn spell_type(file: &mut Map<String, Value>, generation: Generation) {
    let Some(reference) = file.get("itemTypeDefinitionRef") else {
        return;
    };
    let of_platform = reference.get("namespace").and_then(Value::as_str) == Some(PLATFORM);
    if generation == Generation::New || !of_platform {
        file.remove("type");
    } else if let Some(name) = reference.get("name").cloned() {
        file.remove("itemTypeDefinitionRef");
        file.insert("type".to_owned(), name);
    }
}

/// What the marketplace fills in where a client is silent (§8.2), and what the
/// docs forbid to state together (§7.2).
fn leave_out_defaults(file: &mut Map<String, Value>) {
    if let Some(Value::Object(whom)) = file.get_mut("visibility") {
        whom.retain(|_, value| !value.is_null() && *value != Value::Bool(false));
        if whom.is_empty() {
            file.remove("visibility");
        }
    }
    let soon = file.get("comingSoon") == Some(&Value::Bool(true));
    if !soon {
        file.remove("comingSoon");
    }
    let stage = file.get("releaseStage").and_then(Value::as_str);
    if soon || matches!(stage, Some("" | "stable")) {
        file.remove("releaseStage");
    }
}

/// The text of a file: JSON with two spaces a level and one line break at the
/// end. Fields stand in the order of `FIELDS`, pictures where their
/// locations would; below, `name` comes first and the other keys follow by
/// their bytes. The same document gives the same bytes. What would play tricks
/// with a reader's screen is written as `\u` and its number.
pub fn text(document: &Value) -> String {
    let mut out = String::new();
    write(document, rank, 0, &mut out);
    out.push('\n');
    clean_json(&out)
}

fn rank(field: &str) -> usize {
    let slot = ImageSlot::ALL.into_iter().find(|slot| slot.field() == field);
    let field = slot.map_or(field, |slot| slot.url_field());
    FIELDS.iter().position(|(known, _)| *known == field).unwrap_or(FIELDS.len())
}

fn name_first(key: &str) -> usize {
    usize::from(key != "name")
}

/// Recursive: the depth of a document is bounded where it is read.
fn write(value: &Value, rank: fn(&str) -> usize, level: usize, out: &mut String) {
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    };
    match value {
        Value::Array(list) if !list.is_empty() => {
            for (index, element) in list.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                line(out, level + 1);
                write(element, name_first, level + 1, out);
            }
            line(out, level);
            out.push(']');
        }
        Value::Object(object) if !object.is_empty() => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(key, _)| (rank(key), key.as_bytes()));
            for (index, (key, member)) in members.into_iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                line(out, level + 1);
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(": ");
                write(member, name_first, level + 1, out);
            }
            line(out, level);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// The files of one item, as the catalogue will read them.
struct Files<'a> {
    commit: CommitId,
    files: BTreeMap<&'a RepoPath, &'a [u8]>,
}

fn blob(bytes: &[u8]) -> BlobId {
    let mut id = [0; 20];
    id.copy_from_slice(&Digest::of(bytes).as_bytes()[..20]);
    BlobId(id)
}

impl Tree for Files<'_> {
    type Error = Infallible;

    fn commit(&self) -> &CommitId {
        &self.commit
    }

    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, Infallible> {
        let target = self.files.get(path).map_or(Target::Missing, |bytes| Target::File {
            blob: blob(bytes),
            size: bytes.len() as u64,
        });
        Ok(Resolved { path: path.clone(), target, visited: Vec::new() })
    }

    fn bytes(&mut self, path: &RepoPath, _blob: BlobId) -> Result<Vec<u8>, Infallible> {
        Ok(self.files.get(path).map(|bytes| bytes.to_vec()).unwrap_or_default())
    }
}

/// Why `validate` would refuse these files of one item, if it would: a
/// marketplace may hold what it would no longer take.
pub fn refusal(
    file: &RepoPath,
    files: BTreeMap<&RepoPath, &[u8]>,
    key: &ItemKey,
    standards: &Standards,
) -> Option<String> {
    let bytes = files.get(file).copied().unwrap_or_default();
    let mut files = Files { commit: CommitId("export".to_owned()), files };
    let Ok(reading) = Reader::new(standards).read(&mut files, file, blob(bytes));
    let error = reading.problems.iter().find(|problem| problem.severity == Severity::Error);
    match (error, reading.item) {
        (Some(problem), _) => Some(match problem.pointer.as_deref() {
            None | Some("") => problem.message.clone(),
            Some(pointer) => format!("{} ({pointer})", problem.message),
        }),
        (None, Some(item)) if item.key == *key => None,
        (None, _) => Some("it is read as another item".to_owned()),
    }
}
