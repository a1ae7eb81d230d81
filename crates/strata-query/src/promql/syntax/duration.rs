//! Durations as Prometheus writes them: `1h30m`, units in falling order, whole numbers.

/// Units with their length in milliseconds, longest first.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Read a duration into milliseconds.
///
/// # Errors
/// The words Prometheus uses.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    let bad = || format!("not a valid duration string: {}", super::quote(text));
    let mut rest = text;
    let mut total = 0_i64;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(bad)?;
        let letters = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters).ok_or_else(bad)?;
        let at = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(bad)?;
        if at < next_unit || number.is_empty() {
            return Err(bad());
        }
        next_unit = at + 1;
        // Prometheus counts nanoseconds in 64 bits; beyond that it is out of range here as well.
        total = number
            .parse::<i64>()
            .ok()
            .and_then(|n| n.checked_mul(UNITS[at].1))
            .and_then(|ms| total.checked_add(ms))
            .filter(|ms| *ms <= i64::MAX / 1_000_000)
            .ok_or_else(|| "duration out of range".to_owned())?;
        rest = tail;
    }
    Ok(total)
}

/// Write milliseconds; years and weeks only when nothing remains. Negative gets a sign.
pub fn format_duration_ms(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::from(if ms < 0 { "-" } else { "" });
    let mut rest = ms.saturating_abs();
    for (unit, length) in UNITS {
        let exact = matches!(unit, "y" | "w");
        if exact && rest % length != 0 {
            continue;
        }
        if rest >= length {
            out += &(rest / length).to_string();
            out += unit;
            rest %= length;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        let check = |text: &str, ms: i64, back: &str| {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
            assert_eq!(format_duration_ms(ms), back, "{text}");
        };
        check("5m", 300_000, "5m");
        check("1h30m", 5_400_000, "1h30m");
        check("14d", 1_209_600_000, "2w");
        check("15d", 1_296_000_000, "15d");
        check("1s500ms", 1_500, "1s500ms");
        check("0", 0, "0s");
        assert!(parse_duration_ms("5m1h").is_err());
        assert!(parse_duration_ms("5").is_err());
        assert!(parse_duration_ms("999999999y").is_err());
    }
}
