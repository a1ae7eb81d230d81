//! JSON as the Prometheus API writes it, without a tree in between.

pub(crate) mod answer;
pub(crate) mod envelope;
pub(crate) mod number;
pub(crate) mod text;
