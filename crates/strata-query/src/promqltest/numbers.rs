//! The values of a series description: `1 2+3x4 _ _x2 stale {{...}}x3`.

use strata_model::STALE_NAN;
use strata_model::histogram::{HistogramLiteral, take_series};

use crate::promql::syntax::{parse_duration_ms, parse_number};

/// Most values one line may stand for; a test needs far fewer.
const MAX_VALUES: usize = 100_000;

/// A value as written, at one step.
#[derive(Debug, Clone)]
pub(super) enum Written {
    Omitted,
    Float(f64),
    Histogram(Box<HistogramLiteral>),
}

/// Read the values of a line.
pub(super) fn values(text: &str) -> Result<Vec<Written>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if rest.starts_with("{{") {
            let (histograms, tail) = take_series(rest).map_err(|error| error.to_string())?;
            out.extend(histograms.into_iter().map(|h| Written::Histogram(Box::new(h))));
            rest = tail.trim_start();
        } else {
            let (item, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            push_item(&mut out, item)?;
            rest = tail.trim_start();
        }
        if out.len() > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values in one series"));
        }
    }
    Ok(out)
}

fn push_item(out: &mut Vec<Written>, item: &str) -> Result<(), String> {
    let bad = || format!("cannot read the value {item:?}");
    let (body, times) = match item.rsplit_once('x') {
        Some((body, times)) => (body, Some(times.parse::<usize>().map_err(|_nan| bad())?)),
        None => (item, None),
    };
    if times.is_some_and(|times| times > MAX_VALUES) {
        return Err(bad());
    }
    if body == "_" {
        out.extend(std::iter::repeat_n(Written::Omitted, times.unwrap_or(1)));
        return Ok(());
    }
    if body == "stale" {
        out.extend(std::iter::repeat_n(Written::Float(STALE_NAN), times.map_or(1, |n| n + 1)));
        return Ok(());
    }
    let (base, step) = match step_sign(body) {
        Some(at) => body.split_at_checked(at).ok_or_else(bad)?,
        None => (body, ""),
    };
    let mut value = number(base).ok_or_else(bad)?;
    let step = if step.is_empty() { 0.0 } else { number(step).ok_or_else(bad)? };
    let Some(times) = times else {
        if body.len() != base.len() {
            return Err(bad());
        }
        out.push(Written::Float(value));
        return Ok(());
    };
    for _ in 0..=times {
        out.push(Written::Float(value));
        value += step;
    }
    Ok(())
}

/// Where the step begins in `base+step`: a sign that starts neither the number nor an exponent.
fn step_sign(body: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    (1..bytes.len()).find(|at| {
        let exponent = matches!(bytes[at - 1], b'e' | b'E') && bytes[0] != b'N' && bytes[0] != b'I';
        matches!(bytes[*at], b'+' | b'-') && !exponent
    })
}

/// A number, or a duration in seconds, with an optional sign.
pub(super) fn number(text: &str) -> Option<f64> {
    let (sign, plain) = match text.strip_prefix('-') {
        Some(plain) => (-1.0, plain),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = parse_number(plain)
        .or_else(|| parse_duration_ms(plain).ok().map(|ms| ms as f64 / 1000.0))?;
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_expand() {
        let check = |text: &str, expected: &[Option<f64>]| {
            let got: Vec<Option<f64>> = values(text)
                .unwrap()
                .iter()
                .map(|value| match value {
                    Written::Float(value) => Some(*value),
                    _ => None,
                })
                .collect();
            assert_eq!(got, expected, "{text}");
        };
        check("1 2", &[Some(1.0), Some(2.0)]);
        check("1+2x2", &[Some(1.0), Some(3.0), Some(5.0)]);
        check("-1-1x1", &[Some(-1.0), Some(-2.0)]);
        check("_ _x2 3x1", &[None, None, None, Some(3.0), Some(3.0)]);
        check("1e3+1e-1x1", &[Some(1000.0), Some(1000.1)]);
        check("{{count:1}}x1", &[None, None]);
        assert!(values("1+2").is_err());
        assert!(values("1x9999999").is_err());
        assert!(values("what").is_err());
    }
}
