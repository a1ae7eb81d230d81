//! Links between devices, as one device tells of its own.

use crate::entity::EntityId;
use crate::wire::End;

/// A link of a device at the end of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The GPU.
    pub device: EntityId,
    /// `nvlink`, `c2c`, `xgmi`, ...
    pub kind: String,
    /// As the device counts its links.
    pub number: String,
    /// Unknown where nobody tells.
    pub up: Option<bool>,
    /// Errors of the event window (ten minutes) by kind; empty where nobody counts them.
    pub errors: Vec<(String, f64)>,
    /// What it leads to; `None` where nobody tells.
    pub end: Option<End>,
    /// Bytes per second, received and transmitted together.
    pub rate_both: Option<f64>,
}
