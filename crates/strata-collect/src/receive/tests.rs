//! What the tests of all receivers share: decoded bodies as text, and the captured ones.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::Decoded;

/// A folder of bodies captured from real senders.
pub(super) fn fixtures(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(folder)
}

/// Every series and sample, one per line, batch by batch.
pub(super) fn lines(decoded: &Decoded) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in &decoded.batches {
        for sample in &batch.samples {
            let labels = batch.labels(sample.series);
            let value = match sample.value {
                value if strata_model::is_stale(value) => "stale".to_owned(),
                value => value.to_string(),
            };
            lines.push(format!("{} {labels} {value} @{}", batch.source, sample.at_ms));
        }
        for sample in &batch.histograms {
            let labels = batch.labels(sample.series);
            let (source, at_ms) = (&batch.source, sample.at_ms);
            lines.push(format!("{source} {labels} {:?} @{at_ms}", sample.histogram));
        }
    }
    lines
}

/// Counts, faults, metadata and every `step`th line, for snapshots that a person can read.
pub(super) fn summary(decoded: &Decoded, step: usize) -> String {
    let mut text = String::new();
    for batch in &decoded.batches {
        let (series, samples) = (batch.series_count(), batch.samples.len());
        let (histograms, metadata) = (batch.histograms.len(), batch.metadata.len());
        writeln!(
            text,
            "batch {}: {series} series, {samples} samples, {histograms} histograms, {metadata} metadata",
            batch.source
        )
        .unwrap();
    }
    let Decoded { samples, histograms, exemplars, rejected, .. } = decoded;
    writeln!(
        text,
        "{samples} samples, {histograms} histograms, {exemplars} exemplars, {rejected} rejected"
    )
    .unwrap();
    for fault in &decoded.faults {
        writeln!(text, "fault {} x{} {}", fault.code.name(), fault.count, fault.message).unwrap();
    }
    let families = decoded.batches.iter().flat_map(|batch| &batch.metadata);
    for family in families.step_by(step) {
        let (name, kind, unit) = (&family.family, family.kind.name(), &family.unit);
        writeln!(text, "family {name} {kind} [{unit}] {}", family.help).unwrap();
    }
    for line in lines(decoded).iter().step_by(step) {
        writeln!(text, "{line}").unwrap();
    }
    text
}
