//! The generated reference of metrics: `docs/reference/metrics.md`.

use std::fmt::Write as _;

use super::{Catalog, Mapping, MetricDef, Reading, SourceDef, ValueRule};
use crate::layer::Layer;

/// The question of each layer, as headings of the reference.
const QUESTIONS: [(Layer, &str); 8] = [
    (Layer::L1Gpu, "L1 hardware: is the GPU healthy and doing useful work?"),
    (Layer::L2Cuda, "L2 CUDA and communication: computing, or waiting for other GPUs?"),
    (Layer::L3Host, "L3 host and OS: is the host the bottleneck?"),
    (Layer::L4Sched, "L4 Kubernetes and scheduling: who owns the GPU?"),
    (Layer::L5Training, "L5 training runtime: how much of the hardware becomes training progress?"),
    (Layer::L6Inference, "L6 inference engine: how much capacity is left?"),
    (Layer::L7Genai, "L7 GenAI API: what do users get?"),
    (Layer::L8Cost, "L8 business and cost: is the GPU creating value?"),
];

/// The whole reference as Markdown, the same text for the same catalog.
pub fn metrics_markdown(catalog: &Catalog) -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from `crates/strata-model/catalog`; change it there.\n\n\
         Every canonical metric of every layer, with the sources it can be read from. Prometheus\n\
         names are derived from name, unit and kind. A series stored under its canonical name is\n\
         always read as it is; the rows below say which names of other programs mean the same.\n",
    );
    for (layer, question) in QUESTIONS {
        section(&mut page, catalog, Some(layer), question);
    }
    section(&mut page, catalog, None, "The program itself");
    sources(&mut page, catalog);
    page
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("writing to a string does not fail");
}

fn section(page: &mut String, catalog: &Catalog, layer: Option<Layer>, title: &str) {
    let metrics: Vec<_> = catalog.metrics().iter().filter(|m| m.layer == layer).collect();
    line(page, format_args!("\n## {title}\n"));
    page.push_str(
        "| metric | Prometheus name | kind | unit | what it is |\n|---|---|---|---|---|\n",
    );
    for metric in &metrics {
        let MetricDef { name, prometheus, unit, brief, .. } = metric;
        let kind = metric.kind.name();
        line(page, format_args!("| `{name}` | `{prometheus}` | {kind} | `{unit}` | {brief} |"));
    }
    for metric in metrics {
        details(page, catalog, metric);
    }
}

fn details(page: &mut String, catalog: &Catalog, metric: &MetricDef) {
    line(page, format_args!("\n### `{}`\n\n{}", metric.name, metric.definition));
    if let Some(otel) = &metric.otel {
        line(page, format_args!("OpenTelemetry: `{otel}`."));
    }
    if !metric.attributes.is_empty() {
        line(page, format_args!("Labels: `{}`.", metric.attributes.join("`, `")));
    }
    let mut mappings = catalog.mappings_of(&metric.name).peekable();
    if mappings.peek().is_none() {
        return;
    }
    page.push_str("\n| source | read from | quality | remarks |\n|---|---|---|---|\n");
    for (source, mapping) in mappings {
        let (from, quality) = (read_from(mapping), mapping.quality.name());
        let remarks = remarks(mapping);
        line(page, format_args!("| {} | {from} | {quality} | {remarks} |", source.title));
    }
}

fn read_from(mapping: &Mapping) -> String {
    let mut parts = vec![match &mapping.reading {
        Reading::Families(families) => format!("`{}`", families.join("`, `")),
        Reading::SumCount { sum, count } => format!("sum `{sum}`, count `{count}`"),
    }];
    let matchers: Vec<String> =
        mapping.matchers.iter().map(|m| m.to_string().replace('|', "\\|")).collect();
    if !matchers.is_empty() {
        parts.push(format!("where `{}`", matchers.join(", ")));
    }
    if mapping.scale != 1.0 {
        parts.push(format!("x {}", mapping.scale));
    }
    parts.extend(mapping.value.iter().map(|rule| match rule {
        ValueRule::Scale(by) => format!("x {by}"),
        ValueRule::Invert => "inverted".to_owned(),
        ValueRule::Label(name) => format!("x label `{name}`"),
        ValueRule::Multiply(family) => format!("x `{family}`"),
        ValueRule::Divide(family) => format!("/ `{family}`"),
        ValueRule::Plus(family) => format!("+ `{family}`"),
        ValueRule::Minus(family) => format!("- `{family}`"),
    }));
    parts.join(" ")
}

fn remarks(mapping: &Mapping) -> String {
    let since = mapping.since.as_ref().map(|version| format!("since {version}"));
    let until = mapping.until.as_ref().map(|version| format!("until {version}"));
    let parts: Vec<String> = since.into_iter().chain(until).chain(mapping.note.clone()).collect();
    parts.join("; ")
}

fn sources(page: &mut String, catalog: &Catalog) {
    page.push_str("\n## Sources\n\nA source is recognised by the families on its page; ports are only where to look first.\n");
    for source in catalog.sources() {
        let SourceDef { name, title, notes, paths, ports, .. } = source;
        line(page, format_args!("\n### {title} (`{name}`)\n"));
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() { "none usual".to_owned() } else { ports.join(", ") };
        line(page, format_args!("Paths: `{}`. Ports: {ports}.", paths.join("`, `")));
        for note in notes {
            line(page, format_args!("- {note}"));
        }
        for (family, reason) in &source.drops {
            line(page, format_args!("- Not stored: `{family}`. {reason}"));
        }
        for sentinel in &source.sentinels {
            let families = sentinel.families.join("`, `");
            line(page, format_args!("- No value: sentinels of `{families}`. {}", sentinel.reason));
        }
    }
}
