//! Option, environment, file: one name in three spellings, and which of them
//! counts.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::error::ConfigError;

/// The environment, by name.
pub type Environment = BTreeMap<String, String>;

/// The largest configuration file in bytes. All settings together need some
/// kilobytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

const PREFIX: &str = "MARKETSYNC_";

/// Variables that are no settings: they hold secrets, or name the file.
const SPECIAL: [&str; 6] =
    ["CLIENT_SECRET", "PRIVATE_KEY", "TOKEN", "GIT_PASSWORD", "HOOK_SECRET", "CONFIG"];

macro_rules! settings {
    (one: $($one:ident)*; several: $($several:ident)*) => {
        /// Every setting that the file and the environment know.
        pub const SETTINGS: &[&str] = &[$(stringify!($one),)* $(stringify!($several),)*];

        /// A configuration file. All values are texts here; what they must be
        /// is the same for an option, a variable and the file.
        #[derive(Deserialize, Default)]
        #[serde(deny_unknown_fields, default)]
        struct Document {
            $($one: Option<Spanned<String>>,)*
            $($several: Option<Vec<Spanned<String>>>,)*
        }

        impl Document {
            fn values(self) -> BTreeMap<&'static str, Vec<Spanned<String>>> {
                let mut values = BTreeMap::new();
                $(if let Some(one) = self.$one { values.insert(stringify!($one), vec![one]); })*
                $(if let Some(several) = self.$several { values.insert(stringify!($several), several); })*
                values
            }
        }
    };
}

settings! {
    one:
        source revision path working_tree strict set_tenant default_lifecycle against
        endpoint company_id client_id client_secret_file key_id private_key_file token_file ca_file
        state drift prune allow_deletes max_updates retry_for plan out overwrite limit
        format log_format log_level
        url
        listen console data control
        branch git_username git_password_file ssh_key_file known_hosts_file git_ca_file
        hook_secret_file poll_every fetch_every drift_every drift_rate;
    several: exclude schema switch
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Flag(String),
    Variable(String),
    File { file: PathBuf, line: u64, column: u64, name: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { file, line, column, name } => {
                write!(f, "{name} ({}:{line}:{column})", file.display())
            }
        }
    }
}

/// A value and where it was given.
#[derive(Debug, Clone)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// What lies below the options: the environment over the file.
pub(super) struct Layers<'a> {
    environment: &'a Environment,
    file: Option<PathBuf>,
    values: BTreeMap<&'static str, Vec<Spanned<String>>>,
}

impl<'a> Layers<'a> {
    /// Reads the file that `flag`, the environment or custom names, and
    /// checks all names.
    pub(super) fn load(
        flag: Option<&Path>,
        environment: &'a Environment,
    ) -> Result<Self, ConfigError> {
        check_variables(environment)?;
        let mut layers = Self { environment, file: None, values: BTreeMap::new() };
        let named =
            flag.map(Path::to_owned).or_else(|| layers.variable("CONFIG").map(PathBuf::from));
        let is_named = named.is_some();
        let custom =
            || config_home(environment).map(|home| home.join("marketsync/marketsync.yaml"));
        let Some(file) = named.or_else(custom) else {
            return Ok(layers);
        };
        match read(&file) {
            Ok(text) => layers.values = parse(&file, &text)?,
            Err(ConfigError::Unreadable { source, .. })
                if !is_named
                    && matches!(
                        source.kind(),
                        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                    ) =>
            {
                return Ok(layers);
            }
            Err(fault) => return Err(fault),
        }
        layers.file = Some(file);
        Ok(layers)
    }

    /// The value of a variable of ours, given without the prefix. An empty
    /// one is unset, as CI systems leave it when a secret does not exist.
    pub(super) fn variable(&self, name: &str) -> Option<&'a str> {
        self.environment
            .get(&format!("{PREFIX}{name}"))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The environment as a whole.
    pub(super) fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// One value: the option, else the first of variable and file.
    pub(super) fn one<T>(
        &self,
        name: &'static str,
        flag: Option<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Given<T>>, ConfigError> {
        if let Some(value) = flag {
            return Ok(Some(Given { value, origin: Origin::Flag(option(name)) }));
        }
        let mut below = self.below(name, |text| vec![text])?.into_iter();
        below.next().map(|given| parsed(given, &parse)).transpose()
    }

    /// Like [`Layers::one`], where the option too is still a text.
    pub(super) fn checked<T>(
        &self,
        name: &'static str,
        flag: Option<&String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Given<T>>, ConfigError> {
        let text = self.one(name, flag.cloned(), |text| Ok(text.to_owned()))?;
        text.map(|given| parsed(given, &parse)).transpose()
    }

    /// A path; in the file it begins at the file's folder.
    pub(super) fn path(
        &self,
        name: &'static str,
        flag: Option<&PathBuf>,
    ) -> Result<Option<Given<PathBuf>>, ConfigError> {
        let given = self.one(name, flag.cloned(), |text| Ok(PathBuf::from(text)))?;
        Ok(given.map(|given| Given { value: self.resolved(&given), origin: given.origin }))
    }

    /// The path as the place where it was given means it.
    pub(super) fn resolved(&self, given: &Given<PathBuf>) -> PathBuf {
        let folder = self.file.as_deref().and_then(Path::parent);
        match (&given.origin, folder) {
            (Origin::File { .. }, Some(folder)) => folder.join(&given.value),
            _ => given.value.clone(),
        }
    }

    /// Several values: those of the options, else of the first layer that has
    /// any.
    pub(super) fn several<T>(
        &self,
        name: &'static str,
        flags: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<Given<T>>, ConfigError> {
        let texts = if flags.is_empty() {
            let lines = |text: String| {
                text.lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            self.below(name, lines)?
        } else {
            let origin = Origin::Flag(option(name));
            flags
                .iter()
                .map(|value| Given { value: value.clone(), origin: origin.clone() })
                .collect()
        };
        texts.into_iter().map(|given| parsed(given, &parse)).collect()
    }

    fn below(
        &self,
        name: &'static str,
        split: impl Fn(String) -> Vec<String>,
    ) -> Result<Vec<Given<String>>, ConfigError> {
        let upper = name.to_ascii_uppercase();
        if let Some(text) = self.variable(&upper) {
            let origin = Origin::Variable(format!("{PREFIX}{upper}"));
            let values = split(text.to_owned()).into_iter();
            return Ok(values.map(|value| Given { value, origin: origin.clone() }).collect());
        }
        let (Some(file), Some(values)) = (&self.file, self.values.get(name)) else {
            return Ok(Vec::new());
        };
        let given = |value: &Spanned<String>| {
            let (line, column) = (value.referenced.line(), value.referenced.column());
            let origin = Origin::File { file: file.clone(), line, column, name };
            if value.value.is_empty() {
                let why = "the value is empty; leave the key out to use the default".to_owned();
                return Err(ConfigError::Invalid { origin: origin.to_string(), why });
            }
            Ok(Given { value: value.value.clone(), origin })
        };
        values.iter().map(given).collect()
    }
}

/// `company_id` as an option.
fn option(name: &str) -> String {
    if name == "source" { "SOURCE".to_owned() } else { format!("--{}", name.replace('_', "-")) }
}

fn parsed<T>(
    given: Given<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Given<T>, ConfigError> {
    match parse(&given.value) {
        Ok(value) => Ok(Given { value, origin: given.origin }),
        Err(why) => Err(ConfigError::Invalid { origin: given.origin.to_string(), why }),
    }
}

/// `$XDG_CONFIG_HOME`, or `~/.config`.
pub(super) fn config_home(environment: &Environment) -> Option<PathBuf> {
    let absolute =
        |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
}

/// The text of a configuration file.
pub(super) fn read(file: &Path) -> Result<String, ConfigError> {
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = "a configuration file has at most 1 MiB".to_owned();
        return Err(ConfigError::Malformed { place: file.display().to_string(), message });
    }
    Ok(text)
}

fn parse(
    file: &Path,
    text: &str,
) -> Result<BTreeMap<&'static str, Vec<Spanned<String>>>, ConfigError> {
    let options = serde_saphyr::options! { with_snippet: false };
    // A file of comments alone is a document of nothing.
    let document: Result<Option<Document>, _> = serde_saphyr::from_str_with_options(text, options);
    match document {
        Ok(document) => Ok(document.unwrap_or_default().values()),
        Err(fault) => {
            let place = place(file, fault.location());
            Err(match fault.without_snippet() {
                serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
                    ConfigError::UnknownKey {
                        place,
                        nearest: nearest(field, expected.iter().copied()),
                        name: field.clone(),
                    }
                }
                _ => ConfigError::Malformed { place, message: fault.to_string() },
            })
        }
    }
}

/// `file:line:column`, as far as it is known.
pub(super) fn place(file: &Path, location: Option<Location>) -> String {
    match location {
        Some(at) if at.line() > 0 => format!("{}:{}:{}", file.display(), at.line(), at.column()),
        _ => file.display().to_string(),
    }
}

fn check_variables(environment: &Environment) -> Result<(), ConfigError> {
    let known = || {
        let settings = SETTINGS.iter().map(|name| name.to_ascii_uppercase());
        settings
            .chain(SPECIAL.iter().map(ToString::to_string))
            .map(|name| format!("{PREFIX}{name}"))
    };
    for name in environment.keys() {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if is_of_kubernetes(rest) || known().any(|known| known == *name) {
            continue;
        }
        let known: Vec<String> = known().collect();
        let nearest = nearest(name, known.iter().map(String::as_str));
        return Err(ConfigError::UnknownVariable { name: name.clone(), nearest });
    }
    Ok(())
}

/// Whether Kubernetes sets such a variable for a Service called marketsync, or
/// one whose name begins so (`practice.md` §1).
fn is_of_kubernetes(rest: &str) -> bool {
    rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.starts_with("SERVICE_")
        || rest.contains("_SERVICE_")
        || rest.contains("_PORT")
}

/// The name that was probably meant.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    // Below this, a suggestion confuses more than it helps.
    const ALIKE: f64 = 0.8;
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}

/// A value of a closed set, by its name.
pub(super) fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let values: Vec<_> = T::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        format!("`{text}` is not one of {}", values.join(", "))
    })
}

/// `true` or `false`, and nothing else: `no` in YAML is a word, or Norway.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
}

/// A whole number from zero.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number from zero"))
}

/// Any text.
#[expect(clippy::unnecessary_wraps, reason = "stands where other kinds of value are checked")]
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}
