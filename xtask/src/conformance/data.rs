//! The samples of the suite: pages of real programs whose values move, and series by hand.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use strata_model::catalog::Catalog;
use strata_model::{
    Labels, METRIC_NAME, MatchOp, Matcher, Metadata, STALE_NAN, SelectError, Selection,
    Series as Found, SeriesSource,
};
use strata_query::promqltest::MemorySource;

use super::suite::{Series, Suite};
use crate::bench::wire;
use crate::check;

/// Scrapes, one every [`INTERVAL_MS`]: 20 minutes.
pub(super) const SCRAPES: i64 = 80;
pub(super) const INTERVAL_MS: i64 = 15_000;
/// Samples never lie on whole seconds, where windows end: whether the left edge counts changed with
/// Prometheus 3.0.
const PHASE_MS: i64 = 137;
/// Samples in one body of remote write, as Prometheus sends them.
const SAMPLES_PER_BODY: usize = 2_000;

/// A series with its samples, times from the start of the data.
pub(super) type Row = (Labels, Vec<(i64, f64)>);

/// All series of the suite.
pub(super) fn rows(suite: &Suite) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for page in &suite.page {
        let path = check::root().join(&page.file);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let found = page_rows(&text, &page.labels);
        rows.extend(found.with_context(|| format!("in {}", page.file))?);
    }
    for series in &suite.series {
        rows.push(hand_row(series)?);
    }
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(rows)
}

fn at(scrape: i64) -> i64 {
    PHASE_MS + scrape * INTERVAL_MS
}

fn hand_row(series: &Series) -> Result<Row> {
    let labels = labels(&series.name, &BTreeMap::new())?;
    let until = series.until.unwrap_or(SCRAPES);
    let value = |scrape: i64| {
        let begun = series.restart.filter(|restart| scrape >= *restart).unwrap_or(series.from);
        series.first + series.growth * (scrape - begun) as f64
    };
    let mut samples: Vec<_> =
        (series.from..=until).map(|scrape| (at(scrape), value(scrape))).collect();
    if series.stale {
        samples.push((at(until + 1), STALE_NAN));
    }
    Ok((labels, samples))
}

/// How the values of a family move.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Motion {
    /// By a twentieth of the page's value at each scrape.
    Grows,
    /// Up and down by some percent.
    Swings,
    Stands,
}

fn page_rows(text: &str, added: &BTreeMap<String, String>) -> Result<Vec<Row>> {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut rows = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            types.extend(rest.split_once(' '));
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').with_context(|| format!("no value: {line}"))?;
        let value: f64 = value.parse().with_context(|| format!("no number: {line}"))?;
        let family = series.split('{').next().unwrap_or_default();
        let motion = motion(family, &types);
        let samples = (0..=SCRAPES).map(|scrape| (at(scrape), moved(value, motion, scrape)));
        rows.push((labels(series, added)?, samples.collect()));
    }
    Ok(rows)
}

fn motion(family: &str, types: &BTreeMap<&str, &str>) -> Motion {
    let stems = ["", "_total", "_bucket", "_sum", "_count"];
    let declared = stems.iter().find_map(|end| types.get(family.strip_suffix(end)?));
    match declared.copied() {
        Some("counter" | "histogram") => Motion::Grows,
        Some("gauge") if !family.ends_with("_info") && !family.ends_with("_created") => {
            Motion::Swings
        }
        _ => Motion::Stands,
    }
}

fn moved(value: f64, motion: Motion, scrape: i64) -> f64 {
    match motion {
        Motion::Grows => value + value * 0.05 * scrape as f64,
        Motion::Swings => value + value * 0.01 * ((scrape * 7) % 5) as f64,
        Motion::Stands => value,
    }
}

/// `name{label="value"}` with further labels.
fn labels(text: &str, added: &BTreeMap<String, String>) -> Result<Labels> {
    let matchers =
        strata_query::selector::parse(text).map_err(|error| anyhow!("{text}: {error}"))?;
    let own = matchers.iter().map(|one| (one.name.as_str(), one.value.as_str()));
    let added = added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: BTreeMap<&str, &str> =
        own.chain(added).filter(|(_, value)| !value.is_empty()).collect();
    if !pairs.contains_key(METRIC_NAME) {
        return Err(anyhow!("{text} has no name"));
    }
    Ok(Labels::from_pairs(pairs))
}

/// The samples in memory. Most selectors name a metric, and a list of all series is long.
pub(super) struct ByName {
    all: MemorySource,
    of_name: BTreeMap<String, MemorySource>,
}

/// The samples in memory, beginning at `start_ms`.
pub(super) fn source(rows: &[Row], start_ms: i64) -> ByName {
    let mut source = ByName { all: MemorySource::new(), of_name: BTreeMap::new() };
    for (labels, samples) in rows {
        let name = labels.get(METRIC_NAME).unwrap_or_default().to_owned();
        let own = source.of_name.entry(name).or_default();
        // Our collectors leave out what means "no value"; a scraping Prometheus does not.
        let program = Catalog::builtin().source_of_family(labels.get(METRIC_NAME).unwrap_or(""));
        let none = |value: f64| {
            let name = labels.get(METRIC_NAME).unwrap_or("");
            program.is_some_and(|program| program.sentinel(name, value))
        };
        for (time, value) in samples.iter().filter(|(_, value)| !none(*value)) {
            own.push_float(labels, start_ms + time, *value);
            source.all.push_float(labels, start_ms + time, *value);
        }
    }
    source
}

impl SeriesSource for ByName {
    fn select(&self, selection: &Selection) -> Result<Vec<Found>, SelectError> {
        let named = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
        match selection.matchers.iter().find(named) {
            None => self.all.select(selection),
            Some(matcher) => match self.of_name.get(&matcher.value) {
                None => Ok(Vec::new()),
                Some(source) => source.select(selection),
            },
        }
    }

    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        self.all.series(sets, start_ms, end_ms, limit)
    }

    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        self.all.label_names(sets, start_ms, end_ms)
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        self.all.label_values(name, sets, start_ms, end_ms)
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        self.all.metadata()
    }
}

/// The samples as bodies of remote write.
pub(super) fn bodies(rows: &[Row], start_ms: i64) -> Vec<Vec<u8>> {
    let per_row = rows.first().map_or(1, |(_, samples)| samples.len().max(1));
    let chunks = rows.chunks((SAMPLES_PER_BODY / per_row).max(1));
    let encode = |chunk: &[Row]| {
        let row = |(labels, samples): &Row| {
            let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let samples = samples.iter().map(|(time, value)| (start_ms + time, *value));
            (labels.collect(), samples.collect())
        };
        let rows: Vec<wire::Row> = chunk.iter().map(row).collect();
        wire::body(&rows)
    };
    chunks.map(encode).collect()
}
