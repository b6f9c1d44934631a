//! What the marketplace will refuse, told before it is asked
//! (`marketplace-api.md` §7 and §9.1).

use crate::domain::compare::SINCE_14_1;
use crate::domain::item::{Digest, Item, ItemType, Lifecycle, Version};

/// The types of the platform, and whether their items carry versions
/// (`marketplace-api.md` §7.4).
const PLATFORM_TYPES: [(&str, bool); 10] = [
    ("application", false),
    ("custom-resource", true),
    ("example", true),
    ("extension", false),
    ("infrastructure-component", false),
    ("infrastructure-component-runtime", false),
    ("plugin", true),
    ("proxy", false),
    ("sidecar", false),
    ("template", true),
];

/// The names of the platform's types.
pub fn platform_types() -> impl Iterator<Item = &'static str> {
    PLATFORM_TYPES.iter().map(|(name, _)| *name)
}

/// Whether items of a platform type carry versions; none if the platform has
/// no such type.
pub fn is_versioned(platform_type: &str) -> Option<bool> {
    PLATFORM_TYPES.iter().find(|(name, _)| *name == platform_type).map(|(_, versioned)| *versioned)
}

/// The top-level fields of the legacy model (`marketplace-api.md` §7.2), less
/// those that are translated or left out when an item is sent there.
const LEGACY_FIELDS: [&str; 22] = [
    "categoryId",
    "comingSoon",
    "description",
    "documentation",
    "image",
    "imageUrl",
    "isVersioningSupported",
    "itemId",
    "lifecycleStatus",
    "name",
    "providerId",
    "publishOnMiaDocumentation",
    "releaseStage",
    "repositoryUrl",
    "resources",
    "supportedBy",
    "supportedByImage",
    "supportedByImageUrl",
    "tenantId",
    "type",
    "version",
    "visibility",
];

/// Every top-level field that the marketplace knows, in either generation.
/// Others may be dropped or refused there.
pub fn known_fields() -> impl Iterator<Item = &'static str> {
    // `$schema` is never sent; the others are those that only the new model
    // has (`marketplace-api.md` §7.1).
    LEGACY_FIELDS.into_iter().chain(["$schema"]).chain(SINCE_14_1).chain(["releaseDate"])
}

/// Whether the legacy API has this top-level field, or the sender translates
/// or removes it (`lifecycleStatus`, and `itemTypeDefinitionRef` of a platform
/// type).
pub fn is_on_legacy(field: &str, item_type: &ItemType) -> bool {
    match field {
        "$schema" => true,
        "itemTypeDefinitionRef" => item_type.is_platform(),
        field => LEGACY_FIELDS.contains(&field),
    }
}

/// Whether a change of `resources` or type is one that the marketplace
/// refuses: then the version to publish instead.
///
/// A named version is sealed unless its recorded status is `coming-soon` or
/// `draft`; an unknown status counts as published. `NA` may always change
/// (`marketplace-api.md` §9.1).
pub fn sealed<'a>(
    item: &Item,
    recorded_digest: Digest,
    recorded_status: Option<Lifecycle>,
    versions: impl Iterator<Item = &'a Version>,
) -> Option<Version> {
    let Version::Named(version) = &item.key.version else {
        return None;
    };
    let mutable = recorded_status.is_some_and(Lifecycle::is_mutable);
    if mutable || item.sealed_digest == recorded_digest {
        return None;
    }
    Some(Version::Named(next_version(version, versions)))
}

/// The next free patch version after `version`. A pre-release is followed by
/// its release.
fn next_version<'a>(
    version: &semver::Version,
    taken: impl Iterator<Item = &'a Version>,
) -> semver::Version {
    let mut next = semver::Version::new(version.major, version.minor, version.patch);
    if version.pre.is_empty() {
        next.patch = next.patch.saturating_add(1);
    }
    for other in taken {
        if let Version::Named(other) = other
            && (other.major, other.minor) == (next.major, next.minor)
            && *other >= next
        {
            next = semver::Version::new(other.major, other.minor, other.patch.saturating_add(1));
        }
    }
    next
}
