//! When to run a pass and when to stop. Knows nothing of what a pass does.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::event::Rest;
use crate::domain::standing::Trigger;
use crate::edge::backoff;

/// Repeats a pass until nothing is left to try again, or until `stop` says so,
/// or for `give_up`, counted from the first pass that left something. Returns
/// what the last pass left.
///
/// A pass that ends with an error is repeated as well if `again` says so.
/// `wait` is told of each pause before it begins.
pub async fn until_settled<E>(
    give_up: Duration,
    mut stop: watch::Receiver<bool>,
    mut pass: impl AsyncFnMut() -> Result<Rest, E>,
    again: impl Fn(&E) -> Rest,
    wait: impl Fn(Duration),
) -> Result<Rest, E> {
    let mut deadline = None;
    let mut failures = 0;
    loop {
        let result = pass().await;
        let rest = result.as_ref().map_or_else(&again, |rest| *rest);
        let asked = match rest {
            Rest::Settled => return result,
            Rest::Retry { after } => after.unwrap_or_default(),
            Rest::Waiting { due } => due,
        };
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + give_up);
        failures += 1;
        let pause = backoff::pause(failures).max(asked);
        if *stop.borrow() || Instant::now() + pause >= deadline {
            return result;
        }
        wait(pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // The sender outlives this: it is what catches the signals.
            _ = stop.wait_for(|stopped| *stopped) => return result,
        }
    }
}

/// When a daemon makes passes if nothing moves.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one look at HEAD to the next: events get lost.
    pub poll: Duration,
    /// From the start of one search for drift to the start of the next; none if
    /// there is none.
    pub drift: Option<Duration>,
}

/// What a turn left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// What the pass left; none if there was no need for one.
    pub rest: Option<Rest>,
    /// Whether the search for drift has more to look at.
    pub more: bool,
}

/// The least time before an item is tried again: whatever a pass says, it does
/// not run again at once for ever.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// How far from its time the search for drift may begin, so that many daemons
/// do not search together (`practice.md` §4).
const DRIFT_JITTER: f64 = 0.1;

/// Makes passes until `stop` says so: at once when something moved, when an
/// item or the whole pass is due again, for drift, and on a slow beat that
/// covers lost events.
///
/// `moved` completes when the source may have moved, and says why it is
/// thought so. If that happens during a pass, `hurry` is set, so that the pass
/// may cut short what can wait. `next` is told how long it is until the next
/// pass. A turn that returns an error ends it all.
pub async fn drive<E>(
    pace: Pace,
    hurry: &watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
    mut moved: impl AsyncFnMut() -> Trigger,
    mut turn: impl AsyncFnMut(Trigger) -> Result<Turn, E>,
    mut next: impl FnMut(Duration),
) -> Result<(), E> {
    let mut agenda = Agenda::new(pace);
    let mut trigger = Trigger::Start;
    loop {
        hurry.send_replace(false);
        let mut woken = None;
        let left = {
            let work = turn(trigger);
            tokio::pin!(work);
            loop {
                let waits = !*hurry.borrow();
                tokio::select! {
                    biased;
                    left = &mut work => break left,
                    _ = stop.wait_for(|stopped| *stopped), if waits => drop(hurry.send_replace(true)),
                    why = moved(), if waits => {
                        woken = Some(why);
                        hurry.send_replace(true);
                    }
                }
            }
        };
        let left = left?;
        if *stop.borrow() {
            return Ok(());
        }
        agenda.note(trigger, left);
        let (at, why) = agenda.first();
        next(at.saturating_duration_since(Instant::now()));
        if let Some(why) = woken {
            trigger = why;
            continue;
        }
        trigger = tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
            why = moved() => why,
            () = tokio::time::sleep_until(at) => why,
        };
    }
}

/// What is to be done, and when.
struct Agenda {
    pace: Pace,
    poll: Instant,
    drift: Option<Instant>,
    /// When the search for drift began that is under way.
    searching: Option<Instant>,
    retry: Option<Instant>,
    /// How many passes in a row left something, and no time for it.
    failures: u32,
}

impl Agenda {
    /// The search for drift begins at once: what happened while nobody looked,
    /// nobody knows.
    fn new(pace: Pace) -> Self {
        let now = Instant::now();
        let drift = pace.drift.map(|_| now);
        Self { pace, poll: now, drift, searching: None, retry: None, failures: 0 }
    }

    fn note(&mut self, trigger: Trigger, left: Turn) {
        let now = Instant::now();
        self.poll = now + self.pace.poll;
        match left.rest {
            // It was used, and nobody said when to try again.
            None if trigger == Trigger::Retry => self.retry = None,
            None => {}
            Some(Rest::Settled) => (self.retry, self.failures) = (None, 0),
            Some(Rest::Waiting { due }) => {
                (self.retry, self.failures) = (Some(now + due.max(LEAST_WAIT)), 0);
            }
            Some(Rest::Retry { after }) => {
                self.failures = self.failures.saturating_add(1);
                let pause = backoff::pause(self.failures).max(after.unwrap_or_default());
                self.retry = Some(now + pause);
            }
        }
        if trigger != Trigger::Drift {
            return;
        }
        if left.rest.is_none() && left.more {
            // There was nothing to search in yet.
            self.drift = Some(self.poll);
            return;
        }
        let began = *self.searching.get_or_insert(now);
        let paused = matches!(left.rest, Some(Rest::Retry { .. }));
        if left.more {
            self.drift = if paused { self.retry } else { Some(now) };
        } else {
            let jitter = 1.0 + DRIFT_JITTER * (2.0 * fastrand::f64() - 1.0);
            self.drift = self.pace.drift.map(|every| (began + every.mul_f64(jitter)).max(now));
            self.searching = None;
        }
    }

    /// What comes first. At one time, what failed goes before what may have
    /// drifted.
    ///
    /// After a pass that left something and no time for it, nothing comes
    /// before the next try: what cannot be reached is left alone.
    fn first(&self) -> (Instant, Trigger) {
        let retry = self.retry.map(|at| (at, Trigger::Retry));
        let pause = self.retry.filter(|_| self.failures > 0);
        let later = |at: Instant| pause.map_or(at, |pause| at.max(pause));
        let drift = self.drift.map(|at| (later(at), Trigger::Drift));
        let poll = (later(self.poll), Trigger::Poll);
        let first = [retry, drift].into_iter().flatten().chain([poll]);
        first.min_by_key(|(at, _)| *at).unwrap_or(poll)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::Instant;

    use super::{Pace, Turn, drive, until_settled};
    use crate::domain::event::Rest;
    use crate::domain::standing::Trigger;

    /// A runtime whose clock moves only when everybody waits.
    fn paused() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    }

    fn run(give_up: u64, results: &[Result<Rest, bool>]) -> (Result<Rest, bool>, usize, Duration) {
        paused().block_on(async {
            let (_keep, stop) = watch::channel(false);
            let calls = Cell::new(0);
            let start = Instant::now();
            let pass = async || {
                let call = calls.get();
                calls.set(call + 1);
                *results.get(call).unwrap_or(&results[results.len() - 1])
            };
            let result = until_settled(
                Duration::from_secs(give_up),
                stop,
                pass,
                |again| if *again { Rest::Retry { after: None } } else { Rest::Settled },
                |_| {},
            )
            .await;
            (result, calls.get(), start.elapsed())
        })
    }

    const RETRY: Result<Rest, bool> = Ok(Rest::Retry { after: None });

    #[test]
    fn settled_is_the_end() {
        assert_eq!(run(120, &[Ok(Rest::Settled)]), (Ok(Rest::Settled), 1, Duration::ZERO));
    }

    #[test]
    fn what_may_go_is_tried_again() {
        let (result, calls, _) = run(120, &[RETRY, Err(true), Ok(Rest::Settled)]);
        assert_eq!((result, calls), (Ok(Rest::Settled), 3));
    }

    #[test]
    fn what_cannot_go_ends_it() {
        let (result, calls, _) = run(120, &[RETRY, Err(false), Ok(Rest::Settled)]);
        assert_eq!((result, calls), (Err(false), 2));
    }

    #[test]
    fn it_is_given_up_in_time() {
        let (result, calls, took) = run(120, &[RETRY]);
        assert_eq!(result, RETRY);
        assert!(calls > 3, "{calls}");
        assert!(took <= Duration::from_mins(2), "{took:?}");
    }

    #[test]
    fn a_long_first_pass_leaves_time_to_try_again() {
        paused().block_on(async {
            let (_keep, stop) = watch::channel(false);
            let calls = Cell::new(0);
            let pass = async || {
                calls.set(calls.get() + 1);
                if calls.get() == 1 {
                    tokio::time::sleep(Duration::from_mins(3)).await;
                }
                Ok::<_, ()>(if calls.get() < 3 {
                    Rest::Retry { after: None }
                } else {
                    Rest::Settled
                })
            };
            let result =
                until_settled(Duration::from_mins(2), stop, pass, |()| Rest::Settled, |_| {});
            assert_eq!((result.await, calls.get()), (Ok(Rest::Settled), 3));
        });
    }

    #[test]
    fn the_server_sets_the_least_pause() {
        let asked = Ok(Rest::Retry { after: Some(Duration::from_secs(30)) });
        let (_, _, took) = run(120, &[asked, Ok(Rest::Settled)]);
        assert!(took >= Duration::from_secs(30), "{took:?}");
    }

    const SETTLED: Turn = Turn { rest: Some(Rest::Settled), more: false };
    const PACE: Pace = Pace { poll: Duration::from_secs(10), drift: Some(Duration::from_mins(10)) };

    /// Drives until `turns` are used up; returns when each was made, in seconds
    /// from the start, and why. Something moves at each of `wakes`.
    fn driven(pace: Pace, wakes: &[u64], turns: &[Turn]) -> Vec<(u64, Trigger)> {
        paused().block_on(async {
            let stop = watch::Sender::new(false);
            let hurry = watch::Sender::new(false);
            let start = Instant::now();
            let made = RefCell::new(Vec::new());
            let left = RefCell::new(wakes.iter());
            let moved = async || {
                let Some(at) = left.borrow().as_slice().first() else {
                    return std::future::pending().await;
                };
                tokio::time::sleep_until(start + Duration::from_secs(*at)).await;
                left.borrow_mut().next();
                Trigger::Commit
            };
            let turn = async |trigger| {
                let mut made = made.borrow_mut();
                made.push((start.elapsed().as_secs(), trigger));
                if made.len() == turns.len() {
                    stop.send_replace(true);
                }
                Ok::<_, ()>(turns[made.len() - 1])
            };
            drive(pace, &hurry, stop.subscribe(), moved, turn, |_| {}).await.unwrap();
            made.into_inner()
        })
    }

    const QUIET: Pace = Pace { poll: Duration::from_secs(10), drift: None };

    #[test]
    fn it_looks_now_and_then_and_at_once_when_something_moved() {
        let made = driven(QUIET, &[4, 25], &[SETTLED; 5]);
        let (s, p, c) = (Trigger::Start, Trigger::Poll, Trigger::Commit);
        assert_eq!(made, [(0, s), (4, c), (14, p), (24, p), (25, c)]);
    }

    #[test]
    fn an_item_has_its_turn_when_it_is_due() {
        let waits = Turn { rest: Some(Rest::Waiting { due: Duration::from_secs(7) }), more: false };
        let nothing = Turn { rest: None, more: false };
        let made = driven(QUIET, &[3], &[waits, nothing, SETTLED, SETTLED]);
        let (s, p, c, r) = (Trigger::Start, Trigger::Poll, Trigger::Commit, Trigger::Retry);
        // A look that found nothing moved does not put the retry off.
        assert_eq!(made, [(0, s), (3, c), (7, r), (17, p)]);
    }

    #[test]
    fn the_server_is_left_alone_as_long_as_it_asks() {
        // Neither a look at HEAD nor a search for drift comes before.
        let after = Some(Duration::from_secs(25));
        let wait = Turn { rest: Some(Rest::Retry { after }), more: false };
        let made = driven(PACE, &[], &[wait, SETTLED, SETTLED]);
        assert_eq!(made, [(0, Trigger::Start), (25, Trigger::Retry), (25, Trigger::Drift)]);
    }

    #[test]
    fn a_search_for_drift_goes_on_until_it_has_seen_all() {
        let more = Turn { rest: Some(Rest::Settled), more: true };
        let made = driven(PACE, &[], &[SETTLED, more, more, SETTLED, SETTLED]);
        let (s, d, p) = (Trigger::Start, Trigger::Drift, Trigger::Poll);
        assert_eq!(made, [(0, s), (0, d), (0, d), (0, d), (10, p)]);
        let drifts = |made: Vec<(u64, Trigger)>| -> Vec<u64> {
            made.into_iter().filter(|(_, why)| *why == d).map(|(at, _)| at).collect()
        };
        let [first, second] = drifts(driven(PACE, &[], &[SETTLED; 70]))[..] else {
            panic!("two searches in some 11 minutes")
        };
        assert!(first == 0 && (540..=660).contains(&second), "{second}");
    }

    #[test]
    fn a_search_that_fails_waits_like_the_rest() {
        let after = Some(Duration::from_secs(5));
        let failed = Turn { rest: Some(Rest::Retry { after }), more: true };
        let made = driven(PACE, &[], &[SETTLED, failed, SETTLED, SETTLED]);
        let (s, d, r) = (Trigger::Start, Trigger::Drift, Trigger::Retry);
        assert_eq!(made, [(0, s), (0, d), (5, r), (5, d)]);
    }

    #[test]
    fn who_waits_is_heard_during_a_pass() {
        paused().block_on(async {
            let stop = watch::Sender::new(false);
            let hurry = watch::Sender::new(false);
            let mut hears = hurry.subscribe();
            let wakes = Cell::new(1);
            let moved = async || {
                if wakes.replace(0) == 0 {
                    std::future::pending::<()>().await;
                }
                Trigger::Commit
            };
            let made = RefCell::new(Vec::new());
            let turn = async |trigger| {
                made.borrow_mut().push(trigger);
                if trigger == Trigger::Start {
                    // A part of a pass that can wait ends by this alone.
                    hears.wait_for(|hurry| *hurry).await.unwrap();
                } else {
                    stop.send_replace(true);
                }
                Ok::<_, ()>(SETTLED)
            };
            drive(QUIET, &hurry, stop.subscribe(), moved, turn, |_| {}).await.unwrap();
            assert_eq!(made.into_inner(), [Trigger::Start, Trigger::Commit]);
        });
    }
}
