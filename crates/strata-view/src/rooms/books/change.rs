//! Why it cost more or less than before: terms that lead from one amount to the other.

use strata_cost::change::Change;

use super::Books;
use super::cells::{table, text, told};
use crate::page::block::Block;
use crate::page::table::Cell;
use crate::words;

/// Terms below this share of the money are what rounding leaves over.
const ROUNDING: f64 = 1e-9;

/// One bar of the fall: where it begins and ends, in money.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    name: &'static str,
    /// What it stands for: an amount, or what a factor adds.
    value: f64,
    from: f64,
    to: f64,
}

/// The amount before, a step for each factor, the amount now.
pub(super) fn waterfall(books: &Books) -> Block {
    let change = match &books.change {
        Ok(change) => change,
        Err(why) => return Block::Text { text: why.clone() },
    };
    let currency = &books.ledger.options.currency;
    let steps = steps(change);
    let (low, high) = ends(&steps);
    let place = |money: f64| if high > low { ((money - low) / (high - low)).max(0.0) } else { 0.0 };
    let [left, right] = [low, high].map(|end| words::text(Some(end), currency));
    let line = format!("from {left} to {right}");
    let row = |step: &Step| {
        let definition = "Part of the difference that this factor makes, whatever the order.";
        let formula = "Shapley value over all orders of moving the factors";
        vec![
            text(step.name),
            told(Some(step.value), currency, definition, formula),
            Cell::Bar { from: place(step.from), to: place(step.to) },
            told(
                Some(step.to),
                currency,
                "Amount so far. With this factor and those above it.",
                "amount before + terms so far",
            ),
        ]
    };
    Block::Table(table(
        "From before to now",
        &[("factor", false), ("amount", true), (&line, false), ("so far", true)],
        steps.iter().map(row).collect(),
        "",
    ))
}

/// Both ends of the line that bars are drawn on. Terms are mostly small beside the whole: where all of
/// them lie close together the line begins where they do, and the whole amounts are cut.
fn ends(steps: &[Step]) -> (f64, f64) {
    /// Room at the left of the least amount, as a share of all terms, so that a cut bar is seen.
    const ROOM: f64 = 0.2;
    let tops = || steps.iter().map(|step| step.to);
    let (least, most) = (tops().fold(f64::INFINITY, f64::min), tops().fold(0.0, f64::max));
    let begin = least - ROOM * (most - least);
    if most > least && begin > most / 2.0 { (begin, most) } else { (least.min(0.0), most) }
}

/// The greatest terms first: they carry the story.
fn steps(change: &Change) -> Vec<Step> {
    let mut terms = change.terms.clone();
    terms.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    let whole = |name, value| Step { name, value, from: 0.0, to: value };
    let mut steps = vec![whole("before", change.before)];
    let mut so_far = change.before;
    let least = ROUNDING * change.before.abs().max(change.after.abs());
    for (factor, value) in terms {
        let value = if value.abs() < least { 0.0 } else { value };
        steps.push(Step { name: factor.name(), value, from: so_far, to: so_far + value });
        so_far += value;
    }
    steps.push(whole("now", change.after));
    steps
}

#[cfg(test)]
mod tests {
    use strata_cost::change::{Factor, VolumeUnit};

    use super::*;

    #[test]
    fn each_bar_begins_where_the_one_above_ends_and_the_last_is_now() {
        let terms = Factor::ALL.into_iter().zip([1.0, -4.0, 0.5]).collect();
        let change = Change { before: 10.0, after: 7.5, terms, volume: VolumeUnit::Requests };
        let steps = steps(&change);
        let values: Vec<f64> = steps.iter().map(|step| step.value).collect();
        assert_eq!(values, [10.0, -4.0, 1.0, 0.5, 7.5]);
        for pair in steps[..steps.len() - 1].windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{steps:?}");
        }
        // The least amount on the way is 6, the most 10: nothing is cut at less than half.
        assert_eq!(ends(&steps), (5.2, 10.0));
        let last = &steps[steps.len() - 2..];
        assert_eq!((last[0].to, last[1].to, last[1].from), (7.5, 7.5, 0.0));
    }

    #[test]
    fn what_falls_to_nothing_is_drawn_from_nothing_and_rounding_is_no_term() {
        let terms = Factor::ALL.into_iter().zip([-9.0, 1e-12]).collect();
        let change = Change { before: 10.0, after: 1.0, terms, volume: VolumeUnit::Requests };
        let steps = steps(&change);
        assert_eq!(ends(&steps), (0.0, 10.0));
        assert_eq!(steps[2].value, 0.0, "{steps:?}");
        let nothing = Change { before: 0.0, after: 0.0, ..change };
        assert_eq!(ends(&super::steps(&Change { terms: Vec::new(), ..nothing })), (0.0, 0.0));
    }
}
