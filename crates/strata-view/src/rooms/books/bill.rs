//! The bill by state and holder, what tokens cost, and what bought nothing.

use strata_cost::ledger::{Dimension, Ledger, Line, State};
use strata_cost::time::rfc3339;
use strata_cost::unit::waste;

use super::cells::{hours, money, share, table, text};
use crate::page::table::Table;
use crate::words;

/// Whether the bill adds up, and what of it nobody can attribute.
pub(super) fn balance(ledger: &Ledger) -> String {
    let checked = ledger.reconciliation();
    let share = |value: Option<f64>| words::text(value, "1");
    let all = ledger.total();
    let assumed = (all.gpu_s() > 0.0).then(|| all.assumed_s / all.gpu_s());
    format!(
        "{} to {}. {}; {} unattributed, {} of unknown use, {} of the time without a price, {} of it in \
         equal parts of shared GPUs for want of shares.",
        rfc3339(ledger.start_ms),
        rfc3339(ledger.end_ms()),
        if checked.holds() { "The bill balances" } else { "THE BILL DOES NOT BALANCE" },
        share(checked.unattributed),
        share(checked.unknown),
        share(checked.unpriced),
        share(assumed),
    )
}

/// What a state means, in words.
fn meaning(state: State) -> &'static str {
    match state {
        State::Down => "not usable: drained, lost or its node down",
        State::Unallocated => "nobody holds it",
        State::HeldCold => "held while the model is not loaded",
        State::HeldIdle => "held, loaded, and no kernel runs",
        State::BusyWaste => "work that nobody could use",
        State::BusyUseful => "work that somebody used",
        other => other.missing().unwrap_or(""),
    }
}

pub(super) fn states(ledger: &Ledger) -> Table {
    let total = ledger.total();
    let found = State::ALL.into_iter().filter(|state| total.seconds_in(*state) > 0.0);
    let rows = found.map(|state| {
        let priced = (total.unpriced_s <= 0.0).then(|| total.money_in(state));
        let what = if state.is_unknown() {
            format!("not known: {}", meaning(state))
        } else {
            meaning(state).to_owned()
        };
        vec![
            text(state.name().replace('_', " ")),
            money(ledger, priced),
            hours(total.seconds_in(state)),
            share(total.seconds_in(state), total.gpu_s()),
            text(what),
        ]
    });
    table(
        "Every GPU second once",
        &[("state", false), ("cost", true), ("GPU hours", true), ("share", true), ("means", false)],
        rows.collect(),
        "no GPU was seen in this window",
    )
}

pub(super) fn holders(ledger: &Ledger) -> Table {
    let mut lines = ledger.by_two(Dimension::Namespace, Dimension::Model);
    let size = |line: &Line| line.amount().unwrap_or(line.gpu_s());
    lines.sort_by(|(_, a), (_, b)| size(b).total_cmp(&size(a)));
    let rows = lines.into_iter().map(|((namespace, model), line)| {
        let of = |states: &[State]| {
            share(states.iter().map(|state| line.seconds_in(*state)).sum(), line.gpu_s())
        };
        vec![
            text(namespace),
            text(model),
            money(ledger, line.amount()),
            hours(line.gpu_s()),
            of(&[State::BusyUseful]),
            of(&[State::BusyWaste]),
            of(&[State::HeldIdle, State::HeldCold]),
        ]
    });
    table(
        "Who holds it",
        &[
            ("namespace", false),
            ("model", false),
            ("cost", true),
            ("GPU hours", true),
            ("useful", true),
            ("waste", true),
            ("idle", true),
        ],
        rows.collect(),
        "nothing names who holds a GPU",
    )
}

pub(super) fn wasted(ledger: &Ledger) -> Table {
    let rows = waste(ledger, Dimension::Namespace).into_iter().map(|line| {
        let priced = (line.unpriced_s <= 0.0).then_some(line.money);
        vec![
            text(line.cause.name().replace('_', " ")),
            text(line.owner),
            money(ledger, priced),
            hours(line.gpu_s),
        ]
    });
    table(
        "By cause and holder",
        &[("cause", false), ("namespace", false), ("cost", true), ("GPU hours", true)],
        rows.collect(),
        "nothing was wasted, as far as it is known",
    )
}
