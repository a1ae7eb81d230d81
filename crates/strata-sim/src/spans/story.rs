//! What became of a request outside the engine, and the ids under which it is told.

use super::{Seen, Witness};
use crate::engine::Reason;
use crate::rng::{self, Rng};

/// Chance that a person goes away while an answer is written, and that a connection breaks then.
/// The engine writes on to the end: it is told late, as proxies in between hold streams.
const LEAVES: f64 = 0.012;
const BREAKS: f64 = 0.003;

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// The whole answer is there; why it ended, in `OpenAI`'s words.
    Answered(&'static str),
    /// The person went away at this second.
    Left(f64),
    /// The stream broke off at this second.
    Broken(f64),
    /// The client hung up before the first token.
    HungUp,
    /// The server refused it.
    Refused,
}

/// A request as its programs will tell of it.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) trace_id: Vec<u8>,
    pub(super) client_span: Vec<u8>,
    pub(super) engine_span: Vec<u8>,
    /// The id in the answer, which is vLLM's own id of the request.
    pub(super) response_id: String,
    /// The conversation.
    pub(super) session: String,
    pub(super) fate: Fate,
    /// Draws for what comes after the answer.
    pub(super) later: Rng,
}

impl Story {
    /// The same for the same request, whatever else happens.
    pub(super) fn of(witness: &Witness, seen: &Seen) -> Self {
        let ask = &seen.ended.ask;
        let turn = rng::hash(&format!("{}/{}", ask.conversation, ask.arrival.to_bits()));
        let mut rng = witness.stream("request", turn);
        let mut trace_id = rng.bits().to_be_bytes().to_vec();
        trace_id.extend(rng.bits().to_be_bytes());
        let [client_span, engine_span] =
            [rng.bits(), rng.bits()].map(|id| id.to_be_bytes().to_vec());
        let response_id = format!("chatcmpl-{:016x}", rng.bits());
        let session = witness.stream("session", ask.conversation).bits();
        let fate = fate(seen, &mut rng);
        Self {
            trace_id,
            client_span,
            engine_span,
            response_id,
            session: format!("{session:016x}"),
            fate,
            later: rng,
        }
    }
}

fn fate(seen: &Seen, rng: &mut Rng) -> Fate {
    let (draw, moment) = (rng.uniform(), rng.uniform());
    let ended = &seen.ended;
    let cut = ended.first_token.map(|first| first + moment * (ended.end - first));
    match (ended.reason, cut) {
        (Reason::Abort, _) => Fate::HungUp,
        (Reason::Error, _) => Fate::Refused,
        (_, Some(at)) if draw < LEAVES => Fate::Left(at),
        (_, Some(at)) if draw < LEAVES + BREAKS => Fate::Broken(at),
        (Reason::Stop, _) => Fate::Answered("stop"),
        (Reason::Length, _) => Fate::Answered("length"),
    }
}
