//! What the loader refuses, and how it says so.

use proptest::prelude::*;

use super::*;

const METRICS: &str = r#"
layer = "l6_inference"

[[metric]]
name = "inference.ttft"
kind = "histogram"
unit = "s"
brief = "Time to first token."
definition = "Received to first token out."

[[metric]]
name = "inference.requests.running"
kind = "gauge"
unit = "{request}"
brief = "Requests running now."
definition = "In the batch of the engine."
"#;

const SOURCE: &str = r#"
title = "Engine"
layers = ["l6_inference"]
[identify]
any = ["engine_*"]
[[map]]
metric = "inference.ttft"
family = "engine_ttft_ms"
scale = 0.001
"#;

fn load(metrics: &str, source: &str) -> Result<Catalog, CatalogError> {
    Catalog::load(&[("metrics/l6_inference.toml", metrics), ("sources/engine.toml", source)])
}

/// Loading ends in exactly these problems, each given by its beginning.
#[track_caller]
fn refused(metrics: &str, source: &str, expected: &[&str]) {
    let problems = load(metrics, source).expect_err("it is wrong").0;
    let fits = problems.len() == expected.len()
        && problems.iter().zip(expected).all(|(problem, start)| problem.starts_with(start));
    assert!(fits, "{problems:#?}");
}

#[test]
fn a_small_catalog_loads() {
    let catalog = load(METRICS, SOURCE).unwrap();
    let buckets = catalog.expansions("inference_ttft_seconds_bucket").unwrap();
    assert_eq!(buckets.len(), 2);
    assert_eq!(buckets[1].metric, "engine_ttft_ms_bucket");
    assert_eq!((buckets[1].bucket_scale, buckets[1].value.len()), (0.001, 0));
    let sums = catalog.expansions("inference_ttft_seconds_sum").unwrap();
    assert_eq!(sums[1].value, vec![ValueRule::Scale(0.001)]);
    let counts = catalog.expansions("inference_ttft_seconds_count").unwrap();
    assert_eq!((counts[1].metric.as_str(), counts[1].value.len()), ("engine_ttft_ms_count", 0));
    assert_eq!(catalog.expansions("inference_ttft_seconds").unwrap().len(), 1, "no scaled native");
}

#[test]
fn an_unknown_field_is_named_with_its_line() {
    let source = format!("{SOURCE}colour = \"red\"\n");
    refused(METRICS, &source, &["sources/engine.toml:10: unknown field `colour`"]);
    let metrics = METRICS.replacen("unit = \"s\"", "unit = \"s\"\nunits = \"s\"", 1);
    refused(
        &metrics,
        SOURCE,
        &[
            "metrics/l6_inference.toml:8: unknown field `units`",
            "sources/engine.toml:6: there is no metric \"inference.ttft\"",
        ],
    );
    let head = format!("prots = [1]\n{SOURCE}");
    refused(METRICS, &head, &["sources/engine.toml:1: unknown field `prots`"]);
}

#[test]
fn a_missing_target_names_the_nearest() {
    let source = SOURCE.replace("inference.ttft", "inference.tfft");
    refused(
        METRICS,
        &source,
        &[
            "sources/engine.toml:6: there is no metric \"inference.tfft\"; did you mean \"inference.ttft\"?",
        ],
    );
}

#[test]
fn duplicates_are_refused() {
    let (_, again) = METRICS.split_once("[[metric]]").unwrap();
    let twice = format!("{METRICS}[[metric]]{again}");
    refused(
        &twice,
        SOURCE,
        &[
            "metrics/l6_inference.toml:17: metric inference.ttft is defined twice",
            "metrics/l6_inference.toml:24: metric inference.requests.running is defined twice",
        ],
    );
    let same_name = METRICS.replace("inference.requests.running", "inference.requests_running");
    let (_, last) = same_name.rsplit_once("[[metric]]").unwrap();
    let both = format!("{METRICS}[[metric]]{last}");
    refused(
        &both,
        SOURCE,
        &[
            "metrics/l6_inference.toml:17: metric inference.requests_running has the same Prometheus name",
        ],
    );
    let files = [
        ("metrics/l6_inference.toml", METRICS),
        ("sources/engine.toml", SOURCE),
        ("sources/engine.toml", SOURCE),
    ];
    let problems = Catalog::load(&files).unwrap_err().0;
    assert_eq!(problems, ["sources/engine.toml:1: is there twice"]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let metrics = METRICS
        .replace("unit = \"s\"", "unit = \"ms\"")
        .replace("Requests running now.", "requests")
        .replace("l6_inference\"", "l5_training\"");
    let source = r#"
title = "Engine"
layers = ["l6_inference"]
[identify]
any = ["engine_*"]
over = ["nobody"]
[[map]]
metric = "inference.requests.running"
[[map]]
metric = "inference.requests.running"
family = "engine running"
[[map]]
metric = "inference.requests.running"
family = "engine_running"
select = ['kind=running']
[[map]]
metric = "inference.requests.running"
sum = "engine_sum"
count = "engine_count"
[[map]]
metric = "inference.ttft"
family = "engine_ttft"
scale = 0
value = ["invert"]
[[map]]
metric = "inference.requests.running"
family = "inference_requests_running"
"#;
    refused(
        &metrics,
        source,
        &[
            "metrics/l6_inference.toml:1: the file of layer l5_training must be called",
            "metrics/l6_inference.toml:4: metric inference.ttft has unit \"ms\"",
            "metrics/l6_inference.toml:11: metric inference.requests.running: brief is not a sentence",
            "sources/engine.toml:7: inference.requests.running: write family",
            "sources/engine.toml:9: inference.requests.running: a family is no metric name",
            "sources/engine.toml:12: \"kind=running\": put the value into double quotes",
            "sources/engine.toml:16: inference.requests.running: sum and count are for histograms",
            "sources/engine.toml:20: scale 0 would lose the value",
            "sources/engine.toml:20: a histogram takes scale only",
            "sources/engine.toml:25: inference_requests_running is canonical",
            "sources/engine.toml:1: identify.over names \"nobody\"",
        ],
    );
}

#[test]
fn broken_toml_is_told_by_line() {
    let problems = load(METRICS, "title = \"Engine\nlayers = [").unwrap_err().0;
    assert!(
        problems.iter().any(|p| p.starts_with("sources/engine.toml:1: invalid")),
        "{problems:?}"
    );
    let problems =
        load(METRICS, "map = 3\ntitle = \"E\"\nlayers = [\"l6_inference\"]").unwrap_err();
    assert_eq!(problems.0, ["sources/engine.toml:1: write [[map]], a list"]);
    let elsewhere = Catalog::load(&[("prices/x.toml", "")]).unwrap_err();
    assert!(elsewhere.to_string().contains("prices/x.toml:1"), "{elsewhere}");
}

#[test]
fn series_of_a_source_under_a_canonical_name_are_told_apart() {
    let source = r#"
title = "Engine"
layers = ["l6_inference"]
[[map]]
metric = "inference.requests.running"
family = "inference_requests_running"
select = ['model_name!=""']
rename = { model_name = "model" }
"#;
    let catalog = load(METRICS, source).unwrap();
    let expansions = catalog.expansions("inference_requests_running").unwrap();
    assert_eq!(expansions[0].matchers, vec![Matcher::equal("model_name", "")]);
    assert!(expansions[1].matchers[0].matches("tiny") && !expansions[1].matchers[0].matches(""));
}

proptest! {
    /// Whatever a file holds, loading ends in a catalog or in problems with a path and a line.
    #[test]
    fn any_text_ends_in_a_catalog_or_in_problems(text in "\\PC{0,200}", at in 0usize..300) {
        let mut source = SOURCE.to_owned();
        let at = at.min(source.len());
        source.insert_str(at, &text);
        if let Err(error) = load(METRICS, &source) {
            prop_assert!(!error.0.is_empty());
            for problem in &error.0 {
                let rest = problem.strip_prefix("sources/engine.toml:");
                let line = rest.and_then(|rest| rest.split(':').next());
                prop_assert!(line.is_some_and(|line| line.parse::<usize>().is_ok()), "{problem}");
            }
        }
    }
}
