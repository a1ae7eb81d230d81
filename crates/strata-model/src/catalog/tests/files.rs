//! The built-in files are whole and consistent.

use std::fs;
use std::path::Path;

use super::*;
use crate::layer::Layer;

#[test]
fn the_builtin_catalog_loads() {
    if let Err(error) = Catalog::load(Catalog::builtin_files()) {
        panic!("{}", error.0.join("\n"));
    }
}

#[test]
fn every_layer_has_metrics_and_sources() {
    let catalog = Catalog::builtin();
    for layer in Layer::ALL {
        let metrics = catalog.metrics().iter().filter(|metric| metric.layer == Some(layer));
        assert!(metrics.count() >= 20, "{layer}");
        assert!(catalog.sources().iter().any(|s| s.layers.contains(&layer)), "{layer}");
    }
}

#[test]
fn briefs_are_one_sentence_and_labels_are_named_once() {
    for metric in Catalog::builtin().metrics() {
        assert!(metric.brief.ends_with('.') && !metric.brief.contains(". "), "{}", metric.name);
        assert!(metric.name.is_ascii() && metric.definition.is_ascii(), "{}", metric.name);
        let mut attributes = metric.attributes.clone();
        attributes.sort();
        attributes.dedup();
        assert_eq!(attributes.len(), metric.attributes.len(), "{}", metric.name);
    }
}

#[test]
fn only_the_programs_own_metrics_have_no_layer() {
    for metric in Catalog::builtin().metrics() {
        assert_eq!(metric.layer.is_none(), metric.name.starts_with("strata."), "{}", metric.name);
    }
}

#[test]
fn every_derived_name_finds_its_metric_and_itself_first() {
    let catalog = Catalog::builtin();
    for metric in catalog.metrics() {
        let (found, suffix) = catalog.by_prometheus_name(&metric.prometheus).unwrap();
        assert_eq!((found.name.as_str(), suffix), (metric.name.as_str(), ""));
        let expansions = catalog.expansions(&metric.prometheus).unwrap();
        assert_eq!(expansions[0].metric, metric.prometheus);
        assert_eq!((expansions[0].source.as_str(), expansions[0].priority), (NATIVE, 0));
        assert!(expansions[1..].iter().all(|e| e.priority > 0), "{}", metric.name);
    }
}

#[test]
fn suffixes_belong_to_histograms_only() {
    let catalog = Catalog::builtin();
    for suffix in ["_bucket", "_sum", "_count"] {
        let (metric, found) =
            catalog.by_prometheus_name(&format!("inference_ttft_seconds{suffix}")).unwrap();
        assert_eq!((metric.name.as_str(), found), ("inference.ttft", suffix));
        let gauge = format!("inference_kv_cache_utilization_ratio{suffix}");
        assert!(catalog.by_prometheus_name(&gauge).is_none());
        assert!(catalog.expansions(&gauge).is_none());
    }
    assert!(catalog.expansions("vllm:time_to_first_token_seconds_bucket").is_none());
}

#[test]
fn no_source_reads_one_sample_twice_for_one_metric() {
    for source in Catalog::builtin().sources() {
        for (at, one) in source.maps.iter().enumerate() {
            let same = source.maps.iter().skip(at + 1).find(|two| {
                let key = |m: &Mapping| {
                    (m.metric.clone(), m.reading.clone(), m.constants.clone(), m.value.clone())
                };
                key(one) == key(two) && one.matchers == two.matchers
            });
            assert!(same.is_none(), "{}: {} is mapped twice", source.name, one.metric);
        }
    }
}

/// Whether two conditions cannot hold for one series.
fn exclude(one: &[Matcher], two: &[Matcher]) -> bool {
    one.iter().any(|a| {
        let against = two.iter().filter(|b| b.name == a.name);
        against.into_iter().any(|b| {
            let absent = |m: &Matcher| m.op == crate::MatchOp::Equal && m.value.is_empty();
            absent(a) && !b.matches_absent() || absent(b) && !a.matches_absent()
        })
    })
}

#[test]
fn no_series_is_read_for_one_metric_by_two_sources() {
    let catalog = Catalog::builtin();
    for metric in catalog.metrics() {
        let mappings: Vec<_> = catalog.mappings_of(&metric.name).collect();
        for (at, (source, one)) in mappings.iter().enumerate() {
            for (other, two) in mappings.iter().skip(at + 1) {
                let families = Catalog::families_of(&one.reading);
                let shared = Catalog::families_of(&two.reading)
                    .into_iter()
                    .find(|family| families.contains(family));
                let Some(family) = shared.filter(|_| source.name != other.name) else { continue };
                let apart = exclude(&one.matchers, &two.matchers);
                let (metric, one, two) = (&metric.name, &source.name, &other.name);
                assert!(apart, "{metric}: {family} is read by {one} and by {two}");
            }
        }
    }
}

#[test]
fn families_lead_back_to_their_source() {
    let catalog = Catalog::builtin();
    let source = |name: &str| catalog.source_of_family(name).map(|source| source.name.as_str());
    assert_eq!(source("vllm:num_requests_running"), Some("vllm"));
    assert_eq!(source("vllm:time_to_first_token_seconds_bucket"), Some("vllm"));
    assert_eq!(source("vllm:something_new"), Some("vllm"));
    assert_eq!(source("DCGM_FI_DEV_GPU_UTIL"), Some("dcgm"));
    assert_eq!(source("node_load1"), Some("node_exporter"));
    assert_eq!(source("ray_vllm_num_requests_running"), Some("ray_serve"));
    assert_eq!(source("no_such_family"), None);
}

/// A derived name that somebody types out is wrong as soon as its unit is corrected.
#[test]
fn no_derived_name_is_written_by_hand_in_the_crates() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for krate in fs::read_dir(crates).unwrap() {
        collect(&krate.unwrap().path().join("src"), &mut files);
    }
    assert!(files.len() > 20, "the crates are where they were");
    // The simulation writes pages as other programs do (an OpenTelemetry Collector, a training
    // hook): those keep their names whatever this catalog calls them.
    files.retain(|file| !file.starts_with(crates.join("strata-sim/src/pages")));
    let catalog = Catalog::builtin();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for literal in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in literal.split('"').skip(1).step_by(2) {
                if catalog.by_prometheus_name(word).is_some() {
                    found.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "take the name from the catalog:\n{}", found.join("\n"));
}

/// Source files below a folder, without tests, and without `names.rs`: the one table in which a
/// collector may spell the names it writes, because a test of its own compares it with the catalog.
fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if matches!(stem, "tests" | "names") || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// The pages written by hand, by layer.
const LAYER_PAGES: [&str; 8] = [
    include_str!("../../../../../docs/layers/l1.md"),
    include_str!("../../../../../docs/layers/l2.md"),
    include_str!("../../../../../docs/layers/l3.md"),
    include_str!("../../../../../docs/layers/l4.md"),
    include_str!("../../../../../docs/layers/l5.md"),
    include_str!("../../../../../docs/layers/l6.md"),
    include_str!("../../../../../docs/layers/l7.md"),
    include_str!("../../../../../docs/layers/l8.md"),
];

#[test]
fn the_pages_of_the_layers_name_what_exists() {
    let catalog = Catalog::builtin();
    let mut named = 0;
    for page in LAYER_PAGES {
        for word in page.split('`').skip(1).step_by(2) {
            let whole = word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'));
            if !whole || !word.contains('.') || word.starts_with('.') {
                continue;
            }
            named += 1;
            assert!(catalog.metric(word).is_some(), "{word} is no metric");
        }
    }
    assert!(named > 150, "{named}");
}

#[test]
fn the_pages_of_the_layers_name_every_source() {
    for source in Catalog::builtin().sources() {
        let quoted = format!("`{}`", source.name);
        let native = source.name == "process";
        let named = LAYER_PAGES.iter().any(|page| page.contains(&quoted));
        assert!(native || named, "{} is on no page of docs/layers", source.name);
    }
}

#[test]
fn the_reference_is_fresh() {
    let fresh = reference::metrics_markdown(Catalog::builtin());
    let written = include_str!("../../../../../docs/reference/metrics.md");
    assert!(
        fresh == written,
        "docs/reference/metrics.md is old: write reference::metrics_markdown"
    );
}
