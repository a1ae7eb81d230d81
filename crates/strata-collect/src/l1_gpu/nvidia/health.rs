//! What changes rarely and costs calls: limits, memory errors, retired pages, link errors. It has
//! a slower collector of its own.

use super::super::names;
use super::c2c::C2c;
use super::condition::{Condition, Sign};
use super::fabric;
use super::facts::Facts;
use super::fields::{Numbering, SLOW};
use super::library::{FieldAsk, Handle, Nvml};
use super::links::Links;
use super::memo::Memo;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain, shape};

/// Corrected and uncorrected, in the order of `nvmlMemoryErrorType_t`.
const KINDS: [&str; 2] = ["corrected", "uncorrected"];
/// In the order of `nvmlEccCounterType_t`.
const SCOPES: [&str; 2] = ["volatile", "aggregate"];
/// In the order of `nvmlMemoryLocation_t`.
const PLACES: [&str; 8] =
    ["l1_cache", "l2_cache", "dram", "register_file", "texture", "texture_shm", "cbu", "sram"];
/// The total of a kind and scope stands behind its places.
const TOTAL: usize = PLACES.len();
const ECC_SERIES: usize = KINDS.len() * SCOPES.len() * (PLACES.len() + 1);

macro_rules! shapes {
    ($($variant:ident = $shape:expr;)*) => {
        #[derive(Clone, Copy)]
        enum Own { $($variant),* }
        const OWN: &[Shape] = &[$($shape),*];
    };
}

shapes! {
    LimitEnforced = shape(names::POWER_LIMIT, &[("kind", "enforced")]);
    LimitMin = shape(names::POWER_LIMIT, &[("kind", "min")]);
    LimitMax = shape(names::POWER_LIMIT, &[("kind", "max")]);
    ClockGraphics = shape(names::CLOCK_LIMIT, &[("domain", "graphics")]);
    ClockSm = shape(names::CLOCK_LIMIT, &[("domain", "sm")]);
    ClockMemory = shape(names::CLOCK_LIMIT, &[("domain", "memory")]);
    ClockVideo = shape(names::CLOCK_LIMIT, &[("domain", "video")]);
    Shutdown = shape(names::TEMPERATURE_LIMIT, &[("limit_type", "critical"), ("sensor_location", "gpu")]);
    Slowdown = shape(names::TEMPERATURE_LIMIT, &[("limit_type", "throttled"), ("sensor_location", "gpu")]);
    MemoryMax = shape(names::TEMPERATURE_LIMIT, &[("limit_type", "throttled"), ("sensor_location", "memory")]);
    GenerationMax = shape(names::PCIE_GENERATION, &[("state", "max")]);
    WidthMax = shape(names::PCIE_WIDTH, &[("state", "max")]);
    SpareAll = shape(names::ROWS_BANKS, &[("spare", "all")]);
    SpareMany = shape(names::ROWS_BANKS, &[("spare", "many")]);
    SpareSome = shape(names::ROWS_BANKS, &[("spare", "some")]);
    SpareFew = shape(names::ROWS_BANKS, &[("spare", "few")]);
    SpareNone = shape(names::ROWS_BANKS, &[("spare", "none")]);
    PagesSingle = shape(names::PAGES_RETIRED, &[("cause", "single_bit")]);
    PagesDouble = shape(names::PAGES_RETIRED, &[("cause", "double_bit")]);
    PagesPending = plain(names::PAGES_PENDING);
}

/// Where the banks without a spare row stand in the driver's histogram.
const SPARE_NONE: usize = 4;

/// The rarely changing part of one device.
pub(super) struct Health {
    own: SeriesSet,
    fields: SeriesSet,
    ecc: SeriesSet,
    links: Links,
    c2c: C2c,
}

/// Where the series of an error counter stands.
fn ecc_index(kind: usize, scope: usize, place: usize) -> usize {
    (kind * SCOPES.len() + scope) * (PLACES.len() + 1) + place
}

fn ecc_series(facts: &Facts, node: &str) -> SeriesSet {
    let mut all = Vec::with_capacity(ECC_SERIES);
    for error_type in KINDS {
        for scope in SCOPES {
            for location in PLACES.into_iter().chain([""]) {
                all.push([("error_type", error_type), ("scope", scope), ("location", location)]);
            }
        }
    }
    SeriesSet::with_labels(names::ERRORS, node, &facts.labels(), &all)
}

/// What a field says of the condition of the device.
fn judge(metric: &str, value: f64, condition: &mut Condition) {
    match metric {
        names::ROWS_PENDING => condition.sign(Sign::RowPending, Some(value > 0.0)),
        names::ROWS_FAILED => condition.sign(Sign::RowFailed, Some(value > 0.0)),
        names::RECOVERY_ACTION => condition.recovery(value as u64),
        _ => {}
    }
}

impl Health {
    pub(super) fn new(facts: &Facts, node: &str) -> Self {
        Self {
            own: SeriesSet::new(OWN, node, &facts.labels()),
            fields: SeriesSet::new(SLOW.iter().map(|field| &field.shape), node, &facts.labels()),
            ecc: ecc_series(facts, node),
            links: Links::default(),
            c2c: C2c::default(),
        }
    }

    /// Read and tell everything.
    pub(super) fn read(
        &mut self,
        (nvml, device, numbering): (&Nvml, Handle, Numbering),
        (facts, node): (&Facts, &str),
        (memo, condition): (&mut Memo, &mut Condition),
        round: &mut Round,
    ) {
        let has_limits = self.read_fields((nvml, device, numbering), (memo, condition), round);
        self.read_limits((nvml, device), has_limits, memo, round);
        self.read_pages((nvml, device), (memo, condition), round);
        self.read_errors((nvml, device), memo, round);
        self.links.read((nvml, device), (facts, node), memo, round);
        self.c2c.read((nvml, device), (facts, node), memo, round);
        fabric::read((nvml, device), (facts, node), (memo, condition), round);
    }

    /// Gives whether the power limits are among the fields.
    fn read_fields(
        &self,
        (nvml, device, numbering): (&Nvml, Handle, Numbering),
        (memo, condition): (&mut Memo, &mut Condition),
        round: &mut Round,
    ) -> bool {
        let mut has_limits = false;
        let wanted: Vec<usize> = (0..SLOW.len())
            .filter(|index| !memo.is_refused(("slow field", *index as u32)))
            .collect();
        let asks: Vec<FieldAsk> = wanted.iter().map(|index| SLOW[*index].ask(numbering)).collect();
        let answers = memo.ask(round, ("fields", 1), || nvml.fields(device, &asks));
        for (index, answer) in wanted.into_iter().zip(answers.into_iter().flatten()) {
            match answer {
                Ok(answer) => {
                    has_limits |= index == 0;
                    round.emit(self.fields.get(index), answer.value * SLOW[index].scale);
                    judge(SLOW[index].shape.metric, answer.value, condition);
                }
                Err(code) => memo.note(round, ("slow field", index as u32), code),
            }
        }
        has_limits
    }

    fn read_limits(
        &self,
        (nvml, device): (&Nvml, Handle),
        has_limits: bool,
        memo: &mut Memo,
        round: &mut Round,
    ) {
        // Fields have the power limits from Ampere on; these calls have them before.
        if !has_limits {
            let enforced =
                memo.ask(round, ("power limit", 0), || nvml.enforced_limit_milliwatts(device));
            self.tell(round, Own::LimitEnforced, enforced.map(|limit| f64::from(limit) * 1e-3));
            let range =
                memo.ask(round, ("power limits", 0), || nvml.limit_range_milliwatts(device));
            self.tell(round, Own::LimitMin, range.map(|(least, _)| f64::from(least) * 1e-3));
            self.tell(round, Own::LimitMax, range.map(|(_, most)| f64::from(most) * 1e-3));
        }
        // In the order of nvmlClockType_t.
        let domains = [Own::ClockGraphics, Own::ClockSm, Own::ClockMemory, Own::ClockVideo];
        for (domain, series) in (0..).zip(domains) {
            let mhz =
                memo.ask(round, ("highest clock", domain), || nvml.max_clock_mhz(device, domain));
            self.tell(round, series, mhz.map(|mhz| f64::from(mhz) * 1e6));
        }
        // nvmlTemperatureThresholds_t: 0 shutdown, 1 slowdown, 2 memory.
        for (kind, series) in (0..).zip([Own::Shutdown, Own::Slowdown, Own::MemoryMax]) {
            let celsius = memo
                .ask(round, ("temperature limit", kind), || nvml.threshold_celsius(device, kind));
            // Zero is what boards without the limit say.
            self.tell(round, series, celsius.filter(|celsius| *celsius > 0).map(f64::from));
        }
        let generation =
            memo.ask(round, ("highest PCIe generation", 0), || nvml.pcie_generation_max(device));
        self.tell(round, Own::GenerationMax, generation.map(f64::from));
        let width = memo.ask(round, ("highest PCIe width", 0), || nvml.pcie_width_max(device));
        self.tell(round, Own::WidthMax, width.map(f64::from));
    }

    fn read_pages(
        &self,
        (nvml, device): (&Nvml, Handle),
        (memo, condition): (&mut Memo, &mut Condition),
        round: &mut Round,
    ) {
        for (cause, series) in (0..).zip([Own::PagesSingle, Own::PagesDouble]) {
            let pages =
                memo.ask(round, ("retired pages", cause), || nvml.pages_retired(device, cause));
            self.tell(round, series, pages.map(f64::from));
        }
        let spare = memo.ask(round, ("spare rows", 0), || nvml.spare_rows(device));
        let series = [Own::SpareAll, Own::SpareMany, Own::SpareSome, Own::SpareFew, Own::SpareNone];
        for (at, series) in series.into_iter().enumerate() {
            self.tell(round, series, spare.map(|spare| f64::from(spare.banks[at])));
        }
        condition.sign(Sign::NoSpareRow, spare.map(|spare| spare.banks[SPARE_NONE] > 0));
        let pending = memo.ask(round, ("pages to retire", 0), || nvml.pages_pending(device));
        self.tell(round, Own::PagesPending, pending.map(f64::from));
        condition.sign(Sign::PagePending, pending.map(|pending| pending > 0));
    }

    fn read_errors(&self, (nvml, device): (&Nvml, Handle), memo: &mut Memo, round: &mut Round) {
        for kind in 0..KINDS.len() {
            for scope in 0..SCOPES.len() {
                let (error, counter) = (kind as u32, scope as u32);
                let index = ecc_index(kind, scope, TOTAL);
                let total = memo.ask(round, ("memory errors", index as u32), || {
                    nvml.ecc_total(device, error, counter)
                });
                // Without error correction there is nothing at any place either.
                let Some(total) = total else { continue };
                round.emit(self.ecc.get(index), total as f64);
                for place in 0..PLACES.len() {
                    let index = ecc_index(kind, scope, place);
                    let count = memo.ask(round, ("memory errors", index as u32), || {
                        nvml.ecc_at(device, error, counter, place as u32)
                    });
                    round.emit_known(self.ecc.get(index), count.map(|count| count as f64));
                }
            }
        }
    }

    fn tell(&self, round: &mut Round, series: Own, value: Option<f64>) {
        round.emit_known(self.own.get(series as usize), value);
    }
}
