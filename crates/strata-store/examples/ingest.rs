//! What the store costs: samples per CPU second, bytes a sample, memory, time of a selection.
//!
//! `cargo run --release -p strata-store --example ingest [-- FLEETS SCRAPES]`; one fleet has 21,600
//! series. Prints one line a figure.

mod mix;

use std::error::Error;
use std::sync::Arc;

use strata_model::Problem;
use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::{Batch, Matcher, SelectHints, Selection, SeriesSource, Sink};
use strata_store::{MetricStore, StoreOptions};

/// 2026-11-22 00:30 UTC: two hours from here lie within one day.
const START: i64 = 1_795_307_400_000;

/// All problems in one line.
fn told(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let fleets = arguments.next().transpose()?.unwrap_or(1);
    let scrapes = arguments.next().transpose()?.unwrap_or(480) as i64;
    let dir = tempfile::tempdir()?;
    let settings =
        StoreOptions::default().validate(dir.path()).map_err(|problems| told(&problems))?;
    let clock = Arc::new(FixedClock::at(START));
    let store = MetricStore::open(settings, Arc::<FixedClock>::clone(&clock), &Meter::default())?;
    let mut targets = mix::fleet(fleets);
    let series: usize = targets.iter().map(mix::Target::series).sum();
    let idle = resident_kib();
    let mut out = String::new();
    let (mut samples, mut generating, mut peak) = (0_u64, 0.0, 0);
    let begun = cpu_time();
    for round in 0..scrapes {
        clock.set(START + (round + 1) * 15_000);
        let before = cpu_thread();
        let batches: Vec<Batch> = targets.iter_mut().map(|t| t.scrape(START, round)).collect();
        generating += cpu_thread() - before;
        // As a scraper does: batches share a commit, and some wait for it, so that the queue never fills.
        let mut batches = batches.into_iter().enumerate().peekable();
        while let Some((number, batch)) = batches.next() {
            samples += batch.sample_count() as u64;
            if batches.peek().is_some() && number % 64 != 63 {
                store.offer(batch);
            } else {
                store.append_blocking(batch)?;
            }
        }
        peak = peak.max(resident_kib());
    }
    let spent = cpu_time() - begun - generating;
    let stats = store.stats();
    note(&mut out, "series", series as f64);
    note(&mut out, "samples", samples as f64);
    note(&mut out, "CPU ns per sample", spent * 1e9 / samples as f64);
    note(&mut out, "samples per CPU second, M", samples as f64 / spent / 1e6);
    note(&mut out, "RSS MiB, peak over generator", (peak - idle) as f64 / 1024.0);
    note(&mut out, "head MiB", stats.head_bytes as f64 / f64::from(1 << 20));
    select(&store, scrapes, &mut out)?;
    store.seal()?;
    select(&store, scrapes, &mut out)?;
    store.close()?;
    let bytes = store.stats().disk_bytes.ok_or("cannot read the directory")?;
    note(&mut out, "bytes per sample, closed", bytes as f64 / samples as f64);
    tables(dir.path(), samples, &mut out)?;
    drop(store);
    let before = cpu_time();
    let settings =
        StoreOptions::default().validate(dir.path()).map_err(|problems| told(&problems))?;
    let store = MetricStore::open(settings, clock, &Meter::default())?;
    note(&mut out, "open, CPU ms", (cpu_time() - before) * 1e3);
    store.close()?;
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())?;
    Ok(())
}

fn select(store: &MetricStore, scrapes: i64, out: &mut String) -> Result<(), Box<dyn Error>> {
    let selection = Selection {
        matchers: vec![Matcher::equal("__name__", "vllm:generation_tokens_total")],
        start_ms: START,
        end_ms: START + scrapes * 15_000 + 20_000,
        hints: SelectHints::default(),
    };
    let mut best = f64::INFINITY;
    let mut samples = 0;
    for _ in 0..50 {
        let before = cpu_thread();
        let series = store.select(&selection)?;
        best = best.min(cpu_thread() - before);
        samples = series.iter().map(|series| series.points.values.len()).sum();
    }
    note(out, "select samples", samples as f64);
    note(out, "select, CPU ms", best * 1e3);
    note(out, "select, ns per sample", best * 1e9 / samples as f64);
    Ok(())
}

/// Bytes a sample by table of the first day file.
fn tables(dir: &std::path::Path, samples: u64, out: &mut String) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let connection = rusqlite::Connection::open(&path)?;
        for table in ["block", "times", "series"] {
            let sql = format!("SELECT coalesce(sum(length(data)), 0) FROM {table}");
            let bytes: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            note(out, &format!("  of which {table}"), bytes as f64 / samples as f64);
        }
    }
    Ok(())
}

fn note(out: &mut String, what: &str, value: f64) {
    out.push_str(what);
    out.extend(std::iter::repeat_n(' ', 34_usize.saturating_sub(what.len())));
    let value = format!("{value:.3}");
    out.push_str(&value);
    out.push('\n');
}

/// CPU seconds of this process.
fn cpu_time() -> f64 {
    seconds(rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime))
}

/// CPU seconds of this thread.
fn cpu_thread() -> f64 {
    seconds(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime))
}

fn seconds(time: rustix::time::Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}
