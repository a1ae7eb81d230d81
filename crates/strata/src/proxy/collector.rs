//! The series of the proxy, and its row among the sources.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strata_collect::{CollectError, Collector, Harvest};
use strata_model::sink::BoxFuture;
use strata_model::{Fault, FaultCode, Layer, SourceKind};
use strata_proxy::metrics::Registry;
use strata_proxy::{CopiedBytes, UpstreamHealth};

use crate::content::Content;

/// How often the series are stored.
const INTERVAL: Duration = Duration::from_secs(15);

/// Writes `gateway.*`.
pub(crate) struct ProxyCollector {
    pub(super) registry: Arc<Registry>,
    pub(super) upstreams: UpstreamHealth,
    pub(super) copied: CopiedBytes,
    pub(super) content: Arc<Content>,
    pub(super) node: String,
    pub(super) source: Arc<str>,
    /// Calls that were not recorded, and how many of them were told.
    pub(super) lost: Arc<AtomicU64>,
    pub(super) told: u64,
}

impl Collector for ProxyCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L7Genai)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn timeout(&self) -> Duration {
        INTERVAL / 2
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        let node = self.node.as_str();
        let identity = [("instance", node), ("job", "strata"), ("node", node)];
        let batch = self.registry.batch(&self.source, &identity, at_ms);
        self.content.copied(self.copied.now());
        let lost = self.lost.load(Ordering::Relaxed);
        let new = lost - std::mem::replace(&mut self.told, lost);
        let text = || format!("{new} calls have no record: more came than could be written");
        let faults = (new > 0).then(|| Fault::new(FaultCode::OverLimit, text()));
        let down = silent(&self.upstreams.down());
        let harvest = Harvest { batch, faults: faults.into_iter().chain(down).collect() };
        Box::pin(std::future::ready(Ok(harvest)))
    }
}

/// Upstreams that do not answer for their health.
fn silent(down: &[Arc<str>]) -> Option<Fault> {
    let text = || {
        format!(
            "{}: no answer or a server's error to the health path of [[proxy.upstreams]]; calls go to \
             others as long as there are any",
            down.join(", ")
        )
    };
    (!down.is_empty()).then(|| Fault::new(FaultCode::Unreachable, text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_that_are_down_are_a_fault_with_their_names() {
        assert_eq!(silent(&[]), None);
        let fault = silent(&[Arc::from("a"), Arc::from("b")]).unwrap();
        assert!(fault.message.starts_with("a, b: no answer"), "{fault:?}");
        assert_eq!(fault.code, FaultCode::Unreachable);
    }
}
