//! The World: entities, edges in time and derived signals, made of answers, read by judgement.
//!
//! Floor 4. A page says what it wants ([`Ask`]); [`plan`] lists the queries in canonical
//! vocabulary; somebody answers them; [`assemble`] joins the answers into an immutable [`World`].
//! Pure: no I/O, no runtime, no wall clock. Same answers, same World.

pub mod ask;
pub mod coverage;
pub mod edge;
pub mod entity;
pub mod signal;
pub mod window;
pub mod world;

pub use ask::{Answers, Ask, Grain, Plan, Planned, Scope, Want};
pub use coverage::{Coverage, CoverageState, MetricCoverage};
pub use edge::{Edge, Method, Relation};
pub use entity::{Entity, EntityId, EntityKind};
pub use signal::{InputUsed, Reading, Shape, Signal, SignalDef, Spread, Unknown, UnknownReason};
pub use window::Window;
pub use world::World;
