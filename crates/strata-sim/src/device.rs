//! A GPU as a body: clocks, watts, degrees, joules and memory errors from what it works.
//!
//! Power is that of CMOS logic, idle power plus activity times f V^2, where voltage goes with the
//! clock: the cube of the clock ratio for the SMs; memory draws by its traffic. Temperature is a
//! first-order model: one thermal resistance to the inlet and one heat capacity. Above the slowdown
//! temperature clocks give way step by step, as the driver does.

use crate::hardware::GpuKind;
use crate::knob::{GpuKnob, Knobs};
use crate::rng::Rng;

/// Shares of the dynamic power: anything running at all, tensor cores, memory. Set so that a
/// training step draws nearly the limit and decoding about two thirds of it.
const SHARE_BUSY: f64 = 0.30;
const SHARE_COMPUTE: f64 = 0.62;
const SHARE_MEMORY: f64 = 0.30;
/// Seconds in which temperature covers 63 % of a change: heat capacity times resistance.
const THERMAL_SECONDS: f64 = 24.0;
/// How the driver moves clocks while it is too hot, and afterwards, per second.
const THROTTLE_STEP: f64 = 0.96;
const RECOVER_STEP: f64 = 1.02;
const THROTTLE_FLOOR: f64 = 0.2;
/// Memory is that much hotter than the chip under load.
const MEMORY_OVER_CHIP: f64 = 8.0;

/// What a GPU worked in one tick: shares of its time or its peaks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Load {
    /// Share of the time in which any kernel ran.
    pub(crate) busy: f64,
    /// Achieved over peak tensor rate.
    pub(crate) compute: f64,
    /// Achieved over peak memory rate.
    pub(crate) memory: f64,
    /// `NVLink` bytes in both directions.
    pub(crate) link_bytes: f64,
    /// PCI Express bytes, to the device and from it.
    pub(crate) pcie_in: f64,
    pub(crate) pcie_out: f64,
}

/// One GPU.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) kind: GpuKind,
    pub(crate) knobs: Knobs,
    rng: Rng,
    pub(crate) load: Load,
    /// Watts of the last tick.
    pub(crate) power: f64,
    pub(crate) celsius: f64,
    /// Joules since the simulation began.
    pub(crate) energy: f64,
    thermal: f64,
    /// SM clock over the highest, all limits together.
    pub(crate) clock: f64,
    pub(crate) thermal_seconds: f64,
    pub(crate) power_seconds: f64,
    pub(crate) corrected: u64,
    pub(crate) uncorrected: u64,
    pub(crate) xid: u64,
    pub(crate) memory_used_mib: f64,
    pub(crate) link_bytes: f64,
}

impl Device {
    pub(crate) fn new(kind: GpuKind, knobs: Knobs, rng: Rng) -> Self {
        let celsius = knobs.get(GpuKnob::InletCelsius)
            + knobs.get(GpuKnob::ThermalResistance) * kind.idle_power;
        Self {
            kind,
            knobs,
            rng,
            load: Load::default(),
            power: kind.idle_power,
            celsius,
            energy: 0.0,
            thermal: 1.0,
            clock: 1.0,
            thermal_seconds: 0.0,
            power_seconds: 0.0,
            corrected: 0,
            uncorrected: 0,
            xid: 0,
            memory_used_mib: 0.0,
            link_bytes: 0.0,
        }
    }

    /// Watts at this load and clock ratio.
    fn power_at(&self, load: &Load, clock: f64) -> f64 {
        let dynamic = self.kind.power_limit - self.kind.idle_power;
        // What was computed at a lower clock kept the tensor cores as busy, at less voltage.
        let logic = SHARE_BUSY * load.busy + SHARE_COMPUTE * (load.compute / clock).min(1.0);
        self.kind.idle_power + dynamic * (logic * clock.powi(3) + SHARE_MEMORY * load.memory)
    }

    /// Live through `seconds` of `load`.
    pub(crate) fn tick(&mut self, seconds: f64, load: Load) {
        self.load = load;
        let allowed = self.knobs.get(GpuKnob::ClockRatio).min(self.thermal);
        let limit = self.knobs.get(GpuKnob::PowerLimit).min(self.kind.power_limit);
        let (capped, is_capped) = self.under_power_limit(&load, allowed, limit);
        self.clock = capped;
        if is_capped {
            self.power_seconds += seconds;
        }
        self.power = self.power_at(&load, capped).min(limit.max(self.kind.idle_power));
        self.energy += self.power * seconds;
        self.link_bytes += load.link_bytes;
        self.heat(seconds);
        self.memory_errors(seconds);
    }

    /// The clock at which the power limit holds, and whether it is what limits.
    fn under_power_limit(&self, load: &Load, allowed: f64, limit: f64) -> (f64, bool) {
        if self.power_at(load, allowed) <= limit {
            return (allowed, false);
        }
        // The cube leaves no closed form with the memory's share: halve the interval.
        let (mut low, mut high) = (0.1, allowed);
        for _ in 0..24 {
            let middle = f64::midpoint(low, high);
            if self.power_at(load, middle) > limit { high = middle } else { low = middle }
        }
        (low, true)
    }

    fn heat(&mut self, seconds: f64) {
        let inlet = self.knobs.get(GpuKnob::InletCelsius);
        let settled = inlet + self.knobs.get(GpuKnob::ThermalResistance) * self.power;
        // The exact solution of the first-order equation for constant power.
        self.celsius = settled + (self.celsius - settled) * (-seconds / THERMAL_SECONDS).exp();
        if self.celsius > self.kind.slowdown_celsius {
            self.thermal = (self.thermal * THROTTLE_STEP.powf(seconds)).max(THROTTLE_FLOOR);
        } else {
            self.thermal = (self.thermal * RECOVER_STEP.powf(seconds)).min(1.0);
        }
        if self.thermal < 1.0 {
            self.thermal_seconds += seconds;
        }
    }

    fn memory_errors(&mut self, seconds: f64) {
        let hours = seconds / 3600.0;
        self.corrected += self.rng.poisson(self.knobs.get(GpuKnob::CorrectedEcc) * hours);
        let fatal = self.rng.poisson(self.knobs.get(GpuKnob::UncorrectedEcc) * hours);
        self.uncorrected += fatal;
        if fatal > 0 {
            // XID 48: double-bit ECC error (NVIDIA XID catalogue).
            self.xid = 48;
        }
    }

    /// Temperature of the memory in degrees Celsius.
    pub(crate) fn memory_celsius(&self) -> f64 {
        self.celsius + MEMORY_OVER_CHIP * self.load.memory.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(change: &[(GpuKnob, f64)]) -> Device {
        let mut knobs = Knobs::new(crate::layout::gpu_defaults());
        for (knob, value) in change {
            knobs.set((*knob).into(), *value);
        }
        Device::new(crate::hardware::H100, knobs, Rng::of(1, "gpu"))
    }

    const FULL: Load =
        Load { busy: 1.0, compute: 0.6, memory: 0.5, link_bytes: 0.0, pcie_in: 0.0, pcie_out: 0.0 };

    fn settle(device: &mut Device, seconds: u32, load: Load) {
        for _ in 0..seconds {
            device.tick(1.0, load);
        }
    }

    #[test]
    fn energy_is_the_integral_of_power() {
        let mut device = device(&[]);
        let mut joules = 0.0;
        for second in 0..500 {
            let busy = f64::from(second % 7) / 7.0;
            device.tick(1.0, Load { busy, compute: busy / 2.0, ..FULL });
            joules += device.power;
        }
        assert!((device.energy - joules).abs() < 1e-6 * joules);
    }

    #[test]
    fn load_draws_power_and_heat_within_limits() {
        let mut device = device(&[]);
        settle(&mut device, 300, Load::default());
        assert!((device.power - 72.0).abs() < 1.0 && device.celsius < 40.0, "{device:?}");
        settle(&mut device, 300, FULL);
        assert!((550.0..=700.0).contains(&device.power), "{}", device.power);
        assert!((55.0..80.0).contains(&device.celsius), "{}", device.celsius);
        assert_eq!(device.thermal_seconds, 0.0);
    }

    #[test]
    fn heat_throttles_and_passes() {
        let mut device = device(&[(GpuKnob::InletCelsius, 60.0)]);
        settle(&mut device, 600, FULL);
        assert!(device.clock < 0.95 && device.thermal_seconds > 60.0, "{device:?}");
        assert!(device.celsius < device.kind.slowdown_celsius + 3.0, "it keeps itself alive");
        device.knobs.set(GpuKnob::InletCelsius.into(), 25.0);
        settle(&mut device, 600, FULL);
        assert_eq!(device.thermal, 1.0);
    }

    #[test]
    fn a_power_limit_costs_clock() {
        let mut device = device(&[(GpuKnob::PowerLimit, 350.0)]);
        settle(&mut device, 60, FULL);
        assert!(device.power <= 350.5 && device.clock < 0.85, "{device:?}");
        assert!(device.power_seconds > 50.0);
    }

    #[test]
    fn uncorrected_errors_are_xids() {
        let mut device = device(&[(GpuKnob::UncorrectedEcc, 3600.0)]);
        settle(&mut device, 60, FULL);
        assert!(device.uncorrected > 20 && device.xid == 48, "{device:?}");
    }
}
