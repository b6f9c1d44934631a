//! Whether the work goes on: beaten by everything that makes progress, read by
//! `/healthz`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When something last made progress. Copies beat the same heart.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    start: Instant,
    last_ms: Arc<AtomicU64>,
    idle: Arc<AtomicBool>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { start: Instant::now(), last_ms: Arc::default(), idle: Arc::default() }
    }
}

impl Heartbeat {
    /// Something made progress.
    pub fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
        self.idle.store(false, Ordering::Relaxed);
    }

    /// There is nothing to do: until the next beat, silence says nothing.
    pub fn rest(&self) {
        self.idle.store(true, Ordering::Relaxed);
    }

    /// How long nothing made progress that should have.
    pub fn silence(&self) -> Duration {
        if self.idle.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(last)
    }
}
