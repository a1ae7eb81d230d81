//! `/metrics`: our own counters and gauges in Prometheus text or OpenMetrics.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use strata_model::{Labels, MetricKind};

use super::process;
use crate::json::number::{push_float, push_text};
use crate::state::App;

/// The two dialects of the text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Text,
    OpenMetrics,
}

impl Dialect {
    fn of(headers: &HeaderMap) -> Self {
        let wanted = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if wanted { Self::OpenMetrics } else { Self::Text }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// One family with its samples.
#[derive(Debug, Clone, PartialEq)]
struct Family {
    /// Prometheus name, `_total` included for counters.
    name: String,
    help: String,
    kind: MetricKind,
    samples: Vec<(Labels, f64)>,
}

/// `/metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let dialect = Dialect::of(&headers);
    let page = write_page(&families(&app), dialect);
    let mut response = Response::new(Body::from(page));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(dialect.content_type()));
    response
}

fn families(app: &App) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for reading in app.parts.meter.snapshot() {
        let (name, help) = (app.parts.own_names)(reading.metric, reading.kind);
        let sample = (reading.labels, reading.value);
        match families.last_mut() {
            Some(last) if last.name == name => last.samples.push(sample),
            _ => families.push(Family { name, help, kind: reading.kind, samples: vec![sample] }),
        }
    }
    let version = Labels::from_pairs([("version", app.parts.version)]);
    let (name, help) = (app.parts.own_names)("strata.build", MetricKind::Info);
    families.push(Family { name, help, kind: MetricKind::Info, samples: vec![(version, 1.0)] });
    families.extend(process_families(&process::read()));
    families
}

/// The names every Prometheus client library uses for these.
fn process_families(process: &process::Process) -> impl Iterator<Item = Family> {
    let counter = MetricKind::Counter;
    let gauge = MetricKind::Gauge;
    let rows = [
        ("process_cpu_seconds_total", counter, "User and system CPU time.", process.cpu_seconds),
        ("process_resident_memory_bytes", gauge, "Resident memory.", process.resident_bytes),
        ("process_virtual_memory_bytes", gauge, "Virtual memory.", process.virtual_bytes),
        ("process_threads", gauge, "Operating system threads.", process.threads),
        ("process_open_fds", gauge, "Open file descriptors.", process.open_fds),
        ("process_max_fds", gauge, "Most file descriptors that may be open.", process.max_fds),
        (
            "process_start_time_seconds",
            gauge,
            "Start of the process since the Unix epoch.",
            process.start_time_seconds,
        ),
    ];
    rows.into_iter().filter_map(|(name, kind, help, value)| {
        Some(Family {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            samples: vec![(Labels::empty(), value?)],
        })
    })
}

fn write_page(families: &[Family], dialect: Dialect) -> Vec<u8> {
    let mut page = Vec::with_capacity(8 * 1024);
    for family in families {
        // OpenMetrics names the family without the suffix of its samples.
        let suffix = match (dialect, family.kind) {
            (Dialect::OpenMetrics, MetricKind::Counter) => "_total",
            (Dialect::OpenMetrics, MetricKind::Info) => "_info",
            _ => "",
        };
        let title = family.name.strip_suffix(suffix).unwrap_or(&family.name);
        push_text(&mut page, format_args!("# HELP {title} "));
        push_escaped(&mut page, &family.help, dialect == Dialect::OpenMetrics);
        let kind = match (dialect, family.kind) {
            (Dialect::Text, MetricKind::Unknown) => "untyped",
            (Dialect::Text, MetricKind::Info) => MetricKind::Gauge.name(),
            (_, kind) => kind.name(),
        };
        push_text(&mut page, format_args!("\n# TYPE {title} {kind}\n"));
        for (labels, value) in &family.samples {
            page.extend_from_slice(family.name.as_bytes());
            push_labels(&mut page, labels);
            page.push(b' ');
            push_float(&mut page, *value);
            page.push(b'\n');
        }
    }
    if dialect == Dialect::OpenMetrics {
        page.extend_from_slice(b"# EOF\n");
    }
    page
}

fn push_labels(page: &mut Vec<u8>, labels: &Labels) {
    if labels.is_empty() {
        return;
    }
    page.push(b'{');
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            page.push(b',');
        }
        push_text(page, format_args!("{name}=\""));
        push_escaped(page, value, true);
        page.push(b'"');
    }
    page.push(b'}');
}

/// Escape backslash and line feed, and quotes where the place is quoted.
fn push_escaped(page: &mut Vec<u8>, text: &str, quotes: bool) {
    for byte in text.bytes() {
        match byte {
            b'\\' => page.extend_from_slice(b"\\\\"),
            b'\n' => page.extend_from_slice(b"\\n"),
            b'"' if quotes => page.extend_from_slice(b"\\\""),
            _ => page.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(dialect: Dialect) -> String {
        let families = [
            Family {
                name: "strata_serve_requests_total".to_owned(),
                help: "Requests \"answered\",\nby route.".to_owned(),
                kind: MetricKind::Counter,
                samples: vec![
                    (Labels::from_pairs([("route", "a\"b\\c\n"), ("code", "200")]), 3.0),
                    (Labels::empty(), 0.5),
                ],
            },
            Family {
                name: "strata_x".to_owned(),
                help: "X.".to_owned(),
                kind: MetricKind::Unknown,
                samples: vec![(Labels::empty(), f64::INFINITY)],
            },
        ];
        String::from_utf8(write_page(&families, dialect)).unwrap()
    }

    #[test]
    fn text_has_the_suffix_everywhere() {
        let expected = concat!(
            "# HELP strata_serve_requests_total Requests \"answered\",\\nby route.\n",
            "# TYPE strata_serve_requests_total counter\n",
            "strata_serve_requests_total{code=\"200\",route=\"a\\\"b\\\\c\\n\"} 3\n",
            "strata_serve_requests_total 0.5\n",
            "# HELP strata_x X.\n# TYPE strata_x untyped\nstrata_x +Inf\n",
        );
        assert_eq!(page(Dialect::Text), expected);
    }

    #[test]
    fn openmetrics_has_it_on_samples_only_and_an_end() {
        let expected = concat!(
            "# HELP strata_serve_requests Requests \\\"answered\\\",\\nby route.\n",
            "# TYPE strata_serve_requests counter\n",
            "strata_serve_requests_total{code=\"200\",route=\"a\\\"b\\\\c\\n\"} 3\n",
            "strata_serve_requests_total 0.5\n",
            "# HELP strata_x X.\n# TYPE strata_x unknown\nstrata_x +Inf\n# EOF\n",
        );
        assert_eq!(page(Dialect::OpenMetrics), expected);
    }
}
