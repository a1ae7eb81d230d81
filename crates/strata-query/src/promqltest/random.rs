//! Random data and random queries over it, to compare this evaluator with another one.
//!
//! Only what Prometheus has since 2.42 without feature flags is generated, and nothing whose result
//! is a matter of storage order (ties of `topk`, `limitk`).

use fastrand::Rng;
use strata_model::{Labels, STALE_NAN};

use super::MemorySource;

/// Samples of one series: times in milliseconds from the start of the data, and values.
pub type Samples = Vec<(i64, f64)>;

/// How long the data lasts.
pub const LENGTH_MS: i64 = 3_600_000;

/// Scrape interval of the data.
const INTERVAL_MS: i64 = 15_000;

/// Counters that restart, gauges with gaps, and a classic histogram, each of several instances.
pub fn data(seed: u64) -> Vec<(Labels, Samples)> {
    let mut rng = Rng::with_seed(seed);
    let mut out = Vec::new();
    for instance in ["a", "b", "c"] {
        for job in ["train", "serve"] {
            // Jitter shifts a target, not a sample: targets are scraped at a fixed phase.
            let phase = rng.i64(0..INTERVAL_MS);
            let labels = |name: &str| {
                Labels::from_pairs([("__name__", name), ("instance", instance), ("job", job)])
            };
            out.push((labels("requests_total"), counter(&mut rng, phase)));
            out.push((labels("tokens_total"), counter(&mut rng, phase)));
            out.push((labels("usage"), gauge(&mut rng, phase)));
            out.push((labels("limit"), gauge(&mut rng, phase)));
            histogram(&mut rng, phase, &labels("wait_seconds_bucket"), &mut out);
        }
    }
    out
}

/// The data as a source, beginning at `start_ms`.
pub fn source(data: &[(Labels, Samples)], start_ms: i64) -> MemorySource {
    let mut source = MemorySource::new();
    for (labels, samples) in data {
        for (time, value) in samples {
            source.push_float(labels, start_ms + time, *value);
        }
    }
    source
}

fn times(rng: &mut Rng, phase: i64) -> Vec<i64> {
    let lost = rng.f64() * 0.1;
    let all = (0..LENGTH_MS / INTERVAL_MS).map(|at| at * INTERVAL_MS + phase);
    let mut down = 0;
    all.filter(|_| {
        if down == 0 && rng.f64() < 0.01 {
            down = rng.i32(1..30);
        }
        down = (down - 1).max(0);
        down == 0 && rng.f64() >= lost
    })
    .collect()
}

fn counter(rng: &mut Rng, phase: i64) -> Samples {
    let mut value = f64::from(rng.i32(0..1000));
    let mut samples = Samples::new();
    for time in times(rng, phase) {
        value = if rng.f64() < 0.02 { 0.0 } else { value + f64::from(rng.i32(0..100)) };
        samples.push((time, value));
    }
    samples
}

fn gauge(rng: &mut Rng, phase: i64) -> Samples {
    let mut samples = Samples::new();
    for time in times(rng, phase) {
        let value = match rng.i32(0..100) {
            0 => f64::NAN,
            1 => STALE_NAN,
            2 => f64::INFINITY,
            _ => (rng.f64() * 1000.0).round() / 10.0 - 20.0,
        };
        samples.push((time, value));
    }
    samples
}

fn histogram(rng: &mut Rng, phase: i64, base: &Labels, out: &mut Vec<(Labels, Samples)>) {
    let bounds = ["0.1", "0.5", "1", "5", "+Inf"];
    let mut columns = vec![Samples::new(); bounds.len()];
    let mut counts = [0.0; 5];
    for time in times(rng, phase) {
        if rng.f64() < 0.01 {
            counts = [0.0; 5];
        }
        let mut below = 0.0;
        for (at, count) in counts.iter_mut().enumerate() {
            *count += f64::from(rng.i32(0..20));
            below += *count;
            columns[at].push((time, below));
        }
    }
    for (bound, samples) in bounds.iter().zip(columns) {
        out.push((base.to_builder().set("le", bound).build(), samples));
    }
}

/// Deepest nesting of a random query.
const DEPTH: usize = 4;

/// A random query of type instant vector or scalar.
pub fn expression(rng: &mut Rng) -> String {
    if rng.i32(0..20) == 0 { scalar(rng, DEPTH) } else { vector(rng, DEPTH) }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

fn duration(rng: &mut Rng) -> &'static str {
    pick(rng, &["30s", "1m", "90s", "5m", "10m", "17m"])
}

fn number(rng: &mut Rng) -> String {
    pick(rng, &["0", "1", "2", "-3", "0.5", "100", "1e3"]).to_owned()
}

fn matchers(rng: &mut Rng) -> &'static str {
    pick(
        rng,
        &[
            "",
            "",
            "{job=\"train\"}",
            "{instance!=\"a\"}",
            "{instance=~\"a|b\"}",
            "{job!~\"t.*\"}",
            "{absent=\"\"}",
        ],
    )
}

fn when(rng: &mut Rng) -> String {
    match rng.i32(0..12) {
        0 => format!(" offset {}", duration(rng)),
        1 => format!(" offset -{}", duration(rng)),
        2 => " @ start()".to_owned(),
        3 => " @ end()".to_owned(),
        _ => String::new(),
    }
}

fn selector(rng: &mut Rng) -> String {
    let name = pick(rng, &["requests_total", "tokens_total", "usage", "limit"]);
    format!("{name}{}", matchers(rng))
}

fn range(rng: &mut Rng, depth: usize) -> String {
    let length = duration(rng);
    if depth > 1 && rng.i32(0..5) == 0 {
        let step = pick(rng, &["1m", "30s", "45s", "2m"]);
        return format!("({})[{length}:{step}]{}", vector(rng, depth - 1), when(rng));
    }
    format!("{}[{length}]{}", selector(rng), when(rng))
}

fn scalar(rng: &mut Rng, depth: usize) -> String {
    if depth == 0 {
        return number(rng);
    }
    match rng.i32(0..6) {
        0 => "time()".to_owned(),
        1 => "pi()".to_owned(),
        2 => format!("scalar({})", vector(rng, depth - 1)),
        3 => {
            let op = pick(rng, &["+", "-", "*", "/", "%", "^", "> bool", "== bool"]);
            format!("({} {op} {})", scalar(rng, depth - 1), scalar(rng, depth - 1))
        }
        _ => number(rng),
    }
}

fn vector(rng: &mut Rng, depth: usize) -> String {
    if depth == 0 {
        return format!("{}{}", selector(rng), when(rng));
    }
    let below = depth - 1;
    match rng.i32(0..14) {
        0..=2 => format!("{}{}", selector(rng), when(rng)),
        3..=5 => over_range(rng, depth),
        6 => simple(rng, below),
        7..=9 => aggregation(rng, below),
        10 | 11 => binary(rng, below),
        12 => {
            let group = pick(rng, &["job", "instance"]);
            let q = pick(rng, &["0", "0.5", "0.9", "1"]);
            let window = duration(rng);
            format!(
                "histogram_quantile({q}, sum by (le, {group}) (rate(wait_seconds_bucket[{window}])))"
            )
        }
        _ => format!("-({})", vector(rng, below)),
    }
}

fn over_range(rng: &mut Rng, depth: usize) -> String {
    let plain = [
        "rate",
        "increase",
        "delta",
        "irate",
        "idelta",
        "deriv",
        "resets",
        "changes",
        "avg_over_time",
        "sum_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "stddev_over_time",
        "stdvar_over_time",
        "last_over_time",
        "present_over_time",
    ];
    match rng.i32(0..8) {
        0 => {
            let q = pick(rng, &["0", "0.3", "0.5", "0.99", "1"]);
            format!("quantile_over_time({q}, {})", range(rng, depth))
        }
        1 => format!("predict_linear({}, {})", range(rng, depth), pick(rng, &["60", "-30"])),
        _ => format!("{}({})", pick(rng, &plain), range(rng, depth)),
    }
}

fn simple(rng: &mut Rng, below: usize) -> String {
    let names = [
        "abs", "ceil", "floor", "sqrt", "exp", "ln", "log2", "log10", "sgn", "sin", "atan", "deg",
        "round",
    ];
    let inner = vector(rng, below);
    match rng.i32(0..7) {
        0 => format!("clamp({inner}, {}, {})", number(rng), number(rng)),
        1 => format!("clamp_min({inner}, {})", scalar(rng, below)),
        2 => format!("label_replace({inner}, \"x\", \"$1\", \"job\", \"(.).*\")"),
        3 => format!("absent({inner})"),
        // Dates of NaN are a matter of the machine's float conversion there.
        4 => format!("{}(vector(time()))", pick(rng, &["hour", "day_of_week", "minute", "month"])),
        _ => format!("{}({inner})", pick(rng, &names)),
    }
}

fn grouping(rng: &mut Rng) -> &'static str {
    pick(rng, &["", " by (job)", " by (instance)", " without (instance)", " by (job, instance)"])
}

fn aggregation(rng: &mut Rng, below: usize) -> String {
    let names = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
    let (grouping, inner) = (grouping(rng), vector(rng, below));
    if rng.i32(0..6) == 0 {
        return format!("quantile{grouping} ({}, {inner})", pick(rng, &["0.1", "0.5", "1"]));
    }
    format!("{}{grouping} ({inner})", pick(rng, &names))
}

fn binary(rng: &mut Rng, below: usize) -> String {
    let arithmetic = ["+", "-", "*", "/", "%", "^", ">", "<=", "==", "!=", "> bool"];
    let op = pick(rng, &arithmetic);
    match rng.i32(0..6) {
        0 => format!("({} {op} {})", vector(rng, below), scalar(rng, below)),
        1 => format!("({} {op} {})", scalar(rng, below), vector(rng, below)),
        2 => {
            let set = pick(rng, &["and", "or", "unless"]);
            let on = pick(rng, &["", " on (job)", " ignoring (instance)"]);
            format!("({} {set}{on} {})", vector(rng, below), vector(rng, below))
        }
        3 => {
            let one = format!("sum by (job) ({})", vector(rng, below));
            format!("({} {op} on (job) group_left () {one})", vector(rng, below))
        }
        _ => format!("({} {op} {})", vector(rng, below), vector(rng, below)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Embedded, Subject};
    use super::*;
    use crate::promql::syntax::parse;

    #[test]
    fn random_queries_parse_print_and_evaluate() {
        let source = source(&data(1), 0);
        let mut rng = Rng::with_seed(7);
        for _ in 0..150 {
            let text = expression(&mut rng);
            let expr = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let printed = expr.to_string();
            let again = parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
            assert_eq!(again.to_string(), printed, "{text}");
            // Errors are fine (many-to-many, equal labels); panics are not.
            let subject = Embedded::default();
            let one = subject.range(&source, &text, 1_200_000, 3_000_000, 300_000);
            let two = subject.range(&source, &printed, 1_200_000, 3_000_000, 300_000);
            assert_eq!(format!("{one:?}"), format!("{two:?}"), "{text} and {printed}");
        }
    }
}
