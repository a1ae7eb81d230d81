//! The World: entities, edges in time and derived signals, made of answers, read by judgement.
//!
//! Floor 4. A page says what it wants ([`Ask`]); [`plan()`] lists the queries in canonical
//! vocabulary; somebody answers them; [`assemble()`] joins the answers into an immutable [`World`].
//! Pure: no I/O, no runtime, no wall clock. Same answers, same World.

pub mod ask;
mod asked;
mod assemble;
pub mod bill;
pub mod capacity;
pub mod condition;
pub mod coverage;
pub mod edge;
pub mod entity;
pub mod fault;
mod idle;
mod l1_gpu;
mod l2_cuda;
mod l3_host;
mod l4_sched;
mod l5_training;
mod l6_inference;
mod l7_genai;
mod l8_cost;
pub mod link;
pub mod plan;
mod recipe;
pub mod requests;
pub mod signal;
mod template;
mod waiting;
pub mod who;
pub mod window;
pub mod wire;
pub mod world;

pub use ask::{Answers, Ask, Grain, Plan, Planned, Scope, Want};
pub use asked::metrics_asked;
pub use assemble::{assemble, assemble_on};
pub use bill::mig_share;
pub use condition::Condition;
pub use coverage::{
    Coverage, CoverageState, LayerCoverage, MetricCoverage, NextStep, SignalCoverage,
};
pub use edge::{Edge, Method, Relation};
pub use entity::{Entity, EntityId, EntityKind};
pub use fault::Fault;
pub use idle::{IDLE_BELOW, is_idle};
pub use link::Link;
pub use plan::{MAX_TRACK_CELLS, Sizes, plan, plan_closer, plan_sized};
pub use recipe::{signal_def, signals};
pub use signal::{InputUsed, Reading, Shape, Signal, SignalDef, Spread, Unknown, UnknownReason};
pub use template::event_window_ms;
pub use waiting::Waiting;
pub use window::Window;
pub use wire::{Down, End, Fabric, NodeDown, Path, Reach, Way, Wire, Wiring};
pub use world::{Signals, World};
