//! The schema file that an item's `$schema` names, and the files that it
//! refers to, all of one commit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::item::{BlobId, Digest, RepoPath};
use crate::domain::schema;
use crate::domain::schema_cost::decoded;
use crate::domain::source::quote;
use crate::domain::tree::{MAX_SCHEMA_BYTES, Tree, opened};

/// The most schema files that one item may lead to through references.
const MAX_SCHEMA_FILES: usize = 32;

/// A schema of the commit with every file that it refers to.
pub struct SchemaFiles {
    /// The address of the schema itself.
    pub base: String,
    /// The schema itself.
    pub root: Value,
    /// The other files, by address.
    pub others: BTreeMap<String, Value>,
    /// Names the content of all of them.
    pub cache_key: String,
    /// Every path that was looked at.
    pub rests_on: Vec<(RepoPath, Option<BlobId>)>,
}

/// Why there is no such schema, and every path that was looked at.
pub type Unresolved = (String, Vec<(RepoPath, Option<BlobId>)>);

/// Gathers the schema that `name` leads to from the item at `item`, and the
/// files that it refers to, all from the same commit.
pub fn gather<T: Tree>(
    tree: &mut T,
    item: &RepoPath,
    name: &str,
) -> Result<Result<SchemaFiles, Unresolved>, T::Error> {
    let mut rests_on = Vec::new();
    let mut cache_key = String::new();
    let mut texts: Vec<(RepoPath, Value)> = Vec::new();
    let mut open = vec![(item.parent(), name.to_owned())];
    while let Some((folder, name)) = open.pop() {
        let refuse = |why: String, rests_on| Ok(Err((why, rests_on)));
        let path = match folder.join(&name) {
            Ok(path) => path,
            Err(outside) => return refuse(format!("{}: {outside}", quote(&name)), rests_on),
        };
        if texts.iter().any(|(known, _)| *known == path) {
            continue;
        }
        if texts.len() >= MAX_SCHEMA_FILES {
            return refuse(format!("it leads to more than {MAX_SCHEMA_FILES} files"), rests_on);
        }
        let resolved = tree.resolve(&path)?;
        rests_on.extend(resolved.rests_on());
        let bytes = match opened(tree, &resolved, MAX_SCHEMA_BYTES)? {
            Ok(bytes) => bytes,
            Err(why) => return refuse(format!("{path}: {}", why.message), rests_on),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(cache_key, "{path} {}", Digest::of(&bytes));
        let schema = match schema::parse(&String::from_utf8_lossy(&bytes)) {
            Ok(schema) => schema,
            Err(error) => return refuse(format!("{path}: {error}"), rests_on),
        };
        let references =
            schema::references(&schema).into_iter().filter(|target| !target.contains("://"));
        open.extend(references.map(|target| (path.parent(), decoded(&target))));
        texts.push((path, schema));
    }
    let mut texts =
        texts.into_iter().map(|(path, schema)| (schema::address(path.as_str()), schema));
    let Some((base, root)) = texts.next() else {
        return Ok(Err(("it is empty".to_owned(), rests_on)));
    };
    Ok(Ok(SchemaFiles { base, root, others: texts.collect(), cache_key, rests_on }))
}
