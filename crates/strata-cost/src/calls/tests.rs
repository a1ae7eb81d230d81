//! Calls whose money and fate are known, and those of which a part is not.

use serde_json::json;

use super::*;
use crate::ledger::{Ledger, Options};
use crate::price::PriceBook;
use crate::provider::PriceMap;
use crate::split::Class;
use crate::unit::{ClassCost, Energy, Units, models, tests::facts};
use crate::useful::LEVELS;

/// Unit costs of model `m`: 2 USD for 10,000 prompt tokens and 4,000 generated ones.
fn units() -> Vec<Units> {
    let mut book = PriceBook::default();
    let text = "[[price]]\ngpu = \"H100\"\nper_hour = 3.6\ncurrency = \"USD\"\nsource = \"contract\"\n\
                date = 2026-01-01\n";
    book.add_toml(text).unwrap();
    models(&Ledger::build(&facts(), &book, &Options::default()), &Energy::default())
}

fn map() -> PriceMap {
    let text = json!({
        "gpt": {"input_cost_per_token": 2e-6, "cache_read_input_token_cost": 5e-7,
                "output_cost_per_token": 8e-6, "input_cost_per_token_above_128k_tokens": 4e-6,
                "input_cost_per_token_above_200k_tokens": 6e-6},
    });
    PriceMap::read(&text.to_string(), 0).unwrap()
}

/// Ten calls of a hundred prompt tokens and forty generated ones each.
fn group(model: &str, fate: Fate) -> CallGroup {
    CallGroup {
        keys: Vec::new(),
        provider: None,
        model: Some(model.to_owned()),
        team: Some("t".to_owned()),
        fate,
        is_capped: false,
        judged: None,
        in_conversation: false,
        counted: Counted::Whole,
        longer_than: 0.0,
        requests: 10.0,
        tokens: [1000.0, 0.0, 0.0, 400.0, 0.0, 0.0, 0.0],
    }
}

fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn own_models_cost_what_their_tokens_cost_here_and_others_what_the_list_says() {
    let (units, map) = (units(), map());
    let prices = CallPrices { units: &units, map: Some(&map), currency: "USD" };
    let (own, by) = prices.amount(&group("m", Fate::First)).unwrap();
    assert_eq!(by, PricedBy::OwnGpus);
    near(own, 0.2);
    let (api, by) = prices.amount(&group("gpt", Fate::First)).unwrap();
    assert_eq!(by, PricedBy::PriceMap);
    near(api, 1000.0 * 2e-6 + 400.0 * 8e-6);
    let mut cached = group("gpt", Fate::First);
    cached.tokens[1] = 600.0;
    near(prices.amount(&cached).unwrap().0, api + 600.0 * 5e-7);
}

#[test]
fn a_long_prompt_has_the_price_of_its_length() {
    let map = map();
    assert_eq!(map.thresholds(), [128_000.0, 200_000.0]);
    let prices = CallPrices { units: &[], map: Some(&map), currency: "USD" };
    for (longer_than, each) in [(0.0, 2e-6), (128_000.0, 4e-6), (200_000.0, 6e-6)] {
        let group = CallGroup { longer_than, ..group("gpt", Fate::First) };
        near(prices.amount(&group).unwrap().0, 1000.0 * each + 400.0 * 8e-6);
    }
}

#[test]
fn what_has_no_price_is_unknown_and_never_nothing() {
    let (units, map) = (units(), map());
    let check = |group: CallGroup, map: Option<&PriceMap>, currency: &str, why: &str| {
        let prices = CallPrices { units: &units, map, currency };
        let told = prices.amount(&group).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
        let sum = total([&group], &prices);
        assert_eq!((sum.amount, sum.unpriced, sum.unknown), (None, 10.0, vec![told]));
    };
    let of = |model: &str| group(model, Fate::First);
    check(of("gpt"), None, "USD", "no price map");
    check(of("gpt"), Some(&map), "EUR", "in USD, the ledger in EUR");
    check(of("unheard"), Some(&map), "USD", "does not know unheard");
    check(CallGroup { counted: Counted::Not, ..of("m") }, None, "USD", "tokens are not told");
    check(CallGroup { model: None, ..of("m") }, None, "USD", "no model");
    let mut cached = of("m");
    cached.tokens[1] = 5.0;
    check(cached, None, "USD", Class::CachedPrompt.name());
    for (bucket, what) in [(5, "sound"), (6, "pictures")] {
        let mut modal = of("gpt");
        modal.tokens[bucket] = 1.0;
        check(modal, Some(&map), "USD", what);
    }
}

#[test]
fn a_part_without_a_price_is_counted_and_the_rest_stands() {
    let units = units();
    let prices = CallPrices { units: &units, map: None, currency: "USD" };
    let talk = CallGroup { in_conversation: true, ..group("m", Fate::First) };
    let sum = total([&talk, &group("elsewhere", Fate::First)], &prices);
    near(sum.amount.unwrap(), 0.2);
    near(sum.in_conversations.unwrap(), 0.2);
    assert_eq!((sum.requests, sum.unpriced), (20.0, 10.0));
    let elsewhere = CallGroup { in_conversation: true, ..group("elsewhere", Fate::First) };
    assert_eq!(total([&talk, &elsewhere], &prices).in_conversations, None, "a part of them");
}

#[test]
fn where_everything_is_told_a_level_costs_all_money_over_its_tokens() {
    let units = units();
    let prices = CallPrices { units: &units, map: None, currency: "USD" };
    let judged = |is_good| CallGroup { judged: Some(is_good), ..group("m", Fate::First) };
    let all = [
        group("m", Fate::Failed),
        group("m", Fate::Abandoned),
        group("m", Fate::Late),
        group("m", Fate::Repeated),
        judged(true),
        judged(false),
    ];
    let found = levels(&all, &prices);
    let tokens = [2400.0, 1600.0, 1200.0, 800.0, 400.0];
    for (one, tokens) in found.iter().zip(tokens) {
        let one = one.unwrap();
        near(one.cost, 1.2 / tokens);
        assert_eq!((one.tokens, one.covered), (tokens, 1.0));
    }
}

#[test]
fn what_is_not_told_is_taken_as_the_rest_and_the_share_is_said() {
    let units = units();
    let prices = CallPrices { units: &units, map: None, currency: "USD" };
    let judged = |is_good| CallGroup { judged: Some(is_good), ..group("m", Fate::First) };
    let mut all = vec![
        judged(true),
        judged(false),
        group("m", Fate::First),
        group("m", Fate::Alone),
        group("m", Fate::Repeated),
    ];
    let found = levels(&all, &prices);
    near(found[2].unwrap().cost, 1.0 / 2000.0);
    let (first, accepted) = (found[3].unwrap(), found[4].unwrap());
    // Three of four that belong to a conversation; half of the two that were judged.
    near(first.cost, 1.0 / 2000.0 * 4.0 / 3.0);
    near(first.covered, 0.8);
    near(accepted.cost, 1.0 / 2000.0 * 4.0 / 3.0 * 2.0);
    near(accepted.covered, 0.8 * 2.0 / 3.0);
    assert_eq!(accepted.tokens, 400.0);
    // Half of the calls tell no tokens.
    let untold =
        CallGroup { counted: Counted::Not, tokens: [0.0; RECORDED], ..group("m", Fate::Failed) };
    let half = levels(&[group("m", Fate::First), untold], &prices);
    assert_eq!(half[1].map(|one| one.covered), Some(0.5));
    // Nobody knows how these ended: nothing beyond generated tokens is told.
    all = vec![group("m", Fate::Untold)];
    assert_eq!(levels(&all, &prices).map(|one| one.is_some()), [true, false, false, false, false]);
    assert_eq!(levels(&[group("gpt", Fate::First)], &prices), [None; LEVELS]);
    assert_eq!(levels(&[], &prices), [None; LEVELS]);
}

#[test]
fn a_call_was_for_nothing_for_one_cause() {
    let units = units();
    let prices = CallPrices { units: &units, map: None, currency: "USD" };
    let capped = |fate, judged| CallGroup { is_capped: true, judged, ..group("m", fate) };
    let mut all: Vec<CallGroup> = Fate::ALL.map(|fate| group("m", fate)).to_vec();
    all.extend([
        capped(Fate::First, None),
        capped(Fate::First, Some(true)),
        capped(Fate::Late, Some(false)),
        capped(Fate::Alone, Some(false)),
        CallGroup { team: None, ..group("elsewhere", Fate::Failed) },
    ]);
    let lines = wasted(&all, &prices);
    let of = |cause: CallCause, team: &str| {
        let line = lines.iter().find(|line| line.cause == cause && line.team == team);
        line.map(|line| (line.requests, line.amount.is_some()))
    };
    for cause in CallCause::ALL {
        let expected = if cause == CallCause::TooLate { 20.0 } else { 10.0 };
        assert_eq!(of(cause, "t"), Some((expected, true)), "{}", cause.name());
    }
    assert_eq!(of(CallCause::FailedAfterWork, "unattributed"), Some((10.0, false)));
    assert_eq!(lines.first().map(|line| line.cause), Some(CallCause::TooLate));
}

#[test]
fn a_prompt_of_which_nobody_says_what_was_cached_costs_what_prompts_cost_on_average() {
    let mut units = units();
    let fresh = units[0].classes.iter().find(|cost| cost.class == Class::UncachedPrompt).copied();
    let fresh = fresh.unwrap();
    // As many again were in the cache, for a quarter.
    let cached = ClassCost { class: Class::CachedPrompt, full: fresh.full / 4.0, ..fresh };
    units[0].classes.push(cached);
    let prices = CallPrices { units: &units, map: None, currency: "USD" };
    let amount = |group: &CallGroup| prices.amount(group).unwrap().0;
    let told = group("m", Fate::First);
    let untold = CallGroup { counted: Counted::WithoutCache, ..told.clone() };
    near(amount(&told) - amount(&untold), 1000.0 * fresh.full * (1.0 - 0.625));
}
