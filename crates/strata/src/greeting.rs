//! What `strata run` says when it is up: what it found, what it did not, where to look.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use strata_collect::discover::Found;
use strata_model::{SourceState, SourceStatus};
use strata_serve::Addresses;

use crate::out::Out;

/// Hints shown at start; `strata sources` has all.
const HINTS_MAX: usize = 6;

/// What there is to say.
pub(crate) struct Greeting<'a> {
    pub(crate) addresses: Addresses,
    /// Where the proxy takes GenAI calls.
    pub(crate) proxy: Option<std::net::SocketAddr>,
    /// What is captured of what passes there, a sentence a route.
    pub(crate) captured: &'a [String],
    pub(crate) data_dir: &'a Path,
    pub(crate) config: Option<&'a Path>,
    pub(crate) found: &'a Found,
    /// Whether anybody looked for sources on this host.
    pub(crate) looked: bool,
    pub(crate) sources: &'a [SourceStatus],
    /// What is simulated, when it is.
    pub(crate) simulated: Option<&'a str>,
}

impl Greeting<'_> {
    /// Say it, as text or JSON.
    pub(crate) fn print(&self, out: Out) -> Result<()> {
        if out.json { self.json(out) } else { self.text(out) }
    }

    fn json(&self, out: Out) -> Result<()> {
        let found = self.found.sources.iter().map(|source| {
            json!({ "id": source.id, "source": source.source, "url": source.url.as_str() })
        });
        let unheard = self.found.unheard.iter();
        let document = json!({
            "url": format!("http://{}", self.addresses.main),
            "otlp_grpc": self.addresses.otlp_grpc.map(|address| address.to_string()),
            "otlp_http": self.addresses.otlp_http.map(|address| address.to_string()),
            "proxy": self.proxy.map(|address| address.to_string()),
            "captured": self.captured,
            "data_dir": self.data_dir,
            "config": self.config,
            "simulated": self.simulated,
            "found": found.collect::<Vec<_>>(),
            "hints": unheard
                .map(|unheard| json!({ "place": unheard.place, "hint": unheard.hint }))
                .collect::<Vec<_>>(),
        });
        Ok(out.document(&document)?)
    }

    fn text(&self, out: Out) -> Result<()> {
        out.line(format!(
            "strata {} answers on http://{}",
            env!("CARGO_PKG_VERSION"),
            self.addresses.main
        ))?;
        if let Some(simulated) = self.simulated {
            out.line(format!("  SIMULATED {simulated}"))?;
        }
        let config = self.config.map_or("defaults".to_owned(), |file| file.display().to_string());
        out.line(format!("  data      {} (configuration: {config})", self.data_dir.display()))?;
        let otlp = [self.addresses.otlp_grpc, self.addresses.otlp_http];
        let otlp: Vec<String> = otlp.into_iter().flatten().map(|a| a.to_string()).collect();
        let otlp = if otlp.is_empty() { "main port only".to_owned() } else { otlp.join(", ") };
        out.line(format!("  receives  remote write and OTLP/HTTP on the main port; OTLP: {otlp}"))?;
        if let Some(address) = self.proxy {
            out.line(format!("  proxy     takes GenAI calls on http://{address}"))?;
        }
        for captured in self.captured {
            out.line(format!("  proxy     {captured}"))?;
        }
        out.line(format!("  host      {}", self.parts("host/")))?;
        out.line(format!("  gpu       {}", self.parts("gpu/")))?;
        if let Some(owners) = self.owners() {
            out.line(format!("  owners    {owners}"))?;
        }
        for source in &self.found.sources {
            // Only the program: arguments may hold keys.
            let command = source.command.as_deref().unwrap_or_default();
            let program = command.split_whitespace().next().unwrap_or("unknown process");
            out.line(format!("  found     {} at {} ({program})", source.source, source.url))?;
        }
        if self.looked && self.found.sources.is_empty() {
            out.line("  found     no inference engine or exporter listens on this host")?;
        }
        for unheard in self.found.unheard.iter().take(HINTS_MAX) {
            out.line(format!("  hint      {}: {}", unheard.place, unheard.hint))?;
        }
        out.line("  look      strata sources; strata query 'up'; Grafana: Prometheus data source")?;
        Ok(())
    }

    /// Who is asked whose the GPUs are: `ok: kubernetes/kubelet, kubernetes/pods`; `None` where that is
    /// not wanted.
    fn owners(&self) -> Option<String> {
        let is_asked = |source: &&SourceStatus| {
            source.id.starts_with("kubernetes/") || source.id.starts_with("slurm/")
        };
        let mut by_state: BTreeMap<SourceState, Vec<&str>> = BTreeMap::new();
        for source in self.sources.iter().filter(is_asked) {
            by_state.entry(source.state).or_default().push(&source.id);
        }
        if by_state.is_empty() {
            return None;
        }
        by_state.remove(&SourceState::Absent);
        if by_state.is_empty() {
            return Some("neither Kubernetes nor Slurm here".to_owned());
        }
        Some(words(by_state))
    }

    /// How the native parts below a prefix do: `ok: cpu, disk; unsupported: pressure, nfs`.
    fn parts(&self, prefix: &str) -> String {
        let mut by_state: BTreeMap<SourceState, Vec<&str>> = BTreeMap::new();
        for source in self.sources {
            if let Some(part) = source.id.strip_prefix(prefix) {
                by_state.entry(source.state).or_default().push(part);
            }
        }
        if by_state.is_empty() {
            return "not collected".to_owned();
        }
        words(by_state)
    }
}

/// Each state with those that are in it.
fn words(by_state: BTreeMap<SourceState, Vec<&str>>) -> String {
    let words = by_state.into_iter().map(|(state, parts)| {
        let word = serde_json::to_value(state).unwrap_or_default();
        format!("{}: {}", word.as_str().unwrap_or("unknown"), parts.join(", "))
    });
    words.collect::<Vec<_>>().join("; ")
}
