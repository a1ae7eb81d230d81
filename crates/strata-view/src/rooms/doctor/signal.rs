//! Each signal by itself, with the metrics that it is made of behind it.

use strata_model::Layer;
use strata_model::catalog::Catalog;
use strata_world::{CoverageState, MetricCoverage, SignalCoverage, World, signal_def};

use super::words::{count, state, title};
use super::{column, text};
use crate::page::block::{Block, Fold};
use crate::page::table::{Cell, Row, Table};

/// One row a signal.
pub(super) fn table(world: &World, layer: Layer, signals: &[&SignalCoverage]) -> Table {
    let row = |one: &&SignalCoverage| {
        let mend = one.mend.clone().map_or_else(|| text(""), |text| Cell::Command { text });
        Row {
            cells: vec![
                state(one.state),
                text(title(one.signal, layer)),
                text(one.signal),
                text(why(one)),
                mend,
                inputs(world, one),
            ],
            link: None,
        }
    };
    let mut columns = vec![column("state", 0), column("signal", 0), column("id", 1)];
    columns.extend(["why", "what mends it", "made of"].map(|title| column(title, 1)));
    Table {
        title: String::new(),
        columns,
        rows: signals.iter().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    }
}

/// `needs gpu.interconnect.errors{type="c2c"}: no source of it is here`; nothing where it is there.
fn why(one: &SignalCoverage) -> String {
    let Some(reason) = &one.reason else { return String::new() };
    format!("needs {}: {reason}", one.lacks.join(" and "))
}

/// The metrics of a signal.
fn inputs(world: &World, one: &SignalCoverage) -> Cell {
    let inputs = signal_def(one.signal).map_or(&[][..], |def| def.inputs);
    let lines = inputs.iter().filter_map(|name| {
        let known = world.coverage.metrics.iter().find(|metric| metric.metric == *name)?;
        Some(line(known))
    });
    Cell::Fold { text: count(inputs.len(), "metric"), lines: lines.collect() }
}

/// `hw_power_watts: NVIDIA dcgm-exporter (DCGM_FI_DEV_POWER_USAGE, exact)`
fn line(metric: &MetricCoverage) -> String {
    let name = Catalog::builtin().metric(metric.metric);
    let name = name.map_or(metric.metric, |def| def.prometheus.as_str());
    let from = metric.sources.iter();
    let from =
        from.map(|(title, family, quality)| format!("{title} ({family}, {})", quality.name()));
    let from: Vec<String> = from.collect();
    let told =
        if from.is_empty() { metric.reason.clone().unwrap_or_default() } else { from.join(", ") };
    format!("{name}: {told}")
}

/// Metrics of the layer that no signal is made of: they are for queries of one's own.
pub(super) fn others(world: &World, layer: Layer) -> Option<Block> {
    let is_other = |one: &&MetricCoverage| {
        let def = Catalog::builtin().metric(one.metric);
        one.enables.is_empty() && def.is_some_and(|def| def.layer == Some(layer))
    };
    let others: Vec<&MetricCoverage> = world.coverage.metrics.iter().filter(is_other).collect();
    if others.is_empty() {
        return None;
    }
    let row = |one: &&MetricCoverage| {
        let mend = one.mend.clone().map_or_else(|| text(""), |text| Cell::Command { text });
        Row { cells: vec![state(one.state), text(line(one)), mend], link: None }
    };
    let table = Table {
        title: String::new(),
        columns: vec![column("state", 0), column("metric", 0), column("what mends it", 1)],
        rows: others.iter().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    };
    let here = others.iter().filter(|one| one.state == CoverageState::Ok).count();
    let all = count(others.len(), "metric");
    let summary = format!("{all} that no signal is made of, {here} of them here");
    Some(Block::Fold(Fold { summary, blocks: vec![Block::Table(table)] }))
}
