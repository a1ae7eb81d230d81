//! Sorts series into one batch per target, so that those sampled together share a time column.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::{Batch, Metadata, MetricKind};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Targets of one body that get a batch of their own. A body of 2,000 samples holds a few dozen;
/// the rest of a hostile one goes to the common batch.
const TARGETS_MAX: usize = 4096;

/// Longest `job` and `instance` that make a source name.
const TARGET_BYTES_MAX: usize = 256;

/// The free text of a family's metadata.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UnitAndHelp<'a> {
    pub(super) unit: &'a [u8],
    pub(super) help: &'a [u8],
}

/// The batches of one body.
#[derive(Debug)]
pub(super) struct Targets {
    /// Source of the common batch, for series that name no target and for metadata; the others
    /// append their target to it.
    source: &'static str,
    /// The first is the common one.
    batches: Vec<Batch>,
    by_target: FxHashMap<Box<[u8]>, usize>,
    /// `job`, a zero byte, `instance` of the latest series: consecutive ones mostly share it.
    latest_target: Vec<u8>,
    latest: usize,
    /// Hashes of family and kind.
    described: FxHashSet<u64>,
}

impl Targets {
    pub(super) fn new(source: &'static str) -> Self {
        Self {
            source,
            batches: vec![Batch::new(Arc::from(source))],
            by_target: FxHashMap::default(),
            latest_target: vec![0],
            latest: 0,
            described: FxHashSet::default(),
        }
    }

    /// Keep what the sender says about a family, once per body; beyond `limit` families nothing.
    #[inline]
    pub(super) fn describe(
        &mut self,
        kind: MetricKind,
        family: &[u8],
        rest: UnitAndHelp<'_>,
        limit: usize,
    ) {
        let key = xxh3_64_with_seed(family, kind as u64);
        if family.is_empty() || self.described.len() >= limit || !self.described.insert(key) {
            return;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.batches[0].metadata.push(Metadata {
            family: text(family),
            kind,
            unit: text(rest.unit),
            help: text(rest.help),
        });
    }

    /// The batches that carry anything.
    pub(super) fn into_batches(self) -> Vec<Batch> {
        self.batches.into_iter().filter(|batch| !batch.is_empty()).collect()
    }

    /// The batch of the target that these label values name; both empty means none.
    #[inline]
    pub(super) fn batch(&mut self, job: &[u8], instance: &[u8]) -> &mut Batch {
        let latest = &self.latest_target;
        let same = latest.len() == job.len() + 1 + instance.len()
            && latest.starts_with(job)
            && latest[job.len()] == 0
            && latest.ends_with(instance);
        if !same {
            self.latest_target.clear();
            self.latest_target.extend_from_slice(job);
            self.latest_target.push(0);
            self.latest_target.extend_from_slice(instance);
            self.latest = self.look_up(job, instance);
        }
        &mut self.batches[self.latest]
    }

    fn look_up(&mut self, job: &[u8], instance: &[u8]) -> usize {
        if job.is_empty() && instance.is_empty() {
            return 0;
        }
        if let Some(&index) = self.by_target.get(self.latest_target.as_slice()) {
            return index;
        }
        if self.batches.len() > TARGETS_MAX || self.latest_target.len() > TARGET_BYTES_MAX {
            return 0;
        }
        let (job, instance) = (String::from_utf8_lossy(job), String::from_utf8_lossy(instance));
        let index = self.batches.len();
        self.batches.push(Batch::new(Arc::from(format!("{}/{job}/{instance}", self.source))));
        self.by_target.insert(self.latest_target.as_slice().into(), index);
        index
    }
}
