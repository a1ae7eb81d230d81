//! The HTTP API of Prometheus: what is answered to queries.

use serde_json::{Value as Json, json};

use crate::openapi::Document;
use crate::openapi::schema::{
    integer, list, loose, map, number, object, said, text, tuple, with, word,
};

const VALUE: &str = "A float as text: NaN, +Inf and -Inf have no other form in JSON.";

/// The data of a query.
pub(super) fn query(document: &mut Document) -> Json {
    let value = || said(text(), VALUE);
    let seconds = || said(number(), "Seconds since 1970.");
    let point = document.name("Point", tuple(&[seconds(), value()]));
    let bucket = [
        said(integer(), "Which edges belong to it: 0 the upper, 1 the lower, 2 none, 3 both."),
        value(),
        value(),
        value(),
    ];
    let histogram = with(
        object([("count", value()), ("sum", value())]),
        [(
            "buckets",
            said(list(tuple(&bucket)), "Edges and count of every bucket that is not empty."),
        )],
    );
    let histogram = document.name("NativeHistogram", histogram);
    let histogram = document.name("HistogramPoint", tuple(&[seconds(), histogram]));
    let metric = || said(map(text()), "Labels, the name of the metric as __name__.");
    let instant = with(
        object([("metric", metric())]),
        [("value", point.clone()), ("histogram", histogram.clone())],
    );
    let series = with(
        object([("metric", metric())]),
        [("values", list(point.clone())), ("histograms", list(histogram))],
    );
    let timings = loose([
        ("evalTotalTime", number()),
        ("execQueueTime", number()),
        ("execTotalTime", number()),
    ]);
    let kind = |kind: &str, result: Json| {
        let kind = json!({ "const": kind });
        let data = object([("resultType", kind), ("result", result)]);
        with(data, [("stats", object([("timings", said(timings.clone(), "Seconds."))]))])
    };
    let string = tuple(&[seconds(), text()]);
    let kinds = [
        kind("vector", list(instant)),
        kind("matrix", list(series)),
        kind("scalar", point),
        kind("string", string),
    ];
    document.name("QueryData", json!({ "oneOf": kinds }))
}

/// The data of `/metadata`.
pub(super) fn metadata() -> Json {
    let kinds = [
        "counter",
        "gauge",
        "histogram",
        "gaugehistogram",
        "summary",
        "info",
        "stateset",
        "unknown",
    ];
    map(list(object([("type", word(kinds)), ("help", text()), ("unit", text())])))
}
