//! The page service: what a page wants becomes queries, their answers a World, the World a page.
//!
//! Over any metrics engine. Queries of a page run side by side under one deadline; one that fails
//! makes its numbers unknown, never the page. A page is made once for all who ask for it while it is
//! made and shortly after, so that ten readers of one page cost as much as one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use strata_model::meter::Meter;
use strata_model::sink::BoxFuture;
use strata_model::{Clock, Labels, SourceStatus};
use strata_query::engine::Value;
use strata_query::{Answer, KeptEngine, MetricsEngine, QueryError, QueryValue, RangeQuery};
use strata_view::page::chart::TimeAxis;
use strata_view::rooms::{self, Context, Directory, Explored, RecordDoor, RequestsTold, Told};
use strata_view::source::PageFuture;
use strata_view::{
    Language, Page, PageError, PageErrorCode, PageId, PageRequest, PageSource, Suggestion,
};
use strata_world::capacity::Targets;
use strata_world::{
    Answers, Ask, Plan, Planned, Scope, Sizes, Window, World, assemble, plan_closer, plan_sized,
};
use tokio::sync::Semaphore;

use crate::ask::{Asking, ask_all, drop_later};
use crate::kept::{Keep, Kept};
use crate::ledger::LedgerService;
use crate::records::RecordService;
use crate::sql_pages::SqlDoor;

/// Longest time the queries of one page may take. A reader who waits longer has gone.
const DEADLINE: Duration = Duration::from_secs(10);
/// Two queries of a page under way for each of the evaluator's threads.
const ASKING: Asking = Asking { at_once: 8, deadline: DEADLINE };
/// Pages being made at once; more wait for their turn.
const PAGES_AT_ONCE: usize = 4;
/// How long a page serves further readers: collection is slower than a second, and a live page comes
/// every five.
const KEEP: Keep = Keep { least: Duration::from_secs(1), most: Duration::from_secs(5) };
/// Pages kept at most: a page is up to 2 MB.
const KEPT_MAX: usize = 32;
/// Metrics with a sample in this time are there now, in the longer one were there before.
const NOW_MS: i64 = 5 * 60_000;
const BEFORE_MS: i64 = 24 * 3_600_000;
/// Series of the reader's own query that are given back: what a chart can still show.
const EXPLORED_MAX: usize = 50;

/// How long the palette finds what there was: longer than it takes to type a name, shorter than
/// it takes to wonder where a new thing is.
const DIRECTORY_KEEP: Keep = Keep { least: Duration::from_secs(5), most: Duration::from_secs(5) };

/// Names of the metrics stored between two times.
pub(crate) type Names =
    Arc<dyn Fn(i64, i64) -> BoxFuture<'static, Result<Vec<String>, String>> + Send + Sync>;

/// Time of the newest sample of each stored metric.
pub(crate) type Newest = Arc<dyn Fn() -> BTreeMap<String, i64> + Send + Sync>;

/// The state of the program's own sources.
pub(crate) type Sources = Arc<dyn Fn() -> Vec<SourceStatus> + Send + Sync>;

/// What the service needs.
pub(crate) struct PageParts {
    pub(crate) engine: Arc<dyn MetricsEngine>,
    pub(crate) names: Names,
    /// `None` where only queries tell, as of a distant engine.
    pub(crate) newest: Option<Newest>,
    pub(crate) sources: Sources,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meter: Meter,
    /// Makes the ledger of the cost page.
    pub(crate) ledger: Option<Arc<LedgerService>>,
    /// ISO 4217 code of the ledger's currency.
    pub(crate) currency: String,
    /// Answers questions in SQL.
    pub(crate) records: SqlDoor,
    /// Answers questions over many requests; `None` where the door is shut.
    pub(crate) requests: Option<Arc<RecordService>>,
    pub(crate) simulated: bool,
    /// What engines may be used to.
    pub(crate) targets: Targets,
}

/// Makes pages over an engine.
pub(crate) struct PageService {
    /// For what goes on after its reader went away.
    me: Weak<Self>,
    parts: PageParts,
    turns: Semaphore,
    kept: Kept<Page>,
    /// How many things of each kind there were last, by scope: decides which tracks are asked for.
    sizes: Mutex<HashMap<String, Sizes>>,
    /// What the palette finds.
    directory: Kept<Directory>,
}

impl PageService {
    pub(crate) fn new(mut parts: PageParts) -> Arc<Self> {
        let clock = || Arc::clone(&parts.clock);
        let kept = Kept::new(KEEP, KEPT_MAX, clock());
        let directory = Kept::new(DIRECTORY_KEEP, 1, clock());
        // Pages ask the same over windows that move on with the time.
        parts.engine = Arc::new(KeptEngine::new(parts.engine, Arc::clone(&parts.clock)));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            parts,
            turns: Semaphore::new(PAGES_AT_ONCE),
            kept,
            sizes: Mutex::new(HashMap::new()),
            directory,
        })
    }

    async fn make(&self, request: PageRequest) -> Result<Page, PageError> {
        let now_ms = self.parts.clock.now_ms();
        let ask = Ask { targets: self.parts.targets, ..rooms::ask(&request, now_ms)? };
        let window = ask.window;
        // Before this page's turn: questions to records may take seconds, and other pages do not wait.
        let requests = self.requests(&request, window).await;
        let records = if request.page == PageId::Explore && request.is_asked_once() {
            self.parts.records.answer(request.query.as_deref(), window).await
        } else {
            RecordDoor::default()
        };
        let _turn = self.turns.acquire().await.map_err(|_closed| internal("shutting down"))?;
        let begun = self.parts.clock.monotonic();
        let world = self.world(ask).await?;
        let explored = match (request.page, &request.query) {
            (PageId::Explore, Some(query)) if request.lang == Language::Promql => {
                Some(self.explore(query.clone(), window).await)
            }
            _ => None,
        };
        let books = match (request.page, &self.parts.ledger) {
            (PageId::Cost, Some(ledger)) => Some(
                ledger
                    .books(window.start_ms + window.moment_ms - window.end_ms, window.moment_ms)
                    .await,
            ),
            _ => None,
        };
        let context =
            Context { simulated: self.parts.simulated, explored, records, requests, books };
        let page = rooms::page(&request, &world, &context);
        drop_later(world);
        let page = page?;
        let took = self.parts.clock.monotonic().saturating_sub(begun);
        let labels = [("page", request.page.name())];
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.parts.meter.counter("strata.pages.made", &labels).add(1);
        self.parts.meter.seconds("strata.pages.time", &labels).add(nanos);
        Ok(page)
    }

    /// What records tell, where the page is about them.
    async fn requests(&self, request: &PageRequest, window: Window) -> RequestsTold {
        if !request.is_about_records() {
            return RequestsTold::default();
        }
        match (&self.parts.requests, self.parts.records.shut()) {
            (Some(service), _) => service.told(request, window).await,
            (None, (why, hint)) => {
                let what = Told::Shut { why: why.to_owned(), hint: hint.to_owned() };
                RequestsTold { models: Vec::new(), what }
            }
        }
    }

    /// Ask everything an ask needs and put it together.
    async fn world(&self, ask: Ask) -> Result<World, PageError> {
        let scope = format!("{:?}", ask.scope);
        let sizes = {
            let known = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&scope).cloned().unwrap_or_default()
        };
        let (with_entities, first) = (ask.entities, ask.wires && sizes == Sizes::default());
        let plan = plan_sized(&ask, &sizes);
        let mut world = self.assembled(plan.clone()).await?;
        // Links were only counted, as nobody knew of how many; few are told one by one at once.
        if let Some(closer) = plan_closer(&plan, &world.sizes()).filter(|_| first) {
            world = self.assembled(closer).await?;
        }
        if with_entities {
            let mut known = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KEPT_MAX {
                known.clear();
            }
            known.insert(scope, world.sizes());
        }
        Ok(world)
    }

    /// Ask what a plan asks and put it together.
    async fn assembled(&self, mut plan: Plan) -> Result<World, PageError> {
        // Of everything together the store knows the newest times; in a scope it takes queries.
        let newest = self.parts.newest.clone().filter(|_| plan.ask.scope == Scope::Fleet);
        if newest.is_some() {
            plan.queries.retain(|query| !query.key.starts_with("newest/"));
        }
        let newest = newest.map(|newest| tokio::task::spawn_blocking(move || newest()));
        let mut answers = self.answers(&plan).await;
        if let Some(newest) = newest {
            answers.newest = newest.await.ok();
        }
        let work = move || (assemble(&plan, &answers), answers);
        let (mut world, answers) = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| internal(&format!("the page could not be put together: {error}")))?;
        drop_later(answers);
        world.currency.clone_from(&self.parts.currency);
        Ok(world)
    }

    async fn answers(&self, plan: &Plan) -> Answers {
        let window = plan.ask.window;
        let now_ms = window.now_ms;
        let names = (self.parts.names)(now_ms - NOW_MS, now_ms);
        let before = (self.parts.names)(now_ms - BEFORE_MS, now_ms);
        let looked = async { tokio::join!(names, before) };
        let (queries, looked) = tokio::join!(
            self.queries(&plan.queries, window),
            tokio::time::timeout(DEADLINE, looked),
        );
        let (names, names_before) = looked.map_or((None, None), |(a, b)| (a.ok(), b.ok()));
        let sources = (self.parts.sources)();
        Answers { queries, names, names_before, newest: None, sources }
    }

    async fn queries(
        &self,
        planned: &[Planned],
        window: Window,
    ) -> BTreeMap<String, Result<Answer, QueryError>> {
        let PageParts { engine, clock, meter, .. } = &self.parts;
        let found = ask_all(engine, planned, window, ASKING, clock).await;
        let failed = found.values().filter(|answer| answer.is_err()).count() as u64;
        meter.counter("strata.pages.queries", &[]).add(planned.len() as u64);
        let missing = (planned.len() - found.len()) as u64;
        meter.counter("strata.pages.failed_queries", &[]).add(failed + missing);
        found
    }

    /// Everything that can be found by name.
    async fn directory(&self) -> Result<Directory, PageError> {
        let mut ask = rooms::ask(&PageRequest::new(PageId::Topology), self.parts.clock.now_ms())?;
        ask.coverage = false;
        ask.wants.clear();
        let world = self.world(ask).await?;
        Ok(Directory::of(&world))
    }

    /// The reader's own query over the window.
    async fn explore(&self, text: String, window: Window) -> Result<Explored, String> {
        // The reader's own question ends at the moment.
        let shift_ms = window.moment_ms - window.end_ms;
        let axis = TimeAxis {
            start_ms: window.start_ms + shift_ms,
            step_ms: window.step_ms,
            count: window.len(),
        };
        let query = RangeQuery {
            text,
            start_ms: axis.start_ms,
            end_ms: window.moment_ms,
            step_ms: axis.step_ms,
            timeout: DEADLINE,
            lookback_ms: None,
        };
        let answer = self.parts.engine.range(query).await.map_err(|error| error.message)?;
        let series = match answer.value {
            QueryValue::Matrix(series) | QueryValue::Vector(series) => series,
            QueryValue::Scalar(..) | QueryValue::String(..) => Vec::new(),
        };
        let total = series.len();
        let lines = series.into_iter().take(EXPLORED_MAX).map(|one| {
            let mut values = vec![None; axis.count];
            for (at_ms, value) in &one.points {
                let place = usize::try_from((at_ms - axis.start_ms) / axis.step_ms).ok();
                if let (Some(slot), Value::Float(value)) =
                    (place.and_then(|place| values.get_mut(place)), value)
                {
                    *slot = Some(*value).filter(|value| value.is_finite());
                }
            }
            (name_of(&one.labels), values)
        });
        Ok(Explored { axis, lines: lines.collect(), total })
    }
}

/// A series in Prometheus notation.
fn name_of(labels: &Labels) -> String {
    let pairs = labels.iter().filter(|(name, _)| *name != strata_model::METRIC_NAME);
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value:?}")).collect();
    let name = labels.metric_name();
    if pairs.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", pairs.join(", "))
}

pub(crate) fn internal(message: &str) -> PageError {
    PageError {
        code: PageErrorCode::Internal,
        message: message.to_owned(),
        hint: "this is a fault of strata: its log says more".to_owned(),
    }
}

impl PageSource for PageService {
    fn page(&self, request: PageRequest) -> PageFuture<'_, Page> {
        Box::pin(async move {
            if request.query.is_some() {
                // A reader's own question is nobody else's: it ends when its reader goes away, and
                // what it waits for takes nothing from pages.
                return self.make(request).await;
            }
            let me = Weak::clone(&self.me);
            let key = format!("{request:?}");
            let make = move || async move {
                let me = me.upgrade().ok_or_else(|| internal("shutting down"))?;
                me.make(request).await
            };
            Ok(self.kept.get(&key, make).await?.as_ref().clone())
        })
    }

    fn suggest(&self, text: String, limit: usize) -> PageFuture<'_, Vec<Suggestion>> {
        Box::pin(async move {
            let me = Weak::clone(&self.me);
            let make = move || async move {
                let me = me.upgrade().ok_or_else(|| internal("shutting down"))?;
                me.directory().await
            };
            let directory = self.directory.get("", make).await?;
            Ok(directory.find(&text, limit))
        })
    }
}
