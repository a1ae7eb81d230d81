//! A replica: an engine at its place, with the parameters it runs with.

use crate::engine::{Activity, Engine, Limits};
use crate::hardware::H100;
use crate::knob::{Knobs, ReplicaKnob};
use crate::layout::{self, ReplicaPlace, SERVED};

/// An engine and what surrounds it.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) served: usize,
    pub(crate) node: usize,
    pub(crate) gpus: Vec<usize>,
    pub(crate) knobs: Knobs,
    pub(crate) engine: Engine,
    /// Bytes of requests and answers of the tick.
    pub(crate) received: f64,
    pub(crate) sent: f64,
}

impl Replica {
    pub(crate) fn new(place: &ReplicaPlace) -> Self {
        let served = &SERVED[place.served];
        let knobs = Knobs::new(layout::replica_defaults(served));
        let blocks = knobs.get(ReplicaKnob::KvBlocks) as u64;
        Self {
            served: place.served,
            node: place.node,
            gpus: place.gpus.clone(),
            knobs,
            engine: Engine::new(served.shape, H100, served.tp as f64, blocks),
            received: 0.0,
            sent: 0.0,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            sequences: self.knobs.get(ReplicaKnob::MaxSeqs) as usize,
            batch_tokens: self.knobs.get(ReplicaKnob::BatchTokens) as u64,
        }
    }

    /// Bring the engine to what its parameters say now.
    pub(crate) fn configure(&mut self, now: f64) {
        let blocks = self.knobs.get(ReplicaKnob::KvBlocks) as u64;
        if blocks != self.engine.kv.capacity() {
            self.engine.kv.set_capacity(blocks, now);
        }
        let caching = self.knobs.get(ReplicaKnob::PrefixCaching) >= 0.5;
        if caching != self.engine.kv.is_caching() {
            self.engine.kv.set_caching(caching, now);
        }
    }

    /// Take what was worked, at most `seconds` of it: a step that ended in this tick may have begun
    /// in the one before, and the rest of its work belongs to the next.
    pub(crate) fn take_activity(&mut self, seconds: f64) -> Activity {
        let all = &mut self.engine.activity;
        let part = if all.busy > seconds { seconds / all.busy } else { 1.0 };
        let taken = Activity {
            busy: all.busy * part,
            compute: all.compute * part,
            memory: all.memory * part,
            link_bytes: all.link_bytes * part,
            cpu: all.cpu,
            prompt_tokens: all.prompt_tokens,
            output_tokens: all.output_tokens,
        };
        *all = Activity {
            busy: all.busy - taken.busy,
            compute: all.compute - taken.compute,
            memory: all.memory - taken.memory,
            link_bytes: all.link_bytes - taken.link_bytes,
            ..Activity::default()
        };
        taken
    }
}
