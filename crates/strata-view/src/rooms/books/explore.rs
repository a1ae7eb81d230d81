//! One way into the bill: state, model, tenant, token class, each row a link to the next step.

use strata_cost::ledger::{Ledger, State};
use strata_cost::sum::sum;
use strata_cost::unit::{Fork, Forked, Part, Path};

use super::asking;
use super::cells::{hours, table, text, told};
use crate::page::Link;
use crate::page::block::{Block, Chip, Chips};
use crate::page::table::{Cell, Row, Table};
use crate::request::{CostView, PageRequest};

/// Rows of a step at most.
const ROWS_MAX: usize = 50;

/// The way so far, and the parts of where it leads.
pub(super) fn blocks(request: &PageRequest, ledger: &Ledger) -> Vec<Block> {
    let cost = &request.cost;
    let state = cost.state.as_deref();
    let path = Path {
        state: state.and_then(|name| State::ALL.into_iter().find(|one| one.name() == name)),
        model: cost.model.clone(),
        tenant: cost.tenant.clone(),
    };
    let forked = path.fork(ledger);
    vec![Block::Chips(way(request)), Block::Table(parts(request, ledger, &forked))]
}

/// The steps so far, each a way back to it.
fn way(request: &PageRequest) -> Chips {
    let cost = &request.cost;
    let all = asking(request, |cost| clear(cost, Fork::State));
    let mut chips = vec![Chip { title: "the bill".to_owned(), current: false, link: all }];
    let steps = [
        (Fork::State, &cost.state, Fork::Model),
        (Fork::Model, &cost.model, Fork::Tenant),
        (Fork::Tenant, &cost.tenant, Fork::Class),
    ];
    for (step, chosen, next) in steps {
        if let Some(chosen) = chosen {
            let link = asking(request, |cost| clear(cost, next));
            let title = format!("{} {}", step.name(), chosen.replace('_', " "));
            chips.push(Chip { title, current: false, link });
        }
    }
    if let Some(last) = chips.last_mut() {
        last.current = true;
    }
    Chips { title: "the way".to_owned(), chips }
}

/// Forget a step and those after it.
fn clear(cost: &mut CostView, from: Fork) {
    match from {
        Fork::State => (cost.state, cost.model, cost.tenant) = (None, None, None),
        Fork::Model => (cost.model, cost.tenant) = (None, None),
        Fork::Tenant => cost.tenant = None,
        Fork::Class => {}
    }
}

/// Where a part leads; the last step leads nowhere.
fn further(request: &PageRequest, by: Fork, key: &str) -> Option<Link> {
    let key = Some(key.to_owned());
    match by {
        Fork::State => Some(asking(request, |cost| cost.state = key)),
        Fork::Model => Some(asking(request, |cost| cost.model = key)),
        Fork::Tenant => Some(asking(request, |cost| cost.tenant = key)),
        Fork::Class => None,
    }
}

fn parts(request: &PageRequest, ledger: &Ledger, forked: &Forked) -> Table {
    let currency = &ledger.options.currency;
    let whole = sum(forked.parts.iter().map(|part| part.money));
    let is_priced = forked.parts.iter().all(|part| part.is_priced);
    let row = |part: &Part| Row {
        cells: vec![
            text(part.key.replace('_', " ")),
            told(
                part.is_priced.then_some(part.money),
                currency,
                "Cost. GPU seconds at the price that held when they passed.",
                "sum over seconds of price per hour / 3600",
            ),
            share((is_priced && whole > 0.0).then(|| part.money / whole)),
            hours(part.gpu_s),
        ],
        link: further(request, forked.by, &part.key),
    };
    let title = format!("By {}", forked.by.name());
    let titles = [(forked.by.name(), false), ("cost", true), ("share", true), ("GPU hours", true)];
    let mut table = table(&title, &titles, Vec::new(), "nothing in this window is of that");
    table.rows = forked.parts.iter().take(ROWS_MAX).map(row).collect();
    table.total_rows = (forked.parts.len() > ROWS_MAX).then_some(forked.parts.len());
    table
}

fn share(value: Option<f64>) -> Cell {
    told(value, "1", "Share of the step before.", "cost / cost of all parts")
}

#[cfg(test)]
pub(super) mod tests {
    use strata_cost::facts::{Claim, Column, Facts, Gpu, Owner};
    use strata_cost::ledger::Options;
    use strata_cost::price::{PriceBook, Wanted};

    use super::*;
    use crate::request::PageId;

    /// A GPU of model `org/m` for an hour, half of it busy, and one that nobody holds.
    pub(in crate::rooms::books) fn ledger() -> Ledger {
        let gpu = |claims: Vec<Claim>| Gpu {
            id: "g".into(),
            wanted: Wanted { gpu: Some("H100 SXM".into()), ..Wanted::default() },
            portion: 1.0,
            present: Column::Constant(1.0),
            utilization: Column::Constant(if claims.is_empty() { 0.0 } else { 0.5 }),
            allocated: Column::Constant(if claims.is_empty() { 0.0 } else { 1.0 }),
            claims,
            ..Gpu::default()
        };
        let claim = Claim {
            end: 1,
            requested: 1.0,
            loaded: Column::Constant(1.0),
            waste: Column::Constant(0.0),
            ..Claim::default()
        };
        let owner =
            Owner { model: Some("org/m".into()), namespace: Some("n".into()), ..Owner::default() };
        let facts = Facts {
            start_ms: 1_767_225_600_000,
            step_ms: 3_600_000,
            steps: 1,
            owners: vec![owner],
            gpus: vec![gpu(vec![claim]), gpu(Vec::new())],
            ..Facts::default()
        };
        Ledger::build(&facts, &PriceBook::embedded(), &Options::default())
    }

    fn step(request: &PageRequest) -> (Chips, Table) {
        let blocks = blocks(request, &ledger());
        let [Block::Chips(chips), Block::Table(table)] = blocks.as_slice() else {
            panic!("{blocks:?}")
        };
        (chips.clone(), table.clone())
    }

    fn follow(link: &Link) -> PageRequest {
        let params = link.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        PageRequest::from_params(PageId::Cost, params).unwrap()
    }

    fn row<'a>(table: &'a Table, key: &str) -> &'a Row {
        let is_it = |row: &&Row| matches!(&row.cells[0], Cell::Text { text } if text == key);
        table.rows.iter().find(is_it).unwrap_or_else(|| panic!("no {key}: {table:?}"))
    }

    #[test]
    fn links_lead_from_the_bill_to_the_token_class_and_back() {
        let mut request = PageRequest::new(PageId::Cost);
        request.cost.basis = Some("used".to_owned());
        for (title, key) in
            [("By state", "busy useful"), ("By model", "org/m"), ("By tenant", "unattributed")]
        {
            let (_, table) = step(&request);
            assert_eq!(table.title, title);
            request = follow(row(&table, key).link.as_ref().unwrap());
        }
        let (chips, table) = step(&request);
        assert_eq!(table.title, "By token class");
        assert_eq!(row(&table, "no class").link, None, "the way ends here");
        let titles: Vec<_> = chips.chips.iter().map(|chip| chip.title.as_str()).collect();
        let expected = ["the bill", "state busy useful", "model org/m", "tenant unattributed"];
        assert_eq!(titles, expected);
        assert!(chips.chips[3].current && !chips.chips[0].current);
        let back = follow(&chips.chips[1].link);
        assert_eq!((back.cost.state.as_deref(), back.cost.model), (Some("busy_useful"), None));
        let whole = follow(&chips.chips[0].link);
        assert_eq!(whole.cost.state, None);
        assert_eq!(whole.cost.basis.as_deref(), Some("used"), "other choices stay");
    }
}
