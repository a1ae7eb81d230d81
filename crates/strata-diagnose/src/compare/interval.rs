//! Intervals: how far a value can be from what a sample of it says. All are of 95 %, two-sided.

/// 97.5 % of a normal distribution lie below this.
const Z: f64 = 1.959_963_984_540_054;

/// An estimate and what it is likely to lie between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// The share `hits / trials`, with the score interval of Wilson 1927 (method 3 of Newcombe,
/// Statistics in Medicine 17:857, 1998): it holds near 0 and 1 and for few trials. `None` without a
/// trial.
pub fn share(hits: u64, trials: u64) -> Option<Interval> {
    if trials == 0 || hits > trials {
        return None;
    }
    share_of(hits as f64 / trials as f64, trials as f64)
}

/// The same for a share `p` of `n` trials. `None` where they are none.
pub(super) fn share_of(p: f64, n: f64) -> Option<Interval> {
    if !(n >= 1.0 && (0.0..=1.0).contains(&p)) {
        return None;
    }
    let z2 = Z * Z;
    let middle = p + z2 / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z2 / n;
    // At the ends the interval ends there exactly; rounding must not make it pass beyond.
    let low = if p <= 0.0 { 0.0 } else { (middle - reach) / whole };
    let high = if p >= 1.0 { 1.0 } else { (middle + reach) / whole };
    Some(Interval { estimate: p, low, high })
}

/// Fewest values that a mean's interval is made of.
const MEAN_LEAST: usize = 6;

/// The mean of independent values with Student's interval. `None` for fewer than six values, and where
/// all are the same: nothing is known of their spread then, and no interval is an interval of no width.
pub fn mean(values: &[f64]) -> Option<Interval> {
    let n = values.len();
    if n < MEAN_LEAST {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if squares <= 0.0 {
        return None;
    }
    let error = (squares / (n - 1) as f64 / n as f64).sqrt();
    let reach = student((n - 1) as f64) * error;
    Some(Interval { estimate: mean, low: mean - reach, high: mean + reach })
}

/// 97.5 % of Student's distribution lie below this: the expansion of Cornish and Fisher (Abramowitz
/// and Stegun 26.7.5), right to three digits from five degrees of freedom on.
fn student(freedom: f64) -> f64 {
    let z = Z;
    let power = |n: i32| z.powi(n);
    let first = (power(3) + z) / 4.0;
    let second = (5.0 * power(5) + 16.0 * power(3) + 3.0 * z) / 96.0;
    let third = (3.0 * power(7) + 19.0 * power(5) + 17.0 * power(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

/// `b - a` of two independent samples, from the interval of each: the squares of the distances to the
/// limits are added. Over Wilson's intervals this is method 10 of Newcombe (Statistics in Medicine
/// 17:873, 1998); over others it is the method of variance estimates recovery of Zou and Donner
/// (Statistics in Medicine 27:1693, 2008), which keeps intervals that are longer on one side so.
pub fn difference(a: Interval, b: Interval) -> Interval {
    let estimate = b.estimate - a.estimate;
    Interval {
        estimate,
        low: estimate - (b.estimate - b.low).hypot(a.high - a.estimate),
        high: estimate + (b.high - b.estimate).hypot(a.estimate - a.low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(interval: Interval) -> [f64; 2] {
        [interval.low, interval.high].map(|limit| (limit * 1e4).round() / 1e4 + 0.0)
    }

    #[test]
    fn wilson_is_as_newcombe_tabled_it() {
        let check = |hits, trials, expected: [f64; 2]| {
            assert_eq!(rounded(share(hits, trials).unwrap()), expected, "{hits}/{trials}");
        };
        check(81, 263, [0.2553, 0.3662]);
        check(15, 148, [0.0624, 0.1605]);
        check(0, 20, [0.0, 0.1611]);
        check(1, 29, [0.0061, 0.1718]);
        assert_eq!(share(0, 0), None);
        assert_eq!(share(2, 1), None);
    }

    #[test]
    fn the_difference_of_shares_is_as_newcombe_tabled_it() {
        let check = |first: (u64, u64), second: (u64, u64), expected: [f64; 2]| {
            let (a, b) = (share(second.0, second.1).unwrap(), share(first.0, first.1).unwrap());
            assert_eq!(rounded(difference(a, b)), expected, "{first:?} - {second:?}");
        };
        // Table II, contrasts (a) to (h), method 10.
        check((56, 70), (48, 80), [0.0524, 0.3339]);
        check((9, 10), (3, 10), [0.1705, 0.8090]);
        check((6, 7), (2, 7), [0.0582, 0.8062]);
        check((5, 56), (0, 29), [-0.0381, 0.1926]);
        check((0, 10), (0, 20), [-0.1611, 0.2775]);
        check((0, 10), (0, 10), [-0.2775, 0.2775]);
        check((10, 10), (0, 20), [0.6791, 1.0]);
        check((10, 10), (0, 10), [0.6075, 1.0]);
    }

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        let check = |freedom: f64, expected: f64| {
            assert!((student(freedom) - expected).abs() < 4e-3, "{freedom}: {}", student(freedom));
        };
        check(5.0, 2.571);
        check(10.0, 2.228);
        check(29.0, 2.045);
        check(100.0, 1.984);
        check(1e9, 1.960);
    }

    #[test]
    fn a_mean_has_an_interval_where_the_spread_is_known() {
        assert_eq!(mean(&[1.0, 2.0, 3.0, 4.0, 5.0]), None);
        assert_eq!(mean(&[5.0; 10]), None, "ten times the best says nothing of the eleventh");
        // Mean 10, deviation 3.028, 10 values: 2.262 * 3.028 / sqrt(10) = 2.166.
        let values: Vec<f64> = (0..10).map(|n| 5.5 + f64::from(n)).collect();
        let found = mean(&values).unwrap();
        assert!((found.estimate - 10.0).abs() < 1e-12);
        assert!((found.high - 12.166).abs() < 2e-3, "{found:?}");
    }
}
