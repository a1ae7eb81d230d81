//! The HTTP API of Prometheus: what is asked about the server.

use serde_json::{Value as Json, json};

use super::{TAG, success};
use crate::openapi::Document;
use crate::openapi::operation::Operation;
use crate::openapi::schema::{map, moment, number, object, said, text};

pub(super) fn describe(document: &mut Document) {
    let none = || json!({ "type": "array", "maxItems": 0 });
    let store = document.name("StoreStatus", crate::openapi::own::store());
    let rows: [(&str, &str, &str, Json); 7] = [
        (
            "rules",
            "rules",
            "There are no rules in Prometheus's sense.",
            object([("groups", none())]),
        ),
        (
            "alerts",
            "alerts",
            "There are no alerts in Prometheus's sense.",
            object([("alerts", none())]),
        ),
        (
            "status/buildinfo",
            "buildinfo",
            "Of which release of Prometheus this is the API.",
            build(),
        ),
        ("status/runtimeinfo", "runtimeinfo", "Since when the server runs.", runtime()),
        (
            "status/config",
            "config",
            "The configuration is not Prometheus's: none is shown.",
            object([("yaml", text())]),
        ),
        ("status/flags", "flags", "There are no flags of Prometheus.", map(text())),
        ("status/tsdb", "tsdb", "The store, in its own words.", object([("strata", store)])),
    ];
    for (path, id, summary, data) in rows {
        let operation = Operation::new(id, TAG, summary).answers(200, "So it is.", &success(data));
        document.get(&format!("/api/v1/{path}"), operation);
    }
}

fn build() -> Json {
    let empty = || said(text(), "Empty.");
    object([
        ("application", json!({ "const": "strata" })),
        ("applicationVersion", text()),
        ("version", said(text(), "The release of Prometheus whose API this is.")),
        ("revision", empty()),
        ("branch", empty()),
        ("buildUser", empty()),
        ("buildDate", empty()),
        ("goVersion", empty()),
    ])
}

fn runtime() -> Json {
    object([
        ("application", json!({ "const": "strata" })),
        ("startTime", moment()),
        ("uptimeSeconds", number()),
    ])
}
