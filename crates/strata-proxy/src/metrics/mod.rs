//! The `gateway.*` series, counted as calls end.

mod bounds;
mod group;
mod histogram;
mod names;
mod registry;

pub(crate) use bounds::gap_bucket;
pub use bounds::{GAP_BOUNDS, GAP_BUCKETS};
pub(crate) use registry::InFlight;
pub use registry::Registry;
