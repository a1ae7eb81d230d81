//! What Prometheus says beside an answer: warnings and infos, each once.

use std::collections::BTreeMap;

use strata_model::histogram::format_number;

use super::syntax::{Span, quote};
use crate::engine::Annotations;

/// How serious a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Warning,
    Info,
}

/// Buckets that had to be made monotonic, over all samples of one expression.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forced {
    pub(crate) min_bucket: f64,
    pub(crate) max_bucket: f64,
    pub(crate) max_diff: f64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) samples: usize,
}

impl Forced {
    fn merge(&mut self, other: &Self) {
        self.min_bucket = self.min_bucket.min(other.min_bucket);
        self.max_bucket = self.max_bucket.max(other.max_bucket);
        self.max_diff = self.max_diff.max(other.max_diff);
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        self.samples += other.samples;
    }
}

/// The notes of one query, keyed by text; of equal texts the last position stays.
#[derive(Debug, Default)]
pub(crate) struct Notes(BTreeMap<(Level, String), (Span, Option<Forced>)>);

/// At most this many different notes are kept; the texts contain metric names, so that a query
/// over everything could otherwise collect one per metric.
const MAX_NOTES: usize = 1000;

/// What two histograms were being combined for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Combining {
    Addition,
    Subtraction,
    Aggregation,
}

impl Combining {
    fn text(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

impl Notes {
    fn add(&mut self, level: Level, text: String, span: Span) {
        self.add_with(level, text, span, None);
    }

    fn add_with(&mut self, level: Level, text: String, span: Span, forced: Option<Forced>) {
        if self.0.len() < MAX_NOTES {
            self.0.insert((level, text), (span, forced));
        }
    }

    /// Take over the notes of what was evaluated after this, as if it had been noted here.
    pub(crate) fn absorb(&mut self, later: Self) {
        for ((level, text), (span, forced)) in later.0 {
            match (forced, self.0.get_mut(&(level, text.clone()))) {
                (Some(forced), Some((_, Some(seen)))) => seen.merge(&forced),
                _ => self.add_with(level, text, span, forced),
            }
        }
    }

    fn warn(&mut self, span: Span, text: impl std::fmt::Display) {
        self.add(Level::Warning, format!("PromQL warning: {text}"), span);
    }

    fn info(&mut self, span: Span, text: impl std::fmt::Display) {
        self.add(Level::Info, format!("PromQL info: {text}"), span);
    }

    /// What the source of the series said about them.
    pub(crate) fn source_says(&mut self, text: &str, span: Span) {
        self.info(span, text);
    }

    pub(crate) fn invalid_quantile(&mut self, q: f64, span: Span) {
        let q = format_number(q);
        self.warn(span, format_args!("quantile value should be between 0 and 1, got {q}"));
    }

    pub(crate) fn invalid_ratio(&mut self, ratio: f64, capped: f64, span: Span) {
        let (ratio, capped) = (format_number(ratio), format_number(capped));
        self.warn(
            span,
            format_args!(
                "ratio value should be between -1 and 1, got {ratio}, capping to {capped}"
            ),
        );
    }

    pub(crate) fn bad_bucket_label(&mut self, metric: &str, label: &str, span: Span) {
        let text = format!(
            "bucket label \"le\" is missing or has a malformed value of {}{}",
            quote(label),
            for_metric(metric)
        );
        self.warn(span, text);
    }

    pub(crate) fn mixed_floats_histograms(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.warn(
            span,
            format_args!("encountered a mix of histograms and floats for metric name {metric}"),
        );
    }

    pub(crate) fn overlapping_starts(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.warn(
            span,
            format_args!(
                "sample has start time that overlaps with previous sample timestamp for metric \
                 {metric}"
            ),
        );
    }

    pub(crate) fn mixed_in_aggregation(&mut self, span: Span) {
        self.warn(span, "encountered a mix of histograms and floats for aggregation");
    }

    pub(crate) fn mixed_classic_native(&mut self, metric: &str, span: Span) {
        let metric = for_metric(metric);
        self.warn(
            span,
            format_args!("vector contains a mix of classic and native histograms{metric}"),
        );
    }

    pub(crate) fn not_a_counter(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.warn(span, format_args!("this native histogram metric is not a counter: {metric}"));
    }

    pub(crate) fn not_a_gauge(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.warn(span, format_args!("this native histogram metric is not a gauge: {metric}"));
    }

    pub(crate) fn mixed_bucket_kinds(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.warn(
            span,
            format_args!(
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {metric}"
            ),
        );
    }

    pub(crate) fn incompatible_buckets(&mut self, op: &str, span: Span) {
        self.warn(
            span,
            format_args!("incompatible bucket layout encountered for binary operator {op}"),
        );
    }

    pub(crate) fn sort_in_range_query(&mut self, span: Span) {
        self.warn(
            span,
            "sort is ineffective for range queries since results are always ordered by labels",
        );
    }

    pub(crate) fn possible_non_counter(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.info(
            span,
            format_args!(
                "metric might not be a counter, name does not end in \
                 _total/_sum/_count/_bucket: {metric}"
            ),
        );
    }

    pub(crate) fn forced_monotonic(&mut self, metric: &str, forced: Forced, span: Span) {
        let text = format!(
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}",
            for_metric(metric)
        );
        if self.0.len() < MAX_NOTES {
            let entry = self.0.entry((Level::Info, text)).or_insert((span, None));
            match &mut entry.1 {
                Some(seen) => seen.merge(&forced),
                None => entry.1 = Some(forced),
            }
        }
    }

    pub(crate) fn incompatible_types(&mut self, left: &str, op: &str, right: &str, span: Span) {
        let quoted = quote(op);
        self.info(
            span,
            format_args!(
                "incompatible sample types encountered for binary operator {quoted}: {left} {op} \
                 {right}"
            ),
        );
    }

    pub(crate) fn ignored_in_aggregation(&mut self, op: &str, span: Span) {
        self.info(span, format_args!("ignored histogram in {op} aggregation"));
    }

    pub(crate) fn ignored_in_range(&mut self, metric: &str, span: Span) {
        let metric = quote(metric);
        self.info(
            span,
            format_args!(
                "ignored histograms in a range containing both floats and histograms for metric \
                 name {metric}"
            ),
        );
    }

    pub(crate) fn quantile_is_nan(&mut self, metric: &str, span: Span) {
        let metric = for_metric(metric);
        self.info(
            span,
            format_args!("input to histogram_quantile has NaN observations, result is NaN{metric}"),
        );
    }

    pub(crate) fn quantile_is_skewed(&mut self, metric: &str, span: Span) {
        let metric = for_metric(metric);
        self.info(
            span,
            format_args!(
                "input to histogram_quantile has NaN observations, result is skewed \
                 higher{metric}"
            ),
        );
    }

    pub(crate) fn fraction_without_nan(&mut self, metric: &str, span: Span) {
        let metric = for_metric(metric);
        self.info(
            span,
            format_args!(
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions{metric}"
            ),
        );
    }

    pub(crate) fn conflicting_resets(&mut self, combining: Combining, span: Span) {
        let what = combining.text();
        self.warn(span, format_args!("conflicting counter resets during histogram {what}"));
    }

    pub(crate) fn reconciled_buckets(&mut self, combining: Combining, span: Span) {
        let what = combining.text();
        self.info(span, format_args!("mismatched custom buckets were reconciled during {what}"));
    }

    /// The texts with the positions in `query`, sorted.
    pub(crate) fn into_annotations(self, query: &str) -> Annotations {
        let mut out = Annotations::default();
        for ((level, text), (span, forced)) in self.0 {
            let position = span.position(query);
            let detail = forced.map_or(String::new(), |f| describe_forced(&f));
            let line = format!("{text}{detail} ({position})");
            match level {
                Level::Warning => out.warnings.push(line),
                Level::Info => out.infos.push(line),
            }
        }
        out
    }
}

fn for_metric(metric: &str) -> String {
    if metric.is_empty() { String::new() } else { format!(" for metric name {}", quote(metric)) }
}

fn describe_forced(forced: &Forced) -> String {
    format!(
        ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
        format_number(forced.min_bucket),
        format_number(forced.max_bucket),
        two_digits(forced.max_diff),
        forced.samples,
        rfc3339(forced.first_ms),
        rfc3339(forced.last_ms)
    )
}

/// Two significant digits, as Go's `%.2g`.
fn two_digits(value: f64) -> String {
    let text = format!("{value:.1e}");
    let exponent: i32 = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if (-4..2).contains(&exponent) {
        let rounded: f64 = text.parse().unwrap_or(value);
        return format!("{rounded}");
    }
    let (mantissa, _) = text.split_once('e').unwrap_or((&text, ""));
    let mantissa = mantissa.trim_end_matches(".0");
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_second(ms.div_euclid(1000))
        .map_or_else(|_| ms.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
