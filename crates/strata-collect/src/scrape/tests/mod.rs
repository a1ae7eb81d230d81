//! Targets, pages and lists against servers on loopback.

mod http;
mod lists;
mod model;
mod page;
mod speed;
mod tls;

use std::sync::Arc;

use strata_model::{Batch, is_stale};

use super::*;
use crate::collector::{CollectError, Collector, Harvest};

/// No environment variables.
fn nothing() -> Environment {
    Arc::new(|_name| None)
}

/// The options of a job with one target.
fn options(address: &str) -> ScrapeOptions {
    ScrapeOptions {
        job: "test".to_owned(),
        targets: vec![address.to_owned()],
        ..ScrapeOptions::default()
    }
}

/// The collector of the first target of a job.
fn collector(options: &ScrapeOptions, environment: Environment) -> ScrapeCollector {
    let settings = options.validate().expect("the options are good");
    let target = Target::of(&settings, &settings.targets[0], &std::collections::BTreeMap::new());
    let job =
        Job::new(settings, environment, SourceRules::default()).expect("the files can be read");
    job.collector(target.expect("the target is good"), None)
}

async fn scrape(options: &ScrapeOptions) -> Result<Harvest, CollectError> {
    collector(options, nothing()).collect(1_000).await
}

/// `series value` of every sample, sorted.
fn lines(batch: &Batch) -> Vec<String> {
    let line = |sample: &strata_model::Sample| {
        let value = if is_stale(sample.value) { "stale".into() } else { sample.value.to_string() };
        format!("{} {value}", batch.labels(sample.series))
    };
    let mut lines: Vec<_> = batch.samples.iter().map(line).collect();
    lines.sort();
    lines
}
