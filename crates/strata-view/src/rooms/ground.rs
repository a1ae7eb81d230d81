//! Where numbers come from that are not signals: the ledger and the list of holders are made of the
//! answers to many questions, of which each number rests on several.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use strata_model::catalog::{Catalog, Quality};
use strata_world::bill::{Period, bill_plan};
use strata_world::{World, metrics_asked, who};

use crate::page::block::{Block, Section};
use crate::page::number::{Explanation, Input, Number};
use crate::page::table::Cell;

/// What the ledger reads.
static BILL: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let period = Period { start_ms: 0, step_ms: 60_000, steps: 1 };
    metrics_asked(&bill_plan(&period))
});

/// What tells who holds and uses devices.
static HOLDERS: LazyLock<Vec<&'static str>> = LazyLock::new(|| metrics_asked(&who::questions()));

/// What a number rests on that says nothing of it itself.
struct Ground {
    inputs: Vec<Input>,
    quality: Option<Quality>,
    age_seconds: Option<f64>,
}

impl Ground {
    /// Of those of the metrics that are seen.
    fn of(world: &World, metrics: &[&'static str], end_ms: Option<i64>) -> Self {
        let wanted: BTreeSet<&str> = metrics.iter().copied().collect();
        let seen = world.coverage.metrics.iter();
        let seen = seen.filter(|one| wanted.contains(one.metric) && !one.sources.is_empty());
        let mut quality: Option<Quality> = None;
        let inputs = seen.map(|one| {
            let worst = one.sources.iter().map(|(.., quality)| *quality).max();
            quality = quality.max(worst);
            let name = Catalog::builtin().metric(one.metric);
            Input {
                metric: name.map_or(one.metric, |metric| &metric.prometheus).to_owned(),
                sources: one
                    .sources
                    .iter()
                    .map(|(title, family, _)| format!("{title} ({family})"))
                    .collect(),
                quality: worst.map(|quality| quality.name().to_owned()),
            }
        });
        let inputs = inputs.collect();
        let newest = end_ms.or_else(|| newest_of(world, &wanted));
        let age_seconds =
            newest.map(|newest| (world.window.now_ms - newest).max(0) as f64 / 1000.0);
        Self { inputs, quality, age_seconds }
    }

    fn tell(&self, explain: &mut Explanation) {
        if !explain.inputs.is_empty() {
            return;
        }
        explain.inputs.clone_from(&self.inputs);
        explain.age_seconds = explain.age_seconds.or(self.age_seconds);
        if explain.quality.is_none() {
            explain.quality = self.quality.map(|quality| quality.name().to_owned());
        }
    }
}

/// Time of the newest sample of that of the metrics whose newest is the oldest, as far as signals of the
/// page were made from them.
fn newest_of(world: &World, metrics: &BTreeSet<&str>) -> Option<i64> {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for signal in &world.signals {
        let Some(at_ms) = signal.newest_ms else { continue };
        for metric in signal.def.inputs.iter().filter(|metric| metrics.contains(*metric)) {
            let known = newest.entry(metric).or_insert(at_ms);
            *known = at_ms.max(*known);
        }
    }
    newest.into_values().min()
}

/// Say of the ledger's numbers what they rest on; `end_ms` is the end of its last step.
pub(super) fn of_ledger(world: &World, end_ms: i64, sections: &mut [Section]) {
    tell(&Ground::of(world, &BILL, Some(end_ms)), sections);
}

/// The same of who holds what.
pub(super) fn of_holders(world: &World, section: &mut Section) {
    tell(&Ground::of(world, &HOLDERS, None), std::slice::from_mut(section));
}

fn tell(ground: &Ground, sections: &mut [Section]) {
    let blocks = sections.iter_mut().flat_map(|section| &mut section.blocks);
    for block in blocks {
        let numbers: Vec<&mut Number> = match block {
            Block::Numbers { numbers } => numbers.iter_mut().collect(),
            Block::Card(card) => card.numbers.iter_mut().collect(),
            Block::Table(table) => {
                let cells = table.rows.iter_mut().flat_map(|row| &mut row.cells);
                let number = |cell| match cell {
                    &mut Cell::Number(ref mut number) => Some(number.as_mut()),
                    _ => None,
                };
                cells.filter_map(number).collect()
            }
            _ => Vec::new(),
        };
        for number in numbers {
            ground.tell(&mut number.explain);
        }
    }
}
