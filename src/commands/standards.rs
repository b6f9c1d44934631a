//! What files are held to, from the configuration.

use std::path::PathBuf;

use crate::commands::failure::CommandError;
use crate::config::{Location, SourceConfig};
use crate::domain::item::Digest;
use crate::domain::schema::Schemas;
use crate::domain::standards::{Standards, Tailoring};
use crate::edge::source::{Source, SourceOptions};
use crate::edge::telemetry;

/// Opens the source of a command that fetches none.
pub fn open_source(config: &SourceConfig) -> Result<Source, CommandError> {
    match &config.location {
        Location::Here(location) => Ok(Source::open(&options(config, location.clone()))?),
        Location::Remote(_) => Err(CommandError::NoClone),
    }
}

/// Which files the configuration names; `location` is where they are on this
/// machine.
pub fn options(config: &SourceConfig, location: PathBuf) -> SourceOptions {
    SourceOptions {
        location,
        revision: config.revision.clone(),
        path: config.path.clone(),
        excludes: config.exclude.clone(),
        working_tree: config.working_tree,
    }
}

/// The standards that the configuration asks for. Reads the schema files of
/// `--schema`, which only the user names and never the source.
pub fn standards(config: &SourceConfig, company: Option<&str>) -> Result<Standards, CommandError> {
    let unusable = |path: Option<&PathBuf>| {
        let path = path.cloned();
        move |source| CommandError::Schema { path, source }
    };
    let mut schemas = Schemas::new().map_err(unusable(None))?;
    for (item_type, path) in &config.schemas {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CommandError::ReadSchema { path: path.clone(), source })?;
        schemas.add(item_type, &text).map_err(unusable(Some(path)))?;
    }
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
