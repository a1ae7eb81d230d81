//! A quantile of a sample with an interval that assumes nothing of how values are spread: latencies
//! have long tails and several humps, so no formula of a normal distribution fits them.

use super::interval::Interval;

/// What lies outside the interval on each side.
const TAIL: f64 = 0.025;

/// The quantile `q` of values in rising order, between two of the values themselves: of `n` values the
/// number below the true quantile is binomial, so the `low`-th and the `high`-th smallest enclose it
/// with 95 % at least (David and Nagaraja, Order Statistics, 7.1). `None` where the sample is too
/// small to have both: 72 values for the 95th percentile, 6 for the median.
pub fn quantile(rising: &[f64], q: f64) -> Option<Interval> {
    let (low, high) = ranks(rising.len(), q)?;
    // The nearest rank: the least value with `q` of the sample at or below it.
    let middle = ((q * rising.len() as f64).ceil() as usize).max(1);
    let at = |rank: usize| rising.get(rank.checked_sub(1)?).copied();
    Some(Interval { estimate: at(middle)?, low: at(low)?, high: at(high)? })
}

/// Ranks, from 1, that enclose the quantile: the greatest `low` with `P(X < low) <= 2.5 %` and the
/// least `high` with `P(X >= high) <= 2.5 %`, where `X` is binomial with `n` and `q`.
fn ranks(n: usize, q: f64) -> Option<(usize, usize)> {
    if n == 0 || !(q > 0.0 && q < 1.0) {
        return None;
    }
    let (mut below, mut low, mut high) = (0.0, 0, None);
    for (hits, chance) in Binomial::new(n, q).enumerate() {
        below += chance;
        // `below` is now the probability of at most `hits`.
        if below <= TAIL {
            low = hits + 1;
        }
        if below >= 1.0 - TAIL {
            high = Some(hits + 1);
            break;
        }
    }
    high.filter(|high| *high <= n && low >= 1).map(|high| (low, high))
}

/// Probabilities of 0, 1, .. hits of `n`, kept as logarithms: `0.05^1000` is below what a number holds.
struct Binomial {
    n: f64,
    odds: f64,
    log: f64,
    hits: f64,
}

impl Binomial {
    fn new(n: usize, q: f64) -> Self {
        let n = n as f64;
        Self { n, odds: (q / (1.0 - q)).ln(), log: n * (-q).ln_1p(), hits: 0.0 }
    }
}

impl Iterator for Binomial {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if self.hits > self.n {
            return None;
        }
        let chance = self.log.exp();
        self.log += ((self.n - self.hits) / (self.hits + 1.0)).ln() + self.odds;
        self.hits += 1.0;
        Some(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        let check = |n, q, expected| assert_eq!(ranks(n, q), expected, "{n} {q}");
        // Medians: Dixon and Massey, Introduction to Statistical Analysis, table A-25.
        check(5, 0.5, None);
        check(6, 0.5, Some((1, 6)));
        check(10, 0.5, Some((2, 9)));
        check(20, 0.5, Some((6, 15)));
        check(30, 0.5, Some((10, 21)));
        check(50, 0.5, Some((18, 33)));
        check(100, 0.5, Some((40, 61)));
        // 1 - 0.95^72 is the first above 97.5 %.
        check(71, 0.95, None);
        check(72, 0.95, Some((64, 72)));
        check(0, 0.5, None);
        check(10, 1.0, None);
    }

    #[test]
    fn many_values_do_not_run_out_of_numbers() {
        let (low, high) = ranks(100_000, 0.95).unwrap();
        // The normal approximation: 95,000 -+ 1.96 * sqrt(100,000 * 0.95 * 0.05).
        assert!(low.abs_diff(94_865) <= 2 && high.abs_diff(95_136) <= 2, "{low} {high}");
    }

    #[test]
    fn the_interval_encloses_the_truth_as_often_as_it_says() {
        // Exponential values, from a generator of Park and Miller: the truth of the p90 is ln 10.
        let (mut state, mut inside) = (1_u64, 0);
        let mut next = || {
            state = state * 48_271 % 2_147_483_647;
            -(state as f64 / 2_147_483_647.0).ln()
        };
        for _ in 0..1_000 {
            let mut sample: Vec<f64> = (0..200).map(|_| next()).collect();
            sample.sort_by(f64::total_cmp);
            let found = quantile(&sample, 0.9).unwrap();
            inside += u32::from(found.low <= 10_f64.ln() && 10_f64.ln() <= found.high);
        }
        assert!((930..=990).contains(&inside), "{inside} of 1000");
    }
}
