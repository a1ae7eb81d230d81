//! The suite as written in `xtask/conformance/suite.toml`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::check;

/// The file below the workspace's root.
const FILE: &str = "xtask/conformance/suite.toml";

/// Data and questions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    /// Releases that the differences were seen with. With any other, agreement is no fault.
    pub(super) seen_with: BTreeMap<String, String>,
    pub(super) page: Vec<Page>,
    pub(super) series: Vec<Series>,
    pub(super) case: Vec<Case>,
}

/// A page of an exporter whose values are made to move.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Below the workspace's root.
    pub(super) file: String,
    /// What a scraper adds: `job`, `instance`.
    pub(super) labels: BTreeMap<String, String>,
}

/// One series by hand. Sample numbers count scrapes from 0.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    /// `name{label="value"}`.
    pub(super) name: String,
    pub(super) first: f64,
    /// Added at each scrape.
    #[serde(default)]
    pub(super) growth: f64,
    /// First and last sample number.
    #[serde(default)]
    pub(super) from: i64,
    pub(super) until: Option<i64>,
    /// Whether a staleness marker follows the last sample.
    #[serde(default)]
    pub(super) stale: bool,
    /// Sample number at which it starts again from `first`.
    pub(super) restart: Option<i64>,
}

/// One question, asked at one moment and over a range.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) query: String,
    /// Values by label set, at the one moment, computed by hand. Without it the embedded engine's
    /// answer is what the others must give.
    pub(super) expect: Option<BTreeMap<String, f64>>,
    /// Whether no series may come out; otherwise some must.
    #[serde(default)]
    pub(super) empty: bool,
    /// Whether no series is as good as some.
    #[serde(skip)]
    pub(super) any: bool,
    /// Only at one moment: the value is a range.
    #[serde(default)]
    pub(super) instant: bool,
    /// What distant engines must refuse it with.
    pub(super) refused: Option<String>,
    /// Engine to why it answers something else.
    #[serde(default)]
    pub(super) differs: BTreeMap<String, String>,
    /// Engine to the largest relative difference of its values, with `why`.
    #[serde(default)]
    pub(super) near: BTreeMap<String, f64>,
    /// Why values are only near.
    pub(super) why: Option<String>,
}

impl Case {
    /// A plain question at one moment.
    pub(super) fn instant(query: String) -> Self {
        Self {
            query,
            expect: None,
            empty: false,
            any: false,
            instant: true,
            refused: None,
            differs: BTreeMap::new(),
            near: BTreeMap::new(),
            why: None,
        }
    }
}

/// Read the suite.
pub(super) fn read() -> Result<Suite> {
    let path = check::root().join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    toml::from_str(&text).with_context(|| format!("{FILE} is not a suite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_has_its_reason() {
        let suite = read().unwrap();
        for case in &suite.case {
            assert!(case.near.is_empty() || case.why.is_some(), "{}", case.query);
            let engines = case.near.keys().chain(case.differs.keys());
            for engine in engines {
                assert!(suite.seen_with.contains_key(engine), "{}: {engine}", case.query);
            }
        }
        assert!(suite.case.len() > 50, "the suite has shrunk to {} cases", suite.case.len());
    }
}
