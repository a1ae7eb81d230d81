//! One thing seen through several doors: a host natively and by `node_exporter`, a GPU by several
//! exporters. Their series differ in `job` and `instance`, so nothing else tells that a sum over them
//! counts the thing twice.
//!
//! Which thing it is, a label says (`node`, `gpu_uuid`), never a guess. For each thing the door with
//! the lowest rank is read, and the others where it is silent: before it was set up, after it was
//! taken down, and for what it does not measure. A question that leaves the first door out by a
//! matcher (`job="node_exporter"`) gets the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use strata_model::catalog::{Door, Expansion, NATIVE};
use strata_model::{Labels, Points, Selection, Series, StartTimes};

/// How far a sample speaks: as long as an instant selector looks back.
const SPEAKS_MS: i64 = 300_000;

/// Whether the newest sample of a door speaks for the whole range.
pub(super) fn see_all_of(selection: &Selection) -> bool {
    selection.end_ms.saturating_sub(selection.start_ms) < SPEAKS_MS
}

/// What each expansion found.
pub(super) type Found<'a> = Vec<(&'a Expansion, Vec<Series>)>;

/// Take out the samples of things that are seen through a better door at the time.
pub(super) fn close(found: &mut Found<'_>) {
    if !found.iter().any(|(expansion, _)| expansion.door.is_some()) || found.len() < 2 {
        return;
    }
    let closed: Vec<Spans> = (0..found.len()).map(|at| better(found, at)).collect();
    for ((expansion, series), spans) in found.iter_mut().zip(closed) {
        let Some(door) = expansion.door.as_ref().filter(|_| !spans.is_empty()) else { continue };
        for one in series.iter_mut() {
            if let Some(spans) = identity(&one.labels, door).and_then(|thing| spans.get(&thing)) {
                cut(&mut one.points, spans);
            }
        }
        series.retain(|one| !(one.points.times.is_empty() && one.points.histograms.is_empty()));
    }
}

/// Whether none of these things is seen through two doors, so that nothing is to be closed.
pub(super) fn are_apart<'a>(
    found: &[(&Expansion, impl Iterator<Item = &'a Labels> + Clone)],
) -> bool {
    found.iter().all(|(expansion, series)| {
        let Some(door) = &expansion.door else { return true };
        let mut better = HashSet::new();
        for (_, others) in found.iter().filter(|(other, _)| is_better(other, door)) {
            better.extend(others.clone().filter_map(|labels| identity(labels, door)));
        }
        let behind = |labels| identity(labels, door).is_some_and(|thing| better.contains(&thing));
        better.is_empty() || !series.clone().any(behind)
    })
}

/// Whether the things of `door` are rather seen through `other`.
fn is_better(other: &Expansion, door: &Door) -> bool {
    let rank = other.door.as_ref().map_or(0, |door| door.rank);
    let native = other.source == NATIVE;
    let alike = other.door.as_ref().map_or(native, |one| one.identity == door.identity);
    rank < door.rank && alike
}

/// Spans of time, by thing: in order, apart from each other, the end not included.
type Spans = BTreeMap<String, Vec<(i64, i64)>>;

/// When better doors than that of the expansion at `at` showed the same things.
fn better(found: &Found<'_>, at: usize) -> Spans {
    let (expansion, _) = &found[at];
    let Some(door) = &expansion.door else { return Spans::new() };
    let mut spans = Spans::new();
    let mut seen: HashSet<(String, *const [i64])> = HashSet::new();
    for (other, series) in found {
        if !is_better(other, door) {
            continue;
        }
        for one in series {
            let same =
                expansion.constants.iter().all(|(name, value)| one.labels.get(name) == Some(value));
            let Some(thing) = identity(&one.labels, door).filter(|_| same) else { continue };
            // Series of one source share their times.
            if seen.insert((thing.clone(), Arc::as_ptr(&one.points.times))) {
                let times = one.points.times.iter().copied();
                let times = times.chain(one.points.histograms.iter().map(|(at, _)| *at));
                add(spans.entry(thing).or_default(), times);
            }
        }
    }
    for spans in spans.values_mut() {
        spans.sort_unstable();
        spans.dedup_by(|later, first| {
            let touch = later.0 <= first.1;
            if touch {
                first.1 = first.1.max(later.1);
            }
            touch
        });
    }
    spans
}

/// What the series is about, so that two spellings of a GPU's UUID are one.
fn identity(labels: &Labels, door: &Door) -> Option<String> {
    let value = labels.get(&door.identity).filter(|value| !value.is_empty())?;
    let value = value.to_ascii_lowercase();
    Some(value.strip_prefix("gpu-").map_or(value.clone(), str::to_owned))
}

/// Add what samples at these times speak for; each run of them becomes one span.
fn add(spans: &mut Vec<(i64, i64)>, times: impl Iterator<Item = i64>) {
    for time in times {
        let (start, end) = (time.saturating_sub(SPEAKS_MS), time.saturating_add(SPEAKS_MS));
        match spans.last_mut() {
            Some(last) if start <= last.1 && start >= last.0 => last.1 = last.1.max(end),
            _ => spans.push((start, end)),
        }
    }
}

/// Remove the samples within the spans.
fn cut(points: &mut Points, spans: &[(i64, i64)]) {
    let within = |time: i64| {
        let behind = spans.partition_point(|span| span.1 <= time);
        spans.get(behind).is_some_and(|span| span.0 <= time)
    };
    points.histograms.retain(|(time, _)| !within(*time));
    if points.times.iter().any(|time| within(*time)) {
        let pairs = points.times.iter().copied().zip(points.values.iter().copied());
        let (times, values): (Vec<i64>, Vec<f64>) = pairs.filter(|pair| !within(pair.0)).unzip();
        points.times = times.into();
        points.values = values;
    }
    points.starts = StartTimes::default();
}
