//! Which marketplace, as whom; contexts of miactl.

use std::path::Path;

use marketsync::config::{Endpoint, Job, StatusConfig, StatusOf};
use marketsync::edge::marketplace::Credential;

use super::{Home, apply, credential};

#[test]
fn secrets_go_in_and_do_not_come_out() {
    let home = Home::new();
    home.configure("client_secret_file: secret.txt");
    let args = "apply --endpoint h --company-id a --client-id i";
    let config = home.resolve(args, &[("MARKETSYNC_CLIENT_SECRET", "hunter2")]).unwrap();
    assert_eq!(credential(&config), ["i", "secret hunter2"], "a variable goes before the file");
    assert!(!format!("{config:?}").contains("hunter2"));
    let with_file = format!("{args} --client-secret-file /o");
    let config = home.resolve(&with_file, &[("MARKETSYNC_CLIENT_SECRET", "hunter2")]).unwrap();
    assert_eq!(credential(&config), ["i", "/o"], "an option goes before a variable");
    let config = home.resolve(args, &[]).unwrap();
    assert_eq!(
        credential(&config),
        ["i", home.path().join(".config/marketsync/secret.txt").to_str().unwrap()]
    );
}

#[test]
fn endpoints_are_read_as_people_write_them() {
    let home = Home::new();
    for (written, meant, notices) in [
        ("console.example.com", "https://console.example.com", 0),
        ("https://console.example.com/", "https://console.example.com", 0),
        ("https://h/base//", "https://h/base", 0),
        ("HTTP://h:8080", "http://h:8080", 1),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", 0),
        ("http://[::1]:8080", "http://[::1]:8080", 0),
        ("http://localhost", "http://localhost", 0),
        ("http://localhost.example.com", "http://localhost.example.com", 1),
        ("embedded", "embedded", 0),
    ] {
        let config = home
            .resolve(&format!("apply --endpoint {written} --company-id a --token-file t"), &[])
            .unwrap();
        assert_eq!(apply(&config).connect.endpoint.to_string(), meant);
        assert_eq!(config.notices.len(), notices, "{written}: {:?}", config.notices);
    }
    let local = home.apply("--endpoint http://localhost:8080 --company-id a", &[]).unwrap();
    assert!(matches!(local.connect.credential, Credential::None));
    let given = home.apply("--endpoint embedded", &[("MARKETSYNC_COMPANY_ID", "a")]).unwrap();
    assert_eq!(given.connect.origin, "--endpoint, MARKETSYNC_COMPANY_ID");
}

#[test]
fn a_source_without_tls_is_told() {
    let home = Home::new();
    for (source, notices) in [
        ("http://git.example.com/acme/catalogue.git", 1),
        ("HTTP://me@git.example.com:8080/acme/catalogue.git", 1),
        ("https://git.example.com/acme/catalogue.git", 0),
        ("http://127.0.0.1:3000/acme/catalogue.git", 0),
        ("http://localhost/acme/catalogue.git", 0),
        ("ssh://git@git.example.com/acme/catalogue.git", 0),
        ("http", 0),
    ] {
        for command in ["apply", "run"] {
            let args = format!("{command} {source} --endpoint embedded --company-id a");
            let config = home.resolve(&args, &[]).unwrap();
            assert_eq!(config.notices.len(), notices, "{args}: {:?}", config.notices);
            let told = config.notices.concat();
            assert!(notices == 0 || told.contains("catalogue.git has no TLS"), "{told}");
            assert!(!told.contains("me@"), "{told}");
        }
    }
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
        (connect.endpoint.to_string().as_str(), connect.company.as_str()),
        ("https://console.example.com", "acme")
    );
    assert_eq!(connect.ca_file, Some("/ca.pem".into()));
    let origin = connect.origin.replace(home.path().to_str().unwrap(), "~");
    assert_eq!(origin, "context sa of miactl in ~/.config/miactl/config");
    assert_eq!(credential(&config), ["ID", "secret hunter2"]);
    assert!(!format!("{config:?}").contains("hunter2"));

    for (args, variables) in
        [("--endpoint h", None), ("--company-id a", None), ("", Some(("MARKETSYNC_TOKEN", "t")))]
    {
        let variables: Vec<_> = variables.into_iter().collect();
        let said = home.refused(&format!("apply {args}"), &variables);
        assert!(
            said.starts_with("no endpoint") || said.starts_with("no company"),
            "{args}: {said}"
        );
    }
    assert!(matches!(
        home.apply("--endpoint embedded", &[]).unwrap().connect.endpoint,
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
        ("insecure", "does not check certificates", "--certificate-authority FILE"),
        ("user", "signs in as a user", "miactl context auth user --client-id ID"),
        ("nobody", "has no company-id", "miactl context set nobody --company-id ID"),
        ("nowhere", "has no endpoint", "miactl context set nowhere --endpoint URL"),
        ("lost", "its credential none does not exist", "miactl context auth"),
        ("half", "its credential half is incomplete", "miactl context auth"),
        ("odd", "no base64 of PEM", "miactl context auth"),
        ("absent", "does not exist", "miactl context use"),
    ] {
        let home = Home::new();
        home.write(".config/miactl/config", &MIACTL.replace("CONTEXT", context));
        let said = home.refused("apply", &[]);
        let begins =
            format!("the context {context} of miactl in ~/.config/miactl/config cannot be used: ");
        assert!(said.starts_with(&begins) && said.contains(why) && said.contains(hint), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let home = Home::new();
    for text in
        ["credentials: hunter2", "credentials: { a: { client-secret: [hunter2] } }", "a: [hunter2"]
    {
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
        Job::Status(StatusConfig { of: StatusOf::State(dir), .. }) => dir.clone(),
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
        .resolve(&format!("status {source}/. --path ./x/ --endpoint https://h --company-id a"), &[])
        .unwrap();
    assert_eq!(dir(&made.job), dir(&found.job));
    let other =
        home.resolve(&format!("status {source} --endpoint https://h --company-id a"), &[]).unwrap();
    assert_ne!(dir(&made.job), dir(&other.job));
    let named = home.resolve("status --state /s", &[]).unwrap();
    assert_eq!(dir(&named.job), Path::new("/s"));
    // A look needs no account, not even that of a context that cannot sign in.
    home.write(".config/miactl/config", &MIACTL.replace("CONTEXT", "user"));
    home.resolve("status", &[]).unwrap();
}
