//! What wakes, and what does not. Real files, real git.
//!
//! That nothing woke cannot be waited for. Events come in the order in which
//! things happened, so a test does what must not matter, then what must, and
//! counts.

mod directory;
mod limits;
mod links;
mod repository;

use std::path::Path;
use std::time::Duration;

use marketsync::edge::source::{Head, Source, SourceOptions};
use marketsync::edge::watch::{Mode, Watch};

/// The longest that a wake may take on a machine that has a lot to do.
const PATIENCE: Duration = Duration::from_secs(30);

fn options(location: &Path) -> SourceOptions {
    SourceOptions { location: location.to_owned(), ..SourceOptions::default() }
}

/// The commit at the head of a source; nothing if it cannot be read.
fn head(location: &Path) -> String {
    match Source::open(&options(location)).and_then(|source| source.head()) {
        Ok(Head::Commit(commit)) => commit.0,
        _ => String::new(),
    }
}

/// A watch of a source of which events tell everything.
#[track_caller]
fn watch(location: &Path) -> Watch {
    let watch = Watch::start(location);
    assert_eq!(watch.mode(), &Mode::Events);
    watch
}

/// Waits for a wake, and looks anew as the loop does.
async fn woken(watch: &mut Watch, what: &str) {
    let woke = tokio::time::timeout(PATIENCE, watch.moved()).await;
    assert!(woke.is_ok(), "nothing woke: {what}");
    watch.follow();
}

/// Waits for wakes until one finds that this holds; how many it took.
async fn woken_until(watch: &mut Watch, what: &str, mut holds: impl FnMut() -> bool) -> usize {
    let mut wakes = 0;
    loop {
        woken(watch, what).await;
        wakes += 1;
        if holds() {
            return wakes;
        }
    }
}

/// How many events come of `act`, which wakes.
async fn events_of(watch: &mut Watch, act: impl FnOnce()) -> u64 {
    let before = watch.events();
    act();
    woken(watch, "what must").await;
    watch.events() - before
}

/// Asserts that `nothing` is not noticed. `act` wakes, and does the same each
/// time.
async fn is_unnoticed(watch: &mut Watch, mut act: impl FnMut(), nothing: impl FnOnce()) {
    let usual = events_of(watch, &mut act).await;
    assert!(usual > 0);
    assert_eq!(events_of(watch, &mut act).await, usual, "it is not the same each time");
    let with = events_of(watch, || {
        nothing();
        act();
    });
    assert_eq!(with.await, usual, "what should not matter was counted");
}
