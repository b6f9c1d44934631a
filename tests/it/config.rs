//! What counts when a setting is given in several places, and what is refused.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use marketsync::cli::Cli;
use marketsync::config::{
    ApplyConfig, Config, ConfigError, Credential, Endpoint, Environment, Job, SETTINGS,
    SecretSource, resolve,
};
use secrecy::ExposeSecret;

/// Variables of the environment.
type Variables = &'static [(&'static str, &'static str)];

/// A home folder, where a test says what is configured.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// The usual place of the configuration.
    fn configure(&self, text: &str) -> PathBuf {
        self.write(".config/marketsync/marketsync.yaml", text)
    }

    fn resolve(&self, args: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut environment: Environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        environment
            .entry("HOME".into())
            .or_insert_with(|| self.path().to_str().unwrap().to_owned());
        let cli = Cli::try_parse_from(std::iter::once("marketsync").chain(args.split_whitespace()));
        resolve(
            &cli.unwrap_or_else(|fault| panic!("{args}: {fault}")),
            &environment,
        )
    }

    fn apply(&self, args: &str, variables: &[(&str, &str)]) -> Result<ApplyConfig, ConfigError> {
        let config = self.resolve(&format!("apply {args}"), variables)?;
        let Job::Apply(apply) = config.job else {
            panic!("not apply")
        };
        Ok(*apply)
    }

    /// The error, with its causes and its hint, the home folder left out.
    fn refused(&self, args: &str, variables: &[(&str, &str)]) -> String {
        let fault = self.resolve(args, variables).expect_err(args);
        let mut said = fault.to_string();
        if let Some(cause) = std::error::Error::source(&fault) {
            said = format!("{said}: {cause}");
        }
        if let Some(hint) = fault.hint() {
            said = format!("{said}\nhint: {hint}");
        }
        said.replace(self.path().to_str().unwrap(), "~")
    }
}

fn job(config: &Config) -> String {
    format!("{:?}", config.job)
}

/// Every setting in every place: the name, a command that has it, what else
/// that command needs, a value each for file, variable and option, and what of
/// the configuration shows it.
#[expect(clippy::type_complexity, reason = "a table, read row by row")]
#[rustfmt::skip]
const TABLE: &[(&str, &str, [&str; 3], fn(&Config) -> String)] = &[
    ("source", "apply --endpoint embedded", ["/f", "/e", "/o"], |c| apply(c).source.location.display().to_string()),
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
    ("retry_for", "apply --endpoint embedded", ["90s", "1m", "0s"], |c| match apply(c).pass.retry_for.as_secs() { 90 => "90s", 60 => "1m", 0 => "0s", _ => "?" }.into()),
    ("format", "apply --endpoint embedded", ["text", "json", "text"], |c| format!("{:?}", apply(c).format).to_lowercase()),
    ("log_format", "apply --endpoint embedded", ["text", "json", "text"], |c| format!("{:?}", c.log.format).to_lowercase()),
    ("log_level", "apply --endpoint embedded", ["debug", "warn", "error"], |c| format!("{:?}", c.log.level).to_lowercase()),
    ("against", "validate", ["f", "e", "o"], |c| match &c.job { Job::Validate(v) => v.against.clone().unwrap(), _ => panic!() }),
    ("listen", "marketplace", ["127.0.0.1:1", "[::1]:2", "0.0.0.0:3"], |c| match &c.job { Job::Marketplace(m) => m.listen.to_string(), _ => panic!() }),
    ("console", "marketplace", ["14.0.1", "13.6.0", "13.5.0"], |c| match &c.job { Job::Marketplace(m) => m.console.to_string(), _ => panic!() }),
    ("data", "marketplace", ["/f", "/e", "/o"], |c| match &c.job { Job::Marketplace(m) => m.data.clone().unwrap().display().to_string(), _ => panic!() }),
    ("control", "marketplace", ["true", "false", "true"], |c| match &c.job { Job::Marketplace(m) => m.control.to_string(), _ => panic!() }),
    ("switch", "marketplace", ["a=f", "a=e", "a=o=1"], |c| match &c.job { Job::Marketplace(m) => { let (n, v) = &m.switches[0]; format!("{n}={v}") }, _ => panic!() }),
];

fn apply(config: &Config) -> &ApplyConfig {
    let Job::Apply(apply) = &config.job else {
        panic!("{config:?}")
    };
    apply
}

/// The parts of a credential, in their order.
fn credential(config: &Config) -> Vec<String> {
    let source = |source: &SecretSource| match source {
        SecretSource::Value(secret) => format!("secret {}", secret.expose_secret()),
        SecretSource::File(file) => file.display().to_string(),
    };
    match &apply(config).connect.credential {
        Credential::Nobody => vec![],
        Credential::Secret { client_id, secret } => vec![client_id.clone(), source(secret)],
        Credential::Key {
            client_id,
            key_id,
            private_key,
        } => {
            vec![client_id.clone(), key_id.clone(), source(private_key)]
        }
        Credential::Token { token } => vec![source(token)],
    }
}

#[test]
fn an_option_goes_before_a_variable_before_the_file() {
    let names: Vec<_> = TABLE.iter().map(|row| row.0).collect();
    let missing: Vec<_> = SETTINGS
        .iter()
        .filter(|name| !names.contains(name))
        .collect();
    assert!(missing.is_empty(), "the table lacks {missing:?}");
    for (name, command, [file, variable, option], shown) in TABLE {
        let home = Home::new();
        let show = |args: &str, variables: &[(&str, &str)]| {
            shown(
                &home
                    .resolve(args, variables)
                    .unwrap_or_else(|fault| panic!("{name}: {fault}")),
            )
        };
        let several = matches!(*name, "exclude" | "schema" | "switch");
        let yaml = if several {
            format!("{name}: [\"{file}\"]")
        } else {
            format!("{name}: \"{file}\"")
        };
        home.configure(&yaml);
        assert_eq!(show(command, &[]), *file, "{name} in the file");
        let upper = format!("MARKETSYNC_{}", name.to_uppercase());
        let set = [(upper.as_str(), *variable)];
        assert_eq!(
            show(command, &set),
            *variable,
            "{name} as a variable over the file"
        );
        let with = match *name {
            "source" => format!("{command} {option}"),
            _ => format!("{command} --{}={option}", name.replace('_', "-")),
        };
        assert_eq!(show(&with, &set), *option, "{name} as an option over both");
        assert_eq!(
            show(command, &[(upper.as_str(), "")]),
            *file,
            "an empty variable is none"
        );
    }
}

#[test]
fn every_option_is_a_setting_and_every_setting_an_option() {
    let mut options: Vec<String> = Vec::new();
    for command in Cli::command()
        .get_subcommands()
        .filter(|command| command.get_name() != "completions")
    {
        options.extend(command.get_arguments().map(|argument| {
            argument.get_long().map_or_else(
                || argument.get_id().to_string(),
                |long| long.replace('-', "_"),
            )
        }));
    }
    options.extend(
        Cli::command()
            .get_arguments()
            .filter_map(|a| a.get_long().map(|long| long.replace('-', "_"))),
    );
    options.retain(|name| !matches!(name.as_str(), "config" | "help" | "version"));
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
        "location: \".\"",
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
    let place = home
        .path()
        .join(".local/state/marketsync/my-company-")
        .display()
        .to_string();
    assert!(state.starts_with(&place), "{state}");
    assert_eq!(
        format!("{:?}", config.log),
        "Log { format: Text, level: Info }"
    );
    let shown = job(&home.resolve("marketplace", &[]).unwrap());
    assert!(
        shown.contains("127.0.0.1:8080") && shown.contains("minor: 1"),
        "{shown}"
    );
}

#[test]
fn the_file_is_found_where_it_is_named() {
    let home = Home::new();
    home.configure("company_id: usual");
    let other = home.write(
        "elsewhere/other.yaml",
        "company_id: other\nca_file: ca.pem\nschema: [a=s.json]\n",
    );
    let third = home.write("third.yaml", "# nothing yet\n");
    let company = |args: &str, variables: &[(&str, &str)]| {
        home.apply(&format!("--endpoint embedded {args}"), variables)
            .unwrap()
            .connect
            .company
    };
    let other = other.to_str().unwrap();
    assert_eq!(company("", &[]), "usual");
    assert_eq!(company("", &[("MARKETSYNC_CONFIG", other)]), "other");
    assert_eq!(
        company(
            &format!("--config {}", third.display()),
            &[("MARKETSYNC_CONFIG", other)]
        ),
        "my-company"
    );
    let xdg = home.path().join("xdg");
    home.write("xdg/marketsync/marketsync.yaml", "company_id: xdg");
    assert_eq!(
        company("", &[("XDG_CONFIG_HOME", xdg.to_str().unwrap())]),
        "xdg"
    );
    assert_eq!(
        company("", &[("HOME", "/nowhere"), ("MARKETSYNC_STATE", "/s")]),
        "my-company"
    );

    let config = home
        .apply(&format!("--endpoint embedded --config {other}"), &[])
        .unwrap();
    let folder = home.path().join("elsewhere");
    assert_eq!(config.connect.ca_file, Some(folder.join("ca.pem")));
    assert_eq!(config.source.schemas[0].1, folder.join("s.json"));
    let config = home
        .apply(
            "--endpoint embedded --ca-file ca.pem --schema a/b=s.json",
            &[],
        )
        .unwrap();
    assert_eq!(
        config.connect.ca_file,
        Some("ca.pem".into()),
        "an option begins where one stands"
    );
    assert_eq!(config.source.schemas[0].0.to_string(), "a/b");
}

#[test]
fn several_values_are_lines_or_a_list() {
    let home = Home::new();
    home.configure("exclude:\n  - 'a,b'\n  - \"c d\"\n");
    assert_eq!(
        home.apply("--endpoint embedded", &[])
            .unwrap()
            .source
            .exclude,
        ["a,b", "c d"]
    );
    let lines = [("MARKETSYNC_EXCLUDE", " x y \n\n*.tmp\n")];
    assert_eq!(
        home.apply("--endpoint embedded", &lines)
            .unwrap()
            .source
            .exclude,
        ["x y", "*.tmp"]
    );
    let config = home
        .apply("--endpoint embedded --exclude 1 --exclude 2", &lines)
        .unwrap();
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
    assert_eq!(
        apply(&config).pass.max_updates,
        None,
        "a key without a value is left out"
    );
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
    let variables: Vec<_> = names
        .iter()
        .map(|name| (*name, "tcp://10.0.0.1:80"))
        .collect();
    Home::new()
        .apply("--endpoint embedded", &variables)
        .unwrap();
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    type Case = (
        &'static str,
        &'static str,
        Variables,
        &'static [&'static str],
    );
    let cases: &[Case] = &[
        (
            "company: a",
            "apply",
            &[],
            &[
                "marketsync.yaml:1:1",
                "`company`",
                "did you mean `company_id`?",
            ],
        ),
        (
            "prune: true\nclient_secret: hunter2",
            "apply",
            &[],
            &["marketsync.yaml:2:1", "client_secret_file", "secrets"],
        ),
        ("qqqq: 1", "apply", &[], &["no setting `qqqq`\n"]),
        (
            "prune: yes",
            "apply --endpoint embedded",
            &[],
            &["prune (~/.config/marketsync/marketsync.yaml:1:8): `yes` is neither true nor false"],
        ),
        ("a: [", "apply", &[], &["marketsync.yaml:1:"]),
        ("exclude: '*.tmp'", "apply", &[], &["marketsync.yaml:1:10"]),
        ("drift: [off]", "apply", &[], &["marketsync.yaml:1:8"]),
        (
            "prune: true\nprune: false",
            "apply",
            &[],
            &["marketsync.yaml:2:1", "duplicate"],
        ),
        (
            "company_id: ''",
            "apply --endpoint embedded",
            &[],
            &["company_id", ":1:13", "empty"],
        ),
        (
            "",
            "apply",
            &[("MARKETSYNC_COMPANY", "a")],
            &[
                "MARKETSYNC_COMPANY,",
                "did you mean `MARKETSYNC_COMPANY_ID`?",
            ],
        ),
        (
            "",
            "apply",
            &[("MARKETSYNC_CLIENT_SECRTE", "hunter2")],
            &["did you mean `MARKETSYNC_CLIENT_SECRET`?"],
        ),
        (
            "",
            "apply --config /nowhere.yaml",
            &[],
            &["/nowhere.yaml cannot be read: No such file"],
        ),
        (
            "",
            "apply --endpoint embedded",
            &[("MARKETSYNC_DRIFT", "on")],
            &["MARKETSYNC_DRIFT: `on` is not one of off, report, correct"],
        ),
        (
            "",
            "apply --endpoint embedded",
            &[("MARKETSYNC_RETRY_FOR", "90")],
            &["MARKETSYNC_RETRY_FOR: a duration"],
        ),
        (
            "",
            "apply --endpoint embedded",
            &[("MARKETSYNC_RETRY_FOR", "-1s")],
            &["MARKETSYNC_RETRY_FOR: a duration"],
        ),
        (
            "",
            "apply --endpoint embedded",
            &[("MARKETSYNC_RETRY_FOR", "25h")],
            &["at most 24h"],
        ),
        (
            "",
            "apply --endpoint embedded",
            &[("MARKETSYNC_MAX_UPDATES", "-1")],
            &["`-1` is no whole number"],
        ),
        (
            "",
            "apply --endpoint embedded --path ../x",
            &[],
            &["--path: ", "out of the checkout"],
        ),
        (
            "",
            "apply --endpoint embedded --schema x.json",
            &[],
            &["--schema: `x.json` is not TYPE=FILE"],
        ),
        (
            "",
            "apply --endpoint embedded --default-lifecycle gone",
            &[],
            &["--default-lifecycle: ", "coming-soon, draft"],
        ),
        (
            "working_tree: true",
            "apply --endpoint embedded --revision v1",
            &[],
            &["both --revision and working_tree (~", "hint: unset one"],
        ),
        (
            "",
            "apply --endpoint embedded --company-id a/b",
            &[],
            &["--company-id: this is no id"],
        ),
        (
            "",
            "apply",
            &[],
            &[
                "no endpoint is given\nhint: ",
                "--endpoint embedded",
                "miactl",
            ],
        ),
        ("", "apply --company-id a", &[], &["no endpoint is given"]),
        ("", "apply --endpoint h", &[], &["no company is given"]),
        (
            "",
            "apply --endpoint h --company-id a",
            &[],
            &["no credential is given\nhint: ", "MARKETSYNC_CLIENT_SECRET"],
        ),
        (
            "",
            "apply --endpoint ftp://h",
            &[],
            &["--endpoint: an endpoint is an https:// URL"],
        ),
        (
            "",
            "apply --endpoint https://me:hunter2@h",
            &[],
            &["--endpoint: an endpoint holds no user"],
        ),
        (
            "",
            "apply --endpoint https://me:hunter2@h:x",
            &[],
            &["--endpoint: this is neither a URL"],
        ),
        ("", "apply --endpoint https://h?a=b", &[], &["no query"]),
        (
            "",
            "apply --endpoint embedded",
            &[("HOME", "")],
            &["no state directory is given", "--state"],
        ),
        (
            "",
            "marketplace --listen localhost",
            &[],
            &["--listen: `localhost` is no IP address with a port"],
        ),
        (
            "",
            "marketplace --console new",
            &[],
            &["--console: `new` is no version"],
        ),
        (
            "",
            "marketplace --switch merge",
            &[],
            &["--switch: `merge` is not NAME=VALUE"],
        ),
    ];
    for (file, args, variables, parts) in cases {
        let home = Home::new();
        if !file.is_empty() {
            home.configure(file);
        }
        let said = home.refused(args, variables);
        for part in *parts {
            assert!(
                said.contains(part),
                "{args} {file}: expected `{part}` in:\n{said}"
            );
        }
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!said.ends_with('.') || said.contains("hint"), "{said}");
    }
}

#[test]
fn half_and_double_credentials_are_told() {
    const SECRET: (&str, &str) = ("MARKETSYNC_CLIENT_SECRET", "hunter2");
    const KEY: (&str, &str) = ("MARKETSYNC_PRIVATE_KEY", "hunter2");
    const TOKEN: (&str, &str) = ("MARKETSYNC_TOKEN", "hunter2");
    let cases: &[(&str, Variables, &str)] = &[
        (
            "--client-id i",
            &[],
            "--client-id is given without a client secret or a private key",
        ),
        (
            "",
            &[SECRET],
            "MARKETSYNC_CLIENT_SECRET is given without a client id",
        ),
        (
            "--client-id i --key-id k",
            &[],
            "--key-id is given without a private key",
        ),
        ("--key-id k", &[], "--key-id is given without a private key"),
        (
            "--client-id i",
            &[KEY],
            "MARKETSYNC_PRIVATE_KEY is given without a key id",
        ),
        (
            "--key-id k",
            &[KEY],
            "--key-id is given without a client id",
        ),
        (
            "--client-id i",
            &[SECRET, KEY],
            "both MARKETSYNC_CLIENT_SECRET and MARKETSYNC_PRIVATE_KEY are given",
        ),
        (
            "--client-id i --key-id k",
            &[SECRET],
            "both MARKETSYNC_CLIENT_SECRET and --key-id are given",
        ),
        (
            "--client-id i",
            &[TOKEN],
            "both MARKETSYNC_TOKEN and --client-id are given",
        ),
        (
            "--client-id i",
            &[SECRET, TOKEN],
            "both MARKETSYNC_TOKEN and MARKETSYNC_CLIENT_SECRET are given",
        ),
        (
            "",
            &[TOKEN, ("MARKETSYNC_TOKEN_FILE", "/t")],
            "both MARKETSYNC_TOKEN and MARKETSYNC_TOKEN_FILE are given",
        ),
    ];
    for (args, variables, expected) in cases {
        let said = Home::new().refused(
            &format!("apply --endpoint h --company-id a {args}"),
            variables,
        );
        assert!(
            said.starts_with(expected) && said.contains("\nhint: "),
            "{args}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn secrets_go_in_and_do_not_come_out() {
    let home = Home::new();
    home.configure("client_secret_file: secret.txt");
    let args = "apply --endpoint h --company-id a --client-id i";
    let config = home
        .resolve(args, &[("MARKETSYNC_CLIENT_SECRET", "hunter2")])
        .unwrap();
    assert_eq!(
        credential(&config),
        ["i", "secret hunter2"],
        "a variable goes before the file"
    );
    assert!(!format!("{config:?}").contains("hunter2"));
    let with_file = format!("{args} --client-secret-file /o");
    let config = home
        .resolve(&with_file, &[("MARKETSYNC_CLIENT_SECRET", "hunter2")])
        .unwrap();
    assert_eq!(
        credential(&config),
        ["i", "/o"],
        "an option goes before a variable"
    );
    let config = home.resolve(args, &[]).unwrap();
    assert_eq!(
        credential(&config),
        [
            "i",
            home.path()
                .join(".config/marketsync/secret.txt")
                .to_str()
                .unwrap()
        ]
    );
}

#[test]
fn endpoints_are_read_as_people_write_them() {
    let home = Home::new();
    for (written, meant, notices) in [
        ("console.example.com", "https://console.example.com", 0),
        (
            "https://console.example.com/",
            "https://console.example.com",
            0,
        ),
        ("https://h/base//", "https://h/base", 0),
        ("HTTP://h:8080", "http://h:8080", 1),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", 0),
        ("http://[::1]:8080", "http://[::1]:8080", 0),
        ("http://localhost", "http://localhost", 0),
        (
            "http://localhost.example.com",
            "http://localhost.example.com",
            1,
        ),
        ("embedded", "embedded", 0),
    ] {
        let config = home
            .resolve(
                &format!("apply --endpoint {written} --company-id a --token-file t"),
                &[],
            )
            .unwrap();
        assert_eq!(apply(&config).connect.endpoint.to_string(), meant);
        assert_eq!(
            config.notices.len(),
            notices,
            "{written}: {:?}",
            config.notices
        );
    }
    let local = home
        .apply("--endpoint http://localhost:8080 --company-id a", &[])
        .unwrap();
    assert!(matches!(local.connect.credential, Credential::Nobody));
    let given = home
        .apply("--endpoint embedded", &[("MARKETSYNC_COMPANY_ID", "a")])
        .unwrap();
    assert_eq!(given.connect.origin, "--endpoint, MARKETSYNC_COMPANY_ID");
}

const MIACTL: &str = "
current-context: CONTEXT
other: ignored
contexts:
  sa: { endpoint: https://console.example.com, company-id: acme, credential: one, certificate-authority: /ca.pem, project-id: p }
  jwt: { endpoint: https://console.example.com, company-id: acme, credential: two }
  user: { endpoint: https://console.example.com, company-id: acme }
  insecure: { endpoint: https://console.example.com, company-id: acme, credential: one, insecure-skip-tls-verify: true }
  nobody: { endpoint: https://console.example.com, credential: one }
  nowhere: { company-id: acme, credential: one }
  lost: { endpoint: https://console.example.com, company-id: acme, credential: none }
  half: { endpoint: https://console.example.com, company-id: acme, credential: half }
  odd: { endpoint: https://console.example.com, company-id: acme, credential: odd }
credentials:
  one: { client-id: ID, client-secret: hunter2 }
  two: { client-id: ID, key-id: KID, private-key-data: LS0taHVudGVyMg== }
  half: { client-id: ID, key-id: KID }
  odd: { client-id: ID, key-id: KID, private-key-data: '***hunter2***' }
";

#[test]
fn a_context_of_miactl_is_used_as_a_whole() {
    let home = Home::new();
    let with =
        |context: &str| home.write(".config/miactl/config", &MIACTL.replace("CONTEXT", context));
    with("sa");
    let config = home.resolve("apply", &[]).unwrap();
    let connect = &apply(&config).connect;
    assert_eq!(
        (
            connect.endpoint.to_string().as_str(),
            connect.company.as_str()
        ),
        ("https://console.example.com", "acme")
    );
    assert_eq!(connect.ca_file, Some("/ca.pem".into()));
    let origin = connect.origin.replace(home.path().to_str().unwrap(), "~");
    assert_eq!(origin, "context sa of miactl in ~/.config/miactl/config");
    assert_eq!(credential(&config), ["ID", "secret hunter2"]);
    assert!(!format!("{config:?}").contains("hunter2"));

    for (args, variables) in [
        ("--endpoint h", None),
        ("--company-id a", None),
        ("", Some(("MARKETSYNC_TOKEN", "t"))),
    ] {
        let variables: Vec<_> = variables.into_iter().collect();
        let said = home.refused(&format!("apply {args}"), &variables);
        assert!(
            said.starts_with("no endpoint") || said.starts_with("no company"),
            "{args}: {said}"
        );
    }
    assert!(matches!(
        home.apply("--endpoint embedded", &[])
            .unwrap()
            .connect
            .endpoint,
        Endpoint::Embedded
    ));

    with("jwt");
    assert_eq!(
        credential(&home.resolve("apply", &[]).unwrap()),
        ["ID", "KID", "secret ---hunter2"]
    );
    let other = home.write("other", &MIACTL.replace("CONTEXT", "sa"));
    let list = format!("{}:/nowhere", other.display());
    assert_eq!(
        credential(&home.resolve("apply", &[("MIACONFIG", &list)]).unwrap()),
        ["ID", "secret hunter2"]
    );
    with("\"\"");
    assert!(home.refused("apply", &[]).starts_with("no endpoint"));
}

#[test]
fn a_context_that_cannot_be_used_is_refused_with_the_remedy() {
    for (context, why, hint) in [
        (
            "insecure",
            "does not check certificates",
            "--certificate-authority FILE",
        ),
        (
            "user",
            "signs in as a user",
            "miactl context auth user --client-id ID",
        ),
        (
            "nobody",
            "has no company-id",
            "miactl context set nobody --company-id ID",
        ),
        (
            "nowhere",
            "has no endpoint",
            "miactl context set nowhere --endpoint URL",
        ),
        (
            "lost",
            "its credential none does not exist",
            "miactl context auth",
        ),
        (
            "half",
            "its credential half is incomplete",
            "miactl context auth",
        ),
        ("odd", "no base64 of PEM", "miactl context auth"),
        ("absent", "does not exist", "miactl context use"),
    ] {
        let home = Home::new();
        home.write(".config/miactl/config", &MIACTL.replace("CONTEXT", context));
        let said = home.refused("apply", &[]);
        let begins =
            format!("the context {context} of miactl in ~/.config/miactl/config cannot be used: ");
        assert!(
            said.starts_with(&begins) && said.contains(why) && said.contains(hint),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    let home = Home::new();
    for text in [
        "credentials: hunter2",
        "credentials: { a: { client-secret: [hunter2] } }",
        "a: [hunter2",
    ] {
        home.write(".config/miactl/config", text);
        let said = home.refused("apply", &[]);
        assert!(
            said.contains("miactl/config:1:") && said.contains("no configuration of miactl"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn status_finds_the_state_of_apply() {
    let home = Home::new();
    let dir = |job: &Job| match job {
        Job::Status(status) => status.state.clone(),
        Job::Apply(apply) => apply.state.clone(),
        _ => panic!(),
    };
    let source = home.path().display().to_string();
    let made = home
        .resolve(
            &format!("apply {source} --path x --endpoint h/ --company-id a --token-file t"),
            &[],
        )
        .unwrap();
    let found = home
        .resolve(
            &format!("status {source}/. --path ./x/ --endpoint https://h --company-id a"),
            &[],
        )
        .unwrap();
    assert_eq!(dir(&made.job), dir(&found.job));
    let other = home
        .resolve(
            &format!("status {source} --endpoint https://h --company-id a"),
            &[],
        )
        .unwrap();
    assert_ne!(dir(&made.job), dir(&other.job));
    let named = home.resolve("status --state /s", &[]).unwrap();
    assert_eq!(dir(&named.job), Path::new("/s"));
    // A look needs no account, not even that of a context that cannot sign in.
    home.write(".config/miactl/config", &MIACTL.replace("CONTEXT", "user"));
    home.resolve("status", &[]).unwrap();
}

#[test]
fn completions_need_no_configuration() {
    let home = Home::new();
    home.configure("broken: [");
    let config = home
        .resolve("completions bash", &[("MARKETSYNC_ODD", "1")])
        .unwrap();
    assert!(matches!(config.job, Job::Completions(_)));
}

#[test]
fn an_option_that_is_wrong_is_a_usage_error() {
    for args in [
        "apply --prune=maybe",
        "apply --drift on",
        "apply --retry-for 90",
        "apply --allow-deletes -1",
        "diff",
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
    for name in ["apply", "validate", "status", "marketplace", "completions"] {
        let command = cli.find_subcommand_mut(name).unwrap();
        let help = command.render_long_help().to_string();
        insta::assert_snapshot!(format!("help_{name}"), help);
    }
}
