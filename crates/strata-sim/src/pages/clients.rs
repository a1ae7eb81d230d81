//! What instrumented clients report: OpenTelemetry's GenAI client metrics as the Collector's
//! Prometheus exporter writes them, resource attributes as labels
//! (`resource_to_telemetry_conversion`).

use super::text::{Style, Writer};
use crate::clients::{Clients, ERRORS};
use crate::layout::SERVED;
use crate::sim::Sim;
use crate::workload::TenantPlace;

/// Labels of everything one tenant's clients report, in alphabetical order.
fn labels(place: &TenantPlace) -> Vec<(&'static str, &'static str)> {
    let model = SERVED[place.served].shape.name;
    vec![
        ("gen_ai_operation_name", "chat"),
        ("gen_ai_provider_name", "vllm"),
        ("gen_ai_request_model", model),
        ("gen_ai_response_model", model),
        ("service_name", place.name),
        ("team", place.team),
        ("tenant", place.organisation),
    ]
}

fn and(
    labels: &[(&'static str, &'static str)],
    more: (&'static str, &'static str),
) -> Vec<(&'static str, &'static str)> {
    let mut all = labels.to_vec();
    all.push(more);
    all.sort_unstable();
    all
}

pub(super) fn page(sim: &Sim) -> String {
    let mut writer = Writer::new(Style::Go);
    let tenants: Vec<(Vec<_>, &Clients)> = sim
        .tenants
        .iter()
        .zip(&sim.clients)
        .map(|((place, _), clients)| (labels(place), clients))
        .collect();
    let name = "gen_ai_client_operation_duration_seconds";
    writer.family(name, "histogram", "GenAI operation duration.");
    for (labels, clients) in &tenants {
        for (error, durations) in ERRORS.iter().zip(&clients.durations) {
            // A series of an error is there once the error was.
            if error.is_empty() {
                writer.histogram(name, labels, durations);
            } else if durations.count() > 0 {
                writer.histogram(name, &and(labels, ("error_type", error)), durations);
            }
        }
    }
    let name = "gen_ai_client_operation_time_to_first_chunk_seconds";
    writer.family(name, "histogram", "Time to receive the first chunk of a streamed response.");
    for (labels, clients) in &tenants {
        writer.histogram(name, labels, &clients.first_chunk);
    }
    let name = "gen_ai_client_token_usage";
    writer.family(name, "histogram", "Number of input and output tokens used.");
    for (labels, clients) in &tenants {
        for (kind, tokens) in [("input", &clients.input), ("output", &clients.output)] {
            writer.histogram(name, &and(labels, ("gen_ai_token_type", kind)), tokens);
        }
    }
    writer.finish()
}
