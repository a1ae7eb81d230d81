//! The kubelet of this node: which container was given which device.
//!
//! PodResources is the truth of what was allocated. Its answer is completed by the device plugins'
//! checkpoint (UIDs), by the control groups (which pods still exist) and by what the API server says
//! of the pods, where somebody asks it. Where PodResources cannot be asked the checkpoint stands in.

mod allocation;
mod checkpoint;
#[cfg(test)]
mod claim_tests;
mod client;
mod live_pods;
mod proto;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{FaultCode, Layer, SourceKind, SourceState};

use super::gather::{Gather, failed};
use super::pod_book::PodBook;
use crate::collector::{CollectError, Collector, Harvest};
use crate::scrape::read_bounded;
use allocation::{Allocation, Place};
use checkpoint::Entry;
use client::PodResourcesClient;
use proto::ListResponse;

const SOCKET: &str = "var/lib/kubelet/pod-resources/kubelet.sock";
const CHECKPOINT: &str = "var/lib/kubelet/device-plugins/kubelet_internal_checkpoint";
/// Each entry carries the plugin's answer, a few kB; the kubelet itself keeps it below 1 MB or so.
const CHECKPOINT_BYTES_MAX: u64 = 16 << 20;

/// Reads allocations once per interval.
pub struct KubeletCollector {
    source: Arc<str>,
    interval: Duration,
    host_root: PathBuf,
    node: Arc<str>,
    client: PodResourcesClient,
    book: PodBook,
}

impl KubeletCollector {
    /// `host_root` is `/`, or where a container has the host's root mounted; `node` becomes the label
    /// `node`. What the API server says of the pods is looked up in `book`.
    pub fn new(host_root: &Path, node: &str, interval: Duration, book: PodBook) -> Self {
        Self {
            source: Arc::from("kubernetes/kubelet"),
            interval,
            host_root: host_root.to_owned(),
            node: Arc::from(node),
            client: PodResourcesClient::new(&host_root.join(SOCKET)),
            book,
        }
    }

    /// Whether there is anything of a kubelet on this host.
    pub fn is_here(host_root: &Path) -> bool {
        host_root.join(SOCKET).exists() || host_root.join(CHECKPOINT).exists()
    }

    fn checkpoint(&self) -> Result<Vec<Entry>, CollectError> {
        let path = self.host_root.join(CHECKPOINT);
        let file = read_bounded(&path.display().to_string(), CHECKPOINT_BYTES_MAX);
        let file = file.map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    failed(SourceState::Absent, FaultCode::Unsupported, message, "")
                }
                std::io::ErrorKind::PermissionDenied => failed(
                    SourceState::Denied,
                    FaultCode::Denied,
                    message,
                    "the kubelet's files are root's: run strata as root",
                ),
                _ => failed(SourceState::Failing, FaultCode::Io, message, ""),
            }
        })?;
        checkpoint::parse(&file).map_err(|error| {
            failed(SourceState::Failing, FaultCode::Malformed, error.to_string(), "")
        })
    }

    /// Everything on this node. Where the list is refused, too large or not answered in time, the pods
    /// that the API server names are asked for one by one, which is told as a fault all the same.
    async fn answer(&mut self, gather: &mut Gather) -> Result<ListResponse, CollectError> {
        let refused = match self.client.list().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let pods = self.book.with_gpus_on(&self.node);
        let by_one = matches!(
            refused.fault.code,
            FaultCode::Denied | FaultCode::TooLarge | FaultCode::Io | FaultCode::Timeout
        );
        // A socket that cannot be opened refuses every question.
        if !by_one || pods.is_empty() || !self.client.is_connectable().await {
            return Err(refused);
        }
        match self.client.get(&pods).await {
            Ok(answer) => {
                gather.fold(refused.fault);
                Ok(answer)
            }
            Err(_also) => Err(refused),
        }
    }

    async fn round(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        let mut gather = Gather::new(&self.source, at_ms);
        let answer = self.answer(&mut gather).await;
        // Small files and folders of memory file systems: read where the scheduler stands.
        let checkpoint = self.checkpoint();
        let place = Place {
            node: &self.node,
            minors: super::device::minors(&self.host_root),
            live: live_pods::uids(&self.host_root),
            book: &self.book,
        };
        let allocations = match (answer, checkpoint) {
            (Ok(answer), Ok(entries)) => {
                let mut given = allocation::of_answer(&answer, &place);
                allocation::complete(&mut given, &entries, &mut gather);
                given
            }
            (Ok(answer), Err(error)) => {
                if error.state == SourceState::Failing {
                    gather.fold(error.fault);
                }
                allocation::of_answer(&answer, &place)
            }
            (Err(mut error), Ok(entries)) => {
                // A kubelet is here, so this is no missing feature: somebody should look at it.
                if error.fault.code == FaultCode::Unsupported {
                    error.fault.code = FaultCode::Unreachable;
                    error.fault.message = format!("{} ({})", error.fault.message, error.hint);
                }
                gather.fold(error.fault);
                allocation::of_checkpoint(&entries, &place)
            }
            (Err(error), Err(_also)) => return Err(error),
        };
        let kept = allocation::that_still_stand(allocations, &place, &mut gather);
        for allocation in &kept {
            write(allocation, &place, &mut gather);
        }
        Ok(gather.into_harvest())
    }
}

/// Read an answer of PodResources; the devices in it, if it is one.
pub(crate) fn answered(bytes: &[u8]) -> Option<usize> {
    let answer = <ListResponse as prost::Message>::decode(bytes).ok()?;
    let book = PodBook::default();
    let place = Place { node: "", minors: Vec::new(), live: BTreeSet::new(), book: &book };
    let mut gather = Gather::new(&Arc::from("fuzz"), 0);
    let found = allocation::of_answer(&answer, &place);
    Some(allocation::that_still_stand(found, &place, &mut gather).len())
}

/// Read a checkpoint; the devices in it, if it is one.
pub(crate) fn checkpointed(bytes: &[u8]) -> Option<usize> {
    checkpoint::parse(bytes).ok().map(|entries| entries.len())
}

/// One edge of ownership, and who is behind it.
fn write(allocation: &Allocation, place: &Place<'_>, gather: &mut Gather) {
    let device = &allocation.device;
    let edge = [
        ("gpu_uuid", &*device.gpu_uuid),
        ("mig_uuid", &device.mig_uuid),
        ("gpu", &device.minor),
        ("node", place.node),
        ("namespace", &allocation.namespace),
        ("pod", &allocation.pod),
        ("pod_uid", &allocation.pod_uid),
        ("container", &allocation.container),
        ("resource", &allocation.resource),
        ("device", &allocation.device_id),
        ("sharing", device.sharing),
        ("method", allocation.method),
        ("confidence", allocation.confidence),
    ];
    gather.info(super::names::ALLOCATION, &edge);
    let Some(facts) = place.book.facts(&allocation.namespace, &allocation.pod) else { return };
    let kind = &*facts.workload_kind;
    let named = |is: bool| if is { &*facts.workload } else { "" };
    // Job, CronJob, RayJob, PyTorchJob, TrainJob, JobSet, Workflow.
    let is_job = kind.ends_with("Job") || matches!(kind, "JobSet" | "Workflow");
    let owner = [
        ("gpu_uuid", &*device.gpu_uuid),
        ("gpu", &device.minor),
        ("node", place.node),
        ("namespace", &allocation.namespace),
        ("pod", &allocation.pod),
        ("container", &allocation.container),
        ("deployment", named(kind == "Deployment")),
        ("job", named(is_job)),
        ("workload_kind", kind),
        ("workload", &facts.workload),
        ("queue", &facts.queue),
        ("team", &facts.team),
        ("model", &facts.model),
        ("cost_center", &facts.cost_center),
    ];
    gather.info(super::names::OWNER, &owner);
}

impl Collector for KubeletCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L4Sched)
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn timeout(&self) -> Duration {
        (self.interval * 4 / 5).min(Duration::from_secs(10))
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        Box::pin(self.round(at_ms))
    }
}
