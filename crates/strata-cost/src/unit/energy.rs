//! Tokens per joule, with the boundary that the joules were measured at.

use crate::ledger::Line;

/// Below this share of time with a reading of the energy counter, tokens and joules are not of the
/// same time, and their ratio is not told.
pub const MIN_METERED: f64 = 0.95;
/// Joules of a kilowatt-hour.
pub const JOULES_PER_KWH: f64 = 3.6e6;

/// What the operator knows of the way from the meter to the GPU. What is None makes that boundary
/// unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Energy {
    /// Energy of the whole node over that of its GPUs: 1.3.
    pub node_over_gpus: Option<f64>,
    /// Facility energy over IT energy: 1.2.
    pub pue: Option<f64>,
    /// Grams of CO2 for one kWh of the grid.
    pub grams_per_kwh: Option<f64>,
}

/// Where joules are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Boundary {
    /// The GPUs' own counters.
    Gpu,
    /// The node.
    Node,
    /// The meter of the building.
    Facility,
}

impl Boundary {
    /// All of them, from the GPU outwards.
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Node, Self::Facility];

    /// What the operator has to say under `[cost]` before it is known; empty for what is measured.
    pub fn needs(self) -> &'static str {
        match self {
            Self::Gpu => "",
            Self::Node => "node_over_gpus",
            Self::Facility => "node_over_gpus and pue",
        }
    }

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Node => "node",
            Self::Facility => "facility",
        }
    }
}

/// Joules of a model, and tokens for one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnergyUnits {
    /// Joules at the GPUs.
    pub gpu_j: f64,
    /// Generated tokens for one joule at the GPUs.
    pub tokens_per_joule: Option<f64>,
    /// Energy of each boundary over that of the GPUs, where the operator says so.
    pub node: Option<f64>,
    /// The same for the facility.
    pub facility: Option<f64>,
    /// Kilograms of CO2, at the facility's boundary.
    pub co2_kg: Option<f64>,
}

impl EnergyUnits {
    /// Kilowatt-hours at a boundary.
    pub fn kwh(&self, boundary: Boundary) -> Option<f64> {
        Some(self.joules(boundary)? / JOULES_PER_KWH)
    }

    /// Joules at a boundary.
    pub fn joules(&self, boundary: Boundary) -> Option<f64> {
        match boundary {
            Boundary::Gpu => Some(self.gpu_j),
            Boundary::Node => self.node.map(|factor| factor * self.gpu_j),
            Boundary::Facility => self.facility.map(|factor| factor * self.gpu_j),
        }
    }

    /// Generated tokens for one joule at a boundary.
    pub fn tokens_per_joule(&self, boundary: Boundary) -> Option<f64> {
        let factor = match boundary {
            Boundary::Gpu => 1.0,
            Boundary::Node => self.node?,
            Boundary::Facility => self.facility?,
        };
        Some(self.tokens_per_joule? / factor)
    }
}

/// Share of a line's time with a reading of the energy counter; None where it has no time.
pub fn metered(line: &Line) -> Option<f64> {
    let seconds = line.gpu_s();
    (seconds > 0.0).then(|| (1.0 - line.unmetered_s / seconds).clamp(0.0, 1.0))
}

/// Energy of a line, and of the `tokens` that were generated in its time. None where the energy
/// counters covered less than [`MIN_METERED`] of it.
pub fn energy(line: &Line, tokens: Option<f64>, energy: &Energy) -> Option<EnergyUnits> {
    metered(line).filter(|share| *share >= MIN_METERED && line.energy_j > 0.0)?;
    let facility = energy.node_over_gpus.zip(energy.pue).map(|(node, pue)| node * pue);
    let co2 = facility.zip(energy.grams_per_kwh);
    Some(EnergyUnits {
        gpu_j: line.energy_j,
        tokens_per_joule: tokens.map(|tokens| tokens / line.energy_j),
        node: energy.node_over_gpus,
        facility,
        co2_kg: co2.map(|(factor, grams)| factor * line.energy_j / JOULES_PER_KWH * grams / 1000.0),
    })
}
