//! The whole program against a marketplace that fails at anything but an
//! apply: looks, pictures, deletions (`practice.md` §4).

use marketsync::embedded::{Fault, FaultKind, Route};

use crate::support::cli::Bench;
use crate::support::documents::{sidecar, with_image};
use crate::support::market::{COMPANY, PNG, key};
use crate::support::storm::{ONCE, audit, converges, html, items, meets, names, page};

#[test]
fn what_could_not_be_looked_at_is_held_and_the_others_go() {
    for (console, kind) in [
        ("14.1", FaultKind::status(500)),
        ("14.1", page(502)),
        ("14.1", FaultKind::CutBefore),
        ("14.1", FaultKind::Truncate),
        ("14.1", FaultKind::EmptyBody),
        ("14.1", FaultKind::WrongBody { body: html() }),
        ("14.1", FaultKind::WrongBody { body: "[]".to_owned() }),
        ("13.6", FaultKind::status(429)),
    ] {
        let (bench, run) =
            meets(console, [Fault::always(Route::Get, kind.clone()).for_item("beta")], ONCE);
        let run = run.exits(1);
        assert_eq!(
            (run.said("Created"), run.said("Held")),
            (names(&["alpha", "gamma"]), names(&["beta"])),
            "{kind:?}"
        );
        assert!(run.line("Held")["reason"].as_str().unwrap().starts_with("unobserved"), "{run}");
        converges(&bench, &run);
    }
}

/// "Could not look" is not "empty".
#[test]
fn a_page_of_a_proxy_is_not_absence() {
    for kind in [page(404), FaultKind::status(500), FaultKind::CutBefore] {
        let bench = Bench::new();
        bench.commit(&items());
        bench.apply(&[]).exits(0);
        bench.repo.remove("items/beta");
        bench.repo.commit("beta goes");
        bench.handle().fail(Fault::always(Route::Get, kind.clone()));
        let run = bench.apply(&["--drift=correct", "--retry-for=0s"]);
        assert_eq!(
            (run.lines("Forgotten"), run.lines("Created")),
            (Vec::new(), Vec::new()),
            "{kind:?}: {run}"
        );
        assert_eq!(bench.writes(), [], "{kind:?}: {run}");
        assert_eq!(bench.recorded().len(), 3, "{kind:?}");
    }
}

fn pictured(bench: &Bench) {
    bench.repo.write("logo.png", PNG);
    bench.commit(&[
        with_image(sidecar("alpha"), "../../logo.png"),
        sidecar("beta"),
        sidecar("gamma"),
    ]);
}

#[test]
fn a_picture_that_does_not_go_holds_its_item_alone() {
    let body = |body: &str| FaultKind::WrongBody { body: body.to_owned() };
    for kind in [
        FaultKind::status(400),
        FaultKind::status(413),
        page(415),
        FaultKind::status(500),
        page(503),
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::Truncate,
        FaultKind::EmptyBody,
        body(&html()),
        body("{}"),
        FaultKind::EndlessBody,
    ] {
        let bench = Bench::new();
        pictured(&bench);
        bench.handle().fail(Fault::always(Route::Upload, kind.clone()));
        let run = bench.apply(ONCE);
        audit(&bench, &run);
        let run = run.exits(1);
        assert_eq!(run.said("Created"), names(&["beta", "gamma"]), "{kind:?}: {run}");
        run.tells("image");
        converges(&bench, &run);
        assert_eq!(bench.handle().calls(Route::Upload), 1);
        assert!(bench.stored("alpha", "NA").unwrap()["imageUrl"].is_string());
    }
    let bench = Bench::new();
    pictured(&bench);
    bench.handle().fail(Fault::once(Route::Upload, FaultKind::status(503)));
    bench.apply(&[]).exits(0).prints("3 applied");
}

#[test]
fn a_picture_that_cannot_be_read_counts_as_different() {
    for kind in [FaultKind::status(404), FaultKind::EndlessBody, FaultKind::EmptyBody] {
        let bench = Bench::new();
        pictured(&bench);
        bench.apply(&[]).exits(0);
        bench.forget();
        bench.handle().fail(Fault::always(Route::Download, kind.clone()));
        let run = bench.apply(ONCE).exits(0);
        assert_eq!(
            (run.said("Updated"), run.said("Adopted")),
            (names(&["alpha"]), names(&["beta", "gamma"])),
            "{kind:?}"
        );
        bench.handle().clear_faults();
        bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
    }
}

#[test]
fn a_picture_that_cannot_be_read_now_overwrites_nothing() {
    for kind in [FaultKind::status(500), FaultKind::CutBefore] {
        let bench = Bench::new();
        pictured(&bench);
        bench.apply(&[]).exits(0);
        bench.forget();
        bench.handle().fail(Fault::always(Route::Download, kind.clone()));
        let run = bench.apply(ONCE).exits(1);
        assert_eq!(run.said("Adopted"), names(&["beta", "gamma"]), "{kind:?}");
        assert_eq!((run.said("Held"), bench.writes().len()), (names(&["alpha"]), 0), "{kind:?}");
        bench.handle().clear_faults();
        let run = bench.apply(&[]).exits(0);
        assert_eq!(run.said("Adopted"), names(&["alpha"]), "{kind:?}");
    }
}

#[test]
fn trouble_with_deletions() {
    for kind in [FaultKind::CutAfter, FaultKind::status(503), FaultKind::CutBefore] {
        let bench = Bench::new();
        bench.commit(&items());
        bench.apply(&[]).exits(0);
        bench.repo.remove("items/beta");
        bench.repo.commit("beta goes");
        bench.handle().fail(Fault::once(Route::Delete, kind.clone()));
        let run = bench.apply(&["--prune"]).exits(0);
        let gone = run.said("Deleted").len() + run.said("Forgotten").len();
        assert_eq!((gone, bench.names()), (1, names(&["alpha", "gamma"])), "{kind:?}: {run}");
        bench.apply(&["--prune", "--drift=report"]).exits(0).prints("2 unchanged");
    }
    // Somebody else was faster.
    let bench = Bench::new();
    bench.commit(&items());
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/beta");
    bench.repo.commit("beta goes");
    bench.handle().remove(COMPANY, &key("beta", "NA")).unwrap();
    bench.apply(&["--prune"]).exits(0);
    assert_eq!(bench.recorded().iter().filter(|(_, item)| item["digest"].is_string()).count(), 2);
}

/// A proxy that wants somebody to sign in answers 200 with a page.
#[test]
fn a_page_in_answer_to_a_deletion_is_no_deletion() {
    for kind in [page(200), FaultKind::EndlessBody] {
        let bench = Bench::new();
        bench.commit(&items());
        bench.apply(&[]).exits(0);
        bench.repo.remove("items/beta");
        bench.repo.commit("beta goes");
        bench.handle().fail(Fault::always(Route::Delete, kind.clone()));
        let run = bench.apply(&["--prune", "--retry-for=0s"]).exits(1);
        assert_eq!(
            (run.said("Deleted"), run.said("Failed")),
            (Vec::new(), names(&["beta"])),
            "{kind:?}: {run}"
        );
        run.tells("answered 200, but not in the words of the marketplace");
        assert_eq!(bench.names(), names(&["alpha", "beta", "gamma"]));
        assert!(bench.recorded()["beta NA"]["digest"].is_string(), "it is still ours");
        bench.handle().clear_faults();
        let run = bench.apply(&["--prune"]).exits(0);
        assert_eq!(run.said("Deleted"), names(&["beta"]), "{kind:?}");
    }
    // It went all the same, whatever stood in the answer.
    let bench = Bench::new();
    bench.commit(&items());
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/beta");
    bench.repo.commit("beta goes");
    let FaultKind::Status { body, content_type, .. } = page(200) else { unreachable!() };
    let kind =
        FaultKind::Status { code: 200, body, content_type, retry_after: None, processed: true };
    bench.handle().fail(Fault::always(Route::Delete, kind));
    assert_eq!(bench.apply(&["--prune"]).exits(0).said("Deleted"), names(&["beta"]));
}
