//! Numbers in words: one place that chooses prefix, digits and symbol, so that the web page, the
//! terminal and the command line write the same digits.

use crate::page::chart::Scale;

/// What is written where nothing is known.
pub const UNKNOWN: &str = "unknown";

/// Prefixes of powers of a thousand, from nano to peta.
const PREFIXES: [(f64, &str); 9] = [
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "\u{b5}"),
    (1e-9, "n"),
];

/// Powers of 1024 for sizes in memory.
const BINARY: [(f64, &str); 5] = [
    (1_099_511_627_776.0, "TiB"),
    (1_073_741_824.0, "GiB"),
    (1_048_576.0, "MiB"),
    (1024.0, "KiB"),
    (1.0, "B"),
];

/// Lengths of time above a second.
const TIMES: [(f64, &str); 4] = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];

/// How values of a unit (UCUM) around a magnitude are written.
pub fn scale(unit: &str, magnitude: f64) -> Scale {
    let size = magnitude.abs();
    let (divisor, symbol) = match unit {
        "1" => (0.01, "%".to_owned()),
        "By" => {
            let (divisor, symbol) = pick(&BINARY, size);
            (divisor, symbol.to_owned())
        }
        "s" if size >= 120.0 => {
            let (divisor, symbol) = pick(&TIMES, size / 2.0);
            (divisor, symbol.to_owned())
        }
        "s" => {
            let (divisor, prefix) = if size == 0.0 { (1.0, "") } else { small(size) };
            (divisor, format!("{prefix}s"))
        }
        "Cel" => (1.0, "\u{b0}C".to_owned()),
        "{bool}" | "{code}" | "{action}" | "{loss}" | "{norm}" | "{score}" | "{step}" => {
            (1.0, String::new())
        }
        "{rate}" => (1.0, String::new()),
        // Sold by the hour, so written in hours however many they are.
        "h" => (1.0, "h".to_owned()),
        _ if money(unit).is_some() => {
            let (code, per) = money(unit).unwrap_or_default();
            match per {
                // What a token costs is too small a number to be read, and so is a second.
                "{token}" => (1e-6, format!("{code}/M tok")),
                "s" => (1.0 / 3600.0, format!("{code}/h")),
                "" => (1.0, code.to_owned()),
                per => (1.0, format!("{code}/{}", per.replace(['{', '}'], ""))),
            }
        }
        _ => {
            let (divisor, prefix) = pick_prefix(unit, size);
            (divisor, format!("{prefix}{}", symbol(unit)).trim().to_owned())
        }
    };
    let shown = size / divisor;
    // Prices of a token differ by orders of magnitude, and none of them is nothing.
    let digits = match money(unit) {
        Some(_) if shown > 0.0 && shown < 0.1 => (1.0 - shown.log10().floor()).min(8.0) as u8,
        _ => digits(shown),
    };
    Scale { unit: unit.to_owned(), divisor, symbol, digits }
}

/// How several values are written side by side, as on an axis: with the prefix that suits the
/// greatest, and with digits behind the point unless all of them are whole.
pub fn shared(unit: &str, values: impl IntoIterator<Item = f64>) -> Scale {
    let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    let most = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let mut scale = scale(unit, most);
    let is_whole = |value: &f64| is_whole(value / scale.divisor);
    if money(unit).is_none() && !values.iter().all(is_whole) {
        scale.digits = figures(most / scale.divisor);
    }
    scale
}

/// A value with its unit: `91 %`, `4.2 M tok`, `unknown`.
pub fn text(value: Option<f64>, unit: &str) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(value) if unit == "{bool}" => if value > 0.0 { "yes" } else { "no" }.to_owned(),
        Some(value) if !value.is_finite() => {
            if value.is_nan() { UNKNOWN } else { "beyond all bounds" }.to_owned()
        }
        Some(value) => written(value, &scale(unit, value)),
    }
}

/// As [`text`], of a value that is only known to be at most so large: `<= 10 ms`.
pub fn bounded(value: Option<f64>, unit: &str, at_most: bool) -> String {
    let sign = if at_most && value.is_some() { "<= " } else { "" };
    format!("{sign}{}", text(value, unit))
}

/// A value on a scale.
pub fn written(value: f64, scale: &Scale) -> String {
    let digits = usize::from(scale.digits);
    let number = format!("{:.digits$}", value / scale.divisor);
    format!("{number} {}", scale.symbol).trim_end().to_owned()
}

/// A length of time in words, for ranges and ages: `1 h`, `15 min`.
pub fn length(seconds: u64) -> String {
    for (size, symbol) in [(86_400, "d"), (3600, "h"), (60, "min")] {
        if seconds >= size && seconds.is_multiple_of(size) {
            return format!("{} {symbol}", seconds / size);
        }
    }
    format!("{seconds} s")
}

/// Of one number: none behind the point when there is nothing behind it.
fn digits(size: f64) -> u8 {
    if is_whole(size) { 0 } else { figures(size) }
}

/// Three figures that mean something, none behind the point from a hundred on; two of what is very
/// small, which must not be read as 0.
fn figures(size: f64) -> u8 {
    const DIGITS_MAX: f64 = 9.0;
    if size > 0.0 && size < 0.009_95 {
        ((-size.log10()).ceil() + 1.0).clamp(2.0, DIGITS_MAX) as u8
    } else if size >= 99.95 {
        0
    } else if size >= 9.995 {
        1
    } else {
        2
    }
}

fn is_whole(size: f64) -> bool {
    (size - size.round()).abs() < 1e-9
}

fn pick<'a>(steps: &[(f64, &'a str)], size: f64) -> (f64, &'a str) {
    let fits = steps.iter().find(|(divisor, _)| size >= *divisor);
    *fits.unwrap_or(&steps[steps.len() - 1])
}

/// Prefixes for what comes in pieces end at one: there is no milli-token.
fn pick_prefix(unit: &str, size: f64) -> (f64, &'static str) {
    let counted = unit.starts_with('{');
    let steps = if counted || size == 0.0 { &PREFIXES[..6] } else { &PREFIXES[..] };
    // A counted thing is written in full up to ten thousand.
    if counted && size < 10_000.0 { (1.0, "") } else { pick(steps, size) }
}

fn small(size: f64) -> (f64, &'static str) {
    pick(&PREFIXES[5..], size)
}

/// The currency of a unit of money, and what the money is for: `USD/{token}`.
fn money(unit: &str) -> Option<(&str, &str)> {
    let (code, per) = unit.split_once('/').unwrap_or((unit, ""));
    let known = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    known.then_some((code, per))
}

/// The written form of a unit behind a prefix.
fn symbol(unit: &str) -> String {
    match unit {
        "By/s" => "B/s".to_owned(),
        "Hz" | "W" | "J" | "g" => unit.to_owned(),
        "W.h" => "Wh".to_owned(),
        "{token}" => " tok".to_owned(),
        "{token}/s" => " tok/s".to_owned(),
        "{token}/J" => " tok/J".to_owned(),
        "J/{token}" => "J/tok".to_owned(),
        "{flop}/s" => "FLOP/s".to_owned(),
        // Counted things say what they are by their label.
        _ if unit.starts_with('{') && unit.ends_with("/s") => " /s".to_owned(),
        _ if unit.starts_with('{') && unit.ends_with('}') => String::new(),
        other => format!(" {}", other.replace(['{', '}'], "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        let check = |value: f64, unit: &str, expected: &str| {
            assert_eq!(text(Some(value), unit), expected, "{value} {unit}");
        };
        check(0.000_001_83, "USD/{token}", "1.83 USD/M tok");
        check(0.013_11, "EUR/s", "47.2 EUR/h");
        check(0.000_000_003_58, "USD/{token}", "0.0036 USD/M tok");
        check(0.000_3, "{rate}", "0.00030");
        check(0.8, "h", "0.80 h");
        check(1234.0, "USD", "1234 USD");
        check(0.912, "1", "91.2 %");
        check(1.0, "1", "100 %");
        check(0.0, "1", "0 %");
        check(0.0042, "1", "0.42 %");
        check(0.047, "s", "47 ms");
        check(2.31, "s", "2.31 s");
        check(5400.0, "s", "90 min");
        check(31_200.0, "W", "31.2 kW");
        check(85_899_345_920.0, "By", "80 GiB");
        check(1.2e9, "By/s", "1.20 GB/s");
        check(4_200_000.0, "{token}", "4.20 M tok");
        check(38_412.0, "{token}/s", "38.4 k tok/s");
        check(41.0, "{request}", "41");
        check(0.5, "{request}/s", "0.50 /s");
        check(3.9, "{token}/J", "3.90 tok/J");
        check(1_230.0, "W.h", "1.23 kWh");
        check(467.0, "g", "467 g");
        check(71.0, "Cel", "71 \u{b0}C");
        check(1.0, "{bool}", "yes");
        check(1.98e9, "Hz", "1.98 GHz");
        assert_eq!(text(None, "s"), "unknown");
        assert_eq!(text(Some(f64::NAN), "s"), "unknown");
    }

    #[test]
    fn values_side_by_side_are_written_alike() {
        let check = |unit: &str, values: &[f64], expected: &[&str]| {
            let scale = shared(unit, values.iter().copied());
            let found: Vec<String> = values.iter().map(|value| written(*value, &scale)).collect();
            assert_eq!(found, expected, "{values:?} {unit}");
        };
        // A whole greatest value does not make nothing of the others.
        check("s", &[4.0, 0.5, 1.0], &["4.00 s", "0.50 s", "1.00 s"]);
        check("{request}", &[32.0, 7.0], &["32", "7"]);
        check("1", &[1.0, 0.025], &["100 %", "2 %"]);
        check("By", &[3_221_225_472.0, 2_791_728_742.0], &["3.00 GiB", "2.60 GiB"]);
        check("s", &[], &[]);
        assert_eq!(shared("s", [f64::NAN, f64::INFINITY]).digits, 0);
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(length(3600), "1 h");
        assert_eq!(length(900), "15 min");
        assert_eq!(length(61), "61 s");
    }
}
