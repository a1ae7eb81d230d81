//! Floats that were written as decimals: found as an integer and a power of ten, exactly.
//!
//! Nearly every number an exporter prints is a decimal with few digits. `71.35` as a float has 52
//! busy mantissa bits, as `7135 / 10^2` it is a small integer whose deltas are smaller still.
//! Division of two exactly representable numbers is correctly rounded, so `i / 10^e` gives back the
//! very float that parsing the decimal text gave; the check compares bits, so what does not come
//! back exactly (NaN, infinities, -0.0, measured noise) is never changed.

/// 10^0 ..= 10^9, all exact.
const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The largest scale tried. Nanosecond fractions of seconds need nine digits; beyond that a value
/// is noise in binary and deltas of its digits are no shorter than its mantissa.
pub(crate) const MAX_SCALE: u8 = (POWERS.len() - 1) as u8;

/// Integers up to here are exact as floats.
const EXACT: f64 = (1_i64 << 53) as f64;

/// `value * 10^scale` when that is an integer that gives `value` back bit for bit.
pub(crate) fn to_integer(value: f64, scale: u8) -> Option<i64> {
    let power = POWERS[usize::from(scale)];
    let scaled = value * power;
    if scaled.abs() < EXACT {
        let integer = (scaled + 0.5_f64.copysign(scaled)) as i64;
        (from_integer(integer, scale).to_bits() == value.to_bits()).then_some(integer)
    } else {
        None
    }
}

/// The float that stands for `integer / 10^scale`.
///
/// # Panics
/// When `scale` is above [`MAX_SCALE`]; decoders check what they read.
pub(crate) fn from_integer(integer: i64, scale: u8) -> f64 {
    if scale == 0 {
        // Most series count: a division by one costs as much as any other.
        return integer as f64;
    }
    integer as f64 / POWERS[usize::from(scale)]
}

/// 10 to this scale.
///
/// # Panics
/// As [`from_integer`].
pub(crate) fn power(scale: u8) -> f64 {
    POWERS[usize::from(scale)]
}

/// The smallest scale from `least` on that represents `value`, with the integer.
pub(crate) fn smallest(value: f64, least: u8) -> Option<(u8, i64)> {
    (least..=MAX_SCALE).find_map(|scale| to_integer(value, scale).map(|integer| (scale, integer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_found_and_everything_else_is_left_alone() {
        let check = |value: f64, expected: Option<(u8, i64)>| {
            assert_eq!(smallest(value, 0), expected, "{value}");
        };
        check(0.0, Some((0, 0)));
        check(-0.0, None);
        check(71.35, Some((2, 7135)));
        check(-1.5, Some((1, -15)));
        check(1e15, Some((0, 1_000_000_000_000_000)));
        check(9_007_199_254_740_993.0, None);
        check(0.1 + 0.2, None);
        check(f64::NAN, None);
        check(f64::INFINITY, None);
        check(1.0 / 3.0, None);
    }

    proptest! {
        #[test]
        fn any_float_is_exact_or_refused(bits in any::<u64>(), scale in 0..=MAX_SCALE) {
            let value = f64::from_bits(bits);
            if let Some(integer) = to_integer(value, scale) {
                prop_assert_eq!(from_integer(integer, scale).to_bits(), bits);
            }
        }

        #[test]
        fn printed_decimals_are_found(integer in -1_000_000_000_i64..1_000_000_000, scale in 0..=6_u8) {
            let value = from_integer(integer, scale);
            prop_assert!(smallest(value, 0).is_some() || value.to_bits() == (-0.0_f64).to_bits());
        }
    }
}
