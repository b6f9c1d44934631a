//! What is wrong is told with its place and its remedy.

use super::{Home, Variables};

#[test]
#[expect(clippy::too_many_lines, reason = "a table, read row by row")]
fn what_is_wrong_is_told_with_its_place() {
    type Case = (&'static str, &'static str, Variables, &'static [&'static str]);
    #[rustfmt::skip]
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
            &["--console: `new`: a Console version is written MAJOR.MINOR"],
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
            assert!(said.contains(part), "{args} {file}: expected `{part}` in:\n{said}");
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
        ("--client-id i", &[], "--client-id is given without a client secret or a private key"),
        ("", &[SECRET], "MARKETSYNC_CLIENT_SECRET is given without a client id"),
        ("--client-id i --key-id k", &[], "--key-id is given without a private key"),
        ("--key-id k", &[], "--key-id is given without a private key"),
        ("--client-id i", &[KEY], "MARKETSYNC_PRIVATE_KEY is given without a key id"),
        ("--key-id k", &[KEY], "--key-id is given without a client id"),
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
        ("--client-id i", &[TOKEN], "both MARKETSYNC_TOKEN and --client-id are given"),
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
        let said =
            Home::new().refused(&format!("apply --endpoint h --company-id a {args}"), variables);
        assert!(said.starts_with(expected) && said.contains("\nhint: "), "{args}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
