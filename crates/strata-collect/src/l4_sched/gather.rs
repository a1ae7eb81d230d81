//! What one round of a collector of this layer brings home, within bounds.

use std::sync::Arc;

use strata_model::{Batch, Fault, FaultCode, Labels, METRIC_NAME, SourceState};

use crate::collector::{CollectError, Harvest};
use crate::table::series_name;

/// Series of one round: 10,000 pods with five series each.
const SERIES_MAX: usize = 50_000;
/// Distinct faults kept per round: enough to see what is wrong, the rest is only counted.
const FAULTS_MAX: usize = 16;
/// Bytes of a label's value. Names of Kubernetes have at most 253.
const VALUE_BYTES_MAX: usize = 253;

/// Samples and faults of one round.
pub(super) struct Gather {
    at_ms: i64,
    harvest: Harvest,
    refused: u64,
}

impl Gather {
    pub(super) fn new(source: &Arc<str>, at_ms: i64) -> Self {
        let harvest = Harvest { batch: Batch::new(Arc::clone(source)), faults: Vec::new() };
        Self { at_ms, harvest, refused: 0 }
    }

    /// When the round began, in milliseconds since the Unix epoch.
    pub(super) fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Add a sample of a metric of the table of names; labels with an empty value are left out.
    pub(super) fn sample(&mut self, metric: &str, labels: &[(&str, &str)], value: f64) {
        if self.harvest.batch.samples.len() >= SERIES_MAX {
            self.refused += 1;
            return;
        }
        let name = [(METRIC_NAME, series_name(metric))];
        let labels = labels.iter().map(|(name, value)| (*name, clip(value)));
        let labels = Labels::from_pairs(name.into_iter().chain(labels));
        self.harvest.batch.push(&labels, self.at_ms, value);
    }

    /// Add a sample of an info series, whose value is always 1.
    pub(super) fn info(&mut self, metric: &str, labels: &[(&str, &str)]) {
        self.sample(metric, labels, 1.0);
    }

    /// Note that something went wrong.
    pub(super) fn fault(&mut self, code: FaultCode, message: impl Into<String>) {
        self.fold(Fault::new(code, message));
    }

    pub(super) fn fold(&mut self, fault: Fault) {
        let faults = &mut self.harvest.faults;
        let alike = |known: &&mut Fault| known.code == fault.code && known.message == fault.message;
        if let Some(known) = faults.iter_mut().find(alike) {
            known.count += fault.count;
        } else if faults.len() < FAULTS_MAX {
            faults.push(fault);
        } else if let Some(last) = faults.last_mut() {
            last.count += fault.count;
        }
    }

    pub(super) fn into_harvest(mut self) -> Harvest {
        if self.refused > 0 {
            let message = format!("more than {SERIES_MAX} series, the others are left out");
            let count = self.refused;
            self.fold(Fault { code: FaultCode::OverLimit, message, count });
        }
        self.harvest
    }
}

fn clip(value: &str) -> &str {
    let mut end = value.len().min(VALUE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.get(..end).unwrap_or_default()
}

/// A round that brought nothing home, in one call.
pub(super) fn failed(
    state: SourceState,
    code: FaultCode,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> CollectError {
    CollectError { fault: Fault::new(code, message), state, hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_bounded_and_long_values_are_cut_at_a_character() {
        let mut gather = Gather::new(&Arc::from("test"), 5);
        let long = "\u{e9}".repeat(200);
        for index in 0..=SERIES_MAX {
            let index = index.to_string();
            gather.info(super::super::names::OWNER, &[("pod", &index), ("job", &long)]);
        }
        for index in 0..100 {
            gather.fault(FaultCode::Malformed, format!("fault {index}"));
        }
        let harvest = gather.into_harvest();
        assert_eq!(harvest.batch.samples.len(), SERIES_MAX);
        assert_eq!(harvest.batch.labels(0).get("job").map(str::len), Some(252));
        assert_eq!(harvest.faults.len(), FAULTS_MAX);
        assert_eq!(harvest.faults.iter().map(|fault| fault.count).sum::<u64>(), 101);
    }
}
