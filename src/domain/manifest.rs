//! One file to one [`Item`], or to the problems that keep it from being one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::canon;
use crate::domain::draft::{Draft, identity, kind};
use crate::domain::item::{
    BlobId, Digest, ImageSlot, Item, ItemImage, ItemType, Lifecycle, RepoPath,
};
use crate::domain::mask::{Mask, masked_problem};
use crate::domain::pictures::{self, Fact};
use crate::domain::rules;
use crate::domain::schema::{self, CompiledFiles, escape};
use crate::domain::schema_files::{self, SchemaFiles};
use crate::domain::seen::Reading;
use crate::domain::source::{
    self, Format, MAX_FINDINGS, Outline, Place, Problem, Severity, nearest, quote,
};
use crate::domain::standards::{Standards, Tailoring};
use crate::domain::tree::{LACKING, MAX_ITEM_BYTES, Resolved, Target, Tree, opened};

/// How much the compiled schemas of files of the commit may take that are
/// kept, in bytes: as much as the largest, and some more. A hundred of ten
/// patterns each fit; without a limit each item could name another schema.
const MAX_COMPILED_BYTES: usize = 160 * 1024 * 1024;

/// The document that a file holds or held, as it is or was wanted.
pub fn document_at<T: Tree>(
    tree: &mut T,
    path: &RepoPath,
    blob: BlobId,
    tailoring: &Tailoring,
) -> Result<Value, T::Error> {
    let bytes = tree.bytes(path, blob)?;
    let format = Format::of(path.file_name()).unwrap_or(Format::Json);
    // The same bytes made a valid item before, so this is an object again.
    Ok(match source::parse(path, format, &bytes).value {
        Some(Value::Object(document)) => Value::Object(tailoring.tailor(document)),
        other => other.unwrap_or_default(),
    })
}

/// The digest of an item with this document and these pictures.
pub fn digest_with(
    mut document: Map<String, Value>,
    pictures: impl IntoIterator<Item = (ImageSlot, Digest)>,
) -> Digest {
    for (slot, digest) in pictures {
        document.insert(slot.field().to_owned(), Value::from(digest.to_string()));
    }
    canon::digest(&Value::Object(document))
}

/// A problem of a valid item, at the place of one of its values.
pub fn problem_at<T: Tree>(
    tree: &mut T,
    item: &Item,
    pointer: &str,
    message: String,
) -> Result<Problem, T::Error> {
    let bytes = tree.bytes(&item.file, item.blob)?;
    let format = Format::of(item.path.file_name()).unwrap_or(Format::Json);
    let text = String::from_utf8_lossy(&bytes);
    let problem = Outline::new(format, &text).problem(&item.path, pointer, Place::Value, message);
    Ok(masked_problem(problem))
}

/// Reads files, and keeps what many of them share: compiled schemas and facts
/// about pictures.
pub struct Reader<'a> {
    standards: &'a Standards,
    compiled: CompiledFiles,
    /// What those take at most, in bytes.
    compiled_bytes: usize,
    pictures: BTreeMap<BlobId, Fact>,
    mask: Mask,
}

impl<'a> Reader<'a> {
    /// A reader that holds files to these standards.
    pub fn new(standards: &'a Standards) -> Self {
        Self {
            standards,
            compiled: HashMap::new(),
            compiled_bytes: 0,
            pictures: BTreeMap::new(),
            mask: Mask::new(standards.schemas.secret_names().clone()),
        }
    }

    /// Reads one file. Only the tree's own errors are errors; whatever is
    /// wrong with the file is in the result, and told without its credentials:
    /// it is logged, shown and kept.
    pub fn read<T: Tree>(
        &mut self,
        tree: &mut T,
        path: &RepoPath,
        blob: BlobId,
    ) -> Result<Reading, T::Error> {
        let mut reading = self.read_openly(tree, path, blob)?;
        let problems = std::mem::take(&mut reading.problems).into_iter();
        reading.problems = problems.map(|problem| self.mask.problem(problem)).collect();
        Ok(reading)
    }

    fn read_openly<T: Tree>(
        &mut self,
        tree: &mut T,
        path: &RepoPath,
        blob: BlobId,
    ) -> Result<Reading, T::Error> {
        let resolved = tree.resolve(path)?;
        let mut rests_on = others(&resolved, path);
        let bytes = match opened(tree, &resolved, MAX_ITEM_BYTES)? {
            Ok(bytes) => bytes,
            Err(why) => {
                return Ok(broken(
                    blob,
                    rests_on,
                    Problem::of_file(path, why.message).hint(why.hint),
                ));
            }
        };
        let format = Format::of(path.file_name()).unwrap_or(Format::Json);
        let parsed = source::parse(path, format, &bytes);
        let text = String::from_utf8_lossy(&bytes);
        let document = match parsed.value {
            Some(Value::Object(document)) => document,
            Some(_) => {
                let problem = Outline::new(format, &text)
                    .problem(
                        path,
                        "",
                        Place::Value,
                        "an item is an object, and this file holds something else",
                    )
                    .hint("if this is not an item, exclude it with --exclude or .marketsyncignore");
                return Ok(broken(blob, rests_on, problem));
            }
            None => {
                return Ok(Reading { blob, rests_on, item: None, problems: parsed.problems });
            }
        };
        let mut draft = Draft {
            path,
            outline: Outline::new(format, &text),
            document,
            problems: parsed.problems,
            rests_on: Vec::new(),
        };
        let item = self.examine(tree, &mut draft, &resolved)?;
        rests_on.append(&mut draft.rests_on);
        rests_on.sort();
        rests_on.dedup();
        if self.standards.strict {
            draft.problems.iter_mut().for_each(|problem| problem.severity = Severity::Error);
        }
        draft.problems.sort_by_key(|problem| problem.position);
        let item = if draft.is_broken() { None } else { item.map(Arc::new) };
        Ok(Reading { blob, rests_on, item, problems: draft.problems })
    }

    fn examine<T: Tree>(
        &mut self,
        tree: &mut T,
        draft: &mut Draft<'_>,
        file: &Resolved,
    ) -> Result<Option<Item>, T::Error> {
        if !draft.document.contains_key("itemId") {
            let hint = nearest("itemId", draft.document.keys().map(String::as_str)).map_or_else(
                || {
                    "if this is not an item, exclude it with --exclude or .marketsyncignore"
                        .to_owned()
                },
                |near| format!("is {} meant to be `itemId`?", quote(near)),
            );
            draft.problem("", Place::Value, "no itemId").hint = Some(hint);
            return Ok(None);
        }
        let item_type = kind(draft);
        let key = identity(draft, item_type.as_ref());
        if let Some(item_type) = &item_type {
            let document = Value::Object(draft.document.clone());
            for violation in self.standards.schemas.check(&document, item_type) {
                // Of one value one thing is said: the rules above know more.
                let said = draft
                    .problems
                    .iter()
                    .any(|problem| problem.pointer.as_ref() == Some(&violation.pointer));
                if !said {
                    draft.violation(violation);
                }
            }
        }
        self.remark(draft);
        self.commit_schema(tree, draft)?;
        let images = self.images(tree, draft)?;
        let (Some(key), Some(item_type), &Target::File { blob, .. }) =
            (key, item_type, &file.target)
        else {
            return Ok(None);
        };
        if draft.is_broken() {
            return Ok(None);
        }
        let document = self.standards.tailoring.tailor(draft.document.clone());
        let stated = draft.text("lifecycleStatus").and_then(|text| text.parse().ok());
        // The older model's word for it; its resources may still change.
        let soon = draft.document.get("comingSoon") == Some(&Value::Bool(true));
        let lifecycle = stated.or(soon.then_some(Lifecycle::ComingSoon));
        let not_on_legacy = document
            .keys()
            .filter(|field| !rules::is_on_legacy(field, &item_type))
            .cloned()
            .collect();
        Ok(Some(Item {
            key,
            path: draft.path.clone(),
            file: file.path.clone(),
            blob,
            sealed_digest: sealed_digest(&document, &item_type),
            digest: digest_with(document, images.iter().map(|image| (image.slot, image.digest))),
            item_type,
            lifecycle: lifecycle.unwrap_or(self.standards.tailoring.default_lifecycle),
            lifecycle_defaulted: !draft.document.contains_key("lifecycleStatus"),
            images,
            not_on_legacy,
        }))
    }

    /// What is legal and still deserves a look.
    fn remark(&self, draft: &mut Draft<'_>) {
        let company = self.standards.company.as_deref();
        if self.standards.tailoring.set_tenant.is_none()
            && let (Some(company), Some(tenant)) = (company, draft.text("tenantId"))
            && company != tenant
        {
            let message = format!("tenantId is not the company {company}");
            let tenant = tenant.to_owned();
            let problem = draft.problem("/tenantId", Place::Value, message);
            problem.severity = Severity::Warning;
            problem.found = Some(quote(&tenant));
            problem.hint =
                Some("it is sent as written; --set-tenant writes the company in".to_owned());
        }
        let unknown: Vec<String> = draft
            .document
            .keys()
            .filter(|field| !rules::known_fields().any(|known| known == *field))
            .cloned()
            .collect();
        for field in unknown.into_iter().take(MAX_FINDINGS) {
            let similar = nearest(&field, rules::known_fields()).map_or_else(
                || "it may be dropped or refused".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("the marketplace has no field {}", quote(&field));
            let problem = draft.problem(&format!("/{}", escape(&field)), Place::Key, message);
            problem.severity = Severity::Warning;
            problem.hint = Some(similar);
        }
    }

    /// Validates the document against the schema that its `$schema` names.
    fn commit_schema<T: Tree>(
        &mut self,
        tree: &mut T,
        draft: &mut Draft<'_>,
    ) -> Result<(), T::Error> {
        let Some(name) = draft.text("$schema").map(str::to_owned) else {
            return Ok(());
        };
        if name.contains("://") {
            let problem =
                draft.problem("/$schema", Place::Value, "a schema is not fetched from a URL");
            problem.severity = Severity::Warning;
            problem.hint = Some(
                "the item was not validated against it; commit the schema file and name its path"
                    .to_owned(),
            );
            return Ok(());
        }
        let (key, rests_on) = match schema_files::gather(tree, draft.path, &name)? {
            Ok(files) => {
                let rests_on = files.rests_on.clone();
                (self.compile(files), rests_on)
            }
            Err((why, rests_on)) => (Err(why), rests_on),
        };
        draft.rests_on.extend(rests_on);
        match key {
            Ok(validator) => {
                let document = Value::Object(draft.document.clone());
                for violation in schema::violations(&validator, &document, "") {
                    draft.violation(violation);
                }
            }
            Err(why) => {
                let message = format!("the schema {} cannot be used: {why}", quote(&name));
                draft.problem("/$schema", Place::Value, message).hint =
                    Some("mend the schema, or remove `$schema`; it is never sent".to_owned());
            }
        }
        Ok(())
    }

    fn compile(&mut self, files: SchemaFiles) -> Result<Arc<jsonschema::Validator>, String> {
        let SchemaFiles { base, root, others, cache_key, .. } = files;
        if let Some(known) = self.compiled.get(&cache_key) {
            return known.clone();
        }
        let bytes = others.values().chain([&root]).map(schema::most_bytes).sum();
        if self.compiled_bytes.saturating_add(bytes) > MAX_COMPILED_BYTES {
            self.compiled.clear();
            self.compiled_bytes = 0;
        }
        let compiled =
            schema::compile(&base, &root, others).map(Arc::new).map_err(|error| error.to_string());
        self.compiled_bytes += bytes;
        self.compiled.insert(cache_key, compiled.clone());
        compiled
    }

    fn images<T: Tree>(
        &mut self,
        tree: &mut T,
        draft: &mut Draft<'_>,
    ) -> Result<Vec<ItemImage>, T::Error> {
        let mut images = Vec::new();
        for slot in ImageSlot::ALL {
            let field = slot.field();
            if !draft.document.contains_key(field) {
                continue;
            }
            if draft.document.contains_key(slot.url_field()) {
                let message = format!("`{field}` and `{}` are both given", slot.url_field());
                draft.problem(&format!("/{field}"), Place::Key, message).hint = Some(format!(
                    "keep one; a local picture is uploaded and sets `{}`",
                    slot.url_field()
                ));
                continue;
            }
            let local = draft
                .document
                .get(field)
                .and_then(|image| image.get("localPath"))
                .and_then(Value::as_str);
            // A picture without a usable `localPath` is the schema's to report.
            let Some(local) = local.map(str::to_owned) else {
                continue;
            };
            let pointer = format!("/{field}/localPath");
            let path = match draft.path.parent().join(&local) {
                Ok(path) => path,
                Err(outside) => {
                    let problem = draft.problem(&pointer, Place::Value, outside.to_string());
                    problem.found = Some(quote(&local));
                    problem.hint = Some(
                        "name a picture inside the checkout, relative to this file".to_owned(),
                    );
                    continue;
                }
            };
            let resolved = tree.resolve(&path)?;
            draft.rests_on.extend(resolved.rests_on());
            match pictures::fact(tree, &resolved, &mut self.pictures)? {
                Ok((path, blob, fact)) => {
                    images.push(ItemImage {
                        slot,
                        path,
                        blob,
                        digest: fact.digest,
                        format: fact.format,
                    });
                }
                Err(why) => {
                    let problem = draft.problem(&pointer, Place::Value, why.message);
                    problem.found = Some(quote(&local));
                    problem.hint = Some(why.hint);
                }
            }
        }
        Ok(images)
    }
}

fn broken(blob: BlobId, rests_on: Vec<(RepoPath, Option<BlobId>)>, problem: Problem) -> Reading {
    Reading { blob, rests_on, item: None, problems: vec![problem] }
}

/// What the reading of the file at `path` rests on, besides the blob there.
fn others(resolved: &Resolved, path: &RepoPath) -> Vec<(RepoPath, Option<BlobId>)> {
    resolved
        .rests_on()
        .filter(|(visited, blob)| visited != path || *blob == Some(LACKING))
        .collect()
}

fn sealed_digest(document: &Map<String, Value>, item_type: &ItemType) -> Digest {
    let resources = document.get("resources").cloned().unwrap_or_default();
    let sealed = serde_json::json!({ "resources": resources, "type": [item_type.namespace, item_type.name] });
    canon::digest(&sealed)
}
