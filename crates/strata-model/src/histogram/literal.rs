//! The notation of histograms in PromQL tests: `{{schema:1 count:5 buckets:[2 3] offset:-1}}`.
//!
//! Source: the Prometheus documentation, "Unit testing for rules", section on series.

use std::collections::BTreeMap;

use super::{CounterResetHint, MixedSchemas, NativeHistogram, Span, format_number};

/// Most repetitions one series may ask for: far more than a test needs, little enough to hold.
const MAX_REPETITIONS: usize = 100_000;

/// A histogram as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistogramLiteral {
    pub histogram: NativeHistogram,
    /// Whether the text gave a counter reset hint, so that a test means to compare it.
    pub hint_given: bool,
}

/// A histogram literal cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    #[error("cannot find a histogram: {{{{ is missing")]
    Unopened,
    #[error("cannot find the end of a histogram: }}}} is missing")]
    Unclosed,
    #[error("cannot read {0:?}: a key, a colon and a value are expected")]
    NotAPair(String),
    #[error("cannot accept key {0:?} twice")]
    Duplicate(String),
    #[error("cannot accept unknown key {0:?}")]
    UnknownKey(String),
    #[error("cannot read {value:?} as the value of {key:?}")]
    Value { key: String, value: String },
    #[error("cannot repeat {0:?} times")]
    Repetitions(String),
    #[error("cannot step from schema {from} to the coarser {step}")]
    CoarserStep { from: i32, step: i32 },
    #[error(transparent)]
    Mixed(#[from] MixedSchemas),
}

/// Read one `{{...}}` from the start of the text; also returns what follows it.
pub fn take_literal(text: &str) -> Result<(HistogramLiteral, &str), LiteralError> {
    let inner = text.trim_start().strip_prefix("{{").ok_or(LiteralError::Unopened)?;
    let (inner, rest) = inner.split_once("}}").ok_or(LiteralError::Unclosed)?;
    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    let mut left = inner.trim();
    while !left.is_empty() {
        let (key, value, tail) =
            split_pair(left).ok_or_else(|| LiteralError::NotAPair(left.to_owned()))?;
        if fields.insert(key, value).is_some() {
            return Err(LiteralError::Duplicate(key.to_owned()));
        }
        left = tail.trim_start();
    }
    Ok((build(&mut fields)?, rest))
}

/// Read one item of a series: `{{...}}`, `{{...}}x3` (the value and 3 repetitions), or
/// `{{...}}+{{...}}x3` and `{{...}}-{{...}}x3` (the value and 3 steps). Also returns what follows.
pub fn take_series(text: &str) -> Result<(Vec<HistogramLiteral>, &str), LiteralError> {
    let (base, rest) = take_literal(text)?;
    if let Some(after) = rest.strip_prefix('x') {
        let (times, rest) = take_times(after)?;
        return Ok((vec![base; times + 1], rest));
    }
    let (subtract, after) = match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
        (Some(after), _) => (false, after),
        (None, Some(after)) => (true, after),
        (None, None) => return Ok((vec![base], rest)),
    };
    let (step, rest) = take_literal(after)?;
    let after = rest.strip_prefix('x').ok_or_else(|| LiteralError::Repetitions(String::new()))?;
    let (times, rest) = take_times(after)?;
    Ok((step_series(&base, &step, subtract, times)?, rest))
}

fn step_series(
    base: &HistogramLiteral,
    step: &HistogramLiteral,
    subtract: bool,
    times: usize,
) -> Result<Vec<HistogramLiteral>, LiteralError> {
    let mut current = base.histogram.clone();
    let mut series = Vec::with_capacity(times + 1);
    for left in (0..=times).rev() {
        let histogram = current.clone();
        series.push(HistogramLiteral { histogram, hint_given: step.hint_given });
        if left == 0 {
            break;
        }
        if current.schema > step.histogram.schema {
            let (from, step) = (current.schema, step.histogram.schema);
            return Err(LiteralError::CoarserStep { from, step });
        }
        (current, _) =
            if subtract { current.sub(&step.histogram)? } else { current.add(&step.histogram)? };
    }
    Ok(series)
}

fn take_times(text: &str) -> Result<(usize, &str), LiteralError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    match digits.parse() {
        Ok(times) if times <= MAX_REPETITIONS => Ok((times, rest)),
        _ => Err(LiteralError::Repetitions(digits.to_owned())),
    }
}

/// Take `key:value` from the start; a value is a word or a list in brackets.
fn split_pair(text: &str) -> Option<(&str, &str, &str)> {
    let (key, after) = text.split_once(':')?;
    if key.is_empty() || key.contains(char::is_whitespace) {
        return None;
    }
    if after.starts_with('[') {
        let (value, tail) = after.split_at_checked(after.find(']')? + 1)?;
        return Some((key, value, tail));
    }
    let end = after.find(char::is_whitespace).unwrap_or(after.len());
    let (value, tail) = after.split_at_checked(end)?;
    Some((key, value, tail))
}

fn build(fields: &mut BTreeMap<&str, &str>) -> Result<HistogramLiteral, LiteralError> {
    let schema = take_field(fields, "schema", |value| value.parse().ok())?;
    let hint = take_field(fields, "counter_reset_hint", read_hint)?;
    let offset = take_field(fields, "offset", |value| value.parse().ok())?;
    let n_offset = take_field(fields, "n_offset", |value| value.parse().ok())?;
    let positive = take_field(fields, "buckets", read_list)?.unwrap_or_default();
    let negative = take_field(fields, "n_buckets", read_list)?.unwrap_or_default();
    let histogram = NativeHistogram {
        counter_reset_hint: hint.unwrap_or_default(),
        schema: schema.unwrap_or(0),
        zero_threshold: take_field(fields, "z_bucket_w", read_number)?.unwrap_or(0.0),
        zero_count: take_field(fields, "z_bucket", read_number)?.unwrap_or(0.0),
        count: take_field(fields, "count", read_number)?.unwrap_or(0.0),
        sum: take_field(fields, "sum", read_number)?.unwrap_or(0.0),
        positive_spans: one_span(offset, &positive),
        negative_spans: one_span(n_offset, &negative),
        positive_buckets: positive,
        negative_buckets: negative,
        custom_values: take_field(fields, "custom_values", read_list)?.unwrap_or_default(),
    };
    match fields.keys().next() {
        Some(&unknown) => Err(LiteralError::UnknownKey(unknown.to_owned())),
        None => Ok(HistogramLiteral { histogram, hint_given: hint.is_some() }),
    }
}

fn take_field<T>(
    fields: &mut BTreeMap<&str, &str>,
    key: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, LiteralError> {
    let Some(value) = fields.remove(key) else { return Ok(None) };
    match read(value) {
        Some(read) => Ok(Some(read)),
        None => Err(LiteralError::Value { key: key.to_owned(), value: value.to_owned() }),
    }
}

fn read_number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn read_list(text: &str) -> Option<Vec<f64>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.split_whitespace().map(read_number).collect()
}

fn read_hint(text: &str) -> Option<CounterResetHint> {
    match text {
        "unknown" => Some(CounterResetHint::Unknown),
        "reset" => Some(CounterResetHint::Reset),
        "not_reset" => Some(CounterResetHint::NotReset),
        "gauge" => Some(CounterResetHint::Gauge),
        _ => None,
    }
}

fn one_span(offset: Option<i32>, buckets: &[f64]) -> Vec<Span> {
    if buckets.is_empty() {
        return Vec::new();
    }
    vec![Span { offset: offset.unwrap_or(0), length: buckets.len() as u32 }]
}

impl NativeHistogram {
    /// The histogram in the notation of PromQL tests, as [`take_literal`] reads it.
    ///
    /// Exact but for spans: gaps become empty buckets, and what lies beyond a gap of more than a
    /// million buckets, which no float observation can cause, is left out.
    pub fn to_literal(&self) -> String {
        let whole = self.compact(u32::MAX);
        let mut parts = Vec::new();
        if whole.schema != 0 {
            parts.push(format!("schema:{}", whole.schema));
        }
        for (key, value) in [
            ("count", whole.count),
            ("sum", whole.sum),
            ("z_bucket", whole.zero_count),
            ("z_bucket_w", whole.zero_threshold),
        ] {
            if value != 0.0 {
                parts.push(format!("{key}:{}", format_number(value)));
            }
        }
        if whole.is_custom() {
            parts.push(format!("custom_values:{}", list(&whole.custom_values)));
        }
        match whole.counter_reset_hint {
            CounterResetHint::Unknown => {}
            CounterResetHint::Reset => parts.push("counter_reset_hint:reset".to_owned()),
            CounterResetHint::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
            CounterResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
        }
        for (offset_key, key, spans, buckets) in [
            ("offset", "buckets", &whole.positive_spans, &whole.positive_buckets),
            ("n_offset", "n_buckets", &whole.negative_spans, &whole.negative_buckets),
        ] {
            let Some(span) = spans.first() else { continue };
            if span.offset != 0 {
                parts.push(format!("{offset_key}:{}", span.offset));
            }
            let shown = buckets.get(..span.length as usize).unwrap_or(buckets);
            parts.push(format!("{key}:{}", list(shown)));
        }
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

fn list(numbers: &[f64]) -> String {
    let words: Vec<String> = numbers.iter().map(|&number| format_number(number)).collect();
    format!("[{}]", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_read_and_write_back() {
        let check = |text: &str, expected: &str| {
            let (literal, rest) = take_literal(text).unwrap();
            assert_eq!((literal.histogram.to_literal().as_str(), rest), (expected, ""));
        };
        check("{{}}", "{{}}");
        check("{{ count:1  }}", "{{count:1}}");
        let full = "{{schema:1 count:3.1 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 \
                    counter_reset_hint:gauge offset:-3 buckets:[5.1 10 7] n_offset:-5 n_buckets:[4.1 5]}}";
        check(full, full);
        let custom = "{{schema:-53 count:2 custom_values:[-1 +Inf] buckets:[2]}}";
        check(custom, custom);
        check("{{buckets:[0 1 0 2 0] offset:2}}", "{{offset:3 buckets:[1 0 2]}}");
        check("{{sum:NaN count:-Inf}}", "{{count:-Inf sum:NaN}}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, expected: &str| {
            assert_eq!(take_literal(text).unwrap_err().to_string(), expected);
        };
        check("{count:1}", "cannot find a histogram: {{ is missing");
        check("{{count:1}", "cannot find the end of a histogram: }} is missing");
        check("{{count}}", "cannot read \"count\": a key, a colon and a value are expected");
        check("{{count:1 count:1}}", "cannot accept key \"count\" twice");
        check("{{kount:1}}", "cannot accept unknown key \"kount\"");
        check("{{count:one}}", "cannot read \"one\" as the value of \"count\"");
        check("{{buckets:[1 b]}}", "cannot read \"[1 b]\" as the value of \"buckets\"");
    }

    #[test]
    fn series_repeat_and_step() {
        let check = |text: &str, expected: &[&str], rest: &str| {
            let (series, left) = take_series(text).unwrap();
            let got: Vec<String> = series.iter().map(|l| l.histogram.to_literal()).collect();
            assert_eq!((got, left), (expected.iter().map(|&e| e.to_owned()).collect(), rest));
        };
        check("{{count:1}} {{count:2}}", &["{{count:1}}"], " {{count:2}}");
        check("{{count:1}}x1 _", &["{{count:1}}", "{{count:1}}"], " _");
        check(
            "{{count:1 buckets:[1]}}+{{count:2 buckets:[0 2]}}x2",
            &["{{count:1 buckets:[1]}}", "{{count:3 buckets:[1 2]}}", "{{count:5 buckets:[1 4]}}"],
            "",
        );
        check("{{count:3}}-{{count:2}}x1", &["{{count:3}}", "{{count:1}}"], "");
        assert!(take_series("{{count:3}}x99999999").is_err());
        assert!(take_series("{{count:3}}+{{count:3}}").is_err());
        assert!(take_series("{{schema:1}}+{{schema:0}}x1").is_err());
        assert!(take_series("{{}}+{{schema:-53}}x1").is_err());
    }
}
