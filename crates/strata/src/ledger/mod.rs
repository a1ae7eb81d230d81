//! The ledger in the running program: asked for a period, it asks the engine, prices what it is
//! told, and answers.

mod budgets;
mod collector;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use strata_cost::change::explain;
use strata_cost::facts::Facts;
use strata_cost::ledger::Ledger;
use strata_cost::price::PriceBook;
use strata_model::Clock;
use strata_query::{
    Answer, InstantQuery, KeptEngine, MetricsEngine, QueryError, QueryErrorKind, RangeQuery,
};
use strata_view::rooms::Books;
use strata_world::Planned;
use strata_world::bill::{BillWorld, Period, bill, bill_plan};
use tokio::task::JoinSet;

pub(crate) use collector::LedgerCollector;
pub(crate) use report::LedgerReports;

use crate::config::CostSettings;

/// Queries of one ledger under way at once.
const QUERIES_AT_ONCE: usize = 4;
/// Longest time the queries of one ledger may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Steps of a report at most: enough to see when something changed.
const REPORT_STEPS: i64 = 120;
/// Shortest step: what is scraped every 15 s has four samples in it.
pub(super) const STEP_MS: i64 = 60_000;
/// A file of prices is a few kB.
const PRICES_BYTES_MAX: u64 = 4 << 20;

/// Makes ledgers over an engine.
pub(crate) struct LedgerService {
    engine: Arc<dyn MetricsEngine>,
    book: PriceBook,
    pub(super) settings: CostSettings,
    clock: Arc<dyn Clock>,
}

/// A ledger and what must be said of how it came about.
pub(crate) struct Account {
    pub(crate) ledger: Ledger,
    pub(crate) notes: Vec<String>,
}

impl LedgerService {
    /// A service with the operator's prices.
    pub(crate) fn new(
        engine: Arc<dyn MetricsEngine>,
        settings: CostSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let mut book = PriceBook::embedded();
        if let Some(path) = &settings.prices {
            let shown = path.display();
            let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
            if size.len() > PRICES_BYTES_MAX {
                anyhow::bail!("{shown} is larger than {PRICES_BYTES_MAX} bytes");
            }
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
            book.add_toml(&text).map_err(|error| {
                let problems: Vec<_> = error.problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("{shown}: {}", problems.join("; "))
            })?;
        }
        let engine = Arc::new(KeptEngine::new(engine, Arc::clone(&clock)));
        Ok(Self { engine, book, settings, clock })
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The period between two moments in whole steps, at most [`REPORT_STEPS`] of them.
    pub(super) fn period(start_ms: i64, end_ms: i64) -> Period {
        let wanted = (end_ms - start_ms).max(STEP_MS);
        let step_ms = (wanted / REPORT_STEPS).max(STEP_MS) / STEP_MS * STEP_MS;
        let end_ms = end_ms.div_euclid(step_ms) * step_ms;
        let steps = usize::try_from(wanted / step_ms).unwrap_or(1).max(1);
        Period { start_ms: end_ms - step_ms * steps as i64, step_ms, steps }
    }

    /// The ledger of a period.
    pub(crate) async fn account(&self, period: Period) -> Account {
        let (period, world) = self.world(&period).await.from_first_sight(period);
        let facts = Facts::from_bill(&period, &world, &self.settings.terms);
        let (book, options) = (self.book.clone(), self.settings.ledger.clone());
        let built =
            tokio::task::spawn_blocking(move || Ledger::build(&facts, &book, &options)).await;
        let mut notes = world.notes;
        let ledger = built.unwrap_or_else(|error| {
            notes.push(format!("the ledger could not be built: {error}"));
            Ledger::build(&Facts::default(), &self.book, &self.settings.ledger)
        });
        notes.extend(ledger.problems.iter().map(ToString::to_string));
        Account { ledger, notes }
    }

    /// The ledger of a window and why it differs from the one before.
    pub(crate) async fn books(&self, start_ms: i64, end_ms: i64) -> Books {
        let now = self.account(Self::period(start_ms, end_ms)).await;
        let before = self.account(Self::period(start_ms - (end_ms - start_ms), start_ms)).await;
        let change = if before.ledger.gpus.is_empty() {
            Err("nothing was seen in the window before this one".to_owned())
        } else {
            explain(&before.ledger, &now.ledger).map_err(|error| error.to_string())
        };
        let budgets = self.budgets().await;
        let Account { ledger, notes } = now;
        Books {
            ledger,
            energy: self.settings.energy,
            change,
            budgets,
            notes,
            now_ms: self.now_ms(),
        }
    }

    async fn world(&self, period: &Period) -> BillWorld {
        let engine = self.engine.for_one_moment();
        let engine = engine.unwrap_or_else(|| Arc::clone(&self.engine));
        let mut answers = BTreeMap::new();
        let mut running = JoinSet::new();
        let mut rest = bill_plan(period).into_iter();
        let all = async {
            loop {
                while running.len() < QUERIES_AT_ONCE {
                    let Some(planned) = rest.next() else { break };
                    running.spawn(ask(Arc::clone(&engine), planned, *period));
                }
                match running.join_next().await {
                    Some(Ok((key, answer))) => drop(answers.insert(key, answer)),
                    Some(Err(_panicked)) => {}
                    None => return,
                }
            }
        };
        // What has no answer by then is told in the notes.
        drop(tokio::time::timeout(DEADLINE, all).await);
        bill(period, &answers, Some(self.settings.ttft_objective.as_secs_f64()))
    }
}

async fn ask(
    engine: Arc<dyn MetricsEngine>,
    planned: Planned,
    period: Period,
) -> (String, Result<Answer, QueryError>) {
    let window = period.window();
    let Planned { key, text, range } = planned;
    // A step may be longer than the look-back; what ended within it is seen by its own range.
    let answer = if range {
        let query = RangeQuery {
            text,
            start_ms: window.start_ms,
            end_ms: window.end_ms,
            step_ms: window.step_ms,
            timeout: DEADLINE,
            lookback_ms: None,
        };
        engine.range(query).await
    } else {
        let at_ms = window.end_ms;
        engine.instant(InstantQuery { text, at_ms, timeout: DEADLINE, lookback_ms: None }).await
    };
    // Metrics that nobody writes are an empty answer, not a fault.
    let answer = answer.map_err(|error| QueryError::new(QueryErrorKind::Execution, error.message));
    (key, answer)
}
