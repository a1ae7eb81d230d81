//! Durations as the Prometheus API reads them: seconds as a float, or `1h30m`.

use strata_query::promql::syntax::parse_duration_ms;

use super::time::parse_go_float;

const NANOS_PER_SECOND: f64 = 1e9;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Read a duration in nanoseconds; negative only when written as a number.
///
/// # Errors
/// Prometheus's sentence.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_go_float(text) {
        let nanos = seconds * NANOS_PER_SECOND;
        // 2^63 itself is not below the bound, and NaN is neither.
        if !(nanos >= i64::MIN as f64 && nanos < i64::MAX as f64) {
            return Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"));
        }
        return Ok(nanos as i64);
    }
    // The parser keeps milliseconds small enough for nanoseconds in 64 bits.
    parse_duration_ms(text)
        .map(|millis| millis * NANOS_PER_MILLI)
        .map_err(|_problem| format!("cannot parse {text:?} to a valid duration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_or_units() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(parse_duration(text).ok(), expected, "{text}");
        };
        check("15", Some(15_000_000_000));
        check("0.5", Some(500_000_000));
        check("1e3", Some(1_000_000_000_000));
        check("-1", Some(-1_000_000_000));
        check("0", Some(0));
        check("1h30m", Some(5_400_000_000_000));
        check("1d", Some(86_400_000_000_000));
        check("1y1w1d1h1m1s1ms", Some(31_536_000_000_000_000 + 694_861_001_000_000));
        check("500ms", Some(500_000_000));
        check("1m1h", None);
        check("1m1m", None);
        check("-1m", None);
        check("1.5m", None);
        check("m", None);
        check("", None);
        check("5 m", None);
        check("300y", None);
        check("9223372036.854775807", None);
        check("1e300", None);
        check("NaN", None);
    }

    #[test]
    fn refusals_are_in_the_words_of_prometheus() {
        assert_eq!(parse_duration("abc").unwrap_err(), r#"cannot parse "abc" to a valid duration"#);
        assert_eq!(
            parse_duration("1e300").unwrap_err(),
            r#"cannot parse "1e300" to a valid duration. It overflows int64"#
        );
    }
}
