//! The cost of a period as a function of what can change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Factor, VolumeUnit};
use crate::ledger::{Ledger, Line, Payer, State};
use crate::split::{CLASSES, Class, Quantities};
use crate::sum::{Sum, sum};

/// One model in one period.
#[derive(Debug, Clone, Copy, Default)]
struct Model {
    /// Money for a GPU second; None where it had none.
    price: Option<f64>,
    /// Requests, or tokens where these are not counted.
    volume: f64,
    /// What one of them works on, for the shape of a request; None without volume.
    shape: Option<Shape>,
    /// GPU seconds of useful work for one of each class; None without volume.
    speed: Option<Quantities>,
    /// Share of explained work that was wasted.
    waste: Option<f64>,
    idle_s: f64,
    uncounted_s: f64,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    prompt: f64,
    generated: f64,
    requests: f64,
    cached: f64,
}

/// Both periods, model by model, with what one period lacks taken from the other.
pub(super) struct Periods {
    models: Vec<[Model; 2]>,
    volume: [f64; 2],
}

fn is_moved(moved: usize, factor: Factor) -> usize {
    usize::from(moved & (1 << factor as usize) != 0)
}

impl Periods {
    /// Money of a period in which the factors of `moved` are as in the second period.
    pub(super) fn cost(&self, moved: usize) -> f64 {
        let at = |factor| is_moved(moved, factor);
        let [before, after] = self.volume;
        let volume = if at(Factor::Volume) == 0 { before } else { after };
        sum(self.models.iter().map(|pair| {
            let of = |factor| pair.get(at(factor)).copied().unwrap_or_default();
            let mix_of = at(Factor::Mix);
            let whole = self.volume.get(mix_of).copied().unwrap_or_default();
            let mix = if whole > 0.0 { of(Factor::Mix).volume / whole } else { 0.0 };
            let work =
                work(of(Factor::Length).shape, of(Factor::Cache).shape, of(Factor::Speed).speed);
            let explained =
                volume * mix * work / (1.0 - of(Factor::Waste).waste.unwrap_or_default());
            let seconds =
                explained + of(Factor::Utilization).idle_s + of(Factor::Uncounted).uncounted_s;
            seconds * of(Factor::Price).price.unwrap_or_default()
        }))
    }
}

/// GPU seconds of one request with the lengths of one shape and the cache of another.
fn work(length: Option<Shape>, cache: Option<Shape>, speed: Option<Quantities>) -> f64 {
    let (Some(length), Some(cache), Some(speed)) = (length, cache, speed) else { return 0.0 };
    let found = length.prompt * cache.cached;
    let amounts = [length.prompt - found, found, length.generated, length.requests];
    amounts.iter().zip(speed).map(|(amount, seconds)| amount * seconds).sum()
}

pub(super) fn periods(before: &Ledger, after: &Ledger) -> (Periods, VolumeUnit) {
    let unit = if counts_requests(before) && counts_requests(after) {
        VolumeUnit::Requests
    } else {
        VolumeUnit::Tokens
    };
    let sides = [models(before, unit), models(after, unit)];
    let keys: BTreeSet<&Key> = sides.iter().flat_map(BTreeMap::keys).collect();
    let mut periods = Periods { models: Vec::with_capacity(keys.len()), volume: [0.0; 2] };
    for key in keys {
        let mut pair = sides.each_ref().map(|side| side.get(key).copied().unwrap_or_default());
        for (volume, model) in periods.volume.iter_mut().zip(&pair) {
            *volume += model.volume;
        }
        let [first, second] = pair;
        pair = [first.filled(second), second.filled(first)];
        periods.models.push(pair);
    }
    (periods, unit)
}

impl Model {
    /// A model that is not there in one period has volume and time of nothing in it; its price,
    /// shape and speed are those of the other, so that only what it did is a change.
    fn filled(self, other: Self) -> Self {
        Self {
            price: self.price.or(other.price),
            shape: self.shape.or(other.shape),
            speed: self.speed.map(|own| lend(own, self.shape, other)).or(other.speed),
            waste: self.waste.or(other.waste),
            ..self
        }
    }
}

/// A class that did not occur in one period has no speed in it. It takes that of the other, for in
/// its own period nothing is multiplied by it.
fn lend(mut own: Quantities, shape: Option<Shape>, other: Model) -> Quantities {
    let Some((shape, speed)) = shape.zip(other.speed) else { return own };
    let found = shape.prompt * shape.cached;
    let amounts = [shape.prompt - found, found, shape.generated, shape.requests];
    for ((own, other), amount) in own.iter_mut().zip(speed).zip(amounts) {
        if amount <= 0.0 {
            *own = other;
        }
    }
    own
}

fn counts_requests(ledger: &Ledger) -> bool {
    let splits = ledger.engines.iter().filter_map(|engine| engine.split.as_ref());
    splits.map(|split| split.quantities).all(|[.., requests]| requests > 0.0)
}

/// A model, or one of the two lines that have none: what somebody holds without counted work, and
/// what nobody holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Model(String),
    Others,
    Platform,
}

fn models(ledger: &Ledger, unit: VolumeUnit) -> BTreeMap<Key, Model> {
    let mut lines: BTreeMap<Key, Vec<(f64, f64, f64, f64)>> = BTreeMap::new();
    for cell in &ledger.cells {
        let replica = ledger.owner(cell).and_then(|owner| owner.replica);
        let replica = replica.and_then(|place| ledger.replicas.get(place));
        let key = match (cell.payer, replica) {
            (Payer::Nobody, _) => Key::Platform,
            (_, Some(replica)) => Key::Model(replica.model.clone()),
            (_, None) => Key::Others,
        };
        let line = Line::merged("", []);
        let line = Line { seconds: cell.seconds, money: cell.money, ..line };
        let entry = (line.gpu_s(), cell.amount(), line.busy_s(), line.seconds_in(State::BusyWaste));
        lines.entry(key).or_default().push(entry);
    }
    lines
        .into_iter()
        .map(|(key, cells)| {
            let model = model(ledger, &key, &cells, unit);
            (key, model)
        })
        .collect()
}

fn model(ledger: &Ledger, key: &Key, cells: &[(f64, f64, f64, f64)], unit: VolumeUnit) -> Model {
    let held_s = sum(cells.iter().map(|cell| cell.0));
    let money = sum(cells.iter().map(|cell| cell.1));
    let busy_s = sum(cells.iter().map(|cell| cell.2));
    let wasted_s = sum(cells.iter().map(|cell| cell.3));
    let mut model = Model {
        price: (held_s > 0.0).then(|| money / held_s),
        idle_s: held_s - busy_s,
        uncounted_s: busy_s,
        ..Model::default()
    };
    let Key::Model(name) = key else { return model };
    let splits = ledger.engines.iter().filter(|engine| engine.model == *name);
    let mut amounts = [Sum::default(); CLASSES];
    let mut seconds = [Sum::default(); CLASSES];
    for split in splits.filter_map(|engine| engine.split.as_ref()) {
        for class in Class::ALL {
            let at = class.place();
            let amount = split.quantities.get(at).copied().unwrap_or_default();
            if let (Some(all), Some(time)) = (amounts.get_mut(at), seconds.get_mut(at)) {
                all.add(amount);
                time.add(split.share(class) * split.busy_s);
            }
        }
    }
    let (amounts, seconds) = (amounts.map(Sum::value), seconds.map(Sum::value));
    let counted_s = sum(seconds);
    let [fresh, found, generated, requests] = amounts;
    let volume = match unit {
        VolumeUnit::Requests => requests,
        VolumeUnit::Tokens => fresh + found + generated,
    };
    if volume <= 0.0 || counted_s <= 0.0 || busy_s <= 0.0 {
        return model;
    }
    let prompt = fresh + found;
    let waste = (wasted_s / busy_s).min(1.0);
    // All work was for nothing: no useful second stands for a request, so requests explain none.
    if waste >= 1.0 {
        return model;
    }
    // The split is of the seconds in which all was measured; here it stands for all busy seconds.
    let scale = busy_s * (1.0 - waste) / counted_s;
    let mut speed = [0.0; CLASSES];
    for ((speed, time), amount) in speed.iter_mut().zip(seconds).zip(amounts) {
        if amount > 0.0 {
            *speed = time * scale / amount;
        }
    }
    model.volume = volume;
    model.shape = Some(Shape {
        prompt: prompt / volume,
        generated: generated / volume,
        requests: requests / volume,
        cached: if prompt > 0.0 { found / prompt } else { 0.0 },
    });
    model.speed = Some(speed);
    model.waste = Some(waste);
    model.uncounted_s = 0.0;
    model
}
