//! From OTLP's names and units to Prometheus's names.
//!
//! Rules: <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.

use std::borrow::Cow;

/// What the suffix of a name depends on besides the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A sum that only rises: `_total`.
    Counter,
    /// A gauge: `_ratio` when its unit is `1`.
    Gauge,
    Other,
}

/// A metric's Prometheus name without the suffixes for unit and type.
pub(super) fn plain_metric_name(name: &str, namespace: &str) -> String {
    let name = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}_{name}") };
    guard_digit(name.chars().map(|c| if is_name_char(c) { c } else { '_' }).collect())
}

/// A metric's Prometheus name: words joined by `_`, then unit, `per` unit, `total` or `ratio`.
pub(super) fn metric_name(name: &str, unit: &str, shape: Shape, namespace: &str) -> String {
    let mut words: Vec<&str> =
        name.split(|c| !is_name_char(c) || c == '_').filter(|word| !word.is_empty()).collect();
    let (main, per) = match unit.split_once('/') {
        Some((main, per)) => (unit_words(main, main_unit), unit_words(per, per_unit)),
        None => (unit_words(unit, main_unit), String::new()),
    };
    if !main.is_empty() && !words.contains(&main.as_str()) {
        words.push(&main);
    }
    if !per.is_empty() && !words.contains(&per.as_str()) {
        words.extend(["per", &per]);
    }
    let last = match shape {
        Shape::Counter => Some("total"),
        Shape::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|&word| word != last);
        words.push(last);
    }
    if !namespace.is_empty() {
        words.insert(0, namespace);
    }
    guard_digit(words.join("_"))
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// A name must not begin with a digit.
fn guard_digit(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The words of one half of a unit; annotations in braces say nothing.
fn unit_words(unit: &str, known: fn(&str) -> Option<&'static str>) -> String {
    let unit = unit.trim();
    if unit.contains(['{', '}']) {
        return String::new();
    }
    if let Some(words) = known(unit) {
        return words.to_owned();
    }
    let words: Vec<&str> =
        unit.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("_")
}

/// UCUM codes that have a word in Prometheus.
fn main_unit(code: &str) -> Option<&'static str> {
    Some(match code {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

fn per_unit(code: &str) -> Option<&'static str> {
    Some(match code {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

/// A label name: anything but ASCII letters, digits and `_` becomes `_`; a leading digit or single
/// `_` gets the prefix `key`, because Prometheus keeps leading underscores for itself.
pub(super) fn label_name(name: &str) -> Cow<'_, str> {
    let clean = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut result = if name.chars().all(clean) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.chars().map(|c| if clean(c) { c } else { '_' }).collect())
    };
    if result.starts_with(|c: char| c.is_ascii_digit()) {
        result.to_mut().insert_str(0, "key_");
    } else if result.starts_with('_') && !result.starts_with("__") {
        result.to_mut().insert_str(0, "key");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::Shape::{Counter, Gauge, Other};
    use super::*;

    /// What is pushed under a canonical name must be stored under the name the catalog reads.
    #[test]
    fn canonical_metrics_get_the_names_of_the_catalog() {
        use strata_model::MetricKind;
        let differing: Vec<_> = strata_model::catalog::Catalog::builtin()
            .metrics()
            .iter()
            .filter(|metric| metric.otel.is_some())
            .filter_map(|metric| {
                let shape = match metric.kind {
                    MetricKind::Counter => Counter,
                    MetricKind::Gauge => Gauge,
                    MetricKind::Histogram => Other,
                    _ => return None,
                };
                let got = metric_name(&metric.name, &metric.unit, shape, "");
                (got != metric.prometheus).then_some((got, &metric.prometheus))
            })
            .collect();
        assert_eq!(differing, []);
    }

    #[test]
    fn metric_names_gain_unit_and_type() {
        let check = |name: &str, unit: &str, shape: Shape, expected: &str| {
            assert_eq!(metric_name(name, unit, shape, ""), expected, "{name} [{unit}]");
        };
        check("gen_ai.client.token.usage", "{token}", Other, "gen_ai_client_token_usage");
        check(
            "gen_ai.server.request.duration",
            "s",
            Other,
            "gen_ai_server_request_duration_seconds",
        );
        check("hw.gpu.utilization", "1", Gauge, "hw_gpu_utilization_ratio");
        check("system.cpu.time", "s", Counter, "system_cpu_time_seconds_total");
        check("hw.energy", "J", Counter, "hw_energy_joules_total");
        check("requests.total", "{request}", Counter, "requests_total");
        check("active", "1", Other, "active");
        check("net.io", "By/s", Gauge, "net_io_bytes_per_second");
        check("speed", "m/min", Gauge, "speed_meters_per_min");
        check("heap.bytes", "By", Gauge, "heap_bytes");
        check("2xx", "", Other, "_2xx");
        check("vllm:running", "", Gauge, "vllm:running");
        check("a..b--c", "", Other, "a_b_c");
        check("x", "foo.bar", Gauge, "x_foo_bar");
        assert_eq!(metric_name("x", "s", Counter, "lab"), "lab_x_seconds_total");
        assert_eq!(plain_metric_name("a.b-c", "lab"), "lab_a_b_c");
    }

    #[test]
    fn label_names_are_made_legal() {
        let check = |name: &str, expected: &str| assert_eq!(label_name(name), expected, "{name}");
        check("gen_ai.request.model", "gen_ai_request_model");
        check("2nd", "key_2nd");
        check("_x", "key_x");
        check("__x", "__x");
        check("a.-b", "a__b");
        check("caf\u{e9}", "caf_");
    }
}
