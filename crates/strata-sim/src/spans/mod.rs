//! What the programs of the cluster tell of single requests: spans of instrumented clients by
//! OpenTelemetry's GenAI conventions, vLLM's own spans, and what people think of answers. Never
//! what was asked or answered.

mod attributes;
mod client;
mod engine;
mod opinion;
mod story;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

pub use opinion::Opinion;

use crate::engine::Ended;
use crate::rng;
use crate::sim::Sim;
use story::Story;

/// Requests that wait to be told. When nobody asks, the oldest are forgotten.
const WAITING_MAX: usize = 1 << 18;

/// A request that ended, and where.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ended: Ended,
    replica: usize,
    /// Seconds on the way, there and back.
    way: f64,
    /// Share of the conversations that were told of when it ended.
    share: f64,
}

/// Requests that will be told of.
#[derive(Debug)]
pub(crate) struct Witness {
    seed: u64,
    start_ms: i64,
    /// Share of conversations; nothing is kept at 0.
    share: f64,
    /// Requests that came before (seconds since the simulation began) are not told.
    since: f64,
    waiting: VecDeque<Seen>,
    opinions: BTreeMap<(i64, String), Opinion>,
}

impl Witness {
    pub(crate) fn new(seed: u64, start_ms: i64) -> Self {
        let (waiting, opinions) = (VecDeque::new(), BTreeMap::new());
        Self { seed, start_ms, share: 0.0, since: 0.0, waiting, opinions }
    }

    /// A request ended at a replica.
    pub(crate) fn see(&mut self, ended: &Ended, replica: usize, way: f64) {
        if ended.ask.arrival < self.since || !self.is_told(ended.ask.conversation) {
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Seen { ended: *ended, replica, way, share: self.share });
    }

    /// Whole conversations are told or not, whatever the order in which they end.
    fn is_told(&self, conversation: u64) -> bool {
        self.share >= 1.0
            || (self.share > 0.0 && self.stream("sample", conversation).uniform() < self.share)
    }

    /// Randomness for what is about this number alone: one request more changes nothing of the
    /// others. Simulations that begin at other times have other ids.
    fn stream(&self, about: &str, number: u64) -> rng::Rng {
        rng::Rng::of(self.seed, &format!("{about}/{}/{number}", self.start_ms))
    }

    /// Nanoseconds since the Unix epoch.
    fn nanos(&self, seconds: f64) -> u64 {
        let since_start = (seconds * 1e9).round() as i64;
        u64::try_from(self.start_ms * 1_000_000 + since_start).unwrap_or(0)
    }
}

/// Spans of programs: each tells for itself.
#[derive(Default)]
struct Programs {
    /// By tenant and by the share (its bits) that is told.
    clients: BTreeMap<(usize, u64), Vec<Span>>,
    engines: BTreeMap<(usize, u64), Vec<Span>>,
}

impl Sim {
    /// Tell of requests that come at `since_ms` (milliseconds since the Unix epoch) or later, of
    /// this share of the conversations (1: of all). What was to be told already stays.
    pub fn tell_requests(&mut self, share: f64, since_ms: i64) {
        self.witness.share = share;
        self.witness.since = (since_ms - self.start_ms) as f64 / 1000.0;
    }

    /// The requests that ended last and were not told yet, at most so many, as the body of an OTLP export: an
    /// `ExportTraceServiceRequest` in protobuf, as a Collector would send it on. `None` when all is
    /// told.
    pub fn export_spans(&mut self, most: usize) -> Option<Vec<u8>> {
        let older = self.witness.waiting.len().saturating_sub(most);
        let seen: Vec<Seen> = self.witness.waiting.drain(older..).collect();
        let mut programs = Programs::default();
        for one in &seen {
            let story = Story::of(&self.witness, one);
            let Some((place, _)) = self.tenants.get(one.ended.ask.tenant) else { continue };
            let share = one.share.to_bits();
            let client = client::span(&self.witness, one, &story, place);
            programs.clients.entry((one.ended.ask.tenant, share)).or_default().push(client);
            if let Some(span) = engine::span(&self.witness, one, &story) {
                programs.engines.entry((one.replica, share)).or_default().push(span);
            }
            if let Some(opinion) = opinion::of(&self.witness, one, &story, place) {
                let key = (opinion.at_ms, opinion.response_id.clone());
                self.witness.opinions.insert(key, opinion);
            }
        }
        (!seen.is_empty()).then(|| self.body(programs))
    }

    /// Opinions that people have given by now and that were not told yet, in order of time.
    pub fn take_opinions(&mut self) -> Vec<Opinion> {
        let later = self.witness.opinions.split_off(&(self.now_ms() + 1, String::new()));
        std::mem::replace(&mut self.witness.opinions, later).into_values().collect()
    }

    fn body(&self, programs: Programs) -> Vec<u8> {
        let clients = programs.clients.into_iter().filter_map(|((tenant, share), spans)| {
            let (place, _) = self.tenants.get(tenant)?;
            let about = client::resource(place, f64::from_bits(share));
            Some(resource_spans(about, client::SCOPE, spans))
        });
        let engines = programs.engines.into_iter().filter_map(|((replica, share), spans)| {
            let place = self.layout.replicas.get(replica)?;
            let node = self.layout.nodes.get(place.node)?;
            let about = engine::resource(place, node, f64::from_bits(share));
            Some(resource_spans(about, engine::SCOPE, spans))
        });
        let resource_spans = clients.chain(engines).collect();
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

fn resource_spans(about: attributes::List, scope: &str, spans: Vec<Span>) -> ResourceSpans {
    let resource = Resource { attributes: about.0, ..Resource::default() };
    let scope = attributes::scope(scope);
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }
}
