//! Who may evaluate now: a bounded number, the rest waits within its own timeout.

use std::future::Future;
use std::time::Duration;

use strata_query::QueryError;

use crate::json::answer::QueryStats;
use crate::json::envelope::ApiError;
use crate::state::App;

/// The engine ends a query at its timeout by itself and says so in its own words; this much later
/// it is dropped from outside.
const ENGINE_GRACE: Duration = Duration::from_secs(2);

/// Prometheus's sentences.
const TIMED_OUT_QUEUED: &str = "query timed out in query queue";
const TIMED_OUT_RUNNING: &str = "query timed out in expression evaluation";

/// Wait for a turn and run what `start` makes of the time that is left.
///
/// `describe` turns the engine's refusal into the API's.
pub(super) async fn admitted<T, F>(
    app: &App,
    timeout: Duration,
    describe: impl FnOnce(QueryError) -> ApiError,
    start: impl FnOnce(Duration) -> F,
) -> Result<(T, QueryStats), ApiError>
where
    F: Future<Output = Result<T, QueryError>>,
{
    let clock = &app.parts.clock;
    let arrived = clock.monotonic();
    let turn = tokio::time::timeout(timeout, app.queries.acquire()).await;
    let Some(_turn) = turn.ok().and_then(Result::ok).filter(|_| !timeout.is_zero()) else {
        let reason = [("reason", "queue_timeout")];
        app.parts.meter.counter("strata.query.rejected", &reason).add(1);
        return Err(ApiError::timeout(TIMED_OUT_QUEUED));
    };
    let _running = Running::enter(app);
    let begun = clock.monotonic();
    let waited = begun.saturating_sub(arrived);
    let left = timeout.saturating_sub(waited);
    if left.is_zero() {
        return Err(ApiError::timeout(TIMED_OUT_RUNNING));
    }
    let answer = match tokio::time::timeout(left + ENGINE_GRACE, start(left)).await {
        Err(_elapsed) => return Err(ApiError::timeout(TIMED_OUT_RUNNING)),
        Ok(answer) => answer.map_err(describe)?,
    };
    let evaluation = clock.monotonic().saturating_sub(begun);
    let stats = QueryStats {
        queue_seconds: waited.as_secs_f64(),
        evaluation_seconds: evaluation.as_secs_f64(),
    };
    Ok((answer, stats))
}

/// Keeps `strata.query.inflight` right, also when the client goes away in between.
struct Running<'a>(&'a App);

impl<'a> Running<'a> {
    fn enter(app: &'a App) -> Self {
        app.count_running(1);
        Self(app)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.count_running(-1);
    }
}
