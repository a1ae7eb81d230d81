//! Carries out the commands of a file.

use std::collections::BTreeMap;

use strata_model::histogram::ClassicBucket;
use strata_model::{Labels, METRIC_NAME, NativeHistogram};

use super::compare::{Times, compare};
use super::numbers::Written;
use super::script::{Command, Eval, When, parse};
use super::source::MemorySource;
use super::{Failure, FileReport};
use crate::engine::{Answer, AnswerSeries, QueryError, QueryValue};
use crate::promql::{EvalOptions, Query, evaluate, syntax};

/// Something that answers queries over a source. Times in milliseconds.
pub trait Subject {
    /// Evaluate once.
    fn instant(&self, source: &MemorySource, text: &str, at_ms: i64) -> Result<Answer, QueryError>;

    /// Evaluate at every step of a range.
    fn range(
        &self,
        source: &MemorySource,
        text: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Answer, QueryError>;
}

/// The evaluator of this crate.
#[derive(Debug, Default)]
pub struct Embedded {
    pub options: EvalOptions,
}

impl Subject for Embedded {
    fn instant(&self, source: &MemorySource, text: &str, at_ms: i64) -> Result<Answer, QueryError> {
        let query = Query { text, start_ms: at_ms, end_ms: at_ms, step_ms: None };
        evaluate(source, &query, &self.options, &|| None)
    }

    fn range(
        &self,
        source: &MemorySource,
        text: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Answer, QueryError> {
        let query = Query { text, start_ms, end_ms, step_ms: Some(step_ms) };
        evaluate(source, &query, &self.options, &|| None)
    }
}

/// Run the text of a file. Every `eval` counts as one case; so does a command that cannot be read.
pub fn run(text: &str, subject: &dyn Subject) -> FileReport {
    let mut source = MemorySource::new();
    let mut report = FileReport::default();
    for command in parse(text) {
        match command {
            Err((line, what)) => report.failed.push(Failure { line, what }),
            Ok(Command::Clear) => source.clear(),
            Ok(Command::Load { gap_ms, series, starts, with_nhcb }) => {
                load(&mut source, gap_ms, &series, with_nhcb);
                load_starts(&mut source, gap_ms, &starts);
            }
            Ok(Command::Eval(eval)) => match check(&eval, &source, subject) {
                Ok(()) => report.passed += 1,
                Err(what) => {
                    let what = format!("{}: {what}", eval.text);
                    report.failed.push(Failure { line: eval.line, what });
                }
            },
        }
    }
    report
}

/// Fill a source with the `load` commands of a text, for tests that ask it in ways of their own.
///
/// # Errors
/// The first command that cannot be read or is no `load` or `clear`, with its line, from 1.
pub fn load_all(text: &str) -> Result<MemorySource, Failure> {
    let mut source = MemorySource::new();
    for command in parse(text) {
        match command {
            Err((line, what)) => return Err(Failure { line, what }),
            Ok(Command::Clear) => source.clear(),
            Ok(Command::Load { gap_ms, series, starts, with_nhcb }) => {
                load(&mut source, gap_ms, &series, with_nhcb);
                load_starts(&mut source, gap_ms, &starts);
            }
            Ok(Command::Eval(eval)) => {
                let what = "only load and clear are expected".to_owned();
                return Err(Failure { line: eval.line, what });
            }
        }
    }
    Ok(source)
}

fn load(
    source: &mut MemorySource,
    gap_ms: i64,
    series: &[(Labels, Vec<Written>)],
    with_nhcb: bool,
) {
    for (labels, values) in series {
        for (at, value) in values.iter().enumerate() {
            let time = at as i64 * gap_ms;
            match value {
                Written::Omitted => {}
                Written::Float(value) => source.push_float(labels, time, *value),
                Written::Histogram(literal) => {
                    source.push_histogram(labels, time, literal.histogram.clone());
                }
            }
        }
    }
    if with_nhcb {
        for (labels, histograms) in converted(series) {
            for (at, histogram) in histograms {
                source.push_histogram(&labels, at as i64 * gap_ms, histogram);
            }
        }
    }
    source.settle_hints();
}

/// Start times are written as distances from the samples they belong to.
fn load_starts(source: &mut MemorySource, gap_ms: i64, starts: &[(Labels, Vec<Written>)]) {
    for (labels, values) in starts {
        for (at, value) in values.iter().enumerate() {
            if let Written::Float(seconds) = value {
                let time = at as i64 * gap_ms;
                source.push_start(labels, time, time + (seconds * 1000.0).round() as i64);
            }
        }
    }
}

/// What the classic series of one histogram say at one step.
#[derive(Default)]
struct Classic {
    buckets: Vec<ClassicBucket>,
    count: Option<f64>,
    sum: f64,
}

/// Classic histograms as native ones with custom bounds, by step.
fn converted(series: &[(Labels, Vec<Written>)]) -> BTreeMap<Labels, Vec<(usize, NativeHistogram)>> {
    let mut found: BTreeMap<Labels, BTreeMap<usize, Classic>> = BTreeMap::new();
    for (labels, values) in series {
        let name = labels.metric_name();
        let Some((base, part @ ("bucket" | "count" | "sum"))) = name.rsplit_once('_') else {
            continue;
        };
        let bound = labels.get("le").and_then(syntax::parse_number);
        if part == "bucket" && bound.is_none() {
            continue;
        }
        let rest = labels.filtered(|name| name != "le");
        let key = rest.to_builder().set(METRIC_NAME, base).build();
        let steps = found.entry(key).or_default();
        for (at, value) in values.iter().enumerate() {
            let Written::Float(value) = value else { continue };
            let classic = steps.entry(at).or_default();
            match (part, bound) {
                ("bucket", Some(upper_bound)) => {
                    classic.buckets.push(ClassicBucket { upper_bound, count: *value });
                }
                ("count", _) => classic.count = Some(*value),
                _ => classic.sum = *value,
            }
        }
    }
    let convert = |steps: BTreeMap<usize, Classic>| {
        let histograms = steps.into_iter().filter_map(|(at, classic)| {
            let found = NativeHistogram::from_classic(&classic.buckets, classic.count, classic.sum);
            Some((at, found.ok()?))
        });
        histograms.collect()
    };
    found.into_iter().map(|(labels, steps)| (labels, convert(steps))).collect()
}

fn check(eval: &Eval, source: &MemorySource, subject: &dyn Subject) -> Result<(), String> {
    match eval.when {
        When::Range { start, end, step } => {
            let answer = subject.range(source, &eval.text, start, end, step);
            let Some(answer) = expected_outcome(eval, answer)? else { return Ok(()) };
            eval.expect.notes(&answer.annotations)?;
            sorted(&answer.value)?;
            compare(&eval.expect, &answer.value, Some(Times { start, end, step }))
        }
        When::Instant(at) => {
            check_instant(eval, source, subject, &eval.text, at)?;
            for (text, time) in super::variants::pinned(&eval.text, at) {
                check_instant(eval, source, subject, &text, time)
                    .map_err(|why| format!("as {text} at {time} ms: {why}"))?;
            }
            Ok(())
        }
    }
}

/// The answer, or nothing when the query failed as it should.
fn expected_outcome(
    eval: &Eval,
    outcome: Result<Answer, QueryError>,
) -> Result<Option<Answer>, String> {
    match (outcome, eval.expect.fail.first()) {
        (Ok(answer), None) => Ok(Some(answer)),
        (Ok(_), Some(wanted)) => Err(format!("expected failure {wanted:?}, but it succeeded")),
        (Err(error), Some(wanted)) if wanted.holds(&error.message) => Ok(None),
        (Err(error), Some(wanted)) => Err(format!("expected failure {wanted:?}, got {error}")),
        (Err(error), None) => Err(error.message),
    }
}

fn check_instant(
    eval: &Eval,
    source: &MemorySource,
    subject: &dyn Subject,
    text: &str,
    at: i64,
) -> Result<(), String> {
    let outcome = subject.instant(source, text, at);
    let Some(answer) = expected_outcome(eval, outcome)? else { return Ok(()) };
    eval.expect.notes(&answer.annotations)?;
    let times = eval.points.map(|(start, end, step)| Times { start, end, step });
    let single_step = Times { start: at, end: at, step: 1 };
    let times = match &answer.value {
        QueryValue::Matrix(_) => Some(times.unwrap_or(single_step)),
        _ => None,
    };
    compare(&eval.expect, &answer.value, times)?;
    let follows_range = ["start()", "end()", "range()", "step()"];
    if eval.points.is_some()
        || eval.expect.string.is_some()
        || follows_range.iter().any(|call| text.contains(call))
    {
        return Ok(());
    }
    in_range_mode(eval, source, subject, text, at, &answer.value)
        .map_err(|why| format!("in range mode: {why}"))
}

/// The same query as the middle step of a range of three.
fn in_range_mode(
    eval: &Eval,
    source: &MemorySource,
    subject: &dyn Subject,
    text: &str,
    at: i64,
    instant: &QueryValue,
) -> Result<(), String> {
    const MINUTE: i64 = 60_000;
    let answer = subject.range(source, text, at - MINUTE, at + MINUTE, MINUTE);
    let answer = answer.map_err(|error| error.message)?;
    if eval.expect.ordered {
        return Ok(());
    }
    sorted(&answer.value)?;
    let QueryValue::Matrix(series) = answer.value else {
        return Err("a range query must give a matrix".to_owned());
    };
    let middle: Vec<AnswerSeries> = series
        .into_iter()
        .filter_map(|one| {
            let point = one.points.into_iter().find(|(time, _)| *time == at)?;
            Some(AnswerSeries { labels: one.labels, points: vec![point] })
        })
        .collect();
    let value = match (instant, middle.first().and_then(|one| one.points.first())) {
        (QueryValue::Scalar(..), Some((_, crate::engine::Value::Float(value)))) => {
            QueryValue::Scalar(at, *value)
        }
        _ => QueryValue::Vector(middle),
    };
    compare(&eval.expect, &value, None)
}

fn sorted(value: &QueryValue) -> Result<(), String> {
    match value {
        QueryValue::Matrix(series) if !series.is_sorted_by(|a, b| a.labels <= b.labels) => {
            Err("a matrix must be ordered by labels".to_owned())
        }
        _ => Ok(()),
    }
}
