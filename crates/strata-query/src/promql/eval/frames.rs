//! What of `rate` depends on the times alone: the windows over a time column.

use std::sync::Arc;

use strata_model::Points;

use super::range::RangeInput;

/// The windows of all steps over a time column. Series sampled together share their column, so that
/// the windows are looked for once for all of them. By column, not by window: the divisions, most
/// of the work, are then done several at a time.
#[derive(Default)]
pub(super) struct Frames {
    times: Option<Arc<[i64]>>,
    /// Index of the first and of the last sample in the window; equal where it has fewer than two.
    pub(super) first: Vec<u32>,
    pub(super) last: Vec<u32>,
    /// Seconds from the first sample to the last.
    pub(super) sampled: Vec<f64>,
    /// Seconds that the first sample is taken to reach back, and the last one forward.
    pub(super) to_start: Vec<f64>,
    to_end: Vec<f64>,
    /// Distances between samples.
    gaps: Vec<f64>,
    /// By what the change is multiplied where the counter was not near zero.
    pub(super) factor: Vec<f64>,
}

impl Frames {
    /// Those over the times of `points`: the ones of the series before where it has the same
    /// column. `seconds` is what the result is divided by: the range for `rate`, else 1.
    pub(super) fn over(&mut self, input: &RangeInput, points: &Points, seconds: f64) {
        // Equal columns need not be one in memory; to compare them is far cheaper than to walk them.
        let fits = self
            .times
            .as_ref()
            .is_some_and(|times| Arc::ptr_eq(times, &points.times) || *times == points.times);
        if fits {
            return;
        }
        self.find(input, &points.times);
        self.reach(seconds);
        self.times = Some(Arc::clone(&points.times));
    }

    /// The reach of a window whose counter was zero so many seconds before its first sample.
    pub(super) fn reach_from(&self, step: usize, to_start: f64) -> Reach {
        Reach { sampled: self.sampled[step], to_start, to_end: self.to_end[step] }
    }

    /// Where the windows are, distances still in milliseconds.
    fn find(&mut self, input: &RangeInput, times: &[i64]) {
        let count = input.reference.steps().count;
        let Self { first, last, sampled, to_start, to_end, gaps, .. } = self;
        first.resize(count, 0);
        last.resize(count, 0);
        for column in [&mut *sampled, &mut *to_start, &mut *to_end, &mut *gaps] {
            column.resize(count, 1.0);
        }
        let indexes = first.iter_mut().zip(last);
        let distances = sampled.iter_mut().zip(to_start).zip(to_end.iter_mut().zip(gaps));
        let (mut low, mut high) = (0, 0);
        for (step, (indexes, distances)) in indexes.zip(distances).enumerate() {
            let end = input.reference.at(step);
            let start = end.saturating_sub(input.range_ms);
            while times.get(high).is_some_and(|time| *time <= end) {
                high += 1;
            }
            while low < high && times.get(low).is_some_and(|time| *time <= start) {
                low += 1;
            }
            let ((sampled, to_start), (to_end, gaps)) = distances;
            let window = times.get(low..high).unwrap_or_default();
            if let [oldest, .., newest] = window {
                (*indexes.0, *indexes.1) = (low as u32, high as u32 - 1);
                *sampled = (newest - oldest) as f64;
                (*to_start, *to_end) = ((oldest - start) as f64, (end - newest) as f64);
                *gaps = (window.len() - 1) as f64;
            } else {
                // Of no meaning, but nothing that is slow to divide by.
                (*indexes.0, *indexes.1) = (0, 0);
                (*sampled, *to_start, *to_end, *gaps) = (1.0, 1.0, 1.0, 1.0);
            }
        }
    }

    /// From distances to reach and factor.
    fn reach(&mut self, seconds: f64) {
        let Self { sampled, to_start, to_end, gaps, factor, .. } = self;
        factor.clear();
        let starts = sampled.iter_mut().zip(to_start);
        let windows = starts.zip(to_end.iter_mut().zip(&*gaps));
        factor.extend(windows.map(|((sampled, to_start), (to_end, &gaps))| {
            let reach = Reach::of((*to_start, *sampled, *to_end), gaps);
            (*sampled, *to_start, *to_end) = (reach.sampled, reach.to_start, reach.to_end);
            reach.factor() / seconds
        }));
    }
}

/// How far, in seconds, the samples of a window are taken to reach beyond themselves.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// From the first sample to the last.
    pub(super) sampled: f64,
    pub(super) to_start: f64,
    pub(super) to_end: f64,
}

impl Reach {
    /// Of a window whose start, first sample, last sample and end are these milliseconds apart,
    /// with this many distances between samples.
    ///
    /// Where a sample is within 1.1 mean distances of an edge the series is taken to reach that
    /// edge, else to end half a mean distance beyond the sample.
    /// Source: Prometheus `promql/functions.go`, `extrapolatedRate`.
    #[inline]
    pub(super) fn of((to_start, sampled, to_end): (f64, f64, f64), gaps: f64) -> Self {
        let (to_start, sampled, to_end) = (to_start / 1000.0, sampled / 1000.0, to_end / 1000.0);
        let mean_distance = sampled / gaps;
        let threshold = mean_distance * 1.1;
        let half = mean_distance / 2.0;
        Self {
            sampled,
            to_start: if to_start >= threshold { half } else { to_start },
            to_end: if to_end >= threshold { half } else { to_end },
        }
    }

    /// By what the change over the samples is multiplied to cover the range.
    #[inline]
    pub(super) fn factor(self) -> f64 {
        let whole = (self.sampled + self.to_start + self.to_end) / self.sampled;
        if self.sampled == 0.0 { 1.0 } else { whole }
    }
}
