//! What long work is at, on a terminal: one line on stderr that goes away.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::domain::event::Event;
use crate::edge::marketplace::Call;

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// The line. Hidden where stderr is no terminal.
#[derive(Clone)]
pub struct Progress(Arc<ProgressBar>, &'static str);

impl Progress {
    /// A line that says `message` until told otherwise; once the items are
    /// read, it says how many are compared and sent.
    pub fn start(message: &str) -> Self {
        Self::start_to(message, "comparing and sending")
    }

    /// The same for who does something else with them.
    pub fn start_to(message: &str, work: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // The template is a constant that a test draws.
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {msg}, {pos} requests, {elapsed}")
        {
            bar.set_style(style);
        }
        bar.set_message(message.to_owned());
        bar.enable_steady_tick(TICK);
        Self(Arc::new(bar), work)
    }

    /// Counts a request.
    pub fn count(&self, _call: &Call) {
        self.0.inc(1);
    }

    /// Says what an event means for the work that is left, and lets `log`
    /// write its line above.
    pub fn tell(&self, event: &Event, log: impl FnOnce()) {
        if let Event::Loaded { items, .. } = event {
            self.0.set_message(format!("{} {items} items", self.1));
        }
        self.above(log);
    }

    /// Lets somebody write lines above this one.
    pub fn above(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }

    /// Says something else from now on.
    pub fn say(&self, message: String) {
        self.0.set_message(message);
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
