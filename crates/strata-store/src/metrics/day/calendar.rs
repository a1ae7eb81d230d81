//! UTC days as numbers since the Unix epoch, and as the digits in a file name.

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// The day in which this moment lies.
pub(crate) fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// `YYYYMMDD`. Gregorian calendar in 400-year eras that start on 1 March, as in Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms" (`civil_from_days`).
pub(crate) fn digits(day: i64) -> String {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{date:02}")
}

/// The day that [`digits`] wrote; `None` for anything else.
pub(crate) fn from_digits(text: &str) -> Option<i64> {
    if text.len() < 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.parse().ok()?;
    let (year, month, date) = (number / 10_000, number / 100 % 100, number % 100);
    if !(1..=12).contains(&month) || year > 9_999 {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + date - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let day = era * 146_097 + day_of_era - 719_468;
    (digits(day) == text).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_have_their_dates() {
        let check = |at_ms: i64, expected: &str| assert_eq!(digits(day_of(at_ms)), expected);
        check(0, "19700101");
        check(-1, "19691231");
        check(951_782_400_000, "20000229");
        check(1_795_305_600_000, "20261122");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["20260230", "2026113", "x", "20261301", "20260100"] {
            assert_eq!(from_digits(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn digits_read_back(day in -700_000_i64..2_900_000) {
            prop_assert_eq!(from_digits(&digits(day)), Some(day));
        }
    }
}
