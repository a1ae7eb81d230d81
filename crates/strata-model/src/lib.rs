//! The vocabulary of Stratascope: what every other crate talks about and none may redefine.
//!
//! Floor 0 of the house. Labels, samples, native histograms, batches and the [`Sink`] they go to;
//! matchers, series and the [`SeriesSource`] they come from; time behind a [`Clock`]; the state of
//! a source; and the catalog, which alone names canonical metrics.
//! This crate knows no runtime, no files, no wall clock and no other crate of the house.

pub mod batch;
pub mod catalog;
pub mod clock;
pub mod content;
pub mod histogram;
pub mod labels;
pub mod layer;
pub mod meter;
pub mod problem;
pub mod record;
pub mod sample;
pub mod selector;
pub mod series;
pub mod shape;
pub mod sink;
pub mod source;
pub mod text;
pub mod told;
mod way;
pub mod xid;

pub use batch::{Batch, HistogramSample, Metadata, MetricKind, Sample};
pub use clock::Clock;
pub use histogram::{CounterResetHint, NativeHistogram, Span};
pub use labels::{Labels, LabelsBuilder, METRIC_NAME};
pub use layer::Layer;
pub use problem::Problem;
pub use sample::{STALE_NAN, is_stale};
pub use selector::{MatchOp, Matcher};
pub use series::{
    Grouping, Points, SelectError, SelectHints, Selection, Series, SeriesSource, SeriesTakers,
    StartTimes, TakeSeries,
};
pub use sink::{Receipt, Sink, SinkError};
pub use source::{Fault, FaultCode, SourceKind, SourceState, SourceStatus};
pub use way::Way;
