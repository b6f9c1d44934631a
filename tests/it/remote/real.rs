//! Real servers that a script set up (`tests/remote/run.sh`), which says by
//! environment variables where they are.

use std::env::var;
use std::path::PathBuf;
use std::process::Command;

use marketsync::edge::git::remote::{Fetched, Remote};
use marketsync::edge::secret::Secret;
use tempfile::TempDir;

use super::{fetch, git, head, moves, options, refused};

fn given(name: &str) -> String {
    var(name).unwrap_or_else(|_| panic!("{name} is not set; run tests/remote/run.sh"))
}

/// Commits to the served repository; the new commit.
fn push(text: &str) -> String {
    let work = given("REMOTE_TEST_WORK");
    let run = |args: &[&str]| {
        let out = Command::new("git").arg("-C").arg(&work).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    std::fs::write(format!("{work}/a.json"), text).unwrap();
    run(&["add", "-A"]);
    run(&["commit", "-q", "-m", text]);
    run(&["push", "-q", "--force", "origin", "HEAD:main"]);
    run(&["rev-parse", "HEAD"])
}

#[tokio::test]
#[ignore = "needs the servers of tests/remote/run.sh"]
async fn an_https_server_with_a_password_is_followed() {
    let state = TempDir::new().unwrap();
    let mut options = options(&given("REMOTE_TEST_HTTPS"), state.path());
    options.access.username = Some("bob".to_owned());
    options.access.password = Some(Secret::File(given("REMOTE_TEST_PASSWORD").into()));
    options.access.ca_file = Some(given("REMOTE_TEST_CA").into());
    let remote = Remote::open(options.clone()).unwrap();
    moves(&remote).await;
    assert_eq!(git(&remote, &["rev-list", "--count", "HEAD"]), "1");
    let second = push("https");
    assert_eq!(moves(&remote).await, second);
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);

    let open = |change: &dyn Fn(&mut marketsync::edge::git::remote::RemoteOptions)| {
        let mut other = options.clone();
        other.dir = state.path().join("other");
        change(&mut other);
        Remote::open(other).unwrap()
    };
    let wrong = open(&|options| options.access.password = Some(Secret::Text("wrong".into())));
    let error = refused(&wrong).await;
    assert!(error.to_string().contains("(401)"), "{error}");
    let stranger = open(&|options| options.access.ca_file = None);
    let error = refused(&stranger).await;
    assert!(error.to_string().contains("is not trusted"), "{error}");
    assert_eq!(head(&remote), second);
}

#[tokio::test]
#[ignore = "needs the servers of tests/remote/run.sh"]
async fn an_ssh_server_is_followed() {
    let state = TempDir::new().unwrap();
    let mut options = options(&given("REMOTE_TEST_SSH"), state.path());
    options.access.ssh_key_file = Some(given("REMOTE_TEST_KEY").into());
    let known = PathBuf::from(given("REMOTE_TEST_KNOWN_HOSTS"));
    options.access.known_hosts_file = Some(known.clone());
    let remote = Remote::open(options.clone()).unwrap();
    moves(&remote).await;
    let second = push("ssh");
    assert_eq!(moves(&remote).await, second);
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);

    // The same names with the key of another server.
    let changed = state.path().join("known_hosts");
    let other = given("REMOTE_TEST_OTHER_HOST_KEY");
    let text = std::fs::read_to_string(known).unwrap();
    let line = text.lines().find(|line| line.contains("ssh-ed25519")).unwrap();
    let name = line.split(' ').next().unwrap();
    std::fs::write(&changed, format!("{name} {}", std::fs::read_to_string(other).unwrap()))
        .unwrap();
    let mut options = options;
    options.access.known_hosts_file = Some(changed);
    options.dir = state.path().join("other");
    let error = refused(&Remote::open(options).unwrap()).await;
    assert!(error.to_string().contains("is not the one in the known hosts file"), "{error}");
}

#[tokio::test]
#[ignore = "needs the servers of tests/remote/run.sh, and http_proxy set"]
async fn a_proxy_of_the_environment_is_used() {
    // A name that nobody can resolve, so only the proxy can.
    let state = TempDir::new().unwrap();
    let remote = Remote::open(options(&given("REMOTE_TEST_BEHIND_PROXY"), state.path())).unwrap();
    moves(&remote).await;
}

/// `REMOTE_TEST_BIG` names a repository; prints what a clone and a fetch cost.
#[tokio::test]
#[ignore = "a measurement; needs the servers of tests/remote/run.sh"]
async fn what_a_large_repository_costs() {
    let state = TempDir::new().unwrap();
    let mut options = options(&given("REMOTE_TEST_BIG"), state.path());
    if options.url.to_string().starts_with("https") {
        options.access.username = Some("bob".to_owned());
        options.access.password = Some(Secret::File(given("REMOTE_TEST_PASSWORD").into()));
        options.access.ca_file = Some(given("REMOTE_TEST_CA").into());
    } else if options.url.to_string().starts_with("ssh") {
        options.access.ssh_key_file = Some(given("REMOTE_TEST_KEY").into());
        options.access.known_hosts_file = Some(given("REMOTE_TEST_KNOWN_HOSTS").into());
    }
    let remote = Remote::open(options).unwrap();
    for what in ["clone", "fetch without news", "fetch without news"] {
        let begun = std::time::Instant::now();
        fetch(&remote).await.unwrap();
        println!("{what}: {} ms", begun.elapsed().as_millis());
    }
    if let Ok(push) = var("REMOTE_TEST_BIG_PUSH") {
        assert!(Command::new("sh").args(["-ec", &push]).status().unwrap().success());
        let begun = std::time::Instant::now();
        moves(&remote).await;
        println!("fetch of one changed file: {} ms", begun.elapsed().as_millis());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("{peak}");
}
