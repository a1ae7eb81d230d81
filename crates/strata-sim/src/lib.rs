//! A cluster that never was: physical and queueing models of GPUs, hosts, engines, training runs and
//! the people who use them, behind the page formats of real exporters.
//!
//! The model knows causes only. A scenario changes physical parameters over time; what that does to
//! latency, clocks or loss follows from the model. It knows nothing of signals, verdicts or
//! diagnoses, so that these can be tried against it.
//!
//! The simulation is handed the time and does no I/O: [`Sim::advance_to`] lives through whole
//! seconds, [`Sim::page`] writes what an exporter would say now. The same seed gives the same pages
//! byte for byte, however the time is cut into calls. [`Sim::tell_requests`] also has its programs
//! tell of single requests, as spans of OpenTelemetry.

mod batch;
mod clients;
mod device;
mod engine;
mod hardware;
mod histogram;
mod host;
mod knob;
mod layout;
mod pages;
mod replay;
mod rng;
mod scenario;
mod sim;
mod spans;
mod tenant;
mod trace;
mod training;
mod trial;
mod workload;

pub use knob::{Kind, Knob};
pub use layout::{GPUS_MAX, GPUS_PER_NODE_MAX, Size};
pub use pages::Endpoint;
pub use replay::{Replay, ReplayLimits, ReplaySecond};
pub use scenario::{BUILTIN, Scenario, ScenarioError};
pub use sim::{Sim, SimOptions, TraceRows};
pub use spans::Opinion;
pub use trace::{TraceError, TraceReader, TraceRow};
pub use trial::{TrialLayout, TrialSpeed, TrialTold, trial};
