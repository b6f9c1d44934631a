//! An option goes before a variable, a variable before the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::CommandFactory;
use marketsync::cli::Cli;
use marketsync::config::{
    ApplyConfig, Config, Job, Location, RemoteConfig, RunConfig, SETTINGS, StatusConfig, StatusOf,
};
use marketsync::edge::git::remote::Wanted;
use marketsync::edge::secret::Secret;

use super::{Home, apply, credential, job};

/// Every setting in every place: the name, a command that has it, what else
/// that command needs, a value each for file, variable and option, and what of
/// the configuration shows it.
#[expect(clippy::type_complexity, reason = "a table, read row by row")]
#[rustfmt::skip]
const TABLE: &[(&str, &str, [&str; 3], fn(&Config) -> String)] = &[
    ("source", "apply --endpoint embedded", ["/f", "/e", "/o"], |c| here(apply(c)).display().to_string()),
    ("revision", "apply --endpoint embedded", ["f", "e", "o"], |c| apply(c).source.revision.clone().unwrap()),
    ("path", "apply --endpoint embedded", ["f", "e", "o"], |c| apply(c).source.path.clone().unwrap().to_string()),
    ("exclude", "apply --endpoint embedded", ["f", "e", "o"], |c| apply(c).source.exclude.join(" ")),
    ("working_tree", "apply --endpoint embedded", ["true", "false", "true"], |c| apply(c).source.working_tree.to_string()),
    ("schema", "apply --endpoint embedded", ["a=/f", "a=/e", "a=/o"], |c| { let (t, f) = &apply(c).source.schemas[0]; format!("{t}={}", f.display()) }),
    ("strict", "apply --endpoint embedded", ["true", "false", "true"], |c| apply(c).source.strict.to_string()),
    ("set_tenant", "apply --endpoint embedded", ["true", "false", "true"], |c| apply(c).source.set_tenant.to_string()),
    ("default_lifecycle", "apply --endpoint embedded", ["draft", "archived", "maintenance"], |c| apply(c).source.default_lifecycle.to_string()),
    ("endpoint", "apply --company-id a --token-file t", ["https://f.example", "https://e.example", "embedded"], |c| apply(c).connect.endpoint.to_string()),
    ("company_id", "apply --endpoint embedded", ["f", "e", "o"], |c| apply(c).connect.company.clone()),
    ("client_id", "apply --endpoint h --company-id a --client-secret-file s", ["f", "e", "o"], |c| credential(c)[0].clone()),
    ("client_secret_file", "apply --endpoint h --company-id a --client-id i", ["/f", "/e", "/o"], |c| credential(c)[1].clone()),
    ("key_id", "apply --endpoint h --company-id a --client-id i --private-key-file p", ["f", "e", "o"], |c| credential(c)[1].clone()),
    ("private_key_file", "apply --endpoint h --company-id a --client-id i --key-id k", ["/f", "/e", "/o"], |c| credential(c)[2].clone()),
    ("token_file", "apply --endpoint h --company-id a", ["/f", "/e", "/o"], |c| credential(c)[0].clone()),
    ("ca_file", "apply --endpoint embedded", ["/f", "/e", "/o"], |c| apply(c).connect.ca_file.clone().unwrap().display().to_string()),
    ("state", "apply --endpoint embedded", ["/f", "/e", "/o"], |c| apply(c).state.display().to_string()),
    ("drift", "apply --endpoint embedded", ["off", "report", "correct"], |c| format!("{:?}", apply(c).pass.drift).to_lowercase()),
    ("prune", "apply --endpoint embedded", ["true", "false", "true"], |c| apply(c).pass.prune.to_string()),
    ("allow_deletes", "apply --endpoint embedded", ["1", "2", "3"], |c| apply(c).pass.allow_deletes.unwrap().to_string()),
    ("max_updates", "apply --endpoint embedded", ["1", "2", "3"], |c| apply(c).pass.max_updates.unwrap().to_string()),
    ("retry_for", "apply --endpoint embedded", ["90s", "1m", "0s"], |c| match apply(c).retry_for.as_secs() { 90 => "90s", 60 => "1m", 0 => "0s", _ => "?" }.into()),
    ("format", "apply --endpoint embedded", ["text", "json", "text"], |c| format!("{:?}", apply(c).format).to_lowercase()),
    ("log_format", "apply --endpoint embedded", ["text", "json", "text"], |c| format!("{:?}", c.log.format).to_lowercase()),
    ("log_level", "apply --endpoint embedded", ["debug", "warn", "error"], |c| format!("{:?}", c.log.level).to_lowercase()),
    ("against", "validate", ["f", "e", "o"], |c| match &c.job { Job::Validate(v) => v.against.clone().unwrap(), _ => panic!() }),
    ("plan", "apply --endpoint embedded", ["/f", "/e", "/o"], |c| path(apply(c).plan.as_ref())),
    ("out", "diff --endpoint embedded", ["/f", "/e", "/o"], |c| match &c.job { Job::Diff(d) => path(d.out.as_ref()), _ => panic!() }),
    ("overwrite", "export dir --endpoint embedded", ["true", "false", "true"], |c| match &c.job { Job::Export(e) => e.overwrite.to_string(), _ => panic!() }),
    ("limit", "history item --endpoint embedded", ["1", "2", "3"], |c| match &c.job { Job::History(h) => h.limit.to_string(), _ => panic!() }),
    ("listen", "marketplace", ["127.0.0.1:1", "[::1]:2", "0.0.0.0:3"], |c| match &c.job { Job::Marketplace(m) => m.listen.to_string(), _ => panic!() }),
    ("console", "marketplace", ["14.0", "13.6", "404"], |c| match &c.job { Job::Marketplace(m) => m.console.to_string(), _ => panic!() }),
    ("data", "marketplace", ["/f", "/e", "/o"], |c| match &c.job { Job::Marketplace(m) => m.data.clone().unwrap().display().to_string(), _ => panic!() }),
    ("control", "marketplace", ["true", "false", "true"], |c| match &c.job { Job::Marketplace(m) => m.control.to_string(), _ => panic!() }),
    ("url", "status", ["http://f/", "https://e/x", "http://o:1/"], |c| match &c.job { Job::Status(StatusConfig { of: StatusOf::Process(url), .. }) => url.to_string(), _ => panic!() }),
    ("branch", "run --endpoint embedded https://h/r", ["f", "e", "o"], |c| match &remote(c).wanted { Wanted::Branch(b) => b.clone(), _ => panic!() }),
    ("git_username", "run --endpoint embedded https://h/r", ["f", "e", "o"], |c| remote(c).access.username.clone().unwrap()),
    ("git_password_file", "run --endpoint embedded https://h/r", ["/f", "/e", "/o"], |c| file(remote(c).access.password.as_ref())),
    ("ssh_key_file", "run --endpoint embedded https://h/r", ["/f", "/e", "/o"], |c| path(remote(c).access.ssh_key_file.as_ref())),
    ("known_hosts_file", "run --endpoint embedded https://h/r", ["/f", "/e", "/o"], |c| path(remote(c).access.known_hosts_file.as_ref())),
    ("git_ca_file", "run --endpoint embedded https://h/r", ["/f", "/e", "/o"], |c| path(remote(c).access.ca_file.as_ref())),
    ("hook_secret_file", "run --endpoint embedded", ["/f", "/e", "/o"], |c| file(run(c).hook_secret.as_ref())),
    ("poll_every", "run --endpoint embedded", ["90s", "1m", "10ms"], |c| every(run(c).poll_every)),
    ("fetch_every", "run --endpoint embedded", ["90s", "1m", "10ms"], |c| every(run(c).fetch_every)),
    ("drift_every", "run --endpoint embedded", ["90s", "1m", "10ms"], |c| every(run(c).drift_every)),
    ("drift_rate", "run --endpoint embedded", ["1", "2", "1000"], |c| run(c).drift_rate.to_string()),
    ("switch", "marketplace", ["a=f", "a=e", "a=o=1"], |c| match &c.job { Job::Marketplace(m) => { let (n, v) = &m.switches[0]; format!("{n}={v}") }, _ => panic!() }),
];

fn run(config: &Config) -> &RunConfig {
    let Job::Run(run) = &config.job else { panic!("{config:?}") };
    run
}

fn here(config: &ApplyConfig) -> &Path {
    let Location::Here(location) = &config.source.location else { panic!("{config:?}") };
    location
}

fn remote(config: &Config) -> &RemoteConfig {
    let Location::Remote(remote) = &run(config).source.location else { panic!("{config:?}") };
    remote
}

fn path(path: Option<&PathBuf>) -> String {
    path.unwrap().display().to_string()
}

fn file(secret: Option<&Secret>) -> String {
    let Some(Secret::File(file)) = secret else { panic!("no file: {secret:?}") };
    file.display().to_string()
}

fn every(beat: Duration) -> String {
    match beat.as_millis() {
        90_000 => "90s",
        60_000 => "1m",
        10 => "10ms",
        _ => "?",
    }
    .to_owned()
}

#[test]
fn an_option_goes_before_a_variable_before_the_file() {
    let names: Vec<_> = TABLE.iter().map(|row| row.0).collect();
    let missing: Vec<_> = SETTINGS.iter().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "the table lacks {missing:?}");
    for (name, command, [file, variable, option], shown) in TABLE {
        let home = Home::new();
        let show = |args: &str, variables: &[(&str, &str)]| {
            shown(&home.resolve(args, variables).unwrap_or_else(|fault| panic!("{name}: {fault}")))
        };
        let several = matches!(*name, "exclude" | "schema" | "switch");
        let yaml =
            if several { format!("{name}: [\"{file}\"]") } else { format!("{name}: \"{file}\"") };
        home.configure(&yaml);
        assert_eq!(show(command, &[]), *file, "{name} in the file");
        let upper = format!("MARKETSYNC_{}", name.to_uppercase());
        let set = [(upper.as_str(), *variable)];
        assert_eq!(show(command, &set), *variable, "{name} as a variable over the file");
        let with = match *name {
            "source" => format!("{command} {option}"),
            _ => format!("{command} --{}={option}", name.replace('_', "-")),
        };
        assert_eq!(show(&with, &set), *option, "{name} as an option over both");
        assert_eq!(show(command, &[(upper.as_str(), "")]), *file, "an empty variable is none");
    }
}

#[test]
fn every_option_is_a_setting_and_every_setting_an_option() {
    let mut options: Vec<String> = Vec::new();
    for command in
        Cli::command().get_subcommands().filter(|command| command.get_name() != "completions")
    {
        options.extend(command.get_arguments().map(|argument| {
            argument
                .get_long()
                .map_or_else(|| argument.get_id().to_string(), |long| long.replace('-', "_"))
        }));
    }
    options.extend(
        Cli::command()
            .get_arguments()
            .filter_map(|a| a.get_long().map(|long| long.replace('-', "_"))),
    );
    // What a command is about is said where it is typed.
    let is_none = |name: &str| matches!(name, "config" | "help" | "version" | "item" | "dir");
    options.retain(|name| !is_none(name));
    options.sort();
    options.dedup();
    let mut settings: Vec<_> = SETTINGS.to_vec();
    settings.sort_unstable();
    assert_eq!(options, settings);
    for name in SETTINGS {
        let upper = name.to_uppercase();
        let taken = upper.starts_with("PORT")
            || upper.starts_with("SERVICE_")
            || upper.contains("_PORT")
            || upper.contains("_SERVICE_");
        assert!(!taken, "Kubernetes sets MARKETSYNC_{upper}");
    }
}

#[test]
fn defaults_are_those_of_the_help() {
    let home = Home::new();
    let config = home.resolve("apply --endpoint embedded", &[]).unwrap();
    let shown = job(&config);
    for part in [
        "location: Here(\".\")",
        "revision: None",
        "path: None",
        "exclude: []",
        "working_tree: false",
        "strict: false",
        "set_tenant: false",
        "default_lifecycle: Published",
        "endpoint: Embedded",
        "company: \"my-company\"",
        "drift: Off",
        "prune: false",
        "allow_deletes: None",
        "max_updates: None",
        "retry_for: 120s",
        "format: Text",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let state = apply(&config).state.display().to_string();
    let place = home.path().join(".local/state/marketsync/my-company-").display().to_string();
    assert!(state.starts_with(&place), "{state}");
    assert_eq!(format!("{:?}", config.log), "Log { format: Text, level: Info }");
    let shown = job(&home.resolve("marketplace", &[]).unwrap());
    assert!(shown.contains("127.0.0.1:8080") && shown.contains("Is(14, 1)"), "{shown}");
}

#[test]
fn the_file_is_found_where_it_is_named() {
    let home = Home::new();
    home.configure("company_id: usual");
    let other = home
        .write("elsewhere/other.yaml", "company_id: other\nca_file: ca.pem\nschema: [a=s.json]\n");
    let third = home.write("third.yaml", "# nothing yet\n");
    let company = |args: &str, variables: &[(&str, &str)]| {
        home.apply(&format!("--endpoint embedded {args}"), variables).unwrap().connect.company
    };
    let other = other.to_str().unwrap();
    assert_eq!(company("", &[]), "usual");
    assert_eq!(company("", &[("MARKETSYNC_CONFIG", other)]), "other");
    assert_eq!(
        company(&format!("--config {}", third.display()), &[("MARKETSYNC_CONFIG", other)]),
        "my-company"
    );
    let xdg = home.path().join("xdg");
    home.write("xdg/marketsync/marketsync.yaml", "company_id: xdg");
    assert_eq!(company("", &[("XDG_CONFIG_HOME", xdg.to_str().unwrap())]), "xdg");
    assert_eq!(company("", &[("HOME", "/nowhere"), ("MARKETSYNC_STATE", "/s")]), "my-company");

    let config = home.apply(&format!("--endpoint embedded --config {other}"), &[]).unwrap();
    let folder = home.path().join("elsewhere");
    assert_eq!(config.connect.ca_file, Some(folder.join("ca.pem")));
    assert_eq!(config.source.schemas[0].1, folder.join("s.json"));
    let config =
        home.apply("--endpoint embedded --ca-file ca.pem --schema a/b=s.json", &[]).unwrap();
    assert_eq!(config.connect.ca_file, Some("ca.pem".into()), "an option begins where one stands");
    assert_eq!(config.source.schemas[0].0.to_string(), "a/b");
}

#[test]
fn several_values_are_lines_or_a_list() {
    let home = Home::new();
    home.configure("exclude:\n  - 'a,b'\n  - \"c d\"\n");
    assert_eq!(home.apply("--endpoint embedded", &[]).unwrap().source.exclude, ["a,b", "c d"]);
    let lines = [("MARKETSYNC_EXCLUDE", " x y \n\n*.tmp\n")];
    assert_eq!(home.apply("--endpoint embedded", &lines).unwrap().source.exclude, ["x y", "*.tmp"]);
    let config = home.apply("--endpoint embedded --exclude 1 --exclude 2", &lines).unwrap();
    assert_eq!(config.source.exclude, ["1", "2"]);
}

#[test]
fn plain_scalars_are_taken_as_they_are_written() {
    let home = Home::new();
    home.configure("endpoint: h\ncompany_id: 007\nclient_id: 1e3\nclient_secret_file: no\nallow_deletes: 12\ndrift: off\nprune: true\nmax_updates:\n");
    let config = home.resolve("apply", &[]).unwrap();
    assert_eq!(apply(&config).connect.company, "007");
    assert_eq!(credential(&config)[0], "1e3");
    assert_eq!(apply(&config).pass.allow_deletes, Some(12));
    assert_eq!(apply(&config).pass.max_updates, None, "a key without a value is left out");
    assert!(apply(&config).pass.prune);
}

#[test]
fn what_kubernetes_sets_is_ignored() {
    let names = [
        "MARKETSYNC_PORT",
        "MARKETSYNC_PORT_8080_TCP_ADDR",
        "MARKETSYNC_SERVICE_HOST",
        "MARKETSYNC_SERVICE_PORT_HTTP",
        "MARKETSYNC_ACME_SERVICE_HOST",
        "MARKETSYNC_ACME_PORT",
        "MARKETSYNC_ACME_PORT_80_TCP",
        "MARKETPLACE_URL",
    ];
    let variables: Vec<_> = names.iter().map(|name| (*name, "tcp://10.0.0.1:80")).collect();
    Home::new().apply("--endpoint embedded", &variables).unwrap();
}
