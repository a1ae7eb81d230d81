//! From a page to a batch: the visitor that keeps, drops and counts what a page says.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use strata_model::{
    Batch, FaultCode, HistogramSample, Metadata, MetricKind, NativeHistogram, Sample,
};

use super::cache::{Fate, SeriesCache};
use super::rules::Rules;
use crate::collector::PageCounts;
use crate::exposition::{
    Arrival, Fact, FaultFold, Format, Histograms, PageEnd, PageVisitor, RawSeries, read_page,
};

/// Families remembered per target; a page with more names its metrics by data.
const FAMILIES_MAX: usize = 20_000;
/// Bytes of help text kept per family.
const HELP_BYTES_MAX: usize = 2_048;

/// A page that was read, with what went wrong on it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) batch: Batch,
    pub(crate) faults: FaultFold,
    pub(crate) counts: PageCounts,
    pub(crate) end: PageEnd,
    /// More samples than the target may have.
    pub(crate) over_sample_limit: bool,
}

/// What stays with a target from page to page.
#[derive(Debug, Default)]
pub(crate) struct PageMemory {
    cache: SeriesCache,
    families: FxHashMap<String, Metadata>,
}

impl PageMemory {
    /// Names of the families that pages of the target described.
    pub(crate) fn families(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn series_texts(&self) -> usize {
        self.cache.texts()
    }

    /// Read a page into a batch of `source`, stamping samples with `at_ms`.
    pub(crate) fn read(
        &mut self,
        rules: &Rules,
        source: Arc<str>,
        at_ms: i64,
        (format, body, arrival): (Format, &[u8], Arrival),
        native_histograms: bool,
    ) -> Page {
        let histograms = Histograms {
            native: native_histograms,
            classic_beside_native: true,
            buckets_max: rules.limits.buckets,
        };
        self.cache.begin();
        let mut writer = PageWriter {
            memory: self,
            rules,
            at_ms,
            batch: Batch::new(source),
            faults: FaultFold::default(),
            counts: PageCounts::default(),
            changed: Vec::new(),
            scratch: Vec::new(),
            series_seen: 0,
        };
        let end = read_page(format, body, arrival, histograms, &mut writer);
        let PageWriter { mut batch, faults, mut counts, mut changed, series_seen, .. } = writer;
        changed.sort_unstable();
        changed.dedup();
        for family in changed {
            batch.metadata.extend(self.families.get(&family).cloned());
        }
        self.cache.finish(series_seen);
        counts.scraped = end.samples;
        let over_sample_limit = counts.kept > rules.limits.samples as u64;
        Page { batch, faults, counts, end, over_sample_limit }
    }
}

struct PageWriter<'a> {
    memory: &'a mut PageMemory,
    rules: &'a Rules,
    at_ms: i64,
    batch: Batch,
    faults: FaultFold,
    counts: PageCounts,
    /// Families whose metadata is new or different; a family may be there more than once.
    changed: Vec<String>,
    scratch: Vec<u8>,
    series_seen: usize,
}

impl PageWriter<'_> {
    /// The index of a series in the batch and the time of its sample, unless it is to be left out.
    fn admit(
        &mut self,
        series: RawSeries<'_>,
        written_ms: Option<i64>,
        value: Option<f64>,
    ) -> Option<(u32, i64)> {
        let index = match series.known {
            Some(index) => index,
            None => self.resolve(series)?,
        };
        let cache = &mut self.memory.cache;
        cache.follow(index);
        let page = cache.page;
        let entry = cache.entry(index);
        let last_page = std::mem::replace(&mut entry.page, page);
        self.series_seen += usize::from(last_page != page);
        let Fate::Kept(labels) = &entry.fate else { return None };
        self.counts.kept += 1;
        let written_ms = written_ms.filter(|_| self.rules.honor_timestamps);
        if last_page == page && written_ms.is_none() {
            self.faults.add(FaultCode::Duplicate, "duplicate series", || {
                format!(
                    "line {}: the series is there twice, the first counts: {labels}",
                    series.line
                )
            });
            return None;
        }
        self.counts.added += u64::from(last_page == 0);
        if let (Some(sentinel), Some(value)) = (&self.rules.source.sentinel, value)
            && sentinel(labels.metric_name(), value)
        {
            self.faults.add(FaultCode::Sentinel, "sentinel", || {
                format!("line {}: {labels} says \"no value\" by {value}", series.line)
            });
            return None;
        }
        if self.counts.kept > self.rules.limits.samples as u64 {
            return None;
        }
        let slot = self.batch.series_of_encoded(labels.encoded());
        Some((slot, written_ms.unwrap_or(self.at_ms)))
    }

    /// The number of a series that was not the expected one, entered when it is new.
    fn resolve(&mut self, series: RawSeries<'_>) -> Option<u32> {
        let key = series.key();
        if let Some(index) = self.memory.cache.find(key) {
            return Some(index);
        }
        let finished =
            series.decode().map_err(|reason| (FaultCode::Malformed, reason)).and_then(|pairs| {
                let named = pairs.iter().find(|(name, _)| name == strata_model::METRIC_NAME);
                if named.is_some_and(|(_, metric)| self.rules.drops(metric)) {
                    return Ok(Fate::Dropped);
                }
                self.rules.finish(pairs, &mut self.scratch).map(Fate::Kept)
            });
        match finished {
            Ok(fate) => Some(self.memory.cache.insert(key, series.text_length(), fate)),
            Err((code, reason)) => {
                self.faults.add(code, reason, || {
                    format!("line {}: {reason}: {}", series.line, series.excerpt())
                });
                None
            }
        }
    }
}

impl PageVisitor for PageWriter<'_> {
    fn expects(&self, line: &[u8]) -> Option<(usize, u32)> {
        self.memory.cache.expects(line)
    }

    fn knows_comment(&self, line: &[u8]) -> bool {
        self.memory.cache.knows_comment(line)
    }

    fn learn_comment(&mut self, line: &[u8]) {
        self.memory.cache.learn_comment(line);
    }

    fn describe(&mut self, family: &str, fact: Fact<'_>) {
        let families = &mut self.memory.families;
        if !families.contains_key(family) {
            if families.len() >= FAMILIES_MAX {
                self.faults.add(FaultCode::OverLimit, "too many families", || {
                    format!("the page names more than {FAMILIES_MAX} metric families")
                });
                return;
            }
            let empty = Metadata {
                family: family.to_owned(),
                kind: MetricKind::Unknown,
                unit: String::new(),
                help: String::new(),
            };
            families.insert(family.to_owned(), empty);
            self.changed.push(family.to_owned());
        }
        let Some(known) = families.get_mut(family) else { return };
        let changed = match fact {
            Fact::Kind(kind) => std::mem::replace(&mut known.kind, kind) != kind,
            Fact::Help(help) => replace_text(&mut known.help, help),
            Fact::Unit(unit) => replace_text(&mut known.unit, unit),
        };
        if changed && self.changed.last().is_none_or(|name| name != family) {
            self.changed.push(family.to_owned());
        }
    }

    fn float(&mut self, series: RawSeries<'_>, at_ms: Option<i64>, value: f64) {
        if let Some((series, at_ms)) = self.admit(series, at_ms, Some(value)) {
            self.batch.samples.push(Sample { series, at_ms, value });
        }
    }

    fn native(&mut self, series: RawSeries<'_>, at_ms: Option<i64>, histogram: NativeHistogram) {
        if let Some((series, at_ms)) = self.admit(series, at_ms, None) {
            let histogram = Arc::new(histogram);
            self.batch.histograms.push(HistogramSample { series, at_ms, histogram });
        }
    }

    fn faults(&mut self) -> &mut FaultFold {
        &mut self.faults
    }
}

/// Put `text` in place, cut at the bound; says whether it was different.
fn replace_text(place: &mut String, text: &str) -> bool {
    let cut = text.floor_char_boundary(HELP_BYTES_MAX);
    let text = text.get(..cut).unwrap_or(text);
    if place == text {
        return false;
    }
    text.clone_into(place);
    true
}
