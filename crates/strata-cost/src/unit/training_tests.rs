//! A training run in the ledger: what it costs, and where its money went.

use proptest::prelude::*;
use strata_world::bill::{BillGpu, BillRun, BillWorld, Hold, HolderKind, Period};

use super::{RunUnits, WasteCause, training, waste};
use crate::facts::{Facts, Loss, Terms};
use crate::ledger::{Dimension, Ledger, Options, State};
use crate::metrics::points;
use crate::price::PriceBook;

const PERIOD: Period = Period { start_ms: 1_767_225_600_000, step_ms: 60_000, steps: 10 };

fn gpu(id: &str, pod: &str, utilization: f64) -> BillGpu {
    let hold = Hold { end: 10, namespace: "n".into(), pod: pod.into(), ..Hold::default() };
    BillGpu {
        id: id.into(),
        model: Some("NVIDIA H100 80GB HBM3".into()),
        seen: vec![true; 10],
        utilization: vec![Some(utilization); 10],
        holds: vec![hold],
        names_holders: true,
        ..BillGpu::default()
    }
}

/// Two ranks that make a step every six seconds, save for six seconds a minute, and go back by ten
/// steps at the end of the fifth minute.
fn run() -> BillRun {
    let after = |at: usize| 10.0 * (at as f64 + 1.0) - if at >= 4 { 10.0 } else { 0.0 };
    let column = |of: &dyn Fn(usize) -> f64| (0..10).map(|at| Some(of(at))).collect::<Vec<_>>();
    let mut run = BillRun {
        run: "pretrain".into(),
        model: Some("vl-7b".into()),
        ranks: Some(2.0),
        holders: ["a", "b"].map(|pod| (HolderKind::Pod, "n".into(), pod.into())).into(),
        method: Some("workload"),
        step: column(&after),
        step_max: column(&|at| if at == 4 { 50.0 } else { after(at) }),
        step_min: column(&|at| if at == 4 { 40.0 } else { after(at) - 10.0 }),
        tokens: column(&|at| 1e6 * after(at)),
        step_gpu_flop: column(&|_| 5e15),
        ..BillRun::default()
    };
    run.badput_s.insert("checkpoint_save".into(), vec![Some(6.0); 10]);
    run
}

fn ledger(gpus: Vec<BillGpu>, runs: Vec<BillRun>) -> Ledger {
    let bill = BillWorld { gpus, runs, ..BillWorld::default() };
    let facts = Facts::from_bill(&PERIOD, &bill, &Terms::default());
    assert_eq!(facts.problems(), Vec::new());
    Ledger::build(&facts, &PriceBook::embedded(), &Options::default())
}

fn only(ledger: &Ledger) -> RunUnits {
    let mut all = training(ledger);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_run_has_unit_costs_and_its_losses_are_told() {
    let ledger = ledger(vec![gpu("1", "a", 0.95), gpu("2", "b", 0.95)], vec![run()]);
    assert!(ledger.reconciliation().holds());
    let found = only(&ledger);
    assert_eq!((found.unknown, found.method), (Vec::new(), Some("workload")));
    let amount = found.training.amount.unwrap();
    assert!((amount - ledger.bill.money).abs() < 1e-9 * amount && amount > 0.0);
    // From 0 to 90, and ten that were thrown away.
    assert_eq!((found.training.kept_steps, found.training.lost_steps), (Some(90.0), Some(10.0)));
    assert_eq!(found.training.tokens, Some(9e7));
    assert_eq!(found.training.useful_flop, Some(90.0 * 2.0 * 5e15));
    let near = |found: Option<f64>, expected: f64| {
        assert!((found.unwrap() - expected).abs() < 1e-9 * expected, "{found:?} {expected}");
    };
    near(found.units.per_token, amount / 9e7);
    near(found.units.per_exaflop, amount / 0.9);
    near(found.units.per_lost_step, amount / 100.0);
    near(found.units.lost, amount / 10.0);
    for (by, key) in [(Dimension::Run, "pretrain"), (Dimension::Model, "vl-7b")] {
        let [line] = &ledger.by(by)[..] else { panic!("{:?}", ledger.by(by)) };
        assert_eq!((line.key.as_str(), line.amount()), (key, Some(amount)));
    }
    let points = points(&ledger, &[], &[]);
    let written =
        |metric: &str| points.iter().find(|point| point.metric == metric).map(|point| point.value);
    near(written("cost.per_training_step"), amount / 90.0);
    near(written("cost.per_trained_token"), amount / 9e7);
    near(written("cost.per_training_flop"), amount / 9e17);
    let catalog = strata_model::catalog::Catalog::builtin();
    assert!(points.iter().all(|point| catalog.metric(point.metric).is_some()));
    // A tenth of the time it saves: half of that idle, half with the utilization of the others. In one
    // of ten minutes the rest is lost.
    let total = ledger.total();
    let hours = |state: State| total.seconds_in(state);
    let gpu_s = 1200.0;
    let expect = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}");
    expect(hours(State::HeldIdle), 0.05 * gpu_s);
    expect(hours(State::BusyWaste), (0.05 + 0.09) * gpu_s);
    expect(hours(State::BusyUseful), (0.95 - 0.05 - 0.09) * gpu_s);
    expect(hours(State::UnknownUse), 0.0);
    let wasted = waste(&ledger, Dimension::Namespace);
    let of = |loss: Loss| {
        let lines = wasted.iter().filter(|line| line.cause == WasteCause::Training(loss));
        lines.map(|line| line.gpu_s).sum::<f64>()
    };
    expect(of(Loss::CheckpointStall), 0.1 * gpu_s);
    expect(of(Loss::LostSteps), 0.09 * gpu_s);
    let all: f64 = wasted.iter().map(|line| line.gpu_s).sum();
    expect(all, hours(State::HeldIdle) + hours(State::BusyWaste));
}

#[test]
fn what_is_not_whole_has_no_cost_and_says_why() {
    let of = |gpus: Vec<BillGpu>, runs: Vec<BillRun>| training(&ledger(gpus, runs)).remove(0);
    let half = of(vec![gpu("1", "a", 0.9)], vec![run()]);
    assert_eq!(half.training.amount, None);
    assert_eq!(half.units.per_token, None);
    let told = "its cost: of the GPUs of 2 ranks 1 were seen with a holder of it in 10 of 10 steps";
    assert_eq!(half.unknown, [told]);
    // One after the other, never both.
    let part = |id: &str, pod: &str, first: usize, end: usize| {
        let mut one = gpu(id, pod, 0.9);
        (one.holds[0].first, one.holds[0].end) = (first, end);
        one
    };
    let moved = of(vec![part("1", "a", 0, 6), part("2", "b", 5, 10)], vec![run()]);
    assert_eq!((moved.training.amount, moved.units.per_step), (None, None));
    assert!(moved.unknown[0].contains("in 9 of 10 steps"), "{:?}", moved.unknown);
    let alone = ledger(vec![gpu("1", "a", 0.9)], Vec::new()).by(Dimension::Run);
    assert_eq!(alone.iter().map(|line| line.key.as_str()).collect::<Vec<_>>(), ["no run"]);
    let nowhere = BillRun { holders: Vec::new(), method: None, ..run() };
    let nowhere = of(vec![gpu("1", "a", 0.9)], vec![nowhere]);
    assert!(nowhere.training.amount.is_none() && nowhere.unknown[0].starts_with("which GPUs"));
    let twice = of(
        vec![gpu("1", "a", 0.9), gpu("2", "b", 0.9)],
        vec![run(), BillRun { run: "second".into(), ..run() }],
    );
    assert!(twice.training.amount.is_none() && twice.unknown[0].contains("several runs"));
    let mute = BillRun { run: "pretrain".into(), holders: run().holders, ..BillRun::default() };
    let ledger = ledger(vec![gpu("1", "a", 0.9)], vec![BillRun { method: Some("label"), ..mute }]);
    let mute = only(&ledger);
    assert!(mute.training.amount.is_some() && mute.units.per_step.is_none());
    assert_eq!(ledger.total().seconds_in(State::BusyUseful), 0.0, "nobody says what it was for");
    assert_eq!(mute.unknown.len(), 9, "{:?}", mute.unknown);
}

proptest! {
    /// Whatever a trainer tells, no second is wasted twice and the bill balances.
    #[test]
    fn losses_are_a_part_of_the_idle_and_wasted_time(
        utilization in 0.0_f64..=1.0,
        told in prop::collection::vec(prop_oneof![Just(f64::NAN), -5.0_f64..90.0], 10),
        steps in prop::collection::vec(prop_oneof![Just(f64::INFINITY), 0.0_f64..100.0], 10),
    ) {
        let mut run = run();
        let column = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
        run.step = column(&steps);
        run.badput_s.insert("straggler_wait".into(), column(&told));
        run.badput_s.insert("data_loading".into(), column(&told));
        let ledger = ledger(vec![gpu("1", "a", utilization), gpu("2", "b", utilization)], vec![run]);
        prop_assert!(ledger.reconciliation().holds());
        let total = ledger.total();
        let whole = total.seconds_in(State::HeldIdle) + total.seconds_in(State::BusyWaste);
        let lines = waste(&ledger, Dimension::Pod);
        let told: f64 = lines.iter().map(|line| line.gpu_s).sum();
        prop_assert!((told - whole).abs() < 1e-6, "{} of {}", told, whole);
        prop_assert!(lines.iter().all(|line| line.gpu_s >= 0.0 && line.money >= 0.0));
        let found = only(&ledger);
        prop_assert!(found.training.kept_steps.is_none_or(|kept| kept >= 0.0));
    }
}
