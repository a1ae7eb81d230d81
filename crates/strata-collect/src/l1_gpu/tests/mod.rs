//! The collectors against stand-ins for the driver, and small trees of files.

mod amd;
mod condition;
mod cost;
mod ends;
mod identity;
mod nvidia;
mod paths;
mod standin;
mod states;

use strata_model::catalog::Catalog;
use strata_model::{Labels, Layer, METRIC_NAME, MetricKind};

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

/// A function of the bus as the kernel shows it: a folder below its bridges, and a link to it.
fn seat(root: &std::path::Path, path: &str, address: &str, files: &[(&str, &str)]) {
    let below = format!("{path}/{address}");
    let folder = root.join("sys/devices").join(&below);
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
    let links = root.join("sys/bus/pci/devices");
    std::fs::create_dir_all(&links).unwrap();
    std::os::unix::fs::symlink(format!("../../../devices/{below}"), links.join(address)).unwrap();
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
fn what_only_grows_is_a_counter_and_nothing_else_is() {
    let grows = [
        "hw.energy",
        "hw.errors",
        "hw.gpu.io",
        "gpu.pcie.replays",
        "gpu.pcie.errors",
        "gpu.interconnect.io",
        "gpu.interconnect.errors",
        "gpu.throttle.time",
        "gpu.fault.events",
        "gpu.switch.fault.events",
        "gpu.rows.remapped",
        "gpu.pages.retired",
    ];
    for name in super::names::ALL {
        let metric = Catalog::builtin().metric(name).unwrap();
        let is_counter = metric.kind == MetricKind::Counter;
        assert_eq!(is_counter, grows.contains(name), "{name} is a {:?}", metric.kind);
        assert_eq!(is_counter, metric.prometheus.ends_with("_total"), "{}", metric.prometheus);
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
