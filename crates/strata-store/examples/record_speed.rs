//! How fast records are written and asked for: `record_speed [REQUESTS] [DAYS]`.
//!
//! Writes requests spread over some days, half of them seen by two doors, then asks for the
//! slowest of a team and model within six hours, and for sums of all days by team.

use std::sync::Arc;
use std::time::Duration;

use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::record::{
    CountSource, Door, Filter, Order, Outcome, RecordBatch, RecordQuery, RecordSink, RecordSource,
    RequestRecord, RollupDimension, RollupQuery,
};
use strata_store::{RecordOptions, RecordStore};

/// 2026-11-26 12:00 UTC.
const NOW_MS: i64 = 1_795_694_400_000;
const DAY_US: i64 = 86_400_000_000;
const BATCH: u64 = 500;

struct Standing;

impl Clock for Standing {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    #[expect(clippy::disallowed_methods, reason = "a measurement needs the machine's clock")]
    fn monotonic(&self) -> Duration {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}

fn request(random: &mut fastrand::Rng, n: u64, days: i64) -> RequestRecord {
    let mut one = RequestRecord::new(Door::Client, NOW_MS * 1_000 - random.i64(0..days * DAY_US));
    one.end_us = Some(one.start_us + (random.f64().powi(4) * 30e6) as i64);
    one.ttft_us = Some(random.i64(20_000..2_000_000));
    one.trace_id = Some(format!("{:032x}", random.u128(..)));
    one.span_id = Some(format!("{:016x}", random.u64(..)));
    one.response_id = Some(format!("chatcmpl-{n}"));
    one.team = Some(format!("team{}", random.u32(0..20)));
    one.tenant = Some(format!("tenant{}", random.u32(0..5)));
    one.app = Some("chat".to_owned());
    one.model_served = Some(format!("model{}", random.u32(0..5)));
    one.tokens.fresh_input = Some(random.u64(10..8_000));
    one.tokens.output_text = Some(random.u64(1..800));
    one.count_source = CountSource::Usage;
    one.outcome = Some(Outcome::Ok);
    one
}

#[expect(clippy::print_stdout, reason = "an example tells its figures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let requests: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let days: i64 = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let options = RecordOptions { retention: "60d".to_owned(), ..RecordOptions::default() };
    let settings = options.validate(dir.path()).map_err(|problems| format!("{problems:?}"))?;
    let store = RecordStore::open(settings, Arc::new(Standing), &Meter::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut random = fastrand::Rng::with_seed(1);
    let begun = Standing.monotonic();
    let mut sightings = 0;
    for start in (0..requests).step_by(BATCH as usize) {
        let end = requests.min(start + BATCH);
        let clients: Vec<_> = (start..end).map(|n| request(&mut random, n, days)).collect();
        let engine = |one: &RequestRecord| {
            let mut engine = RequestRecord::new(Door::Engine, one.start_us + 100);
            engine.response_id.clone_from(&one.response_id);
            engine.queue_us = Some(50);
            engine
        };
        let engines: Vec<_> = clients.iter().step_by(2).map(engine).collect();
        for requests in [clients, engines] {
            sightings += requests.len();
            runtime.block_on(store.append(RecordBatch { requests, ..RecordBatch::default() }))?;
        }
    }
    let took = Standing.monotonic().saturating_sub(begun).as_secs_f64();
    let bytes: u64 = std::fs::read_dir(dir.path())?
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .sum();
    println!(
        "written    {:.0} sightings a second, {} bytes a request",
        sightings as f64 / took,
        bytes / requests
    );
    let hour = DAY_US / 24;
    let middle = NOW_MS * 1_000 - 12 * hour;
    let filters =
        ["team=team3", "model=model2"].map(Filter::parse).into_iter().collect::<Result<_, _>>()?;
    let range_us = middle..middle + 6 * hour;
    let slowest = RecordQuery { range_us, filters, order: Order::Slowest, limit: 20 };
    let all = NOW_MS * 1_000 - days * DAY_US..NOW_MS * 1_000;
    let sums = RollupQuery {
        range_us: all,
        by: vec![RollupDimension::Team, RollupDimension::Model],
        filters: Vec::new(),
        limit: 1_000,
    };
    for round in ["first", "second", "third"] {
        let begun = Standing.monotonic();
        let found = store.requests(&slowest)?.len();
        let slow = Standing.monotonic().saturating_sub(begun);
        let begun = Standing.monotonic();
        let groups = store.rollup(&sums)?.len();
        let summed = Standing.monotonic().saturating_sub(begun);
        println!(
            "{round:<10} slowest {found} in {slow:?}, {groups} sums of {days} days in {summed:?}"
        );
    }
    Ok(())
}
