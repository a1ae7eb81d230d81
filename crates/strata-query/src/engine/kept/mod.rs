//! Range queries that go on from their last answer: a page that is looked at again asks only for
//! what has come since.
//!
//! A point of a range query depends on samples up to its own time, so a point before everything that
//! was written since ([`MetricsEngine::changed_since`]) stays what it is. Where the engine cannot say
//! what was written, the newest points are always asked for anew: samples arrive up to
//! [`SETTLED_MS`] late, as in `VictoriaMetrics`' result cache; and nothing older than
//! [`UNTOLD_MS`] is reused.
//!
//! Under a canonical name a point may see a little more: a better exporter of the same thing, or the
//! other name of a renamed metric, is looked for up to five minutes around a sample, as far as the
//! question reads. A point that was read with others then agrees with those, and may differ from one
//! that is asked for alone where an exporter came or went a moment ago.

mod shelf;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use strata_model::sink::BoxFuture;
use strata_model::{Clock, Labels, Metadata};

use self::shelf::{Kept, Key, POINTS_MAX, Shelf};
use super::moment::{add_moment, part, range_and_moment};
use super::{
    Annotations, Answer, AnswerSeries, InstantQuery, MetricsEngine, QueryError, QueryValue,
    RangeQuery, SeriesQuery, Value,
};

/// Samples of this age count as settled where nobody tells of later ones, in milliseconds.
pub const SETTLED_MS: i64 = 5 * 60_000;
/// How long an answer is gone on from where nobody tells of samples that arrive late, in
/// milliseconds: what a sender delivers after an outage is then seen after this time.
pub const UNTOLD_MS: i64 = 5 * 60_000;
/// What a native histogram weighs, in points: some dozen buckets.
const HISTOGRAM_POINTS: usize = 64;
/// Up to so far apart a last step and the moment after it are read together, in milliseconds; what lies
/// between them is read too.
const JOINED_MS: i64 = 10 * 60_000;

/// What is known of the past at one moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now_ms: i64,
    version: Option<u64>,
}

impl Moment {
    /// The last time up to which an answer that was kept still holds.
    fn trusts(self, kept: &Kept, engine: &dyn MetricsEngine) -> i64 {
        let age_ms = self.now_ms.saturating_sub(kept.asked_ms);
        match (kept.version, self.version) {
            (Some(version), Some(_)) => engine.changed_since(version).saturating_sub(1),
            (None, None) if age_ms <= UNTOLD_MS => kept.end_ms,
            _ => i64::MIN,
        }
    }
}

/// An engine that keeps the settled part of what range queries answered.
pub struct KeptEngine {
    inner: Arc<dyn MetricsEngine>,
    clock: Arc<dyn Clock>,
    shelf: Arc<Mutex<Shelf>>,
    /// The moment whose queries this is for: what they share was evaluated with what was known then.
    moment: Option<Moment>,
}

impl KeptEngine {
    /// Keep what `inner` answers.
    pub fn new(inner: Arc<dyn MetricsEngine>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, shelf: Arc::default(), moment: None }
    }

    fn moment(&self) -> Moment {
        Moment { now_ms: self.clock.now_ms(), version: self.inner.version() }
    }

    /// What is kept of the question, as far as it still holds and is asked for.
    fn holds(&self, key: &Key, query: &RangeQuery, moment: Moment) -> Option<Kept> {
        let mut kept = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).take(key)?;
        let last = kept.end_ms.min(moment.trusts(&kept, &*self.inner));
        kept.end_ms = on_grid(query.start_ms, last, query.step_ms)?;
        (kept.start_ms <= query.start_ms).then_some(kept)
    }

    async fn resume(&self, query: RangeQuery) -> Result<Answer, QueryError> {
        let Some(key) = key_of(&query) else { return self.inner.range(query).await };
        // Before the question: what is written while it is answered counts as unseen.
        let moment = self.moment.unwrap_or_else(|| self.moment());
        let kept = self.holds(&key, &query, moment);
        let answer = match &kept {
            Some(kept) if kept.end_ms >= query.end_ms => nothing_new(),
            Some(kept) => {
                let start_ms = kept.end_ms + query.step_ms;
                self.inner.range(RangeQuery { start_ms, ..query.clone() }).await?
            }
            None => self.inner.range(query.clone()).await?,
        };
        Ok(self.join(key, &query, moment, kept, answer))
    }

    /// As the range and the moment one after the other. Where only the last step is missing, it is
    /// asked for together with the moment: both look at nearly the same samples, and to find and
    /// read these is most of the work.
    async fn resume_to_moment(&self, query: RangeQuery, at_ms: i64) -> Result<Answer, QueryError> {
        let moment = self.moment.unwrap_or_else(|| self.moment());
        let near = (1..=JOINED_MS).contains(&(at_ms - query.end_ms));
        let key = key_of(&query).filter(|_| moment.version.is_some() && near);
        let Some(key) = key else { return range_and_moment(self, query, at_ms).await };
        let kept = self.holds(&key, &query, moment);
        if kept.as_ref().map(|kept| kept.end_ms + query.step_ms) != Some(query.end_ms) {
            return range_and_moment(self, query, at_ms).await;
        }
        let (start_ms, step_ms) = (query.end_ms, at_ms - query.end_ms);
        let both = RangeQuery { start_ms, end_ms: at_ms, step_ms, ..query.clone() };
        let (step, now) = part(self.inner.range(both).await?, at_ms);
        let mut answer = self.join(key, &query, moment, kept, step);
        add_moment(&mut answer, now, query.end_ms + query.step_ms);
        Ok(answer)
    }

    /// What was kept with what is new, kept in its turn.
    fn join(
        &self,
        key: Key,
        query: &RangeQuery,
        moment: Moment,
        kept: Option<Kept>,
        answer: Answer,
    ) -> Answer {
        let (start_ms, end_ms, step_ms) = (query.start_ms, query.end_ms, query.step_ms);
        let QueryValue::Matrix(new) = answer.value else { return answer };
        let asked_ms = kept.as_ref().map_or(moment.now_ms, |kept| kept.asked_ms);
        let (series, annotations) = match kept {
            Some(kept) => joined(&kept, new, (start_ms, end_ms), answer.annotations),
            None => (new, answer.annotations),
        };
        let settled_ms = moment.now_ms.saturating_sub(SETTLED_MS);
        let last = if moment.version.is_some() { end_ms } else { settled_ms.min(end_ms) };
        if let Some(end_ms) = on_grid(start_ms, last, step_ms) {
            let asked = Moment { now_ms: asked_ms, ..moment };
            self.keep(key, asked, (start_ms, end_ms), &series, &annotations);
        }
        Answer { value: QueryValue::Matrix(series), annotations }
    }

    fn keep(
        &self,
        key: Key,
        asked: Moment,
        (start_ms, end_ms): (i64, i64),
        series: &[AnswerSeries],
        annotations: &Annotations,
    ) {
        let settled = series.iter().filter_map(|one| {
            let count = one.points.partition_point(|(at_ms, _)| *at_ms <= end_ms);
            let points = one.points.get(..count)?.to_vec();
            (count > 0).then(|| AnswerSeries { labels: one.labels.clone(), points })
        });
        let series: Vec<_> = settled.collect();
        // A series weighs something without its points too.
        let points = series.iter().map(weight).sum::<usize>() + 8;
        if points > POINTS_MAX / 4 {
            return;
        }
        let series = Arc::new(series);
        let annotations = annotations.clone();
        let (version, asked_ms) = (asked.version, asked.now_ms);
        let kept =
            Kept { start_ms, end_ms, version, asked_ms, series, annotations, points, used: 0 };
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).put(key, kept);
    }
}

fn nothing_new() -> Answer {
    Answer { value: QueryValue::Matrix(Vec::new()), annotations: Annotations::default() }
}

/// What a series weighs in points, its labels included.
fn weight(series: &AnswerSeries) -> usize {
    let points = series.points.iter().map(|(_, value)| match value {
        Value::Float(_) => 1,
        Value::Histogram(_) => HISTOGRAM_POINTS,
    });
    points.sum::<usize>() + 8
}

/// `None` where a point may depend on more than the samples up to its time, or on the range it is
/// asked in: modifiers that move the time, and durations computed from the range.
fn key_of(query: &RangeQuery) -> Option<Key> {
    let text = &query.text;
    // Keywords may be written in capitals. `smoothed` reads beyond its step.
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
    let moving = ["range", "step", "start", "end", "smoothed"];
    // An offset by a plain duration looks back, where nothing is to come.
    let ahead = |rest: &str| !rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let moves = lower.contains('@')
        || words.any(|word| moving.contains(&word))
        || lower.split("offset").skip(1).any(ahead);
    (!moves && query.step_ms > 0 && query.start_ms <= query.end_ms).then(|| Key {
        text: text.clone(),
        step_ms: query.step_ms,
        phase_ms: query.start_ms.rem_euclid(query.step_ms),
        lookback_ms: query.lookback_ms,
    })
}

/// The last step at or before `last`, if there is one.
fn on_grid(start_ms: i64, last: i64, step_ms: i64) -> Option<i64> {
    (last >= start_ms).then(|| last - last.saturating_sub(start_ms).rem_euclid(step_ms))
}

/// The kept points within the range, then the new ones.
fn joined(
    kept: &Kept,
    new: Vec<AnswerSeries>,
    (start_ms, end_ms): (i64, i64),
    mut annotations: Annotations,
) -> (Vec<AnswerSeries>, Annotations) {
    let mut rest: HashMap<Labels, AnswerSeries> = HashMap::with_capacity(new.len());
    let mut order = Vec::with_capacity(new.len());
    for one in new {
        order.push(one.labels.clone());
        rest.insert(one.labels.clone(), one);
    }
    let mut series = Vec::with_capacity(kept.series.len().max(order.len()));
    for one in kept.series.iter() {
        let from = one.points.partition_point(|(at_ms, _)| *at_ms < start_ms);
        let to = one.points.partition_point(|(at_ms, _)| *at_ms <= end_ms.min(kept.end_ms));
        let mut points = one.points.get(from..to).unwrap_or_default().to_vec();
        if let Some(new) = rest.remove(&one.labels) {
            points.extend(new.points);
        }
        if !points.is_empty() {
            series.push(AnswerSeries { labels: one.labels.clone(), points });
        }
    }
    series.extend(order.into_iter().filter_map(|labels| rest.remove(&labels)));
    let said = [
        (&mut annotations.warnings, &kept.annotations.warnings),
        (&mut annotations.infos, &kept.annotations.infos),
    ];
    for (said, before) in said {
        let missing: Vec<_> = before.iter().filter(|text| !said.contains(text)).cloned().collect();
        said.splice(0..0, missing);
    }
    (series, annotations)
}

impl MetricsEngine for KeptEngine {
    fn instant(&self, query: InstantQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        self.inner.instant(query)
    }

    fn range(&self, query: RangeQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        Box::pin(self.resume(query))
    }

    fn range_and_moment(
        &self,
        query: RangeQuery,
        moment_ms: i64,
    ) -> BoxFuture<'_, Result<Answer, QueryError>> {
        Box::pin(self.resume_to_moment(query, moment_ms))
    }

    fn series(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<Labels>, QueryError>> {
        self.inner.series(query)
    }

    fn label_names(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        self.inner.label_names(query)
    }

    fn label_values(
        &self,
        name: String,
        query: SeriesQuery,
    ) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        self.inner.label_values(name, query)
    }

    fn metadata(&self) -> BoxFuture<'_, Result<Vec<Metadata>, QueryError>> {
        self.inner.metadata()
    }

    fn format(&self, text: &str) -> Result<String, QueryError> {
        self.inner.format(text)
    }

    fn for_one_moment(&self) -> Option<Arc<dyn MetricsEngine>> {
        // The moment before the engine for it: what is written in between counts as unseen.
        let moment = self.moment();
        let inner = self.inner.for_one_moment()?;
        let (clock, shelf) = (Arc::clone(&self.clock), Arc::clone(&self.shelf));
        Some(Arc::new(Self { inner, clock, shelf, moment: Some(moment) }))
    }

    fn version(&self) -> Option<u64> {
        self.inner.version()
    }

    fn changed_since(&self, version: u64) -> i64 {
        self.inner.changed_since(version)
    }
}

#[cfg(test)]
mod tests;
