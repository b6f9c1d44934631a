//! The files of a commit and what they ask for: a model that shares no code
//! with the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::steps::{Edit, Field, KEYS, PICTURES, Rule};
use crate::support::documents::{plugin, set, sidecar};
use crate::support::market::{COMPANY, PNG};

/// `item version`.
pub(crate) type Name = String;

/// The name of one of the [`KEYS`].
pub(crate) fn name_of(number: usize) -> Name {
    let (item, version) = KEYS[number % KEYS.len()];
    format!("{item} {version}")
}

#[expect(clippy::struct_excessive_bools, reason = "each is a field that is there or not")]
#[derive(Debug, Clone, PartialEq, Default)]
struct Doc {
    name: u8,
    repository: Option<u8>,
    resources: u8,
    lifecycle: Option<u8>,
    picture: Option<usize>,
    schema: bool,
    tags: bool,
    older_type: bool,
    foreign: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is drawn for itself")]
#[derive(Debug, Clone, PartialEq, Default)]
struct File {
    doc: Doc,
    called: u8,
    turned: bool,
    yaml: bool,
    broken: bool,
    link: bool,
}

/// Every file of the repository.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Catalogue {
    files: BTreeMap<usize, File>,
    folder: u8,
    pictures: [Option<u8>; PICTURES],
    rule: Rule,
}

/// What a valid file asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// As it goes, pictures and `$schema` aside.
    pub(crate) document: Value,
    /// The bytes of its picture.
    pub(crate) picture: Option<Vec<u8>>,
    /// It states what Console 14.0 does not know.
    pub(crate) is_new: bool,
}

impl Wanted {
    pub(crate) fn lifecycle(&self) -> &str {
        self.document["lifecycleStatus"].as_str().unwrap()
    }

    pub(crate) fn has_tags(&self) -> bool {
        self.document.get("tags").is_some()
    }
}

/// What a commit asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    pub(crate) items: BTreeMap<Name, Wanted>,
    /// A file is broken.
    pub(crate) broken: bool,
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        Self { pictures: [Some(0), Some(1), Some(1)], ..Self::default() }
    }

    pub(crate) fn edit(&mut self, edit: &Edit) {
        let slot = |number: &usize| number % (2 * KEYS.len());
        let mut with = |number: &usize, change: &dyn Fn(&mut File)| {
            self.files.entry(slot(number)).and_modify(change);
        };
        match edit {
            Edit::Set(file, field) => {
                let doc = &mut self.files.entry(slot(file)).or_default().doc;
                doc.set(field);
            }
            Edit::Remove(file) => drop(self.files.remove(&slot(file))),
            Edit::Rename(file) => with(file, &|file| file.called = file.called.wrapping_add(1)),
            Edit::MoveFolder => self.folder = self.folder.wrapping_add(1),
            Edit::TurnKeys(file) => with(file, &|file| file.turned = !file.turned),
            Edit::OtherFormat(file) => with(file, &|file| file.yaml = !file.yaml),
            Edit::Break(file) => with(file, &|file| file.broken = true),
            Edit::Mend(file) => with(file, &|file| file.broken = false),
            Edit::Link(file) => with(file, &|file| file.link = !file.link),
            Edit::Picture(picture, content) => self.pictures[picture % PICTURES] = *content,
            Edit::Schema(rule) => self.rule = *rule,
        }
    }

    /// Nothing is broken or double, and all of it goes to this Console.
    pub(crate) fn mend(&mut self, console: &str) {
        self.files.retain(|slot, _| *slot < KEYS.len());
        self.rule = Rule::Any;
        for picture in &mut self.pictures {
            picture.get_or_insert(0);
        }
        for file in self.files.values_mut() {
            file.broken = false;
            file.doc.tags &= console == "14.1";
            file.doc.older_type |= console == "14.0";
        }
    }

    /// The files below `items/a`, or all.
    fn sees(slot: usize, narrow: bool) -> bool {
        !narrow || slot % KEYS.len() < 3
    }

    fn document(&self, slot: usize, file: &File, tenant: bool) -> Wanted {
        let (item, version) = KEYS[slot % KEYS.len()];
        let doc = &file.doc;
        let mut document = if version == "NA" {
            let image = format!("ghcr.io/my-sidecar:1.{}", doc.resources);
            set(sidecar(item), "/resources/dockerImage", image)
        } else {
            let replicas = 1 + u32::from(doc.resources);
            set(plugin(item, version), "/resources/services/one/replicas", replicas)
        };
        document["name"] = json!(format!("Name {}", doc.name));
        let object = document.as_object_mut().unwrap();
        if let Some(value) = doc.repository {
            object.insert("repositoryUrl".to_owned(), json!(repository(value)));
        }
        let status = if doc.lifecycle == Some(1) { "draft" } else { "published" };
        object.insert("lifecycleStatus".to_owned(), json!(status));
        if doc.tags {
            object.insert("tags".to_owned(), json!(["one"]));
        }
        if doc.older_type {
            let named = object.remove("itemTypeDefinitionRef").unwrap()["name"].clone();
            object.insert("type".to_owned(), named);
        }
        let foreign = doc.foreign && !tenant;
        object.insert("tenantId".to_owned(), json!(if foreign { "other" } else { COMPANY }));
        let picture = doc.picture.and_then(|picture| self.pictures[picture]).map(bytes);
        Wanted { document, picture, is_new: doc.tags || !doc.older_type }
    }

    fn is_broken(&self, file: &File) -> bool {
        let doc = &file.doc;
        file.broken
            || doc.picture.is_some_and(|picture| self.pictures[picture].is_none())
            || doc.schema
                && match self.rule {
                    Rule::Any => false,
                    Rule::Strict => doc.repository == Some(2),
                    Rule::None => true,
                }
    }

    /// What is wanted, with these options.
    pub(crate) fn wishes(&self, narrow: bool, tenant: bool) -> Wishes {
        let mut wishes = Wishes::default();
        let mut doubles = BTreeSet::new();
        for (slot, file) in self.files.iter().filter(|(slot, _)| Self::sees(**slot, narrow)) {
            if self.is_broken(file) {
                wishes.broken = true;
                continue;
            }
            let wanted = self.document(*slot, file, tenant);
            if wishes.items.insert(name_of(*slot), wanted).is_some() {
                doubles.insert(name_of(*slot));
            }
        }
        wishes.broken |= !doubles.is_empty();
        wishes.items.retain(|name, _| !doubles.contains(name));
        wishes
    }

    /// The text of a file.
    fn text(&self, slot: usize, file: &File) -> String {
        let Wanted { mut document, .. } = self.document(slot, file, false);
        if file.doc.lifecycle.is_none() {
            // Left to the default, which is what the model says.
            document.as_object_mut().unwrap().remove("lifecycleStatus");
        }
        if let Some(picture) = file.doc.picture {
            document["image"] = json!({ "localPath": format!("../../../img/{picture}.png") });
        }
        if file.doc.schema {
            document["$schema"] = json!("../../../schemas/item.schema.json");
        }
        let mut fields: Vec<(&String, &Value)> = document.as_object().unwrap().iter().collect();
        if file.turned {
            fields.reverse();
        }
        let mut lines: Vec<String> =
            fields.iter().map(|(key, value)| format!("{}: {value}", json!(key))).collect();
        if file.broken {
            lines.push("\"broken: {".to_owned());
        }
        if file.yaml { lines.join("\n") + "\n" } else { format!("{{{}}}\n", lines.join(",\n")) }
    }

    /// All of it as a commit for `git fast-import`.
    pub(crate) fn as_commit(&self, message: &str, has_parent: bool) -> Vec<u8> {
        let mut tree: BTreeMap<String, (&str, Vec<u8>)> = BTreeMap::new();
        let mut put = |path: String, mode, bytes: Vec<u8>| drop(tree.insert(path, (mode, bytes)));
        for folder in ["a", "b"] {
            put(format!("items/{folder}/.keep"), "100644", Vec::new());
        }
        for (picture, content) in self.pictures.iter().enumerate() {
            if let Some(content) = content {
                put(format!("img/{picture}.png"), "100644", bytes(*content));
            }
        }
        match self.rule {
            Rule::None => {}
            rule => {
                let texts = if rule == Rule::Any {
                    json!({})
                } else {
                    json!({ "enum": [repository(0), repository(1)] })
                };
                let schema = json!({ "type": "object", "properties": { "repositoryUrl": texts } });
                put("schemas/item.schema.json".to_owned(), "100644", schema.to_string().into());
            }
        }
        for (slot, file) in &self.files {
            let folder = if Self::sees(*slot, true) { "a" } else { "b" };
            let suffix = if file.yaml { "yaml" } else { "json" };
            let path = format!("items/{folder}/m{}/{slot}-{}.{suffix}", self.folder, file.called);
            let text = self.text(*slot, file).into_bytes();
            if file.link {
                put(path, "120000", format!("../../../.store/{slot}.{suffix}").into());
                put(format!(".store/{slot}.{suffix}"), "100644", text);
            } else {
                put(path, "100644", text);
            }
        }
        let mut out = Vec::new();
        let person = "Ada Author <ada@example.com> 1767323045 +0000";
        let head = format!(
            "commit refs/heads/main\ncommitter {person}\ndata {}\n{message}\n",
            message.len()
        );
        out.extend(head.into_bytes());
        if has_parent {
            out.extend(b"from refs/heads/main^0\n");
        }
        out.extend(b"deleteall\n");
        for (path, (mode, bytes)) in tree {
            let mut line = String::new();
            writeln!(line, "M {mode} inline {path}\ndata {}", bytes.len()).unwrap();
            out.extend(line.into_bytes());
            out.extend(bytes);
            out.extend(b"\n");
        }
        out
    }
}

impl Doc {
    fn set(&mut self, field: &Field) {
        match field {
            Field::Name(value) => self.name = *value,
            Field::Repository(value) => self.repository = *value,
            Field::Resources(value) => self.resources = *value,
            Field::Lifecycle(value) => self.lifecycle = *value,
            Field::Picture(value) => self.picture = value.map(|picture| picture % PICTURES),
            Field::Schema(value) => self.schema = *value,
            Field::Tags(value) => self.tags = *value,
            Field::OlderType(value) => self.older_type = *value,
            Field::Foreign(value) => self.foreign = *value,
        }
    }
}

/// A field that may be left out.
pub(crate) fn repository(value: u8) -> String {
    format!("https://example.com/repository-{value}")
}

/// A picture with this content.
fn bytes(content: u8) -> Vec<u8> {
    [PNG, &[content]].concat()
}
