//! What several rows of one book say about each other: overlaps, gaps, two currencies.

use std::collections::BTreeMap;

use strata_model::Problem;

use super::{Price, PriceKind, Term};
use crate::time::day;

/// Every contradiction between rows that price the same thing. `rows` come with their place in the
/// file. Rows of different sources are different statements and may disagree.
pub(super) fn problems(rows: &[(usize, Price)]) -> Vec<Problem> {
    let mut groups: BTreeMap<_, Vec<&(usize, Price)>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(&row.1)).or_default().push(row);
    }
    let mut problems = Vec::new();
    for group in groups.values_mut() {
        group.sort_by_key(|(at, price)| (price.from_ms.unwrap_or(i64::MIN), *at));
        for pair in group.windows(2) {
            if let [(before_at, before), (at, price)] = pair {
                problems.extend(pair_problem(*before_at, before, *at, price));
            }
        }
    }
    problems.sort_by(|one, other| one.path.cmp(&other.path));
    problems
}

/// Rows that say what owned hardware costs for an hour, of which others say what was paid for it: one of
/// the two would be taken without a word. A price of energy alone is no rival.
pub(super) fn rivals(rows: &[(usize, Price)], owned: &[(usize, Price)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, bought) in owned {
        let rival = rows.iter().find(|(_, price)| {
            price.term == Some(Term::Owned)
                && price.kind != PriceKind::PowerOnly
                && same_thing(price, bought)
                && price.holds_beside(bought)
        });
        if let Some((place, _)) = rival {
            let message = format!(
                "price[{place}] prices the same owned hardware at the same time: which of the two holds?"
            );
            problems.push(Problem::new(format!("owned[{at}].from"), message));
        }
    }
    problems
}

/// Whether two rows are about the same thing, however it is paid for.
pub(super) fn same_thing(one: &Price, other: &Price) -> bool {
    let of = |price: &Price| {
        let place = (price.provider.clone(), price.region.clone());
        (price.gpu.clone(), price.node.clone(), price.selector.clone(), place)
    };
    of(one) == of(other)
}

fn key(price: &Price) -> impl Ord + use<> {
    (
        price.gpu.clone(),
        price.node.clone(),
        price.selector.clone(),
        price.provider.clone(),
        price.region.clone(),
        (price.term, price.kind),
    )
}

fn pair_problem(before_at: usize, before: &Price, at: usize, price: &Price) -> Option<Problem> {
    let until = before.until_ms.unwrap_or(i64::MAX);
    let from = price.from_ms.unwrap_or(i64::MIN);
    if until > from {
        let (path, message) = if before.currency == price.currency {
            let message = format!("overlaps price[{before_at}] in time: which of the two holds?");
            ("from", message)
        } else {
            let message = format!(
                "price[{before_at}] prices the same in {} at the same time; currencies are never mixed",
                before.currency
            );
            ("currency", message)
        };
        return Some(Problem::new(format!("price[{at}].{path}"), message));
    }
    (until < from).then(|| {
        let message = format!(
            "nothing holds between {} and {}: price[{before_at}] ends before this one begins",
            day(until),
            day(from)
        );
        Problem::new(format!("price[{at}].from"), message)
    })
}
