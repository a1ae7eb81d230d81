//! One request seen through several doors: which sightings belong together, and what is believed.
//!
//! Merging is a fold over sightings in a fixed order, so the order of arrival does not matter.

use super::request::{CountSource, Door, RequestRecord};

/// By what two sightings are known to be of one request. Only equal kinds match, and a parent
/// matches the span that it names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JoinKey {
    /// Trace and span id.
    Span(String),
    /// The id in the answer. vLLM's own request id is the same.
    Response(String),
    /// The id in the header.
    Request(String),
}

impl JoinKey {
    /// One text per key: a letter for the kind, then the ids.
    pub fn text(&self) -> String {
        match self {
            Self::Span(id) => format!("s{id}"),
            Self::Response(id) => format!("r{id}"),
            Self::Request(id) => format!("q{id}"),
        }
    }
}

impl RequestRecord {
    /// The keys that are this sighting's own.
    pub fn keys(&self) -> Vec<JoinKey> {
        let mut keys = Vec::new();
        if let (Some(trace), Some(span)) = (&self.trace_id, &self.span_id) {
            keys.push(JoinKey::Span(format!("{trace}{span}")));
        }
        keys.extend(self.response_id.clone().map(JoinKey::Response));
        keys.extend(self.request_id.clone().map(JoinKey::Request));
        keys
    }

    /// The span above it. A sighting of another door whose own key this is may be of the same
    /// request: an engine's span hangs below the span of its client or of the proxy.
    pub fn parent_key(&self) -> Option<JoinKey> {
        let (trace, parent) = self.trace_id.as_ref().zip(self.parent_span_id.as_ref())?;
        Some(JoinKey::Span(format!("{trace}{parent}")))
    }
}

/// Whether two sightings that share a key may be of one request. Two of one door are only when they
/// are the same span, or neither has one: an application's span has many calls below it, and a call
/// that is tried again is two requests.
pub fn joins(a: &RequestRecord, b: &RequestRecord) -> bool {
    if a.door != b.door {
        return true;
    }
    let span = |one: &RequestRecord| one.trace_id.clone().zip(one.span_id.clone());
    match (span(a), span(b)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Clocks of two hosts may differ by so much, microseconds.
const SKEW_US: i64 = 100_000;

/// Whether a proxy and an engine that name the same span above them, and no id that both know, may have
/// seen one request: a proxy passes `traceparent` on as it is, so both hang below the client's span. The
/// engine's time must lie within the proxy's, and their ids not speak against it. Where the client made
/// several calls at once below one span, more than one fits, and nobody can say which.
pub fn siblings(a: &RequestRecord, b: &RequestRecord) -> bool {
    let (proxy, engine) = match (a.door, b.door) {
        (Door::Proxy, Door::Engine) => (a, b),
        (Door::Engine, Door::Proxy) => (b, a),
        _ => return false,
    };
    let above = proxy.parent_key();
    let apart =
        |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    let (Some(proxy_end_us), Some(engine_end_us)) = (proxy.end_us, engine.end_us) else {
        return false;
    };
    above.is_some()
        && above == engine.parent_key()
        // A proxy with a span of its own is itself above the engine.
        && proxy.span_id.is_none()
        && !apart(&proxy.response_id, &engine.response_id)
        && !apart(&proxy.request_id, &engine.request_id)
        && !differ(output(proxy), output(engine))
        && engine.start_us >= proxy.start_us.saturating_sub(SKEW_US)
        && engine_end_us <= proxy_end_us.saturating_add(SKEW_US)
}

/// Tokens of an answer, where they were counted.
fn output(one: &RequestRecord) -> Option<u64> {
    one.tokens.output_text.map(|text| text + one.tokens.reasoning.unwrap_or_default())
}

/// Whether both are known and not the same.
fn differ(a: Option<u64>, b: Option<u64>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// Merge sightings of one request. `None` when there are none.
///
/// The proxy is believed before the client's span, that before the engine's; counts by how they
/// were made; what happens inside the engine and which replica it was, by the engine first.
pub fn merge(sightings: &[RequestRecord]) -> Option<RequestRecord> {
    let mut sorted: Vec<&RequestRecord> = sightings.iter().collect();
    sorted.sort_by_cached_key(|one| order(one));
    let (first, rest) = sorted.split_first()?;
    let mut merged = (*first).clone();
    for one in rest {
        fill(&mut merged, one);
    }
    let counted = |one: &&&RequestRecord| !one.tokens.is_empty();
    // A stable sort: among equals the first door stays first.
    if let Some(best) = sorted.iter().filter(counted).min_by_key(|one| one.count_source) {
        merged.tokens = best.tokens;
        merged.count_source = best.count_source;
        merged.usage_raw.clone_from(&best.usage_raw);
        fill_parts(&mut merged, sorted.iter().filter(counted));
    }
    let engine = sorted.iter().find(|one| one.door == Door::Engine && one.replica.is_some());
    if let Some(engine) = engine {
        merged.replica.clone_from(&engine.replica);
    }
    // A conversation that a program names is worth more than one that was followed from call to call.
    let mut named = sorted.iter().filter(|one| one.door == Door::Client);
    if let Some(conversation) = named.find_map(|one| one.conversation_id.as_ref()) {
        merged.conversation_id = Some(conversation.clone());
    }
    Some(merged)
}

/// A total order that does not depend on arrival: by door, the complete sighting before the
/// incomplete, then by everything else.
fn order(one: &RequestRecord) -> (Door, bool, std::cmp::Reverse<Option<i64>>, String) {
    (one.door, one.end_us.is_none(), std::cmp::Reverse(one.end_us), format!("{one:?}"))
}

/// Take from `other` what `merged` lacks.
fn fill(merged: &mut RequestRecord, other: &RequestRecord) {
    // Ids of one span belong together.
    if merged.trace_id.is_none() || merged.span_id.is_none() {
        merged.trace_id = other.trace_id.clone().or(merged.trace_id.take());
        merged.span_id = other.span_id.clone().or(merged.span_id.take());
        merged.parent_span_id = other.parent_span_id.clone().or(merged.parent_span_id.take());
    }
    let texts = [
        (&mut merged.operation, &other.operation),
        (&mut merged.response_id, &other.response_id),
        (&mut merged.request_id, &other.request_id),
        (&mut merged.conversation_id, &other.conversation_id),
        (&mut merged.tenant, &other.tenant),
        (&mut merged.team, &other.team),
        (&mut merged.app, &other.app),
        (&mut merged.session, &other.session),
        (&mut merged.model_requested, &other.model_requested),
        (&mut merged.model_served, &other.model_served),
        (&mut merged.provider, &other.provider),
        (&mut merged.replica, &other.replica),
        (&mut merged.route, &other.route),
        (&mut merged.finish_reason, &other.finish_reason),
    ];
    for (mine, theirs) in texts {
        if mine.is_none() {
            mine.clone_from(theirs);
        }
    }
    // An end of another clock and another start would make a duration that nobody measured.
    if merged.end_us.is_none() && other.end_us.is_some() && merged.door == other.door {
        merged.end_us = other.end_us;
    }
    for (mine, theirs) in [
        (&mut merged.ttft_us, other.ttft_us),
        (&mut merged.first_visible_us, other.first_visible_us),
        (&mut merged.longest_gap_us, other.longest_gap_us),
        (&mut merged.queue_us, other.queue_us),
        (&mut merged.prefill_us, other.prefill_us),
        (&mut merged.decode_us, other.decode_us),
    ] {
        *mine = mine.or(theirs);
    }
    merged.stalls = merged.stalls.or(other.stalls);
    merged.streamed = merged.streamed.or(other.streamed);
    if merged.outcome.is_none() {
        merged.outcome.clone_from(&other.outcome);
    }
}

/// Parts that only a second report of the same total knows, such as what the cache supplied: taken
/// when both agree on what is left of the whole.
fn fill_parts<'a>(merged: &mut RequestRecord, others: impl Iterator<Item = &'a &'a RequestRecord>) {
    for other in others {
        let (mine, theirs) = (&mut merged.tokens, &other.tokens);
        let whole = |t: &super::TokenBuckets| {
            t.fresh_input.map(|fresh| {
                fresh
                    + t.cache_read.unwrap_or(0)
                    + t.cache_write.unwrap_or(0)
                    + t.image.unwrap_or(0)
            })
        };
        let unsplit = mine.cache_read.is_none() && mine.cache_write.is_none();
        if unsplit && theirs.cache_read.is_some() && whole(mine) == whole(theirs) {
            mine.fresh_input = theirs.fresh_input;
            mine.cache_read = theirs.cache_read;
            mine.cache_write = theirs.cache_write;
        }
    }
    if merged.tokens.is_empty() {
        merged.count_source = CountSource::None;
    }
}
