//! Layer 4 of `strata run`: starts what there is of Kubernetes and Slurm, and says of the rest why not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strata_collect::l4_sched::kubelet::KubeletCollector;
use strata_collect::l4_sched::kubernetes::{Entrance, KubernetesScope, KubernetesSettings};
use strata_collect::l4_sched::slurm::{
    self, SlurmJobsCollector, SlurmQueue, SlurmQueueCollector, SlurmSettings,
};
use strata_collect::l4_sched::{PodBook, kubernetes};
use strata_collect::{Collector, Scheduler, SourceBook};
use strata_model::{Clock, Layer};

use crate::command::run::{environment, environment_lookup};

/// Why Slurm's queue cannot be asked.
pub(crate) const NO_SQUEUE: &str = "no squeue on the PATH";

/// Where collectors of this layer go.
pub(crate) struct Scheduling<'a> {
    pub(crate) scheduler: &'a Scheduler,
    pub(crate) book: &'a SourceBook,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) place: Place<'a>,
}

/// The host that is looked at.
pub(crate) struct Place<'a> {
    pub(crate) host_root: &'a Path,
    pub(crate) node: &'a str,
}

/// What there is of this layer here.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) collectors: Vec<Box<dyn Collector>>,
    /// Sources that are not here, and why.
    pub(crate) absent: Vec<(&'static str, &'static str)>,
}

/// A new pod must have its device within five seconds, and the answer of one kubelet is small.
const KUBELET_INTERVAL: Duration = Duration::from_secs(5);

/// The name of this node as the cluster has it, when the environment says so.
pub(crate) fn node_of_environment(settings: &KubernetesSettings) -> Option<String> {
    let name = settings.enabled.then(|| environment(&settings.node_env)).flatten();
    name.filter(|name| !name.is_empty())
}

impl Place<'_> {
    /// The kubelet of this node and the API server.
    pub(crate) fn kubernetes(&self, settings: &KubernetesSettings) -> Parts {
        let mut parts = Parts::default();
        if !settings.enabled {
            return parts;
        }
        let book = PodBook::default();
        let interval = settings.interval.min(KUBELET_INTERVAL);
        let kubelet = KubeletCollector::new(self.host_root, self.node, interval, book.clone());
        parts.collectors.push(Box::new(kubelet));
        let entrance = Entrance::find(
            settings.kubeconfig.as_deref(),
            settings.context.as_deref(),
            &environment_lookup(),
        );
        let Some(entrance) = entrance else {
            let hint = "not inside of a cluster: name a kubeconfig under [kubernetes] to ask an API \
                        server from outside";
            parts.absent.push(("kubernetes/api", hint));
            return parts;
        };
        let of_node = match settings.scope {
            KubernetesScope::Node => true,
            KubernetesScope::Cluster => false,
            KubernetesScope::Auto => KubeletCollector::is_here(self.host_root),
        };
        let named = node_of_environment(settings).unwrap_or_else(|| self.node.to_owned());
        let node = of_node.then_some(&*named);
        parts.collectors.extend(kubernetes::collectors(settings, entrance, node, &book));
        parts
    }

    /// The jobs of this node, and the queue where that is wanted.
    pub(crate) fn slurm(&self, settings: &SlurmSettings) -> Parts {
        let mut parts = Parts::default();
        if !settings.enabled {
            return parts;
        }
        let jobs = SlurmJobsCollector::new(settings, self.host_root, self.node);
        parts.collectors.push(Box::new(jobs));
        let path = environment("PATH");
        let find = |program| slurm::find(program, settings.bin_dir.as_deref(), path.as_deref());
        let wanted = match settings.queue {
            SlurmQueue::Off => return parts,
            SlurmQueue::On => true,
            SlurmQueue::Auto => slurm::may_ask_queue(self.host_root),
        };
        match find("squeue") {
            None => parts.absent.push(("slurm/queue", NO_SQUEUE)),
            Some(_) if !wanted => {
                let hint = "a compute node does not ask the controller: set queue = \"on\" under \
                            [slurm] on one host of the cluster";
                parts.absent.push(("slurm/queue", hint));
            }
            Some(squeue) => {
                let collector = SlurmQueueCollector::new(settings, squeue, find("scontrol"));
                parts.collectors.push(Box::new(collector));
            }
        }
        parts
    }
}

impl Scheduling<'_> {
    /// Start what there is, and enter what is not.
    pub(crate) fn start(&self, kubernetes: &KubernetesSettings, slurm: &SlurmSettings) {
        for parts in [self.place.kubernetes(kubernetes), self.place.slurm(slurm)] {
            for collector in parts.collectors {
                self.scheduler.add(collector);
            }
            for (id, hint) in parts.absent {
                self.book.absent(id, Layer::L4Sched, self.clock.now_ms(), hint);
            }
        }
    }
}
