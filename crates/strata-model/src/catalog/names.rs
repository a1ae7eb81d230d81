//! How a Prometheus name is derived from a dotted name, a unit and a kind; nobody writes one by hand.
//!
//! Follows the OpenTelemetry-to-Prometheus compatibility rules (`specification/compatibility/
//! prometheus_and_openmetrics.md`): dots to underscores, the unit spelled out as a suffix, `_ratio`
//! for gauges of unit `1`, annotations in braces dropped, `a/b` as `a_per_b`, counters `_total`.

use crate::batch::MetricKind;

/// UCUM codes the catalog may use, and their words in Prometheus names.
const UNITS: [(&str, &str); 11] = [
    ("s", "seconds"),
    ("By", "bytes"),
    ("W", "watts"),
    ("J", "joules"),
    ("Hz", "hertz"),
    ("Cel", "celsius"),
    ("V", "volts"),
    ("A", "amperes"),
    ("kg", "kilograms"),
    ("kg/J", "kilograms_per_joule"),
    ("1", "ratio"),
];

/// UCUM codes after a slash.
const PER: [(&str, &str); 3] = [("s", "second"), ("h", "hour"), ("J", "joule")];

/// The derived name of a metric: `("inference.ttft", "s", Histogram)` is `inference_ttft_seconds`.
/// A unit that is not [`valid_unit`] adds nothing.
pub fn prometheus_name(dotted: &str, unit: &str, kind: MetricKind) -> String {
    let mut name = dotted.replace(['.', '-'], "_");
    if kind == MetricKind::Info {
        return with_suffix(name, "info");
    }
    let suffix = unit_suffix(unit).unwrap_or_default();
    if !suffix.is_empty() && (unit != "1" || kind == MetricKind::Gauge) {
        name = with_suffix(name, &suffix);
    }
    if kind == MetricKind::Counter { with_suffix(name, "total") } else { name }
}

/// Whether the catalog knows how to spell this unit.
pub fn valid_unit(unit: &str) -> bool {
    unit_suffix(unit).is_some()
}

fn with_suffix(name: String, suffix: &str) -> String {
    let ends = name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
    if ends { name } else { format!("{name}_{suffix}") }
}

/// The word or words of a unit, empty for an annotation such as `{token}`; none when unknown.
fn unit_suffix(unit: &str) -> Option<String> {
    if let Some((_, word)) = UNITS.iter().find(|(code, _)| *code == unit) {
        return Some((*word).to_owned());
    }
    if annotation(unit) {
        return Some(String::new());
    }
    let (main, per) = unit.split_once('/')?;
    let main = if annotation(main) {
        ""
    } else {
        UNITS.iter().find(|(code, _)| *code == main).map(|(_, word)| *word)?
    };
    if annotation(per) {
        return Some(main.to_owned());
    }
    let per = PER.iter().find(|(code, _)| *code == per).map(|(_, word)| *word)?;
    Some(if main.is_empty() { format!("per_{per}") } else { format!("{main}_per_{per}") })
}

fn annotation(unit: &str) -> bool {
    let inside = unit.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(|word| !word.is_empty() && !word.contains(['{', '}', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dotted: &str, unit: &str, kind: MetricKind, expected: &str) {
        assert_eq!(prometheus_name(dotted, unit, kind), expected);
    }

    #[test]
    fn names_follow_the_compatibility_rules() {
        use MetricKind::{Counter, Gauge, Histogram, Info};
        check("inference.kv_cache.utilization", "1", Gauge, "inference_kv_cache_utilization_ratio");
        check(
            "inference.generation_tokens",
            "{token}",
            Counter,
            "inference_generation_tokens_total",
        );
        check("inference.ttft", "s", Histogram, "inference_ttft_seconds");
        check("system.cpu.time", "s", Counter, "system_cpu_time_seconds_total");
        check("hw.energy", "J", Counter, "hw_energy_joules_total");
        check("hw.temperature", "Cel", Gauge, "hw_temperature_celsius");
        check("gpu.clock.frequency", "Hz", Gauge, "gpu_clock_frequency_hertz");
        check("nccl.bus.bandwidth", "By/s", Gauge, "nccl_bus_bandwidth_bytes_per_second");
        check("training.tokens.rate", "{token}/s", Gauge, "training_tokens_rate_per_second");
        check("gen_ai.client.token.usage", "{token}", Histogram, "gen_ai_client_token_usage");
        check("cost.energy.per_token", "J/{token}", Gauge, "cost_energy_per_token_joules");
        check("host.info", "1", Info, "host_info");
        check("gpu.device", "1", Info, "gpu_device_info");
        check("a.ratio", "1", Histogram, "a_ratio");
        check("x.hit_ratio", "1", Gauge, "x_hit_ratio");
    }

    #[test]
    fn unknown_units_are_refused() {
        for unit in ["%", "MiB", "ms", "mJ", "MHz", "{}", "token", "By/min", ""] {
            assert!(!valid_unit(unit), "{unit}");
        }
        for unit in ["s", "By", "1", "{token}", "{flop}/s", "J/{token}", "{currency}/h"] {
            assert!(valid_unit(unit), "{unit}");
        }
    }
}
