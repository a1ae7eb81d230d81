//! Asking many queries of one moment: some at a time, under one deadline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strata_model::Clock;
use strata_query::{Answer, InstantQuery, MetricsEngine, QueryError, QueryErrorKind, RangeQuery};
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
    drop(running);
    drop_later(engine);
    found
}

/// Drop where nobody waits for it: to take what is known of ten thousand GPUs to pieces takes tens of
/// milliseconds.
pub(crate) fn drop_later<T: Send + 'static>(thing: T) {
    drop(tokio::task::spawn_blocking(move || drop(thing)));
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
    engine.range_and_moment(until(end_ms - step_ms), moment_ms).await
}
