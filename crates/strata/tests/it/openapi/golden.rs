//! Answers of a real Prometheus against the same description.

use serde_json::Value as Json;

use super::{Described, schema};
use crate::program::House;

/// Answers of a real Prometheus, native histograms among them.
#[test]
fn what_prometheus_answers_is_as_described() {
    let server = House::new("").start();
    let described = Described::by(&server);
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../strata-serve/tests/golden");
    for (path, names) in [
        (
            "/api/v1/query",
            &["scalar", "string", "vector_empty", "vector_histogram", "vector_labels"][..],
        ),
        ("/api/v1/query_range", &["matrix_floats", "matrix_histogram", "matrix_thirds"]),
        ("/api/v1/series", &["series"]),
        ("/api/v1/labels", &["labels"]),
        ("/api/v1/label/{name}/values", &["values"]),
    ] {
        let written = described.schema("get", path, 200, "application/json");
        for name in names {
            let text = std::fs::read_to_string(format!("{golden}/{name}.json")).unwrap();
            let value: Json = serde_json::from_str(&text).unwrap();
            if let Err(reason) = schema::check(&described.document, written, &value) {
                panic!("{name}: {reason}");
            }
        }
    }
}
