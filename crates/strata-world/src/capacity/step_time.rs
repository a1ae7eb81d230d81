//! How long a decoding step takes, learned from the readings of a page: `ITL(B, K) = a + b B + g K`.
//!
//! `B` is the batch, `K` the tokens it looks back at: a step reads all weights once (`a`), does some
//! work for each sequence (`b`) and reads the keys and values of all (`g`). `DistServe`
//! (arXiv 2401.09670) fits the same form to measurements of an engine that it runs itself; here the
//! load that comes anyway does the measuring. Least squares over pairs of readings: mean gap between
//! output tokens against the mean of both ends of `B` and `K`.

use super::moment::Moment;

/// Pairs of readings that a fit takes.
const POINTS_MIN: usize = 20;
/// Gaps between tokens in a pair of readings: the mean of fewer is noise.
const GAPS_MIN: f64 = 10.0;
/// Share of the variance that the model must explain to be used.
pub const R2_MIN: f64 = 0.5;
/// Condition number of the correlation matrix of `B` and `K` above which the two move together and
/// only their sum is known; 30 is the usual limit (Belsley, Kuh and Welsch, "Regression
/// Diagnostics", 1980).
const CONDITION_MAX: f64 = 30.0;
/// The batch must have moved by that part of its mean, as standard deviation, and by half a request.
const SPREAD_MIN: f64 = 0.1;
const SPREAD_REQUESTS_MIN: f64 = 0.5;

/// The fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepTime {
    /// Seconds of a step without any sequence.
    pub base_s: f64,
    /// Seconds for each sequence in the batch. When `per_token_s` is none, the sequence's share of
    /// keys and values at the usual length is in it.
    pub per_request_s: f64,
    /// Seconds for each token in the cache of the batch; none where batch and tokens moved together.
    pub per_token_s: Option<f64>,
    pub r2: f64,
    /// Of the correlation matrix of batch and tokens; infinite when tokens are not known.
    pub condition: f64,
    pub points: usize,
    /// The greatest batch that was seen: beyond it the model is stretched.
    pub batch_seen: f64,
    /// Mean tokens of a sequence of the batch.
    pub tokens_each: f64,
}

impl StepTime {
    /// Seconds between two tokens of a batch of `requests` with the usual tokens each.
    pub fn itl_s(&self, requests: f64) -> f64 {
        self.base_s + requests * self.each_s()
    }

    /// Seconds that one more request of the usual length adds to a step.
    pub fn each_s(&self) -> f64 {
        self.per_request_s + self.per_token_s.unwrap_or(0.0) * self.tokens_each
    }

    /// The batch at which a gap takes `itl_s`; none where even an empty batch takes longer.
    pub fn batch_at(&self, itl_s: f64) -> Option<f64> {
        let batch = (itl_s - self.base_s) / self.each_s();
        (batch >= 1.0 && batch.is_finite()).then_some(batch)
    }
}

/// One pair of readings.
#[derive(Debug, Clone, Copy)]
struct Point {
    itl_s: f64,
    batch: f64,
    tokens: Option<f64>,
}

/// Fit the model.
///
/// # Errors
/// In words why it cannot be used: too few points, too little spread, too little explained.
pub fn step_time(moments: &[Moment]) -> Result<StepTime, String> {
    let points = points(moments);
    if points.len() < POINTS_MIN {
        return Err(format!(
            "{} pairs of readings have gaps between tokens and running requests; it takes \
             {POINTS_MIN}",
            points.len()
        ));
    }
    let batch: Vec<f64> = points.iter().map(|point| point.batch).collect();
    let (mean, deviation) = (mean(&batch), variance(&batch).sqrt());
    if deviation < SPREAD_REQUESTS_MIN || deviation < SPREAD_MIN * mean {
        return Err(format!(
            "the batch stayed at {mean:.1} requests (deviation {deviation:.1}): what another batch \
             would take cannot be told"
        ));
    }
    let fitted = fit(&points, &batch);
    if fitted.per_request_s < 0.0 || fitted.base_s < 0.0 || fitted.each_s() <= 0.0 {
        return Err("steps did not take longer with a larger batch: something else decides how \
                    long they take"
            .to_owned());
    }
    if fitted.r2 < R2_MIN {
        return Err(format!(
            "batch and tokens explain {:.0} % of how the gap between tokens varied; it takes \
             {:.0} %",
            fitted.r2 * 100.0,
            R2_MIN * 100.0
        ));
    }
    Ok(fitted)
}

fn points(moments: &[Moment]) -> Vec<Point> {
    let pair = |pair: &[Moment]| {
        let [before, after] = pair else { return None };
        let gaps = after.gaps.filter(|gaps| *gaps >= GAPS_MIN)?;
        let both = |a: Option<f64>, b: Option<f64>| Some(f64::midpoint(a?, b?));
        Some(Point {
            itl_s: after.gap_seconds? / gaps,
            batch: both(before.running, after.running)?,
            tokens: both(before.pinned, after.pinned),
        })
    };
    moments.windows(2).filter_map(pair).collect()
}

fn fit(points: &[Point], batch: &[f64]) -> StepTime {
    let itl: Vec<f64> = points.iter().map(|point| point.itl_s).collect();
    let tokens: Option<Vec<f64>> = points.iter().map(|point| point.tokens).collect();
    let condition = tokens.as_ref().map_or(f64::INFINITY, |tokens| condition(batch, tokens));
    let tokens_each = tokens.as_ref().map_or(0.0, |tokens| mean(tokens) / mean(batch));
    let alone = covariance(batch, &itl) / variance(batch);
    let mut slopes = (alone, None);
    if let Some(tokens) = tokens.as_ref().filter(|_| condition <= CONDITION_MAX) {
        let (request, token) = both(batch, tokens, &itl);
        // More tokens cannot take less time: then the two were not told apart after all.
        if request >= 0.0 && token >= 0.0 {
            slopes = (request, Some(token));
        }
    }
    let (request, token) = slopes;
    let of_tokens = |at: usize| {
        let tokens = tokens.as_ref().and_then(|tokens| tokens.get(at)).copied().unwrap_or(0.0);
        token.unwrap_or(0.0) * tokens
    };
    let line: Vec<f64> =
        batch.iter().enumerate().map(|(at, batch)| request * batch + of_tokens(at)).collect();
    let base = mean(&itl) - mean(&line);
    let residuals: Vec<f64> =
        itl.iter().zip(&line).map(|(seen, line)| seen - base - line).collect();
    let total = variance(&itl);
    StepTime {
        base_s: base,
        per_request_s: request,
        per_token_s: token,
        r2: if total > 0.0 { 1.0 - variance(&residuals) / total } else { 0.0 },
        condition,
        points: points.len(),
        batch_seen: batch.iter().copied().fold(0.0, f64::max),
        tokens_each,
    }
}

/// Slopes of two variables at once, by the normal equations of the centered values.
fn both(x: &[f64], y: &[f64], z: &[f64]) -> (f64, f64) {
    let (xx, yy, xy) = (variance(x), variance(y), covariance(x, y));
    let (xz, yz) = (covariance(x, z), covariance(y, z));
    let determinant = xx * yy - xy * xy;
    ((yy * xz - xy * yz) / determinant, (xx * yz - xy * xz) / determinant)
}

/// Condition number of the correlation matrix of two variables: `(1 + |r|) / (1 - |r|)`.
fn condition(x: &[f64], y: &[f64]) -> f64 {
    let correlation = covariance(x, y) / (variance(x) * variance(y)).sqrt();
    if !correlation.is_finite() {
        return f64::INFINITY;
    }
    let correlation = correlation.abs().min(1.0);
    (1.0 + correlation) / (1.0 - correlation)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(super) fn variance(values: &[f64]) -> f64 {
    covariance(values, values)
}

pub(super) fn covariance(x: &[f64], y: &[f64]) -> f64 {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let sum: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    sum / x.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings of an engine with these laws; `noise` is a deviation in seconds.
    fn readings(
        count: usize,
        tokens_of: impl Fn(f64, &mut fastrand::Rng) -> f64,
        noise: f64,
    ) -> Vec<Moment> {
        let mut random = fastrand::Rng::with_seed(3);
        let mut found = Vec::new();
        for at in 0..count {
            let batch = 5.0 + random.f64() * 40.0;
            let tokens = tokens_of(batch, &mut random);
            let off = (random.f64() - 0.5) * 12.0_f64.sqrt() * noise;
            let itl = 0.008 + 0.0002 * batch + 1e-7 * tokens + off;
            // Two readings alike, so that the mean of both ends is the value itself.
            for half in [0.0, 0.5] {
                found.push(Moment {
                    at_s: at as f64 + half,
                    running: Some(batch),
                    pinned: Some(tokens),
                    gaps: (half > 0.0).then_some(1000.0),
                    gap_seconds: Some(1000.0 * itl),
                    ..Moment::default()
                });
            }
        }
        found
    }

    #[test]
    fn the_law_that_made_the_readings_is_found() {
        let free = |_: f64, random: &mut fastrand::Rng| 10_000.0 + random.f64() * 50_000.0;
        let fitted = step_time(&readings(60, free, 1e-4)).unwrap();
        let near = |found: f64, truth: f64| (found / truth - 1.0).abs() < 0.1;
        assert!(near(fitted.base_s, 0.008) && near(fitted.per_request_s, 0.0002), "{fitted:?}");
        assert!(near(fitted.per_token_s.unwrap(), 1e-7) && fitted.r2 > 0.95, "{fitted:?}");
        let batch = fitted.batch_at(0.05).unwrap();
        assert!((fitted.itl_s(batch) - 0.05).abs() < 1e-9);
        assert_eq!(fitted.batch_at(0.001), None);
    }

    #[test]
    fn tokens_that_follow_the_batch_are_put_to_its_account() {
        let fitted = step_time(&readings(60, |batch, _| 1000.0 * batch, 1e-4)).unwrap();
        assert_eq!(fitted.per_token_s, None);
        assert!(fitted.condition > CONDITION_MAX);
        // 0.2 ms for the request and 0.1 ms for its thousand tokens.
        assert!((fitted.per_request_s / 0.0003 - 1.0).abs() < 0.05, "{fitted:?}");
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let check = |moments: &[Moment], because: &str| {
            let why = step_time(moments).unwrap_err();
            assert!(why.contains(because), "{why}");
        };
        check(&readings(19, |_, _| 1000.0, 0.0), "it takes 20");
        check(&readings(200, |_, _| 1000.0, 0.004), "explain");
        let mut still = readings(60, |_, _| 1000.0, 0.0);
        for moment in &mut still {
            moment.running = Some(8.0);
        }
        check(&still, "stayed at 8.0");
        let mut falling = readings(60, |_, _| 1000.0, 0.0);
        for moment in &mut falling {
            moment.gap_seconds = moment.running.map(|running| 1000.0 * (0.1 - 0.001 * running));
        }
        check(&falling, "did not take longer");
        let mut few = readings(60, |_, _| 1000.0, 0.0);
        for moment in &mut few {
            moment.gaps = Some(3.0);
        }
        check(&few, "0 pairs");
    }
}
