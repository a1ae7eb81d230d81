//! What parts of this program give, and how they are switched on.

use strata_model::{SourceState, SourceStatus};

/// A part of this program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// How it is switched on.
    pub(super) mend: &'static str,
    /// Beginning of the names of its sources; empty where others send to it.
    sources: &'static str,
}

/// What reads a host.
pub(super) const HOST: Part = Part {
    mend: "run strata run on the host ([host] enabled = true in strata.toml)",
    sources: "host/",
};
const GPUS: Part = Part {
    mend: "run strata run on the hosts of the GPUs ([gpu] enabled = true in strata.toml)",
    sources: "gpu/",
};
const CLUSTER: Part = Part {
    mend: "run strata run on the nodes of the cluster ([kubernetes] enabled = true in strata.toml; \
           on a Slurm cluster [slurm])",
    sources: "kubernetes/",
};
const SLURM: Part = Part {
    mend: "run strata run on the nodes of the Slurm cluster ([slurm] enabled = true in strata.toml)",
    sources: "slurm/",
};
const PROXY: Part = Part {
    mend: "send the requests through strata proxy ([proxy] listen in strata.toml)",
    sources: "strata/proxy",
};
const LEDGER: Part = Part {
    mend: "let strata run price the GPUs ([cost] in strata.toml: provider, region and term, or \
           prices, a file of your own)",
    sources: LEDGER_SOURCE,
};
const LEDGER_SOURCE: &str = "strata/ledger";
const TRAINING: Part = Part {
    mend: "let the training send its metrics under the names of the catalog by OTLP ([otlp] in \
           strata.toml) or remote write",
    sources: "",
};
/// Nothing writes these: the proxy tells of requests, not of what people think, and the ledger is
/// given its prices of energy and its carbon.
const NOTHING: Part = Part { mend: "", sources: "" };

/// Beginnings of canonical names that a part of this program writes, and how it is switched on.
const PARTS: [(&str, Part); 61] = [
    ("hw.gpu.", GPUS),
    ("hw.power", GPUS),
    ("hw.energy", GPUS),
    ("hw.errors", GPUS),
    ("hw.temperature", GPUS),
    ("hw.fan.", GPUS),
    ("gpu.clock.", GPUS),
    ("gpu.device", GPUS),
    ("gpu.dram.active", GPUS),
    ("gpu.engine.active", GPUS),
    ("gpu.fabric", GPUS),
    ("gpu.fault.culprit", GPUS),
    ("gpu.fault.events", GPUS),
    ("gpu.interconnect.errors", GPUS),
    ("gpu.interconnect.io", GPUS),
    ("gpu.interconnect.peer", GPUS),
    ("gpu.interconnect.throughput", GPUS),
    ("gpu.interconnect.up", GPUS),
    ("gpu.memory.", GPUS),
    ("gpu.memory_controller.", GPUS),
    ("gpu.mig.", GPUS),
    ("gpu.pages.", GPUS),
    ("gpu.pcie.", GPUS),
    ("gpu.performance_state", GPUS),
    ("gpu.pipe.active", GPUS),
    ("gpu.power.limit", GPUS),
    ("gpu.process.", GPUS),
    ("gpu.profiling.", GPUS),
    ("gpu.recovery_action", GPUS),
    ("gpu.rows.", GPUS),
    ("gpu.sm.active", GPUS),
    ("gpu.sm.occupancy", GPUS),
    ("gpu.status.reason", GPUS),
    ("gpu.switch.fault.", GPUS),
    ("gpu.temperature.margin", GPUS),
    ("gpu.tensor.active", GPUS),
    ("gpu.throttle.", GPUS),
    ("gpu.xid.last", GPUS),
    ("gpu.allocation", CLUSTER),
    ("gpu.owner", CLUSTER),
    ("gpu.share", CLUSTER),
    ("gpu.requested", CLUSTER),
    ("gpu.node.", CLUSTER),
    ("gpu.vgpu.", CLUSTER),
    ("k8s.container", CLUSTER),
    ("k8s.events", CLUSTER),
    ("k8s.node", CLUSTER),
    ("k8s.pod", CLUSTER),
    ("slurm.job", SLURM),
    ("slurm.node", SLURM),
    ("gateway.feedback", NOTHING),
    ("cost.energy_price", NOTHING),
    ("cost.pue", NOTHING),
    ("cost.co2_intensity", NOTHING),
    ("gateway.", PROXY),
    ("cost.", LEDGER),
    ("host.cgroup.", HOST),
    ("host.kernel_log.", HOST),
    ("host.info", HOST),
    ("process.", HOST),
    ("training.", TRAINING),
];

/// The part of this program that gives a metric.
pub(super) fn of(metric: &str) -> Option<&'static Part> {
    let (_, part) = PARTS.iter().find(|(start, _)| metric.starts_with(start))?;
    (*part != NOTHING).then_some(part)
}

impl Part {
    /// Its sources.
    pub(super) fn own<'s>(
        &self,
        sources: &'s [SourceStatus],
    ) -> impl Iterator<Item = &'s SourceStatus> {
        let start = self.sources;
        sources.iter().filter(move |one| !start.is_empty() && one.id.starts_with(start))
    }

    /// A source of the part that reads here already, the one of this name where it is known which would
    /// tell: it is of no use to switch it on.
    pub(super) fn reads(&self, name: Option<&str>, sources: &[SourceStatus]) -> Option<String> {
        let is_on = |one: &&SourceStatus| {
            matches!(one.state, SourceState::Ok | SourceState::Partial | SourceState::Failing)
        };
        let on: Vec<&SourceStatus> = self.own(sources).filter(is_on).collect();
        let named = on.iter().find(|one| name.is_none_or(|name| one.id == name));
        named.or(on.first()).map(|one| one.id.clone())
    }

    /// What the part waits for though it is on. Only the ledger does: it prices what other layers
    /// tell.
    pub(super) fn waits(&self, sources: &[SourceStatus]) -> Option<String> {
        let mut own = self.own(sources).filter(|one| one.id == LEDGER_SOURCE);
        let waits = own.find(|one| one.state == SourceState::Absent && !one.hint.is_empty())?;
        Some(format!("{}: {}", waits.id, waits.hint))
    }
}

#[cfg(test)]
mod tests {
    use strata_model::catalog::Catalog;

    use super::*;

    #[test]
    fn every_part_gives_something_of_the_catalog() {
        for (start, _) in PARTS {
            let metrics = Catalog::builtin().metrics();
            assert!(metrics.iter().any(|metric| metric.name.starts_with(start)), "{start}");
        }
        assert_eq!(of("gateway.feedback.score"), None);
        assert_eq!(of("gateway.ttfb"), Some(&PROXY));
    }
}
