//! How long the ledger takes: the live tick of a large fleet, and a month of a smaller one.
//!
//! `cargo run --release -p strata-cost --example tick`

use std::time::Instant;

use strata_cost::facts::{Facts, Terms};
use strata_cost::ledger::{Dimension, Ledger, Options};
use strata_cost::metrics::points;
use strata_cost::price::PriceBook;
use strata_cost::unit::{Energy, models, waste};
use strata_world::bill::{BillGpu, BillReplica, BillTenant, BillWorld, Hold, Period};

const RUNS: usize = 5;

/// A fleet in which eight GPUs serve as one replica, with counters that vary from step to step.
fn fleet(gpus: usize, steps: usize, tenants: usize) -> BillWorld {
    let wave = |at: usize, step: usize| ((at * 7 + step * 13) % 17) as f64 / 17.0;
    let pod = |replica: usize| format!("pod-{replica}");
    let gpu = |at: usize| BillGpu {
        id: format!("GPU-{at:06}"),
        node: Some(format!("node-{:05}", at / 8)),
        model: Some("NVIDIA H100 80GB HBM3".to_owned()),
        seen: vec![true; steps],
        utilization: (0..steps).map(|step| Some(wave(at, step))).collect(),
        energy_j: vec![Some(30_000.0); steps],
        holds: vec![Hold {
            end: steps,
            namespace: format!("team-{}", at / 8 % 40),
            pod: pod(at / 8),
            ..Hold::default()
        }],
        names_holders: true,
        ..BillGpu::default()
    };
    let replica = |at: usize| {
        let each =
            |scale: f64| (0..steps).map(|step| Some(scale * (0.1 + wave(at, step)))).collect();
        BillReplica {
            instance: format!("10.0.0.1:{at}"),
            namespace: Some(format!("team-{}", at % 40)),
            pod: Some(pod(at)),
            model: Some(format!("model-{}", at % 20)),
            up: vec![true; steps],
            prompt: each(90_000.0),
            cached: each(30_000.0),
            generated: each(20_000.0),
            requests: each(100.0),
            prefill_s: each(50.0),
            decode_s: each(400.0),
            ..BillReplica::default()
        }
    };
    let tenant = |at: usize| BillTenant {
        tenant: format!("tenant-{}", at / 20),
        model: format!("model-{}", at % 20),
        prompt: Some(1e6),
        cached: Some(1e5),
        generated: Some(2e5),
        requests: Some(1e3),
    };
    BillWorld {
        gpus: (0..gpus).map(gpu).collect(),
        replicas: (0..gpus / 8).map(replica).collect(),
        tenants: (0..tenants * 20).map(tenant).collect(),
        ..BillWorld::default()
    }
}

/// Best and worst of some runs, in milliseconds, from the World's answers to points of metrics.
#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn measure(name: &str, gpus: usize, period: Period, tenants: usize) -> String {
    let world = fleet(gpus, period.steps, tenants);
    let book = PriceBook::embedded();
    let (mut best, mut worst, mut told) = (f64::INFINITY, 0.0_f64, 0);
    for _ in 0..RUNS {
        let begun = Instant::now();
        let facts = Facts::from_bill(&period, &world, &Terms::default());
        let ledger = Ledger::build(&facts, &book, &Options::default());
        let units = models(&ledger, &Energy::default());
        told = points(&ledger, &units, &waste(&ledger, Dimension::Team)).len();
        let took = begun.elapsed().as_secs_f64() * 1e3;
        (best, worst) = (best.min(took), worst.max(took));
        assert!(ledger.reconciliation().holds(), "the bill balances");
    }
    format!("{name}: {best:.0} to {worst:.0} ms, {told} points")
}

#[expect(clippy::print_stdout, reason = "the program's answer")]
fn main() {
    let minute = Period { start_ms: 1_767_225_600_000, step_ms: 60_000, steps: 1 };
    let hour = Period { steps: 60, ..minute };
    let month = Period { step_ms: 3_600_000, steps: 720, ..minute };
    println!("{}", measure("minute of 10,000 GPUs", 10_000, minute, 50));
    println!("{}", measure("hour of 10,000 GPUs in 60 steps", 10_000, hour, 50));
    println!("{}", measure("30 days of 1,000 GPUs by the hour, 50 tenants", 1000, month, 50));
}
