//! Parse, build, dispatch; error to exit code. The only place that ends the
//! process.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, ValueEnum as _};
use jiff::Timestamp;

use marketsync::cli::{Cli, Format, LogFormat};
use marketsync::commands::failure::CommandError;
use marketsync::commands::{Exit, apply, marketplace, print, status, validate};
use marketsync::config::{self, Config, Job};
use marketsync::domain::report::json;
use marketsync::edge::telemetry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = std::env::vars().collect();
    let exit = config::resolve(&cli, &environment).map_err(CommandError::from).and_then(run);
    let exit = exit.unwrap_or_else(|error| {
        complain(&error);
        Exit::CouldNot
    });
    ExitCode::from(exit.code())
}

fn run(config: Config) -> Result<Exit, CommandError> {
    let log_format = match config.log.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    let level = config.log.level.to_possible_value().map(|level| level.get_name().to_owned());
    telemetry::init(log_format, level.as_deref().unwrap_or("info"), telemetry::Timestamps::Off)?;
    config.notices.iter().for_each(|notice| telemetry::notice(notice));
    let format = format_of(&config.job);
    let result = dispatch(config.job, config.log.format);
    if let (Err(error), Some(Format::Json)) = (&result, format)
        && !error.has_printed()
    {
        print(Format::Json, String::new, || json::error(&error.chain(), error.hint().as_deref()))?;
    }
    result
}

fn dispatch(job: Job, log: LogFormat) -> Result<Exit, CommandError> {
    match job {
        Job::Apply(config) => runtime()?.block_on(apply::apply(&config, log)),
        Job::Validate(config) => validate::validate(&config),
        Job::Status(config) => status::status(&config, Timestamp::now()),
        Job::Marketplace(config) => runtime()?.block_on(marketplace::marketplace(&config)),
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
        Job::Validate(config) => Some(config.format),
        Job::Status(config) => Some(config.format),
        Job::Marketplace(_) | Job::Completions(_) => None,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::System { what: "start the threads of the program", source })
}

/// Says on stderr what went wrong, why, and what to do.
#[expect(clippy::print_stderr, reason = "the last word of the process, after the log")]
fn complain(error: &CommandError) {
    eprintln!("error: {}", error.chain());
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}
