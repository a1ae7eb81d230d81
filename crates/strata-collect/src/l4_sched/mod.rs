//! Layer 4, scheduling: who was given which GPU, by whom and since when.
//!
//! [`kubelet`] asks the node's own kubelet, [`kubernetes`] the API server, [`slurm`] the commands of
//! Slurm. Ownership is read from identities (device UUIDs, PodResources, claims, control groups),
//! never guessed from an order; each edge says how it is known and how surely.

mod device;
mod gather;
pub mod kubelet;
pub mod kubernetes;
mod names;
mod pod_book;
pub mod slurm;

pub use pod_book::PodBook;
