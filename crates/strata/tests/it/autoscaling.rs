//! The examples for KEDA and the HPA, held against what these read.

use serde_json::Value as Json;
use strata_model::catalog::Catalog;

const PAGE: &str = include_str!("../../../../docs/deploy/autoscaling.md");

/// What KEDA's `prometheus` scaler reads of `metadata`, and what it needs
/// (`pkg/scalers/prometheus_scaler.go` of kedacore/keda).
const FIELDS: [(&str, bool); 12] = [
    ("serverAddress", true),
    ("query", true),
    ("threshold", true),
    ("activationThreshold", false),
    ("namespace", false),
    ("queryParameters", false),
    ("customHeaders", false),
    ("ignoreNullValues", false),
    ("unsafeSsl", false),
    ("timeout", false),
    ("identityOwner", false),
    ("authModes", false),
];

/// All blocks of YAML of the page.
fn blocks() -> Vec<Json> {
    let texts = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    texts
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")))
        .collect()
}

fn of_kind(kind: &str) -> Json {
    let found = blocks().into_iter().find(|block| block["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

/// The metric as strata writes it.
fn metric() -> String {
    Catalog::builtin().metric("cost.desired_replicas").unwrap().prometheus.clone()
}

#[test]
fn keda_reads_every_field_and_holds_without_a_sample() {
    let object = of_kind("ScaledObject");
    assert_eq!(object["apiVersion"], "keda.sh/v1alpha1");
    let trigger = &object["spec"]["triggers"][0];
    assert_eq!(
        (&trigger["type"], &trigger["metricType"]),
        (&"prometheus".into(), &"AverageValue".into())
    );
    let metadata = trigger["metadata"].as_object().unwrap();
    for (name, value) in metadata {
        assert!(FIELDS.iter().any(|(field, _)| field == name), "KEDA does not know {name}");
        assert!(value.is_string(), "{name}: metadata is a map of texts");
    }
    for (field, _) in FIELDS.iter().filter(|(_, is_needed)| *is_needed) {
        assert!(metadata.contains_key(*field), "{field} is missing");
    }
    // Else no sample is 0, and it scales down.
    assert_eq!(metadata["ignoreNullValues"], "false");
    let query = metadata["query"].as_str().unwrap();
    assert!(query.contains(&format!("({}{{", metric())), "{query}");
    strata_query::promql::syntax::parse(query).unwrap();
}

#[test]
fn the_hpa_asks_for_what_the_adapter_offers() {
    let hpa = of_kind("HorizontalPodAutoscaler");
    assert_eq!(hpa["apiVersion"], "autoscaling/v2");
    let asked = &hpa["spec"]["metrics"][0];
    assert_eq!(asked["type"], "External");
    let (asked, target) = (&asked["external"]["metric"], &asked["external"]["target"]);
    assert_eq!((&target["type"], &target["averageValue"]), (&"AverageValue".into(), &"1".into()));
    let rules = blocks().into_iter().find(|block| block["externalRules"].is_array()).unwrap();
    let rule = &rules["externalRules"][0];
    assert_eq!((&asked["name"], &rule["name"]["as"]), (&metric().into(), &metric().into()));
    let series = rule["seriesQuery"].as_str().unwrap();
    strata_query::promql::syntax::parse(series).unwrap();
    assert!(series.starts_with(&metric()));
    let known = &Catalog::builtin().metric("cost.desired_replicas").unwrap().attributes;
    for label in asked["selector"]["matchLabels"].as_object().unwrap().keys() {
        assert!(known.contains(label), "{label}");
    }
}
