//! Own metrics: what the stages write and what the catalog says of `strata.*` are the same.

use strata_model::catalog::Catalog;

/// The calls of a `Meter` that make a metric, with the kind and whether the unit is seconds.
const CALLS: [(&str, &str, bool); 3] =
    [("counter(", "counter", false), ("seconds(", "counter", true), ("gauge(", "gauge", false)];

/// A metric that a source file writes.
struct Written {
    name: String,
    kind: &'static str,
    seconds: bool,
}

/// Every `"strata.` literal that is handed to a `Meter`, however the call is broken into lines.
fn written(text: &str) -> Vec<Written> {
    let pieces = text.match_indices("\"strata.").filter_map(|(at, _)| {
        let before = text.get(..at)?.trim_end();
        let (_, kind, seconds) = CALLS.into_iter().find(|(call, ..)| before.ends_with(call))?;
        let name = text.get(at + 1..)?.split('"').next()?.to_owned();
        Some(Written { name, kind, seconds })
    });
    pieces.collect()
}

/// Path and text of every source file of the crates, without tests.
fn sources() -> Vec<(String, String)> {
    let files =
        super::crates().into_iter().flat_map(|folder| super::rust_files(&folder.join("src")));
    files
        .filter(|path| !super::is_test(path))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn calls_are_found_across_lines() {
    let text = "meter.counter(\n    \"strata.a.b\", &[]); seconds(\"strata.c\"); \"strata.toml\"";
    let found = written(text);
    let names: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.seconds)).collect();
    assert_eq!(names, [("strata.a.b", false), ("strata.c", true)]);
}

#[test]
fn own_metrics_are_those_of_the_catalog() {
    let catalog = Catalog::builtin();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for one in written(&text) {
            let Some(metric) = catalog.metric(&one.name) else {
                wrong.push(format!("{file}: {} is not in the catalog", one.name));
                continue;
            };
            let kind = format!("{:?}", metric.kind).to_lowercase();
            if kind != one.kind || (metric.unit == "s") != one.seconds {
                let unit = &metric.unit;
                wrong.push(format!("{file}: {} is a {kind} in {unit:?} there", one.name));
            }
            for attribute in &metric.attributes {
                if !text.contains(&format!("(\"{attribute}\", ")) {
                    wrong.push(format!("{file}: {} lacks the label {attribute}", one.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_in_the_catalog_that_no_stage_writes() {
    let sources = sources();
    let unwritten: Vec<_> = Catalog::builtin()
        .metrics()
        .iter()
        .filter(|metric| metric.name.starts_with("strata."))
        .filter(|metric| {
            let literal = format!("\"{}\"", metric.name);
            !sources.iter().any(|(_, text)| text.contains(&literal))
        })
        .map(|metric| metric.name.as_str())
        .collect();
    assert_eq!(unwritten, Vec::<&str>::new());
}
