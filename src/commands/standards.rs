//! What files are held to, from the configuration.

use std::path::PathBuf;

use crate::commands::failure::CommandError;
use crate::config::SourceConfig;
use crate::domain::item::{Digest, ItemType};
use crate::domain::schema::{Schemas, compile_alone};
use crate::domain::standards::{Standards, Tailoring};
use crate::edge::source::{Source, SourceOptions};
use crate::edge::telemetry;

/// Opens the source that the configuration names.
pub fn open_source(config: &SourceConfig) -> Result<Source, CommandError> {
    Ok(Source::open(&SourceOptions {
        location: config.location.clone(),
        revision: config.revision.clone(),
        path: config.path.clone(),
        excludes: config.exclude.clone(),
        working_tree: config.working_tree,
    })?)
}

/// The standards that the configuration asks for. Reads the schema files of
/// `--schema`, which only the user names and never the source.
pub fn standards(config: &SourceConfig, company: Option<&str>) -> Result<Standards, CommandError> {
    let mut added: Vec<(ItemType, String)> = Vec::new();
    for (item_type, path) in &config.schemas {
        added.push((item_type.clone(), read_schema(path)?));
    }
    let schemas =
        Schemas::new(&added).map_err(|source| CommandError::Schema { path: None, source })?;
    Ok(Standards {
        schemas,
        tailoring: Tailoring {
            set_tenant: config.set_tenant.then(|| company.map(str::to_owned)).flatten(),
            default_lifecycle: config.default_lifecycle,
        },
        company: company.map(str::to_owned),
        strict: config.strict,
    })
}

fn read_schema(path: &PathBuf) -> Result<String, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CommandError::ReadSchema { path: path.clone(), source })?;
    // Compiled here once more, so that the message names the file.
    compile_alone(&text)
        .map_err(|source| CommandError::Schema { path: Some(path.clone()), source })?;
    Ok(text)
}

/// Says that an edit is not committed, if that shows at once. A courtesy: a
/// work tree that cannot be looked at keeps nobody from reading the commit.
pub fn warn_of_uncommitted(source: &Source) {
    if let Ok(Some(path)) = source.uncommitted() {
        telemetry::notice(&format!(
            "{path} has edits that are not committed; the commit is what counts \
             (--working-tree reads the files)"
        ));
    }
}

/// What a kept reading holds for: these standards, this folder, these
/// excludes.
pub fn fingerprint(standards: &Standards, source: &Source) -> Digest {
    let text = format!("{}\n{}\n{:?}", standards.fingerprint(), source.path(), source.excludes());
    Digest::of(text.as_bytes())
}
