//! Tests of the catalog.

use super::*;

/// Family names of an exposition page: the names of its TYPE lines.
pub(super) fn families(page: &str) -> Vec<&str> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|rest| rest.split_whitespace().next()).collect()
}

#[test]
fn the_builtin_catalog_loads() {
    if let Err(error) = Catalog::load(Catalog::builtin_files()) {
        panic!("{}", error.0.join("\n"));
    }
}

#[track_caller]
fn identifies(page: &str, expected: &str) {
    let source = Catalog::builtin().identify(families(page).into_iter());
    assert_eq!(source.map(|source| source.name.as_str()), Some(expected));
}

#[test]
fn captured_pages_are_identified() {
    identifies(include_str!("../../../../fixtures/metrics/vllm-0.32.0.prom"), "vllm");
    identifies(include_str!("../../../../fixtures/metrics/sglang-0.5.23.prom"), "sglang");
    identifies(
        include_str!("../../../../fixtures/metrics/llama-server-0.7.0-b11669.prom"),
        "llamacpp",
    );
    identifies(
        include_str!("../../../../fixtures/metrics/node_exporter-1.5.0.prom"),
        "node_exporter",
    );
}
