//! When to run a pass and when to stop. Knows nothing of what a pass does.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::event::Rest;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::Instant;

    use super::until_settled;
    use crate::domain::event::Rest;

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
}
