//! The query floor: PromQL over any source of series, and the catalog's expansion.
//!
//! Floor 3, layer-blind: it knows that a canonical name stands for source metrics, never what a
//! name means. Above this floor nobody knows where data lives.

pub mod canonical;
pub mod engine;
mod projected;
pub mod promql;
pub mod promqltest;
pub mod selector;

pub use engine::embedded::{EmbeddedEngine, QueryOptions, QuerySettings};
pub use engine::remote::{
    Environment, RemoteEngine, RemoteError, RemoteOptions, RemoteParts, RemoteSettings,
};
pub use engine::{
    Annotations, Answer, InstantQuery, KeptEngine, MetricsEngine, QueryError, QueryErrorKind,
    QueryValue, RangeQuery, SeriesQuery,
};
