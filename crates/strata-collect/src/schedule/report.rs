//! `up` and its companions: what a scrape says about itself, under Prometheus's names.

use strata_model::{Batch, Labels, METRIC_NAME, STALE_NAN};

use crate::collector::PageCounts;

const NAMES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// The five series of one target.
#[derive(Debug)]
pub(crate) struct Report([Labels; 5]);

impl Report {
    /// The series of the target with these labels.
    pub(crate) fn of(target: &Labels) -> Self {
        Self(NAMES.map(|name| {
            let mut labels = target.to_builder();
            labels.set(METRIC_NAME, name);
            labels.build()
        }))
    }

    /// Add the samples of a round.
    pub(crate) fn write(
        &self,
        batch: &mut Batch,
        at_ms: i64,
        up: bool,
        duration_seconds: f64,
        counts: PageCounts,
    ) {
        let values = [
            f64::from(u8::from(up)),
            duration_seconds,
            counts.scraped as f64,
            counts.kept as f64,
            counts.added as f64,
        ];
        for (labels, value) in self.0.iter().zip(values) {
            batch.push(labels, at_ms, value);
        }
    }

    /// End the five series: the target is gone.
    pub(crate) fn end(&self, batch: &mut Batch, at_ms: i64) {
        for labels in &self.0 {
            batch.push(labels, at_ms, STALE_NAN);
        }
    }
}
