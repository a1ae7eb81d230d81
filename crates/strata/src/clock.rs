//! The system's clock: the only place the program asks what time it is.

use std::time::{Duration, Instant, SystemTime};

use strata_model::Clock;

/// Wall time of the system, and time since the program started.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    fn now_ms(&self) -> i64 {
        // A clock set before 1970 reads as 1970; a batch stamped so is refused as too old.
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
