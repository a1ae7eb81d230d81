//! The embedded engines: series and records on the disk of this machine.
//!
//! Floor 2 of the house. Takes [`strata_model::Batch`]es through the `Sink` seam and gives samples
//! back through the `SeriesSource` seam. It knows no metric names, no layers and no HTTP; the only
//! thing it reads in a label set is where the metric name stands, because blocks group by it.

pub mod content;
pub mod metrics;
pub mod records;

pub use content::{
    Appended, ContentError, ContentStore, Disk, Exchange, Files, Found, Gap, Redacted,
    RouteContent, RoutePlan,
};
pub use metrics::{
    MetricStore, SourceRefusals, StoreError, StoreOptions, StoreSettings, StoreStats, VerifyReport,
};
pub use records::{
    RecordOptions, RecordReader, RecordSettings, RecordStore, RecordStoreError, RecordsReport,
};
