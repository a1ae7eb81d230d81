//! What parts of this program give that no exporter of the catalog does, or not as well.

const GPUS: &str = "run strata run on the hosts of the GPUs ([gpu] enabled = true in strata.toml)";
const CLUSTER: &str = "run strata run on the nodes of the cluster ([kubernetes] enabled = true in \
                       strata.toml; on a Slurm cluster [slurm])";
const SLURM: &str =
    "run strata run on the nodes of the Slurm cluster ([slurm] enabled = true in strata.toml)";
const PROXY: &str = "send the requests through strata proxy ([proxy] listen in strata.toml)";
const LEDGER: &str = "let strata run price the GPUs ([cost] in strata.toml: provider, region and \
                      term, or prices, a file of your own)";

/// Beginnings of canonical names that a part of this program writes, and how it is switched on.
const PARTS: [(&str, &str); 28] = [
    ("gpu.throttle.", GPUS),
    ("gpu.profiling.", GPUS),
    ("gpu.pcie.errors", GPUS),
    ("gpu.rows.banks", GPUS),
    ("gpu.fault.culprit", GPUS),
    ("gpu.switch.fault.", GPUS),
    ("gpu.mig.dram.", GPUS),
    ("gpu.interconnect.peer", GPUS),
    ("gpu.pcie.path", GPUS),
    ("gpu.fabric", GPUS),
    ("gpu.status.reason", GPUS),
    ("gpu.allocation", CLUSTER),
    ("gpu.owner", CLUSTER),
    ("gpu.share", CLUSTER),
    ("k8s.pod.pending", CLUSTER),
    ("k8s.events", CLUSTER),
    ("k8s.node.topology", CLUSTER),
    ("slurm.job", SLURM),
    ("slurm.node", SLURM),
    // Nothing writes these two groups: the proxy tells of requests, not of what people think, and
    // the ledger is given its prices of energy and its carbon.
    ("gateway.feedback", ""),
    ("cost.energy_price", ""),
    ("cost.pue", ""),
    ("cost.co2_intensity", ""),
    ("gateway.", PROXY),
    ("cost.", LEDGER),
    ("host.cgroup.", HOST),
    ("host.kernel_log.", HOST),
    ("process.", HOST),
];

/// What reads a host.
pub(super) const HOST: &str = "run strata run on the host ([host] enabled = true in strata.toml)";

/// How the part of this program that gives a metric is switched on.
pub(super) fn of(metric: &str) -> Option<&'static str> {
    let (_, mend) = PARTS.iter().find(|(start, _)| metric.starts_with(start))?;
    (!mend.is_empty()).then_some(*mend)
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
        assert_eq!(of("gateway.ttfb"), Some(PROXY));
    }
}
