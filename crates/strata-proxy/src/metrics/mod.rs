//! The `gateway.*` series, counted as calls end.

mod bounds;
mod group;
mod histogram;
mod names;
mod registry;
mod spread;

pub(crate) use registry::InFlight;
pub use registry::Registry;
pub use spread::Spread;
