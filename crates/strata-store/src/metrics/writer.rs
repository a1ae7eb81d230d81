//! The one thread that writes: commits batches to the log, seals the head, removes old days.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use strata_model::{Metadata, Receipt, SinkError};

use super::Shared;
use super::admit::Admission;
use super::day::calendar::{DAY_MS, day_of};
use super::day::{Day, SealInput};
use super::error::StoreError;
use super::log::record::{Encoder, Record};
use super::log::{self, Segment};
use super::options::Fsync;
use super::queue::{Order, Reply, Work};
use super::retention;

/// The writer looks around at least this often.
const TICK: Duration = Duration::from_millis(250);

/// An offered batch reaches the disk at the latest after this time, or with the next append.
const OFFER_DELAY: Duration = Duration::from_millis(500);

/// A commit is cut at this many bytes of samples.
const RECORD_BYTES: usize = 4 << 20;

/// With `Fsync::Normal` the log is synced this often.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How long to wait between tries to write again after a failure.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// The head is sealed early at this size, so that a flood within one window stays in memory's
/// bounds: about 80 million samples.
const HEAD_BYTES: usize = 256 << 20;

/// The log is sealed away early at this size: it bounds the time a restart takes.
const LOG_BYTES: u64 = 1 << 30;

/// Between looks for days to remove.
const RETENTION_EVERY: Duration = Duration::from_mins(10);

/// The program may have been stopped for this long before its clock is taken to be wrong.
const PAUSE_MAX: Duration = Duration::from_hours(7 * 24);

/// The wall clock may run ahead of the monotonic one by this much before it is taken for a jump
/// that must not remove data.
const CLOCK_SLACK_MS: i64 = 300_000;

/// State of the writer thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    segment: Segment,
    admission: Admission,
    record: Record,
    encoder: Encoder,
    bytes: Vec<u8>,
    /// When the oldest sample in `record` came.
    record_since: Option<Duration>,
    unsynced_since: Option<Duration>,
    /// The window in which the head's newest sample lay at the last look.
    window: Option<i64>,
    sealed_at: Duration,
    tried_at: Duration,
    retention_at: Option<Duration>,
    /// Wall time that can be trusted, and monotonic time, when the writer started.
    started: (i64, Duration),
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, segment: Segment) -> Self {
        let now = shared.clock.monotonic();
        // A clock that is years ahead when the program starts must not cost the whole store, so a
        // pause is believed only up to a bound; after a longer one data stays longer.
        let believed = (shared.settings.retention / 2).min(PAUSE_MAX).as_millis() as i64;
        let newest = shared.newest_ms().map_or(i64::MAX, |at| at.saturating_add(believed));
        let started = (shared.clock.now_ms().min(newest), now);
        Self {
            shared,
            segment,
            admission: Admission::default(),
            record: Record::default(),
            encoder: Encoder::default(),
            bytes: Vec::new(),
            record_since: None,
            unsynced_since: None,
            window: None,
            sealed_at: now,
            tried_at: now,
            retention_at: None,
            started,
        }
    }

    /// Work until closed.
    pub(crate) fn run(mut self) {
        loop {
            let held = self.shared.trouble().is_some();
            let work = self.shared.queue.take(TICK, held);
            if held {
                self.refuse(work.awaited);
                self.recover();
            } else {
                self.write(work.offered, work.awaited);
            }
            for order in work.orders {
                match order {
                    Order::Seal(reply) => {
                        let outcome = self.seal();
                        drop(reply.send(outcome));
                    }
                    Order::Close(reply) => {
                        let outcome = self.close();
                        drop(reply.send(outcome));
                        return;
                    }
                    Order::Abandon => {
                        self.commit(true);
                        return;
                    }
                }
            }
            self.tick();
        }
    }

    fn write(
        &mut self,
        offered: Vec<strata_model::Batch>,
        awaited: Vec<(strata_model::Batch, Reply)>,
    ) {
        let mut receipts = Vec::with_capacity(awaited.len());
        for (batch, reply) in awaited {
            receipts.push((reply, self.admit(&batch)));
        }
        for batch in offered {
            self.admit(&batch);
        }
        let due = self.record_since.is_some_and(|since| {
            self.shared.clock.monotonic().saturating_sub(since) >= OFFER_DELAY
        });
        if !receipts.is_empty() || due {
            self.commit(true);
        }
        let trouble = self.shared.trouble();
        for (reply, receipt) in receipts {
            let answer = match &trouble {
                None => Ok(receipt),
                Some(reason) => Err(SinkError::Storage { reason: reason.clone() }),
            };
            // A client that no longer waits has dropped its end.
            drop(reply.send(answer));
        }
    }

    fn admit(&mut self, batch: &strata_model::Batch) -> Receipt {
        if !batch.metadata.is_empty() {
            self.learn(&batch.metadata);
        }
        let number = self.segment.number();
        let receipt = self.admission.admit(&self.shared, batch, &mut self.record, number);
        self.shared.counters.count(&receipt);
        if receipt.refused() > 0 {
            self.shared.refused.note(&batch.source, &receipt, self.shared.clock.now_ms());
        }
        if !self.record.is_empty() && self.record_since.is_none() {
            self.record_since = Some(self.shared.clock.monotonic());
        }
        if self.record.bytes() > RECORD_BYTES {
            self.commit(false);
        }
        receipt
    }

    fn learn(&mut self, families: &[Metadata]) {
        let mut known = self.shared.families.write().unwrap_or_else(PoisonError::into_inner);
        for family in families {
            let room = known.len() < super::FAMILY_LIMIT || known.contains_key(&family.family);
            if room && known.get(&family.family) != Some(family) {
                known.insert(family.family.clone(), family.clone());
                self.record.metadata.push(family.clone());
            }
        }
    }

    /// Write the record to the log; with `last` also make the commit durable.
    fn commit(&mut self, last: bool) {
        let now = self.shared.clock.monotonic();
        if !self.record.is_empty() {
            self.bytes.clear();
            self.encoder.encode(&self.record, &mut self.bytes);
            self.record.clear();
            self.record_since = None;
            if let Err(error) = self.segment.write(&self.bytes) {
                self.fail(&format!("cannot write the log: {error}"));
                return;
            }
            self.shared.counters.log_bytes.add(self.bytes.len() as u64);
            self.unsynced_since.get_or_insert(now);
        }
        let full = self.shared.settings.fsync == Fsync::Full;
        let due = self
            .unsynced_since
            .is_some_and(|since| full || now.saturating_sub(since) >= SYNC_EVERY);
        if last && due {
            self.unsynced_since = None;
            if let Err(error) = self.segment.sync() {
                self.fail(&format!("cannot sync the log: {error}"));
            }
        }
    }

    /// Enter the degraded mode. What is in the head stays readable; leaving it again takes a
    /// successful seal, which makes durable also what the log could not take.
    fn fail(&mut self, reason: &str) {
        tracing::error!(reason, "store cannot write, samples are refused until it can");
        self.tried_at = self.shared.clock.monotonic();
        self.shared.set_trouble(Some(reason.to_owned()));
    }

    fn refuse(&self, awaited: Vec<(strata_model::Batch, Reply)>) {
        let reason = self.shared.trouble().unwrap_or_default();
        for (_, reply) in awaited {
            drop(reply.send(Err(SinkError::Storage { reason: reason.clone() })));
        }
    }

    fn recover(&mut self) {
        let now = self.shared.clock.monotonic();
        if now.saturating_sub(self.tried_at) < RETRY_EVERY {
            return;
        }
        self.tried_at = now;
        match self.seal() {
            Ok(()) => tracing::warn!("store can write again"),
            Err(error) => tracing::debug!(error = %error.chain(), "store still cannot write"),
        }
    }

    fn tick(&mut self) {
        if self.shared.trouble().is_none() {
            let now = self.shared.clock.monotonic();
            let due =
                self.record_since.is_some_and(|since| now.saturating_sub(since) >= OFFER_DELAY);
            if due || self.unsynced_since.is_some() {
                self.commit(true);
            }
            if self.seal_is_due(now)
                && let Err(error) = self.seal()
            {
                tracing::error!(error = %error.chain(), "cannot seal");
            }
        }
        self.retain();
    }

    /// A seal is due when samples enter the next window, when nothing came for a whole window, when
    /// history of more than a window was sent at once, or when head or log have grown too large.
    fn seal_is_due(&mut self, now: Duration) -> bool {
        let head = self.shared.head.read().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = head.newest_ms() else {
            self.sealed_at = now;
            return false;
        };
        let length = self.shared.settings.head_window;
        let long = head.hours() > length.as_secs().div_ceil(3600);
        let large = head.unsealed_bytes() > HEAD_BYTES || self.segment.bytes() > LOG_BYTES;
        drop(head);
        let window = newest.div_euclid(length.as_millis() as i64);
        let entered = self.window.is_some_and(|last| window > last);
        self.window = self.window.max(Some(window));
        entered || long || large || now.saturating_sub(self.sealed_at) >= length + length / 8
    }

    /// Move everything from the head into the day files and drop the log.
    fn seal(&mut self) -> Result<(), StoreError> {
        let outcome = self.try_seal();
        match &outcome {
            Ok(()) => self.shared.set_trouble(None),
            Err(error) => self.fail(&error.chain()),
        }
        outcome
    }

    fn try_seal(&mut self) -> Result<(), StoreError> {
        let dir = self.shared.settings.dir.clone();
        let mut through = self.segment.number();
        if self.segment.is_empty() {
            // Nothing to drop; repeated tries on a sick disk must not leave a file each.
            through -= 1;
        } else {
            // The new segment is the current one even if the seal fails later: a day that was
            // committed says that segments up to `through` are in it.
            self.segment = Segment::create(&dir, through + 1)
                .map_err(|error| StoreError::file("create log segment in", &dir, error))?;
        }
        let families: Vec<Metadata> = {
            let known = self.shared.families.read().unwrap_or_else(PoisonError::into_inner);
            known.values().cloned().collect()
        };
        // Whatever the record holds is in the head as well, and metadata in `families`.
        self.record.clear();
        self.record_since = None;
        self.unsynced_since = None;
        for (day, ids) in self.members() {
            self.seal_day(day, &ids, through, &families)?;
        }
        self.shared.head.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.sealed_at = self.shared.clock.monotonic();
        self.shared.counters.seals.add(1);
        self.shared.tiers.poke();
        log::remove_before(&dir, through + 1)
            .map_err(|error| StoreError::file("remove old log segments in", &dir, error))
    }

    /// Days in the head, each with the ids of the series that have samples on it, ascending.
    fn members(&self) -> BTreeMap<i64, Vec<u32>> {
        let head = self.shared.head.read().unwrap_or_else(PoisonError::into_inner);
        let ids = head.active_ids();
        if let &[only] = head.days().as_slice() {
            return BTreeMap::from([(only, ids)]);
        }
        let mut members: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let (mut packed, mut times, mut bits) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            packed.clear();
            let Some(slice) = head.slice(id, i64::MIN, &mut packed) else { continue };
            times.clear();
            bits.clear();
            slice.floats(&packed, &mut times, &mut bits, |bits| bits);
            times.extend(slice.histograms.iter().map(|sample| sample.0));
            let mut days: Vec<i64> = times.iter().map(|&time| day_of(time)).collect();
            days.sort_unstable();
            days.dedup();
            for day in days {
                members.entry(day).or_default().push(id);
            }
        }
        members
    }

    fn seal_day(
        &self,
        number: i64,
        ids: &[u32],
        log_through: u32,
        families: &[Metadata],
    ) -> Result<(), StoreError> {
        let shared = &self.shared;
        let input =
            SealInput { head: &shared.head, index: &shared.index, ids, log_through, families };
        let known = shared.days_between(number * DAY_MS, number * DAY_MS);
        let day = match known.into_iter().next() {
            Some(day) if day.path.exists() || day.state().seals.is_empty() => day,
            Some(lost) => {
                tracing::error!(path = %lost.path.display(), "day file is gone, its samples are lost");
                shared.counters.files_lost.add(1);
                Arc::new(Day::empty(&shared.settings.dir, number))
            }
            None => Arc::new(Day::empty(&shared.settings.dir, number)),
        };
        let (day, sealed) = match super::day::seal(&day, &input) {
            Ok(sealed) => (day, sealed),
            Err(error) if error.is_damage() => {
                shared.quarantine(&day.path, &error);
                let fresh = Arc::new(Day::empty(&shared.settings.dir, number));
                let sealed = super::day::seal(&fresh, &input)?;
                (fresh, sealed)
            }
            Err(error) => return Err(error),
        };
        sealed.publish(&day);
        shared.days.write().unwrap_or_else(PoisonError::into_inner).insert(number, day);
        Ok(())
    }

    /// Look now and then for days that are past the retention.
    fn retain(&mut self) {
        let now = self.shared.clock.monotonic();
        let due = self.retention_at.is_none_or(|at| now.saturating_sub(at) >= RETENTION_EVERY);
        if due && self.shared.trouble().is_none() {
            self.retention_at = Some(now);
            // Series may get new ids, which must not meet the old ones in one record.
            self.commit(true);
            let elapsed = now.saturating_sub(self.started.1).as_millis() as i64;
            let trusted = self.started.0.saturating_add(elapsed).saturating_add(CLOCK_SLACK_MS);
            retention::apply(&self.shared, self.shared.clock.now_ms().min(trusted));
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.commit(true);
        self.seal()?;
        let days = self.shared.days_between(i64::MIN, i64::MAX);
        days.iter().chain(&self.shared.tiers.all()).for_each(|day| day.close_readers());
        let path = log::segment_path(&self.shared.settings.dir, self.segment.number());
        fs::remove_file(&path).map_err(|error| StoreError::file("remove", &path, error))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A writer that ends by a panic must not leave senders waiting for ever.
        let Work { awaited, .. } = self.shared.queue.shut();
        for (_, reply) in awaited {
            drop(reply.send(Err(SinkError::Closed)));
        }
    }
}
