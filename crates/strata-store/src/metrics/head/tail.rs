//! The last minutes of what was sealed, kept in memory.
//!
//! A page of now asks for windows of five or ten minutes. Just after a seal these reach back over
//! it; without the tail each of a fleet's series would be unpacked from disk for a few samples.

use super::chunk::State;
use super::pool::{Chain, Place, Pool};
use super::{HeadSeries, RESTART, Restart};

/// How far behind the newest sample of the head a tail reaches, where so many samples are at hand.
pub(super) const TAIL_MS: i64 = 15 * 60_000;
/// Memory for all tails; series that find no room are read from disk as ever.
const TAIL_BYTES: usize = 128 << 20;

/// Sealed samples of the series, by id, that are in memory still.
#[derive(Default)]
pub(super) struct Tails {
    series: Vec<Tail>,
    pool: Pool,
}

/// Of one series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    /// Nothing of the series on disk that is newer than this is missing here.
    since: i64,
    /// What the chain goes on from.
    pub(super) state: State,
    chain: Chain,
    /// Samples in the chain.
    pub(super) count: u32,
}

impl Default for Tail {
    fn default() -> Self {
        let (state, chain) = (State::default(), Chain::default());
        Self { since: i64::MAX, state, chain, count: 0 }
    }
}

impl Tails {
    /// Tails of series with ids below `count`, none of them filled.
    pub(super) fn over(count: usize) -> Self {
        Self { series: vec![Tail::default(); count], pool: Pool::default() }
    }

    /// Keep the end of the series, whose samples since its last seal lie in `pool`, in time order
    /// and with no others: everything from `from_ms` on, or as far back as it can be unpacked from.
    pub(super) fn keep(&mut self, id: u32, series: &HeadSeries, pool: &Pool, from_ms: i64) {
        let wanted = series.count > 0 && series.state.last_time >= from_ms;
        let full = self.pool.used_bytes() >= TAIL_BYTES;
        let Some(tail) = self.series.get_mut(id as usize).filter(|_| wanted && !full) else {
            return;
        };
        let known = series.restarts.iter().filter(|restart| restart.count > 0);
        let far = known.clone().rev().find(|restart| restart.state.last_time < from_ms);
        // Its whole chain where that is hardly longer.
        let oldest = known.clone().next().filter(|oldest| oldest.count > RESTART);
        let restart = far.or(oldest).copied().unwrap_or_default();
        let mut bytes = Vec::new();
        pool.read(series.chain, restart.place, &mut bytes);
        self.pool.append(&mut tail.chain, &bytes);
        tail.count = series.count - restart.count;
        tail.state = restart.state;
        tail.since = match restart {
            Restart { count: 0, .. } => series.sealed_until,
            Restart { state, .. } => state.last_time,
        };
    }

    /// The tail of a series, where it holds all that was sealed from this time on.
    pub(super) fn covering(&self, id: u32, from_ms: i64) -> Option<&Tail> {
        self.series.get(id as usize).filter(|tail| tail.since < from_ms && tail.count > 0)
    }

    /// Copy the bytes of a tail to the end of `out`.
    pub(super) fn read(&self, tail: &Tail, out: &mut Vec<u8>) {
        self.pool.read(tail.chain, Place::default(), out);
    }

    /// Give every tail its series' new id.
    pub(super) fn rename(&mut self, new: impl Fn(u32) -> Option<u32>, count: usize) {
        let mut series = vec![Tail::default(); count];
        for (id, old) in self.series.iter().enumerate() {
            if let Some(place) = new(id as u32).and_then(|id| series.get_mut(id as usize)) {
                *place = *old;
            }
        }
        self.series = series;
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.pool.bytes() + self.series.len() * size_of::<Tail>()
    }
}
