//! The command line: clap types only, no decisions. What the options mean
//! together with environment and file is told in [`crate::config`].
//!
//! The doc comments are the help texts.

mod help;
mod options;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

pub use options::{
    Beat, Common, Connection, DiffFormat, Drift, Format, LogFormat, LogLevel, Output, Pass, Remote,
    Source, State, ValidateFormat, WhichState,
};
pub(crate) use options::{beat, duration};

/// Keeps a Mia-Platform Marketplace in step with a git repository
///
/// Commit an item file, and the item is created or updated in the marketplace;
/// nothing else there is touched.
#[derive(Debug, Parser)]
#[command(name = "marketsync", version, after_help = help::SETTINGS, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow the source, and keep the marketplace in step with it
    #[command(after_help = help::RUN, mut_arg("working_tree", |arg| arg.hide(true)))]
    Run(Box<Run>),
    /// Bring the marketplace up to date with the source once, then exit
    #[command(after_help = help::APPLY)]
    Apply(Box<Apply>),
    /// Show what `apply` would do, and why, field by field; changes nothing
    #[command(after_help = help::DIFF)]
    Diff(Box<Diff>),
    /// Check every item of the source, without network
    #[command(after_help = help::VALIDATE)]
    Validate(Validate),
    /// Show what is known of every item: version, commit, last result, age
    #[command(after_help = help::STATUS)]
    Status(Status),
    /// Show what was done to one item: commit, author, reason, outcome, time
    #[command(after_help = help::HISTORY)]
    History(History),
    /// Write the company's items into a folder as files, ready to commit
    #[command(after_help = help::EXPORT)]
    Export(Export),
    /// Serve a marketplace of its own, for tests and first steps
    #[command(after_help = help::MARKETPLACE)]
    Marketplace(Marketplace),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub source: Source,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub remote: Remote,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub connection: Connection,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub state: State,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub pass: Pass,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub beat: Beat,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct Apply {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub source: Source,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub connection: Connection,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub state: State,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub pass: Pass,
    /// How long to repeat what failed for a passing reason, such as 90s or 2m
    /// [default: 2m]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Pass")]
    pub retry_for: Option<Duration>,
    /// Do exactly what this plan of `diff --out` says; if something else is to
    /// be done by now, do nothing
    #[arg(long, value_name = "FILE", help_heading = "Pass")]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub remote: Remote,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub output: Output,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub source: Source,
    /// What to compare with: `live` asks the marketplace, `recorded` is what
    /// was applied last, without network; else a revision, such as origin/main,
    /// or the last commit that it shares with the one that is read [default:
    /// live]
    #[arg(long, value_name = "WHAT")]
    pub against: Option<String>,
    /// Write the plan into this file, for `apply --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub connection: Connection,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub state: State,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub pass: Pass,
    /// How the result is printed [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<DiffFormat>,
}

/// `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub source: Source,
    /// Also check what changed since this revision, or since the last commit
    /// shared with it: a published version must keep its resources and type
    #[arg(long, value_name = "REV")]
    pub against: Option<String>,
    /// The company whose items these are; without it, tenantId is not compared
    #[arg(long, value_name = "ID")]
    pub company_id: Option<String>,
    /// How the result is printed; github and gitlab mark the lines of a change
    /// that is reviewed there [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<ValidateFormat>,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub which: WhichState,
    /// Ask the `marketsync run` that listens there, in place of the state; http
    /// if it names no scheme
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub output: Output,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    /// The item: its id, or its id and version, such as my-plugin@1.2.0
    #[arg(value_name = "ITEM")]
    pub item: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub which: WhichState,
    /// How many changes to show, the newest first [default: 50]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub output: Output,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The folder to write into; it is made if it is not there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Replace files that are there and hold something else [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub overwrite: Option<bool>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub connection: Connection,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub state: State,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group says it")]
    pub output: Output,
}

/// `marketplace`.
#[derive(Debug, Args)]
pub struct Marketplace {
    /// The address to listen on; port 0 takes any free one [default:
    /// 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The version of the Console that it behaves like, such as 14.1 or 13.6;
    /// 404 for an old one that does not tell its version [default: 14.1]
    #[arg(long, value_name = "VERSION")]
    pub console: Option<String>,
    /// Keep the items in this file [default: in memory, until it ends]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Also serve the routes by which a test arranges items and faults
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub control: Option<bool>,
    /// Decide one thing that the published API leaves open; may be repeated
    #[arg(long = "switch", value_name = "NAME=VALUE")]
    pub switches: Vec<String>,
}

/// What is wrong with a command line, without the words that are no option and
/// that nobody expects: an option whose name is wrong or missing leaves its
/// value behind, and that may be a secret.
#[must_use]
pub fn discreet(mut error: clap::Error) -> clap::Error {
    const INSTEAD: &str = "(not shown, it may be a secret)";
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let kind = match error.kind() {
        ErrorKind::UnknownArgument if !text(&error, ContextKind::InvalidArg).starts_with('-') => {
            ContextKind::InvalidArg
        }
        // With a suggestion it is a command, misspelt.
        ErrorKind::InvalidSubcommand if error.get(ContextKind::SuggestedSubcommand).is_none() => {
            ContextKind::InvalidSubcommand
        }
        _ => return error,
    };
    error.insert(kind, ContextValue::String(INSTEAD.to_owned()));
    error
}
