//! What the command line itself says.

use clap::{CommandFactory, Parser};
use marketsync::cli::Cli;
use marketsync::config::Job;

use super::Home;

#[test]
fn completions_need_no_configuration() {
    let home = Home::new();
    home.configure("broken: [");
    let config = home.resolve("completions bash", &[("MARKETSYNC_ODD", "1")]).unwrap();
    assert!(matches!(config.job, Job::Completions(_)));
}

#[test]
fn an_option_that_is_wrong_is_a_usage_error() {
    for args in [
        "apply --prune=maybe",
        "apply --drift on",
        "apply --retry-for 90",
        "apply --allow-deletes -1",
        "plan",
        "diff --format yaml",
        "validate --format markdown",
        "history",
        "export",
        "apply --client-secret x",
        "",
    ] {
        let fault =
            Cli::try_parse_from(std::iter::once("marketsync").chain(args.split_whitespace()))
                .unwrap_err();
        assert_eq!(fault.exit_code(), 2, "{args}");
    }
}

#[test]
fn help_is_worth_reading() {
    let mut cli = Cli::command().term_width(100);
    cli.build();
    insta::assert_snapshot!("help", cli.render_long_help());
    let commands = ["run", "apply", "diff", "validate", "status", "history", "export"];
    for name in commands.into_iter().chain(["marketplace", "completions"]) {
        let command = cli.find_subcommand_mut(name).unwrap();
        let help = command.render_long_help().to_string();
        insta::assert_snapshot!(format!("help_{name}"), help);
    }
}
