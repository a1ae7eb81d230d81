//! The thread that writes: everything that waits goes into one transaction per day.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use strata_model::meter::{Counter, Meter};
use strata_model::record::{Feedback, RecordBatch, RecordReceipt, RequestRecord, SpanRecord};
use strata_model::sink::SinkError;
use tokio::sync::{mpsc, oneshot};

use super::day::{self, Put};
use super::error::RecordStoreError;
use super::feedback::{self, Open};
use super::files::{DAY_US, Files, MIDNIGHT_US, day_of_us};
use super::rollup::{self, Deltas};

/// Batches that wait.
const QUEUE: usize = 1_024;
/// Memory of the batches that wait.
const QUEUE_BYTES: usize = 64 << 20;
/// Batches of one transaction; more would make the first of them wait for long.
const TOGETHER: usize = 64;
/// Files open for writing: today, and yesterday's late comers.
const OPEN_FILES: usize = 4;
/// Clocks of senders differ; further in the future nothing is taken.
const FUTURE_US: i64 = 600_000_000;

type Answer = Result<RecordReceipt, SinkError>;
type Job = (RecordBatch, usize, oneshot::Sender<Answer>);

/// The way to the thread.
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    queued: Arc<AtomicUsize>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(files: Arc<Files>, meter: &Meter) -> Result<Self, RecordStoreError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let queued = Arc::new(AtomicUsize::new(0));
        let pen = Pen {
            open: Open::load(&files)?,
            files,
            days: BTreeMap::new(),
            stored: meter.counter("strata.records.stored", &[]),
            refused: meter.counter("strata.records.refused", &[]),
            swept_day: i64::MIN,
        };
        let counting = Arc::clone(&queued);
        let thread = std::thread::Builder::new()
            .name("strata-records".to_owned())
            .spawn(move || pen.run(receiver, &counting))
            .map_err(RecordStoreError::Thread)?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { queue: Mutex::new(Some(sender)), queued, thread })
    }

    pub(super) async fn append(&self, batch: RecordBatch) -> Answer {
        let bytes = batch.weight();
        let (sender, answer) = oneshot::channel();
        {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(queue) = queue.as_ref() else { return Err(SinkError::Closed) };
            let queued_bytes = self.queued.load(Ordering::Relaxed);
            // One batch is always taken, whatever its size: its receiver has bounded it.
            if queued_bytes > 0 && queued_bytes + bytes > QUEUE_BYTES {
                return Err(SinkError::Overloaded { queued_bytes });
            }
            queue
                .try_send((batch, bytes, sender))
                .map_err(|_full| SinkError::Overloaded { queued_bytes })?;
            self.queued.fetch_add(bytes, Ordering::Relaxed);
        }
        answer.await.unwrap_or(Err(SinkError::Closed))
    }

    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes records panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// A file open for writing, with the counts that bound it.
struct Day {
    connection: Connection,
    requests: u64,
    spans: u64,
    feedback: u64,
}

/// What the thread holds.
struct Pen {
    files: Arc<Files>,
    days: BTreeMap<i64, Day>,
    open: Open,
    stored: Counter,
    refused: Counter,
    swept_day: i64,
}

/// Records of one day, each with the number of its job.
#[derive(Default)]
struct Work {
    requests: Vec<(usize, RequestRecord)>,
    spans: Vec<(usize, SpanRecord)>,
    feedback: Vec<(usize, Feedback)>,
}

impl Pen {
    fn run(mut self, mut queue: mpsc::Receiver<Job>, queued: &AtomicUsize) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < TOGETHER
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            let (mut batches, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
            for (batch, weight, answer) in jobs {
                batches.push(batch);
                answers.push(answer);
                bytes += weight;
            }
            let result = self.write(batches);
            queued.fetch_sub(bytes, Ordering::Relaxed);
            for (index, answer) in answers.into_iter().enumerate() {
                let one = match &result {
                    Ok(receipts) => Ok(receipts.get(index).copied().unwrap_or_default()),
                    Err(error) => Err(SinkError::Storage { reason: error.to_string() }),
                };
                // A sender that went away does not want to know.
                drop(answer.send(one));
            }
            self.sweep();
        }
    }

    /// Once a day remove what is too old.
    fn sweep(&mut self) {
        let today = day_of_us(self.files.clock.now_ms().saturating_mul(1_000));
        if self.swept_day != today {
            self.swept_day = today;
            let oldest = day_of_us(self.files.oldest_us());
            self.days.retain(|day, _| *day >= oldest);
            self.files.remove_old();
            let files = Arc::clone(&self.files);
            self.days.retain(|day, _| files.has(*day));
        }
    }

    fn write(&mut self, batches: Vec<RecordBatch>) -> Result<Vec<RecordReceipt>, RecordStoreError> {
        let mut receipts = vec![RecordReceipt::default(); batches.len()];
        let mut work: BTreeMap<i64, Work> = BTreeMap::new();
        let now_us = self.files.clock.now_ms().saturating_mul(1_000);
        let range = self.files.oldest_us()..now_us.saturating_add(FUTURE_US);
        let place = |at_us: i64, receipt: &mut RecordReceipt| {
            if at_us < range.start {
                receipt.too_old += 1;
            } else if at_us >= range.end {
                receipt.too_new += 1;
            }
            range.contains(&at_us).then(|| day_of_us(at_us))
        };
        for ((index, batch), receipt) in batches.into_iter().enumerate().zip(&mut receipts) {
            for one in batch.requests {
                let Some(day) = place(one.start_us, receipt) else { continue };
                let day = self.across_midnight(day, &one)?;
                work.entry(day).or_default().requests.push((index, one));
            }
            for one in batch.spans {
                if let Some(day) = place(one.start_us, receipt) {
                    work.entry(day).or_default().spans.push((index, one));
                }
            }
            for one in batch.feedback {
                if let Some(day) = place(one.at_us, receipt) {
                    work.entry(day).or_default().feedback.push((index, one));
                }
            }
        }
        for (day, work) in work {
            self.transaction(day, work, &mut receipts)?;
        }
        for receipt in &receipts {
            self.stored.add(receipt.stored);
            self.refused.add(receipt.refused());
        }
        Ok(receipts)
    }

    /// The day whose file knows this request already, looking over midnight when it is near.
    fn across_midnight(&mut self, day: i64, one: &RequestRecord) -> Result<i64, RecordStoreError> {
        let since = one.start_us.rem_euclid(DAY_US);
        let neighbour = if since < MIDNIGHT_US {
            day - 1
        } else if since >= DAY_US - MIDNIGHT_US {
            day + 1
        } else {
            return Ok(day);
        };
        let there = self.files.has(neighbour)
            && self.files.read(neighbour, |connection| day::knows(connection, one))?;
        Ok(if there { neighbour } else { day })
    }

    fn day(&mut self, day: i64) -> Result<&mut Day, RecordStoreError> {
        while self.days.len() >= OPEN_FILES && !self.days.contains_key(&day) {
            self.days.pop_first();
        }
        match self.days.entry(day) {
            std::collections::btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(slot) => {
                let connection = self.files.writer(day)?;
                let count = |table: &str| {
                    connection
                        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                            row.get(0).map(|count: i64| u64::try_from(count).unwrap_or(0))
                        })
                        .map_err(|source| failed(&self.files, day, source))
                };
                let (requests, spans, feedback) =
                    (count("request")?, count("span")?, count("feedback")?);
                Ok(slot.insert(Day { connection, requests, spans, feedback }))
            }
        }
    }

    fn transaction(
        &mut self,
        number: i64,
        work: Work,
        receipts: &mut [RecordReceipt],
    ) -> Result<(), RecordStoreError> {
        let max = self.files.settings.day_records_max;
        let files = Arc::clone(&self.files);
        let fail = |source| failed(&files, number, source);
        let about: Vec<_> =
            work.feedback.iter().map(|(_, one)| self.find(one)).collect::<Result<_, _>>()?;
        let mut waiting = Vec::new();
        self.day(number)?;
        let Some(day) = self.days.get_mut(&number) else { return Ok(()) };
        let transaction = day.connection.transaction().map_err(fail)?;
        let mut deltas = Deltas::default();
        for (index, one) in work.requests {
            let Some(receipt) = receipts.get_mut(index) else { continue };
            if day.requests >= max {
                receipt.over_limit += 1;
                continue;
            }
            waiting.extend(self.open.waiting(&one));
            match day::put(&transaction, one, &mut deltas).map_err(fail)? {
                Put::New(_) => {
                    receipt.stored += 1;
                    day.requests += 1;
                }
                Put::Joined(_) => receipt.joined += 1,
            }
        }
        rollup::apply(&transaction, number, deltas).map_err(fail)?;
        // Judgements of the same file are joined in the same transaction, others after it.
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(feedback_day, _)| *feedback_day == number);
        join_here(&transaction, number, &here).map_err(fail)?;
        for (index, one) in work.spans {
            let Some(receipt) = receipts.get_mut(index) else { continue };
            if day.spans >= max {
                receipt.over_limit += 1;
                continue;
            }
            let new = day::put_span(&transaction, &one).map_err(fail)?;
            *(if new { &mut receipt.stored } else { &mut receipt.joined }) += 1;
            day.spans += u64::from(new);
        }
        for ((index, one), about) in work.feedback.into_iter().zip(about) {
            let Some(receipt) = receipts.get_mut(index) else { continue };
            if day.feedback >= max {
                receipt.over_limit += 1;
                continue;
            }
            let about = match about {
                Some(about) => Some(about),
                // Its request may have come just before, in this transaction.
                None => feedback::about_target(&transaction, number, &one).map_err(fail)?,
            };
            let about = about.as_ref();
            let new = feedback::put(&transaction, number, &one, about, &mut self.open);
            let new = new.map_err(fail)?;
            *(if new { &mut receipt.stored } else { &mut receipt.joined }) += 1;
            day.feedback += u64::from(new);
        }
        transaction.commit().map_err(fail)?;
        for (_, key) in here {
            self.open.joined(key, number);
        }
        for (feedback_day, key) in elsewhere {
            self.tell(number, feedback_day, key)?;
        }
        Ok(())
    }

    /// The request a judgement is about, looking through the days from the latest.
    fn find(&self, one: &Feedback) -> Result<Option<feedback::About>, RecordStoreError> {
        let Some(text) = feedback::key_of(&one.target) else { return Ok(None) };
        let key = super::row::hash(&text);
        for day in self.files.days(&(0..i64::MAX)) {
            let about = self.files.read(day, |c| feedback::about(c, day, key))?;
            if about.is_some() {
                return Ok(about);
            }
        }
        Ok(None)
    }

    /// A request came for which judgements wait.
    fn tell(&mut self, day: i64, feedback_day: i64, key: i64) -> Result<(), RecordStoreError> {
        let about = self.files.read(day, |c| feedback::about(c, day, key))?;
        let Some(about) = about else { return Ok(()) };
        let files = Arc::clone(&self.files);
        let there = self.day(feedback_day)?;
        feedback::join(&there.connection, key, &about)
            .map_err(|source| failed(&files, feedback_day, source))?;
        self.open.joined(key, feedback_day);
        Ok(())
    }
}

/// Tell judgements what they are about, in the transaction that brought it.
fn join_here(connection: &Connection, day: i64, here: &[(i64, i64)]) -> rusqlite::Result<()> {
    for (_, key) in here {
        if let Some(about) = feedback::about(connection, day, *key)? {
            feedback::join(connection, *key, &about)?;
        }
    }
    Ok(())
}

fn failed(files: &Files, day: i64, source: rusqlite::Error) -> RecordStoreError {
    RecordStoreError::Database { action: "write", path: files.path(day), source }
}
