//! Attributes in the types of OTLP.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};

/// How many of how many are told: 1 of all, 0.125 of every eighth.
pub(super) const SAMPLING: &str = "sampling.ratio";

/// Attributes in the order in which they were added.
#[derive(Default)]
pub(super) struct List(pub(super) Vec<KeyValue>);

impl List {
    fn with(mut self, key: &str, value: Value) -> Self {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
        self
    }

    pub(super) fn text(self, key: &str, value: impl Into<String>) -> Self {
        self.with(key, Value::StringValue(value.into()))
    }

    pub(super) fn texts(self, key: &str, value: &str) -> Self {
        let one = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
        self.with(key, Value::ArrayValue(ArrayValue { values: vec![one] }))
    }

    pub(super) fn count(self, key: &str, value: u64) -> Self {
        self.with(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    pub(super) fn number(self, key: &str, value: f64) -> Self {
        self.with(key, Value::DoubleValue(value))
    }

    pub(super) fn flag(self, key: &str, value: bool) -> Self {
        self.with(key, Value::BoolValue(value))
    }

    /// Says that not all is told, where it is so.
    pub(super) fn sampled(self, share: f64) -> Self {
        if share < 1.0 { self.number(SAMPLING, share) } else { self }
    }
}

pub(super) fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() }
}
