//! File, environment and options to a complete, checked configuration.
//!
//! Each setting has one name in three spellings (`--company-id`,
//! `MARKETSYNC_COMPANY_ID`, `company_id`): an option goes before a variable, a
//! variable before the file, the file before the default. The file is never
//! looked for in the source: what a repository holds must not choose an
//! endpoint or turn pruning on.

mod error;
mod layers;
mod miactl;
mod connect;
mod remote;
mod run;
mod state;
mod diff;
mod export;
mod marketplace;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{self, Cli, Command, Drift, Format, LogFormat, LogLevel, ValidateFormat};
use crate::domain::item::{ItemType, Lifecycle, RepoPath};
use crate::edge::git::remote::{Access, RemoteUrl, Wanted};
use crate::edge::store::{Identity, default_dir};

pub use connect::{Connect, EMBEDDED_COMPANY, Endpoint};
pub use diff::{Against, DiffConfig};
pub use error::ConfigError;
pub use export::ExportConfig;
pub use layers::{Environment, SETTINGS};
pub use marketplace::MarketplaceConfig;
pub use run::RunConfig;
pub use state::{HistoryConfig, StatusConfig, StatusOf};

use layers::{Given, Layers, count, text, truth, word};

/// What to do, complete and checked.
#[derive(Debug)]
pub struct Config {
    /// What to do.
    pub job: Job,
    /// How log lines are written.
    pub log: Log,
    /// What deserves a look before it is done.
    pub notices: Vec<String>,
}

/// One command with all that it needs.
#[derive(Debug)]
pub enum Job {
    /// `run`
    Run(Box<RunConfig>),
    /// `apply`
    Apply(Box<ApplyConfig>),
    /// `diff`
    Diff(Box<DiffConfig>),
    /// `validate`
    Validate(ValidateConfig),
    /// `status`
    Status(StatusConfig),
    /// `history`
    History(HistoryConfig),
    /// `export`
    Export(Box<ExportConfig>),
    /// `marketplace`
    Marketplace(MarketplaceConfig),
    /// `completions`
    Completions(clap_complete::Shell),
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Their form.
    pub format: LogFormat,
    /// The least important that are.
    pub level: LogLevel,
}

/// One pass.
#[derive(Debug)]
pub struct ApplyConfig {
    /// Which files.
    pub source: SourceConfig,
    /// Which marketplace.
    pub connect: Connect,
    /// The state directory.
    pub state: PathBuf,
    /// What that state is for.
    pub identity: Identity,
    /// What the pass may do.
    pub pass: PassConfig,
    /// How long transient failures are repeated.
    pub retry_for: Duration,
    /// The plan to which it is held, if it is to one.
    pub plan: Option<PathBuf>,
    /// The form of the result.
    pub format: Format,
}

/// A check without network.
#[derive(Debug)]
pub struct ValidateConfig {
    /// Which files.
    pub source: SourceConfig,
    /// The revision to compare published versions with.
    pub against: Option<String>,
    /// Whose items these are, if known.
    pub company: Option<String>,
    /// The form of the result.
    pub format: ValidateFormat,
}

/// Where the repository is.
#[derive(Debug, Clone)]
pub enum Location {
    /// On this machine: a checkout, a bare repository or a plain folder.
    Here(PathBuf),
    /// Elsewhere; a clone of it is kept in the state directory.
    Remote(Box<RemoteConfig>),
}

/// A repository elsewhere.
#[derive(Debug, Clone)]
pub struct RemoteConfig {
    /// Where it is.
    pub url: RemoteUrl,
    /// Which commit of it.
    pub wanted: Wanted,
    /// Who asks, and whom is believed.
    pub access: Access,
}

/// Which files are read, and how.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// The folder or repository.
    pub location: Location,
    /// What to read of it; none: HEAD.
    pub revision: Option<String>,
    /// Only below this folder of the repository; none: all of SOURCE.
    pub path: Option<RepoPath>,
    /// Files to leave out, in gitignore syntax.
    pub exclude: Vec<String>,
    /// Whether files are read as they lie there, committed or not.
    pub working_tree: bool,
    /// Schemas of the user's own, by type.
    pub schemas: Vec<(ItemType, PathBuf)>,
    /// Whether warnings are errors.
    pub strict: bool,
    /// Whether `tenantId` becomes the company.
    pub set_tenant: bool,
    /// The `lifecycleStatus` of items that state none.
    pub default_lifecycle: Lifecycle,
}

/// What a pass may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassConfig {
    /// What to do about drift.
    pub drift: Drift,
    /// Whether items that left the source are deleted.
    pub prune: bool,
    /// How many deletions one commit may make in all; none: the usual guard.
    pub allow_deletes: Option<usize>,
    /// How many updates a pass may make; none: any number.
    pub max_updates: Option<usize>,
}

/// How long `apply` repeats transient failures (`practice.md` §4).
pub const RETRY_FOR: Duration = Duration::from_mins(2);

/// Where a server listens: on this machine only.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The configuration of this command line in this environment. Reads the
/// configuration file, and miactl's if it is to be used; nothing else.
pub fn resolve(cli: &Cli, environment: &Environment) -> Result<Config, ConfigError> {
    if let Command::Completions { shell } = cli.command {
        // Shells ask for them at start, whatever else is wrong.
        let log = Log { format: LogFormat::Text, level: LogLevel::Info };
        return Ok(Config { job: Job::Completions(shell), log, notices: Vec::new() });
    }
    let layers = Layers::load(cli.common.config.as_deref(), environment)?;
    let log = Log {
        format: value(layers.one("log_format", cli.common.log_format, word)?, LogFormat::Text),
        level: value(layers.one("log_level", cli.common.log_level, word)?, LogLevel::Info),
    };
    let mut notices = Vec::new();
    let job = match &cli.command {
        Command::Run(args) => {
            let config = run::run(&layers, args)?;
            notices.extend(connect::notice(&config.connect));
            notices.extend(remote::notice(&config.source.location));
            Job::Run(Box::new(config))
        }
        Command::Apply(args) => {
            let config = apply(&layers, args)?;
            notices.extend(connect::notice(&config.connect));
            notices.extend(remote::notice(&config.source.location));
            Job::Apply(Box::new(config))
        }
        Command::Diff(args) => {
            let config = diff::diff(&layers, args)?;
            if let Against::Live { connect, .. } = &config.against {
                notices.extend(connect::notice(connect));
            }
            Job::Diff(Box::new(config))
        }
        Command::Validate(args) => Job::Validate(validate(&layers, args)?),
        Command::Status(args) => Job::Status(state::status(&layers, args)?),
        Command::History(args) => Job::History(state::history(&layers, args)?),
        Command::Export(args) => {
            let config = export::export(&layers, args)?;
            notices.extend(connect::notice(&config.connect));
            Job::Export(Box::new(config))
        }
        Command::Marketplace(args) => Job::Marketplace(marketplace::marketplace(&layers, args)?),
        Command::Completions { shell } => Job::Completions(*shell),
    };
    Ok(Config { job, log, notices })
}

fn value<T>(given: Option<Given<T>>, default: T) -> T {
    given.map_or(default, |given| given.value)
}

fn apply(layers: &Layers<'_>, args: &cli::Apply) -> Result<ApplyConfig, ConfigError> {
    let source = source(layers, &args.source, Some(&args.remote))?;
    let connect = connect::connect(layers, &args.connection)?;
    let identity = identity(&connect, &source);
    Ok(ApplyConfig {
        state: state_of(layers, &args.state, &identity)?,
        pass: pass(layers, &args.pass, Drift::Off)?,
        retry_for: value(layers.one("retry_for", args.retry_for, cli::duration)?, RETRY_FOR),
        plan: layers.path("plan", args.plan.as_ref())?.map(|given| given.value),
        format: format(layers, &args.output)?,
        source,
        connect,
        identity,
    })
}

fn pass(layers: &Layers<'_>, args: &cli::Pass, drift: Drift) -> Result<PassConfig, ConfigError> {
    let allow_deletes = layers.one("allow_deletes", args.allow_deletes, count)?;
    let max_updates = layers.one("max_updates", args.max_updates, count)?;
    Ok(PassConfig {
        drift: value(layers.one("drift", args.drift, word)?, drift),
        prune: value(layers.one("prune", args.prune, truth)?, false),
        allow_deletes: allow_deletes.map(|given| given.value),
        max_updates: max_updates.map(|given| given.value),
    })
}

fn validate(layers: &Layers<'_>, args: &cli::Validate) -> Result<ValidateConfig, ConfigError> {
    Ok(ValidateConfig {
        source: source(layers, &args.source, None)?,
        against: layers.one("against", args.against.clone(), text)?.map(|given| given.value),
        company: layers.one("company_id", args.company_id.clone(), text)?.map(|given| given.value),
        format: value(layers.one("format", args.format, word)?, ValidateFormat::Text),
    })
}

fn listen(layers: &Layers<'_>, flag: Option<&String>) -> Result<SocketAddr, ConfigError> {
    let address = |text: &str| {
        text.parse()
            .map_err(|_| format!("`{text}` is no IP address with a port, such as 127.0.0.1:8080"))
    };
    Ok(value(layers.checked("listen", flag, address)?, LISTEN))
}

fn source(
    layers: &Layers<'_>,
    args: &cli::Source,
    remote: Option<&cli::Remote>,
) -> Result<SourceConfig, ConfigError> {
    let revision = layers.one("revision", args.revision.clone(), text)?;
    let working_tree = layers.one("working_tree", args.working_tree, truth)?;
    if let (Some(revision), Some(working_tree)) = (&revision, &working_tree)
        && working_tree.value
    {
        let (one, other) = (revision.origin.to_string(), working_tree.origin.to_string());
        return Err(ConfigError::Both { one, other });
    }
    let lifecycle = |text: &str| text.parse::<Lifecycle>().map_err(|why| why.to_string());
    let lifecycle =
        layers.checked("default_lifecycle", args.default_lifecycle.as_ref(), lifecycle)?;
    let exclude = layers.several("exclude", &args.exclude, text)?;
    let (location, revision) = match remote {
        Some(flags) => remote::location(layers, args, flags, revision)?,
        None => (Location::Here(location(layers, args.source.as_ref())?), revision),
    };
    Ok(SourceConfig {
        location,
        revision: revision.map(|given| given.value),
        path: below(layers, args.path.as_ref())?,
        exclude: exclude.into_iter().map(|given| given.value).collect(),
        working_tree: value(working_tree, false),
        schemas: schemas(layers, &args.schemas)?,
        strict: value(layers.one("strict", args.strict, truth)?, false),
        set_tenant: value(layers.one("set_tenant", args.set_tenant, truth)?, false),
        default_lifecycle: value(lifecycle, Lifecycle::Published),
    })
}

/// SOURCE, if it is on this machine.
fn location(layers: &Layers<'_>, flag: Option<&PathBuf>) -> Result<PathBuf, ConfigError> {
    if let Some(Given { origin, .. }) = remote::url(layers, flag)? {
        let why = "only `run` and `apply` fetch a remote repository; name a checkout of it here";
        return Err(ConfigError::Invalid { origin: origin.to_string(), why: why.to_owned() });
    }
    Ok(value(layers.path("source", flag)?, PathBuf::from(".")))
}

fn below(layers: &Layers<'_>, flag: Option<&String>) -> Result<Option<RepoPath>, ConfigError> {
    let path = |text: &str| {
        RepoPath::new(text).map_err(|why| format!("{why}; it begins at the root of the repository"))
    };
    Ok(layers.checked("path", flag, path)?.map(|given| given.value))
}

fn schemas(layers: &Layers<'_>, flags: &[String]) -> Result<Vec<(ItemType, PathBuf)>, ConfigError> {
    let parse = |text: &str| {
        let (name, file) = text.split_once('=').unwrap_or((text, ""));
        let item_type = match name.split_once('/') {
            Some((namespace, name)) => {
                ItemType { namespace: namespace.to_owned(), name: name.to_owned() }
            }
            None => ItemType::platform(name),
        };
        let parts = [&item_type.namespace, &item_type.name];
        if file.is_empty() || parts.iter().any(|part| part.is_empty() || part.contains('/')) {
            return Err(format!(
                "`{text}` is not TYPE=FILE, where TYPE is a name or NAMESPACE/NAME"
            ));
        }
        Ok((item_type, PathBuf::from(file)))
    };
    let given = layers.several("schema", flags, parse)?.into_iter();
    Ok(given
        .map(|Given { value: (item_type, file), origin }| {
            (item_type, layers.resolved(&Given { value: file, origin }))
        })
        .collect())
}

fn format(layers: &Layers<'_>, args: &cli::Output) -> Result<Format, ConfigError> {
    Ok(value(layers.one("format", args.format, word)?, Format::Text))
}

fn state(layers: &Layers<'_>, args: &cli::State) -> Result<Option<PathBuf>, ConfigError> {
    Ok(layers.path("state", args.state.as_ref())?.map(|given| given.value))
}

fn identity(connect: &Connect, source: &SourceConfig) -> Identity {
    Identity {
        endpoint: connect.endpoint.to_string(),
        company: connect.company.clone(),
        source: match &source.location {
            Location::Here(location) => source_name(location, source.path.as_ref()),
            Location::Remote(remote) => remote::name(&remote.url, source.path.as_ref()),
        },
    }
}

fn state_of(
    layers: &Layers<'_>,
    args: &cli::State,
    identity: &Identity,
) -> Result<PathBuf, ConfigError> {
    match state(layers, args)? {
        Some(dir) => Ok(dir),
        None => usual_state(layers, identity),
    }
}

fn usual_state(layers: &Layers<'_>, identity: &Identity) -> Result<PathBuf, ConfigError> {
    default_dir(identity, |name| layers.environment().get(name).cloned()).ok_or_else(|| {
        ConfigError::Missing {
            what: "state directory",
            hint:
                "neither HOME nor XDG_STATE_HOME is set; say where the state is kept: --state DIR"
                    .to_owned(),
        }
    })
}

/// The source as one text that is the same in every run: its path, links and
/// all, because a link of git-sync leads elsewhere each time; and the part of
/// it that is used.
fn source_name(location: &Path, path: Option<&RepoPath>) -> String {
    let location = std::path::absolute(location).unwrap_or_else(|_| location.to_owned());
    match path.filter(|path| !path.as_str().is_empty()) {
        Some(path) => format!("{} --path {path}", location.display()),
        None => location.display().to_string(),
    }
}
