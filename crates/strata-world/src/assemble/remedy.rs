//! What a person would do for a metric: tell a source that is here to write it, or run one.

use strata_model::MetricKind;
use strata_model::catalog::{Catalog, Mapping, MetricDef, Reading, Role, SourceDef};

use super::need::Need;
use super::own_parts::{self, Part};

/// What dcgm-exporter is told for one metric: before and after the line of its counters file.
const ADD_LINE: &str = "add the line \"";
const AND_RESTART: &str = "\" to the counters file of dcgm-exporter (option -f) and restart it";
/// What it is told for several; the lines follow.
pub(super) const ADD_LINES: &str =
    "add these lines to the counters file of dcgm-exporter (option -f) and restart it:";

/// The line of a counters file that a remedy of one metric names.
pub(super) fn line_in(mend: &str) -> Option<&str> {
    mend.strip_prefix(ADD_LINE)?.strip_suffix(AND_RESTART)
}

/// What makes a source that is here write the metric.
pub(super) fn switch_on(metric: &MetricDef, source: &SourceDef, mapping: &Mapping) -> String {
    let family = first_family(mapping);
    match source.name.as_str() {
        "dcgm" => {
            format!("{ADD_LINE}{}{AND_RESTART}", counters_line(metric, mapping))
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
            format!(
                "let {} write {family}{versions}, by its options or a release that has it",
                source.title
            )
        }
    }
}

/// What dcgm-exporter's counters file says of a metric.
fn counters_line(metric: &MetricDef, mapping: &Mapping) -> String {
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

/// What gives metrics whose names are OpenTelemetry's own.
const OTEL: &str = "let a program that follows the conventions of OpenTelemetry send its metrics \
                    over OTLP ([otlp] in strata.toml)";

/// The part of this program that gives it, or what to run for it.
pub(super) fn add_source(need: &Need, own: Option<&Part>) -> Option<String> {
    let metric = need.metric;
    let mut titles: Vec<&str> = Vec::new();
    let mut first: Option<&SourceDef> = None;
    let givers = Catalog::builtin().mappings_of(&metric.name);
    for (source, _) in givers.filter(|(_, mapping)| need.fits(&mapping.constants)) {
        if !titles.contains(&source.title.as_str()) {
            titles.push(&source.title);
        }
        // The program that most have comes first where it is among them.
        let usual = ["dcgm", "vllm", "kube_state_metrics", "otel_gen_ai"];
        if first.is_none() || usual.contains(&source.name.as_str()) {
            first = Some(source);
        }
    }
    if own == Some(&own_parts::HOST) {
        return Some(host(&titles));
    }
    let run = first.map(|source| {
        let one_of = if titles.len() > 1 { "one of " } else { "" };
        format!("run {one_of}{}{}", titles.join(", "), scrape(source))
    });
    match (own.map(|part| part.mend), run) {
        (Some(own), Some(run)) => Some(format!("{own}, or {run}")),
        (None, None) if metric.otel.is_some() => Some(OTEL.to_owned()),
        (own, run) => run.or(own.map(str::to_owned)),
    }
}

/// How what is of a host is read.
fn host(titles: &[&str]) -> String {
    let has_exporter = titles.iter().any(|title| title.contains("node_exporter"));
    let or = if has_exporter { ", or node_exporter" } else { "" };
    format!("{}{or}", own_parts::HOST.mend)
}

/// How to run a source that is not here.
pub(super) fn run(source: &SourceDef) -> String {
    let (title, scrape) = (&source.title, scrape(source));
    match source.role {
        None => format!("run {title}{scrape}"),
        Some(Role::Engine) => {
            format!("run an inference engine, of which {title} tells most{scrape}")
        }
        Some(Role::Router) => format!("run a gateway, as {title}{scrape}"),
        Some(Role::Trainer) => format!("train with {title}, or send what it sends{scrape}"),
        Some(Role::Scheduler) => {
            format!("where a scheduler has queues let it be read; {title} tells most{scrape}")
        }
    }
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

pub(super) fn first_family(mapping: &Mapping) -> &str {
    match &mapping.reading {
        Reading::Families(families) => families.first().map_or("", String::as_str),
        Reading::SumCount { sum, .. } => sum,
    }
}
