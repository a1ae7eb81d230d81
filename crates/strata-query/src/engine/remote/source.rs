//! The engine's raw samples as a source of series, for what its query language cannot say: the
//! samples are fetched and evaluated here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strata_model::catalog::Catalog;
use strata_model::{
    Labels, METRIC_NAME, MatchOp, Matcher, Metadata, Points, SelectError, Selection, Series,
    SeriesSource,
};
use tokio::runtime::Handle;

use super::http::Http;
use super::lookup::{self, Lookups, seconds, selector_text};
use super::wire::{Data, MetadataData, metric_kind};
use crate::engine::{AnswerSeries, QueryError, QueryErrorKind, QueryValue, Value};
use crate::promql::syntax::format_duration_ms;

/// Blocks the thread it is asked on, which must be one for blocking work. One per question.
pub(super) struct RemoteSource {
    pub(super) http: Arc<Http>,
    pub(super) lookups: Arc<Lookups>,
    pub(super) handle: Handle,
    pub(super) timeout: Duration,
    pub(super) catalog: &'static Catalog,
}

impl RemoteSource {
    fn wait<T>(
        &self,
        question: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, SelectError> {
        self.handle.block_on(question).map_err(|error| match error.kind {
            QueryErrorKind::Internal | QueryErrorKind::Canceled => {
                SelectError::Storage(error.message)
            }
            _ => SelectError::Limit(error.message),
        })
    }

    /// Without the values that mean "no value", which our own collectors leave out.
    fn real(&self, mut series: Series) -> Series {
        let name = series.labels.get(METRIC_NAME).unwrap_or_default().to_owned();
        let Some(source) = self.catalog.source_of_family(&name) else { return series };
        if source.sentinels_of(&name).next().is_none() {
            return series;
        }
        let pairs = series.points.times.iter().zip(&series.points.values);
        let kept = pairs.filter(|(_, value)| !source.sentinel(&name, **value));
        let (times, values): (Vec<i64>, Vec<f64>) = kept.map(|(at, value)| (*at, *value)).unzip();
        series.points.times = times.into();
        series.points.values = values;
        series
    }

    /// Those sets that ask for no name, or for one that exists. A canonical name has many sources,
    /// and most are not there.
    async fn possible(
        &self,
        sets: &[Vec<Matcher>],
        span: (i64, i64),
    ) -> Result<Vec<Vec<Matcher>>, QueryError> {
        let mut possible = Vec::new();
        for set in sets {
            let named = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
            let there = match set.iter().find(named) {
                Some(matcher) => self.lookups.exists(&matcher.value, span).await?,
                None => true,
            };
            if there {
                possible.push(set.clone());
            }
        }
        Ok(possible)
    }
}

impl SeriesSource for RemoteSource {
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        let (start, end) = (selection.start_ms, selection.end_ms);
        if start > end {
            return Ok(Vec::new());
        }
        self.wait(async {
            let sets = std::slice::from_ref(&selection.matchers);
            if self.possible(sets, (start, end)).await?.is_empty() {
                return Ok(Vec::new());
            }
            // Ranges are open at their left end since Prometheus 3.
            let range = end.saturating_sub(start).saturating_add(1);
            let text =
                format!("{}[{}]", selector_text(&selection.matchers), format_duration_ms(range));
            let parameters = vec![
                ("query", text),
                ("time", seconds(end)),
                ("timeout", format!("{}ms", self.timeout.as_millis())),
                ("nocache", "1".to_owned()),
            ];
            let (data, _) = self.http.ask::<Data>("query", &parameters, self.timeout).await?;
            let value = data.into_value().map_err(|error| {
                super::http::internal(format!("the engine's answer cannot be read: {error}"))
            })?;
            let QueryValue::Matrix(rows) = value else { return Ok(Vec::new()) };
            let series = rows.into_iter().map(|row| in_range(row, start, end));
            Ok(series.map(|one| self.real(one)).collect())
        })
    }

    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        let span = (start_ms, end_ms);
        self.wait(async {
            let possible = self.possible(sets, span).await?;
            if possible.is_empty() && !sets.is_empty() {
                return Ok(Vec::new());
            }
            lookup::series(&self.http, &possible, span, limit, self.timeout).await
        })
    }

    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        let span = (start_ms, end_ms);
        self.wait(lookup::label_names(&self.http, sets, span, self.timeout))
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        let span = (start_ms, end_ms);
        self.wait(lookup::label_values(&self.http, name, sets, span, self.timeout))
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        self.wait(async {
            let (data, _) =
                self.http.ask::<MetadataData>("metadata", &Vec::new(), self.timeout).await?;
            let first = data.into_iter().map(|(family, declared)| {
                let declared = declared.into_iter().next().unwrap_or_default();
                Metadata {
                    family,
                    kind: metric_kind(&declared.kind),
                    unit: declared.unit,
                    help: declared.help,
                }
            });
            Ok(first.collect())
        })
    }
}

fn in_range(row: AnswerSeries, start: i64, end: i64) -> Series {
    let inside = row.points.into_iter().filter(|(at, _)| (start..=end).contains(at));
    let mut floats: BTreeMap<i64, f64> = BTreeMap::new();
    let mut histograms = BTreeMap::new();
    for (at, value) in inside {
        match value {
            Value::Float(value) => drop(floats.insert(at, value)),
            Value::Histogram(histogram) => drop(histograms.insert(at, histogram)),
        }
    }
    let points = Points {
        times: floats.keys().copied().collect(),
        values: floats.into_values().collect(),
        histograms: histograms.into_iter().collect(),
        ..Points::default()
    };
    Series { labels: row.labels, points }
}
