//! What a test or a user may choose about the embedded marketplace.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// How the embedded marketplace behaves. Everything has a default, so that
/// `{}` is a complete configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which Console it plays: what `/api/version` answers and which path
    /// families exist (`marketplace-api.md` §2).
    pub console: ConsoleVersion,
    /// What the public sources leave open (`marketplace-api.md` §13).
    pub switches: Switches,
    /// The service accounts that may ask for a token. Empty: any id with any
    /// secret, and any assertion whose claims are right (its signature cannot
    /// be checked then).
    pub clients: Vec<Client>,
    /// `expires_in` of a token, in seconds. `miactl` takes a token for expired
    /// 10 s before its end (`marketplace-api.md` §6.3), so keep it above that.
    pub token_lifetime: u32,
    /// The journal that carries items, images and the token key over a
    /// restart. Without it everything is forgotten.
    pub persist: Option<PathBuf>,
    /// Whether `/__control/…` exists: state, log and faults over HTTP, without
    /// any authentication. For tests on loopback only.
    pub control: bool,
    /// The largest body of an apply, in bytes; beyond it 413. The real limit is
    /// unknown (§13.15); `miactl` sends the public catalogue as one body of
    /// 2.1 MB (§3.1).
    pub apply_limit: usize,
    /// Item types beside the ten of the platform (§7.4), as a company defines
    /// them. Their `resources` may be any object.
    pub types: Vec<TypeDefinition>,
}

/// The default of [`Settings::apply_limit`]: ten times the public catalogue.
pub const APPLY_LIMIT: usize = 32 * 1024 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            console: ConsoleVersion::default(),
            switches: Switches::default(),
            clients: Vec::new(),
            token_lifetime: 3600, // what the docs show (§6.3)
            persist: None,
            control: false,
            apply_limit: APPLY_LIMIT,
            types: Vec::new(),
        }
    }
}

/// An item type definition that is not the platform's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDefinition {
    /// The company that defines it.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether its items may carry `version`.
    #[serde(default)]
    pub versioned: bool,
}

/// A service account (`marketplace-api.md` §6.1, §6.2).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The client id.
    pub id: String,
    /// For `client_secret_basic`.
    #[serde(default)]
    pub secret: Option<SecretString>,
    /// For `private_key_jwt`.
    #[serde(default)]
    pub key: Option<ClientKey>,
}

/// The public half of a service account's key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKey {
    /// `kid` of the assertion's header.
    pub id: String,
    /// The RSA public key, PEM.
    pub public_key: String,
}

/// The Console that is played, written `404`, `13.6`, `14.1` …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ConsoleVersion {
    /// `/api/version` is answered 404, which a client takes for 13.6 (§2.1).
    /// Otherwise this is a 13.x.
    NotFound,
    /// Major and minor version.
    Is(u16, u16),
}

impl Default for ConsoleVersion {
    /// 14.1, the first that knows item type definitions.
    fn default() -> Self {
        Self::Is(14, 1)
    }
}

impl ConsoleVersion {
    fn number(self) -> (u16, u16) {
        match self {
            Self::NotFound => (13, 6),
            Self::Is(major, minor) => (major, minor),
        }
    }

    /// Whether `/api/tenants/{t}/marketplace/…` exists (§2.2).
    pub fn has_new_api(self) -> bool {
        self.number() >= (14, 0)
    }

    /// Whether `/api/backend/marketplace/…` exists: the docs say that it is
    /// removed in v15 (§2.2).
    pub fn has_legacy_api(self) -> bool {
        self.number() < (15, 0)
    }

    /// Whether items may name their type by `itemTypeDefinitionRef` (§2.2, §7.1).
    pub fn has_type_definitions(self) -> bool {
        self.number() >= (14, 1)
    }
}

/// A text is no [`ConsoleVersion`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a Console version is written MAJOR.MINOR, for example 14.1, or 404 for a Console without /api/version"
)]
pub struct InvalidConsoleVersion;

impl FromStr for ConsoleVersion {
    type Err = InvalidConsoleVersion;

    fn from_str(text: &str) -> Result<Self, InvalidConsoleVersion> {
        if text == "404" {
            return Ok(Self::NotFound);
        }
        let (major, minor) = text.split_once('.').ok_or(InvalidConsoleVersion)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidConsoleVersion);
        Ok(Self::Is(number(major)?, number(minor)?))
    }
}

impl TryFrom<String> for ConsoleVersion {
    type Error = InvalidConsoleVersion;

    fn try_from(text: String) -> Result<Self, InvalidConsoleVersion> {
        text.parse()
    }
}

impl From<ConsoleVersion> for String {
    fn from(version: ConsoleVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for ConsoleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("404"),
            Self::Is(major, minor) => write!(f, "{major}.{minor}"),
        }
    }
}

/// One switch for each unknown of `marketplace-api.md` §13 that changes what a
/// client must do. The first variant of each is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// §13.3: what happens to a stored field that the manifest no longer has.
    pub upsert: Upsert,
    /// §13.4: what happens to a top-level key that the model does not know.
    pub unknown_keys: UnknownKeys,
    /// §13.2: which flag an apply without any change sets.
    pub reapply: Reapply,
    /// §13.1: in which order the rows of an apply answer stand.
    pub order: RowOrder,
    /// §13.1: how an apply is answered when an item fails.
    pub partial_failure: PartialFailure,
    /// §13.8: what one row of the list stands for.
    pub list_rows: ListRows,
    /// §13.9: how the versions of an unknown item are answered.
    pub unknown_versions: UnknownVersions,
    /// §13.10: what happens when `tenantId` is not the company of the path.
    pub tenant_mismatch: TenantMismatch,
    /// §13.18: whether defaults of the schemas are written into what is stored.
    pub written_defaults: WrittenDefaults,
    /// §13.14: whether a deleted version takes its images along.
    pub delete_files: DeleteFiles,
    /// §4.1: whether `Accept: …; as=manifest` is obeyed (the new API only).
    pub manifest_form: ManifestForm,
}

macro_rules! switch {
    ($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident, $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            $first,
            $($(#[$variant_doc])* $variant),+
        }
    };
}

switch! {
    /// §13.3.
    Upsert {
        /// The stored document becomes the manifest; `releaseDate` stays.
        Replace,
        /// Each key of the manifest is set, the others stay (the way the
        /// public catalogue writes its database, §8.3).
        Merge,
    }
}
switch! {
    /// §13.4.
    UnknownKeys {
        /// The item fails with one error for each key (closed schema, §7.1).
        Reject,
        /// The key is removed in silence.
        Drop,
        /// The key is stored and comes back.
        Keep,
    }
}
switch! {
    /// §13.2.
    Reapply {
        /// `updated: true`; `miactl` prints UNKNOWN otherwise (§3.5).
        Updated,
        /// Neither `inserted` nor `updated`.
        Neither,
    }
}
switch! {
    /// §13.1.
    RowOrder {
        /// As in the request.
        Request,
        /// The other way round.
        Reversed,
    }
}
switch! {
    /// §13.1. The last two are guesses at what a 4xx could mean.
    PartialFailure {
        /// 200; the failed rows say `done: false`, the others are stored.
        PerItem,
        /// 422 with an error body that names the first failed item; nothing of
        /// the request is stored.
        RefuseAll,
        /// The same 422, but the good items are stored.
        StoreRest,
    }
}
switch! {
    /// §13.8.
    ListRows {
        /// One row an item: its latest version, unless `itemUrns` names one.
        Item,
        /// One row a version.
        Version,
    }
}
switch! {
    /// §13.9.
    UnknownVersions {
        /// 404.
        NotFound,
        /// 200 and `[]`.
        Empty,
    }
}
switch! {
    /// §13.10.
    TenantMismatch {
        /// The company of the path is written into the item. The default,
        /// because the walk-through of the user document has such a mismatch
        /// and succeeds.
        Overwrite,
        /// The item is stored as written, under the company that it names.
        Accept,
        /// The item fails.
        RejectItem,
        /// The request is answered 400.
        BadRequest,
        /// The request is answered 403.
        Forbidden,
    }
}
switch! {
    /// §13.18.
    WrittenDefaults {
        /// Stored as sent.
        Off,
        /// `protocol: TCP` in every container port, both keys of `visibility`.
        On,
    }
}
switch! {
    /// §13.14.
    DeleteFiles {
        /// Images stay.
        Off,
        /// Images that no other version names go.
        On,
    }
}
switch! {
    /// §4.1.
    ManifestForm {
        /// The manifest form, JSON or YAML.
        On,
        /// Always the versioned item.
        Off,
    }
}
