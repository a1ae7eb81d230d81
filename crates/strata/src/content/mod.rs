//! Captured content in the running program: taken off the way of the bytes, cleaned, written, kept
//! within its age, and told of.

mod group;
mod hook;
mod row;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use strata_collect::SourceBook;
use strata_collect::book::Addendum;
use strata_model::Clock;
use strata_model::content::Redactor;
use strata_model::meter::Meter;
use strata_proxy::{CaptureSettings, Captured, ContentSink, LeftOut, ProxySettings};
use strata_store::{ContentStore, Gap, RoutePlan};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Settings;
pub(crate) use hook::Hook;
pub(crate) use row::words;

/// Where captured content is stored, below the data directory.
pub(crate) const CONTENT_DIR: &str = "content";
/// Calls that wait to be written; more are dropped and counted. Their bytes are bounded by the proxy.
const WAITING_MAX: usize = 1024;
/// How often what is too old is looked for, and gaps are written when no call comes.
const SWEEP: Duration = Duration::from_mins(5);

/// The directory of captured content.
pub(crate) fn dir_of(settings: &Settings) -> PathBuf {
    let named = settings.proxy.as_ref().and_then(|proxy| proxy.content_dir.clone());
    named.unwrap_or_else(|| settings.store.dir.join(CONTENT_DIR))
}

/// How a route is captured, ready to work.
struct Plan {
    keep: RoutePlan,
    redactor: Redactor,
    hook: Option<Hook>,
    settings: Arc<CaptureSettings>,
}

/// Calls left out: since the last write, and since the start.
#[derive(Default)]
struct Gaps {
    unwritten: BTreeMap<(String, &'static str), u64>,
    all: BTreeMap<(String, &'static str), u64>,
}

/// What may fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Write,
    Redactor,
    Sweep,
}

/// What is captured, and where it goes.
pub(crate) struct Content {
    store: ContentStore,
    plans: BTreeMap<String, Plan>,
    gaps: Mutex<Gaps>,
    /// Why the last work of each kind failed, until one succeeds.
    trouble: Mutex<BTreeMap<Work, String>>,
    /// When something was last written, milliseconds since the Unix epoch; 0 before.
    stored_ms: AtomicI64,
    /// Calls that wait to be written; more are dropped and counted.
    waiting_max: usize,
    /// Bytes of memory for reading, cleaning and writing.
    cleaning_max: usize,
    meter: Meter,
    clock: Arc<dyn Clock>,
}

impl Content {
    /// Of these settings. Nothing is made on disk.
    pub(crate) fn of(
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        meter: &Meter,
    ) -> Result<Arc<Self>> {
        let store = ContentStore::at(&dir_of(settings), Arc::clone(clock));
        Self::on(store, settings, WAITING_MAX, (clock, meter))
    }

    /// The same in this store, with so many calls that may wait.
    fn on(
        store: ContentStore,
        settings: &Settings,
        waiting_max: usize,
        (clock, meter): (&Arc<dyn Clock>, &Meter),
    ) -> Result<Arc<Self>> {
        let mut plans = BTreeMap::new();
        let captured = settings.proxy.iter().flat_map(ProxySettings::captured);
        for (route, capture) in captured {
            let redactor = capture.cleaner().map_err(|problems| {
                anyhow!("cannot set up the redaction of route {route:?}: {problems:?}")
            })?;
            let hook = capture.redactor.as_ref().map(Hook::new).transpose()?;
            let keep = RoutePlan {
                route: route.to_string(),
                retention: capture.retention,
                disk_bytes: capture.disk_bytes,
            };
            let settings = Arc::clone(capture);
            plans.insert(route.to_string(), Plan { keep, redactor, hook, settings });
        }
        let (meter, clock) = (meter.clone(), Arc::clone(clock));
        let (gaps, trouble) = (Mutex::default(), Mutex::default());
        let stored_ms = AtomicI64::new(0);
        let cleaning_max = settings.proxy.as_ref().map_or(0, |proxy| proxy.content_memory / 2);
        Ok(Arc::new(Self {
            store,
            plans,
            gaps,
            trouble,
            stored_ms,
            waiting_max,
            cleaning_max,
            meter,
            clock,
        }))
    }

    /// So many bytes are taken by calls that are read and cleaned.
    fn cleaning(&self, bytes: usize) {
        let stage = [("stage", "cleaning")];
        self.meter.gauge("strata.content.memory", &stage).set(bytes as f64);
    }

    /// What is taken by calls that are cleaned now.
    #[cfg(test)]
    fn cleaned_now(&self) -> f64 {
        self.meter.gauge("strata.content.memory", &[("stage", "cleaning")]).get()
    }

    /// So many bytes are taken by copies of calls that pass or wait.
    pub(crate) fn copied(&self, bytes: usize) {
        if self.is_on() {
            self.meter.gauge("strata.content.memory", &[("stage", "copies")]).set(bytes as f64);
        }
    }

    fn ill(&self, work: Work, why: String) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).insert(work, why);
    }

    fn well(&self, work: Work) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).remove(&work);
    }

    /// Whether any route is captured.
    fn is_on(&self) -> bool {
        !self.plans.is_empty()
    }

    /// Take calls and write them until the sink is dropped, where any route is captured. What was
    /// captured before is deleted when it is too old, whether one is or not.
    pub(crate) fn start(
        self: &Arc<Self>,
    ) -> (Option<Arc<dyn ContentSink>>, Option<JoinHandle<()>>) {
        if !self.is_on() {
            if self.store.dir().is_dir() {
                tokio::spawn(writing::sweep_for_ever(Arc::clone(self)));
            }
            return (None, None);
        }
        let (sender, receiver) = mpsc::channel(self.waiting_max);
        let writing = tokio::spawn(writing::write(Arc::clone(self), receiver));
        let taking = Taking { sender, content: Arc::clone(self) };
        (Some(Arc::new(taking)), Some(writing))
    }

    /// The book of sources with a row for what is captured, behind what `told` completes.
    pub(crate) fn complete(self: &Arc<Self>, book: &SourceBook, told: Addendum) {
        let content = Arc::clone(self);
        book.complete_with(Box::new(move |rows| {
            told(rows);
            if let Some(row) = content.row() {
                rows.insert(row.id.clone(), row);
            }
        }));
    }

    fn leave_out(&self, route: &str, why: LeftOut) {
        let labels = [("reason", why.name()), ("route", route)];
        self.meter.counter("strata.content.left_out", &labels).add(1);
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (route.to_owned(), why.name());
        *gaps.unwritten.entry(key.clone()).or_default() += 1;
        *gaps.all.entry(key).or_default() += 1;
    }

    /// Gaps of a route that no segment tells of yet. They count as written.
    fn take_gaps(&self, route: &str) -> Vec<Gap> {
        let at_us = self.clock.now_ms().saturating_mul(1_000);
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let (mine, others) =
            std::mem::take(&mut gaps.unwritten).into_iter().partition(|((of, _), _)| of == route);
        gaps.unwritten = others;
        let mine: BTreeMap<(String, &'static str), u64> = mine;
        let gap = |((route, reason), count): ((String, &str), u64)| Gap {
            at_us,
            route,
            reason: reason.to_owned(),
            count,
        };
        mine.into_iter().map(gap).collect()
    }

    /// Gaps that could not be written after all.
    fn put_back(&self, gaps: Vec<Gap>) {
        let mut kept = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        for gap in gaps {
            let reasons = kept
                .all
                .keys()
                .find(|(route, reason)| *route == gap.route && *reason == gap.reason);
            if let Some(key) = reasons.cloned() {
                *kept.unwritten.entry(key).or_default() += gap.count;
            }
        }
    }

    fn keeps(&self) -> Vec<RoutePlan> {
        self.plans.values().map(|plan| plan.keep.clone()).collect()
    }
}

/// Hands captured calls over without waiting.
struct Taking {
    sender: mpsc::Sender<Captured>,
    content: Arc<Content>,
}

impl ContentSink for Taking {
    fn take(&self, captured: Captured) {
        if let Err(refused) = self.sender.try_send(captured) {
            let captured = refused.into_inner();
            self.content.leave_out(&captured.call.route, LeftOut::QueueFull);
        }
    }
}
