//! The numbers of one model, tenant and route.

use std::collections::BTreeMap;

use strata_model::NativeHistogram;

use super::bounds::{LENGTH_BOUNDS, OVERHEAD_BOUNDS, PACE_BOUNDS, RATE_BOUNDS, TIME_BOUNDS};
use super::histogram::Histogram;
use super::names;
use super::spread::Spread;
use crate::call::{CountSource, GenAiCall};

/// What a series holds at one time.
pub(super) enum Figure {
    Number(f64),
    Spread(Box<NativeHistogram>),
}

/// Is told one value: metric, suffix of its series, labels.
type Told<'a> = dyn FnMut(&str, &str, &[(&str, &str)], Figure) + 'a;

/// Finish reasons told apart; an upstream may say anything.
const REASONS_MAX: usize = 16;
/// Statuses told apart.
const STATUSES_MAX: usize = 32;

/// Counts of one group since the start.
#[derive(Debug)]
pub(super) struct Group {
    /// By outcome and status; status 0 stands for none.
    requests: BTreeMap<(&'static str, u16), u64>,
    reasons: BTreeMap<String, u64>,
    duration: BTreeMap<&'static str, Histogram>,
    tpot: BTreeMap<&'static str, Histogram>,
    /// Histograms without labels of their own.
    plain: [(&'static str, Histogram); 8],
    gaps: Spread,
    /// Totals by metric and source of the count.
    tokens: BTreeMap<(&'static str, &'static str), u64>,
}

/// Indexes into `plain`.
const TTFT: usize = 0;
const TTFB: usize = 1;
const TTFO: usize = 2;
const STALL: usize = 3;
const INPUT: usize = 4;
const OUTPUT: usize = 5;
const THROUGHPUT: usize = 6;
const OVERHEAD: usize = 7;

impl Default for Group {
    fn default() -> Self {
        let plain = [
            (names::TTFT, Histogram::new(&TIME_BOUNDS)),
            (names::TTFB, Histogram::new(&TIME_BOUNDS)),
            (names::TTFO, Histogram::new(&TIME_BOUNDS)),
            (names::STALL, Histogram::new(&TIME_BOUNDS)),
            (names::INPUT_LENGTH, Histogram::new(&LENGTH_BOUNDS)),
            (names::OUTPUT_LENGTH, Histogram::new(&LENGTH_BOUNDS)),
            (names::THROUGHPUT, Histogram::new(&RATE_BOUNDS)),
            (names::OVERHEAD, Histogram::new(&OVERHEAD_BOUNDS)),
        ];
        Self {
            requests: BTreeMap::new(),
            reasons: BTreeMap::new(),
            duration: BTreeMap::new(),
            tpot: BTreeMap::new(),
            plain,
            gaps: Spread::default(),
            tokens: BTreeMap::new(),
        }
    }
}

impl Group {
    /// Count a call that has ended.
    pub(super) fn count(&mut self, call: &GenAiCall) {
        let outcome = call.outcome.name();
        let key = (outcome, call.status.unwrap_or(0));
        if self.requests.len() < STATUSES_MAX || self.requests.contains_key(&key) {
            *self.requests.entry(key).or_default() += 1;
        } else {
            *self.requests.entry((outcome, 0)).or_default() += 1;
        }
        let duration = self.duration.entry(outcome);
        let duration = duration.or_insert_with(|| Histogram::new(&TIME_BOUNDS));
        duration.add(call.duration().as_secs_f64());
        if let Some(reason) = &call.finish_reason {
            let known = self.reasons.len() < REASONS_MAX || self.reasons.contains_key(reason);
            let reason = if known { reason.as_str() } else { "other" };
            *self.reasons.entry(reason.to_owned()).or_default() += 1;
        }
        let times = &call.timings;
        let gaps = &call.gaps;
        self.plain[TTFB].1.time(times.since_received(times.head));
        self.plain[OVERHEAD].1.add(times.overhead.as_secs_f64());
        if call.streamed {
            self.plain[TTFT].1.time(times.since_received(times.first_token));
            self.plain[TTFO].1.time(times.since_received(times.first_output));
            self.gaps.merge(&gaps.spread);
            self.plain[STALL].1.time((gaps.count > 0).then_some(gaps.longest));
            self.pace(call);
        }
        self.tokens(call);
    }

    fn pace(&mut self, call: &GenAiCall) {
        let Some(tpot) = call.tpot() else { return };
        let source = call.tokens.output_source.name();
        let histogram = self.tpot.entry(source).or_insert_with(|| Histogram::new(&PACE_BOUNDS));
        histogram.add(tpot.as_secs_f64());
        if !tpot.is_zero() {
            self.plain[THROUGHPUT].1.add(1.0 / tpot.as_secs_f64());
        }
    }

    fn tokens(&mut self, call: &GenAiCall) {
        let tokens = &call.tokens;
        let usage = CountSource::Usage.name();
        let mut add = |metric, source, count: Option<u64>| {
            if let Some(count) = count {
                *self.tokens.entry((metric, source)).or_default() += count;
            }
        };
        add(names::INPUT_TOKENS, usage, tokens.input);
        add(names::OUTPUT_TOKENS, tokens.output_source.name(), tokens.output);
        add(names::CACHED_TOKENS, "", tokens.cache_read);
        add(names::REASONING_TOKENS, "", tokens.reasoning);
        if let Some(input) = tokens.input {
            self.plain[INPUT].1.add(input as f64);
        }
        // A count of chunks is no length; mixed in, it would bend the distribution silently.
        if let (Some(output), CountSource::Usage) = (tokens.output, tokens.output_source) {
            self.plain[OUTPUT].1.add(output as f64);
        }
    }

    /// Tell every series: metric, suffix, labels of its own, value.
    pub(super) fn tell(&self, told: &mut Told<'_>) {
        for ((outcome, status), count) in &self.requests {
            let status = if *status == 0 { String::new() } else { status.to_string() };
            let labels = [("outcome", *outcome), ("status", status.as_str())];
            told(names::REQUESTS, "", &labels, number(*count));
        }
        for (reason, count) in &self.reasons {
            told(names::FINISH_REASONS, "", &[("reason", reason)], number(*count));
        }
        for ((metric, source), count) in &self.tokens {
            told(metric, "", &[("count_source", source)], number(*count));
        }
        for (outcome, histogram) in &self.duration {
            series(names::DURATION, ("outcome", outcome), histogram, told);
        }
        for (source, histogram) in &self.tpot {
            series(names::TPOT, ("count_source", source), histogram, told);
        }
        for (metric, histogram) in &self.plain {
            series(metric, ("kind", ""), histogram, told);
        }
        if let Some(gaps) = self.gaps.histogram() {
            told(names::ITL, "", &[("kind", "chunk")], Figure::Spread(Box::new(gaps)));
        }
    }
}

/// The series of a classic histogram.
fn series(metric: &str, own: (&str, &str), histogram: &Histogram, told: &mut Told<'_>) {
    if histogram.is_empty() {
        return;
    }
    for (bound, count) in histogram.cumulative() {
        let bound = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
        told(metric, "_bucket", &[own, ("le", &bound)], number(count));
    }
    told(metric, "_sum", &[own], Figure::Number(histogram.sum()));
    told(metric, "_count", &[own], number(histogram.count()));
}

fn number(count: u64) -> Figure {
    Figure::Number(count as f64)
}
