//! Compared with what was applied last: without network, without account.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use serde_json::{Value, json};

use super::{entry, fields, lines, report, state};
use crate::support::cli::{Bench, Run, Running, complains, program, until};
use crate::support::documents::{set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG, key};

/// `diff --against recorded` with neither account nor anything of the
/// environment.
pub(super) fn recorded(
    bench: &Bench,
    endpoint: &str,
    company: &str,
    state: &Path,
    args: &[&str],
) -> Run {
    let mut command = program(bench.home.path());
    command.arg("diff").arg(bench.repo.path()).args(["--against=recorded", "--state"]).arg(state);
    command.args(["--endpoint", endpoint, "--company-id", company]).args(args);
    Running::start(command).end()
}

/// The same as JSON, of the endpoint of a bench; it asks nothing.
#[track_caller]
fn told(bench: &Bench, args: &[&str], code: i32) -> Value {
    bench.handle().clear_log();
    let before = state(bench);
    let args = [args, &["--format=json"]].concat();
    let run = recorded(bench, &bench.market.url, COMPANY, &bench.state(), &args);
    bench.asked_nothing();
    assert!(before == state(bench), "the state is another now: {run}");
    report(run, code)
}

#[test]
fn it_shows_what_the_commits_changed_since() {
    let bench = Bench::new();
    bench.repo.write("items/logo.png", PNG);
    bench.commit(&[
        with_image(sidecar("edited"), "../logo.png"),
        sidecar("quiet"),
        sidecar("removed"),
    ]);
    bench.apply(&[]).exits(0);
    assert_eq!(told(&bench, &[], 0)["entries"], json!([]));

    // What somebody else did is not seen.
    bench.handle().put_raw(COMPANY, &set(sidecar("quiet"), "/name", "Theirs")).unwrap();
    bench.handle().remove(COMPANY, &key("edited", "NA")).unwrap();
    bench.repo.remove("items/removed");
    bench.commit(&[
        with_image(set(sidecar("edited"), "/name", "Mine"), "../logo.png"),
        sidecar("new"),
    ]);
    let report = told(&bench, &[], 1);
    assert_eq!(
        lines(&report),
        ["update edited edited NA", "create new new NA", "delete removed removed NA (prune-off)"]
    );
    assert_eq!(
        report["against"],
        json!({ "what": "recorded", "endpoint": bench.market.url, "company": COMPANY })
    );
    let edited = entry(&report, "edited");
    if edited["unknown"].is_null() {
        assert_eq!(edited["left"], "recorded");
        assert_eq!(fields(&report, "edited"), [r#"? replaced /name "My sidecar" → "Mine""#]);
    }
    assert_eq!(edited["unknown"], Value::Null, "the commit of the record is there: {edited:#}");
    assert!(report["summary"]["unseen"] == json!(0), "nobody wanted to look: {report:#}");
    assert_eq!(told(&bench, &["--prune"], 1)["summary"]["delete"], 1);
    assert_eq!(told(&bench, &["--max-updates=0"], 3)["summary"]["held"], 2);
    let text = recorded(&bench, &bench.market.url, COMPANY, &bench.state(), &[]).exits(1);
    text.prints("recorded → git").prints("not looked at");
}

#[test]
fn the_marketplace_may_be_gone() {
    let bench = Bench::new();
    let port: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut market = program(bench.home.path());
    market.args(["marketplace", "--listen", &port.to_string()]);
    let market = Running::start(market);
    until("it listens", || TcpStream::connect(port).is_ok());
    bench.commit(&[sidecar("a")]);
    let endpoint = format!("http://{port}");
    let mut apply = program(bench.home.path());
    apply.env("MARKETSYNC_CLIENT_SECRET", "x").arg("apply").arg(bench.repo.path());
    apply.args(["--endpoint", &endpoint, "--company-id", COMPANY, "--client-id=id", "--state"]);
    apply.arg(bench.state());
    Running::start(apply).end().exits(0);
    market.signal("TERM");
    market.end().exits(0);

    bench.commit(&[set(sidecar("a"), "/name", "Mine")]);
    let run = recorded(&bench, &endpoint, COMPANY, &bench.state(), &["--format=json"]);
    assert_eq!(lines(&report(run, 1)), ["update edited a NA"]);
    // The same look at the marketplace cannot be made.
    let mut live = program(bench.home.path());
    live.arg("diff").arg(bench.repo.path()).args(["--format=json", "--state"]).arg(bench.state());
    live.args(["--endpoint", &endpoint, "--company-id", COMPANY]);
    let run = Running::start(live).end().exits(2);
    assert!(run.json()["error"].is_object() || run.json()["verdict"] == "incomplete", "{run}");
}

#[test]
fn without_a_state_there_is_nothing_to_compare_with() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    let run = recorded(&bench, &bench.market.url, COMPANY, &bench.state(), &["--format=json"]);
    complains(&run, &["no state", "apply"]);
    assert!(report(run, 2)["error"]["hint"].is_string());
    assert!(!bench.state().exists());
    bench.asked_nothing();
}

#[test]
fn a_record_of_a_commit_that_is_gone_says_so() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    bench.apply(&[]).exits(0);
    // The history was rewritten, and nothing of the old one is left.
    bench.repo.remove(".git");
    bench.repo.git(&["init", "-q", "-b", "main"]);
    bench.commit(&[set(sidecar("a"), "/name", "Mine")]);
    let report = told(&bench, &[], 1);
    assert_eq!(lines(&report), ["update edited a NA"]);
    let edited = entry(&report, "a");
    assert!(edited["unknown"].is_string(), "{edited:#}");
    assert_eq!((&edited["fields"], &edited["left"]), (&json!([]), &Value::Null));
}
