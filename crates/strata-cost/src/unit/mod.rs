//! Unit costs: money over hours, tokens, requests and joules.
//!
//! A unit cost is there only where both of its parts are: money whose every second has a price, and
//! a count that was measured. How much of the time the count covers stands beside it, and the money
//! is taken for that part only.

mod energy;
mod exchange;
mod fleet;
mod nodes;
mod path;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod training;
#[cfg(test)]
mod training_tests;
mod waste;

use std::collections::BTreeMap;

pub use energy::{Boundary, Energy, EnergyUnits, JOULES_PER_KWH, MIN_METERED, energy, metered};
pub use exchange::{Exchange, exchange};
pub use fleet::fleet;
pub use nodes::{NodePrice, NodeSize, node_prices};
pub use path::{Fork, Forked, NO_CLASS, Part, Path};
pub use tenants::{Amounts, TenantLine, amounts, by_tenant, tenants};
pub use training::{RunUnits, Training, TrainingUnits, training};
pub use waste::{CacheLoss, HitRates, WasteCause, WasteLine, cache_loss, hit_rates, waste};

use crate::ledger::{Counted, Engine, Ledger, Line, ReplicaTotals};
use crate::split::{CLASSES, Class, Method, Quality, Split};
use crate::sum::sum;
use crate::useful::{LEVELS, Level};

/// A cost for one of something, and how much of the time it covers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitCost {
    /// Money for one.
    pub cost: f64,
    /// How many there were.
    pub count: f64,
    /// Share of the money in whose time they were counted.
    pub covered: f64,
}

/// What one token class costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassCost {
    /// Which class.
    pub class: Class,
    /// How many there were.
    pub count: f64,
    /// Money for one, of the busy time alone: what it would cost without idle time.
    pub busy: f64,
    /// Money for one with its part of held idle and cold time: what it costs at this load.
    pub full: f64,
    /// 95 % interval of `full`, where the method gives one.
    pub interval: Option<(f64, f64)>,
}

/// How busy time was split between classes, and what that is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitUsed {
    /// Engine, settings and GPU; empty where pools of a model are seen together.
    pub settings: String,
    /// The method.
    pub method: Method,
    /// Of least squares, also where they were tried and not good enough.
    pub quality: Option<Quality>,
    /// Why better methods could not be used.
    pub instead_of: Vec<String>,
}

/// Unit costs of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    /// Model.
    pub model: String,
    /// Time and money of its replicas.
    pub line: Line,
    /// How busy time was split, for each way in which the model runs.
    pub splits: Vec<SplitUsed>,
    /// Money for one held GPU hour; None where there is no price.
    pub per_gpu_hour: Option<f64>,
    /// What each class costs; classes that did not occur are left out.
    pub classes: Vec<ClassCost>,
    /// Money for one generated or prompt token, all classes alike.
    pub per_token: Option<UnitCost>,
    /// Money for one request.
    pub per_request: Option<UnitCost>,
    /// Money for one useful token by level: all of the model's money, wasted and idle included,
    /// over the tokens of the level. Dropping requests does not make it cheaper.
    pub per_useful_token: [Option<UnitCost>; LEVELS],
    /// Money for one generated token in the busiest steps, where they were reached again and again:
    /// the 99th percentile of tokens per held GPU second.
    pub at_saturation: Option<f64>,
    /// Money that the prefix cache saved.
    pub cache_savings: Option<f64>,
    /// Tokens and joules.
    pub energy: Option<EnergyUnits>,
}

impl Units {
    /// Share of generated tokens that reach a level.
    pub fn goodput(&self, level: Level) -> Option<f64> {
        let of = |level: Level| self.per_useful_token.get(level.place()).copied().flatten();
        let (all, useful) = (of(Level::Generated)?, of(level)?);
        (all.count > 0.0 && all.covered == useful.covered).then(|| useful.count / all.count)
    }

    /// Money per generated token that low load costs: now less saturation.
    pub fn low_load_gap(&self) -> Option<f64> {
        let now = self.per_useful_token.first().copied().flatten()?;
        Some(now.cost - self.at_saturation?)
    }
}

/// Unit costs of every model that has replicas, in order of their names.
pub fn models(ledger: &Ledger, energy: &Energy) -> Vec<Units> {
    let lines = ledger.by_replica();
    let mut models: BTreeMap<&str, Vec<(&ReplicaTotals, &Line)>> = BTreeMap::new();
    for (replica, line) in ledger.replicas.iter().zip(&lines) {
        models.entry(&replica.model).or_default().push((replica, line));
    }
    models.into_iter().map(|(model, parts)| units(ledger, model, &parts, energy)).collect()
}

fn units(
    ledger: &Ledger,
    model: &str,
    parts: &[(&ReplicaTotals, &Line)],
    energy: &Energy,
) -> Units {
    let line = Line::merged(model, parts.iter().map(|(_, line)| *line));
    let priced = line.amount();
    let held_s = line.gpu_s();
    let rate = priced.filter(|_| held_s > 0.0).map(|money| money / held_s);
    let engines = ledger.engines.iter().filter(|engine| engine.model == model);
    let engines = engines.filter_map(|engine| Some((engine, engine.split.as_ref()?)));
    let (used, splits): (Vec<_>, Vec<_>) =
        engines.map(|(engine, split)| (used(engine, split), split)).unzip();
    let quantity = |counted: &Counted<[f64; CLASSES]>, class: Class| {
        counted.value.get(class.place()).copied().unwrap_or_default()
    };
    let tokens = count(parts, |replica| {
        let tokens = |counted: &Counted<[f64; CLASSES]>| {
            sum(Class::ALL
                .into_iter()
                .filter(|class| *class != Class::Requests)
                .map(|class| quantity(counted, class)))
        };
        replica
            .quantities
            .as_ref()
            .map(|counted| Counted { value: tokens(counted), covered: counted.covered })
    });
    let requests = count(parts, |replica| {
        let counted = replica.quantities.as_ref()?;
        Some(Counted { value: quantity(counted, Class::Requests), covered: counted.covered })
    });
    let useful = Level::ALL
        .map(|level| count(parts, |replica| replica.useful.get(level.place()).copied().flatten()));
    let generated: Vec<_> = parts
        .iter()
        .filter_map(|(replica, line)| Some((replica.peak_tokens_per_s?, line.gpu_s())))
        .collect();
    let per_useful = |found: Option<Found>| found.and_then(|found| found.cost(&line));
    Units {
        model: model.to_owned(),
        splits: used,
        per_gpu_hour: rate.map(|rate| rate * 3600.0),
        classes: priced.map(|_| classes(&line, &splits)).unwrap_or_default(),
        per_token: per_useful(tokens),
        per_request: per_useful(requests),
        per_useful_token: useful.map(per_useful),
        at_saturation: rate.and_then(|rate| saturation(rate, held_s, &generated)),
        cache_savings: priced.and_then(|_| savings(&line, &splits)),
        energy: energy::energy(
            &line,
            useful.first().copied().flatten().map(|found| found.count),
            energy,
        ),
        line,
    }
}

fn used(engine: &Engine, split: &Split) -> SplitUsed {
    SplitUsed {
        settings: engine.settings.clone(),
        method: split.method,
        quality: split.quality,
        instead_of: split.instead_of.clone(),
    }
}

/// A count over replicas, and the money in whose time it was counted.
#[derive(Clone, Copy)]
struct Found {
    count: f64,
    money: f64,
}

impl Found {
    fn cost(self, line: &Line) -> Option<UnitCost> {
        let whole = line.amount()?;
        if self.count <= 0.0 || whole <= 0.0 {
            return None;
        }
        Some(UnitCost {
            cost: self.money / self.count,
            count: self.count,
            covered: self.money / whole,
        })
    }
}

fn count(
    parts: &[(&ReplicaTotals, &Line)],
    of: impl Fn(&ReplicaTotals) -> Option<Counted<f64>>,
) -> Option<Found> {
    let mut found: Option<Found> = None;
    // A replica that no GPU is known of has tokens and no money: they are not free, and not counted.
    for (replica, line) in parts.iter().filter(|(_, line)| line.gpu_s() > 0.0) {
        let Some(counted) = of(replica) else { continue };
        let all = found.get_or_insert(Found { count: 0.0, money: 0.0 });
        all.count += counted.value;
        all.money += sum(line.money) * counted.covered;
    }
    found
}

/// Money by class. Splits of several engines of one model are added: each class has the seconds
/// that every engine spent on it. What was counted in a part of the busy time only is divided into
/// the money of that part.
fn classes(line: &Line, splits: &[&Split]) -> Vec<ClassCost> {
    let split_busy_s = sum(splits.iter().map(|split| split.busy_s));
    if split_busy_s <= 0.0 {
        return Vec::new();
    }
    let covered = covered(line, split_busy_s);
    let (busy_money, all_money) = (covered * line.busy_money(), covered * sum(line.money));
    let cost = |class: Class| {
        let count =
            sum(splits.iter().filter_map(|split| split.quantities.get(class.place())).copied());
        let seconds = sum(splits.iter().map(|split| split.share(class) * split.busy_s));
        let priced = splits.iter().any(|split| split.price(class).is_some());
        if count <= 0.0 || !priced {
            return None;
        }
        let each = seconds / split_busy_s / count;
        let interval = match splits {
            [only] => only.interval.get(class.place()).copied().flatten(),
            _ => None,
        };
        let scale = all_money / split_busy_s;
        Some(ClassCost {
            class,
            count,
            busy: busy_money * each,
            full: all_money * each,
            interval: interval.map(|(low, high)| (low * scale, high * scale)),
        })
    };
    Class::ALL.into_iter().filter_map(cost).collect()
}

/// Share of the busy time in which its work was counted.
fn covered(line: &Line, split_busy_s: f64) -> f64 {
    let busy_s = line.busy_s();
    if busy_s > 0.0 { (split_busy_s / busy_s).min(1.0) } else { 1.0 }
}

/// A prefill pool generates nothing, but its time belongs to the tokens of the other pool: all held
/// time counts, and the peak is that of those who generate.
fn saturation(rate: f64, held_s: f64, generating: &[(f64, f64)]) -> Option<f64> {
    let generating_s = sum(generating.iter().map(|(_, seconds)| *seconds));
    if generating_s <= 0.0 || held_s <= 0.0 {
        return None;
    }
    let peak = sum(generating.iter().map(|(peak, seconds)| peak * seconds)) / held_s;
    Some(rate / peak)
}

fn savings(line: &Line, splits: &[&Split]) -> Option<f64> {
    let busy_s = sum(splits.iter().map(|split| split.busy_s));
    let saved: Vec<f64> = splits.iter().filter_map(|split| split.cache_savings_s()).collect();
    if saved.is_empty() || busy_s <= 0.0 {
        return None;
    }
    Some(sum(saved) * covered(line, busy_s) * line.busy_money() / busy_s)
}
