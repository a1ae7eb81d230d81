//! Tells others onward what is told here: by OTLP over HTTP the spans and events that came in, the
//! requests that the proxy saw, and feedback; by Prometheus remote write the samples. Beside the first floor: it is handed bodies and records
//! and needs nothing of ours but the model. Nothing waits for it, and what it cannot deliver is
//! counted by reason.

mod client;
mod connect;
mod encode;
mod lane;
mod options;
mod queue;
mod remote_write;
mod sender;
#[cfg(test)]
mod tests;

pub use client::{Environment, try_receivers};
pub use connect::ForwardError;
pub use lane::{Forwarder, LaneState};
pub use options::{ForwardOptions, ForwardSettings, LaneSettings, Secret};
pub use remote_write::Written;
