//! The pitfalls of the field, one test each: units, names, and what a number means.

mod devices;
mod engines;
mod others;

use super::*;

/// Expansions of a canonical Prometheus name from one source.
fn from_source(prometheus_name: &str, source: &str) -> Vec<Expansion> {
    let expansions = Catalog::builtin().expansions(prometheus_name).expect("a canonical name");
    expansions.into_iter().filter(|expansion| expansion.source == source).collect()
}
