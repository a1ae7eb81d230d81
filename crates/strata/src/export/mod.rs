//! Captured calls as examples to train on, chosen by what was thought of their answers.
//!
//! Read from the files and not from a running server: whoever may export content is whoever may read
//! the directory it lies in.

mod chosen;
mod judged;
mod lines;
mod pairs;
mod talk;
#[cfg(test)]
mod tests;
mod thread;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;
use strata_model::Clock;
use strata_model::record::RequestRecord;
use strata_store::{ContentStore, Exchange, Found, Gap, RecordReader};

pub(crate) use chosen::{Chosen, record_of};
pub(crate) use judged::{Terms, Verdict};
pub(crate) use lines::Format;
use lines::Lines;
use talk::{Talk, Unfit};
use thread::Threads;

/// What is exported.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Calls that began within it, microseconds since the Unix epoch.
    pub(crate) range_us: Range<i64>,
    pub(crate) chosen: Chosen,
    pub(crate) terms: Terms,
    pub(crate) format: Format,
    /// With what the model thought.
    pub(crate) reasoning: bool,
}

/// What became of the calls. Every call that was read is counted once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) written: u64,
    /// Calls that were not asked for.
    pub(crate) not_chosen: u64,
    /// Nobody judged them, or not in the terms asked for.
    pub(crate) unjudged: u64,
    /// Judged otherwise than asked for: bad ones of examples, those without a partner of pairs.
    pub(crate) otherwise: u64,
    /// Judged good and bad.
    pub(crate) disputed: u64,
    /// The same example again.
    pub(crate) repeated: u64,
    pub(crate) unfit: BTreeMap<Unfit, u64>,
    /// Calls of captured routes that were not kept, by reason.
    pub(crate) gaps: BTreeMap<String, u64>,
    /// Segments with bytes that cannot be read.
    pub(crate) torn: u64,
}

/// Where content and records lie.
pub(crate) struct Shelves {
    content: ContentStore,
    records: RecordReader,
    clock: Arc<dyn Clock>,
}

/// A call that was read and is asked for, with what was thought of it.
pub(crate) struct Known {
    pub(crate) exchange: Exchange,
    pub(crate) verdict: Verdict,
    /// When its answer was there, microseconds since the Unix epoch, where its record says.
    pub(crate) ended_us: Option<i64>,
    /// The conversation that its record names.
    pub(crate) conversation: Option<String>,
}

impl Shelves {
    /// Content and records in these directories.
    pub(crate) fn open(content: &Path, records: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let reader = RecordReader::open(records, Arc::clone(&clock))
            .with_context(|| format!("cannot read the records in {}", records.display()))?;
        let content = ContentStore::at(content, Arc::clone(&clock));
        Ok(Self { content, records: reader, clock })
    }

    /// Go through the calls that are asked for, oldest segments first, and count the others.
    fn each(
        &self,
        asked: &Asked,
        tally: &mut Tally,
        take: &mut dyn FnMut(&mut Tally, Known) -> Result<()>,
    ) -> Result<()> {
        let judged = judged::Judged::load(&self.records, asked.range_us.start, &*self.clock)?;
        let (mut failed, mut threads) = (None, Threads::default());
        let route = asked.chosen.route.as_deref();
        let mut one = |found: Found| {
            if failed.is_some() {
                return;
            }
            match found {
                Found::Gap(gap) if asked.range_us.contains(&gap.at_us) => tally.gap(gap),
                Found::Gap(_) => {}
                Found::Exchange(mut exchange) => {
                    threads.complete(&mut exchange);
                    if !asked.range_us.contains(&exchange.start_us) {
                        return;
                    }
                    tally.read += 1;
                    let known = self.known(asked, &judged, *exchange);
                    failed = match known {
                        Ok(Some(known)) => take(tally, known).err(),
                        Ok(None) => {
                            tally.not_chosen += 1;
                            None
                        }
                        Err(error) => Some(error),
                    };
                }
            }
        };
        // What is asked for may go on from what is older.
        let seen = self.content.visit(&(i64::MIN..asked.range_us.end), route, &mut one)?;
        tally.torn = seen.torn;
        failed.map_or(Ok(()), Err)
    }

    fn known(
        &self,
        asked: &Asked,
        judged: &judged::Judged,
        exchange: Exchange,
    ) -> Result<Option<Known>> {
        if !asked.chosen.takes(&exchange) {
            return Ok(None);
        }
        let record = record_of(&self.records, &exchange)?;
        if !asked.chosen.takes_record(record.as_ref()) {
            return Ok(None);
        }
        let verdict = match &record {
            Some(record) => judged.of(&record.uid, &asked.terms),
            None => Verdict::Unjudged,
        };
        let record = record.as_ref().map(|stored| &stored.record);
        let took_us = record.and_then(RequestRecord::duration_us);
        let ended_us = took_us.map(|took_us| exchange.start_us.saturating_add(took_us));
        let conversation = record.and_then(|record| record.conversation_id.clone());
        Ok(Some(Known { exchange, verdict, ended_us, conversation }))
    }

    /// Examples for supervised training: calls whose answers were judged good.
    ///
    /// # Errors
    /// When something cannot be read, or `write` fails.
    pub(crate) fn sft(
        &self,
        asked: &Asked,
        write: &mut dyn FnMut(&Value) -> Result<()>,
    ) -> Result<Tally> {
        let (mut tally, mut lines) = (Tally::default(), Lines::new(write));
        self.each(asked, &mut tally, &mut |tally, known| {
            match known.verdict {
                Verdict::Good => {}
                Verdict::Bad => tally.otherwise += 1,
                Verdict::Disputed => tally.disputed += 1,
                Verdict::Unjudged => tally.unjudged += 1,
            }
            if known.verdict != Verdict::Good {
                return Ok(());
            }
            let told = Talk::of(&known.exchange, asked.reasoning)
                .and_then(|talk| lines::example(&talk, asked.format));
            lines.put(told, tally)
        })?;
        Ok(tally)
    }

    /// Pairs for preference training.
    ///
    /// # Errors
    /// When something cannot be read, or `write` fails.
    pub(crate) fn dpo(
        &self,
        asked: &Asked,
        write: &mut dyn FnMut(&Value) -> Result<()>,
    ) -> Result<Tally> {
        pairs::dpo(self, asked, write)
    }
}

impl Tally {
    fn gap(&mut self, gap: Gap) {
        *self.gaps.entry(gap.reason).or_default() += gap.count;
    }
}

/// A sum by which equal texts are known within this process.
fn sum_of(text: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
