//! Answering a selection from tier files.

use std::sync::Arc;

use strata_model::{NativeHistogram, Points, SelectHints};

use super::expand::{
    self, CounterPoint, Cut, Entry, Plan, float_of, hold, hold_last, rise, samples, share,
};
use super::{Column, Tier, Tiers};
use crate::metrics::day::calendar::{DAY_MS, day_of};
use crate::metrics::day::{Damage, Day, Gather, ReadBounds, TimeCache};
use crate::metrics::error::StoreError;

/// What a selection wants of the tiers.
pub(crate) struct TierQuery<'a> {
    pub(crate) ids: &'a [u32],
    pub(crate) range: (i64, i64),
    pub(crate) hints: &'a SelectHints,
    pub(crate) damage: &'a Damage,
    /// Most samples in the answer.
    pub(crate) limit: usize,
}

/// Samples of one series before they are put into its [`Gather`].
#[derive(Default)]
struct Shown {
    times: Vec<i64>,
    values: Vec<f64>,
    histograms: Vec<(i64, Arc<NativeHistogram>)>,
    rises: Vec<CounterPoint>,
}

impl Shown {
    fn put(&mut self, range: (i64, i64), time: i64, value: f64) {
        if time >= range.0 && time <= range.1 {
            self.times.push(time);
            self.values.push(value);
        }
    }

    fn put_entry(&mut self, range: (i64, i64), time: i64, entry: &Entry) {
        match (float_of(entry), entry) {
            (Some(value), _) => self.put(range, time, value),
            (None, Entry::Histogram(histogram)) if time >= range.0 && time <= range.1 => {
                self.histograms.push((time, Arc::clone(histogram)));
            }
            _ => {}
        }
    }
}

impl Tiers {
    /// The files that stand in for the days of the range of which `raw` has not all, oldest first,
    /// each the finest there is.
    pub(crate) fn stand_ins(&self, range: (i64, i64), raw: &[Arc<Day>]) -> Vec<(Tier, Arc<Day>)> {
        self.between(day_of(range.0), day_of(range.1), raw)
    }
}

impl TierQuery<'_> {
    /// Add what `days` hold to `out`, one place to an id.
    pub(crate) fn gather(
        &self,
        days: &[(Tier, Arc<Day>)],
        out: &mut [Gather],
        cache: &mut TimeCache,
    ) -> Result<(), StoreError> {
        if days.is_empty() {
            return Ok(());
        }
        let plan = Plan::of(self.hints);
        let mut shown: Vec<Shown> = self.ids.iter().map(|_| Shown::default()).collect();
        // A series that is there in the first window that is read may have been there before.
        let first = days.first().map_or(i64::MIN, |(tier, _)| self.first_read(tier.step_ms()));
        for (tier, day) in days {
            let columns = self.columns(*tier, day, plan, cache)?;
            let cut = Cut::new(*tier, self.hints, plan);
            let mut total = 0;
            let mut began: Vec<usize> = Vec::new();
            for (place, shown) in shown.iter_mut().enumerate() {
                let columns: Vec<&Points> = columns.iter().map(|column| &column[place]).collect();
                let new = shown.rises.is_empty();
                self.show(plan, &columns, cut, (day.number + 1) * DAY_MS, shown);
                total += shown.times.len() + shown.histograms.len();
                let from = shown.rises.first().map(|point| cut.start(point.time));
                if plan == Plan::Counter && new && from.is_some_and(|from| from > first) {
                    began.push(place);
                }
            }
            self.find_beginnings(*tier, day, &began, &mut shown, cache)?;
            if total > self.limit {
                break;
            }
        }
        for (gather, mut shown) in out.iter_mut().zip(shown) {
            let mut rises = std::mem::take(&mut shown.rises);
            if plan == Plan::Slope {
                expand::join(&mut rises);
            }
            rise(&rises, |time, value| shown.put(self.range, time, value));
            let times = cache.intern(&shown.times);
            gather.add(&times, &shown.values, self.range.0, self.range.1);
            gather.add_histograms(shown.histograms);
        }
        Ok(())
    }

    /// Where the first window begins that is read of a tier with windows of `step` milliseconds.
    fn first_read(&self, step: i64) -> i64 {
        self.range.0.div_euclid(step).saturating_sub(1).saturating_mul(step)
    }

    /// Tell when the counters at these places began, within their first window: as many samples
    /// before its last as there were, as far apart as in the window after it.
    fn find_beginnings(
        &self,
        tier: Tier,
        day: &Day,
        places: &[usize],
        shown: &mut [Shown],
        cache: &mut TimeCache,
    ) -> Result<(), StoreError> {
        if places.is_empty() {
            return Ok(());
        }
        let ids: Vec<u32> = places.iter().map(|&place| self.ids[place]).collect();
        let mut out: Vec<Gather> = ids.iter().map(|_| Gather::default()).collect();
        let bounds = ReadBounds::of_column(self.damage, self.limit, Some(Column::Count.sequence()));
        day.read(&ids, (i64::MIN, i64::MAX), &mut out, cache, &bounds)?;
        let step = tier.step_ms();
        for (&place, counts) in places.iter().zip(out) {
            let counts = counts.finish(cache);
            let Some(point) = shown[place].rises.first_mut() else { continue };
            let start = point.time.div_euclid(step) * step;
            let count_of = |start: i64| {
                let at = counts.times.partition_point(|time| *time < start);
                let within = counts.times.get(at).is_some_and(|time| *time < start + step);
                counts.values.get(at).copied().filter(|count| within && *count >= 1.0)
            };
            let (Some(first), Some(next)) = (count_of(start), count_of(start + step)) else {
                continue;
            };
            let apart = step as f64 / next;
            // Rather late than early: another name of the same metric may have ended just before.
            let before = ((first - 1.25) * apart) as i64;
            point.begins = Some((point.time - before).clamp(start, point.time - 1));
        }
        Ok(())
    }

    /// The columns the plan needs, each with the points of every series.
    fn columns(
        &self,
        tier: Tier,
        day: &Day,
        plan: Plan,
        cache: &mut TimeCache,
    ) -> Result<Vec<Vec<Points>>, StoreError> {
        // A window is shown before the time of its point, a counter needs the point before, and
        // whether a series ended is seen by what comes next.
        let step = tier.step_ms();
        let first = self.first_read(step);
        let behind = self.range.1.div_euclid(step).saturating_add(2).saturating_mul(step);
        let mut all = Vec::new();
        for column in plan.columns() {
            let mut out: Vec<Gather> = self.ids.iter().map(|_| Gather::default()).collect();
            let bounds = ReadBounds::of_column(self.damage, self.limit, Some(column.sequence()));
            day.read(self.ids, (first, behind - 1), &mut out, cache, &bounds)?;
            all.push(out.into_iter().map(|gather| gather.finish(cache)).collect());
        }
        Ok(all)
    }

    /// Turn the points of one series on one day into samples.
    fn show(&self, plan: Plan, columns: &[&Points], cut: Cut, day_end: i64, shown: &mut Shown) {
        let Some(&leading) = columns.first() else { return };
        let points = leading.times.iter().copied().zip(leading.values.iter().copied());
        let range = self.range;
        match (plan, columns) {
            (Plan::Counter, [_, increases]) if !increases.times.is_empty() => {
                let increases = increases.times.iter().zip(&increases.values);
                shown.rises.extend(increases.map(|(&time, &increase)| {
                    let at = leading.times.binary_search(&time);
                    let last = at.ok().and_then(|at| leading.values.get(at).copied());
                    CounterPoint {
                        time,
                        increase,
                        last: last.unwrap_or(f64::NAN),
                        cut,
                        begins: None,
                    }
                }));
            }
            (Plan::Slope, _) if leading.histograms.is_empty() => {
                let numbers = points.filter(|(_, value)| !value.is_nan());
                let begins = None;
                let point = |(time, last)| CounterPoint { time, increase: 0.0, last, cut, begins };
                shown.rises.extend(numbers.map(point));
            }
            // Histograms rise from one stored sample to the next, so they are not held.
            (Plan::Counter | Plan::Slope, _) if !leading.histograms.is_empty() => {
                for (time, histogram) in &leading.histograms {
                    shown.put_entry(range, *time, &Entry::Histogram(Arc::clone(histogram)));
                }
            }
            (Plan::Hold(Column::Last) | Plan::Counter | Plan::Slope, _) => {
                let floats = points.map(|(time, value)| (time, Entry::of(value)));
                let histograms = leading.histograms.iter();
                let histograms =
                    histograms.map(|(time, one)| (*time, Entry::Histogram(Arc::clone(one))));
                let mut entries: Vec<(i64, Entry)> = floats.chain(histograms).collect();
                entries.sort_by_key(|entry| entry.0);
                hold_last(&entries, cut, day_end, |time, entry| {
                    shown.put_entry(range, time, entry);
                });
            }
            (Plan::Mean, [_, counts]) => {
                for ((end, sum), count) in points.zip(&counts.values) {
                    hold(end, sum / count, cut, |time, value| shown.put(range, time, value));
                }
            }
            (Plan::Shares, _) => {
                points.for_each(|(end, sum)| share(end, sum, cut, |t, v| shown.put(range, t, v)));
            }
            (Plan::Samples, _) => {
                points.for_each(|(end, n)| samples(end, n, cut, |t, v| shown.put(range, t, v)));
            }
            (Plan::Hold(_) | Plan::Mean, _) => {
                points.for_each(|(end, value)| {
                    hold(end, value, cut, |t, v| shown.put(range, t, v));
                });
            }
        }
    }
}
