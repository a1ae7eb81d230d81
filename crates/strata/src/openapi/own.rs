//! The program itself: its sources, its state, its own numbers, and the files of the web page.

use serde_json::{Value as Json, json};
use strata_model::SourceStatus;
use strata_view::PageId;

use super::Document;
use super::operation::{JSON, Operation, TEXT, in_path};
use super::schema::{count, integer, list, maybe, moment, number, object, said, text};

pub(super) const TAG: &str = "program";
pub(super) const WEB: &str = "web";

const HTML: &str = "text/html; charset=utf-8";

pub(super) fn describe(document: &mut Document) {
    program(document);
    probes(document);
    web(document);
}

/// What the program says about its store, or about the engine it asks instead.
pub(super) fn store() -> Json {
    let bytes = |what: &str| said(count(), what);
    let moment = |what: &str| maybe(said(integer(), &format!("{what}, milliseconds since 1970.")));
    let own = object([
        ("series", said(count(), "Series with samples within the retention.")),
        ("active_series", said(count(), "Series with samples since the last seal.")),
        ("head_samples", said(count(), "Samples in memory, not yet sealed.")),
        ("head_bytes", bytes("Bytes of memory those samples take.")),
        ("sealed_samples", said(count(), "Samples in day files.")),
        ("disk_bytes", maybe(bytes("Bytes of all files; null when they cannot be read."))),
        ("queued_bytes", bytes("Bytes of batches that wait to be written.")),
        ("oldest_ms", moment("Time of the oldest sample")),
        ("newest_ms", moment("Time of the newest sample")),
        ("read_only", maybe(said(text(), "Why nothing can be written now."))),
        ("damaged", said(count(), "Files that were damaged or lost since start.")),
    ]);
    let remote = object([
        ("engine", said(text(), "Address of the metrics engine that strata serve asks.")),
        ("trouble", maybe(said(text(), "Why it cannot be asked now."))),
    ]);
    json!({ "oneOf": [own, remote] })
}

fn program(document: &mut Document) {
    let source = document.of::<SourceStatus>();
    let sources = object([("sources", list(source))]);
    let operation = Operation::new("sources", TAG, "Where data comes from, and how that goes.")
        .answers(200, "Every source.", &[(JSON, sources)]);
    document.get("/api/v1/strata/sources", operation);
    let status = object([
        ("version", text()),
        ("started_at", moment()),
        ("uptime_seconds", number()),
        ("store", json!({ "$ref": "#/components/schemas/StoreStatus" })),
    ]);
    let operation = Operation::new("status", TAG, "The program and its store.").answers(
        200,
        "So it is.",
        &[(JSON, status)],
    );
    document.get("/api/v1/strata/status", operation);
    let operation = Operation::new("openapi", TAG, "This document.").answers(
        200,
        "OpenAPI 3.1.",
        &[(JSON, json!({ "type": "object" }))],
    );
    document.get("/api/v1/openapi.json", operation);
    let page = "Its own counters and gauges, to be scraped; OpenMetrics where it is accepted.";
    let kinds = [
        ("text/plain; version=0.0.4; charset=utf-8", text()),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", text()),
    ];
    let operation = Operation::new("metrics", TAG, page).answers(200, "The page.", &kinds);
    document.get("/metrics", operation);
}

fn probes(document: &mut Document) {
    for (path, id) in [("/-/healthy", "healthy"), ("/healthz", "healthz")] {
        let operation = Operation::new(id, TAG, "Whether the process answers.")
            .answers(200, "It does.", &[(TEXT, text())])
            .open();
        document.get(path, operation);
    }
    for (path, id) in [("/-/ready", "ready"), ("/readyz", "readyz")] {
        let operation = Operation::new(id, TAG, "Whether queries and writes can be answered.")
            .answers(200, "They can.", &[(TEXT, text())])
            .answers(503, "They cannot, for the reason that is told.", &[(TEXT, text())])
            .open();
        document.get(path, operation);
    }
}

/// The files tell nothing: the page asks its reader for the token.
fn web(document: &mut Document) {
    let pages = PageId::ALL.iter().map(|page| page.name());
    for name in std::iter::once("").chain(pages) {
        let id = if name.is_empty() { "web".to_owned() } else { format!("web_{name}") };
        let operation = Operation::new(id, WEB, "The web page, which then asks for its data.")
            .answers(200, "The page.", &[(HTML, text())])
            .answers(304, "It is as the If-None-Match says.", &[])
            .open();
        document.get(&format!("/{name}"), operation);
    }
    let kinds = [
        ("text/javascript; charset=utf-8", text()),
        ("text/css; charset=utf-8", text()),
        ("image/svg+xml", text()),
        (HTML, text()),
    ];
    let path = "Path of the file; it may hold slashes.";
    let operation = Operation::new("web_file", WEB, "A file of the web page.")
        .asks([in_path("path", path, &text())])
        .answers(200, "The file.", &kinds)
        .answers(304, "It is as the If-None-Match says.", &[])
        .shares(404, "NotServed")
        .open();
    document.get("/web/{path}", operation);
}
