//! What a protobuf body would take in memory, found out without decoding it.
//!
//! Two bytes of an empty message become a struct of a hundred bytes and more, so the size of the
//! body alone bounds nothing.

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1 as logs;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as trace;

use crate::receive::wire::{Fields, Value};
use crate::receive::{DecodeError, bound};

/// Depth at which the protobuf library gives up as well.
const DEPTH_MAX: usize = 100;

/// The messages of a request, as far as they hold others or lists.
#[derive(Debug, Clone, Copy)]
pub(super) enum Message {
    /// Of metrics.
    Request,
    TraceRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    LogRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    ResourceMetrics,
    Resource,
    EntityRef,
    ScopeMetrics,
    Scope,
    Metric,
    Numbers,
    Classics,
    Exponentials,
    Summaries,
    Number,
    Classic,
    Exponential,
    Summary,
    Buckets,
    Quantile,
    Exemplar,
    KeyValue,
    AnyValue,
    List,
    Map,
}

impl Message {
    /// The message in field `number`; `None` for anything else.
    fn child(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::Request, 1) => Self::ResourceMetrics,
            (Self::TraceRequest, 1) => Self::ResourceSpans,
            (Self::LogRequest, 1) => Self::ResourceLogs,
            (Self::ResourceMetrics | Self::ResourceSpans | Self::ResourceLogs, 1) => Self::Resource,
            (Self::ResourceSpans, 2) => Self::ScopeSpans,
            (Self::ScopeSpans, 2) => Self::Span,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 15) => Self::Status,
            (Self::ResourceLogs, 2) => Self::ScopeLogs,
            (Self::ScopeLogs, 2) => Self::LogRecord,
            (Self::ResourceMetrics, 2) => Self::ScopeMetrics,
            (Self::Resource, 3) => Self::EntityRef,
            (Self::ScopeMetrics | Self::ScopeSpans | Self::ScopeLogs, 1) => Self::Scope,
            (Self::ScopeMetrics, 2) => Self::Metric,
            (Self::Metric, 5 | 7) => Self::Numbers,
            (Self::Metric, 9) => Self::Classics,
            (Self::Metric, 10) => Self::Exponentials,
            (Self::Metric, 11) => Self::Summaries,
            (Self::Numbers, 1) => Self::Number,
            (Self::Classics, 1) => Self::Classic,
            (Self::Exponentials, 1) => Self::Exponential,
            (Self::Summaries, 1) => Self::Summary,
            (Self::Exponential, 8 | 9) => Self::Buckets,
            (Self::Summary, 6) => Self::Quantile,
            (Self::Number, 5) | (Self::Classic, 8) | (Self::Exponential, 11) => Self::Exemplar,
            (Self::Resource | Self::Exponential | Self::Map, 1)
            | (Self::Scope | Self::Event, 3)
            | (Self::Metric, 12)
            | (Self::Number | Self::Summary | Self::Exemplar, 7)
            | (Self::Classic | Self::Span, 9)
            | (Self::Link, 4)
            | (Self::LogRecord, 6) => Self::KeyValue,
            (Self::KeyValue, 2) | (Self::List, 1) | (Self::LogRecord, 5) => Self::AnyValue,
            (Self::AnyValue, 5) => Self::List,
            (Self::AnyValue, 6) => Self::Map,
            _ => return None,
        })
    }

    /// Bytes of its struct.
    fn size(self) -> usize {
        match self {
            Self::ResourceMetrics => size_of::<metrics::ResourceMetrics>(),
            Self::ResourceSpans => size_of::<trace::ResourceSpans>(),
            Self::ScopeSpans => size_of::<trace::ScopeSpans>(),
            Self::Span => size_of::<trace::Span>(),
            Self::Event => size_of::<trace::span::Event>(),
            Self::Link => size_of::<trace::span::Link>(),
            Self::Status => size_of::<trace::Status>(),
            Self::ResourceLogs => size_of::<logs::ResourceLogs>(),
            Self::ScopeLogs => size_of::<logs::ScopeLogs>(),
            Self::LogRecord => size_of::<logs::LogRecord>(),
            Self::Resource => size_of::<Resource>(),
            Self::EntityRef => size_of::<EntityRef>(),
            Self::ScopeMetrics => size_of::<metrics::ScopeMetrics>(),
            Self::Scope => size_of::<InstrumentationScope>(),
            Self::Metric => size_of::<metrics::Metric>(),
            Self::Number => size_of::<metrics::NumberDataPoint>(),
            Self::Classic => size_of::<metrics::HistogramDataPoint>(),
            Self::Exponential => size_of::<metrics::ExponentialHistogramDataPoint>(),
            Self::Summary => size_of::<metrics::SummaryDataPoint>(),
            Self::Exemplar => size_of::<metrics::Exemplar>(),
            Self::KeyValue => size_of::<KeyValue>(),
            Self::AnyValue => size_of::<AnyValue>(),
            Self::Quantile => size_of::<metrics::summary_data_point::ValueAtQuantile>(),
            // Held inside their parents.
            Self::Request
            | Self::TraceRequest
            | Self::LogRequest
            | Self::Numbers
            | Self::Classics
            | Self::Exponentials
            | Self::Summaries
            | Self::Buckets
            | Self::List
            | Self::Map => 0,
        }
    }

    /// Bytes that a list or text of `length` bytes on the wire takes: a packed varint of one byte
    /// becomes a number of eight, an entity's empty key a `String`.
    fn leaf(self, length: usize) -> usize {
        match self {
            Self::Buckets => length.saturating_mul(size_of::<u64>()),
            Self::EntityRef => length + size_of::<String>(),
            _ => length,
        }
    }
}

/// Refuse a request that would take more than `bytes_max`, or that is not protobuf.
pub(super) fn check(body: &[u8], message: Message, bytes_max: usize) -> Result<(), DecodeError> {
    let mut bytes = 0;
    weigh(body, message, 0, &mut |more| {
        bytes += more;
        bound("bytes in memory", bytes, bytes_max)
    })
}

fn weigh(
    body: &[u8],
    message: Message,
    depth: usize,
    add: &mut impl FnMut(usize) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if depth > DEPTH_MAX {
        return Err(DecodeError::Malformed(format!("more than {DEPTH_MAX} nested messages")));
    }
    add(message.size())?;
    let mut fields = Fields::new(body);
    while let Some((number, value)) = fields.next()? {
        match value {
            Value::Bytes(bytes) => match message.child(number) {
                Some(child) => weigh(bytes, child, depth + 1, add)?,
                None => add(message.leaf(bytes.len()))?,
            },
            _ => add(size_of::<u64>())?,
        }
    }
    Ok(())
}
