//! Parts of dates, in UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The function with this name, if it is one of dates.
pub(super) fn part(name: &str) -> Option<fn(DateTime) -> f64> {
    let part: fn(DateTime) -> f64 = match name {
        "year" => |t| f64::from(t.year()),
        "month" => |t| f64::from(t.month()),
        "day_of_month" => |t| f64::from(t.day()),
        "day_of_week" => |t| f64::from(t.weekday().to_sunday_zero_offset()),
        "day_of_year" => |t| f64::from(t.day_of_year()),
        "days_in_month" => |t| f64::from(t.days_in_month()),
        "hour" => |t| f64::from(t.hour()),
        "minute" => |t| f64::from(t.minute()),
        _ => return None,
    };
    Some(part)
}

/// The date at a time in seconds since the epoch; NaN times and years beyond 9999 have none.
pub(super) fn date(seconds: f64) -> Option<DateTime> {
    if !seconds.is_finite() {
        return None;
    }
    let time = jiff::Timestamp::from_second(seconds as i64).ok()?;
    Some(TimeZone::UTC.to_datetime(time))
}
