//! One engine that serves the requests of a trace, second by second: what a scrape would read, and
//! nothing of what comes.

use crate::engine::{Ask, BLOCK, Engine, Limits, Pace};
use crate::hardware::{H100, SMALL};
use crate::trace::{TraceError, TraceRow};

/// Nothing slows it: the limits of the data sheet.
const PACE: Pace =
    Pace { clock: 1.0, memory: 1.0, nvlink: 450e9, host_stretch: 1.0, cpu_quota: 8.0 };

/// What the engine is started with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplayLimits {
    /// Tokens that the KV cache holds; whole blocks of it count.
    pub kv_tokens: u64,
    /// Requests that may run at once.
    pub sequences: usize,
    /// Tokens of a step at most.
    pub batch_tokens: u64,
}

/// What the engine's page says at the end of a second. Counters count from the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReplaySecond {
    /// Seconds since the first request.
    pub at: f64,
    pub running: f64,
    pub waiting: f64,
    /// Tokens that running requests hold, in whole blocks.
    pub pinned: f64,
    pub capacity: f64,
    /// Requests that ended.
    pub finished: f64,
    /// Requests with a first token, and their prompt tokens.
    pub started: f64,
    pub prompt_tokens: f64,
    pub generated: f64,
    /// Gaps between output tokens: seconds in all, and how many.
    pub gap_seconds: f64,
    pub gaps: f64,
    pub preemptions: f64,
}

/// An 8B model on one H100 without a prefix cache, as the trace does not say what prompts share.
pub struct Replay<R> {
    engine: Engine,
    limits: Limits,
    rows: R,
    next: Option<TraceRow>,
    number: u64,
    second: u64,
}

impl<R: Iterator<Item = Result<TraceRow, TraceError>>> Replay<R> {
    pub fn new(limits: ReplayLimits, rows: R) -> Self {
        let mut engine = Engine::new(SMALL, H100, 1.0, limits.kv_tokens / BLOCK);
        engine.kv.set_caching(false, 0.0);
        let limits =
            Limits { sequences: limits.sequences, batch_tokens: limits.batch_tokens.max(1) };
        Self { engine, limits, rows, next: None, number: 0, second: 0 }
    }

    /// Live through one second.
    ///
    /// # Errors
    /// When the trace has a row that is none.
    pub fn second(&mut self) -> Result<ReplaySecond, TraceError> {
        self.second += 1;
        let end = self.second as f64;
        let mut ended = Vec::new();
        while let Some(row) = self.row()? {
            if row.at >= end {
                self.next = Some(row);
                break;
            }
            self.engine.advance(row.at, self.limits, PACE, &mut ended);
            self.number += 1;
            self.engine.accept(ask(self.number, row));
        }
        self.engine.advance(end, self.limits, PACE, &mut ended);
        Ok(self.seen(end))
    }

    fn row(&mut self) -> Result<Option<TraceRow>, TraceError> {
        match self.next.take() {
            Some(row) => Ok(Some(row)),
            None => self.rows.next().transpose(),
        }
    }

    fn seen(&self, at: f64) -> ReplaySecond {
        let (stats, kv) = (&self.engine.stats, &self.engine.kv);
        let capacity = (kv.capacity() * BLOCK) as f64;
        ReplaySecond {
            at,
            running: self.engine.running() as f64,
            waiting: self.engine.waiting() as f64,
            pinned: kv.usage() * capacity,
            capacity,
            finished: stats.ended_in_all() as f64,
            started: stats.ttft.count() as f64,
            prompt_tokens: stats.prompt_tokens as f64,
            generated: stats.generation_tokens as f64,
            gap_seconds: stats.itl.sum(),
            gaps: stats.itl.count() as f64,
            preemptions: stats.preemptions as f64,
        }
    }
}

fn ask(number: u64, row: TraceRow) -> Ask {
    Ask {
        tenant: 0,
        conversation: number,
        arrival: row.at,
        deadline: f64::INFINITY,
        prompt: row.prompt_tokens,
        system: 0,
        natural: row.output_tokens,
        max_tokens: row.output_tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_trace_are_served_and_nothing_is_lost() {
        let rows = (0..200).map(|n| {
            Ok(TraceRow { at: f64::from(n) * 0.05, prompt_tokens: 1000, output_tokens: 100 })
        });
        let limits = ReplayLimits { kv_tokens: 16_384, sequences: 64, batch_tokens: 2048 };
        let mut replay = Replay::new(limits, rows);
        let seconds: Vec<_> = (0..60).map(|_| replay.second().unwrap()).collect();
        let last = seconds[59];
        assert_eq!((last.finished, last.started, last.generated), (200.0, 200.0, 20_000.0));
        assert_eq!((last.running, last.waiting, last.pinned), (0.0, 0.0, 0.0));
        assert_eq!(last.prompt_tokens, 200_000.0);
        assert!(seconds.iter().any(|one| one.waiting > 0.0), "the cache is too large to fill");
        assert!(seconds.iter().all(|one| one.pinned <= one.capacity));
    }
}
