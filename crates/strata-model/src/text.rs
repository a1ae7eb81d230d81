//! Durations and sizes as people write them in configuration: `15s`, `2h`, `64MiB`.

use std::time::Duration;

/// Longest duration, some 292 years: beyond it nanoseconds leave 64 bits, in Prometheus too.
const SECONDS_MAX: f64 = (i64::MAX / 1_000_000_000) as f64;

/// Read a duration: a sum of whole or decimal numbers with units `ms s m h d w y`, as in `1h30m`.
///
/// # Errors
/// A sentence that says what was wrong.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration is missing, write for example \"15s\"".to_owned());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, unit, tail) = split_number_unit(rest)
            .ok_or_else(|| format!("{text:?} is not a duration, write for example \"15s\""))?;
        let scale = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "y" => 31_536_000.0,
            _ => return Err(format!("{unit:?} is not a unit of time, use ms, s, m, h, d, w or y")),
        };
        seconds += number * scale;
        rest = tail;
    }
    if seconds > SECONDS_MAX {
        return Err(format!("{text:?} is longer than 292 years"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{text:?}: {error}"))
}

/// Read a size in bytes: `512B`, `64KiB`, `1.5GiB`, also decimal `64kB`, `10MB`, or a bare number.
///
/// # Errors
/// A sentence that says what was wrong.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit, tail) = split_number_unit(text.trim())
        .ok_or_else(|| format!("{text:?} is not a size, write for example \"64MiB\""))?;
    if !tail.is_empty() {
        return Err(format!("{text:?} is not a size, write for example \"64MiB\""));
    }
    let scale: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(format!("{unit:?} is not a unit of size, use B, KiB, MiB, GiB or TiB")),
    };
    let bytes = number * scale as f64;
    if bytes > u64::MAX as f64 {
        return Err(format!("{text:?} is larger than any disk"));
    }
    Ok(bytes as u64)
}

/// Write a duration back in its largest whole units: `1h30m`, `15s`, `250ms`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut parts = Vec::new();
    for (unit, millis) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
    {
        if rest >= millis {
            parts.push(format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    parts.concat()
}

/// Take a leading number and the letters after it.
fn split_number_unit(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits)?;
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at_checked(letters)?;
    Some((number.parse().ok()?, unit, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        let check = |text: &str, expected: Option<u64>| {
            let got = parse_duration(text).ok().map(|d| d.as_millis() as u64);
            assert_eq!(got, expected, "{text}");
        };
        check("15s", Some(15_000));
        check("1h30m", Some(5_400_000));
        check("250ms", Some(250));
        check("1.5m", Some(90_000));
        check("15", None);
        check("", None);
        check("s15", None);
        check("10 s", None);
        check("292y", Some(292 * 31_536_000_000));
        check("293y", None);
        check(&format!("{}y", "9".repeat(400)), None);
    }

    #[test]
    fn sizes_read_as_written() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        };
        check("64MiB", Some(64 << 20));
        check("10MB", Some(10_000_000));
        check("512", Some(512));
        check("1.5KiB", Some(1536));
        check("64 MiB", None);
        check("lots", None);
    }

    #[test]
    fn durations_write_back() {
        assert_eq!(format_duration(Duration::from_mins(90)), "1h30m");
        assert_eq!(format_duration(Duration::from_millis(1_250)), "1s250ms");
    }
}
