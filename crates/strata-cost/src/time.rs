//! Dates of prices and periods: UTC, in milliseconds since 1970.

use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Milliseconds of a day. UTC has no change of clocks, so a day always has as many.
pub const DAY_MS: i64 = 86_400_000;

/// `2026-04-01`
const DATE_BYTES: usize = 10;

/// Reads an instant: `2026-04` (the month's first), `2026-04-01`, RFC 3339, or the form of cloud
/// price files, `2026-04-01 12:00:00 UTC`.
pub fn instant_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Some((day, clock)) = text.split_once(' ') {
        let at = format!("{day}T{clock}Z").parse::<jiff::Timestamp>().ok()?;
        return Some(at.as_millisecond());
    }
    let whole = if text.len() == 7 { format!("{text}-01") } else { text.to_owned() };
    // A date is read out of more than a date: a time of day without its offset would be lost.
    let day = whole.parse::<Date>().ok().filter(|_| whole.len() == DATE_BYTES)?;
    day_ms(day)
}

fn day_ms(day: Date) -> Option<i64> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// RFC 3339 in UTC, to the second: `2026-04-01T00:00:00Z`. An instant beyond the calendar is told
/// as its number.
pub fn rfc3339(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |at| format!("{at:.0}"))
}

/// The day of an instant: `2026-04-01`.
pub fn day(at_ms: i64) -> String {
    rfc3339(at_ms).split('T').next().unwrap_or_default().to_owned()
}

/// First instants of the month of `at_ms` and of the one after, or None beyond the calendar.
pub fn month_ms(at_ms: i64) -> Option<(i64, i64)> {
    let at = jiff::Timestamp::from_millisecond(at_ms).ok()?;
    let first = at.to_zoned(TimeZone::UTC).date().first_of_month();
    let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
    Some((day_ms(first)?, day_ms(next)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_instant() {
        let check = |text: &str, expected: &str| {
            assert_eq!(instant_ms(text).map(rfc3339).as_deref(), Some(expected), "{text}");
        };
        check("2026-04", "2026-04-01T00:00:00Z");
        check("2026-04-01", "2026-04-01T00:00:00Z");
        check("2019-04-17 23:34:22 UTC", "2019-04-17T23:34:22Z");
        check("2026-04-01T02:00:00+02:00", "2026-04-01T00:00:00Z");
        assert_eq!(instant_ms("soon"), None);
        assert_eq!(instant_ms("2026-13"), None);
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let at = instant_ms("2026-12-31T23:59:59Z").unwrap();
        let (first, next) = month_ms(at).unwrap();
        assert_eq!((day(first).as_str(), day(next).as_str()), ("2026-12-01", "2027-01-01"));
    }

    #[test]
    fn a_change_of_clocks_changes_no_period() {
        // The months in which clocks change in Europe and in North America.
        for (month, days) in [("2026-03", 31), ("2026-10", 31), ("2026-11", 30)] {
            let start = instant_ms(month).unwrap();
            let (first, next) = month_ms(start).unwrap();
            assert_eq!((first, next - first), (start, days * DAY_MS), "{month}");
        }
        let length =
            |from: &str, until: &str| instant_ms(until).unwrap() - instant_ms(from).unwrap();
        // In Berlin the first has 23 hours and the second 25.
        assert_eq!(length("2026-03-29", "2026-03-30"), DAY_MS);
        assert_eq!(length("2026-10-25", "2026-10-26"), DAY_MS);
        // Half past two comes twice in that night; each is an instant of its own.
        let hour = length("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00");
        assert_eq!(hour, 3_600_000);
        // A local time without its offset is no instant: it may be two or none.
        for local in ["2026-10-25T02:30:00", "2026-03-29T02:30:00", "2026-03-29T02:30"] {
            assert_eq!(instant_ms(local), None, "{local}");
        }
    }
}
