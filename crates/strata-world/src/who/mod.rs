//! Who holds each GPU, who uses it, and whether those agree.
//!
//! One computation for every reader: the pages (through [`crate::World::holdings`]) and `strata who`
//! ask the same [`questions`] and [`read`] the same answers.

mod groups;
mod ledger;
mod people;
mod questions;
#[cfg(test)]
mod share_tests;
mod shares;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use groups::{By, Group, group};
pub use ledger::{read, read_shares};
pub use questions::{Answers, Row, ShareAnswers, questions, share_questions, waiting};
pub use shares::{Division, Owner, Part, Shares};

/// An enum of states with all of them in order, and their words: each is written once.
macro_rules! states {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $state:ident = $word:literal,)* }) => {
        $(#[$about])*
        pub enum $name { $($(#[$doc])* $state,)* }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$state),*];

            /// As people read it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$state => $word,)* }
            }
        }
    };
}

states! {
    /// How the use of a device and its allocation go together. In order of what to look at first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[serde(rename_all = "snake_case")]
    State {
        /// A process of a pod that is gone uses it.
        Orphan = "orphan",
        /// A pod or job that was not given it uses it.
        UsedByOtherPod = "used by other pod",
        /// A process in no pod and no job uses it.
        UsedOutsidePods = "used outside pods",
        /// It is busy, and of all that hold GPUs nobody is known to hold it.
        UsedOwnerUnknown = "used, owner unknown",
        /// It was given away and is idle, see [`crate::is_idle`].
        AllocatedIdle = "allocated, idle",
        /// Whoever was given it uses it, or did within ten minutes.
        UsedByOwner = "used by owner",
        /// Nobody was given it and nobody uses it.
        Free = "free",
        /// Nothing tells whether it is used.
        Unknown = "unknown",
    }
}

/// Somebody who holds a device or uses it. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Holder {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub slurm_job_id: String,
    pub workload_kind: String,
    pub workload: String,
    pub team: String,
    pub model: String,
    pub queue: String,
    pub method: String,
    pub confidence: String,
    /// Device memory of its processes in bytes, where processes are known.
    pub memory_bytes: Option<u64>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gpu {
    pub gpu_uuid: String,
    pub gpu: String,
    pub node: String,
    pub gpu_model: String,
    pub state: State,
    /// What told who uses it: `processes`, `utilization` or `none`. Whether it is idle its load tells, where
    /// that is known.
    pub evidence: &'static str,
    pub memory_bytes: Option<u64>,
    /// Highest utilization of the last ten minutes, 0 to 1.
    pub peak_utilization: Option<f64>,
    pub holders: Vec<Holder>,
    /// Users that hold nothing of it.
    pub strangers: Vec<Holder>,
    /// How its time, memory and energy are divided; of [`read_shares`] only.
    pub shares: Shares,
}
