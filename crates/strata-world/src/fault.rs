//! Faults of a device in time.

use crate::entity::EntityId;

/// Faults of one code that a device reported at about one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The GPU; of a fault of an `NVSwitch` the node it is in.
    pub device: EntityId,
    /// PCI address of the `NVSwitch` that reported it.
    pub switch: Option<String>,
    /// First point of the window's grid at which it is seen, in milliseconds.
    pub at_ms: i64,
    /// XID or, of a switch, SXID of NVIDIA, AFID of AMD.
    pub code: String,
    /// What the fault is about, where the source says it.
    pub class: Option<String>,
    /// What the vendor says to do, where the source says it.
    pub action: Option<String>,
    /// The process that caused it, where the kernel log names it.
    pub culprit: Option<String>,
    /// How many; unknown where the source only keeps the last code.
    pub count: Option<f64>,
    /// Whether it happened within the step before `at_ms`; otherwise at some time before, since
    /// nothing was told of it earlier.
    pub dated: bool,
}
