//! Cost per useful token by records, at all five levels.

use super::{CallGroup, CallPrices, Counted};
use crate::sum::Sum;
use crate::useful::{LEVELS, Level};

/// Cost of a useful token of a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelCost {
    /// Money for one.
    pub cost: f64,
    /// Generated tokens that are known to be of the level.
    pub tokens: f64,
    /// Share of the generated tokens of which it is known whether they are of the level, times the share
    /// of the calls that tell their tokens.
    pub covered: f64,
}

/// Money for a useful token, by level.
///
/// Not every call tells everything: some belong to no conversation, most are judged by nobody. So each
/// step from a level to the next is measured where it is told, and the others of the level are taken
/// to be alike:
///
/// ```text
/// cost(U0)     = money / generated tokens
/// cost(U(n+1)) = cost(Un) * tokens of Un of which it is told / those of them that are of U(n+1)
/// ```
///
/// Where everything is told that is all money over the tokens of the level. None where nothing is
/// told, or where no token is of the level.
pub fn levels<'a>(
    groups: impl IntoIterator<Item = &'a CallGroup>,
    prices: &CallPrices<'_>,
) -> [Option<LevelCost>; LEVELS] {
    let mut money = Sum::default();
    let (mut all, mut priced) = (0.0, 0.0);
    let (mut calls, mut counted) = (0.0, 0.0);
    let (mut told, mut reached) = ([0.0; LEVELS], [0.0; LEVELS]);
    for group in groups {
        let tokens = group.generated();
        all += tokens;
        calls += group.requests;
        if group.counted != Counted::Not {
            counted += group.requests;
        }
        let Ok((amount, _)) = prices.amount(group) else { continue };
        money.add(amount);
        priced += tokens;
        for level in Level::ALL {
            let Some(is_of) = group.reaches(level) else { break };
            add(&mut told, level, tokens);
            if !is_of {
                break;
            }
            add(&mut reached, level, tokens);
        }
    }
    let mut found = [None; LEVELS];
    if priced <= 0.0 {
        return found;
    }
    // What broke off often tells no tokens: it must not look as if it had not been.
    let covered = priced / all * (counted / calls);
    let mut last = LevelCost { cost: money.value() / priced, tokens: priced, covered };
    for ((level, place), (told, reached)) in
        Level::ALL.into_iter().zip(&mut found).zip(told.into_iter().zip(reached))
    {
        if level != Level::Generated {
            if told <= 0.0 || reached <= 0.0 {
                break;
            }
            let cost = last.cost * told / reached;
            last = LevelCost { cost, tokens: reached, covered: last.covered * told / last.tokens };
        }
        *place = Some(last);
    }
    found
}

fn add(all: &mut [f64; LEVELS], level: Level, tokens: f64) {
    if let Some(sum) = all.get_mut(level.place()) {
        *sum += tokens;
    }
}
