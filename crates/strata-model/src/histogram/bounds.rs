//! Where a bucket ends: the upper bound that a schema gives to a bucket index.

use super::bound_table::OCTAVE;
use super::{CUSTOM_BUCKETS_SCHEMA, MAX_SCHEMA, MIN_SCHEMA};

/// Upper bound (in absolute value) of bucket `index`.
///
/// Exponential schemas: `2^(index * 2^-schema)`, where the last bucket of finite numbers ends at
/// `f64::MAX` so that the one after it holds infinities only. Custom bounds: `custom[index]`, `-Inf`
/// below the first and `+Inf` after the last. Any other schema has no bounds: NaN.
pub fn upper_bound(schema: i32, index: i32, custom: &[f64]) -> f64 {
    if schema == CUSTOM_BUCKETS_SCHEMA {
        return match usize::try_from(index) {
            Ok(at) => custom.get(at).copied().unwrap_or(f64::INFINITY),
            Err(_negative) => f64::NEG_INFINITY,
        };
    }
    if !(MIN_SCHEMA..=MAX_SCHEMA).contains(&schema) {
        return f64::NAN;
    }
    let index = i64::from(index);
    let (fraction, exponent) = if schema < 0 {
        (0.5, (index << -schema) + 1)
    } else {
        let step = 256 >> schema;
        let within = index & ((1 << schema) - 1);
        (OCTAVE[within as usize * step], (index >> schema) + 1)
    };
    if fraction == 0.5 && exponent == 1025 {
        return f64::MAX;
    }
    scale_by_power_of_two(fraction, exponent)
}

/// `fraction * 2^exponent` for a fraction in `[0.5, 1)`, rounded once.
fn scale_by_power_of_two(fraction: f64, exponent: i64) -> f64 {
    match exponent {
        1025.. => f64::INFINITY,
        -1020..=1024 => fraction * 2.0 * power_of_two(exponent - 1),
        // Subnormal: the first product is still exact, so only the second one rounds.
        -1100..=-1021 => fraction * power_of_two(-1000) * power_of_two(exponent + 1000),
        _ => 0.0,
    }
}

/// `2^exponent` for a normal number, that is `-1022..=1023`.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_powers_of_two_at_octaves() {
        for schema in 0..=8 {
            for octave in -30..30 {
                let bound = upper_bound(schema, octave << schema, &[]);
                assert_eq!(bound, 2f64.powi(octave), "schema {schema}, octave {octave}");
            }
        }
        assert_eq!(upper_bound(-4, 1, &[]), 65_536.0);
        assert_eq!(upper_bound(-2, -1, &[]), 0.0625);
    }

    #[test]
    fn bounds_between_octaves_divide_evenly_on_a_logarithmic_scale() {
        let check = |schema, index, expected: f64| {
            let bound = upper_bound(schema, index, &[]);
            assert!((bound / expected - 1.0).abs() < 1e-15, "{bound} != {expected}");
        };
        check(1, 1, 2f64.sqrt());
        check(2, 3, 2f64.powf(0.75));
        check(3, -1, 2f64.powf(-0.125));
        check(8, 257, 2f64.powf(257.0 / 256.0));
    }

    #[test]
    fn the_last_finite_bucket_ends_at_the_largest_number() {
        for schema in MIN_SCHEMA..=MAX_SCHEMA {
            let last = if schema < 0 { 1024 >> -schema } else { 1024 << schema };
            assert_eq!(upper_bound(schema, last, &[]), f64::MAX, "schema {schema}");
            assert_eq!(upper_bound(schema, last + 1, &[]), f64::INFINITY, "schema {schema}");
            assert!(upper_bound(schema, last - 1, &[]) < f64::MAX);
        }
    }

    #[test]
    fn the_smallest_numbers_have_bounds_too() {
        assert_eq!(upper_bound(0, -1074, &[]), f64::from_bits(1));
        assert_eq!(upper_bound(0, -1022, &[]), f64::MIN_POSITIVE);
        assert_eq!(upper_bound(0, -5000, &[]), 0.0);
        assert_eq!(upper_bound(8, i32::MIN, &[]), 0.0);
        assert_eq!(upper_bound(8, i32::MAX, &[]), f64::INFINITY);
    }

    #[test]
    fn custom_bounds_are_open_at_both_ends() {
        let bounds = [1.0, 5.0];
        let got: Vec<f64> =
            (-1..4).map(|at| upper_bound(CUSTOM_BUCKETS_SCHEMA, at, &bounds)).collect();
        assert_eq!(got, [f64::NEG_INFINITY, 1.0, 5.0, f64::INFINITY, f64::INFINITY]);
        assert!(upper_bound(9, 0, &[]).is_nan());
    }
}
