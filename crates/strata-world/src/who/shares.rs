//! How the time, memory and energy of each device are divided between those who use it.
//!
//! Of each quantity the owners' shares, what is idle and what nobody is known for add up to 1.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::ledger::{Id, id};
use super::people::People;
use super::questions::{Answers, Row, ShareAnswers};
use super::{Gpu, Holder};
use crate::bill::mig_share;

/// The divisions of a device; `None` where its whole is not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Shares {
    /// Of the time of its SMs.
    pub sm_time: Option<Division>,
    /// Of its memory.
    pub memory: Option<Division>,
    /// Of the energy it draws, an estimate, after time and power.
    pub energy: Option<Division>,
}

/// One quantity of a device, divided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Division {
    pub owners: Vec<Part>,
    /// What nobody uses.
    pub idle: f64,
    /// What somebody uses who is not known.
    pub unattributed: f64,
    /// What the owners' parts were read from: `processes`, `vgpu`, `mig`, `sole_holder`, or `none`
    /// where nothing tells them apart.
    pub evidence: &'static str,
}

/// What one owner has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Owner {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub slurm_job_id: String,
}

/// The share of one owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    #[serde(flatten)]
    pub owner: Owner,
    /// 0 to 1.
    pub share: f64,
}

/// What owners are known to use, as shares of the device, and the word for how.
type Uses = (Vec<(Owner, f64)>, &'static str);

/// Divide a quantity of which `used` (0 to 1) is in use. Parts that say more than that, as averages
/// of different windows do, are cut in proportion.
fn divide(uses: Uses, used: f64) -> Division {
    let (parts, evidence) = uses;
    let used = used.clamp(0.0, 1.0);
    let mut owners: BTreeMap<Owner, f64> = BTreeMap::new();
    for (owner, part) in parts {
        *owners.entry(owner).or_default() += if part.is_finite() { part.max(0.0) } else { 0.0 };
    }
    let known: f64 = owners.values().sum();
    let scale = if known > used { used / known } else { 1.0 };
    let owners: Vec<Part> = owners
        .into_iter()
        .map(|(owner, part)| Part { owner, share: part * scale })
        .filter(|part| part.share > 0.0)
        .collect();
    let given: f64 = owners.iter().map(|part| part.share).sum();
    Division { owners, idle: 1.0 - used, unattributed: (used - given).max(0.0), evidence }
}

/// Energy after the time: who computes draws what is above idle power; the idle power of the time in
/// which nothing ran is idle. `floor` is the least power of the last minutes over the mean. Where
/// the device never rested it is too high and the division nears that of time, so it is at no time
/// charged to somebody who did not compute.
fn by_time(time: &Division, floor: f64) -> Division {
    let idle = time.idle * floor.clamp(0.0, 1.0);
    let used = 1.0 - time.idle;
    // Nothing ran: whatever is drawn is idle.
    let scale = if used > 0.0 { (1.0 - idle) / used } else { 0.0 };
    let idle = if used > 0.0 { idle } else { 1.0 };
    let owners = time.owners.iter().map(|part| Part { share: part.share * scale, ..part.clone() });
    Division {
        owners: owners.collect(),
        idle,
        unattributed: time.unattributed * scale,
        evidence: time.evidence,
    }
}

fn owner(holder: &Holder) -> Owner {
    Owner {
        namespace: holder.namespace.clone(),
        pod: holder.pod.clone(),
        pod_uid: holder.pod_uid.clone(),
        slurm_job_id: holder.slurm_job_id.clone(),
    }
}

/// Whether there is somebody to name.
fn is_named(owner: &Owner) -> bool {
    !owner.pod.is_empty() || !owner.pod_uid.is_empty() || !owner.slurm_job_id.is_empty()
}

/// Values of a question by device.
fn by_device(rows: &[Row]) -> HashMap<Id<'_>, f64> {
    let mut found = HashMap::new();
    for row in rows {
        let value: &mut f64 = found.entry(id(row)).or_insert(row.value);
        *value = value.max(row.value);
    }
    found
}

/// What each question says of uses, by device.
struct Evidence<'a> {
    processes: HashMap<Id<'a>, Vec<&'a Row>>,
    vgpus: HashMap<Id<'a>, Vec<&'a Row>>,
    slices: HashMap<Id<'a>, Vec<&'a Row>>,
    /// Holder by UUID of a MIG instance.
    tenants: HashMap<&'a str, &'a Row>,
}

fn rows_by_device(rows: &[Row]) -> HashMap<Id<'_>, Vec<&Row>> {
    let mut found: HashMap<Id<'_>, Vec<&Row>> = HashMap::new();
    for row in rows {
        found.entry(id(row)).or_default().push(row);
    }
    found
}

impl<'a> Evidence<'a> {
    fn new(answers: &'a Answers, told: &'a ShareAnswers) -> Self {
        let tenants = answers.allocations.iter().map(|row| (row.get("mig_uuid"), row));
        Self {
            processes: rows_by_device(&told.process_busy),
            vgpus: rows_by_device(&told.vgpu_busy),
            slices: rows_by_device(&told.slice_busy),
            tenants: tenants.filter(|(uuid, _)| !uuid.is_empty()).collect(),
        }
    }

    /// Time of the SMs by owner, and the device's whole where its parts tell it.
    /// `None` where they tell a part of it only.
    fn time(&self, key: &Id<'_>, gpu: &Gpu, who: &People<'_>) -> Option<(Uses, Option<f64>)> {
        let of = |row: &&Row| (owner(&who.user(row)), row.value);
        if let Some(slices) = self.slices.get(key) {
            let part = |row: &&&Row| {
                let share = mig_share(row.get("mig_profile"), &gpu.gpu_model)?;
                let tenant = self.tenants.get(row.get("mig_uuid"));
                let owner = tenant.map(|tenant| owner(&who.holder(tenant))).unwrap_or_default();
                Some((owner, row.value * share))
            };
            // One without a known profile would count as idle.
            let parts: Option<Vec<(Owner, f64)>> = slices.iter().map(|row| part(&row)).collect();
            let parts = parts?;
            let whole = parts.iter().map(|(_, part)| part).sum();
            let named = parts.into_iter().filter(|(owner, _)| is_named(owner)).collect();
            return Some(((named, "mig"), Some(whole)));
        }
        for (rows, evidence) in [(&self.processes, "processes"), (&self.vgpus, "vgpu")] {
            if let Some(rows) = rows.get(key) {
                let parts = rows.iter().map(of).filter(|(owner, _)| is_named(owner));
                return Some(((parts.collect(), evidence), None));
            }
        }
        Some(match (&*gpu.holders, gpu.strangers.is_empty()) {
            ([holder], true) => ((vec![(owner(holder), 1.0)], "sole_holder"), None),
            _ => ((Vec::new(), "none"), None),
        })
    }
}

/// Divide every device: SM time after MIG instances, processes or virtual GPUs, else to the one who
/// holds it alone; memory after processes; energy after time and power.
pub(super) fn shares<'a>(
    gpus: &mut [Gpu],
    places: impl Iterator<Item = (Id<'a>, usize)>,
    answers: &Answers,
    told: &ShareAnswers,
    who: &People<'_>,
) {
    let evidence = Evidence::new(answers, told);
    let (busy, limit) = (by_device(&told.busy), by_device(&told.limit));
    let (power, floor) = (by_device(&told.power), by_device(&told.power_floor));
    for (key, place) in places {
        let (key, Some(gpu)) = (&key, gpus.get_mut(place)) else { continue };
        let sm_time = evidence.time(key, gpu, who).and_then(|(uses, whole)| {
            let used = whole.or_else(|| busy.get(key).copied())?;
            Some(divide(uses, used))
        });
        let drawn = power.get(key).filter(|power| **power > 0.0).zip(floor.get(key));
        let energy = sm_time.as_ref().zip(drawn);
        let energy = energy.map(|(time, (power, floor))| by_time(time, floor / power));
        let total = limit.get(key).copied().filter(|total| *total > 0.0);
        let memory = total
            .zip(gpu.memory_bytes)
            .map(|(total, used)| divide(memory_uses(gpu, total), used as f64 / total));
        gpu.shares = Shares { sm_time, memory, energy };
    }
}

/// Memory by owner, as the ledger has it: of processes, else of the one holder.
fn memory_uses(gpu: &Gpu, total: f64) -> Uses {
    let people = gpu.holders.iter().chain(&gpu.strangers);
    let parts: Vec<(Owner, f64)> = people
        .filter_map(|person| Some((owner(person), person.memory_bytes? as f64 / total)))
        .filter(|(owner, _)| is_named(owner))
        .collect();
    let evidence = match (gpu.evidence, parts.is_empty()) {
        ("processes", _) => "processes",
        (_, false) => "sole_holder",
        (_, true) => "none",
    };
    (parts, evidence)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(division: &Division) -> f64 {
        let owners: f64 = division.owners.iter().map(|part| part.share).sum();
        owners + division.idle + division.unattributed
    }

    fn named(number: usize) -> Owner {
        Owner { pod: format!("p{number}"), ..Owner::default() }
    }

    proptest! {
        #[test]
        fn owners_idle_and_unattributed_are_the_device(
            parts in proptest::collection::vec((0_usize..4, -0.2_f64..1.5), 0..6),
            used in -0.1_f64..1.2,
            floor in -0.5_f64..2.0,
        ) {
            let parts = parts.into_iter().map(|(number, part)| (named(number), part)).collect();
            let time = divide((parts, "processes"), used);
            let energy = by_time(&time, floor);
            for division in [&time, &energy] {
                prop_assert!((sum(division) - 1.0).abs() < 1e-9, "{:?}", division);
                let mut all = division.owners.iter().map(|part| part.share)
                    .chain([division.idle, division.unattributed]);
                prop_assert!(all.all(|share| (0.0..=1.0 + 1e-9).contains(&share)), "{:?}", division);
            }
            // Who computed nothing pays for no energy.
            prop_assert!(energy.owners.len() == time.owners.len());
        }
    }

    #[test]
    fn a_device_that_rested_half_of_the_time_leaves_its_idle_power_to_nobody() {
        let time = divide((vec![(named(1), 0.3), (named(2), 0.1)], "processes"), 0.5);
        let energy = by_time(&time, 0.2);
        let share = |number: usize| energy.owners[number].share;
        // Half of the time at a fifth of the mean power is idle; the rest goes by time: 6 to 2 to 2.
        assert!((energy.idle - 0.1).abs() < 1e-9, "{energy:?}");
        assert!((share(0) - 0.54).abs() < 1e-9 && (share(1) - 0.18).abs() < 1e-9, "{energy:?}");
        assert!((energy.unattributed - 0.18).abs() < 1e-9, "{energy:?}");
    }
}
