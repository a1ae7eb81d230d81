//! Answers as rows of labels and points.

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};
use strata_model::Labels;
use strata_query::engine::Value;
use strata_query::{Answer, QueryError, QueryValue};

use crate::ask::{Answers, Plan};
use crate::window::Window;

/// One series of an answer.
pub(crate) struct Row<'a> {
    pub(crate) labels: &'a Labels,
    /// (milliseconds, value), in order of time; native histograms are left out. Most rows of a large
    /// fleet are of one moment, which needs no memory of its own.
    pub(crate) points: SmallVec<[(i64, f64); 1]>,
}

/// What became of a question.
pub(crate) enum Outcome<'a> {
    Rows(Vec<Row<'a>>),
    Failed(String),
    /// The plan does not ask it.
    NotAsked,
}

/// The answers of a plan by what was asked.
pub(crate) struct Book<'a> {
    keys: BTreeMap<(&'a str, bool), &'a str>,
    answers: &'a Answers,
}

static NO_LABELS: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::empty);

impl<'a> Book<'a> {
    pub(crate) fn new(plan: &'a Plan, answers: &'a Answers) -> Self {
        let keys = plan.queries.iter();
        let keys = keys.map(|query| ((query.text.as_str(), query.range), query.key.as_str()));
        Self { keys: keys.collect(), answers }
    }

    pub(crate) fn asked(&self, text: &str, range: bool) -> bool {
        self.keys.contains_key(&(text, range))
    }

    /// The key by which a text was asked.
    pub(crate) fn key(&self, text: &str, range: bool) -> Option<&'a str> {
        self.keys.get(&(text, range)).copied()
    }

    pub(crate) fn outcome(&self, text: &str, range: bool) -> Outcome<'a> {
        match self.key(text, range) {
            Some(key) => self.by_key(key),
            None => Outcome::NotAsked,
        }
    }

    pub(crate) fn by_key(&self, key: &str) -> Outcome<'a> {
        match self.answers.queries.get(key) {
            Some(Ok(answer)) => Outcome::Rows(answer_rows(answer)),
            other => Outcome::Failed(failure(other)),
        }
    }

    /// Why a question has no answer; none where it has one. Reads no rows.
    pub(crate) fn why_failed(&self, key: &str) -> Option<String> {
        let answer = self.answers.queries.get(key);
        (!matches!(answer, Some(Ok(_)))).then(|| failure(answer))
    }
}

fn failure(answer: Option<&Result<Answer, QueryError>>) -> String {
    match answer {
        Some(Err(error)) => format!("the query failed: {error}"),
        _ => "the query was not answered".to_owned(),
    }
}

/// The series of an answer, in order of labels.
pub(crate) fn answer_rows(answer: &Answer) -> Vec<Row<'_>> {
    match &answer.value {
        QueryValue::Scalar(at, value) => {
            vec![Row { labels: &NO_LABELS, points: smallvec![(*at, *value)] }]
        }
        QueryValue::String(..) => Vec::new(),
        QueryValue::Vector(series) | QueryValue::Matrix(series) => {
            // Engines promise no order among series; the World has one.
            let mut rows: Vec<Row<'_>> = series
                .iter()
                .map(|series| {
                    let points = series.points.iter().filter_map(|(at, value)| match value {
                        Value::Float(value) => Some((*at, *value)),
                        Value::Histogram(_) => None,
                    });
                    Row { labels: &series.labels, points: points.collect() }
                })
                .filter(|row| !row.points.is_empty())
                .collect();
            rows.sort_by(|a, b| a.labels.cmp(b.labels));
            rows
        }
    }
}

/// Points on the grid: one value per step, none where there is none or it is no number.
pub(crate) fn on_grid(window: Window, points: &[(i64, f64)]) -> Vec<Option<f64>> {
    let mut track = vec![None; window.len()];
    for (at, value) in points {
        let offset = at - window.start_ms;
        let index = usize::try_from(offset / window.step_ms).ok();
        if offset % window.step_ms == 0
            && value.is_finite()
            && let Some(cell) = index.and_then(|index| track.get_mut(index))
        {
            *cell = Some(*value);
        }
    }
    track
}

/// The value at the end of the window; it may be no number.
pub(crate) fn at_end(window: Window, points: &[(i64, f64)]) -> Option<f64> {
    let (at, value) = points.last()?;
    (*at >= window.end_ms).then_some(*value)
}
