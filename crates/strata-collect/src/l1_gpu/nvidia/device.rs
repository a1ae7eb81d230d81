//! One device: everything that is read of it every round.

use std::sync::Arc;

use super::super::names;
use super::condition::Condition;
use super::facts::Facts;
use super::faults::Faults;
use super::fields::{FAST, Numbering};
use super::gpm::Gpm;
use super::health::Health;
use super::library::{FieldAsk, Handle, Nvml};
use super::memo::Memo;
use super::mig::{self, Instance};
use super::process::Processes;
use crate::l3_host::part::Round;
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l3_host::series::{SeriesSet, Shape, plain, shape};

macro_rules! shapes {
    ($($variant:ident = $shape:expr;)*) => {
        #[derive(Clone, Copy)]
        enum Own { $($variant),* }
        const OWN: &[Shape] = &[$($shape),*];
    };
}

shapes! {
    General = shape(names::UTILIZATION, &[("task", "general")]);
    Encoder = shape(names::UTILIZATION, &[("task", "encoder")]);
    Decoder = shape(names::UTILIZATION, &[("task", "decoder")]);
    Jpeg = shape(names::UTILIZATION, &[("task", "jpeg")]);
    Ofa = shape(names::UTILIZATION, &[("task", "ofa")]);
    MemoryController = plain(names::MEMORY_CONTROLLER);
    Usage = plain(names::MEMORY_USAGE);
    Limit = plain(names::MEMORY_LIMIT);
    Utilization = plain(names::MEMORY_UTILIZATION);
    Free = plain(names::MEMORY_FREE);
    Reserved = plain(names::MEMORY_RESERVED);
    Power = shape(names::POWER, &[("sensor", "average")]);
    Temperature = shape(names::TEMPERATURE, &[("sensor_location", "gpu")]);
    Margin = plain(names::TEMPERATURE_MARGIN);
    Graphics = shape(names::CLOCK, &[("domain", "graphics")]);
    Sm = shape(names::CLOCK, &[("domain", "sm")]);
    Memory = shape(names::CLOCK, &[("domain", "memory")]);
    Video = shape(names::CLOCK, &[("domain", "video")]);
    Fan = plain(names::FAN);
    State = plain(names::PERFORMANCE_STATE);
    Generation = shape(names::PCIE_GENERATION, &[("state", "current")]);
    Width = shape(names::PCIE_WIDTH, &[("state", "current")]);
    Yielded = plain(names::PROFILING_YIELDED);
}

/// The bits of `nvmlClocksEventReasons` and their words.
const REASONS: [(u64, &str); 11] = [
    (0x1, "idle"),
    (0x2, "application_clocks"),
    (0x4, "sw_power_cap"),
    (0x8, "hw_slowdown"),
    (0x10, "sync_boost"),
    (0x20, "sw_thermal"),
    (0x40, "hw_thermal"),
    (0x80, "hw_power_brake"),
    (0x100, "display_clock"),
    (0x200, "board_limit"),
    (0x400, "reliability"),
];

/// `NVML_PSTATE_UNKNOWN`.
const STATE_UNKNOWN: u32 = 32;
/// Index of the average power in [`FAST`].
const AVERAGE_POWER: usize = 1;

/// Our surroundings, the same for every device.
pub(super) struct Around<'a> {
    pub(super) nvml: &'a Arc<Nvml>,
    pub(super) numbering: Numbering,
    pub(super) driver: &'a str,
    pub(super) node: &'a str,
    pub(super) root: &'a HostRoot,
    pub(super) profiling: bool,
    /// The profiling counters are left to another reader.
    pub(super) yields: bool,
    pub(super) processes: bool,
}

/// The labels of everything a device says by itself.
struct Tables {
    info: SeriesSet,
    own: SeriesSet,
    reasons: SeriesSet,
    fields: SeriesSet,
}

impl Tables {
    fn new(facts: &Facts, around: &Around<'_>) -> Self {
        let labels = facts.labels();
        let more = [
            ("vendor", "nvidia"),
            ("driver_version", around.driver),
            ("serial", &*facts.serial),
            ("pci_address", &*facts.pci_address),
            ("numa_node", &*facts.numa_node),
        ];
        let identity: Vec<_> = labels.iter().chain(&more).copied().collect();
        let node = around.node;
        Self {
            info: SeriesSet::new(&[plain(names::DEVICE)], node, &identity),
            own: SeriesSet::new(OWN, node, &labels),
            reasons: SeriesSet::with_labels(
                names::THROTTLE_ACTIVE,
                node,
                &labels,
                &REASONS.map(|(_, reason)| [("reason", reason)]),
            ),
            fields: SeriesSet::new(FAST.iter().map(|field| &field.shape), node, &labels),
        }
    }
}

/// A device that was seen since we run.
pub(super) struct Device {
    pub(super) facts: Facts,
    /// `None` while it is not listed.
    pub(super) handle: Option<Handle>,
    /// When it was listed last.
    pub(super) seen_ms: i64,
    pub(super) faults: Faults,
    pub(super) condition: Condition,
    pub(super) processes: Processes,
    pub(super) memo: Memo,
    tables: Tables,
    health: Health,
    /// When it was looked at whether it is split, in milliseconds; `None` when that is due.
    pub(super) surveyed_ms: Option<i64>,
    /// Positions in [`FAST`] that the device answers; `None` before it was asked.
    answered: Option<Vec<usize>>,
    gpm: Option<Gpm>,
    is_mig: bool,
    instances: Vec<Instance>,
}

impl Device {
    pub(super) fn new(facts: Facts, handle: Handle, around: &Around<'_>, at_ms: i64) -> Self {
        Self {
            tables: Tables::new(&facts, around),
            health: Health::new(&facts, around.node),
            facts,
            handle: Some(handle),
            seen_ms: at_ms,
            faults: Faults::default(),
            condition: Condition::default(),
            processes: Processes::default(),
            memo: Memo::default(),
            surveyed_ms: None,
            answered: None,
            gpm: None,
            is_mig: false,
            instances: Vec::new(),
        }
    }

    /// It is listed (again), maybe under another number.
    pub(super) fn listed(
        &mut self,
        facts: Facts,
        handle: Handle,
        around: &Around<'_>,
        round: &mut Round,
    ) {
        let returned = self.handle.is_none() || self.memo.lost.is_some();
        if returned {
            self.unlisted();
            self.memo.forget();
            self.condition.returned();
        }
        if self.facts != facts || returned {
            let renamed = self.facts.labels() != facts.labels();
            self.facts = facts;
            self.tables = Tables::new(&self.facts, around);
            if renamed {
                self.health = Health::new(&self.facts, around.node);
                self.processes = Processes::default();
                self.gpm = None;
                self.instances.clear();
                self.surveyed_ms = None;
                self.faults.renamed((&self.facts, around.node), round);
                self.condition.renamed();
            }
        }
        self.handle = Some(handle);
        self.seen_ms = round.at_ms;
    }

    /// It is not there any more, or the library is about to be closed: let go of what is tied to it.
    pub(super) fn unlisted(&mut self) {
        self.handle = None;
        self.gpm = None;
        self.instances.clear();
        self.answered = None;
        self.surveyed_ms = None;
        self.faults.listening = false;
    }

    /// Another reader of the profiling counters came or went: find out anew what is read.
    pub(super) fn profiled_anew(&mut self) {
        self.gpm = None;
        self.instances.clear();
        self.surveyed_ms = None;
    }

    /// Tell that it does not answer.
    pub(super) fn tell_lost(&mut self, node: &str, round: &mut Round) {
        self.condition.tell(true, (&self.facts, node), round);
        self.faults.tell((&self.facts, node), round);
    }

    /// Read everything that is read every round; before that, when it is due, how it is split.
    pub(super) fn read(
        &mut self,
        around: &Around<'_>,
        reader: &mut FileReader,
        survey: bool,
        round: &mut Round,
    ) {
        let Some(handle) = self.handle else { return };
        if survey {
            self.survey(handle, around, round);
        }
        let busy = self.read_use(handle, around, round);
        self.read_state(handle, around, round);
        self.read_fields(handle, around, round);
        if let Some(gpm) = &mut self.gpm {
            gpm.read_device(around.nvml, handle, busy, &mut self.memo, round);
        }
        for instance in &mut self.instances {
            instance.read(around.nvml, handle, &mut self.memo, round);
        }
        if around.processes {
            self.processes.read(
                (around.nvml, handle),
                (&self.facts, around.node),
                (around.root, reader),
                &mut self.memo,
                round,
            );
        }
        if self.memo.lost.is_some() {
            self.tell_lost(around.node, round);
            return;
        }
        round.emit(self.tables.info.get(0), 1.0);
        self.condition.tell(false, (&self.facts, around.node), round);
        self.emit(Own::Yielded, Some(f64::from(u8::from(around.yields))), round);
        self.faults.tell((&self.facts, around.node), round);
    }

    fn emit(&self, series: Own, value: Option<f64>, round: &mut Round) {
        round.emit_known(self.tables.own.get(series as usize), value);
    }

    /// Whether it is split, into what, and what it can do.
    fn survey(&mut self, handle: Handle, around: &Around<'_>, round: &mut Round) {
        self.surveyed_ms = Some(round.at_ms);
        let nvml = around.nvml;
        let is_mig = self.memo.ask(round, ("MIG mode", 0), || nvml.is_mig(handle)).unwrap_or(false);
        if is_mig != self.is_mig {
            // Split or whole, another set of calls is there.
            self.memo.forget();
            self.answered = None;
            self.gpm = None;
            self.is_mig = is_mig;
        }
        let mut instances = if is_mig {
            mig::list(nvml, handle, &self.facts, around.node, around.profiling)
        } else {
            Vec::new()
        };
        if mig::same(&self.instances, &instances) {
            mig::rename(&mut self.instances, &instances);
        } else {
            std::mem::swap(&mut self.instances, &mut instances);
        }
        if around.profiling && self.gpm.is_none() {
            let has = self.memo.ask(round, ("profiling support", 0), || nvml.has_gpm(handle));
            let new = || Gpm::of_device(around.node, &self.facts.labels());
            self.gpm = has.filter(|has| *has).map(|_| new());
        }
    }

    /// Read what changes rarely.
    pub(super) fn read_health(&mut self, around: &Around<'_>, round: &mut Round) {
        let Some(handle) = self.handle.filter(|_| self.memo.lost.is_none()) else { return };
        self.health.read(
            (around.nvml, handle, around.numbering),
            (&self.facts, around.node),
            (&mut self.memo, &mut self.condition),
            round,
        );
    }

    /// How busy it is; gives the share in which a kernel ran, in percent, when the driver knows.
    fn read_use(&mut self, handle: Handle, around: &Around<'_>, round: &mut Round) -> Option<u32> {
        let nvml = around.nvml;
        let memo = &mut self.memo;
        let rates = memo.ask(round, ("utilization", 0), || nvml.utilization(handle));
        let encoder = memo.ask(round, ("encoder utilization", 0), || nvml.encoder_percent(handle));
        let decoder = memo.ask(round, ("decoder utilization", 0), || nvml.decoder_percent(handle));
        let jpeg = memo.ask(round, ("JPEG utilization", 0), || nvml.jpeg_percent(handle));
        let ofa = memo.ask(round, ("OFA utilization", 0), || nvml.ofa_percent(handle));
        let memory = memo.ask(round, ("memory", 0), || nvml.memory(handle));
        let ratio = |percent: Option<u32>| percent.map(|percent| f64::from(percent) / 100.0);
        self.emit(Own::General, ratio(rates.map(|(gpu, _)| gpu)), round);
        self.emit(Own::MemoryController, ratio(rates.map(|(_, memory)| memory)), round);
        self.emit(Own::Encoder, ratio(encoder), round);
        self.emit(Own::Decoder, ratio(decoder), round);
        self.emit(Own::Jpeg, ratio(jpeg), round);
        self.emit(Own::Ofa, ratio(ofa), round);
        if let Some(memory) = memory {
            self.emit(Own::Usage, Some(memory.used as f64), round);
            self.emit(Own::Limit, Some(memory.total as f64), round);
            self.emit(Own::Free, Some(memory.free as f64), round);
            self.emit(Own::Reserved, memory.reserved.map(|bytes| bytes as f64), round);
            let share = (memory.total > 0).then(|| memory.used as f64 / memory.total as f64);
            self.emit(Own::Utilization, share, round);
        }
        rates.map(|(gpu, _)| gpu)
    }

    /// Heat, clocks and what holds them down, fan, link.
    fn read_state(&mut self, handle: Handle, around: &Around<'_>, round: &mut Round) {
        let nvml = around.nvml;
        let memo = &mut self.memo;
        let celsius = memo.ask(round, ("temperature", 0), || nvml.temperature(handle));
        let margin = memo.ask(round, ("temperature margin", 0), || nvml.margin_celsius(handle));
        let state = memo.ask(round, ("performance state", 0), || nvml.performance_state(handle));
        // The first fan speaks for all: boards with several run them alike.
        let fan = memo.ask(round, ("fan", 0), || nvml.fan_percent(handle, 0));
        let generation = memo.ask(round, ("PCIe generation", 0), || nvml.pcie_generation(handle));
        let width = memo.ask(round, ("PCIe width", 0), || nvml.pcie_width(handle));
        let mut reasons =
            memo.ask(round, ("clock event reasons", 0), || nvml.clock_event_reasons(handle));
        if reasons.is_none() {
            // The name of the same call before driver 535.
            reasons =
                memo.ask(round, ("throttle reasons", 0), || nvml.clock_throttle_reasons(handle));
        }
        // In the order of nvmlClockType_t.
        let clocks = [0, 1, 2, 3]
            .map(|domain| memo.ask(round, ("clock", domain), || nvml.clock_mhz(handle, domain)));
        self.emit(Own::Temperature, celsius.map(f64::from), round);
        self.emit(Own::Margin, margin.map(f64::from), round);
        let state = state.filter(|state| *state != STATE_UNKNOWN);
        self.emit(Own::State, state.map(f64::from), round);
        self.emit(Own::Fan, fan.map(|percent| f64::from(percent) / 100.0), round);
        self.emit(Own::Generation, generation.map(f64::from), round);
        self.emit(Own::Width, width.map(f64::from), round);
        for (series, mhz) in [Own::Graphics, Own::Sm, Own::Memory, Own::Video].iter().zip(clocks) {
            self.emit(*series, mhz.map(|mhz| f64::from(mhz) * 1e6), round);
        }
        if let Some(reasons) = reasons {
            for (index, (bit, _)) in REASONS.iter().enumerate() {
                let active = u8::from(reasons & bit != 0);
                round.emit(self.tables.reasons.get(index), f64::from(active));
            }
        }
    }

    fn read_fields(&mut self, handle: Handle, around: &Around<'_>, round: &mut Round) {
        let nvml = around.nvml;
        let asked = self.answered.take().unwrap_or_else(|| (0..FAST.len()).collect());
        let asks: Vec<FieldAsk> = asked.iter().map(|at| FAST[*at].ask(around.numbering)).collect();
        let answers = self.memo.ask(round, ("fields", 0), || nvml.fields(handle, &asks));
        let Some(answers) = answers else {
            // The call itself failed: that says nothing about single fields.
            self.answered = (!self.memo.is_refused(("fields", 0))).then_some(asked);
            self.read_power(handle, around, round);
            return;
        };
        let got = |wanted: usize| {
            asked.iter().zip(&answers).any(|(at, answer)| *at == wanted && answer.is_ok())
        };
        let power = got(AVERAGE_POWER);
        let mut keep = Vec::with_capacity(asked.len());
        for (at, answer) in asked.iter().zip(&answers) {
            let field = &FAST[*at];
            if field.unless.is_some_and(got) {
                continue;
            }
            match answer {
                Ok(answer) if field.needs_64_bits && answer.is_narrow => continue,
                Ok(answer) => {
                    round.emit(self.tables.fields.get(*at), answer.value * field.scale);
                }
                Err(code) if code.is_loss() => self.memo.lost = Some(*code),
                Err(code) if code.is_missing() => continue,
                Err(_) => {}
            }
            keep.push(*at);
        }
        self.answered = Some(keep);
        if !power {
            self.read_power(handle, around, round);
        }
    }

    /// Power by the older call, where the field is not there (before Ampere).
    fn read_power(&mut self, handle: Handle, around: &Around<'_>, round: &mut Round) {
        let nvml = around.nvml;
        let power = self.memo.ask(round, ("power", 0), || nvml.power_milliwatts(handle));
        self.emit(Own::Power, power.map(|milliwatts| f64::from(milliwatts) * 1e-3), round);
    }
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings as header;

    use super::*;

    #[test]
    fn bits_are_those_of_the_header() {
        let check = |reason: &str, expected: u64| {
            let found = REASONS.iter().find(|(_, word)| *word == reason);
            assert_eq!(found.map(|(bit, _)| *bit), Some(expected), "{reason}");
        };
        check("idle", header::nvmlClocksEventReasonGpuIdle.into());
        check("sw_power_cap", header::nvmlClocksEventReasonSwPowerCap.into());
        check("hw_slowdown", header::nvmlClocksThrottleReasonHwSlowdown.into());
        check("sync_boost", header::nvmlClocksEventReasonSyncBoost.into());
        check("sw_thermal", header::nvmlClocksEventReasonSwThermalSlowdown.into());
        check("hw_thermal", header::nvmlClocksThrottleReasonHwThermalSlowdown.into());
        check("hw_power_brake", header::nvmlClocksThrottleReasonHwPowerBrakeSlowdown.into());
        check("display_clock", header::nvmlClocksEventReasonDisplayClockSetting.into());
    }
}
