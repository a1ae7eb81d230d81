//! How one canonical metric stands, why, and what would mend it.

use strata_model::catalog::{Catalog, Mapping, Role, SourceDef};
use strata_model::{SourceState, SourceStatus};

use super::need::Need;
use super::own_parts;
use super::provenance::Provenance;
use super::remedy;
use crate::coverage::CoverageState;

/// State of a metric with its reason and remedy; empty texts when it is there.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) state: CoverageState,
    pub(crate) reason: String,
    pub(crate) mend: Option<String>,
}

/// Beginnings of names that this program reads from the host itself, and the source that does.
const HOST_SOURCES: [(&str, &str); 24] = [
    ("system.cpu.", "host/cpu"),
    ("system.process", "host/cpu"),
    ("system.context_switches", "host/cpu"),
    ("system.interrupts", "host/cpu"),
    ("system.memory.", "host/memory"),
    ("system.paging.", "host/memory"),
    ("host.memory.", "host/memory"),
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
    ("system.uptime", "host/info"),
    ("host.cgroup.", "host/cgroup"),
    ("host.kernel_log.", "host/kernel_log"),
    ("process.", "host/process"),
];

/// Sources of what is between GPUs, each with the metric it gives and beside the one that tells whether
/// their GPUs are there at all.
const BETWEEN_GPUS: [(&str, &str, &str); 4] = [
    ("gpu.interconnect.peer", "gpu/nvidia_links", "gpu/nvidia"),
    ("gpu.interconnect.peer", "gpu/amd_links", "gpu/amd"),
    ("gpu.pcie.path", "gpu/nvidia_paths", "gpu/nvidia"),
    ("gpu.pcie.path", "gpu/amd_paths", "gpu/amd"),
];

/// How what is needed stands.
pub(crate) fn standing(need: &Need, provenance: &Provenance, sources: &[SourceStatus]) -> Standing {
    if provenance.gives(need) {
        return Standing { state: CoverageState::Ok, reason: String::new(), mend: None };
    }
    let given = provenance.given(need.metric);
    // What is there of another kind has sources that are well.
    if given.now.is_empty() {
        if let Some(standing) = own_source(&need.metric.name, sources) {
            return standing;
        }
        if given.before {
            return Standing {
                state: CoverageState::Stale,
                reason: "it was there within the last day and is not now".to_owned(),
                mend: Some(
                    "see whether its program runs and is reached: strata sources lists the last \
                     error"
                        .to_owned(),
                ),
            };
        }
    }
    by_a_source_here(need, provenance).unwrap_or_else(|| nowhere(need, provenance, sources))
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
    if let Some(id) = host_source(name) {
        return said(find(id)?);
    }
    // Where one reader of the part is well, the others have nothing to read.
    let part = own_parts::of(name)?;
    let is_well = |one: &SourceStatus| matches!(one.state, SourceState::Ok | SourceState::Partial);
    if part.own(sources).any(is_well) {
        return None;
    }
    let ill = part.own(sources).filter(|one| {
        matches!(one.state, SourceState::Denied | SourceState::Failing | SourceState::Unsupported)
    });
    ill.filter_map(said).min_by_key(|one| one.state)
}

/// The source that reads a metric from the host.
fn host_source(name: &str) -> Option<&'static str> {
    HOST_SOURCES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, id)| *id)
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
    let hint = Some(source.hint.as_str()).filter(|hint| !hint.is_empty());
    // What a machine does not have is not mended: the hint says what that is. What its kernel or driver
    // does not support may be: the hint says by what.
    let is_why = source.state == SourceState::Absent;
    let (why, mend) = if is_why { (hint.or(fault), None) } else { (fault, hint) };
    let reason = match why {
        Some(why) => format!("{id}: {why}"),
        None => format!("{id} does not find it here"),
    };
    Some(Standing { state, reason, mend: mend.map(str::to_owned) })
}

/// What a source that is here and does not write it would have to be told.
fn by_a_source_here(need: &Need, provenance: &Provenance) -> Option<Standing> {
    let all = Catalog::builtin().mappings_of(&need.metric.name);
    let here: Vec<(&SourceDef, &Mapping)> = all
        .filter(|(source, mapping)| {
            provenance.is_here(&source.name) && need.fits(&mapping.constants)
        })
        .collect();
    // Of two generations the one that runs here is told.
    let runs = |pair: &&(&SourceDef, &Mapping)| {
        pair.1.until.as_deref().is_none_or(|until| provenance.is_of_release(pair.0, until))
    };
    let old = here.iter().filter(runs).find(|(_, mapping)| mapping.until.is_some());
    if let Some((source, mapping)) = old.or_else(|| here.iter().find(runs)) {
        let reason = format!("{} is here and does not write it", source.title);
        return Some(absent(reason, Some(remedy::switch_on(need.metric, source, mapping))));
    }
    let (source, mapping) = here.first()?;
    let (title, family) = (&source.title, remedy::first_family(mapping));
    let until = mapping.until.as_deref().unwrap_or_default();
    Some(Standing {
        state: CoverageState::Unsupported,
        reason: format!("{title} is here and newer: it wrote this, as {family}, up to {until}"),
        mend: None,
    })
}

/// What to run where nothing that gives the metric is here.
fn nowhere(need: &Need, provenance: &Provenance, sources: &[SourceStatus]) -> Standing {
    let metric = need.metric;
    if let Some(reason) = not_of_this_engine(need, provenance) {
        return absent(reason, None);
    }
    let host = host_source(&metric.name);
    let own = own_parts::of(&metric.name).or_else(|| host.map(|_| &own_parts::HOST));
    let runs = own.and_then(|part| part.reads(host, sources));
    let why_not = own.and_then(|part| part.waits(sources));
    let reason = match (&runs, &why_not) {
        (Some(source), _) => format!("{source} runs here, and there is none of it so far"),
        (None, Some(why)) => why.clone(),
        (None, None) if !need.labels.is_empty() && !provenance.given(metric).now.is_empty() => {
            format!("what is here tells it otherwise, and not with {}", need.labels)
        }
        (None, None) => "no source of it is here".to_owned(),
    };
    // Another reader of the same host would not find what this one does not.
    let is_same_host = runs.is_some() && own == Some(&own_parts::HOST);
    if why_not.is_some() || is_same_host {
        return absent(reason, None);
    }
    match remedy::add_source(need, own.filter(|_| runs.is_none())) {
        Some(mend) => absent(reason, Some(mend)),
        None if runs.is_some() => absent(reason, None),
        None => absent(format!("{reason}, and nothing known to strata gives it"), None),
    }
}

fn is_engine(source: &SourceDef) -> bool {
    source.role == Some(Role::Engine)
}

/// Where an engine runs, it is no advice to run another one for a number: the reason why there is
/// none.
fn not_of_this_engine(need: &Need, provenance: &Provenance) -> Option<String> {
    let mut givers: Vec<&str> = Vec::new();
    for (source, _) in Catalog::builtin().mappings_of(&need.metric.name) {
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
