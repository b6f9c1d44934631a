//! Parse, build, dispatch; error to exit code. The only place that ends the
//! process.

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, ValueEnum as _};
use jiff::Timestamp;

use marketsync::cli::{self, Cli, Command, DiffFormat, Format, LogFormat, ValidateFormat};
use marketsync::commands::failure::CommandError;
use marketsync::commands::{
    Exit, apply, diff, export, history, marketplace, print, run, status, validate,
};
use marketsync::config::{self, Config, Job, StatusOf};
use marketsync::domain::report::json;
use marketsync::edge::telemetry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| cli::discreet(error).exit());
    // A name that is not UTF-8 is none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        })
        .collect();
    let resolved = config::resolve(&cli, &environment).map_err(CommandError::from);
    let (lines, format) = match &resolved {
        Ok(config) => (config.log.format, format_of(&config.job)),
        // What the options say holds also when the rest cannot be used.
        Err(_) => (cli.common.log_format.unwrap_or(LogFormat::Text), asked_format(&cli.command)),
    };
    let exit = resolved.and_then(start).unwrap_or_else(|error| {
        complain(&error, lines, format);
        error.exit()
    });
    ExitCode::from(exit.code())
}

fn start(config: Config) -> Result<Exit, CommandError> {
    let log_format = match config.log.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    let level = config.log.level.to_possible_value().map(|level| level.get_name().to_owned());
    let times = match config.job {
        Job::Run(_) => telemetry::Timestamps::On,
        _ => telemetry::Timestamps::Off,
    };
    telemetry::init(log_format, level.as_deref().unwrap_or("info"), times)?;
    config.notices.iter().for_each(|notice| telemetry::notice(notice));
    dispatch(config.job, config.log.format)
}

fn dispatch(job: Job, log: LogFormat) -> Result<Exit, CommandError> {
    match job {
        Job::Run(config) => wait_for(run::run(*config)),
        Job::Apply(config) => wait_for(apply::apply(&config, log)),
        Job::Diff(config) => wait_for(diff::diff(&config)),
        Job::History(config) => history::history(&config),
        Job::Export(config) => wait_for(export::export(&config)),
        Job::Validate(config) => validate::validate(&config),
        Job::Status(config) => match &config.of {
            StatusOf::State(dir) => status::of_state(dir, config.format, Timestamp::now()),
            StatusOf::Process(url) => {
                wait_for(status::of_process(url, config.format, Timestamp::now()))
            }
        },
        Job::Marketplace(config) => wait_for(marketplace::marketplace(&config)),
        Job::Completions(shell) => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "marketsync", &mut out);
            print(Format::Text, || String::from_utf8_lossy(&out).into_owned(), Default::default)?;
            Ok(Exit::Good)
        }
    }
}

fn format_of(job: &Job) -> Option<Format> {
    match job {
        Job::Apply(config) => Some(config.format),
        Job::Diff(config) => (config.format == DiffFormat::Json).then_some(Format::Json),
        Job::Validate(config) => (config.format == ValidateFormat::Json).then_some(Format::Json),
        Job::Status(config) => Some(config.format),
        Job::History(config) => Some(config.format),
        Job::Export(config) => Some(config.format),
        Job::Run(_) | Job::Marketplace(_) | Job::Completions(_) => None,
    }
}

/// Does this to its end, and waits for nothing else: a fetch or a disk that
/// hangs does not keep the process.
fn wait_for(work: impl Future<Output = Result<Exit, CommandError>>) -> Result<Exit, CommandError> {
    let what = "start the threads of the program";
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::System { what, source })?;
    let exit = runtime.block_on(work);
    runtime.shutdown_background();
    exit
}

/// The form of the result that the options ask for.
fn asked_format(command: &Command) -> Option<Format> {
    match command {
        Command::Apply(args) => args.output.format,
        Command::Diff(args) => (args.format == Some(DiffFormat::Json)).then_some(Format::Json),
        Command::Validate(args) => {
            (args.format == Some(ValidateFormat::Json)).then_some(Format::Json)
        }
        Command::Status(args) => args.output.format,
        Command::History(args) => args.output.format,
        Command::Export(args) => args.output.format,
        Command::Run(_) | Command::Marketplace(_) | Command::Completions { .. } => None,
    }
}

/// Says on stderr what went wrong, why, and what to do; for programs also on
/// stdout, unless a result stands there already.
fn complain(error: &CommandError, lines: LogFormat, format: Option<Format>) {
    let (chain, hint) = (error.chain(), error.hint());
    if format == Some(Format::Json) && !error.has_printed() {
        // If nobody can read stdout, stderr still says it.
        let _ = print(Format::Json, String::new, || json::error(&chain, hint.as_deref()));
    }
    if lines == LogFormat::Json {
        // It may have begun already; it does so once.
        let _ = telemetry::init(telemetry::LogFormat::Json, "error", telemetry::Timestamps::Off);
        tracing::error!(error = chain, hint, "Ended");
        return;
    }
    let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    // Nobody is left to tell if stderr is gone.
    let _ = write!(std::io::stderr().lock(), "error: {chain}\n{hint}");
}
