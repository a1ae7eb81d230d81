//! What is handed over series by series is what is read whole, and is so where it can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strata_model::catalog::Catalog;
use strata_model::{
    Grouping, Labels, Matcher, Metadata, STALE_NAN, SelectError, SelectHints, Selection, Series,
    SeriesSource, SeriesTakers,
};

use super::super::CanonicalSource;
use crate::promqltest::MemorySource;

/// Counts the selections that were read whole.
struct Watched {
    inner: MemorySource,
    whole: AtomicUsize,
}

impl SeriesSource for Watched {
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        self.whole.fetch_add(1, Ordering::Relaxed);
        self.inner.select(selection)
    }

    fn streams(&self, _: &Selection) -> bool {
        true
    }

    fn visit<'a>(
        &self,
        selection: &Selection,
        takers: &'a SeriesTakers<'a>,
        notes: &mut Vec<String>,
    ) -> Result<(), SelectError> {
        self.inner.visit(selection, takers, notes)
    }

    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        self.inner.series(sets, start_ms, end_ms, limit)
    }

    fn label_names(&self, _: &[Vec<Matcher>], _: i64, _: i64) -> Result<Vec<String>, SelectError> {
        Ok(Vec::new())
    }

    fn label_values(
        &self,
        _: &str,
        _: &[Vec<Matcher>],
        _: i64,
        _: i64,
    ) -> Result<Vec<String>, SelectError> {
        Ok(Vec::new())
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        Ok(Vec::new())
    }
}

/// Series and notes, in order, in words.
fn written(series: &[Series], mut notes: Vec<String>) -> Vec<String> {
    notes.extend(series.iter().map(|one| {
        let values: Vec<u64> = one.points.values.iter().map(|value| value.to_bits()).collect();
        format!("{} {:?} {values:?}", one.labels, one.points.times)
    }));
    notes.sort();
    notes
}

const HOUR_MS: i64 = 3_600_000;

/// Check that both ways lead to the same; give how many selections were read whole for the first.
fn whole_of(series: &[&str], matchers: &[(&str, &str)], end_ms: i64, sums: &[&str]) -> usize {
    let mut inner = MemorySource::new();
    for (at, one) in series.iter().enumerate() {
        let labels = super::joint::labels(one);
        for minute in 0..61 {
            inner.push_float(&labels, minute * 60_000, (at as i64 * 1000 + minute) as f64);
        }
        inner.push_float(&labels, HOUR_MS + 30_000, STALE_NAN);
    }
    let watched = Arc::new(Watched { inner, whole: AtomicUsize::new(0) });
    let source = CanonicalSource::new(Arc::<Watched>::clone(&watched), Catalog::builtin());
    let sums =
        sums.iter().map(|label| Grouping { labels: vec![(*label).to_owned()], without: false });
    let hints = SelectHints { sums: sums.collect(), ..SelectHints::default() };
    let matchers = matchers.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
    let selection = Selection { matchers, start_ms: 0, end_ms, hints };

    let taken = std::sync::Mutex::new(Vec::new());
    let mut notes = Vec::new();
    let takers = |_: usize| -> strata_model::TakeSeries<'_> {
        Box::new(|series| {
            taken.lock().unwrap().push(series);
            true
        })
    };
    source.visit(&selection, &takers, &mut notes).unwrap();
    let whole = watched.whole.load(Ordering::Relaxed);
    let streamed = written(&taken.into_inner().unwrap(), notes);
    let mut notes = Vec::new();
    let selected = source.select_noting(&selection, &mut notes).unwrap();
    assert_eq!(streamed, written(&selected, notes));
    assert!(!streamed.is_empty(), "nothing was compared");
    whole
}

#[test]
fn series_that_stand_for_themselves_are_not_held() {
    let power = [("__name__", "hw_power_watts")];
    let two = [
        "DCGM_FI_DEV_POWER_USAGE{UUID=GPU-a,Hostname=n,instance=i,job=j}",
        "DCGM_FI_DEV_POWER_USAGE{UUID=GPU-b,Hostname=n,instance=i,job=j}",
        "other{UUID=GPU-b}",
    ];
    assert_eq!(whole_of(&two, &power, 2 * HOUR_MS, &[]), 0);
    let one = [("__name__", "hw_power_watts"), ("gpu_uuid", "GPU-b")];
    assert_eq!(whole_of(&two, &one, 2 * HOUR_MS, &[]), 0);
    // A factor, and two engines side by side.
    let engines = [
        "vllm:generation_tokens_total{model_name=m,instance=a}",
        "sglang:generation_tokens_total{model_name=m,instance=b}",
    ];
    let tokens = [("__name__", "inference_generation_tokens_total")];
    assert_eq!(whole_of(&engines, &tokens, 2 * HOUR_MS, &[]), 0);
    let buckets = [
        "vllm:time_to_first_token_seconds_bucket{model_name=m,instance=a,le=0.1}",
        "vllm:time_to_first_token_seconds_bucket{model_name=m,instance=a,le=0.25}",
        "sglang:time_to_first_token_seconds_bucket{model_name=m,instance=b,le=0.1}",
    ];
    let ttft = [("__name__", "inference_ttft_seconds_bucket")];
    assert_eq!(whole_of(&buckets, &ttft, 2 * HOUR_MS, &[]), 0);
    assert_eq!(whole_of(&buckets[..2], &ttft, 2 * HOUR_MS, &["le"]), 0);
    // Added up they meet at 0.1 alone, if both have samples, and the reader is told.
    assert!(whole_of(&buckets, &ttft, 2 * HOUR_MS, &["le"]) > 0);
}

#[test]
fn series_that_belong_together_are_read_together() {
    let power = [("__name__", "hw_power_watts")];
    let busy = [("__name__", "hw_gpu_utilization_ratio")];
    let dcgm = "DCGM_FI_DEV_GPU_UTIL{UUID=GPU-Ab1,instance=a}";
    let doors = [dcgm, "nvidia_smi_utilization_gpu_ratio{uuid=ab1,instance=b}"];
    assert!(whole_of(&doors, &busy, 2 * HOUR_MS, &[]) > 0);
    let others = [dcgm, "nvidia_smi_utilization_gpu_ratio{uuid=cd2,instance=b}"];
    assert_eq!(whole_of(&others, &busy, 2 * HOUR_MS, &[]), 0);
    // One edge in two spellings.
    let edges = [
        "vllm:time_to_first_token_seconds_bucket{model_name=m,instance=a,le=1}",
        "vllm:time_to_first_token_seconds_bucket{model_name=m,instance=a,le=1.0}",
    ];
    let ttft = [("__name__", "inference_ttft_seconds_bucket")];
    assert!(whole_of(&edges, &ttft, 2 * HOUR_MS, &[]) > 0);
    // A few minutes are read whole.
    let one = ["DCGM_FI_DEV_POWER_USAGE{UUID=GPU-a,Hostname=n,instance=i,job=j}"];
    assert!(whole_of(&one, &power, 300_000, &[]) > 0);
}
