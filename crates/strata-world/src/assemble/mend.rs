//! How one canonical metric stands, why, and what would mend it.

use strata_model::catalog::{Catalog, Mapping, MetricDef, Reading, Role, SourceDef};
use strata_model::{MetricKind, SourceState, SourceStatus};

use super::own_parts;
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

/// Sources of what is between GPUs, each with the metric it gives and beside the one that tells whether
/// their GPUs are there at all.
const BETWEEN_GPUS: [(&str, &str, &str); 4] = [
    ("gpu.interconnect.peer", "gpu/nvidia_links", "gpu/nvidia"),
    ("gpu.interconnect.peer", "gpu/amd_links", "gpu/amd"),
    ("gpu.pcie.path", "gpu/nvidia_paths", "gpu/nvidia"),
    ("gpu.pcie.path", "gpu/amd_paths", "gpu/amd"),
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
        None => nowhere(metric, provenance),
    }
}

fn absent(reason: String, mend: Option<String>) -> Standing {
    Standing { state: CoverageState::Absent, reason, mend }
}

/// What the source of this program that would read the metric says of itself.
fn own_source(name: &str, sources: &[SourceStatus]) -> Option<Standing> {
    let find = |id: &str| sources.iter().find(|source| source.id == id);
    if BETWEEN_GPUS.iter().any(|(metric, ..)| *metric == name) {
        let is_here = |id: &str| find(id).is_some_and(|one| one.state != SourceState::Absent);
        let here = BETWEEN_GPUS.iter().filter(|(metric, _, gpus)| *metric == name && is_here(gpus));
        return here.filter_map(|(_, id, _)| said(find(id)?)).min_by_key(|one| one.state);
    }
    let (_, id) = HOST_SOURCES.iter().find(|(start, _)| name.starts_with(start))?;
    said(find(id)?)
}

/// What a source that does not bring a metric home says of why.
fn said(source: &SourceStatus) -> Option<Standing> {
    let id = &source.id;
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
            let line = counters_line(metric, mapping);
            format!(
                "add the line \"{line}\" to the counters file of dcgm-exporter (option -f) and \
                 restart it"
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

/// What dcgm-exporter's counters file says of a metric.
pub(super) fn counters_line(metric: &MetricDef, mapping: &Mapping) -> String {
    let kind = if metric.kind == MetricKind::Counter { "counter" } else { "gauge" };
    format!("{}, {kind}, {}", first_family(mapping), metric.brief.trim_end_matches('.'))
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
fn nowhere(metric: &MetricDef, provenance: &Provenance) -> Standing {
    if let Some(reason) = not_of_this_engine(metric, provenance) {
        return absent(reason, None);
    }
    match add_source(metric) {
        Some(mend) => absent("no source of it is here".to_owned(), Some(mend)),
        None => {
            absent("no source of it is here, and nothing known to strata gives it".to_owned(), None)
        }
    }
}

fn is_engine(source: &SourceDef) -> bool {
    source.role == Some(Role::Engine)
}

/// Where an engine runs, it is no advice to run another one for a number: the reason why there is
/// none.
fn not_of_this_engine(metric: &MetricDef, provenance: &Provenance) -> Option<String> {
    let mut givers: Vec<&str> = Vec::new();
    for (source, _) in Catalog::builtin().mappings_of(&metric.name) {
        if !is_engine(source) {
            return None;
        }
        if !givers.contains(&source.title.as_str()) {
            givers.push(&source.title);
        }
    }
    let engines = Catalog::builtin().sources().iter();
    let engines = engines.filter(|source| is_engine(source) && provenance.is_here(&source.name));
    let here: Vec<&str> = engines.map(|source| source.title.as_str()).collect();
    if givers.is_empty() || here.is_empty() {
        return None;
    }
    let (verb, not) = if here.len() == 1 { ("is", "does not") } else { ("are", "do not") };
    let (here, givers) = (here.join(", "), givers.join(", "));
    Some(format!("{here} {verb} here and {not} tell it; of known engines only {givers} would"))
}

/// What gives metrics whose names are OpenTelemetry's own.
const OTEL: &str = "let a program that follows the conventions of OpenTelemetry send its metrics \
                    over OTLP ([otlp] in strata.toml)";

fn add_source(metric: &MetricDef) -> Option<String> {
    if HOST_SOURCES.iter().any(|(start, _)| metric.name.starts_with(start)) {
        return Some(host(metric));
    }
    let own = own_parts::of(&metric.name);
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
    let run = first.map(|source| {
        let one_of = if titles.len() > 1 { "one of " } else { "" };
        format!("run {one_of}{}{}", titles.join(", "), scrape(source))
    });
    match (own, run) {
        (Some(own_parts::HOST), _) => Some(host(metric)),
        (Some(own), Some(run)) => Some(format!("{own}, or {run}")),
        (None, None) if metric.otel.is_some() => Some(OTEL.to_owned()),
        (own, run) => run.or(own.map(str::to_owned)),
    }
}

/// How what is of a host is read.
fn host(metric: &MetricDef) -> String {
    let mut sources = Catalog::builtin().mappings_of(&metric.name).map(|(source, _)| source);
    let or = if sources.any(|source| source.name == "node_exporter") {
        ", or node_exporter"
    } else {
        ""
    };
    format!("{}{or}", own_parts::HOST)
}

/// How to run a source that is not here.
pub(super) fn run(source: &SourceDef) -> String {
    format!("run {}{}", source.title, scrape(source))
}

fn scrape(source: &SourceDef) -> String {
    let Some(port) = source.ports.first() else { return String::new() };
    let path = source.paths.first().filter(|path| *path != "/metrics");
    let path = path.map(|path| format!("\npath = \"{path}\"")).unwrap_or_default();
    format!(
        "; what is not found by itself is named in strata.toml:\n[[scrape]]\njob = \
         \"{}\"\ntargets = [\"HOST:{port}\"]{path}",
        source.name
    )
}

fn first_family(mapping: &Mapping) -> &str {
    match &mapping.reading {
        Reading::Families(families) => families.first().map_or("", String::as_str),
        Reading::SumCount { sum, .. } => sum,
    }
}
