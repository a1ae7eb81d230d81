//! Prometheus text 0.0.4, with numbers as the programs' own libraries write them.

use std::fmt::Write;

use crate::histogram::Histogram;

/// How a program writes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `client_golang`: `%g` with the shortest digits, exponents from 1e+06 on.
    Go,
    /// `prometheus_client` of Python: `124.0`, exponents from seven digits on.
    Python,
    /// C's `%f`, as dcgm-exporter passes on what DCGM formats.
    Fixed,
}

/// Writes families one after the other.
pub(super) struct Writer {
    out: String,
    style: Style,
    scratch: String,
}

/// Labels in the order in which they are written.
pub(super) type Pairs<'a> = &'a [(&'a str, &'a str)];

impl Writer {
    pub(super) fn new(style: Style) -> Self {
        Self { out: String::with_capacity(64 * 1024), style, scratch: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Begin a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
            self.out.push_str(part);
        }
    }

    pub(super) fn sample(&mut self, name: &str, labels: Pairs<'_>, value: f64) {
        self.out.push_str(name);
        self.labels(labels, &[]);
        self.end(value);
    }

    /// A family of one sample.
    pub(super) fn single(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        labels: Pairs<'_>,
        value: f64,
    ) {
        self.family(name, kind, help);
        self.sample(name, labels, value);
    }

    /// The samples of a histogram, buckets first.
    pub(super) fn histogram(&mut self, name: &str, labels: Pairs<'_>, histogram: &Histogram) {
        let mut edge = String::new();
        for (upper, count) in histogram.cumulative() {
            edge.clear();
            number(&mut edge, &mut self.scratch, upper, self.style);
            for part in [name, "_bucket"] {
                self.out.push_str(part);
            }
            self.labels(labels, &[("le", &edge)]);
            self.end(count as f64);
        }
        for (suffix, value) in [("_count", histogram.count() as f64), ("_sum", histogram.sum())] {
            self.out.push_str(name);
            self.out.push_str(suffix);
            self.labels(labels, &[]);
            self.end(value);
        }
    }

    /// Labels and, in its alphabetical place, one more.
    fn labels(&mut self, labels: Pairs<'_>, more: Pairs<'_>) {
        if labels.is_empty() && more.is_empty() {
            return;
        }
        let place = match more.first() {
            Some((name, _)) => labels.iter().take_while(|(known, _)| known < name).count(),
            None => labels.len(),
        };
        let (head, tail) = labels.split_at(place);
        let mut mark = '{';
        for (name, value) in head.iter().chain(more).chain(tail) {
            self.out.push(mark);
            mark = ',';
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('}');
    }

    fn end(&mut self, value: f64) {
        self.out.push(' ');
        number(&mut self.out, &mut self.scratch, value, self.style);
        self.out.push('\n');
    }
}

fn escape(out: &mut String, value: &str) {
    if !value.contains(['\\', '"', '\n']) {
        out.push_str(value);
        return;
    }
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
}

/// Whole numbers below this are written without an exponent in every style.
const PLAIN: f64 = 1e6;

/// Write to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($what:tt)*) => {
        if write!($out, $($what)*).is_err() {
            debug_assert!(false, "a string takes all text");
        }
    };
}

fn number(out: &mut String, scratch: &mut String, value: f64, style: Style) {
    if !value.is_finite() {
        out.push_str(match value {
            f64::INFINITY => "+Inf",
            f64::NEG_INFINITY => "-Inf",
            _ => "NaN",
        });
        return;
    }
    let is_whole = value.fract() == 0.0;
    if is_whole && value.abs() < PLAIN {
        put!(out, "{}", value as i64);
        if style == Style::Python {
            out.push_str(".0");
        }
        return;
    }
    if style == Style::Fixed {
        if is_whole && value.abs() < 9e15 {
            put!(out, "{}", value as i64);
        } else {
            put!(out, "{value:.6}");
        }
        return;
    }
    let size = value.abs();
    // Go's %g and Python's repr both turn to exponents below 1e-4.
    if (1e-4..PLAIN).contains(&size) {
        put!(out, "{value}");
        return;
    }
    scratch.clear();
    put!(scratch, "{value:e}");
    let (digits, exponent) = scratch.split_once('e').unwrap_or((scratch, "0"));
    out.push_str(digits);
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    out.push('e');
    out.push(sign);
    if exponent.len() < 2 {
        out.push('0');
    }
    out.push_str(exponent);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64, style: Style) -> String {
        let (mut out, mut scratch) = (String::new(), String::new());
        number(&mut out, &mut scratch, value, style);
        out
    }

    #[test]
    fn numbers_look_as_on_real_pages() {
        let check = |value: f64, go: &str, python: &str| {
            assert_eq!(written(value, Style::Go), go);
            assert_eq!(written(value, Style::Python), python);
        };
        // Samples of node_exporter 1.5.0 and vLLM 0.32.0.
        check(55_181.0, "55181", "55181.0");
        check(1_533_258.0, "1.533258e+06", "1.533258e+06");
        check(963_571_712.0, "9.63571712e+08", "9.63571712e+08");
        check(155.808, "155.808", "155.808");
        check(0.000_012_5, "1.25e-05", "1.25e-05");
        check(-125_000.0, "-125000", "-125000.0");
        check(f64::INFINITY, "+Inf", "+Inf");
        assert_eq!(written(71.4, Style::Fixed), "71.400000");
        assert_eq!(written(1_980.0, Style::Fixed), "1980");
        assert_eq!(written(51_234_567_890.0, Style::Fixed), "51234567890");
    }

    #[test]
    fn a_page_is_written_in_order() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        histogram.observe(0.7);
        let mut writer = Writer::new(Style::Python);
        writer.family("x", "histogram", "A thing.");
        writer.histogram("x", &[("engine", "0"), ("model", "a\"b")], &histogram);
        let expected = "# HELP x A thing.\n# TYPE x histogram\n\
            x_bucket{engine=\"0\",le=\"0.5\",model=\"a\\\"b\"} 0.0\n\
            x_bucket{engine=\"0\",le=\"1.0\",model=\"a\\\"b\"} 1.0\n\
            x_bucket{engine=\"0\",le=\"+Inf\",model=\"a\\\"b\"} 1.0\n\
            x_count{engine=\"0\",model=\"a\\\"b\"} 1.0\n\
            x_sum{engine=\"0\",model=\"a\\\"b\"} 0.7\n";
        assert_eq!(writer.finish(), expected);
    }
}
