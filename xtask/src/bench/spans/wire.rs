//! Trace requests as an OpenTelemetry SDK sends them: OTLP protobuf, written by a plain encoder of the
//! fields that are needed.

use fastrand::Rng;

use crate::bench::wire::{field, varint};

/// Spans of one body: what SDKs export together.
pub(crate) const SPANS_PER_BODY: usize = 512;
/// Teams, tenants and models of the made-up calls.
const TEAMS: u32 = 20;
const TENANTS: u32 = 5;
const MODELS: u32 = 5;

/// One attribute's value.
enum Value<'a> {
    Text(&'a str),
    Whole(i64),
    Real(f64),
}

/// Which spans a trace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The handler, the call to the model, and the HTTP request under it.
    Traces,
    /// The call to the model alone.
    Calls,
}

/// Bodies without end; the same for the same seed.
pub(crate) struct Traces {
    random: Rng,
    shape: Shape,
}

impl Traces {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), shape }
    }

    /// A body of `count` spans, a whole number of traces, of one service; `starts` gives each trace's
    /// beginning, nanoseconds since the Unix epoch.
    pub(crate) fn body(
        &mut self,
        count: usize,
        mut starts: impl FnMut(&mut Rng) -> u64,
    ) -> Vec<u8> {
        let team = format!("team{}", self.random.u32(0..TEAMS));
        let tenant = format!("tenant{}", self.random.u32(0..TENANTS));
        let mut resource = Vec::new();
        for (name, value) in [
            ("telemetry.sdk.language", "python"),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.version", "1.45.2"),
            ("service.name", "assistant"),
            ("team.id", &team),
            ("tenant.id", &tenant),
        ] {
            attribute(&mut resource, 0x0a, name, &Value::Text(value));
        }
        let mut scope = Vec::new();
        field(&mut scope, 0x0a, b"opentelemetry.instrumentation.openai_v2");
        let mut spans = Vec::new();
        field(&mut spans, 0x0a, &scope);
        let in_trace = if self.shape == Shape::Traces { 3 } else { 1 };
        for _ in 0..count / in_trace {
            let start = starts(&mut self.random);
            self.trace(&mut spans, start);
        }
        let mut about = Vec::new();
        field(&mut about, 0x0a, &resource);
        field(&mut about, 0x12, &spans);
        let mut body = Vec::new();
        field(&mut body, 0x0a, &about);
        body
    }

    fn trace(&mut self, spans: &mut Vec<u8>, start: u64) {
        let trace = self.random.u128(..).to_be_bytes();
        let ids = [0; 3].map(|_: u64| self.random.u64(..).to_be_bytes());
        // Most calls take a second or two, few half a minute.
        let took = 200_000_000 + (self.random.f64().powi(4) * 30e9) as u64;
        if self.shape == Shape::Traces {
            let mut handler = span(&trace, &ids[0], None, ("POST /ask", 2));
            times(&mut handler, start - 1_000_000, start + took + 1_000_000);
            http(&mut handler, "/ask");
            field(spans, 0x12, &handler);
        }
        let parent = (self.shape == Shape::Traces).then_some(&ids[0]);
        let mut call = span(&trace, &ids[1], parent, ("chat model", 3));
        times(&mut call, start, start + took);
        self.call(&mut call);
        field(spans, 0x12, &call);
        if self.shape == Shape::Traces {
            let mut request = span(&trace, &ids[2], Some(&ids[1]), ("POST", 3));
            times(&mut request, start + 500_000, start + took - 500_000);
            http(&mut request, "/v1/chat/completions");
            field(spans, 0x12, &request);
        }
    }

    /// What `OpenAI`'s instrumentation says of a call.
    fn call(&mut self, call: &mut Vec<u8>) {
        let model = format!("model{}", self.random.u32(0..MODELS));
        let id = format!("chatcmpl-{:024x}", self.random.u128(..) >> 32);
        let (input, output) = (self.random.i64(10..8_000), self.random.i64(1..800));
        for (name, value) in [
            ("gen_ai.operation.name", Value::Text("chat")),
            ("gen_ai.provider.name", Value::Text("openai")),
            ("gen_ai.request.model", Value::Text(&model)),
            ("gen_ai.request.temperature", Value::Real(0.7)),
            ("gen_ai.request.max_tokens", Value::Whole(1_024)),
            ("server.address", Value::Text("engine.example")),
            ("server.port", Value::Whole(8_000)),
            ("gen_ai.response.model", Value::Text(&model)),
            ("gen_ai.response.id", Value::Text(&id)),
            ("gen_ai.usage.input_tokens", Value::Whole(input)),
            ("gen_ai.usage.output_tokens", Value::Whole(output)),
        ] {
            attribute(call, 0x4a, name, &value);
        }
    }
}

fn http(span: &mut Vec<u8>, path: &str) {
    for (name, value) in [
        ("http.request.method", Value::Text("POST")),
        ("url.path", Value::Text(path)),
        ("http.response.status_code", Value::Whole(200)),
        ("network.protocol.version", Value::Text("1.1")),
    ] {
        attribute(span, 0x4a, name, &value);
    }
}

fn span(trace: &[u8], id: &[u8], parent: Option<&[u8; 8]>, (name, kind): (&str, u8)) -> Vec<u8> {
    let mut span = Vec::with_capacity(640);
    field(&mut span, 0x0a, trace);
    field(&mut span, 0x12, id);
    if let Some(parent) = parent {
        field(&mut span, 0x22, parent);
    }
    field(&mut span, 0x2a, name.as_bytes());
    span.extend_from_slice(&[0x30, kind]);
    span
}

fn times(span: &mut Vec<u8>, start: u64, end: u64) {
    span.push(0x39);
    span.extend_from_slice(&start.to_le_bytes());
    span.push(0x41);
    span.extend_from_slice(&end.to_le_bytes());
}

fn attribute(into: &mut Vec<u8>, tag: u8, name: &str, value: &Value<'_>) {
    let mut any = Vec::new();
    match value {
        Value::Text(text) => field(&mut any, 0x0a, text.as_bytes()),
        Value::Whole(number) => {
            any.push(0x18);
            varint(&mut any, *number as u64);
        }
        Value::Real(number) => {
            any.push(0x21);
            any.extend_from_slice(&number.to_le_bytes());
        }
    }
    let mut pair = Vec::new();
    field(&mut pair, 0x0a, name.as_bytes());
    field(&mut pair, 0x12, &any);
    field(into, tag, &pair);
}

/// How many spans a trace request holds.
pub(super) fn count(body: &[u8]) -> usize {
    let scopes = parts(body, 1).into_iter().flat_map(|about| parts(about, 2));
    scopes.map(|scope| parts(scope, 2).len()).sum()
}

/// The embedded messages with this field number.
fn parts(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some(key) = take_varint(&mut message) {
        let length = match key & 7 {
            0 => {
                take_varint(&mut message);
                continue;
            }
            1 => 8,
            2 => take_varint(&mut message).unwrap_or(0) as usize,
            _ => 4,
        };
        let Some((part, rest)) = message.split_at_checked(length) else { break };
        if key >> 3 == number && key & 7 == 2 {
            found.push(part);
        }
        message = rest;
    }
    found
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_spans_that_were_asked_for() {
        let check = |shape, asked, expected| {
            let body = Traces::new(shape, 3).body(asked, |_| 1_795_694_400_000_000_000);
            assert_eq!(count(&body), expected, "{shape:?}");
        };
        check(Shape::Calls, 512, 512);
        check(Shape::Traces, 512, 510);
        assert_eq!(count(b""), 0);
        assert_eq!(count(b"\x0a\xff"), 0);
    }
}
