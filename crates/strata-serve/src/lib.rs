//! HTTP: the Prometheus API, remote write, OTLP, health and our own metrics.
//!
//! Floor 4. Knows no metric names, no prices and no storage: it hands PromQL to a
//! [`strata_query::MetricsEngine`], decoded pushes to a [`strata_model::Sink`], and writes what it
//! is given as the JSON that Grafana and Prometheus's own tools read.
//!
//! [`ServeOptions`] (as written) become [`ServeSettings`] (as checked); [`Bound::bind`] takes the
//! ports; [`Bound::serve`] answers until it is told to stop.

mod body;
pub mod bounds;
mod contained;
mod error;
pub mod fuzz;
mod guard;
mod ingest;
mod json;
mod options;
mod own;
mod pack;
mod pages;
pub mod params;
mod prometheus;
mod records;
mod reports;
mod routes;
mod server;
mod state;

pub use error::ServeError;
pub use guard::Secret;
pub use json::number::{push_float, push_plain, push_seconds};
pub use options::{ListenAt, ServeOptions, ServeSettings};
pub use pages::page_status;
pub use records::{Records, request_json};
pub use reports::{
    ACTIONS, OPENCOST, REPORTS, REQUEST_REPORTS, Report, ReportParams, ReportSource,
};
pub use routes::{Listener, ServedPath, paths};
pub use server::{Addresses, Bound};
pub use state::{Description, OwnNames, Parts, Ready, Status};
