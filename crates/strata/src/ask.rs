//! Asking many queries of one moment: some at a time, under one deadline.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use strata_model::{Clock, Labels};
use strata_query::engine::{AnswerSeries, Value};
use strata_query::{
    Answer, InstantQuery, MetricsEngine, QueryError, QueryErrorKind, QueryValue, RangeQuery,
};
use strata_world::{Planned, Window};
use tokio::task::JoinSet;

/// How queries are asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    /// Under way at once.
    pub(crate) at_once: usize,
    /// For each and for all together.
    pub(crate) deadline: Duration,
}

/// The answers by key; what has none by the deadline is left out.
pub(crate) async fn ask_all(
    engine: &Arc<dyn MetricsEngine>,
    planned: &[Planned],
    window: Window,
    asking: Asking,
    clock: &Arc<dyn Clock>,
) -> BTreeMap<String, Result<Answer, QueryError>> {
    let engine = engine.for_one_moment().unwrap_or_else(|| Arc::clone(engine));
    // Tracks first: what is asked of their last step is read off them.
    let (tracks, moments): (Vec<_>, Vec<_>) = planned.iter().partition(|one| one.range);
    let mut rest = tracks.into_iter().chain(moments);
    let mut found = BTreeMap::new();
    let mut running: JoinSet<(String, Result<Answer, QueryError>)> = JoinSet::new();
    let all = async {
        loop {
            while running.len() < asking.at_once {
                let Some(one) = rest.next() else { break };
                let (engine, one, clock) = (Arc::clone(&engine), one.clone(), Arc::clone(clock));
                running.spawn(async move {
                    let begun = clock.monotonic();
                    let (key, answer) = ask_one(engine, one, window, asking.deadline).await;
                    let micros = clock.monotonic().saturating_sub(begun).as_micros() as u64;
                    tracing::debug!(key, micros, "a planned query is answered");
                    (key, answer)
                });
            }
            match running.join_next().await {
                Some(Ok((key, answer))) => found.insert(key, answer),
                Some(Err(_panicked)) => None,
                None => return,
            };
        }
    };
    // Dropping a query cancels it.
    drop(tokio::time::timeout(asking.deadline, all).await);
    found
}

async fn ask_one(
    engine: Arc<dyn MetricsEngine>,
    planned: Planned,
    window: Window,
    timeout: Duration,
) -> (String, Result<Answer, QueryError>) {
    let Planned { key, text, range } = planned;
    let answer = if range {
        steps(&*engine, text, window, timeout).await
    } else {
        moment(&*engine, text, window, timeout).await
    };
    if let Err(error) = &answer
        && error.kind == QueryErrorKind::BadData
    {
        tracing::error!(key, error = %error.message, "a query of our own was refused");
    }
    (key, answer)
}

async fn moment(
    engine: &dyn MetricsEngine,
    text: String,
    window: Window,
    timeout: Duration,
) -> Result<Answer, QueryError> {
    let at_ms = window.moment_ms;
    engine.instant(InstantQuery { text, at_ms, timeout, lookback_ms: None }).await
}

/// The steps of the window, the last one read at its moment.
async fn steps(
    engine: &dyn MetricsEngine,
    text: String,
    window: Window,
    timeout: Duration,
) -> Result<Answer, QueryError> {
    let Window { start_ms, end_ms, step_ms, moment_ms, .. } = window;
    let until = |end_ms| RangeQuery {
        text: text.clone(),
        start_ms,
        end_ms,
        step_ms,
        timeout,
        lookback_ms: None,
    };
    if moment_ms == end_ms || start_ms == end_ms {
        return engine.range(until(end_ms)).await;
    }
    let mut answer = engine.range(until(end_ms - step_ms)).await?;
    let last = moment(engine, text.clone(), window, timeout).await?;
    if let QueryValue::Matrix(series) = &mut answer.value {
        append(series, last.value, end_ms);
    }
    answer.annotations.warnings.extend(last.annotations.warnings);
    answer.annotations.infos.extend(last.annotations.infos);
    Ok(answer)
}

/// Enter what holds at one moment as the step at `at_ms`.
fn append(series: &mut Vec<AnswerSeries>, last: QueryValue, at_ms: i64) {
    let new = match last {
        QueryValue::Vector(new) => new,
        QueryValue::Scalar(_, value) => {
            let points = vec![(at_ms, Value::Float(value))];
            vec![AnswerSeries { labels: Labels::empty(), points }]
        }
        QueryValue::Matrix(_) | QueryValue::String(..) => return,
    };
    let places: HashMap<Labels, usize> =
        series.iter().enumerate().map(|(place, one)| (one.labels.clone(), place)).collect();
    for one in new {
        let Some((_, value)) = one.points.into_iter().next() else { continue };
        match places.get(&one.labels).and_then(|place| series.get_mut(*place)) {
            Some(known) => known.points.push((at_ms, value)),
            None => series.push(AnswerSeries { labels: one.labels, points: vec![(at_ms, value)] }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(job: &str, points: &[(i64, f64)]) -> AnswerSeries {
        let labels = Labels::from_pairs([("job", job)]);
        let points = points.iter().map(|(at_ms, value)| (*at_ms, Value::Float(*value))).collect();
        AnswerSeries { labels, points }
    }

    #[test]
    fn the_moment_is_the_last_step() {
        let mut series = vec![one("goes on", &[(0, 1.0), (60, 2.0)]), one("ended", &[(60, 3.0)])];
        let last =
            QueryValue::Vector(vec![one("new", &[(171, 7.0)]), one("goes on", &[(171, 4.0)])]);
        append(&mut series, last, 120);
        let wanted = [
            one("goes on", &[(0, 1.0), (60, 2.0), (120, 4.0)]),
            one("ended", &[(60, 3.0)]),
            one("new", &[(120, 7.0)]),
        ];
        assert_eq!(series, wanted);
    }
}
