//! The collectors against stand-ins for the driver, and small trees of files.

mod amd;
mod cost;
mod ends;
mod nvidia;
mod standin;
mod states;

use strata_model::catalog::Catalog;
use strata_model::{Labels, Layer, METRIC_NAME};

use crate::collector::{CollectError, Harvest};
use crate::l3_host::part::{Part, Round};

/// One round of a part, checked for what holds of every round.
fn sample(part: &mut dyn Part, at_ms: i64) -> Result<Harvest, CollectError> {
    let mut round = Round::new(&std::sync::Arc::from(part.id()), at_ms);
    part.sample(&mut round)?;
    let harvest = round.into_harvest();
    let batch = &harvest.batch;
    let mut seen = std::collections::BTreeSet::new();
    for sample in &batch.samples {
        let labels = batch.labels(sample.series);
        assert_eq!(labels.get("node"), Some("n1"), "{labels}");
        assert_defined(&labels);
        assert!(seen.insert((batch.series(sample.series).0, sample.at_ms)), "{labels} twice");
        assert!(sample.value.is_finite() && sample.value >= 0.0, "{labels}");
    }
    Ok(harvest)
}

/// The catalog defines the metric and every label but that of the node.
fn assert_defined(labels: &Labels) {
    let metric = Catalog::builtin().by_prometheus_name(labels.metric_name());
    let (metric, _) = metric.unwrap_or_else(|| panic!("{labels} is not in the catalog"));
    for (name, _) in labels.iter().filter(|(name, _)| !["node", METRIC_NAME].contains(name)) {
        assert!(metric.attributes.iter().any(|known| known == name), "{name} of {labels}");
    }
}

#[test]
fn names_are_those_of_the_catalog() {
    let catalog = Catalog::builtin();
    for name in super::names::ALL {
        let metric = catalog.metric(name);
        assert_eq!(metric.and_then(|metric| metric.layer), Some(Layer::L1Gpu), "{name}");
    }
}
