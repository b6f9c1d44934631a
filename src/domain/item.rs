//! The nouns: what an item is called, what it is, and what it hashes to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::domain::path::{OutsideCheckout, RepoPath};

/// The identifier of an item within its company.
///
/// One to 63 letters, digits and hyphens that begin and end with a letter or a
/// digit (`marketplace-api.md` §7.3, the pattern of the server's `OpenAPI`).
/// Upper case is allowed and significant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId(String);

/// Why a text is no [`ItemId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an item id is 1 to 63 letters, digits and hyphens, and begins and ends with a letter or digit"
)]
pub struct InvalidItemId;

impl ItemId {
    /// The id as the marketplace spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ItemId {
    type Err = InvalidItemId;

    fn from_str(text: &str) -> Result<Self, InvalidItemId> {
        let bytes = text.as_bytes();
        let edges = [bytes.first(), bytes.last()];
        let legal = (1..=63).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && edges.iter().flatten().all(|b| b.is_ascii_alphanumeric());
        if legal { Ok(Self(text.to_owned())) } else { Err(InvalidItemId) }
    }
}

impl TryFrom<String> for ItemId {
    type Error = InvalidItemId;

    fn try_from(text: String) -> Result<Self, InvalidItemId> {
        text.parse()
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The version of an item: `NA` for an item without one, else a semantic
/// version (semver 2.0, pre-release and build metadata included).
///
/// `NA` is below every named version, as the marketplace orders them
/// (`marketplace-api.md` §9.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Version {
    /// The item is not versioned.
    Na,
    /// The item carries `version.name`.
    Named(semver::Version),
}

/// The name that the marketplace gives to "no version", in answers and paths.
pub const NA: &str = "NA";

/// The longest version name in bytes. It stands in the address of every look
/// at its item, and in every table.
pub const MAX_VERSION_BYTES: usize = 128;

impl Version {
    /// Whether the item carries `version.name`.
    pub fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }
}

impl FromStr for Version {
    type Err = semver::Error;

    fn from_str(text: &str) -> Result<Self, semver::Error> {
        if text == NA { Ok(Self::Na) } else { text.parse().map(Self::Named) }
    }
}

impl TryFrom<String> for Version {
    type Error = semver::Error;

    fn try_from(text: String) -> Result<Self, semver::Error> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Na => f.write_str(NA),
            Self::Named(version) => version.fmt(f),
        }
    }
}

/// The identity of an item inside one company. It comes from the content of a
/// file, never from its path; its order is the order of every list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemKey {
    /// The item.
    pub item_id: ItemId,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.item_id, self.version)
    }
}

/// The namespace of the types that the platform defines itself.
pub const PLATFORM: &str = "mia-platform";

/// The type of an item: an item type definition, named in its namespace.
///
/// A manifest states it either as a bare `type`, which means the platform's
/// namespace, or as `itemTypeDefinitionRef` (`marketplace-api.md` §7.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemType {
    /// `mia-platform` for the types of the platform, else a company.
    pub namespace: String,
    /// For example `sidecar`.
    pub name: String,
}

impl ItemType {
    /// A type in the platform's own namespace.
    pub fn platform(name: &str) -> Self {
        Self { namespace: PLATFORM.to_owned(), name: name.to_owned() }
    }

    /// Whether the platform defines it.
    pub fn is_platform(&self) -> bool {
        self.namespace == PLATFORM
    }
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_platform() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// Where an item is in its life (`marketplace-api.md` §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Announced, not usable yet.
    ComingSoon,
    /// Still being written.
    Draft,
    /// For use.
    Published,
    /// Usable, no longer developed.
    Maintenance,
    /// To be replaced.
    Deprecated,
    /// Kept for the record.
    Archived,
}

impl Lifecycle {
    /// Every status, in the order of an item's life.
    pub const ALL: [Self; 6] = [
        Self::ComingSoon,
        Self::Draft,
        Self::Published,
        Self::Maintenance,
        Self::Deprecated,
        Self::Archived,
    ];

    /// The status as the wire spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ComingSoon => "coming-soon",
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Maintenance => "maintenance",
            Self::Deprecated => "deprecated",
            Self::Archived => "archived",
        }
    }

    /// Whether `resources` of a named version may still change in this status
    /// (`marketplace-api.md` §9.1).
    pub fn is_mutable(self) -> bool {
        matches!(self, Self::ComingSoon | Self::Draft)
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No status of that name exists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the lifecycle status is one of coming-soon, draft, published, maintenance, deprecated, archived"
)]
pub struct UnknownLifecycle;

impl FromStr for Lifecycle {
    type Err = UnknownLifecycle;

    fn from_str(text: &str) -> Result<Self, UnknownLifecycle> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownLifecycle)
    }
}

/// A blake3 hash (32 bytes), written `b3:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text is no [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `b3:` and 64 hexadecimal digits")]
pub struct InvalidDigest;

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate("b3:".len() + 7);
        text
    }

    /// The raw bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b3:{}", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hex = text.strip_prefix("b3:").ok_or(InvalidDigest)?;
        let hash = blake3::Hash::from_hex(hex).map_err(|_| InvalidDigest)?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Names the bytes of a file: git's object id, or for a plain directory the
/// first 20 bytes of their blake3 hash. Equal ids mean equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobId(pub [u8; 20]);

/// Names what was read: a git commit (40 hexadecimal digits), or for a plain
/// directory `dir-` and the digest of its files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(pub String);

impl CommitId {
    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        let end = if self.0.starts_with("dir-") { 11 } else { 7 };
        self.0.get(..end).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The two pictures that an item may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageSlot {
    /// `image`: the item's own.
    Image,
    /// `supportedByImage`: that of the company behind it.
    SupportedByImage,
}

impl ImageSlot {
    /// Both, in the order in which they are uploaded.
    pub const ALL: [Self; 2] = [Self::Image, Self::SupportedByImage];

    /// The field of an item file that names a local picture.
    pub fn field(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::SupportedByImage => "supportedByImage",
        }
    }

    /// The field of the wire that holds the location of the uploaded picture.
    pub fn url_field(self) -> &'static str {
        match self {
            Self::Image => "imageUrl",
            Self::SupportedByImage => "supportedByImageUrl",
        }
    }

    /// The `assetType` of the upload (`marketplace-api.md` §5).
    pub fn asset_type(self) -> &'static str {
        match self {
            Self::Image => "imageAssetType",
            Self::SupportedByImage => "supportedByImageAssetType",
        }
    }
}

/// A picture that an item names by `localPath`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemImage {
    /// Which of the two it is.
    pub slot: ImageSlot,
    /// The file, as resolved.
    pub path: RepoPath,
    /// Its bytes in the source.
    pub blob: BlobId,
    /// The blake3 hash of its bytes.
    pub digest: Digest,
    /// What its bytes are.
    pub format: ImageFormat,
}

/// The formats that the marketplace takes (`marketplace-api.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
}

impl ImageFormat {
    /// The format, told from the first bytes as the vendor's client tells it.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else {
            None
        }
    }

    /// The content type of the upload.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }
}

/// One valid item of one commit. Only `manifest` makes one: if it exists, its
/// file was read, validated and hashed. The body is not kept; it is read again
/// when it is sent or compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Who it is.
    pub key: ItemKey,
    /// What it is.
    pub item_type: ItemType,
    /// `lifecycleStatus`, the default filled in.
    pub lifecycle: Lifecycle,
    /// Whether that default was filled in.
    pub lifecycle_defaulted: bool,
    /// The file that holds it, as walked.
    pub path: RepoPath,
    /// The same file with its symbolic links followed.
    pub file: RepoPath,
    /// The bytes of that file.
    pub blob: BlobId,
    /// Its pictures.
    pub images: Vec<ItemImage>,
    /// Changes exactly when something changes that the marketplace would see.
    pub digest: Digest,
    /// Of `resources` and the type: what may not change in a published
    /// version.
    pub sealed_digest: Digest,
    /// Top-level fields that the closed schema of the legacy API lacks
    /// (`marketplace-api.md` §7.2); they hold the item there.
    pub not_on_legacy: Vec<String>,
}
