//! A metrics engine over any Prometheus-compatible HTTP API: a Prometheus, VictoriaMetrics, Mimir or
//! Thanos that somebody already runs answers canonical names too.
//!
//! A query without canonical names goes there as it is. One with them is written over the names the
//! sources gave ([`crate::canonical::text`]); where text cannot say it, the samples are fetched and
//! evaluated here, and where that could give a wrong number it is refused in words.

mod extent;
pub mod fuzz;
mod histogram;
mod http;
mod lookup;
mod options;
mod peel;
mod source;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use strata_model::catalog::Catalog;
use strata_model::meter::Meter;
use strata_model::sink::BoxFuture;
use strata_model::{Clock, Labels, Metadata};
use tokio::runtime::Handle;

pub use http::{Environment, RemoteError};
pub use options::{Login, LoginOptions, RemoteOptions, RemoteSettings, SecretPlace};

use super::embedded::check_range;
use super::{
    Answer, EmbeddedEngine, InstantQuery, MetricsEngine, QueryError, QueryErrorKind, QuerySettings,
    QueryValue, RangeQuery, SeriesQuery, Value,
};
use crate::canonical::CanonicalSource;
use crate::canonical::text::{Unsupported, asks_canonical};
use crate::promql::syntax::{self, Expr, ValueType};
use crate::promql::{QueryTimes, settle};
use extent::extent;
use http::{Http, Parameters, internal};
use lookup::{Lookups, seconds};
use source::RemoteSource;
use wire::Data;

/// Answers from a distant engine. Cheap to clone.
#[derive(Clone)]
pub struct RemoteEngine {
    http: Arc<Http>,
    lookups: Arc<Lookups>,
    catalog: &'static Catalog,
    clock: Arc<dyn Clock>,
    settings: QuerySettings,
}

/// What an engine needs of the program around it.
pub struct RemoteParts {
    pub catalog: &'static Catalog,
    pub clock: Arc<dyn Clock>,
    pub meter: Meter,
    /// Where secrets named by the settings are read.
    pub environment: Environment,
}

/// A query as it can be asked.
enum Written {
    /// It names nothing canonical.
    Same,
    /// Over the names that the engine has.
    Over(Expr),
    Refused(Unsupported),
}

/// What is to be asked, instant or range.
struct Asked<'a> {
    text: &'a str,
    times: (i64, i64, Option<i64>),
    timeout: Duration,
    lookback_ms: Option<i64>,
}

impl RemoteEngine {
    /// An engine that asks the one of `remote`, within the limits of `settings`.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(
        remote: RemoteSettings,
        settings: QuerySettings,
        parts: RemoteParts,
    ) -> Result<Self, RemoteError> {
        let RemoteParts { catalog, clock, meter, environment } = parts;
        let refresh = remote.refresh;
        let most = settings.max_concurrent;
        let http = Arc::new(Http::new(remote, environment, most, Arc::clone(&clock), meter)?);
        let lookups = Lookups::new(Arc::clone(&http), catalog, Arc::clone(&clock), refresh);
        Ok(Self { http, lookups: Arc::new(lookups), catalog, clock, settings })
    }

    /// Why the engine did not answer the last request; none when it did.
    pub fn trouble(&self) -> Option<String> {
        self.http.trouble()
    }

    /// Names of the metrics as the engine stores them, sorted, canonical ones only where they are
    /// stored under that name.
    ///
    /// # Errors
    /// The engine cannot be reached or refuses.
    pub async fn stored_names(
        &self,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, QueryError> {
        let span = (start_ms, end_ms);
        lookup::label_values(&self.http, "__name__", &[], span, self.settings.timeout).await
    }

    /// The query as it goes to the engine: the text itself when it names nothing canonical.
    ///
    /// # Errors
    /// It does not parse, the engine does not tell what exists, or text cannot say it.
    pub async fn expanded(
        &self,
        text: &str,
        times: (i64, i64, Option<i64>),
    ) -> Result<String, QueryError> {
        match self.expand(text, times).await? {
            Written::Same => Ok(text.to_owned()),
            Written::Over(expr) => Ok(expr.to_string()),
            Written::Refused(refused) => Err(refuse(&refused)),
        }
    }

    async fn expand(
        &self,
        text: &str,
        (start, end, step): (i64, i64, Option<i64>),
    ) -> Result<Written, QueryError> {
        let mut expr = match syntax::parse(text) {
            Ok(expr) if asks_canonical(&expr, self.catalog) => expr,
            Ok(_) => return Ok(Written::Same),
            Err(error) => {
                // The engine may know more than PromQL; but it does not know canonical names.
                return match self.canonical_word(text) {
                    None => Ok(Written::Same),
                    Some(_) => Err(QueryError::new(QueryErrorKind::BadData, error.to_string())),
                };
            }
        };
        let times = QueryTimes { start, end, step: step.unwrap_or(0) };
        settle(&mut expr, times, self.settings.eval.subquery_step_ms)?;
        let span = extent(&expr, (start, end), self.settings.eval.lookback_ms);
        let written = self.lookups.rewritten(&expr, span).await?;
        Ok(match written {
            Err(refused) if refused.pullable && pullable(&expr) => Written::Refused(refused),
            Err(refused) => Written::Refused(Unsupported { pullable: false, ..refused }),
            Ok(expr) => Written::Over(expr),
        })
    }

    /// The first word of a text that is a canonical name.
    fn canonical_word<'t>(&self, text: &'t str) -> Option<&'t str> {
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        let mut words = text.split(|c| !in_word(c));
        words.find(|word| self.catalog.by_prometheus_name(word).is_some())
    }

    async fn evaluate(&self, asked: Asked<'_>) -> Result<Answer, QueryError> {
        let timeout = asked.timeout.min(self.settings.timeout);
        match self.expand(asked.text, asked.times).await? {
            Written::Same => self.ask(asked.text, &asked, timeout).await,
            Written::Over(expr) => {
                let (inner, steps) = peel::peel(expr);
                let answer = self.ask(&inner.to_string(), &asked, timeout).await?;
                Ok(Answer { value: peel::apply(&steps, answer.value)?, ..answer })
            }
            Written::Refused(refused) if refused.pullable => {
                tracing::debug!(reason = %refused, "samples are fetched and evaluated here");
                self.pull(&asked, timeout).await
            }
            Written::Refused(refused) => Err(refuse(&refused)),
        }
    }

    /// Let the engine evaluate `text`.
    async fn ask(
        &self,
        text: &str,
        asked: &Asked<'_>,
        timeout: Duration,
    ) -> Result<Answer, QueryError> {
        let (start, end, step) = asked.times;
        let mut parameters: Parameters = vec![("query", text.to_owned())];
        let path = match step {
            None => {
                parameters.push(("time", seconds(start)));
                "query"
            }
            Some(step) => {
                parameters.push(("start", seconds(start)));
                parameters.push(("end", seconds(end)));
                parameters.push(("step", seconds(step)));
                "query_range"
            }
        };
        parameters.push(("timeout", format!("{}ms", timeout.as_millis())));
        // VictoriaMetrics moves times to multiples of the step and leaves the last half minute out,
        // unless it is asked not to.
        parameters.push(("nocache", "1".to_owned()));
        if let Some(lookback_ms) = asked.lookback_ms {
            parameters.push(("lookback_delta", seconds(lookback_ms)));
            parameters.push(("max_lookback", seconds(lookback_ms)));
        }
        let (data, rest) = self.http.ask::<Data>(path, &parameters, timeout).await?;
        let value = data
            .into_value()
            .map_err(|error| internal(format!("the engine's answer cannot be read: {error}")))?;
        let value = if step.is_none() { as_typed(text, value) } else { value };
        let mut annotations = super::Annotations {
            warnings: rest.warnings.unwrap_or_default(),
            infos: rest.infos.unwrap_or_default(),
        };
        if rest.partial {
            let message = "the engine answered in part: some of its storage did not answer";
            annotations.warnings.push(message.to_owned());
        }
        Ok(Answer { value, annotations })
    }

    /// Fetch the samples and evaluate here, as the embedded engine does.
    async fn pull(&self, asked: &Asked<'_>, timeout: Duration) -> Result<Answer, QueryError> {
        let source = Arc::new(self.source(timeout));
        let canonical = CanonicalSource::new(source, self.catalog);
        let clock = Arc::clone(&self.clock);
        let engine = EmbeddedEngine::new(Arc::new(canonical), clock, self.settings);
        let (start_ms, end_ms, step) = asked.times;
        let (text, lookback_ms) = (asked.text.to_owned(), asked.lookback_ms);
        match step {
            None => {
                engine.instant(InstantQuery { text, at_ms: start_ms, timeout, lookback_ms }).await
            }
            Some(step_ms) => {
                let query = RangeQuery { text, start_ms, end_ms, step_ms, timeout, lookback_ms };
                engine.range(query).await
            }
        }
    }

    fn source(&self, timeout: Duration) -> RemoteSource {
        RemoteSource {
            http: Arc::clone(&self.http),
            lookups: Arc::clone(&self.lookups),
            handle: Handle::current(),
            timeout,
            catalog: self.catalog,
        }
    }

    /// Look-ups see the engine through the catalog, as those of the embedded engine do.
    fn looking(&self) -> EmbeddedEngine {
        let source = Arc::new(self.source(self.settings.timeout));
        let canonical = CanonicalSource::new(source, self.catalog);
        EmbeddedEngine::new(Arc::new(canonical), Arc::clone(&self.clock), self.settings)
    }
}

/// VictoriaMetrics answers a scalar query with a vector of one nameless series.
fn as_typed(text: &str, value: QueryValue) -> QueryValue {
    let QueryValue::Vector(series) = &value else { return value };
    let [only] = series.as_slice() else { return value };
    let scalar = syntax::parse(text).is_ok_and(|expr| expr.value_type() == ValueType::Scalar);
    match only.points.as_slice() {
        [(at, Value::Float(number))] if scalar => QueryValue::Scalar(*at, *number),
        _ => value,
    }
}

/// Whether samples alone can answer: instant selectors also need staleness, which no engine tells.
fn pullable(expr: &Expr) -> bool {
    let mut only_ranges = true;
    expr.walk(&mut |node| only_ranges &= !matches!(node, Expr::Vector(_)));
    only_ranges
}

fn refuse(refused: &Unsupported) -> QueryError {
    let message = format!("the distant engine's language cannot say {refused}: ask for that alone");
    QueryError::new(QueryErrorKind::Execution, message)
}

impl MetricsEngine for RemoteEngine {
    fn instant(&self, query: InstantQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        Box::pin(async move {
            let InstantQuery { text, at_ms, timeout, lookback_ms } = query;
            let times = (at_ms, at_ms, None);
            self.evaluate(Asked { text: &text, times, timeout, lookback_ms }).await
        })
    }

    fn range(&self, query: RangeQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        Box::pin(async move {
            check_range(&query)?;
            let RangeQuery { text, start_ms, end_ms, step_ms, timeout, lookback_ms } = query;
            let times = (start_ms, end_ms, Some(step_ms));
            self.evaluate(Asked { text: &text, times, timeout, lookback_ms }).await
        })
    }

    fn series(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<Labels>, QueryError>> {
        Box::pin(async move { self.looking().series(query).await })
    }

    fn label_names(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        Box::pin(async move { self.looking().label_names(query).await })
    }

    fn label_values(
        &self,
        name: String,
        query: SeriesQuery,
    ) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        Box::pin(async move { self.looking().label_values(name, query).await })
    }

    fn metadata(&self) -> BoxFuture<'_, Result<Vec<Metadata>, QueryError>> {
        Box::pin(async move { self.looking().metadata().await })
    }

    fn format(&self, text: &str) -> Result<String, QueryError> {
        let expr = syntax::parse(text)
            .map_err(|error| QueryError::new(QueryErrorKind::BadData, error.to_string()))?;
        Ok(syntax::pretty(&expr))
    }
}
