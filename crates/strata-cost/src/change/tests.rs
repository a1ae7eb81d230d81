//! One thing changes at a time, and then everything at once.

use proptest::prelude::*;

use super::*;
use crate::facts::{Column, Facts};
use crate::ledger::Options;
use crate::price::PriceBook;
use crate::unit::tests::facts;

fn ledger_at(facts: &Facts, per_hour: f64) -> Ledger {
    let mut book = PriceBook::default();
    let text = format!(
        "[[price]]\ngpu = \"H100\"\nper_hour = {per_hour:?}\ncurrency = \"USD\"\nsource = \"x\"\ndate = 2026-01-01\n"
    );
    book.add_toml(&text).unwrap();
    Ledger::build(facts, &book, &Options::default())
}

fn changed(change: impl Fn(&mut Facts)) -> Change {
    let mut after = facts();
    change(&mut after);
    explain(&ledger_at(&facts(), 3.6), &ledger_at(&after, 3.6)).unwrap()
}

fn term(change: &Change, factor: Factor) -> f64 {
    change.terms.iter().find(|(found, _)| *found == factor).unwrap().1
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn a_price_is_a_price() {
    let change = explain(&ledger_at(&facts(), 3.6), &ledger_at(&facts(), 7.2)).unwrap();
    near(term(&change, Factor::Price), 2.0);
    for factor in Factor::ALL.into_iter().filter(|factor| *factor != Factor::Price) {
        near(term(&change, factor), 0.0);
    }
    near(change.residual(), 0.0);
}

#[test]
fn more_requests_on_the_same_gpus_are_volume_against_idle_time() {
    let change = changed(|facts| {
        let replica = &mut facts.replicas[0];
        replica.prompt = Column::Constant(1500.0);
        replica.generated = Column::Constant(600.0);
        replica.delivered = Column::Constant(450.0);
        replica.requests = Column::Constant(15.0);
        facts.gpus.iter_mut().for_each(|gpu| gpu.utilization = Column::Constant(0.75));
    });
    near(term(&change, Factor::Volume), 0.5);
    near(term(&change, Factor::Utilization), -0.5);
    near(term(&change, Factor::Length), 0.0);
    near(change.after - change.before, 0.0);
}

#[test]
fn longer_answers_are_length() {
    // Twice the generated tokens at the same speed: a busy second holds 4/7 of the requests.
    let change = changed(|facts| {
        let replica = &mut facts.replicas[0];
        replica.generated = Column::Constant(800.0);
        replica.delivered = Column::Constant(600.0);
        replica.decode_s = Column::Constant(150.0);
        facts.gpus.iter_mut().for_each(|gpu| gpu.utilization = Column::Constant(0.875));
    });
    near(term(&change, Factor::Length), 0.75);
    near(term(&change, Factor::Utilization), -0.75);
    near(term(&change, Factor::Speed), 0.0);
}

#[test]
fn more_waste_is_waste() {
    let change = changed(|facts| facts.replicas[0].delivered = Column::Constant(200.0));
    // Half instead of three quarters are useful: the same seconds hold less useful work.
    assert!(term(&change, Factor::Waste) > 0.3, "{change:?}");
    near(term(&change, Factor::Waste) + term(&change, Factor::Speed), 0.0);
}

#[test]
fn a_model_that_comes_is_mix_and_volume_and_a_gpu_nobody_holds_is_utilization() {
    let change = changed(|facts| {
        let mut gpu = facts.gpus[0].clone();
        gpu.claims.clear();
        gpu.allocated = Column::Constant(0.0);
        gpu.utilization = Column::Constant(0.0);
        facts.gpus.push(gpu);
    });
    near(term(&change, Factor::Utilization), 1.0);
    let change = changed(|facts| {
        let mut replica = facts.replicas[0].clone();
        replica.model = "new".into();
        facts.replicas.push(replica);
        let mut owner = facts.owners[0].clone();
        owner.replica = Some(1);
        facts.owners.push(owner);
        let mut gpu = facts.gpus[0].clone();
        gpu.claims[0].owner = 1;
        gpu.utilization = Column::Constant(1.0);
        facts.gpus.push(gpu);
    });
    near(change.after - change.before, 1.0);
    near(term(&change, Factor::Volume) + term(&change, Factor::Mix), 1.0);
}

#[test]
fn an_unknown_cost_is_not_explained() {
    let mut unpriced = facts();
    unpriced.gpus[0].wanted.gpu = None;
    let refused = explain(&ledger_at(&facts(), 3.6), &ledger_at(&unpriced, 3.6)).unwrap_err();
    assert!(matches!(refused, ChangeError::Unpriced { period: "second", .. }), "{refused}");
    let mut other = ledger_at(&facts(), 3.6);
    other.options.currency = "EUR".into();
    assert!(matches!(explain(&ledger_at(&facts(), 3.6), &other), Err(ChangeError::Currencies(..))));
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let amount = || prop_oneof![Just(0.0), 1.0..5000.0_f64];
    let counts = (amount(), 0.0..=1.0, amount(), amount(), amount());
    let more = (0.0..=1.0, 0.0..=1.0_f64, 1..4_usize, any::<bool>());
    (counts, more).prop_map(
        |((prompt, hits, generated, requests, again), (kept, busy, gpus, told))| {
            let mut facts = facts();
            let replica = &mut facts.replicas[0];
            replica.prompt = Column::Constant(prompt);
            replica.cached = Column::Constant(prompt * hits);
            replica.generated = Column::Constant(generated);
            replica.requests = if told { Column::Constant(requests) } else { Column::Missing };
            replica.recomputed = Column::Constant(again);
            replica.delivered = Column::Constant(generated * kept);
            let gpu = facts.gpus[0].clone();
            facts.gpus = vec![gpu; gpus];
            facts.gpus.iter_mut().for_each(|gpu| gpu.utilization = Column::Constant(busy));
            facts
        },
    )
}

proptest! {
    #[test]
    fn the_terms_are_the_difference(
        before in any_facts(),
        after in any_facts(),
        price in 0.1..9.0_f64,
    ) {
        let (before, after) = (ledger_at(&before, 2.0), ledger_at(&after, price));
        let there = explain(&before, &after).unwrap();
        let scale = there.before.abs() + there.after.abs();
        prop_assert!(there.residual().abs() <= 1e-9 * scale, "{there:?}");
        // The way back is the way there with the sign turned.
        let back = explain(&after, &before).unwrap();
        for ((_, one), (_, other)) in there.terms.iter().zip(&back.terms) {
            prop_assert!((one + other).abs() <= 1e-6 * scale, "{there:?} {back:?}");
        }
    }
}
