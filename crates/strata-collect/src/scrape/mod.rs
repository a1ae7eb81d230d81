//! Pages of other programs, fetched over HTTP on an interval.
//!
//! Options name targets or places that list them; each target becomes a
//! [`crate::Collector`] that fetches, reads and labels its page as Prometheus would.

mod cache;
mod client;
mod collector;
mod jobs;
pub(crate) mod listing;
mod model;
mod options;
mod page;
mod rules;
mod target;
mod trial;

#[cfg(test)]
mod tests;

pub use client::{ClientError, Environment};
pub(crate) use client::{Fetcher, read_bounded};
pub use collector::{Job, PageReader, ScrapeCollector};
pub use jobs::JobRunner;
pub use model::{ModelOf, ModelQuestions};
pub use options::{
    Authorization, BasicAuthOptions, HttpSdOptions, ScrapeOptions, ScrapeSettings, Secret,
    TlsOptions,
};
pub use rules::{Drop, PageLimits, Sentinel, SourceRules};
pub use target::Target;
pub use trial::ListTrial;
