//! Reading a complete day back and writing its tiers.
//!
//! Series are taken a chunk at a time, so that memory stays small and nothing is locked for long:
//! appends, seals and queries go on meanwhile. Samples that come later for a day that was built make
//! it due again.

use std::sync::{Arc, PoisonError};

use strata_model::sample::is_stale;
use strata_model::{CounterResetHint, NativeHistogram, Points};

use super::kind::is_counter;
use super::window::fold;
use super::write::{Folded, TierWriter, discard};
use super::{Column, Tier, wanted};
use crate::metrics::Shared;
use crate::metrics::codec::block;
use crate::metrics::day::calendar::DAY_MS;
use crate::metrics::day::{Day, Gather, Member, ReadBounds, TimeCache};
use crate::metrics::error::StoreError;
use crate::metrics::index::metric_name;

/// Samples read at once: 16 MB of values.
const CHUNK_SAMPLES: u64 = 2_000_000;

/// Write every tier file that is due; returns how many. A day that fails is logged and tried again
/// at the next look.
pub(crate) fn build_due(shared: &Shared) -> usize {
    let _only_builder = shared.tiers.building.lock().unwrap_or_else(PoisonError::into_inner);
    let mut written = 0;
    for (day, tiers) in due(shared) {
        if shared.tiers.stopped() {
            break;
        }
        match build(shared, &day, &tiers) {
            Ok(count) => written += count,
            Err(error) => {
                for tier in tiers {
                    discard(&shared.settings.dir, tier, day.number);
                }
                shared.tiers.failed(day.number);
                tracing::error!(
                    path = %day.path.display(),
                    error = %error.chain(),
                    "cannot write the tiers of a day"
                );
            }
        }
    }
    written
}

/// Days that are complete, each with the tiers it lacks or has from an earlier state.
fn due(shared: &Shared) -> Vec<(Arc<Day>, Vec<Tier>)> {
    let now = shared.clock.now_ms();
    let settled = now.saturating_sub(shared.settings.out_of_order_window.as_millis() as i64);
    let in_head = shared.head.read().unwrap_or_else(PoisonError::into_inner).days();
    let mut due = Vec::new();
    for day in shared.days_between(i64::MIN, i64::MAX) {
        let built_from = day.state().last_sequence();
        if (day.number + 1) * DAY_MS > settled
            || in_head.contains(&day.number)
            || built_from == 0
            || shared.tiers.gave_up(day.number)
        {
            continue;
        }
        let lacks = |tier: &Tier| {
            let known = shared.tiers.day(*tier, day.number);
            wanted(shared, *tier, day.number, now)
                && known.is_none_or(|known| known.state().built_from < built_from)
        };
        let tiers: Vec<Tier> = Tier::ALL.into_iter().filter(lacks).collect();
        if !tiers.is_empty() {
            due.push((day, tiers));
        }
    }
    due
}

fn build(shared: &Shared, day: &Arc<Day>, tiers: &[Tier]) -> Result<usize, StoreError> {
    let dir = &shared.settings.dir;
    let writers = tiers.iter().map(|&tier| TierWriter::create(dir, tier, day.number));
    let mut writers: Vec<TierWriter> = writers.collect::<Result<_, _>>()?;
    let (built_from, samples, numbers) = {
        let state = day.state();
        let numbers: Vec<u32> = state.members().into_iter().map(|member| member.0).collect();
        (state.last_sequence(), state.samples(), numbers)
    };
    let each = (samples / (numbers.len() as u64).max(1)).max(1);
    let groups_at_once = (CHUNK_SAMPLES / each / block::SERIES as u64).max(1) as u32;
    // A power of two, so that a day like the last has its label sets in the same rows.
    let groups_at_once = 1 << groups_at_once.ilog2();
    let chunk_of = |number: u32| number / block::SERIES as u32 / groups_at_once;
    let mut source = Source { shared, day, earlier: earlier(shared, day.number), ids: None };
    for chunk in numbers.chunk_by(|a, b| chunk_of(*a) == chunk_of(*b)) {
        if shared.tiers.stopped() {
            return Ok(0);
        }
        let series = source.read(chunk)?;
        let labels: Vec<(u32, &[u8])> =
            series.iter().map(|series| (series.number, &*series.labels)).collect();
        for (writer, tier) in writers.iter_mut().zip(tiers) {
            let folded: Vec<Folded> =
                series.iter().map(|series| series.fold(tier.step_ms())).collect();
            writer.add(&folded, &labels)?;
        }
    }
    for (writer, &tier) in writers.into_iter().zip(tiers) {
        let path = writer.finish(built_from)?;
        publish(shared, day, tier, path)?;
    }
    Ok(tiers.len())
}

/// Put a finished file into use.
fn publish(
    shared: &Shared,
    day: &Arc<Day>,
    tier: Tier,
    path: std::path::PathBuf,
) -> Result<(), StoreError> {
    // The ids of the day file are handed on, so they must not change in between.
    let _ids_stay = shared.renaming.read().unwrap_or_else(PoisonError::into_inner);
    let days = shared.days.read().unwrap_or_else(PoisonError::into_inner);
    if days.get(&day.number).is_some_and(|current| Arc::ptr_eq(current, day)) {
        let file = day.derive(path)?;
        tracing::info!(path = %file.path.display(), "tier of a complete day written");
        shared.tiers.insert(tier, Arc::new(file));
        return Ok(());
    }
    // The day file was lost and begun anew meanwhile: the tier is right, but its ids are unknown
    // until the next start.
    let what = "its day file was replaced meanwhile".to_owned();
    Err(StoreError::Damaged { path, what })
}

/// Where the last value before a day is found: the tier of the day before, or its day file.
fn earlier(shared: &Shared, number: i64) -> Option<(Arc<Day>, Option<u32>)> {
    let tier = Tier::ALL.into_iter().find_map(|tier| shared.tiers.day(tier, number - 1));
    tier.map(|day| (day, Some(Column::Last.sequence()))).or_else(|| {
        let start = (number - 1) * DAY_MS;
        shared.days_between(start, start).pop().map(|day| (day, None))
    })
}

/// One series of the day as it was stored.
struct RawSeries {
    number: u32,
    labels: Box<[u8]>,
    counter: bool,
    points: Points,
    /// The last number before the day.
    previous: Option<f64>,
}

impl RawSeries {
    fn fold(&self, step_ms: i64) -> Folded {
        let window = |time: i64| time.div_euclid(step_ms);
        let windows = self.points.histograms.chunk_by(|a, b| window(a.0) == window(b.0));
        let histograms = windows.filter_map(|of_window| of_window.last().map(alone));
        Folded {
            number: self.number,
            counter: self.counter,
            windows: fold(&self.points.times, &self.points.values, step_ms, self.previous),
            histograms: histograms.collect(),
        }
    }
}

/// A histogram without those before it: what it said about them is no longer about its neighbour.
fn alone((time, histogram): &(i64, Arc<NativeHistogram>)) -> (i64, Arc<NativeHistogram>) {
    let mut histogram = Arc::clone(histogram);
    if matches!(histogram.counter_reset_hint, CounterResetHint::Reset | CounterResetHint::NotReset)
    {
        Arc::make_mut(&mut histogram).counter_reset_hint = CounterResetHint::Unknown;
    }
    (*time, histogram)
}

/// Reads a day by numbers of its file.
struct Source<'a> {
    shared: &'a Shared,
    day: &'a Arc<Day>,
    earlier: Option<(Arc<Day>, Option<u32>)>,
    /// Numbers and ids, with the renaming they are from.
    ids: Option<(u64, Vec<(u32, u32)>)>,
}

impl Source<'_> {
    fn read(&mut self, numbers: &[u32]) -> Result<Vec<RawSeries>, StoreError> {
        let (mut series, members, earlier) = self.identify(numbers);
        let points = self.gather(self.day, members, series.len(), None)?;
        for (series, points) in series.iter_mut().zip(points) {
            series.points = points;
        }
        if let Some((day, column)) = &self.earlier {
            let points = self.gather(day, earlier, series.len(), *column)?;
            for (series, points) in series.iter_mut().zip(points) {
                let values = points.values.iter().rev().copied();
                series.previous = values.filter(|value| !is_stale(*value)).find(|v| !v.is_nan());
            }
        }
        Ok(series)
    }

    /// Labels and kind of each series, its member of the day, and its member of the day before.
    fn identify(&mut self, numbers: &[u32]) -> (Vec<RawSeries>, Vec<Member>, Vec<Member>) {
        let shared = self.shared;
        let _ids_stay = shared.renaming.read().unwrap_or_else(PoisonError::into_inner);
        let renamed = shared.tiers.renamed();
        if self.ids.as_ref().is_none_or(|(seen, _)| *seen != renamed) {
            self.ids = Some((renamed, self.day.state().members()));
        }
        let ids = self.ids.as_ref().map_or(&[][..], |(_, ids)| ids);
        let families = shared.families.read().unwrap_or_else(PoisonError::into_inner);
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let before = self.earlier.as_ref().map(|(day, _)| day.state());
        let (mut series, mut members, mut earlier) = (Vec::new(), Vec::new(), Vec::new());
        for &number in numbers {
            let Ok(at) = ids.binary_search_by_key(&number, |member| member.0) else { continue };
            let id = ids[at].1;
            let labels = index.encoded(id);
            let counter = is_counter(metric_name(labels), &families);
            members.push((number, series.len()));
            if let Some(state) = &before
                && counter
            {
                earlier.extend(state.number(id).map(|number| (number, series.len())));
            }
            series.push(RawSeries {
                number,
                labels: Box::from(labels),
                counter,
                points: Points::default(),
                previous: None,
            });
        }
        (series, members, earlier)
    }

    fn gather(
        &self,
        day: &Day,
        members: Vec<Member>,
        places: usize,
        column: Option<u32>,
    ) -> Result<Vec<Points>, StoreError> {
        let mut out: Vec<Gather> = (0..places).map(|_| Gather::default()).collect();
        let mut cache = TimeCache::default();
        let bounds = ReadBounds::of_column(&self.shared.damage, usize::MAX, column);
        day.read_members(members, (i64::MIN, i64::MAX), &mut out, &mut cache, &bounds)?;
        Ok(out.into_iter().map(|gather| gather.finish(&mut cache)).collect())
    }
}
