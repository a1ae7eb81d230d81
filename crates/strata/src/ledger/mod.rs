//! The ledger in the running program: asked for a period, it asks the engine, prices what it is
//! told, and answers.

mod asked;
mod budgets;
mod calls;
mod charged;
mod collector;
pub(crate) mod files;
mod market;
mod nodes;
mod opencost;
mod peaks;
mod recorded;
mod replicas;
mod report;
mod shelf;
mod statements;
mod tariffs;
#[cfg(test)]
mod tests;
mod totals;
mod trained;
mod units;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use strata_cost::change::explain;
use strata_cost::facts::Facts;
use strata_cost::ledger::Ledger;
use strata_cost::price::PriceBook;
use strata_cost::provider::PriceMap;
use strata_cost::tariff::Tariff;
use strata_cost::unit::{cache_loss, hit_rates, models};
use strata_model::Clock;
use strata_model::record::RecordSource;
use strata_query::{KeptEngine, MetricsEngine};
use strata_view::rooms::Books;
use strata_world::Planned;
use strata_world::bill::{BillWorld, Period, bill, bill_plan};

pub(crate) use asked::{BY_MAX, DIMENSIONS, MORE};
pub(crate) use calls::CALL_DIMENSIONS;
pub(crate) use collector::LedgerCollector;
pub(crate) use report::LedgerReports;
pub(crate) use shelf::NAME_BYTES_MAX;
pub(crate) use statements::PARTIES;

use crate::ask::{Asking, ask_all};
use crate::config::CostSettings;

/// How the queries of one ledger are asked.
const ASKING: Asking = Asking { at_once: 4, deadline: Duration::from_secs(30) };
/// Steps of a report at most: enough to see when something changed.
const REPORT_STEPS: u64 = 120;
/// A step this many times the shortest possible is taken if it divides the period evenly.
const STEP_SLACK: u64 = 3;
/// Shortest step: what is scraped every 15 s has four samples in it.
pub(super) const STEP_MS: i64 = 60_000;
/// Closed statements, in the data directory.
pub(crate) const STATEMENTS_DIR: &str = "statements";

/// Makes ledgers over an engine.
pub(crate) struct LedgerService {
    engine: Arc<dyn MetricsEngine>,
    book: PriceBook,
    pub(crate) settings: CostSettings,
    clock: Arc<dyn Clock>,
    /// Prices of API providers.
    map: Option<PriceMap>,
    /// What tokens are sold for.
    tariff: Option<Tariff>,
    /// Requests one by one; `None` where they are not kept.
    records: Option<Arc<dyn RecordSource>>,
    /// Closed statements; `None` where nothing is stored.
    shelf: Option<Arc<shelf::Shelf>>,
    /// One statement is drafted at a time.
    drafting: tokio::sync::Mutex<()>,
    /// One statement is closed at a time.
    closing: Mutex<()>,
}

/// A ledger and what must be said of how it came about.
pub(crate) struct Account {
    pub(crate) ledger: Ledger,
    pub(crate) notes: Vec<String>,
    /// Models of which replicas were up and not counted.
    unmeasured: BTreeSet<String>,
}

impl LedgerService {
    /// A service with the operator's prices.
    pub(crate) fn new(
        engine: Arc<dyn MetricsEngine>,
        mut settings: CostSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let book = files::book(&settings)?;
        settings.terms.labels = book.labels();
        let engine = Arc::new(KeptEngine::new(engine, Arc::clone(&clock)));
        let map = settings.api_prices.as_deref().map(files::map).transpose()?;
        let tariff = settings.tariff.as_deref().map(files::tariff).transpose()?;
        let (drafting, closing) = (tokio::sync::Mutex::new(()), Mutex::new(()));
        let (shelf, records) = (None, None);
        Ok(Self { engine, book, settings, clock, map, tariff, records, shelf, drafting, closing })
    }

    /// Tell tenants by the records of requests where no counter does.
    pub(crate) fn with_records(mut self, records: Option<Arc<dyn RecordSource>>) -> Self {
        self.records = records;
        self
    }

    /// Keep closed statements in a directory.
    pub(crate) fn with_statements(mut self, dir: PathBuf) -> Self {
        self.shelf = Some(Arc::new(shelf::Shelf::new(dir)));
        self
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The period between two moments: it ends in the minute asked for and begins there too where
    /// some step divides its length into [`REPORT_STEPS`] or fewer; else the first step begins
    /// before it.
    pub(crate) fn period(start_ms: i64, end_ms: i64) -> Period {
        let end_ms = end_ms.div_euclid(STEP_MS) * STEP_MS;
        let length_ms = u64::try_from(end_ms - start_ms).unwrap_or(0);
        let minutes = length_ms.div_ceil(STEP_MS as u64).max(1);
        let least = minutes.div_ceil(REPORT_STEPS);
        let divides = (least..=least * STEP_SLACK).find(|step| minutes.is_multiple_of(*step));
        let step = divides.unwrap_or(least);
        let steps = minutes.div_ceil(step);
        let (step_ms, length_ms) = (step as i64 * STEP_MS, (step * steps) as i64 * STEP_MS);
        let steps = usize::try_from(steps).unwrap_or(1);
        Period { start_ms: end_ms - length_ms, step_ms, steps }
    }

    /// As long a period up to the beginning of this one: no minute is in both or in neither.
    pub(super) fn before(period: &Period) -> Period {
        let length_ms = period.end_ms() - period.start_ms;
        Self::period(period.start_ms - length_ms, period.start_ms)
    }

    /// The ledger of a period, of tenants what counters tell: enough for whatever does not show tenants.
    /// Series have it too, for the records of a minute are not all there when it ends.
    pub(crate) async fn account(&self, period: Period) -> Account {
        let (period, world) = self.world(&period).await.from_first_sight(period);
        self.built(&period, world).await
    }

    /// The same, with the tenants of request records where no counter tells any.
    pub(super) async fn with_tenants(&self, period: Period) -> Account {
        let (period, mut world) = self.world(&period).await.from_first_sight(period);
        self.name_tenants(&period, &mut world).await;
        self.built(&period, world).await
    }

    /// Tenants by records where nothing counts them: one of both, for both saw the same requests.
    async fn name_tenants(&self, period: &Period, world: &mut BillWorld) {
        let Some(records) = self.records.clone().filter(|_| world.tenants.is_empty()) else {
            return;
        };
        let period = *period;
        let told = tokio::task::spawn_blocking(move || recorded::recorded(&*records, &period));
        match told.await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(recorded::Recorded { tenants, note }))) => {
                world.tenants = tenants;
                world.notes.push(note);
            }
            Ok(Err(why)) => world.notes.push(why),
            Err(error) => world.notes.push(format!("records could not be read: {error}")),
        }
    }

    /// The ledger of what is known of a period.
    async fn built(&self, period: &Period, mut world: BillWorld) -> Account {
        let mut notes = std::mem::take(&mut world.notes);
        let (book, options) = (self.book.clone(), self.settings.ledger.clone());
        let (period, terms) = (*period, self.settings.terms.clone());
        let built = tokio::task::spawn_blocking(move || {
            let unmeasured = peaks::unmeasured(&world.replicas);
            let facts = Facts::from_bill(&period, &world, &terms);
            (Ledger::build(&facts, &book, &options), unmeasured)
        });
        let built = built.await;
        let (ledger, unmeasured) = built.unwrap_or_else(|error| {
            notes.push(format!("the ledger could not be built: {error}"));
            let nothing = Ledger::build(&Facts::default(), &self.book, &self.settings.ledger);
            (nothing, BTreeSet::new())
        });
        notes.extend(ledger.problems.iter().map(ToString::to_string));
        Account { ledger, notes, unmeasured }
    }

    /// The ledger of a window and why it differs from the one before.
    pub(crate) async fn books(&self, start_ms: i64, end_ms: i64) -> Books {
        let period = Self::period(start_ms, end_ms);
        let before = self.account(Self::before(&period)).await;
        let now = self.with_tenants(period).await;
        let change = if before.ledger.gpus.is_empty() {
            Err("nothing was seen in the window before this one".to_owned())
        } else {
            explain(&before.ledger, &now.ledger).map_err(|error| error.to_string())
        };
        let nodes = self.node_prices(&now.ledger).await;
        let cache = cache_loss(&now.ledger, &hit_rates(&before.ledger));
        let budgets = self.budgets().await;
        let units = models(&now.ledger, &self.settings.energy);
        let comparisons = self.comparisons(&now.ledger, &units, None);
        let advice = self.advised(&now, &units).await;
        let statements = self.newest_statements().await;
        let calls = self.call_books(&period, &units).await;
        let Account { ledger, mut notes, .. } = now;
        notes.extend(ledger.remarks());
        Books {
            ledger,
            advice,
            comparisons,
            calls,
            statements,
            energy: self.settings.energy,
            change,
            cache,
            nodes,
            tariff: self.tariff.clone(),
            budgets,
            notes,
            now_ms: self.now_ms(),
        }
    }

    async fn world(&self, period: &Period) -> BillWorld {
        self.asked(period, bill_plan(period)).await
    }

    /// What a plan for a period finds.
    async fn asked(&self, period: &Period, plan: Vec<Planned>) -> BillWorld {
        // A step may be longer than the look-back; what ended within it is seen by its own range.
        let answers = ask_all(&self.engine, &plan, period.window(), ASKING, &self.clock).await;
        bill(period, &plan, &answers, Some(self.settings.ttft_objective.as_secs_f64()))
    }
}

#[cfg(test)]
mod period_tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = STEP_MS;

    #[test]
    fn a_month_is_that_month() {
        for days in [28, 29, 30, 31] {
            let length = days * 1440 * MINUTE;
            let end_ms = 20_000 * 1440 * MINUTE;
            let period = LedgerService::period(end_ms - length, end_ms);
            assert_eq!(period.start_ms, end_ms - length, "{days} days");
            assert_eq!(period.end_ms(), end_ms, "{days} days");
        }
    }

    proptest! {
        #[test]
        fn a_period_ends_where_asked_and_holds_all_that_was_asked(
            end_ms in 1_700_000_000_000_i64..1_800_000_000_000,
            length_ms in 0_i64..400 * 86_400_000,
        ) {
            let period = LedgerService::period(end_ms - length_ms, end_ms);
            prop_assert!(period.steps <= REPORT_STEPS as usize);
            prop_assert_eq!(period.step_ms % MINUTE, 0);
            prop_assert!((0..MINUTE).contains(&(end_ms - period.end_ms())));
            // Where no step divides the length, the first one begins earlier.
            let over_ms = end_ms - length_ms - period.start_ms;
            prop_assert!((0..period.step_ms + MINUTE).contains(&over_ms), "{}", over_ms);
        }
    }
}
