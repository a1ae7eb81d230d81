//! When a GPU is idle: one definition for holders, jobs and the signals.

/// The limit as a literal, for the texts of queries.
macro_rules! idle_below {
    () => {
        0.01
    };
}
pub(crate) use idle_below;

/// Below this peak of ten minutes a GPU did nothing: less than one short kernel a second. The peak and
/// not the mean, because a pause for a checkpoint is not idle.
pub const IDLE_BELOW: f64 = idle_below!();

/// Whether a GPU is idle: its greatest utilization of ten minutes (0 to 1) decides; where nobody tells
/// that, whether a process uses it. `None` where neither is known.
pub fn is_idle(peak: Option<f64>, has_process: Option<bool>) -> Option<bool> {
    peak.map(|peak| peak < IDLE_BELOW).or_else(|| has_process.map(|has| !has))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_decides_and_processes_where_load_is_not_told() {
        let check = |peak, has_process, expected| {
            assert_eq!(is_idle(peak, has_process), expected, "{peak:?} {has_process:?}");
        };
        check(Some(0.009), None, Some(true));
        check(Some(0.01), None, Some(false));
        check(Some(0.0), Some(true), Some(true));
        check(Some(0.9), Some(false), Some(false));
        check(None, Some(true), Some(false));
        check(None, Some(false), Some(true));
        check(None, None, None);
    }
}
