//! What several rows of one book say about each other: overlaps, gaps, two currencies.

use std::collections::BTreeMap;

use strata_model::Problem;

use super::Price;
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
