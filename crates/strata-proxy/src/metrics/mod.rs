//! The `gateway.*` series, counted as calls end.

mod bounds;
mod registry;

pub use bounds::{GAP_BOUNDS, GAP_BUCKETS};
pub(crate) use bounds::gap_bucket;
pub use registry::Registry;
