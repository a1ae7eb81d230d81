//! Tells others onward, over OTLP and HTTP, what is told here: spans and events that came in, the
//! requests that the proxy saw, and feedback. Beside the first floor: it is handed bodies and records
//! and needs nothing of ours but the model. Nothing waits for it, and what it cannot deliver is
//! counted by reason.

mod client;
mod encode;
mod lane;
mod options;
mod queue;
mod sender;
#[cfg(test)]
mod tests;

pub use client::{Environment, ForwardError, try_receivers};
pub use lane::{Forwarder, LaneState};
pub use options::{ForwardOptions, ForwardSettings, LaneSettings, Secret};
