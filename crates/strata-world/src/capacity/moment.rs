//! What one engine's page said, read after read: the series that models are fitted to.

/// One reading of the page. Gauges hold at its time; the rest is what was counted since the reading
/// before. None where the page does not say it, where nothing was read before, and where a counter
/// began anew.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moment {
    /// Seconds since the Unix epoch, or since any other fixed time.
    pub at_s: f64,
    pub running: Option<f64>,
    pub waiting: Option<f64>,
    /// Tokens of the KV cache that running requests hold.
    pub pinned: Option<f64>,
    /// Tokens that the KV cache can hold.
    pub capacity: Option<f64>,
    /// Requests that came: those that ended, and what more is inside than before.
    pub arrived: Option<f64>,
    /// Requests that got their first token.
    pub started: Option<f64>,
    /// Prompt tokens of these, cached ones among them.
    pub prompt: Option<f64>,
    pub cached: Option<f64>,
    pub finished: Option<f64>,
    pub generated: Option<f64>,
    /// Seconds between output tokens, added up, and how many such gaps.
    pub gap_seconds: Option<f64>,
    pub gaps: Option<f64>,
    /// Seconds of requests from being scheduled to the first token, and from there to the last.
    pub prefill_seconds: Option<f64>,
    pub decode_seconds: Option<f64>,
    /// Processor seconds of the process that serves the page.
    pub cpu_seconds: Option<f64>,
}

/// Usual distance of two readings in seconds: the median.
pub fn interval_s(moments: &[Moment]) -> Option<f64> {
    let gaps = moments.windows(2).filter_map(|pair| Some(pair.last()?.at_s - pair.first()?.at_s));
    let mut gaps: Vec<f64> = gaps.filter(|gap| *gap > 0.0).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied()
}

/// A rate over the recent past: readings count the less the older they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fading {
    /// Seconds after which a reading weighs 1/e.
    over_s: f64,
    sum: f64,
    weight: f64,
}

impl Fading {
    pub(super) fn over(over_s: f64) -> Self {
        Self { over_s, sum: 0.0, weight: 0.0 }
    }

    /// `value` held, or was the rate, for the last `seconds`.
    pub(super) fn add(&mut self, value: f64, seconds: f64) {
        let new = 1.0 - (-seconds / self.over_s).exp();
        self.sum += new * (value - self.sum);
        self.weight += new * (1.0 - self.weight);
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_distance_is_the_median() {
        let at = |times: &[f64]| {
            let moments: Vec<Moment> =
                times.iter().map(|at_s| Moment { at_s: *at_s, ..Moment::default() }).collect();
            interval_s(&moments)
        };
        assert_eq!(at(&[]), None);
        assert_eq!(at(&[1.0]), None);
        assert_eq!(at(&[0.0, 15.0, 30.0, 300.0, 315.0]), Some(15.0));
    }

    #[test]
    fn the_recent_weighs_more_and_a_short_past_is_no_zero() {
        let mut rate = Fading::over(10.0);
        assert_eq!(rate.mean(), None);
        rate.add(5.0, 1.0);
        assert!((rate.mean().unwrap() - 5.0).abs() < 1e-12);
        for _ in 0..30 {
            rate.add(1.0, 1.0);
        }
        assert!((1.0..1.3).contains(&rate.mean().unwrap()), "{rate:?}");
    }
}
