//! Deciding about each sample of a batch, and putting the good ones into head and log record.

use std::sync::PoisonError;

use rustc_hash::FxHashSet;
use strata_model::{Batch, Labels, Receipt};

use super::Shared;
use super::day::{Gather, ReadBounds, TimeCache};
use super::error::StoreError;
use super::head::Verdict;
use super::index::{MAX_LABEL_BYTES, metric_name};
use super::log::record::Record;

/// Not looked up yet.
const UNSEEN: u32 = u32::MAX;
/// Not canonical, or without a metric name.
const INVALID: u32 = u32::MAX - 1;
/// Would be one series too many.
const OVER_LIMIT: u32 = u32::MAX - 2;

/// A float or a packed histogram.
#[derive(Clone, Copy)]
enum Datum<'a> {
    Float(u64),
    Histogram(&'a [u8]),
}

/// A sample whose fate depends on what is on disk.
struct Asked<'a> {
    slot: u32,
    id: u32,
    time: i64,
    datum: Datum<'a>,
}

/// Admits batches. Lives in the writer thread and keeps its scratch memory.
#[derive(Default)]
pub(crate) struct Admission {
    /// Series id by slot of the batch.
    ids: Vec<u32>,
    /// Offsets of packed histograms in `packed`.
    ends: Vec<usize>,
    packed: Vec<u8>,
}

/// Times that are taken, inclusive.
#[derive(Clone, Copy)]
struct Bounds {
    oldest: i64,
    newest: i64,
    window: i64,
}

impl Admission {
    /// Decide about every sample; what is taken goes to the head and to `record`.
    pub(crate) fn admit(
        &mut self,
        shared: &Shared,
        batch: &Batch,
        record: &mut Record,
        segment: u32,
    ) -> Receipt {
        let now = shared.clock.now_ms();
        let settings = &shared.settings;
        let bounds = Bounds {
            oldest: now.saturating_sub(settings.retention.as_millis() as i64),
            newest: now.saturating_add(settings.future_tolerance.as_millis() as i64),
            window: settings.out_of_order_window.as_millis() as i64,
        };
        let mut receipt = Receipt::default();
        self.pack(batch);
        self.resolve(shared, batch, bounds);
        let mut asked = Vec::new();
        let mut deferred = FxHashSet::default();
        let samples = batch.samples.iter();
        let floats = samples.map(|s| (s.series, s.at_ms, Datum::Float(s.value.to_bits())));
        let packed = &self.packed;
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(self.ends.iter().copied());
        let histograms = batch.histograms.iter().zip(spans).map(|(sample, (start, end))| {
            let datum = Datum::Histogram(packed.get(start..end).unwrap_or_default());
            (sample.series, sample.at_ms, datum)
        });
        let mut head = shared.head.write().unwrap_or_else(PoisonError::into_inner);
        head.set_latest(bounds.newest);
        for (slot, time, datum) in floats.chain(histograms) {
            let id = self.ids.get(slot as usize).copied().unwrap_or(INVALID);
            if let Datum::Histogram([]) = datum {
                receipt.invalid += 1;
                continue;
            }
            let refused = match id {
                _ if time < bounds.oldest => Some(&mut receipt.too_old),
                _ if time > bounds.newest => Some(&mut receipt.too_new),
                UNSEEN | INVALID => Some(&mut receipt.invalid),
                OVER_LIMIT => Some(&mut receipt.over_series_limit),
                _ => None,
            };
            if let Some(count) = refused {
                *count += 1;
                continue;
            }
            let verdict = match datum {
                // Samples of one series are judged in the order they came, so those behind one
                // that waits for the disk wait as well.
                _ if !deferred.is_empty() && deferred.contains(&id) => Verdict::AskDisk,
                Datum::Float(bits) => head.append(id, time, bits, bounds.window),
                Datum::Histogram(packed) => head.append_histogram(id, time, packed, bounds.window),
            };
            if verdict == Verdict::AskDisk {
                deferred.insert(id);
                asked.push(Asked { slot, id, time, datum });
                continue;
            }
            count(verdict, &mut receipt);
            if verdict == Verdict::Appended {
                note(record, head.series_mut(id), batch, slot, (id, time, datum), segment);
            }
        }
        drop(head);
        for ask in &asked {
            ask_disk(shared, batch, ask, bounds.window, record, segment, &mut receipt);
        }
        let times = batch.samples.iter().map(|sample| sample.at_ms);
        let times = times.chain(batch.histograms.iter().map(|sample| sample.at_ms));
        let earliest = times.filter(|at_ms| *at_ms >= bounds.oldest).min();
        // After everything is in the head: whoever saw the number before has not seen the samples.
        if let Some(earliest) = earliest.filter(|_| receipt.appended > 0) {
            shared.changes.note(earliest);
        }
        receipt
    }

    /// Pack all histograms; one that contradicts itself gets an empty span.
    fn pack(&mut self, batch: &Batch) {
        self.packed.clear();
        self.ends.clear();
        for sample in &batch.histograms {
            if sample.histogram.validate().is_ok() {
                sample.histogram.encode(&mut self.packed);
            }
            self.ends.push(self.packed.len());
        }
    }

    /// Find or make the series of every slot that has a sample in the bounds.
    fn resolve(&mut self, shared: &Shared, batch: &Batch, bounds: Bounds) {
        self.ids.clear();
        self.ids.resize(batch.series_count(), UNSEEN);
        let floats = batch.samples.iter().map(|sample| (sample.series, sample.at_ms));
        let histograms = batch.histograms.iter().map(|sample| (sample.series, sample.at_ms));
        let mut unknown = Vec::new();
        let mut guess = 0;
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        for (slot, time) in floats.chain(histograms) {
            let Some(id) = self.ids.get_mut(slot as usize) else { continue };
            if *id != UNSEEN || time < bounds.oldest || time > bounds.newest {
                continue;
            }
            let (encoded, hash) = batch.series(slot);
            *id = index.find_near(guess, encoded, hash).unwrap_or(INVALID);
            guess = id.saturating_add(1);
            if *id == INVALID {
                unknown.push(slot);
            }
        }
        drop(index);
        if unknown.is_empty() {
            return;
        }
        let mut index = shared.index.write().unwrap_or_else(PoisonError::into_inner);
        for slot in unknown {
            let (encoded, hash) = batch.series(slot);
            let id = &mut self.ids[slot as usize];
            if let Some(known) = index.find(encoded, hash) {
                *id = known;
            } else if encoded.len() <= MAX_LABEL_BYTES
                && Labels::from_encoded(encoded).is_some()
                && !metric_name(encoded).is_empty()
            {
                let room = shared.has_room(index.len());
                *id = if room { index.insert(encoded, hash) } else { OVER_LIMIT };
            }
        }
        let count = index.len();
        drop(index);
        shared.head.write().unwrap_or_else(PoisonError::into_inner).grow(count);
    }
}

fn count(verdict: Verdict, receipt: &mut Receipt) {
    match verdict {
        Verdict::Appended => receipt.appended += 1,
        Verdict::Duplicate => receipt.duplicate += 1,
        Verdict::Conflicting => receipt.conflicting += 1,
        Verdict::TooOld | Verdict::AskDisk => receipt.too_old += 1,
    }
}

/// Enter a taken sample into the log record, with the series' labels the first time in a segment.
fn note(
    record: &mut Record,
    series: &mut super::head::HeadSeries,
    batch: &Batch,
    slot: u32,
    (id, time, datum): (u32, i64, Datum<'_>),
    segment: u32,
) {
    if series.defined_in != segment {
        series.defined_in = segment;
        record.define(id, batch.series(slot).0);
    }
    match datum {
        Datum::Float(bits) => record.push(id, time, bits),
        Datum::Histogram(packed) => record.histograms.push((id, time, Box::from(packed))),
    }
}

#[expect(clippy::too_many_arguments, reason = "the tail of one loop, in its own function")]
fn ask_disk(
    shared: &Shared,
    batch: &Batch,
    ask: &Asked<'_>,
    window: i64,
    record: &mut Record,
    segment: u32,
    receipt: &mut Receipt,
) {
    let stored = match settle(shared, ask) {
        Ok(stored) => stored,
        Err(error) => {
            // Taken: a second copy of a stored sample does no harm, the stored one wins.
            tracing::warn!(error = %error.chain(), "cannot look up a late sample on disk");
            Stored::Nothing
        }
    };
    let mut head = shared.head.write().unwrap_or_else(PoisonError::into_inner);
    let verdict = match (stored, ask.datum) {
        _ if head.is_too_old(ask.id, ask.time, window) => Verdict::TooOld,
        (Stored::Same, _) => Verdict::Duplicate,
        (Stored::Other, _) => Verdict::Conflicting,
        (Stored::Nothing, Datum::Float(bits)) => {
            head.append_checked(ask.id, ask.time, bits, window)
        }
        (Stored::Nothing, Datum::Histogram(packed)) => {
            head.append_histogram_checked(ask.id, ask.time, packed, window)
        }
    };
    count(verdict, receipt);
    if verdict == Verdict::Appended {
        let series = head.series_mut(ask.id);
        note(record, series, batch, ask.slot, (ask.id, ask.time, ask.datum), segment);
    }
}

enum Stored {
    Nothing,
    Same,
    Other,
}

/// What the disk holds at the time of a sample. Also finds out how far the series goes on disk,
/// which after a start is known only by day.
fn settle(shared: &Shared, ask: &Asked<'_>) -> Result<Stored, StoreError> {
    let known_exactly = {
        let head = shared.head.read().unwrap_or_else(PoisonError::into_inner);
        head.series(ask.id).sealed_exactly
    };
    if !known_exactly {
        let newest = newest_on_disk(shared, ask.id)?;
        let mut head = shared.head.write().unwrap_or_else(PoisonError::into_inner);
        let series = head.series_mut(ask.id);
        series.sealed_until = newest;
        series.sealed_exactly = true;
    }
    let mut gather = read_one(shared, ask.id, (ask.time, ask.time))?;
    let points = std::mem::take(&mut gather).finish(&mut TimeCache::default());
    Ok(match (points.values.first(), points.histograms.first(), ask.datum) {
        (None, None, _) => Stored::Nothing,
        (Some(value), _, Datum::Float(bits)) if value.to_bits() == bits => Stored::Same,
        (_, Some((_, stored)), Datum::Histogram(packed)) => {
            let mut bytes = Vec::new();
            stored.encode(&mut bytes);
            if bytes == packed { Stored::Same } else { Stored::Other }
        }
        _ => Stored::Other,
    })
}

fn read_one(shared: &Shared, id: u32, range: (i64, i64)) -> Result<Gather, StoreError> {
    let mut out = [Gather::default()];
    let bounds = ReadBounds::new(&shared.damage, usize::MAX);
    for day in shared.days_between(range.0, range.1) {
        day.read(&[id], range, &mut out, &mut TimeCache::default(), &bounds)?;
    }
    let [gather] = out;
    Ok(gather)
}

/// The newest sample on disk of a series, on the last day of which anything can be read: a range
/// after this is not looked for on disk.
fn newest_on_disk(shared: &Shared, id: u32) -> Result<i64, StoreError> {
    let days = shared.days_between(i64::MIN, i64::MAX);
    for day in days.iter().rev().filter(|day| day.state().has(id)) {
        let mut out = [Gather::default()];
        let bounds = ReadBounds::new(&shared.damage, usize::MAX);
        day.read(&[id], (i64::MIN, i64::MAX), &mut out, &mut TimeCache::default(), &bounds)?;
        let [gather] = out;
        if gather.samples() > 0 {
            let points = gather.finish(&mut TimeCache::default());
            let float = points.times.last().copied().unwrap_or(i64::MIN);
            return Ok(points.histograms.last().map_or(float, |last| last.0.max(float)));
        }
    }
    Ok(i64::MIN)
}
