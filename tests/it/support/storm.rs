//! A marketplace that fails, and the truth that the program must tell of it.

use std::collections::BTreeSet;

use marketsync::embedded::{Fault, FaultKind};
use serde_json::Value;

use crate::support::cli::{Bench, Run};
use crate::support::documents::sidecar;

pub(crate) const ONCE: &[&str] = &["--retry-for", "0s"];
pub(crate) const CONSOLES: [&str; 2] = ["14.1", "13.6"];

/// All that the log may say of an item that the marketplace has.
pub(crate) const CLAIMS: [&str; 3] = ["Created", "Updated", "Adopted"];

pub(crate) fn html() -> String {
    "<html><body>busy</body></html>".to_owned()
}

pub(crate) fn page(code: u16) -> FaultKind {
    FaultKind::Status {
        code,
        body: Some(html()),
        content_type: Some("text/html".to_owned()),
        retry_after: None,
        processed: false,
    }
}

pub(crate) fn items() -> Vec<Value> {
    vec![sidecar("alpha"), sidecar("beta"), sidecar("gamma")]
}

pub(crate) fn names(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| format!("{item} NA")).collect()
}

/// A marketplace that fails so, and what the first apply of three items made
/// of it. What it says is held against what the server has.
pub(crate) fn meets(
    console: &str,
    faults: impl IntoIterator<Item = Fault>,
    args: &[&str],
) -> (Bench, Run) {
    let bench = Bench::console(console);
    bench.commit(&items());
    for fault in faults {
        assert!(bench.handle().fail(fault));
    }
    let run = bench.apply(args);
    audit(&bench, &run);
    (bench, run)
}

/// Log, exit code, table and record say the same, and it is true.
pub(crate) fn audit(bench: &Bench, run: &Run) {
    let there: BTreeSet<String> = bench.names().into_iter().collect();
    let mut claimed = Vec::new();
    for verb in CLAIMS {
        claimed.extend(run.said(verb));
    }
    for claim in &claimed {
        assert!(there.contains(claim), "{claim} is not there:\n{run}");
        run.prints(claim.split(' ').next().unwrap());
    }
    let unique: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!(unique.len(), claimed.len(), "said twice:\n{run}");
    for (name, item) in bench.recorded() {
        let done = item["result"] == "done";
        assert_eq!(done, claimed.contains(&name), "recorded {item}:\n{run}");
        assert!(!done || there.contains(&name));
    }
    let whole = claimed.len() == 3;
    assert_eq!(run.code == Some(0), whole, "{run}");
    assert!(run.code.is_some_and(|code| code <= 2), "{run}");
    if !claimed.is_empty() {
        run.prints(&format!("{} applied", claimed.len()));
    }
    assert!(!run.stderr.contains("panic"), "{run}");
}

/// Without faults the next apply leaves everything right, sends nothing that
/// is known, and its look at everything else finds nothing.
pub(crate) fn converges(bench: &Bench, before: &Run) {
    bench.handle().clear_faults();
    let run = bench.apply(&["--drift=report"]).exits(0);
    assert_eq!(bench.names(), names(&["alpha", "beta", "gamma"]), "{run}");
    let known: BTreeSet<String> = CLAIMS.iter().flat_map(|verb| before.said(verb)).collect();
    let sent: Vec<String> = bench.sent().into_iter().filter(|item| known.contains(item)).collect();
    assert_eq!(sent, Vec::<String>::new(), "sent although it was known:\n{before}\n{run}");
    assert!(!run.stdout.contains("held"), "{run}");
    for item in items() {
        let id = item["itemId"].as_str().unwrap();
        assert_eq!(bench.stored(id, "NA").unwrap()["resources"], item["resources"]);
    }
}
