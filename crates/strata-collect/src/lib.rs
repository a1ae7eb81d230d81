//! Outside in: everything that brings telemetry into the house.
//!
//! Floor 1. One folder per layer holds the native collectors, [`scrape`] fetches pages that other
//! programs expose, [`receive`] decodes what other programs push, and [`schedule`] runs them all
//! with their own deadlines. A collector knows only the model: it makes a batch and hands it to a
//! sink, under the names its source uses.

pub mod book;
pub mod collector;
pub mod discover;
pub mod exposition;
pub mod fuzz;
pub mod l1_gpu;
pub mod l3_host;
pub mod l4_sched;
mod native;
pub mod receive;
pub mod schedule;
pub mod scrape;
mod table;

pub use book::SourceBook;
pub use collector::{CollectError, Collector, Harvest, PageCounts};
pub use schedule::Scheduler;
