//! What records tell beyond lists: statistics over many requests, for pages and as documents.

mod asked;
mod compare;
mod lengths;
mod place;
mod replay;
mod story;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;
use strata_model::Clock;
use strata_model::record::{RecordError, RecordSource, RollupDimension, RollupQuery};
use strata_model::sink::BoxFuture;
use strata_query::MetricsEngine;
use strata_serve::{Report, ReportParams, ReportSource};
use strata_view::rooms::{ModelLine, RequestsTold, Told};
use strata_view::{PageError, PageErrorCode, PageRequest, Span, View};
use strata_world::Window;
use tokio::sync::Semaphore;

use asked::Asked;
pub(crate) use compare::{MARGIN, SCORES_MAX};
use lengths::LengthQuestion;

use crate::ledger::LedgerService;
use crate::pages::internal;

/// Questions under way at once: each may read whole days of files for seconds.
const AT_ONCE: usize = 2;
/// Models that a page offers.
const MODELS_MAX: usize = 200;

/// Answers questions over many requests.
pub(crate) struct RecordService {
    source: Arc<dyn RecordSource>,
    turns: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    /// What models cost.
    ledger: Option<Arc<LedgerService>>,
    /// ISO 4217 code of the ledger's currency.
    currency: String,
    /// Scores of which less is better.
    less_is_better: BTreeSet<String>,
    /// Knows which GPUs a replica runs on.
    engine: Arc<dyn MetricsEngine>,
}

impl RecordService {
    pub(crate) fn new(
        source: Arc<dyn RecordSource>,
        engine: Arc<dyn MetricsEngine>,
        clock: Arc<dyn Clock>,
        ledger: Option<Arc<LedgerService>>,
        currency: String,
        less_is_better: BTreeSet<String>,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { source, turns, clock, ledger, currency, less_is_better, engine }
    }

    /// What a page of requests tells from records.
    pub(crate) async fn told(&self, request: &PageRequest, window: Window) -> RequestsTold {
        // Records are exact to the microsecond: no reason to round the range as charts do.
        let (start_ms, end_ms) = match request.span {
            Span::Live { seconds } => (window.now_ms - i64::from(seconds) * 1_000, window.now_ms),
            Span::Fixed { start_ms, end_ms } => (start_ms, end_ms),
        };
        let range_us = start_ms.saturating_mul(1_000)..end_ms.saturating_mul(1_000);
        let refused = |error: PageError| Told::Refused { why: error.message, hint: error.hint };
        if let Some(uid) = request.one_request() {
            let story = self.story(uid).await;
            let what = story.map_or_else(refused, |story| Told::One(Box::new(story)));
            return RequestsTold { models: Vec::new(), what };
        }
        let models = match self.models(range_us.clone()).await {
            Ok(models) => models,
            Err(error) => return RequestsTold { models: Vec::new(), what: refused(error) },
        };
        let what = match request.view {
            View::Now => Ok(Told::Nothing),
            View::Slowest => match story::narrowed(request.entity.as_deref()) {
                Ok(filters) => {
                    let found = self.slowest(filters, range_us).await;
                    found.map(|found| Told::Slowest(Box::new(found)))
                }
                Err(error) => Err(error),
            },
            View::Lengths => self.lengths_told(request, range_us).await,
            View::Compare => self.compared(request, range_us).await,
        };
        RequestsTold { models, what: what.unwrap_or_else(refused) }
    }

    async fn lengths_told(
        &self,
        request: &PageRequest,
        range_us: Range<i64>,
    ) -> Result<Told, PageError> {
        let question = LengthQuestion::by(request.group.as_deref())?;
        let filters = story::narrowed(request.entity.as_deref())?;
        let found = self.lengths(question, filters, range_us).await?;
        Ok(Told::Lengths(Box::new(found)))
    }

    /// Models of the requests of a time, the most asked first.
    async fn models(&self, range_us: Range<i64>) -> Result<Vec<ModelLine>, PageError> {
        let by = vec![RollupDimension::Model];
        let query = RollupQuery { range_us, by, filters: Vec::new(), limit: MODELS_MAX };
        let rows = self.ask(move |source| source.rollup(&query)).await?;
        let line = |row: &strata_model::record::RollupRow| {
            let model = row.keys.first().cloned().flatten()?;
            Some(ModelLine { model, requests: row.totals.requests })
        };
        Ok(rows.iter().filter_map(line).collect())
    }

    /// Ask off the threads that serve connections.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn RecordSource) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, PageError> {
        let source = Arc::clone(&self.source);
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_closed| internal("shutting down"))?;
        // The turn is over when the question is, not when its reader goes away.
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            question(source.as_ref())
        });
        let answer = asked.await.map_err(|error| internal(&error.to_string()))?;
        answer.map_err(|error| match error {
            RecordError::BadQuery(words) => asked::bad(words, "see docs/records.md"),
            RecordError::Timeout { .. } => PageError {
                code: PageErrorCode::Timeout,
                message: error.to_string(),
                hint: "narrow the question".to_owned(),
            },
            RecordError::Storage(_) => internal(&error.to_string()),
        })
    }
}

impl ReportSource for RecordService {
    fn report(
        &self,
        path: &'static str,
        params: ReportParams,
    ) -> BoxFuture<'_, Result<Report, PageError>> {
        Box::pin(async move {
            let asked = Asked::read(path, &params, self.clock.now_ms())?;
            match path {
                "/requests/compare" => self.comparison(&asked).await,
                "/requests/one" => self.one(&asked).await,
                "/requests/lengths" => self.measured(&asked).await,
                "/requests/parts" => self.parted(&asked).await,
                _ => Err(internal(&format!("{path} has nobody who makes it"))),
            }
        })
    }

    fn act(
        &self,
        path: &'static str,
        _params: ReportParams,
    ) -> BoxFuture<'_, Result<Report, PageError>> {
        Box::pin(async move { Err(internal(&format!("{path} changes nothing"))) })
    }
}

fn json(value: &Json) -> Report {
    Report { content_type: "application/json", body: value.to_string() }
}
