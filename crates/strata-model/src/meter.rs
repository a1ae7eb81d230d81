//! Counters and gauges by which every stage of the program counts itself.
//!
//! A stage asks the [`Meter`] once for a handle and then only touches an atomic. `/metrics` of the
//! program itself and the `strata.*` series in its own store are read from [`Meter::snapshot`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::batch::MetricKind;
use crate::labels::Labels;

/// A number that only grows.
#[derive(Debug, Default, Clone)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Add `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The current total.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down, kept as a float. Starts as NaN: not known yet.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Set the value.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The current value; NaN before the first `set`.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(f64::NAN.to_bits())))
    }
}

#[derive(Debug)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    /// A counter of nanoseconds, shown in seconds.
    Seconds(Counter),
}

/// One value of one own metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Canonical dotted name, `strata.store.samples`.
    pub metric: &'static str,
    pub kind: MetricKind,
    /// Labels without a metric name.
    pub labels: Labels,
    pub value: f64,
}

/// The registry of own metrics. Cheap to clone; every clone is the same registry.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<BTreeMap<(&'static str, Labels), Cell>>>);

impl Meter {
    /// The counter of this name and these labels, made on first use.
    /// `metric` must be a canonical `strata.*` name of the catalog.
    pub fn counter(&self, metric: &'static str, labels: &[(&str, &str)]) -> Counter {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (metric, Labels::from_pairs(labels.iter().copied()));
        match cells.entry(key).or_insert_with(|| Cell::Counter(Counter::default())) {
            Cell::Counter(counter) | Cell::Seconds(counter) => counter.clone(),
            Cell::Gauge(_) => Counter::default(),
        }
    }

    /// A counter that is fed nanoseconds and read as seconds.
    pub fn seconds(&self, metric: &'static str, labels: &[(&str, &str)]) -> Counter {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (metric, Labels::from_pairs(labels.iter().copied()));
        match cells.entry(key).or_insert_with(|| Cell::Seconds(Counter::default())) {
            Cell::Counter(counter) | Cell::Seconds(counter) => counter.clone(),
            Cell::Gauge(_) => Counter::default(),
        }
    }

    /// The gauge of this name and these labels, made on first use.
    pub fn gauge(&self, metric: &'static str, labels: &[(&str, &str)]) -> Gauge {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (metric, Labels::from_pairs(labels.iter().copied()));
        match cells.entry(key).or_insert_with(|| Cell::Gauge(Gauge::default())) {
            Cell::Gauge(gauge) => gauge.clone(),
            Cell::Counter(_) | Cell::Seconds(_) => Gauge::default(),
        }
    }

    /// All readings in order of name and labels; gauges that were never set are left out.
    pub fn snapshot(&self) -> Vec<Reading> {
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let readings = cells.iter().map(|((metric, labels), cell)| {
            let (kind, value) = match cell {
                Cell::Counter(counter) => (MetricKind::Counter, counter.get() as f64),
                Cell::Seconds(counter) => (MetricKind::Counter, counter.get() as f64 / 1e9),
                Cell::Gauge(gauge) => (MetricKind::Gauge, gauge.get()),
            };
            Reading { metric, kind, labels: labels.clone(), value }
        });
        readings.filter(|reading| !reading.value.is_nan()).collect()
    }
}
