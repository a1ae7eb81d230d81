//! Times as the Prometheus API reads them: Unix seconds as a float, or RFC 3339.

/// Default start of a look-up: the earliest time Prometheus knows. In milliseconds.
pub const MIN_TIME_MS: i64 = (i64::MIN / 1000 + 62_135_596_801) * 1000;

/// Default end of a look-up: the latest time Prometheus knows. In milliseconds.
pub const MAX_TIME_MS: i64 = (i64::MAX / 1000 - 62_135_596_801) * 1000 + 999;

/// How Prometheus itself writes the two bounds, which have more than four digits in the year.
const MIN_TIME_TEXT: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME_TEXT: &str = "292277025-08-18T07:12:54.999999999Z";

/// Read a time in milliseconds since the Unix epoch.
///
/// # Errors
/// Prometheus's sentence.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let read = match text {
        MIN_TIME_TEXT => Some(MIN_TIME_MS),
        MAX_TIME_TEXT => Some(MAX_TIME_MS),
        _ => parse_unix_seconds(text).or_else(|| parse_rfc3339(text)),
    };
    read.ok_or_else(|| format!("cannot parse {text:?} to a valid timestamp"))
}

/// Seconds as a float. The fraction is rounded to milliseconds and then cut to nanoseconds in the
/// same two steps as Prometheus, so that both answer for the same millisecond.
fn parse_unix_seconds(text: &str) -> Option<i64> {
    let seconds = parse_go_float(text).filter(|seconds| seconds.is_finite())?;
    let fraction = (seconds.fract() * 1000.0).round() / 1000.0;
    let nanos = (fraction * 1e9) as i64;
    let millis =
        i128::from(seconds.trunc() as i64) * 1000 + i128::from(nanos.div_euclid(1_000_000));
    Some(i64::try_from(millis).unwrap_or(if millis < 0 { MIN_TIME_MS } else { MAX_TIME_MS }))
}

/// A float as Go's `strconv.ParseFloat` accepts it (decimal forms): out of range is a refusal.
pub(super) fn parse_go_float(text: &str) -> Option<f64> {
    let value = text.parse::<f64>().ok()?;
    let overflowed = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!overflowed).then_some(value)
}

/// `2006-01-02T15:04:05.999999999Z` or with an offset like `+02:00`; nothing looser, as in Go.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let (head, tail) = text.as_bytes().split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| head[*at] != *byte) {
        return None;
    }
    let field = |from: usize, to: usize| digits(&head[from..to]);
    let time = jiff::civil::DateTime::new(
        i16::try_from(field(0, 4)?).ok()?,
        i8::try_from(field(5, 7)?).ok()?,
        i8::try_from(field(8, 10)?).ok()?,
        i8::try_from(field(11, 13)?).ok()?,
        i8::try_from(field(14, 16)?).ok()?,
        i8::try_from(field(17, 19)?).ok()?,
        0,
    );
    let (nanos, zone) = fraction(tail)?;
    let seconds = time.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some((seconds - offset_seconds(zone)?) * 1000 + nanos / 1_000_000)
}

/// The optional fraction in nanoseconds (further digits are cut), and what follows it.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', after)) = tail.split_first().map(|(first, rest)| (*first, rest)) else {
        return Some((0, tail));
    };
    let count = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (written, zone) = after.split_at(count);
    if written.is_empty() {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + i64::from(written.get(place).map_or(0, |digit| digit - b'0'));
    }
    Some((nanos, zone))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        b"Z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let [h1, h2, b':', m1, m2] = *rest else { return None };
    let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
    (hours <= 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", number in "[-+.0-9eTZ:]{0,30}") {
            for text in [text, number] {
                if let Err(problem) = parse_time(&text) {
                    prop_assert!(problem.starts_with("cannot parse "));
                }
                drop(crate::params::parse_duration(&text));
                drop(crate::params::unescape_label_name(&text));
            }
        }

        #[test]
        fn every_second_of_the_calendar_is_read_in_both_forms(second in -62_135_596_800_i64..253_402_300_800) {
            let written = jiff::Timestamp::from_second(second).unwrap().to_string();
            prop_assert_eq!(parse_time(&written), Ok(second * 1000));
            prop_assert_eq!(parse_time(&second.to_string()), Ok(second * 1000));
        }
    }

    #[test]
    fn times_are_unix_seconds_or_rfc3339() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(parse_time(text).ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("1435781451", Some(1_435_781_451_000));
        check("1435781451.781", Some(1_435_781_451_781));
        check("1435781451.0006", Some(1_435_781_451_001));
        check("1e9", Some(1_000_000_000_000));
        check("-1.5", Some(-1_500));
        check("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781));
        check("2015-07-01T20:10:51.781999999Z", Some(1_435_781_451_781));
        check("2015-07-01T22:10:51+02:00", Some(1_435_781_451_000));
        check("2015-07-01T14:40:51-05:30", Some(1_435_781_451_000));
        check("1969-12-31T23:59:59.5Z", Some(-500));
        check(MIN_TIME_TEXT, Some(MIN_TIME_MS));
        check(MAX_TIME_TEXT, Some(MAX_TIME_MS));
        check("2015-02-29T00:00:00Z", None);
        check("2015-07-01 20:10:51Z", None);
        check("2015-07-01T20:10:51", None);
        check("2015-07-01T20:10:60Z", None);
        check("2015-07-01T20:10:51.Z", None);
        check("2015-07-01T20:10:51z", None);
        check("2015-07-01T20:10:51+0200", None);
        check("NaN", None);
        check("Inf", None);
        check("1e400", None);
        check("", None);
        check("now", None);
    }

    #[test]
    fn far_times_stay_within_the_bounds() {
        assert_eq!(parse_time("1e300").unwrap(), MAX_TIME_MS);
        assert_eq!(parse_time("-1e300").unwrap(), MIN_TIME_MS);
    }

    #[test]
    fn refusals_are_in_the_words_of_prometheus() {
        assert_eq!(parse_time("x").unwrap_err(), r#"cannot parse "x" to a valid timestamp"#);
    }
}
