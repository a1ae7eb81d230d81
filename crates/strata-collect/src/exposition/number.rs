//! Numbers as exposition pages write them: values, timestamps, and bucket bounds in label values.

/// The one quiet NaN that is data (`model/value/value.go`: `NormalNaN`), so that a NaN on a page can
/// never be taken for the staleness marker.
const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Replace every NaN, whatever its payload, by the ordinary one.
pub(crate) fn ordinary(value: f64) -> f64 {
    if value.is_nan() { NORMAL_NAN } else { value }
}

/// Read a sample value: decimal, exponents of any width, `NaN`, `Inf` with sign, any letter case.
/// C programs print `-nan`; it is read as NaN.
pub(crate) fn value(bytes: &[u8]) -> Option<f64> {
    if let Some(whole) = small_integer(bytes) {
        return Some(whole);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().map(ordinary)
}

/// The commonest values by far: up to fifteen digits, perhaps followed by `.0`; exact in a float.
fn small_integer(bytes: &[u8]) -> Option<f64> {
    let digits = bytes.strip_suffix(b".0").unwrap_or(bytes);
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mut whole = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        whole = whole * 10 + u64::from(digit);
    }
    Some(whole as f64)
}

/// Read a timestamp of Prometheus text: whole milliseconds since the Unix epoch.
pub(crate) fn millis(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Read a timestamp of OpenMetrics: seconds since the Unix epoch, perhaps with a fraction.
pub(crate) fn seconds_as_millis(bytes: &[u8]) -> Option<i64> {
    let seconds: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let millis = seconds * 1_000.0;
    // Beyond 2^53 ms (the year 287396) a float no longer holds whole milliseconds.
    (millis.abs() < 9.0e15).then_some(millis as i64)
}

/// Write a bucket bound or quantile the one way Prometheus 3 stores it: the shortest decimal that
/// reads back, with a point or an exponent (`1` becomes `1.0`, `1000000` becomes `1e+06`).
pub fn format_bound(bound: f64) -> String {
    if bound.is_nan() {
        return "NaN".to_owned();
    }
    if bound.is_infinite() {
        return if bound > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{bound:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go's shortest %g changes to an exponent below 1e-4 and from 1e+06 on (`strconv.FormatFloat`).
    if (-4..6).contains(&exponent) {
        let mut plain = format!("{bound}");
        if !plain.contains('.') {
            plain.push_str(".0");
        }
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
