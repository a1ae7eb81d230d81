//! Numbers exactly as Prometheus writes them: shortest digits that read back, Go's exponent form.

use std::io::Write;

/// From here down and from [`EXPONENT_FROM`] up Prometheus switches to the exponent form.
/// Source: `util/jsonutil/marshal.go`, `MarshalFloat`.
const EXPONENT_BELOW: f64 = 1e-6;
const EXPONENT_FROM: f64 = 1e21;

/// Integers below this are exact in a float and have the same digits as an `i64`.
const EXACT_INTEGER_BELOW: f64 = 9_007_199_254_740_992.0;

/// Append a sample value without quotes: `1.5`, `+Inf`, `NaN`, `1e+21`, `2.5e-07`.
pub fn push_float(buffer: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(EXPONENT_BELOW..EXPONENT_FROM).contains(&magnitude) {
        push_exponent(buffer, value);
    } else {
        push_plain(buffer, value);
    }
}

/// Append a value as `strconv.FormatFloat(v, 'f', -1, 64)` does: never an exponent. The value of a
/// scalar answer is written this way.
pub fn push_plain(buffer: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        push_special(buffer, value);
    } else if value.fract() == 0.0 && value.abs() < EXACT_INTEGER_BELOW && value != 0.0 {
        if value < 0.0 {
            buffer.push(b'-');
        }
        push_integer(buffer, value.abs() as u64);
    } else {
        push_text(buffer, format_args!("{value}"));
    }
}

/// Append milliseconds as seconds: `1435781451.781`, with three decimals or none.
pub fn push_seconds(buffer: &mut Vec<u8>, at_ms: i64) {
    if at_ms < 0 {
        buffer.push(b'-');
    }
    let magnitude = at_ms.unsigned_abs();
    let (seconds, millis) = (magnitude / 1000, magnitude % 1000);
    push_integer(buffer, seconds);
    if millis != 0 {
        let digit = |place: u64| b'0' + (millis / place % 10) as u8;
        buffer.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}

/// Decimal digits without the formatting machinery: most times and values of an answer are whole
/// numbers.
fn push_integer(buffer: &mut Vec<u8>, mut number: u64) {
    // 2^64 has twenty digits.
    let mut digits = [b'0'; 20];
    let mut first = digits.len() - 1;
    loop {
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
        first -= 1;
    }
    buffer.extend_from_slice(&digits[first..]);
}

fn push_special(buffer: &mut Vec<u8>, value: f64) {
    let text: &[u8] = match value {
        value if value.is_nan() => b"NaN",
        value if value > 0.0 => b"+Inf",
        _ => b"-Inf",
    };
    buffer.extend_from_slice(text);
}

/// Go writes the exponent with a sign and at least two digits; Rust with neither.
fn push_exponent(buffer: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        push_special(buffer, value);
        return;
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    push_text(buffer, format_args!("{mantissa}e{sign}{digits:0>2}"));
}

/// Writing into memory cannot fail.
pub(crate) fn push_text(buffer: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    buffer.write_fmt(text).expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn floats_read_back_to_the_same_bits(bits: u64) {
            let value = f64::from_bits(bits);
            for write in [push_float, push_plain] {
                let mut buffer = Vec::new();
                write(&mut buffer, value);
                let again: f64 = String::from_utf8(buffer).unwrap().parse().unwrap();
                prop_assert!(again.to_bits() == bits || (again.is_nan() && value.is_nan()));
            }
        }
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        let check = |value: f64, expected: &str| {
            let mut buffer = Vec::new();
            push_float(&mut buffer, value);
            assert_eq!(String::from_utf8(buffer).unwrap(), expected);
        };
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(-12.5, "-12.5");
        check(0.1, "0.1");
        check(1e-6, "0.000001");
        check(9.99e-7, "9.99e-07");
        check(1e-100, "1e-100");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(-1.25e300, "-1.25e+300");
        check(f64::MIN_POSITIVE, "2.2250738585072014e-308");
        check(5e-324, "5e-324");
        check(f64::MAX, "1.7976931348623157e+308");
        check(1.0 / 3.0, "0.3333333333333333");
        check(9_007_199_254_740_993.0, "9007199254740992");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn scalars_never_get_an_exponent() {
        let mut buffer = Vec::new();
        push_plain(&mut buffer, 1e21);
        assert_eq!(buffer, b"1000000000000000000000");
    }

    #[test]
    fn times_keep_three_decimals_or_none() {
        let check = |at_ms: i64, expected: &str| {
            let mut buffer = Vec::new();
            push_seconds(&mut buffer, at_ms);
            assert_eq!(String::from_utf8(buffer).unwrap(), expected);
        };
        check(0, "0");
        check(1_435_781_451_781, "1435781451.781");
        check(1_435_781_451_700, "1435781451.700");
        check(1_435_781_451_007, "1435781451.007");
        check(1_435_781_451_000, "1435781451");
        check(-1, "-0.001");
        check(i64::MIN, "-9223372036854775.808");
    }
}
