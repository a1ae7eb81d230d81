//! Samples of one series folded into windows.

use strata_model::sample::is_stale;

/// What a series did between `start_ms` and one step later, that moment not included.
///
/// Statistics are those of Prometheus's `*_over_time` functions: staleness markers are no samples,
/// `min` and `max` pass over NaN unless there is nothing else, `sum` does not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) start_ms: i64,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The last sample that is no marker; `None` when there are only markers.
    pub(crate) last: Option<(i64, f64)>,
    /// Time of the marker with which the series ended in this window.
    pub(crate) ended_ms: Option<i64>,
    /// How far a counter went, resets made up for, from the sample before the window on; from the
    /// first sample when there is none before. NaN samples are passed over: one would make every
    /// later sum of increases NaN.
    pub(crate) increase: f64,
    /// What `sum` lost to rounding (Neumaier).
    lost: f64,
}

impl Window {
    fn new(start_ms: i64) -> Self {
        Self {
            start_ms,
            count: 0,
            sum: 0.0,
            min: f64::NAN,
            max: f64::NAN,
            last: None,
            ended_ms: None,
            increase: 0.0,
            lost: 0.0,
        }
    }

    fn add(&mut self, time: i64, value: f64) {
        self.count += 1;
        let sum = self.sum + value;
        if sum.is_finite() {
            let (large, small) =
                if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
            self.lost += (large - sum) + small;
        }
        self.sum = sum;
        if value < self.min || self.min.is_nan() {
            self.min = value;
        }
        if value > self.max || self.max.is_nan() {
            self.max = value;
        }
        self.last = Some((time, value));
        self.ended_ms = None;
    }

    fn close(mut self) -> Self {
        if self.sum.is_finite() {
            self.sum += std::mem::take(&mut self.lost);
        }
        self
    }
}

/// How far a counter goes from one value to the next; a fall is a reset to zero in between.
pub(crate) fn step_of(previous: f64, value: f64) -> f64 {
    if value < previous { value } else { value - previous }
}

/// Windows of `step_ms`, aligned to the epoch, that hold at least one sample or marker.
/// `previous` is the last number before these samples, for the first step of a counter.
pub(crate) fn fold(
    times: &[i64],
    values: &[f64],
    step_ms: i64,
    mut previous: Option<f64>,
) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut open: Option<Window> = None;
    for (&time, &value) in times.iter().zip(values) {
        let start = time.div_euclid(step_ms) * step_ms;
        if open.as_ref().is_none_or(|window| window.start_ms != start) {
            windows.extend(open.replace(Window::new(start)).map(Window::close));
        }
        let Some(window) = &mut open else { continue };
        if is_stale(value) {
            window.ended_ms = Some(time);
            continue;
        }
        window.add(time, value);
        if !value.is_nan() {
            window.increase += previous.map_or(0.0, |previous| step_of(previous, value));
            previous = Some(value);
        }
    }
    windows.extend(open.map(Window::close));
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::STALE_NAN;

    fn of(values: &[f64], previous: Option<f64>) -> Vec<Window> {
        let times: Vec<i64> = (0..values.len() as i64).map(|i| i * 10).collect();
        fold(&times, values, 30, previous)
    }

    #[test]
    fn increases_go_on_from_window_to_window_and_over_resets() {
        let increases = |values: &[f64], previous| {
            of(values, previous).iter().map(|window| window.increase).collect::<Vec<_>>()
        };
        assert_eq!(increases(&[1.0, 2.0, 3.0, 5.0, 1.0, 1.5], None), [2.0, 3.5]);
        assert_eq!(increases(&[1.0, 2.0, 3.0], Some(0.5)), [2.5]);
        assert_eq!(increases(&[1.0, f64::NAN, 3.0, f64::NAN, 4.0], Some(9.0)), [3.0, 1.0]);
    }

    #[test]
    fn a_marker_ends_the_series_unless_it_comes_back_in_the_window() {
        let windows = of(&[1.0, STALE_NAN, 2.0, 3.0, STALE_NAN, STALE_NAN, STALE_NAN], None);
        let seen: Vec<_> = windows.iter().map(|w| (w.count, w.last, w.ended_ms)).collect();
        let expected =
            [(2, Some((20, 2.0)), None), (1, Some((30, 3.0)), Some(50)), (0, None, Some(60))];
        assert_eq!(seen, expected);
    }

    #[test]
    fn nan_is_passed_over_by_extremes_and_kept_by_the_sum() {
        let window = of(&[f64::NAN, 2.0, 1.0], None).remove(0);
        assert_eq!((window.min, window.max, window.count), (1.0, 2.0, 3));
        assert!(window.sum.is_nan());
        assert!(of(&[f64::NAN], None)[0].min.is_nan());
        assert_eq!(of(&[1e100, 1.0, -1e100], None)[0].sum, 1.0);
    }
}
