//! Mass balance of the KV cache over a horizon.
//!
//! What runs now goes on growing by a token a step and gives its tokens back when it ends; what
//! arrives brings its prompt and grows too. With ends at a constant hazard `m` per second, tokens per
//! request and second `g`, arrivals `l` per second with prompts of mean `p`, and `s = exp(-m h)`:
//!
//! ```text
//! expected(h) = s K + B s g h + s W p + l (p (1 - s)/m + g (1 - s (1 + m h))/m^2)
//! variance(h) = B s (1 - s) (K/B)^2 + f l E[p^2] (1 - s)/m
//! ```
//!
//! where `K` tokens are held by `B` running requests, `W` wait, and `f` is the index of dispersion
//! of the arrivals (1 for Poisson). The cache is full when that passes its capacity, which a normal
//! approximation gives a score for: `max over h of (expected - capacity) / sqrt(variance)`.
//!
//! Only what was read before counts: no reading looks ahead. Rates fade: the arrivals and the lengths
//! of prompts over seconds, since bursts of long prompts are what fills a cache, and the pace of ends
//! over minutes.

use crate::capacity::moment::{Fading, Moment};

/// What arrivals and their prompts are averaged over, in seconds: of 10, 20, 40, 60 and 300 s the one
/// with the best AUC on the Azure conversation trace. On the code trace, whose bursts nothing
/// announces, no choice has much skill (`docs/measurements.md`).
const ARRIVALS_S: f64 = 20.0;
/// What the pace of ends and of growth is averaged over, in seconds.
const PACE_S: f64 = 900.0;
/// Points within the horizon at which the balance is drawn.
const POINTS: [f64; 5] = [0.05, 0.1, 0.25, 0.5, 1.0];

/// What is expected at the end of a horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// Tokens that will be asked for at the end of the horizon.
    pub expected: f64,
    /// Standard deviation of it.
    pub deviation: f64,
    /// Tokens there are.
    pub capacity: f64,
    /// How full it gets within the horizon, in standard deviations above the capacity.
    pub score: f64,
}

/// Rates over the past.
struct Past {
    arrivals: Fading,
    /// Of counts by reading, for their dispersion.
    counts: Fading,
    squares: Fading,
    started: Fading,
    prompt: Fading,
    finished: Fading,
    running: Fading,
    generated: Fading,
}

impl Past {
    fn new() -> Self {
        Self {
            arrivals: Fading::over(ARRIVALS_S),
            counts: Fading::over(PACE_S),
            squares: Fading::over(PACE_S),
            started: Fading::over(ARRIVALS_S),
            prompt: Fading::over(ARRIVALS_S),
            finished: Fading::over(PACE_S),
            running: Fading::over(PACE_S),
            generated: Fading::over(PACE_S),
        }
    }

    fn see(&mut self, moment: &Moment, seconds: f64) {
        let rates = [
            (&mut self.arrivals, moment.arrived),
            (&mut self.started, moment.started),
            (&mut self.prompt, moment.prompt),
            (&mut self.finished, moment.finished),
            (&mut self.generated, moment.generated),
        ];
        for (rate, count) in rates {
            if let Some(count) = count {
                rate.add(count / seconds, seconds);
            }
        }
        if let Some(count) = moment.arrived {
            self.counts.add(count, seconds);
            self.squares.add(count * count, seconds);
        }
        if let Some(running) = moment.running {
            self.running.add(running, seconds);
        }
    }

    /// Variance of the arrivals of one reading over their mean; 1 is Poisson, and less is not
    /// believed.
    fn dispersion(&self) -> f64 {
        let (Some(mean), Some(square)) = (self.counts.mean(), self.squares.mean()) else {
            return 1.0;
        };
        if mean > 0.0 { ((square - mean * mean) / mean).max(1.0) } else { 1.0 }
    }

    fn balance(&self, moment: &Moment, horizon_s: f64, square_ratio: f64) -> Option<Balance> {
        let (running, waiting) = (moment.running?, moment.waiting?);
        let (pinned, capacity) = (moment.pinned?, moment.capacity?);
        let mean_running = self.running.mean().filter(|running| *running > 0.0)?;
        let started = self.started.mean().filter(|started| *started > 0.0);
        let prompt = started.and_then(|started| Some(self.prompt.mean()? / started))?;
        // Nothing ended yet: a hazard so small that nothing will.
        let hazard = (self.finished.mean()? / mean_running).max(1e-6);
        let growth = self.generated.mean()? / mean_running;
        let arrivals = self.arrivals.mean()?;
        let noise = self.dispersion() * arrivals * prompt * prompt * square_ratio;
        let at = |seconds: f64| {
            let stay = (-hazard * seconds).exp();
            let held = -(-hazard * seconds).exp_m1() / hazard;
            let grown = (1.0 - stay * (1.0 + hazard * seconds)) / (hazard * hazard);
            let expected = stay * (pinned + running * growth * seconds + waiting * prompt)
                + arrivals * (prompt * held + growth * grown);
            let each = if running > 0.0 { pinned / running } else { 0.0 };
            let variance = running * stay * (1.0 - stay) * each * each + noise * held;
            (expected, variance.max(1.0).sqrt())
        };
        let score = POINTS.iter().map(|part| {
            let (expected, deviation) = at(part * horizon_s);
            (expected - capacity) / deviation
        });
        let score = score.fold(f64::NEG_INFINITY, f64::max);
        let (expected, deviation) = at(horizon_s);
        Some(Balance { expected, deviation, capacity, score })
    }
}

/// The balance at each moment over the same horizon; None where something in it is not known.
///
/// `square_ratio` is the mean square of a prompt's length over the square of its mean; 2 for lengths
/// that are spread exponentially.
pub fn balances(moments: &[Moment], horizon_s: f64, square_ratio: f64) -> Vec<Option<Balance>> {
    let mut past = Past::new();
    let mut before: Option<f64> = None;
    let mut found = Vec::with_capacity(moments.len());
    for moment in moments {
        if let Some(seconds) = before.map(|before| moment.at_s - before).filter(|gap| *gap > 0.0) {
            past.see(moment, seconds);
        }
        before = Some(moment.at_s);
        found.push(past.balance(moment, horizon_s, square_ratio));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten requests of 1000 tokens run, one comes and one goes a second, of `prompt` tokens.
    fn steady(seconds: usize, prompt: f64) -> Vec<Moment> {
        let one = |second: usize| Moment {
            at_s: second as f64,
            running: Some(10.0),
            waiting: Some(0.0),
            pinned: Some(10_000.0),
            capacity: Some(20_000.0),
            arrived: Some(1.0),
            started: Some(1.0),
            prompt: Some(prompt),
            finished: Some(1.0),
            generated: Some(0.0),
            ..Moment::default()
        };
        (0..seconds).map(one).collect()
    }

    fn last(moments: &[Moment], horizon_s: f64) -> Balance {
        balances(moments, horizon_s, 2.0).pop().flatten().unwrap()
    }

    #[test]
    fn what_comes_and_goes_alike_stays_as_it_is() {
        for horizon in [10.0, 60.0, 600.0] {
            let balance = last(&steady(100, 1000.0), horizon);
            assert!((balance.expected - 10_000.0).abs() < 1.0, "{balance:?}");
        }
    }

    #[test]
    fn longer_prompts_fill_it_up_and_a_longer_horizon_sees_more_of_them() {
        let long = steady(100, 3000.0);
        let (near, far) = (last(&long, 10.0), last(&long, 60.0));
        assert!(near.expected > 20_000.0 && far.expected > near.expected, "{near:?} {far:?}");
        assert!(far.score >= near.score && near.score > last(&steady(100, 1000.0), 10.0).score);
    }

    #[test]
    fn those_that_wait_and_those_that_grow_are_in_it() {
        let mut queued = steady(100, 1000.0);
        queued.last_mut().unwrap().waiting = Some(2.0);
        let mut growing = steady(100, 1000.0);
        for moment in &mut growing {
            moment.generated = Some(500.0);
        }
        let calm = last(&steady(100, 1000.0), 10.0).expected;
        assert!(last(&queued, 10.0).expected > calm + 500.0);
        // Fifty tokens a second for each, from ten requests and from those that come.
        assert!(last(&growing, 10.0).expected > calm + 2500.0);
    }

    #[test]
    fn nothing_is_told_where_something_is_not_known() {
        let mut blind = steady(10, 1000.0);
        blind.last_mut().unwrap().pinned = None;
        assert_eq!(balances(&blind, 10.0, 2.0).pop().unwrap(), None);
        assert_eq!(balances(&steady(1, 1000.0), 10.0, 2.0), [None]);
        let mut idle = steady(10, 0.0);
        for moment in &mut idle {
            moment.started = Some(0.0);
        }
        assert_eq!(balances(&idle, 10.0, 2.0).pop().unwrap(), None);
    }

    #[test]
    fn no_reading_looks_ahead() {
        let mut moments = steady(50, 1000.0);
        let before = balances(&moments, 20.0, 2.0);
        moments.extend(
            steady(50, 9000.0)
                .into_iter()
                .map(|moment| Moment { at_s: moment.at_s + 50.0, ..moment }),
        );
        assert_eq!(balances(&moments, 20.0, 2.0)[..50], before);
    }
}
