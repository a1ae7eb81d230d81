//! The observing reverse proxy of GenAI calls: bytes in are bytes out.
//!
//! Requests pass to an upstream and answers back, frame by frame, unchanged. Observers read along:
//! they give the `gateway.*` series and one [`GenAiCall`] for each call, and never keep a word of
//! what was asked or answered, unless the route says so: then a bounded copy goes to a [`ContentSink`]. A crate of its own on floor 1: it uses the model and nothing else of
//! the house, and the binary hands in the clock and where calls go.

mod answer;
mod api;
mod body;
mod call;
mod capture;
mod files;
pub mod fuzz;
mod handler;
mod headers;
mod json;
pub mod metrics;
mod observe;
mod options;
mod progress;
mod rewrite;
mod server;
mod settings;
mod stall;
mod tenant;
mod tls;
mod trial;
mod upstream;

pub use api::Api;
pub use call::{
    CallSink, CountSource, EngineTimes, Gaps, GenAiCall, NoCalls, Outcome, Timings, Tokens,
};
pub use capture::{
    CaptureOptions, CaptureSettings, Captured, ContentSink, CopiedBytes, LeftOut, NoContent,
    Opened, Said,
};
pub use options::{DEFAULT_LISTEN, ProxyOptions, RouteOptions, UpstreamOptions, UsageOption};
pub use server::{BoundProxy, ProxyError, ProxyParts};
pub use settings::{BelongingHeaders, ProxySettings, RouteSettings, UpstreamSettings, UsageMode};
pub use tenant::{KeyMap, KeyMapError};
pub use tls::TlsError;
pub use trial::{Tried, UpstreamHealth};
