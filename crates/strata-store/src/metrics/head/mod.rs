//! The head: samples of the current window in memory, packed, until they are sealed to disk.

pub(crate) mod chunk;
mod pool;
mod slice;
mod spread;
mod tail;

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use self::chunk::State;
use self::pool::{Chain, Place, Pool};
use self::slice::Packed;
pub(crate) use self::slice::{HeadSlice, InHead, PackedHistogram};
use self::spread::Spread;
use self::tail::{TAIL_MS, Tails};
use super::day::calendar::{DAY_MS, day_of};

/// What the head says to one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Taken, in order or into the late list.
    Appended,
    Duplicate,
    Conflicting,
    TooOld,
    /// What is on disk decides: look there, then call [`Head::append_checked`].
    AskDisk,
}

/// Samples between two places from which a series can be unpacked.
const RESTART: u32 = 16;
/// Such places remembered: 48 to 64 samples back. A page of the last hour wants the last five to ten
/// minutes, ten samples at a scrape a minute and forty at one every 15 s.
const RESTARTS: usize = 4;

/// A place in the chain of a series from which it can be unpacked; the default is its beginning.
#[derive(Debug, Clone, Copy, Default)]
struct Restart {
    state: State,
    place: Place,
    /// Samples before it.
    count: u32,
}

/// What the head knows of one series. 296 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadSeries {
    state: State,
    chain: Chain,
    /// Places to unpack from, the oldest first.
    restarts: [Restart; RESTARTS],
    /// Newest time that was sealed to disk, `i64::MIN` when nothing was.
    pub(crate) sealed_until: i64,
    /// Whether `sealed_until` is that time itself; after a start it is only known by day.
    pub(crate) sealed_exactly: bool,
    /// Samples in the chain.
    count: u32,
    /// Log segment in which the labels of this series were last written.
    pub(crate) defined_in: u32,
}

impl Default for HeadSeries {
    fn default() -> Self {
        Self {
            state: State::default(),
            chain: Chain::default(),
            restarts: [Restart::default(); RESTARTS],
            sealed_until: i64::MIN,
            sealed_exactly: true,
            count: 0,
            defined_in: 0,
        }
    }
}

/// Samples since the last seal, by series id.
#[derive(Default)]
pub(crate) struct Head {
    series: Vec<HeadSeries>,
    pool: Pool,
    /// Float samples behind the newest of their series, in time order.
    late: FxHashMap<u32, Vec<(i64, u64)>>,
    late_samples: usize,
    histograms: FxHashMap<u32, Vec<PackedHistogram>>,
    histogram_bytes: usize,
    /// Samples, floats and histograms.
    samples: u64,
    active: usize,
    days: BTreeSet<i64>,
    last_day: Option<i64>,
    spread: Spread,
    /// What was sealed last.
    tails: Tails,
    newest_ms: Option<i64>,
    /// The latest time that can be right now, once known.
    latest: Option<i64>,
    token: Vec<u8>,
}

impl Head {
    /// Make room for the series with ids below `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        if self.series.len() < count {
            self.series.resize(count, HeadSeries::default());
        }
    }

    pub(crate) fn series(&self, id: u32) -> &HeadSeries {
        &self.series[id as usize]
    }

    pub(crate) fn series_mut(&mut self, id: u32) -> &mut HeadSeries {
        &mut self.series[id as usize]
    }

    /// The newest time of the series, on disk or here.
    fn newest(&self, id: u32) -> i64 {
        let series = &self.series[id as usize];
        let floats = if series.count > 0 { series.state.last_time } else { i64::MIN };
        let histograms = self.histograms.get(&id).and_then(|list| list.last());
        // After a start a late sample may be newer than anything in order.
        let late = self.late.get(&id).and_then(|list| list.last());
        series
            .sealed_until
            .max(floats)
            .max(histograms.map_or(i64::MIN, |last| last.0))
            .max(late.map_or(i64::MIN, |last| last.0))
    }

    /// Append a float sample. `window` is how far behind its series' newest one it may be.
    pub(crate) fn append(&mut self, id: u32, time: i64, bits: u64, window: i64) -> Verdict {
        let series = &mut self.series[id as usize];
        if series.count > 0 && time == series.state.last_time {
            return if bits == series.state.last_bits {
                Verdict::Duplicate
            } else {
                Verdict::Conflicting
            };
        }
        let after_floats = series.count == 0 || time > series.state.last_time;
        let only_floats = self.histograms.is_empty() && self.late.is_empty();
        if after_floats && time > series.sealed_until && only_floats {
            self.push(id, time, bits);
            return Verdict::Appended;
        }
        if time <= self.series[id as usize].sealed_until && !self.is_too_old(id, time, window) {
            return Verdict::AskDisk;
        }
        self.append_checked(id, time, bits, window)
    }

    /// Append a float sample at a time at which the disk holds nothing.
    pub(crate) fn append_checked(&mut self, id: u32, time: i64, bits: u64, window: i64) -> Verdict {
        if time > self.newest(id) {
            self.push(id, time, bits);
            return Verdict::Appended;
        }
        if self.is_too_old(id, time, window) {
            return Verdict::TooOld;
        }
        if self.histogram_at(id, time).is_some() {
            return Verdict::Conflicting;
        }
        match self.float_at(id, time) {
            Some(stored) if stored == bits => Verdict::Duplicate,
            Some(_) => Verdict::Conflicting,
            None => {
                self.insert_late(id, time, bits);
                Verdict::Appended
            }
        }
    }

    /// Say what time it is at the latest. Samples from a time when the clock ran ahead then make
    /// nothing that comes after it was set right too old.
    pub(crate) fn set_latest(&mut self, latest: i64) {
        self.latest = Some(latest);
    }

    /// Whether the sample is behind the window; not while the series' newest is only a guess.
    pub(crate) fn is_too_old(&self, id: u32, time: i64, window: i64) -> bool {
        let series = &self.series[id as usize];
        let newest = self.newest(id);
        let guess = !series.sealed_exactly && newest == series.sealed_until;
        let ahead = self.latest.is_some_and(|latest| newest > latest);
        !guess && !ahead && time < newest.saturating_sub(window)
    }

    /// Append a packed histogram; rules as for floats.
    pub(crate) fn append_histogram(
        &mut self,
        id: u32,
        time: i64,
        packed: &[u8],
        window: i64,
    ) -> Verdict {
        if time <= self.series[id as usize].sealed_until && !self.is_too_old(id, time, window) {
            return Verdict::AskDisk;
        }
        self.append_histogram_checked(id, time, packed, window)
    }

    /// Append a packed histogram at a time at which the disk holds nothing.
    pub(crate) fn append_histogram_checked(
        &mut self,
        id: u32,
        time: i64,
        packed: &[u8],
        window: i64,
    ) -> Verdict {
        if self.is_too_old(id, time, window) {
            return Verdict::TooOld;
        }
        if self.float_at(id, time).is_some() {
            return Verdict::Conflicting;
        }
        match self.histogram_at(id, time) {
            Some(stored) if stored == packed => return Verdict::Duplicate,
            Some(_) => return Verdict::Conflicting,
            None => {}
        }
        self.insert_histogram(id, time, packed);
        Verdict::Appended
    }

    fn push(&mut self, id: u32, time: i64, bits: u64) {
        let series = &mut self.series[id as usize];
        self.token.clear();
        series.state.encode(time, bits, &mut self.token);
        self.pool.append(&mut series.chain, &self.token);
        if series.count == 0 {
            self.active += 1;
        }
        series.count += 1;
        if series.count.is_multiple_of(RESTART) {
            let (state, place, count) = (series.state, series.chain.end(), series.count);
            series.restarts.rotate_left(1);
            series.restarts[RESTARTS - 1] = Restart { state, place, count };
        }
        self.note(time);
    }

    fn note(&mut self, time: i64) {
        self.samples += 1;
        self.newest_ms = self.newest_ms.max(Some(time));
        self.spread.note(time);
        let day = Some(day_of(time));
        if day != self.last_day {
            self.last_day = day;
            self.days.extend(day);
        }
    }

    /// Put a float sample that is not in the head behind the newest of its series.
    pub(crate) fn insert_late(&mut self, id: u32, time: i64, bits: u64) {
        let list = self.late.entry(id).or_default();
        let at = list.partition_point(|sample| sample.0 < time);
        list.insert(at, (time, bits));
        self.late_samples += 1;
        self.note(time);
    }

    /// Put a histogram whose time is free in its place.
    pub(crate) fn insert_histogram(&mut self, id: u32, time: i64, packed: &[u8]) {
        let list = self.histograms.entry(id).or_default();
        let at = list.partition_point(|sample| sample.0 < time);
        list.insert(at, (time, Box::from(packed)));
        self.histogram_bytes += packed.len() + size_of::<PackedHistogram>();
        self.note(time);
    }

    fn float_at(&self, id: u32, time: i64) -> Option<u64> {
        if let Some(list) = self.late.get(&id)
            && let Ok(at) = list.binary_search_by_key(&time, |sample| sample.0)
        {
            return Some(list[at].1);
        }
        let series = &self.series[id as usize];
        if series.count == 0 || time > series.state.last_time {
            return None;
        }
        let (mut times, mut bits) = (Vec::new(), Vec::new());
        let mut packed = Vec::new();
        self.pool.read(series.chain, Place::default(), &mut packed);
        let (start, count) = (State::default(), series.count as usize);
        chunk::decode_all(start, &packed, count, &mut times, &mut bits, |bits| bits);
        times.binary_search(&time).ok().map(|at| bits[at])
    }

    fn histogram_at(&self, id: u32, time: i64) -> Option<&[u8]> {
        let list = self.histograms.get(&id)?;
        let at = list.binary_search_by_key(&time, |sample| sample.0).ok()?;
        Some(&list[at].1)
    }

    /// The newest sample of the series, where it is a float and certain to be the newest here.
    pub(crate) fn newest_float(&self, id: u32) -> Option<(i64, f64)> {
        let series = self.series.get(id as usize).filter(|series| series.count > 0)?;
        let time = series.state.last_time;
        let other = self.late.contains_key(&id) || self.histograms.contains_key(&id);
        let is_newest = !other && series.sealed_until < time;
        is_newest.then(|| (time, f64::from_bits(series.state.last_bits)))
    }

    /// Time of the newest sample of the series in the head, unless it says that the series ended.
    pub(crate) fn newest_time(&self, id: u32) -> Option<i64> {
        let series = self.series.get(id as usize)?;
        let ended =
            series.count > 0 && series.state.last_bits == strata_model::sample::STALE_NAN_BITS;
        let float = (series.count > 0 && !ended).then_some(series.state.last_time);
        let late = self.late.get(&id).and_then(|list| list.last()).map(|sample| sample.0);
        let histogram = self.histograms.get(&id).and_then(|list| list.last());
        float.max(late.filter(|_| !ended)).max(histogram.map(|sample| sample.0))
    }

    /// A packed copy of the series from about `from_ms` on, never later, its bytes at the end of
    /// `bytes`; `None` when the head holds nothing of it.
    pub(crate) fn slice(&self, id: u32, from_ms: i64, bytes: &mut Vec<u8>) -> Option<HeadSlice> {
        let series = self.series.get(id as usize)?;
        let late = self.late.get(&id);
        let histograms = self.histograms.get(&id);
        let tail = self.tails.covering(id, from_ms).filter(|_| series.sealed_until >= from_ms);
        if series.count == 0 && tail.is_none() && late.is_none() && histograms.is_none() {
            return None;
        }
        let before = |restart: &&Restart| restart.count > 0 && restart.state.last_time < from_ms;
        let restart = series.restarts.iter().rev().find(before).copied().unwrap_or_default();
        let start = bytes.len();
        let sealed = tail.map(|tail| {
            self.tails.read(tail, bytes);
            Packed { state: tail.state, bytes: start..bytes.len(), count: tail.count as usize }
        });
        let start = bytes.len();
        self.pool.read(series.chain, restart.place, bytes);
        Some(HeadSlice {
            sealed,
            chain: Packed {
                state: restart.state,
                bytes: start..bytes.len(),
                count: (series.count - restart.count) as usize,
            },
            late: late.cloned().unwrap_or_default(),
            histograms: histograms.cloned().unwrap_or_default(),
        })
    }

    /// Whether the disk may hold a sample of the series at this time or later that is not here:
    /// what is sealed ends at `sealed_until` at the latest.
    pub(crate) fn is_sealed_from(&self, id: u32, from_ms: i64) -> bool {
        let sealed = |series: &HeadSeries| series.sealed_until >= from_ms;
        self.series.get(id as usize).is_none_or(sealed)
            && self.tails.covering(id, from_ms).is_none()
    }

    /// Native histograms of the series, in time order.
    pub(crate) fn histograms(&self, id: u32) -> &[PackedHistogram] {
        self.histograms.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Whether the head holds a sample of the series.
    pub(crate) fn holds(&self, id: u32) -> bool {
        self.series.get(id as usize).is_some_and(|series| series.count > 0)
            || self.late.contains_key(&id)
            || self.histograms.contains_key(&id)
    }

    /// Whether the head may hold a sample of the series in the range: exact but for late samples
    /// and histograms, which count as everywhere.
    pub(crate) fn holds_between(&self, id: u32, start_ms: i64, end_ms: i64) -> bool {
        let Some(series) = self.series.get(id as usize) else { return false };
        let starts_before_end = self.days.first().is_some_and(|&day| day <= day_of(end_ms));
        let floats = series.count > 0 && series.state.last_time >= start_ms;
        starts_before_end
            && (floats || self.late.contains_key(&id) || self.histograms.contains_key(&id))
    }

    /// Give every series its new id; those without one hold no samples and are forgotten.
    pub(crate) fn rename(&mut self, renamed: &[Option<u32>]) {
        let new = |id: u32| renamed.get(id as usize).copied().flatten();
        let mut series = vec![HeadSeries::default(); renamed.iter().flatten().count()];
        for (id, old) in self.series.iter().enumerate() {
            if let Some(place) = new(id as u32).and_then(|id| series.get_mut(id as usize)) {
                // The current log segment knows it under its old number only.
                *place = HeadSeries { defined_in: 0, ..*old };
            }
        }
        self.tails.rename(new, series.len());
        self.series = series;
        let late = std::mem::take(&mut self.late).into_iter();
        self.late = late.filter_map(|(id, list)| Some((new(id)?, list))).collect();
        let histograms = std::mem::take(&mut self.histograms).into_iter();
        self.histograms = histograms.filter_map(|(id, list)| Some((new(id)?, list))).collect();
    }

    /// Ids of the series that hold samples, ascending.
    pub(crate) fn active_ids(&self) -> Vec<u32> {
        (0..self.series.len() as u32).filter(|&id| self.holds(id)).collect()
    }

    /// Forget all samples after they were sealed, but for the last minutes of what came in order;
    /// remember how far each series went.
    pub(crate) fn clear(&mut self) {
        let mut tails = Tails::over(self.series.len());
        // One sender whose clock runs ahead is not what now is.
        let newest = self.newest_ms.map(|newest| newest.min(self.latest.unwrap_or(newest)));
        let keep_from = newest.map_or(i64::MAX, |newest| newest.saturating_sub(TAIL_MS));
        for id in 0..self.series.len() as u32 {
            if !self.late.contains_key(&id) && !self.histograms.contains_key(&id) {
                tails.keep(id, &self.series[id as usize], &self.pool, keep_from);
            }
            let newest = self.newest(id);
            let series = &mut self.series[id as usize];
            if newest > series.sealed_until {
                series.sealed_exactly = true;
            }
            series.sealed_until = newest;
            series.state = State::default();
            series.chain = Chain::default();
            series.restarts = [Restart::default(); RESTARTS];
            series.count = 0;
            // Labels that were noted for a record the log never took must be noted again.
            series.defined_in = 0;
        }
        self.tails = tails;
        self.pool.clear();
        self.late.clear();
        self.histograms.clear();
        (self.histogram_bytes, self.late_samples, self.samples, self.active) = (0, 0, 0, 0);
        self.days.clear();
        (self.last_day, self.newest_ms) = (None, None);
        self.spread = Spread::default();
    }

    /// Forget what is sealed.
    pub(crate) fn forget_sealed(&mut self) {
        self.tails = Tails::default();
    }

    /// UTC days on which samples lie.
    pub(crate) fn days(&self) -> Vec<i64> {
        self.days.iter().copied().collect()
    }

    /// Start of the day of the oldest sample since the last seal.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        self.days.first().map(|&day| day * DAY_MS)
    }

    /// Time of the newest sample since the last seal.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    /// Hours of time that much of the head is about; see [`Spread::hours`].
    pub(crate) fn hours(&self) -> u64 {
        self.spread.hours()
    }

    /// Series with float samples in order, or histograms.
    pub(crate) fn active(&self) -> usize {
        self.active + self.histograms.len()
    }

    /// Approximate bytes of memory that samples take, those included that are sealed already.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes() + self.beside_pool() + self.tails.bytes()
    }

    /// Approximate bytes of memory that a seal would free.
    pub(crate) fn unsealed_bytes(&self) -> usize {
        self.pool.used_bytes() + self.beside_pool()
    }

    fn beside_pool(&self) -> usize {
        self.histogram_bytes + self.late.len() * LATE_LIST + self.late_samples * LATE_SAMPLE
    }
}

/// Bytes of a series' entry among the late ones.
const LATE_LIST: usize = 64;
/// Bytes of a late sample: its list, which grows by doubling, has up to as much room again.
const LATE_SAMPLE: usize = 2 * size_of::<(i64, u64)>();

#[cfg(test)]
mod tests;
