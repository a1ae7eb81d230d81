//! How one canonical metric stands, why, and what would mend it.

use strata_model::catalog::{Catalog, Mapping, MetricDef, Reading, SourceDef};
use strata_model::{MetricKind, SourceState, SourceStatus};

use super::provenance::Provenance;
use crate::coverage::CoverageState;

/// State of a metric with its reason and remedy; empty texts when it is there.
pub(crate) struct Standing {
    pub(crate) state: CoverageState,
    pub(crate) reason: String,
    pub(crate) mend: Option<String>,
}

/// Beginnings of names that this program reads from the host itself, and the source that does.
const HOST_SOURCES: [(&str, &str); 19] = [
    ("system.cpu.", "host/cpu"),
    ("system.process", "host/cpu"),
    ("system.context_switches", "host/cpu"),
    ("system.interrupts", "host/cpu"),
    ("system.memory.", "host/memory"),
    ("system.paging.", "host/memory"),
    ("system.disk.", "host/disk"),
    ("system.filesystem.", "host/filesystem"),
    ("system.network.tcp.", "host/tcp"),
    ("system.network.connection", "host/tcp"),
    ("system.network.", "host/network"),
    ("hw.network.", "host/network"),
    ("host.network.", "host/network"),
    ("host.pressure.", "host/pressure"),
    ("host.nfs.", "host/nfs"),
    ("host.infiniband.", "host/infiniband"),
    ("host.pcie.", "host/pcie"),
    ("host.numa.", "host/numa"),
    ("host.info", "host/info"),
];

/// How a metric stands.
pub(crate) fn standing(name: &str, provenance: &Provenance, sources: &[SourceStatus]) -> Standing {
    let Some(metric) = Catalog::builtin().metric(name) else {
        return absent(format!("the catalog does not know {name}"), None);
    };
    if !provenance.given(metric).now.is_empty() {
        return Standing { state: CoverageState::Ok, reason: String::new(), mend: None };
    }
    if let Some(standing) = own_source(name, sources) {
        return standing;
    }
    if provenance.came_before(name) {
        return Standing {
            state: CoverageState::Stale,
            reason: format!("{name} was there within the last day and is not now"),
            mend: Some(
                "see whether its program runs and is reached: strata sources lists the last error"
                    .to_owned(),
            ),
        };
    }
    let here =
        Catalog::builtin().mappings_of(name).find(|(source, _)| provenance.is_here(&source.name));
    match here {
        Some((source, mapping)) => {
            let reason = format!("{} is here and does not write it", source.title);
            absent(reason, Some(switch_on(metric, source, mapping)))
        }
        None => absent("no source of it is here".to_owned(), add_source(metric)),
    }
}

fn absent(reason: String, mend: Option<String>) -> Standing {
    Standing { state: CoverageState::Absent, reason, mend }
}

/// What the source of this program that would read the metric says of itself.
fn own_source(name: &str, sources: &[SourceStatus]) -> Option<Standing> {
    let (_, id) = HOST_SOURCES.iter().find(|(start, _)| name.starts_with(start))?;
    let source = sources.iter().find(|source| source.id == *id)?;
    let state = match source.state {
        SourceState::Denied => CoverageState::Denied,
        SourceState::Unsupported => CoverageState::Unsupported,
        SourceState::Stale => CoverageState::Stale,
        SourceState::Failing | SourceState::Absent => CoverageState::Absent,
        SourceState::Pending | SourceState::Ok | SourceState::Partial => return None,
    };
    let fault = source.recent_faults.last().map(|fault| fault.message.as_str());
    let reason = match fault {
        Some(fault) => format!("{id}: {fault}"),
        None => format!("{id} does not find it here"),
    };
    let mend = (!source.hint.is_empty()).then(|| source.hint.clone());
    Some(Standing { state, reason, mend })
}

/// What makes a source that is here write the metric.
fn switch_on(metric: &MetricDef, source: &SourceDef, mapping: &Mapping) -> String {
    let family = first_family(mapping);
    match source.name.as_str() {
        "dcgm" => {
            let kind = if metric.kind == MetricKind::Counter { "counter" } else { "gauge" };
            format!(
                "add the line \"{family}, {kind}, {}\" to the counters file of dcgm-exporter \
                 (option -f) and restart it",
                metric.brief.trim_end_matches('.')
            )
        }
        "node_exporter" => {
            format!("start node_exporter with {}", node_exporter_flag(&metric.name))
        }
        "vllm" if metric.name.starts_with("inference.kv_cache.block.") => {
            "start vLLM with --kv-cache-metrics".to_owned()
        }
        "vllm" if metric.name.starts_with("inference.model.") => {
            "start vLLM with --enable-mfu-metrics".to_owned()
        }
        "kube_state_metrics" => format!(
            "let kube-state-metrics export {family} (--resources, --metric-allowlist, for labels \
             --metric-labels-allowlist)"
        ),
        "kueue" => "set metrics.enableClusterQueueResources in Kueue's configuration".to_owned(),
        _ => {
            let versions = match (&mapping.since, &mapping.until) {
                (Some(since), _) => format!(", since its release {since}"),
                (None, Some(until)) => format!(", until its release {until}"),
                (None, None) => String::new(),
            };
            format!("{} writes it as {family}{versions}: see its options or release", source.title)
        }
    }
}

/// The collector of `node_exporter` that has a metric.
fn node_exporter_flag(metric: &str) -> &'static str {
    let flags = [
        ("host.pressure.", "--collector.pressure (and the kernel with psi=1)"),
        ("host.nfs.", "--collector.mountstats"),
        ("host.infiniband.", "--collector.infiniband"),
        ("host.numa.", "--collector.meminfo_numa"),
        ("host.pcie.", "--collector.pcidevice"),
        ("host.memory.", "--collector.vmstat"),
        ("system.process", "--collector.processes"),
        ("system.network.tcp.", "--collector.netstat"),
        ("system.network.connection", "--collector.sockstat"),
        ("system.network.", "--collector.netdev"),
        ("system.disk.", "--collector.diskstats"),
        ("system.filesystem.", "--collector.filesystem"),
        ("system.cpu.frequency", "--collector.cpufreq"),
        ("hw.host.", "--collector.rapl"),
        ("hw.network.", "--collector.netclass"),
    ];
    let found = flags.into_iter().find(|(start, _)| metric.starts_with(start));
    found.map_or("its default collectors", |(_, flag)| flag)
}

/// What to run where nothing that gives the metric is here.
fn add_source(metric: &MetricDef) -> Option<String> {
    let own = HOST_SOURCES.iter().any(|(start, _)| metric.name.starts_with(start))
        || metric.name.starts_with("process.");
    if own {
        return Some(
            "run strata agent or strata run on the host ([host] enabled = true in strata.toml), \
             or node_exporter"
                .to_owned(),
        );
    }
    let mut titles: Vec<&str> = Vec::new();
    let mut first: Option<&SourceDef> = None;
    for (source, _) in Catalog::builtin().mappings_of(&metric.name) {
        if !titles.contains(&source.title.as_str()) {
            titles.push(&source.title);
        }
        // The program that most have comes first where it is among them.
        let usual = ["dcgm", "vllm", "kube_state_metrics", "otel_gen_ai"];
        if first.is_none() || usual.contains(&source.name.as_str()) {
            first = Some(source);
        }
    }
    let source = first?;
    let scrape = source.ports.first().map(|port| {
        let path = source.paths.first().filter(|path| *path != "/metrics");
        let path = path.map(|path| format!("\npath = \"{path}\"")).unwrap_or_default();
        format!(
            "; what is not found by itself is named in strata.toml:\n[[scrape]]\njob = \
             \"{}\"\ntargets = [\"HOST:{port}\"]{path}",
            source.name
        )
    });
    Some(format!("run one of {}{}", titles.join(", "), scrape.unwrap_or_default()))
}

fn first_family(mapping: &Mapping) -> &str {
    match &mapping.reading {
        Reading::Families(families) => families.first().map_or("", String::as_str),
        Reading::SumCount { sum, .. } => sum,
    }
}
