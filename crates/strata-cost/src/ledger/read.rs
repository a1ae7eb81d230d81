//! Reading a ledger: by whom, by what, and whether it adds up.

use std::collections::BTreeMap;

use super::{Cell, Ledger, Payer, STATES, Shares, State};
use crate::facts::{HolderKind, Owner};
use crate::sum::{Sum, sum};

/// The payer of what nothing attributes; a tenant like any other, so that it is seen.
pub const UNATTRIBUTED: &str = "unattributed";
/// The payer of what nobody held.
pub const PLATFORM: &str = "platform";
/// What stands for the training run of holders that are a part of none.
const NO_RUN: &str = "no run";

/// What a ledger can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Namespace of the holder.
    Namespace,
    /// Pod of the holder.
    Pod,
    /// Team of the holder.
    Team,
    /// Application of the holder.
    App,
    /// Model of the holder.
    Model,
    /// Tenant the holder works for.
    Tenant,
    /// Replica of the holder.
    Replica,
    /// Training run that the holder is a part of.
    Run,
    /// Node of the GPU.
    Node,
    /// Kind of GPU.
    Sku,
    /// The GPU itself.
    Gpu,
}

/// One line of a ledger: what one key had of each state.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The namespace, team, node, ..; [`UNATTRIBUTED`] or [`PLATFORM`] where there is none.
    pub key: String,
    /// GPU seconds by state.
    pub seconds: Shares,
    /// Money by state.
    pub money: Shares,
    /// GPU seconds without a price.
    pub unpriced_s: f64,
    /// Joules.
    pub energy_j: f64,
    /// GPU seconds without a reading of the energy counter.
    pub unmetered_s: f64,
    /// GPU seconds that are an equal part of a shared GPU, for want of anything that tells shares.
    pub assumed_s: f64,
}

impl Line {
    /// Several cells as one line.
    pub(crate) fn of_cells(key: &str, cells: &[&Cell]) -> Self {
        grow(cells).line(key.to_owned())
    }

    /// Several lines as one.
    pub fn merged<'a>(key: &str, lines: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut growing = Growing::default();
        for line in lines {
            growing.add(&line.seconds, &line.money);
            growing.unpriced_s.add(line.unpriced_s);
            growing.energy_j.add(line.energy_j);
            growing.unmetered_s.add(line.unmetered_s);
            growing.assumed_s.add(line.assumed_s);
        }
        growing.line(key.to_owned())
    }

    /// A share of it.
    pub(crate) fn scaled(&self, share: f64) -> Self {
        Self {
            key: self.key.clone(),
            seconds: self.seconds.map(|seconds| seconds * share),
            money: self.money.map(|money| money * share),
            unpriced_s: self.unpriced_s * share,
            energy_j: self.energy_j * share,
            unmetered_s: self.unmetered_s * share,
            assumed_s: self.assumed_s * share,
        }
    }

    /// GPU seconds in all states.
    pub fn gpu_s(&self) -> f64 {
        sum(self.seconds)
    }

    /// GPU seconds in which a kernel ran.
    pub fn busy_s(&self) -> f64 {
        let pairs = State::ALL.into_iter().zip(self.seconds);
        sum(pairs.filter(|(state, _)| state.is_busy()).map(|(_, seconds)| seconds))
    }

    /// Money for the seconds in which a kernel ran, as far as it has a price.
    pub fn busy_money(&self) -> f64 {
        let pairs = State::ALL.into_iter().zip(self.money);
        sum(pairs.filter(|(state, _)| state.is_busy()).map(|(_, money)| money))
    }

    /// Money in all states; None where a part of it has no price.
    pub fn amount(&self) -> Option<f64> {
        (self.unpriced_s <= 0.0).then(|| sum(self.money))
    }

    /// Money in one state, as far as it has a price.
    pub fn money_in(&self, state: State) -> f64 {
        self.money.get(state.place()).copied().unwrap_or_default()
    }

    /// Seconds in one state.
    pub fn seconds_in(&self, state: State) -> f64 {
        self.seconds.get(state.place()).copied().unwrap_or_default()
    }
}

/// Whether the ledger adds up, for the badge beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reconciliation {
    /// Price times time, without looking at states.
    pub bill: f64,
    /// All states of all payers.
    pub states: f64,
    /// Share of the bill whose payer is not known; None for a bill of nothing.
    pub unattributed: Option<f64>,
    /// Share of the bill whose state is not known.
    pub unknown: Option<f64>,
    /// Share of the GPU seconds that has no price.
    pub unpriced: Option<f64>,
}

impl Reconciliation {
    /// The largest error that rounding explains, relative to the bill.
    pub const TOLERANCE: f64 = 1e-9;

    /// Whether the states are the bill.
    pub fn holds(&self) -> bool {
        (self.bill - self.states).abs() <= Self::TOLERANCE * self.bill.abs()
    }
}

#[derive(Default)]
struct Growing {
    seconds: [Sum; STATES],
    money: [Sum; STATES],
    unpriced_s: Sum,
    energy_j: Sum,
    unmetered_s: Sum,
    assumed_s: Sum,
}

impl Ledger {
    /// End of the period, ms since 1970.
    pub fn end_ms(&self) -> i64 {
        self.start_ms + self.step_ms * self.steps as i64
    }

    /// All of it in one line.
    pub fn total(&self) -> Line {
        grow(&self.cells.iter().collect::<Vec<_>>()).line("all".to_owned())
    }

    /// One line for each replica, in their order; a replica without GPUs has an empty one.
    pub fn by_replica(&self) -> Vec<Line> {
        let mut groups: Vec<Vec<&Cell>> = vec![Vec::new(); self.replicas.len()];
        for cell in &self.cells {
            let place = self.owner(cell).and_then(|owner| owner.replica);
            if let Some(group) = place.and_then(|place| groups.get_mut(place)) {
                group.push(cell);
            }
        }
        let pairs = groups.into_iter().zip(&self.replicas);
        pairs.map(|(cells, replica)| grow(&cells).line(replica.name.clone())).collect()
    }

    /// One line for each key of a dimension, in their order. Lines add up to the total.
    pub fn by(&self, dimension: Dimension) -> Vec<Line> {
        self.group(|cell| self.key(cell, dimension))
    }

    /// One line for each pair of keys.
    pub fn by_two(&self, first: Dimension, second: Dimension) -> Vec<((String, String), Line)> {
        let pair = |cell: &Cell| (self.key(cell, first), self.key(cell, second));
        let mut groups: BTreeMap<_, Vec<&Cell>> = BTreeMap::new();
        for cell in &self.cells {
            groups.entry(pair(cell)).or_default().push(cell);
        }
        let line = |(keys, cells): ((String, String), Vec<&Cell>)| {
            let line = grow(&cells).line(format!("{}/{}", keys.0, keys.1));
            (keys, line)
        };
        groups.into_iter().map(line).collect()
    }

    /// One line for each holder that is named, by its kind, its namespace and its name.
    pub fn by_holder(&self) -> Vec<((HolderKind, String, String), Line)> {
        let mut groups: BTreeMap<(HolderKind, String, String), Vec<&Cell>> = BTreeMap::new();
        for cell in &self.cells {
            let Some(owner) = self.owner(cell).filter(|owner| owner.pod.is_some()) else {
                continue;
            };
            let [namespace, name] =
                [Dimension::Namespace, Dimension::Pod].map(|by| self.key(cell, by));
            groups.entry((owner.kind, namespace, name)).or_default().push(cell);
        }
        let line = |(holder, cells): ((HolderKind, String, String), Vec<&Cell>)| {
            let line = grow(&cells).line(format!("{}/{}", holder.1, holder.2));
            (holder, line)
        };
        groups.into_iter().map(line).collect()
    }

    /// GPU hours that one key of a dimension reserved, by model.
    pub fn reserved_hours(&self, dimension: Dimension, key: &str) -> Vec<(String, f64)> {
        let mut found: BTreeMap<String, Sum> = BTreeMap::new();
        for cell in self.cells.iter().filter(|cell| cell.reserved_s > 0.0) {
            if self.key(cell, dimension) == key {
                let model = self.key(cell, Dimension::Model);
                found.entry(model).or_default().add(cell.reserved_s / 3600.0);
            }
        }
        found.into_iter().map(|(model, hours)| (model, hours.value())).collect()
    }

    /// One line for each key that `key` gives.
    fn group(&self, key: impl Fn(&Cell) -> String) -> Vec<Line> {
        let mut groups: BTreeMap<String, Vec<&Cell>> = BTreeMap::new();
        for cell in &self.cells {
            groups.entry(key(cell)).or_default().push(cell);
        }
        groups.into_iter().map(|(key, cells)| grow(&cells).line(key)).collect()
    }

    pub(crate) fn owner(&self, cell: &Cell) -> Option<&Owner> {
        match cell.payer {
            Payer::Owner(place) => self.owners.get(place),
            Payer::Nobody | Payer::Unattributed => None,
        }
    }

    pub(crate) fn key(&self, cell: &Cell, dimension: Dimension) -> String {
        let gpu = self.gpus.get(cell.gpu);
        let owner = self.owner(cell);
        let run = || self.runs.get(owner?.run?);
        let field = |field: fn(&Owner) -> Option<&String>| owner.and_then(field).cloned();
        let (key, none) = match dimension {
            Dimension::Node => (gpu.and_then(|gpu| gpu.node.clone()), UNATTRIBUTED),
            Dimension::Sku => (gpu.and_then(|gpu| gpu.sku.clone()), UNATTRIBUTED),
            Dimension::Gpu => (gpu.map(|gpu| gpu.id.clone()), UNATTRIBUTED),
            _ if cell.payer == Payer::Nobody => (None, PLATFORM),
            Dimension::Namespace => (field(|owner| owner.namespace.as_ref()), UNATTRIBUTED),
            Dimension::Pod => (field(|owner| owner.pod.as_ref()), UNATTRIBUTED),
            Dimension::Team => (field(|owner| owner.team.as_ref()), UNATTRIBUTED),
            Dimension::App => (field(|owner| owner.app.as_ref()), UNATTRIBUTED),
            Dimension::Model => {
                let trained = || run()?.model.clone();
                (field(|owner| owner.model.as_ref()).or_else(trained), UNATTRIBUTED)
            }
            Dimension::Tenant => (field(|owner| owner.tenant.as_ref()), UNATTRIBUTED),
            Dimension::Replica => {
                let place = owner.and_then(|owner| owner.replica);
                let replica = place.and_then(|place| self.replicas.get(place));
                (replica.map(|replica| replica.name.clone()), UNATTRIBUTED)
            }
            Dimension::Run => {
                let none = if owner.is_some() { NO_RUN } else { UNATTRIBUTED };
                (run().map(|run| run.name.clone()), none)
            }
        };
        key.unwrap_or_else(|| none.to_owned())
    }

    /// Whether it adds up.
    pub fn reconciliation(&self) -> Reconciliation {
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let money = |keep: &dyn Fn(&Cell, State) -> bool| {
            let parts = self.cells.iter().flat_map(|cell| {
                let states = State::ALL.into_iter().zip(cell.money);
                states.filter(|(state, _)| keep(cell, *state)).map(|(_, money)| money)
            });
            sum(parts)
        };
        let bill = self.bill.money;
        Reconciliation {
            bill,
            states: money(&|_, _| true),
            unattributed: share(money(&|cell, _| cell.payer == Payer::Unattributed), bill),
            unknown: share(money(&|_, state| state.is_unknown()), bill),
            unpriced: share(self.bill.unpriced_s, self.bill.device_s),
        }
    }
}

fn grow(cells: &[&Cell]) -> Growing {
    let mut growing = Growing::default();
    for cell in cells {
        growing.add(&cell.seconds, &cell.money);
        growing.unpriced_s.add(cell.unpriced_s);
        growing.energy_j.add(cell.energy_j);
        growing.unmetered_s.add(cell.unmetered_s);
        growing.assumed_s.add(cell.assumed_s);
    }
    growing
}

impl Growing {
    fn add(&mut self, seconds: &Shares, money: &Shares) {
        self.seconds.iter_mut().zip(seconds).for_each(|(all, one)| all.add(*one));
        self.money.iter_mut().zip(money).for_each(|(all, one)| all.add(*one));
    }

    fn line(self, key: String) -> Line {
        Line {
            key,
            seconds: self.seconds.map(Sum::value),
            money: self.money.map(Sum::value),
            unpriced_s: self.unpriced_s.value(),
            energy_j: self.energy_j.value(),
            unmetered_s: self.unmetered_s.value(),
            assumed_s: self.assumed_s.value(),
        }
    }
}
