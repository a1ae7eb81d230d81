//! Advice comes with money and evidence, or not at all.

use super::*;
use crate::facts::{Column, HolderKind, Role};
use crate::ledger::{Ledger, Options};
use crate::price::Wanted;
use crate::unit::tests::facts;
use crate::unit::{Energy, models};

pub(super) fn book() -> PriceBook {
    let mut book = PriceBook::default();
    let row = |gpu: &str, price: f64| {
        format!(
            "[[price]]\ngpu = \"{gpu}\"\nper_hour = {price:?}\ncurrency = \"USD\"\nsource = \"x\"\ndate = 2026-01-01\n"
        )
    };
    book.add_toml(&(row("H100", 3.6) + &row("L40S", 0.9))).unwrap();
    book
}

pub(super) fn advised(facts: &crate::facts::Facts, inputs: &Inputs) -> Advised {
    let ledger = Ledger::build(facts, &book(), &Options::default());
    advise(&ledger, &models(&ledger, &Energy::default()), &book(), inputs)
}

fn one(found: &Advised, kind: Kind) -> Option<&Advice> {
    found.advice.iter().find(|advice| advice.kind == kind)
}

fn tryout(found: &Advised, kind: Kind) -> Option<&Tryout> {
    found.tryouts.iter().find(|one| one.kind == kind)
}

fn missing(found: &Advised, kind: Kind) -> Vec<&'static str> {
    found.unchecked.iter().find(|one| one.kind == kind).map_or(vec![], |one| one.missing.clone())
}

pub(super) fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
}

/// The facts of the unit tests last 1000 s and cost two dollars: 7.2 an hour.
const HOUR: f64 = 3.6;

#[test]
fn without_inputs_nothing_is_guessed() {
    let found = advised(&facts(), &Inputs::default());
    assert_eq!(found.advice, []);
    assert_eq!(missing(&found, Kind::FewerReplicas).len(), 2);
    assert_eq!(missing(&found, Kind::KvFp8), [""; 0], "nothing is computed again");
    assert_eq!(missing(&found, Kind::PowerCap), ["a trial of a power limit", "a price of energy"]);
    assert_eq!(missing(&found, Kind::OtherSku), ["a trial on another GPU"]);
}

#[test]
fn an_idle_holder_is_told_with_what_it_costs() {
    let mut facts = facts();
    facts.owners[0].pod = Some("notebook".into());
    facts.owners[0].namespace = Some("research".into());
    facts.gpus.iter_mut().for_each(|gpu| gpu.utilization = Column::Constant(0.05));
    let found = advised(&facts, &Inputs::default());
    let advice = one(&found, Kind::ReclaimIdle).unwrap();
    near(advice.saves_per_hour, 1.9 * HOUR);
    assert_eq!(advice.subject, "research/notebook");
    assert_eq!(advice.command.as_deref(), Some("kubectl delete pod notebook -n research"));
    facts.owners[0].kind = HolderKind::SlurmJob;
    let found = advised(&facts, &Inputs::default());
    assert_eq!(
        one(&found, Kind::ReclaimIdle).unwrap().command.as_deref(),
        Some("scancel notebook")
    );
    facts.owners[0].pod = Some("x; rm -rf /".into());
    let found = advised(&facts, &Inputs::default());
    assert_eq!(one(&found, Kind::ReclaimIdle).unwrap().command, None);
    facts.gpus.iter_mut().for_each(|gpu| gpu.claims[0].loaded = Column::Constant(0.2));
    let cold = advised(&facts, &Inputs::default());
    assert!(one(&cold, Kind::ReclaimIdle).is_none());
    near(one(&cold, Kind::WarmStart).unwrap().saves_per_hour, 1.6 * HOUR);
    facts.gpus[0].utilization = Column::Missing;
    let blind = advised(&facts, &Inputs::default());
    assert_eq!(missing(&blind, Kind::ReclaimIdle), ["GPU utilization"]);
}

#[test]
fn replicas_are_counted_against_a_load_test() {
    let mut facts = facts();
    let replica = facts.replicas[0].clone();
    facts.replicas.push(replica);
    let mut owner = facts.owners[0].clone();
    owner.replica = Some(1);
    facts.owners.push(owner);
    facts.gpus[1].claims[0].owner = 1;
    let inputs = |peak| Inputs {
        capacity_tokens_per_gpu_s: [("m".to_owned(), 100.0)].into(),
        peak_tokens_per_s: [("m".to_owned(), peak)].into(),
        ..Inputs::default()
    };
    let found = advised(&facts, &inputs(79.0));
    near(one(&found, Kind::FewerReplicas).unwrap().saves_per_hour, 1.0 * HOUR);
    assert!(one(&advised(&facts, &inputs(81.0)), Kind::FewerReplicas).is_none());
}

#[test]
fn work_computed_again_asks_for_a_smaller_cache() {
    let mut facts = facts();
    facts.replicas[0].recomputed = Column::Constant(1000.0);
    let inputs = |bytes| Inputs { kv_bytes: [("m".to_owned(), bytes)].into(), ..Inputs::default() };
    near(one(&advised(&facts, &inputs(2.0)), Kind::KvFp8).unwrap().saves_per_hour, 0.2 * HOUR);
    assert!(one(&advised(&facts, &inputs(1.0)), Kind::KvFp8).is_none());
    // As the engine tells it itself.
    for (bytes, is_advice) in [(Some(2.0), true), (Some(1.0), false), (None, false)] {
        facts.replicas[0].kv_bytes = bytes;
        let found = advised(&facts, &Inputs::default());
        assert_eq!(one(&found, Kind::KvFp8).is_some(), is_advice, "{bytes:?}");
        let tried = tryout(&found, Kind::KvFp8);
        assert_eq!(tried.is_some(), bytes.is_none(), "{bytes:?}");
        if let Some(tried) = tried {
            near(tried.at_most_per_hour, 0.2 * HOUR);
        }
    }
    facts.replicas[0].recomputed = Column::Missing;
    facts.replicas[0].delivered = Column::Missing;
    let blind = advised(&facts, &Inputs::default());
    assert_eq!(missing(&blind, Kind::KvFp8), ["tokens computed again"]);
}

#[test]
fn a_power_limit_saves_no_more_than_the_energy() {
    let facts = facts();
    let joules = models(&Ledger::build(&facts, &book(), &Options::default()), &Energy::default())
        [0]
    .energy
    .unwrap()
    .gpu_j;
    let inputs = Inputs { per_kwh: Some(0.9), ..Inputs::default() };
    let found = advised(&facts, &inputs);
    let tried = tryout(&found, Kind::PowerCap).unwrap();
    near(tried.at_most_per_hour, joules / 3.6e6 * 0.9 * HOUR);
    let part = joules / 3.6e6 * 0.9 / 2.0;
    near(tried.evidence[2].value, part);
    assert!(tried.action.contains(&format!("{:.1} %", part * 100.0)), "{}", tried.action);
    assert!(tryout(&advised(&facts, &Inputs::default()), Kind::PowerCap).is_none(), "no price");
}

#[test]
fn trials_are_compared_with_their_price() {
    let facts = facts();
    let trial = |speed| SkuTrial {
        model: "m".into(),
        wanted: Wanted { gpu: Some("L40S".into()), ..Wanted::default() },
        tokens_per_gpu_s: speed,
    };
    // Now 2 tokens a second and GPU at 3.6 an hour; there 1 at 0.9: half the cost.
    let inputs = |speed| Inputs { skus: vec![trial(speed)], ..Inputs::default() };
    near(one(&advised(&facts, &inputs(1.0)), Kind::OtherSku).unwrap().saves_per_hour, HOUR);
    assert!(one(&advised(&facts, &inputs(0.5)), Kind::OtherSku).is_none());
    let power = PowerTrial { limit_watts: 500.0, energy_ratio: 0.8, speed_ratio: 0.98 };
    let inputs = |speed_ratio| Inputs {
        power: [("m".to_owned(), PowerTrial { speed_ratio, ..power })].into(),
        per_kwh: Some(0.9),
        ..Inputs::default()
    };
    near(one(&advised(&facts, &inputs(0.98)), Kind::PowerCap).unwrap().saves_per_hour, 0.02 * HOUR);
    assert!(one(&advised(&facts, &inputs(0.9)), Kind::PowerCap).is_none());
}

#[test]
fn pools_out_of_balance_are_told() {
    let mut facts = crate::ledger::tests::deepseek();
    let prefill = facts.gpus.iter_mut().filter(|gpu| gpu.claims[0].owner == 0);
    prefill.for_each(|gpu| gpu.utilization = Column::Constant(0.5));
    facts.replicas.iter().for_each(|replica| assert_ne!(replica.role, Role::Whole));
    let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
    let units = models(&ledger, &Energy::default());
    let found = advise(&ledger, &units, &PriceBook::embedded(), &Inputs::default());
    let advice = one(&found, Kind::PoolRatio).unwrap();
    let prefill = facts.gpus.iter().filter(|gpu| gpu.claims[0].owner == 0).count();
    near(advice.saves_per_hour, 0.5 * 2.0 * prefill as f64);
    assert!(advice.action.contains("50 % of the GPUs that prefill"), "{}", advice.action);
    // A tenth less busy is no advice yet.
    let mut of = |prefill: Column, decode: Column| {
        for gpu in &mut facts.gpus {
            let is_prefill = gpu.claims[0].owner == 0;
            gpu.utilization = if is_prefill { prefill.clone() } else { decode.clone() };
        }
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let units = models(&ledger, &Energy::default());
        advise(&ledger, &units, &PriceBook::embedded(), &Inputs::default())
    };
    let close = of(Column::Constant(0.8), Column::Constant(0.72));
    assert!(one(&close, Kind::PoolRatio).is_none());
    let tried = tryout(&close, Kind::PoolRatio).unwrap();
    let decode = facts.gpus.len() - prefill;
    near(tried.at_most_per_hour, 0.1 * 2.0 * decode as f64);
    assert!(tried.action.contains("that decode"), "{}", tried.action);
}

#[test]
fn a_smaller_model_needs_acceptance() {
    let mut facts = facts();
    let mut small = facts.replicas[0].clone();
    small.model = "small".into();
    small.delivered = Column::Constant(300.0);
    facts.replicas.push(small);
    let mut owner = facts.owners[0].clone();
    owner.replica = Some(1);
    facts.owners.push(owner);
    let mut gpu = facts.gpus[0].clone();
    gpu.claims[0].owner = 1;
    facts.gpus.push(gpu);
    let inputs = |accepted| Inputs {
        smaller: vec![ModelTrial {
            model: "m".into(),
            smaller: "small".into(),
            requests_share: 0.5,
            accepted,
            accepted_before: 0.9,
        }],
        ..Inputs::default()
    };
    // One dollar instead of two for the same tokens, for half of the requests.
    near(
        one(&advised(&facts, &inputs(0.9)), Kind::SmallerModel).unwrap().saves_per_hour,
        0.5 * HOUR,
    );
    assert!(one(&advised(&facts, &inputs(0.8)), Kind::SmallerModel).is_none());
}
