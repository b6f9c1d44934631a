//! Options that several commands share, and the words that they take.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "General")]
pub struct Common {
    /// The configuration file, YAML [default: marketsync/marketsync.yaml in
    /// `$XDG_CONFIG_HOME` or ~/.config, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines are written [default: text]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// The least important log lines that are written [default: info]
    #[arg(long, global = true, value_enum, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
}

/// Which files are read, and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Source")]
pub struct Source {
    /// A folder inside a git checkout, a bare repository, a plain folder, or,
    /// for `run` and `apply`, the URL of a remote repository [default: .]
    #[arg(value_name = "SOURCE", help_heading = None::<&'static str>)]
    pub source: Option<PathBuf>,
    /// The commit, branch or tag to read [default: HEAD]
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// Only items below this folder of the repository [default: SOURCE]
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Leave these files out, in gitignore syntax; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Read the files as they lie in the folder, committed or not [default:
    /// false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub working_tree: Option<bool>,
    /// Check items of a type with a JSON Schema of your own; TYPE is a bare
    /// name or NAMESPACE/NAME; may be repeated
    #[arg(long = "schema", value_name = "TYPE=FILE")]
    pub schemas: Vec<String>,
    /// Treat warnings as errors [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub strict: Option<bool>,
    /// Write the company into tenantId of every item [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub set_tenant: Option<bool>,
    /// The lifecycleStatus of items that state none [default: published]
    #[arg(long, value_name = "STATUS")]
    pub default_lifecycle: Option<String>,
}

/// Which marketplace, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The marketplace: the URL of a Console (https:// if it names no scheme),
    /// or `embedded` for one of its own
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The company (tenant) whose items these are [default for an embedded
    /// marketplace: my-company]
    #[arg(long, value_name = "ID")]
    pub company_id: Option<String>,
    /// The client id of the service account
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The file that holds its client secret
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// The id of its key, when it signs in with a private key
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
    /// The file that holds that private key, PEM with PKCS#8
    #[arg(long, value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    /// The file that holds an access token, instead of a service account
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The certificates that are trusted, PEM, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Where it is remembered what was done.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "State")]
pub struct State {
    /// The folder of the state [default: one for each endpoint, company and
    /// source, in marketsync in `$XDG_STATE_HOME` or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// What a pass may do.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Pass")]
pub struct Pass {
    /// What to do about items that somebody changed in the marketplace: not
    /// look, report, or correct [default: report for `run`, off for `apply`]
    #[arg(long, value_enum, value_name = "MODE")]
    pub drift: Option<Drift>,
    /// Delete items that left the source, of those that marketsync recorded
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub prune: Option<bool>,
    /// How many items one commit may delete in all [default: a tenth of those
    /// recorded, at least 1 and at most 10]
    #[arg(long, value_name = "N")]
    pub allow_deletes: Option<usize>,
    /// Hold all updates of a pass if there are more than this [default: no
    /// limit]
    #[arg(long, value_name = "N")]
    pub max_updates: Option<usize>,
}

/// How a remote repository is reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Remote source")]
pub struct Remote {
    /// The branch of a remote source to follow [default: the one that its HEAD
    /// names]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// The user that a remote source is asked as [default: the one in its URL,
    /// else git]
    #[arg(long, value_name = "NAME")]
    pub git_username: Option<String>,
    /// The file that holds the password or token for it
    #[arg(long, value_name = "FILE")]
    pub git_password_file: Option<PathBuf>,
    /// The file that holds the private key for ssh, without a passphrase
    #[arg(long, value_name = "FILE")]
    pub ssh_key_file: Option<PathBuf>,
    /// The file that holds the host keys that are trusted, as ssh keeps them
    #[arg(long, value_name = "FILE")]
    pub known_hosts_file: Option<PathBuf>,
    /// The certificates that are trusted for it, PEM, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub git_ca_file: Option<PathBuf>,
}

/// When passes are made, and who may ask.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Daemon")]
pub struct Beat {
    /// The address to listen on; port 0 takes any free one [default:
    /// 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The file that holds the secret of the webhook; without it there is none
    #[arg(long, value_name = "FILE")]
    pub hook_secret_file: Option<PathBuf>,
    /// How often to see whether the source moved, in case an event was lost
    /// [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = beat)]
    pub poll_every: Option<Duration>,
    /// How often to fetch a remote source, give or take 5 % [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = beat)]
    pub fetch_every: Option<Duration>,
    /// How often to look at the items in the marketplace, give or take 10 %
    /// [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = beat)]
    pub drift_every: Option<Duration>,
    /// How many items to look at in a second at most [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub drift_rate: Option<u32>,
}

/// How the result is printed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// How the result is printed [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// Where a state is found: by its folder, or by what `apply` was given.
#[derive(Debug, Clone, Default, Args)]
pub struct WhichState {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub state: State,
    /// The source that the state is of, as `apply` was given it [default: .]
    #[arg(value_name = "SOURCE", help_heading = None::<&'static str>)]
    pub source: Option<PathBuf>,
    /// The --path that `apply` was given
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// The marketplace: a URL, or `embedded`
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The company
    #[arg(long, value_name = "ID")]
    pub company_id: Option<String>,
}

/// What to do about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drift {
    /// Do not look.
    Off,
    /// Look and tell.
    Report,
    /// Look and put right.
    Correct,
}

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The form of a list of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Workflow commands of GitHub, which mark the lines of a pull request.
    Github,
    /// A Code Quality report of GitLab, which marks those of a merge request.
    Gitlab,
}

/// The form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For the comment of a pull request.
    Markdown,
    /// A page of its own.
    Html,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important log lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What deserves a look.
    Warn,
    /// What was done.
    Info,
    /// Requests and decisions.
    Debug,
    /// Everything.
    Trace,
}

/// Reads the time from one beat to the next.
pub(crate) fn beat(text: &str) -> Result<Duration, String> {
    // Faster than this, a beat is a busy loop.
    const SHORTEST: Duration = Duration::from_millis(10);
    let beat = duration(text)?;
    if beat < SHORTEST {
        return Err("the shortest beat is 10ms".to_owned());
    }
    Ok(beat)
}

/// Reads a duration such as `90s`, `2m` or `1h 30m`, between zero and a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    // Longer than any pass; also keeps sums of times in range.
    const LONGEST: Duration = Duration::from_hours(24);
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| {
            "a duration is a number with its unit, such as 90s or 2m, of at most 24h".to_owned()
        })
}
