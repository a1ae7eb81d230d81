//! Who is charged what, by a basis and a policy for idle time that the reader chooses.

use strata_cost::ledger::{Basis, Charge, Dimension, IdlePolicy, Ledger};
use strata_cost::sum::sum;

use super::asking;
use super::cells::{table, text, told};
use crate::page::block::{Block, Chip, Chips};
use crate::page::table::{Cell, Table};
use crate::request::{CostView, PageRequest};

/// Whom charges can be for.
pub(super) const BY: [(&str, Dimension); 5] = [
    ("namespace", Dimension::Namespace),
    ("team", Dimension::Team),
    ("app", Dimension::App),
    ("model", Dimension::Model),
    ("run", Dimension::Run),
];

/// The choices, and the charges by them.
pub(super) fn blocks(request: &PageRequest, ledger: &Ledger) -> Vec<Block> {
    let cost = &request.cost;
    let by = chosen(&BY, cost.by.as_deref()).unwrap_or(Dimension::Namespace);
    let basis = chosen(&Basis::ALL, cost.basis.as_deref()).unwrap_or_default();
    let idle = chosen(&IdlePolicy::ALL, cost.idle.as_deref()).unwrap_or_default();
    let charges = ledger.charges(by, basis, idle);
    vec![
        Block::Chips(chips("charged to", request, &BY, by, |cost| &mut cost.by)),
        Block::Chips(chips("for what is", request, &Basis::ALL, basis, |cost| &mut cost.basis)),
        Block::Chips(chips("idle time to", request, &IdlePolicy::ALL, idle, |cost| &mut cost.idle)),
        Block::Text { text: words(basis, idle).to_owned() },
        Block::Table(charged(ledger, charges)),
    ]
}

/// What a word of a list stands for.
fn chosen<T: Copy>(all: &[(&'static str, T)], word: Option<&str>) -> Option<T> {
    all.iter().find(|(name, _)| Some(*name) == word).map(|(_, value)| *value)
}

/// All of a list, the current one marked.
fn chips<T: Copy + PartialEq>(
    title: &str,
    request: &PageRequest,
    all: &[(&'static str, T)],
    current: T,
    field: fn(&mut CostView) -> &mut Option<String>,
) -> Chips {
    let chips = all.iter().map(|(name, value)| Chip {
        title: (*name).to_owned(),
        current: *value == current,
        link: asking(request, |cost| *field(cost) = Some((*name).to_owned())),
    });
    Chips { title: title.to_owned(), chips: chips.collect() }
}

/// What the basis and the policy do.
fn words(basis: Basis, idle: IdlePolicy) -> &'static str {
    match (basis, idle) {
        (Basis::Held, IdlePolicy::Proportional) => {
            "Holders pay for what they reserved or used, whichever was more, and in proportion to that for the rest."
        }
        (Basis::Held, _) => {
            "Holders pay for what they reserved or used, whichever was more; the platform for the rest."
        }
        (Basis::Requested, IdlePolicy::Proportional) => {
            "Holders pay for what they reserved, used or not, and in proportion to that for the rest."
        }
        (Basis::Requested, _) => {
            "Holders pay for what they reserved, used or not; the platform for the rest."
        }
        (Basis::Used, IdlePolicy::Owner) => {
            "Holders pay for the time in which kernels ran and for their own idle time; the platform for what nobody held."
        }
        (Basis::Used, IdlePolicy::Proportional) => {
            "Holders pay for the time in which kernels ran, and in proportion to that for all the rest."
        }
        (Basis::Used, IdlePolicy::Platform) => {
            "Holders pay for the time in which kernels ran; the platform for all the rest."
        }
    }
}

fn charged(ledger: &Ledger, mut charges: Vec<Charge>) -> Table {
    let currency = &ledger.options.currency;
    charges.sort_by(|a, b| b.amount().total_cmp(&a.amount()).then(a.key.cmp(&b.key)));
    let whole = sum(charges.iter().map(Charge::amount));
    let money = |one: &Charge, value: f64, what: &str, formula: &str| -> Cell {
        told((one.unpriced_s <= 0.0).then_some(value), currency, what, formula)
    };
    let rows = charges.iter().map(|one| {
        vec![
            text(one.key.clone()),
            money(one, one.amount(), "Charge. All charges add up to the bill.", "direct + idle"),
            money(
                one,
                one.direct,
                "Charged directly. By the basis that is chosen.",
                "sum of money of the basis",
            ),
            money(
                one,
                one.idle,
                "Its part of the rest. By the policy that is chosen.",
                "money of the rest x its share of it",
            ),
            told(
                (whole > 0.0).then(|| one.amount() / whole),
                "1",
                "Share of all charges that have a price.",
                "charge / sum of charges",
            ),
        ]
    });
    table(
        "Charges",
        &[("who", false), ("charge", true), ("direct", true), ("idle", true), ("share", true)],
        rows.collect(),
        "no GPU was seen in this window",
    )
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::super::explore::tests::ledger;
    use super::*;
    use crate::request::PageId;

    fn asked(params: &[(&str, &str)]) -> PageRequest {
        PageRequest::from_params(PageId::Cost, params.iter().copied()).unwrap()
    }

    #[test]
    fn whatever_is_chosen_the_charges_are_the_bill() {
        let ledger = ledger();
        for (basis, _) in Basis::ALL {
            for (idle, _) in IdlePolicy::ALL {
                let request = asked(&[("by", "model"), ("basis", basis), ("idle", idle)]);
                assert!(check(&request).is_ok());
                let blocks = blocks(&request, &ledger);
                let [
                    Block::Chips(by),
                    Block::Chips(first),
                    Block::Chips(second),
                    Block::Text { .. },
                    Block::Table(table),
                ] = blocks.as_slice()
                else {
                    panic!("{blocks:?}")
                };
                let current = |chips: &Chips| {
                    let chip = chips.chips.iter().find(|chip| chip.current);
                    chip.map(|chip| chip.title.clone()).unwrap_or_default()
                };
                assert_eq!([current(by), current(first), current(second)], ["model", basis, idle]);
                let amounts = table.rows.iter().map(|row| match &row.cells[1] {
                    Cell::Number(number) => number.value.unwrap(),
                    other => panic!("{other:?}"),
                });
                let whole = sum(amounts);
                assert!((whole - ledger.bill.money).abs() < 1e-9, "{basis} {idle} {whole}");
            }
        }
    }

    #[test]
    fn what_is_no_choice_is_refused_with_those_there_are() {
        for (name, words) in
            [("basis", "held, requested, used"), ("idle", "platform"), ("state", "held_idle")]
        {
            let error = check(&asked(&[(name, "wished")])).unwrap_err();
            assert!(error.hint.contains(words), "{error:?}");
        }
        assert!(check(&asked(&[("by", "gpu")])).is_err());
    }
}
