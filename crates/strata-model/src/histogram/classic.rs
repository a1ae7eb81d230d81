//! Quantiles and fractions of classic histograms: cumulative counts by upper bound (`le`).

use super::compare::almost_equal;

/// Counts of neighbouring buckets closer than this, relatively, differ by rounding only: a count
/// would have to exceed 10^12 before one observation were mistaken for it.
const ROUNDING_TOLERANCE: f64 = 1e-12;

/// One bucket of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicBucket {
    pub upper_bound: f64,
    /// Observations up to the bound, those of the lower buckets included.
    pub count: f64,
}

/// Where cumulative counts fell with a growing bound and were held level to go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForcedMonotonicity {
    /// Lowest and highest upper bound of the buckets raised.
    pub min_bound: f64,
    pub max_bound: f64,
    /// The largest fall.
    pub max_difference: f64,
}

/// A quantile of a classic histogram with what PromQL tells the user about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicQuantile {
    pub value: f64,
    pub forced: Option<ForcedMonotonicity>,
    /// Differences by rounding were smoothed away.
    pub smoothed: bool,
}

/// The quantile `q` of the buckets, which it sorts, merges and makes monotone.
///
/// Linear within a bucket. The lowest bucket begins at 0 if it ends above 0, else its bound is the
/// answer; in the `+Inf` bucket the answer is the bound below. NaN without observations, with
/// fewer than two buckets, or without a `+Inf` bucket; infinite for a `q` outside `0..=1`.
pub fn bucket_quantile(q: f64, buckets: &mut Vec<ClassicBucket>) -> ClassicQuantile {
    let plain = |value| ClassicQuantile { value, forced: None, smoothed: false };
    if q.is_nan() {
        return plain(f64::NAN);
    }
    if q < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return plain(f64::INFINITY);
    }
    if !sort_and_merge(buckets) {
        return plain(f64::NAN);
    }
    let (forced, smoothed) = make_monotone(buckets);
    ClassicQuantile { value: interpolated_quantile(q, buckets), forced, smoothed }
}

/// The share of observations in `lower..upper`; the inverse of [`bucket_quantile`].
///
/// NaN without observations, without a `+Inf` bucket or with a NaN bound; 0 for an empty interval.
pub fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !sort_and_merge(buckets) {
        return f64::NAN;
    }
    let count = buckets.last().map_or(0.0, |bucket| bucket.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let clamp = |rank: f64| if rank > count { count } else { rank };
    (clamp(rank_of(upper, buckets, count)) - clamp(rank_of(lower, buckets, count))) / count
}

/// Sort by bound and add up buckets of the same bound. False if there is no `+Inf` bucket.
fn sort_and_merge(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    buckets.dedup_by(|next, kept| {
        let same = next.upper_bound == kept.upper_bound;
        if same {
            kept.count += next.count;
        }
        same
    });
    buckets.last().is_some_and(|last| last.upper_bound == f64::INFINITY)
}

/// Hold counts level where they would fall, or differ by rounding only.
fn make_monotone(buckets: &mut [ClassicBucket]) -> (Option<ForcedMonotonicity>, bool) {
    let mut forced: Option<ForcedMonotonicity> = None;
    let mut smoothed = false;
    let mut level = buckets.first().map_or(0.0, |bucket| bucket.count);
    for bucket in buckets.iter_mut().skip(1) {
        if bucket.count == level {
            continue;
        }
        if almost_equal(level, bucket.count, ROUNDING_TOLERANCE) {
            bucket.count = level;
            smoothed = true;
        } else if bucket.count < level {
            let fall = level - bucket.count;
            let bound = bucket.upper_bound;
            let so_far = forced.get_or_insert(ForcedMonotonicity {
                min_bound: bound,
                max_bound: bound,
                max_difference: fall,
            });
            so_far.max_bound = bound;
            so_far.max_difference = so_far.max_difference.max(fall);
            bucket.count = level;
        } else {
            level = bucket.count;
        }
    }
    (forced, smoothed)
}

fn interpolated_quantile(q: f64, buckets: &[ClassicBucket]) -> f64 {
    let [finite @ .., infinite] = buckets else { return f64::NAN };
    let (Some(first), Some(highest)) = (finite.first(), finite.last()) else { return f64::NAN };
    if infinite.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * infinite.count;
    let reached = |bucket: &ClassicBucket| bucket.count >= rank;
    let at = finite.partition_point(|bucket| !reached(bucket));
    let Some(bucket) = finite.get(at) else { return highest.upper_bound };
    if at == 0 && first.upper_bound <= 0.0 {
        return first.upper_bound;
    }
    let below = at
        .checked_sub(1)
        .and_then(|below| finite.get(below).copied())
        .unwrap_or(ClassicBucket { upper_bound: 0.0, count: 0.0 });
    let share = (rank - below.count) / (bucket.count - below.count);
    below.upper_bound + (bucket.upper_bound - below.upper_bound) * share
}

/// How many observations lie below `value`.
fn rank_of(value: f64, buckets: &[ClassicBucket], count: f64) -> f64 {
    let mut rank = 0.0;
    let mut lower = match buckets.first() {
        Some(first) if first.upper_bound > 0.0 => 0.0,
        _ => f64::NEG_INFINITY,
    };
    for bucket in buckets {
        if lower >= value {
            return rank;
        }
        if bucket.upper_bound > value {
            // A bucket without a lower bound cannot be divided: all of it counts as below.
            return if lower == f64::NEG_INFINITY {
                bucket.count
            } else {
                rank + (bucket.count - rank) * (value - lower) / (bucket.upper_bound - lower)
            };
        }
        rank = bucket.count;
        lower = bucket.upper_bound;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<ClassicBucket> {
        pairs.iter().map(|&(upper_bound, count)| ClassicBucket { upper_bound, count }).collect()
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles_interpolate_between_bounds() {
        let check = |pairs: &[(f64, f64)], q, expected: f64| {
            let got = bucket_quantile(q, &mut buckets(pairs)).value;
            assert!(got == expected || (got.is_nan() && expected.is_nan()), "{q}: {got}");
        };
        let page = [(INF, 8.0), (1.0, 2.0), (2.0, 6.0)];
        check(&page, 0.125, 0.5);
        check(&page, 0.5, 1.5);
        check(&page, 0.9, 2.0);
        check(&page, 0.0, 0.0);
        check(&page, -1.0, -INF);
        check(&page, 2.0, INF);
        check(&page, f64::NAN, f64::NAN);
        check(&[(-1.0, 2.0), (INF, 4.0)], 0.2, -1.0);
        check(&[(INF, 4.0)], 0.5, f64::NAN);
        check(&[(1.0, 4.0)], 0.5, f64::NAN);
        check(&[(1.0, 0.0), (INF, 0.0)], 0.5, f64::NAN);
        check(&[], 0.5, f64::NAN);
    }

    #[test]
    fn same_bounds_add_up() {
        let mut twice = buckets(&[(1.0, 1.0), (1.0, 1.0), (2.0, 4.0), (INF, 2.0), (INF, 2.0)]);
        let quantile = bucket_quantile(0.75, &mut twice);
        assert_eq!((quantile.value, quantile.forced), (1.5, None));
    }

    #[test]
    fn falling_counts_are_held_level_and_reported() {
        let mut falling = buckets(&[(1.0, 10.0), (2.0, 8.0), (3.0, 7.0), (4.0, 20.0), (INF, 20.0)]);
        let quantile = bucket_quantile(0.75, &mut falling);
        assert_eq!(quantile.value, 3.5);
        let expected = ForcedMonotonicity { min_bound: 2.0, max_bound: 3.0, max_difference: 3.0 };
        assert_eq!(quantile.forced, Some(expected));
        let mut rounded = buckets(&[(1.0, 10.0), (2.0, 10.0 - 1e-13), (INF, 20.0)]);
        let quantile = bucket_quantile(0.25, &mut rounded);
        assert_eq!((quantile.value, quantile.forced, quantile.smoothed), (0.5, None, true));
    }

    #[test]
    fn fractions_invert_quantiles() {
        let check = |pairs: &[(f64, f64)], lower, upper, expected: f64| {
            let got = bucket_fraction(lower, upper, &mut buckets(pairs));
            assert!(
                got == expected || (got.is_nan() && expected.is_nan()),
                "{lower}..{upper}: {got}"
            );
        };
        let page = [(1.0, 2.0), (2.0, 6.0), (INF, 8.0)];
        check(&page, -INF, 1.5, 0.5);
        check(&page, 0.5, 1.5, 0.375);
        check(&page, 3.0, INF, 0.25);
        check(&page, -INF, INF, 1.0);
        check(&page, 2.0, 1.0, 0.0);
        check(&page, f64::NAN, 1.0, f64::NAN);
        check(&[(-1.0, 2.0), (INF, 4.0)], -INF, -2.0, 0.5);
        check(&[(1.0, 2.0)], 0.0, 1.0, f64::NAN);
    }
}
