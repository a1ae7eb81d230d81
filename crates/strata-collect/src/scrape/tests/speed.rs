//! How long a page takes, in CPU time. Not a test: run it by name, optimised, and read what it says.
//!
//! `cargo test -p strata-collect --release speed -- --ignored --nocapture`

use std::sync::Arc;

use regex::RegexSet;
use rustix::time::{ClockId, clock_gettime};
use strata_model::Labels;

use super::super::page::PageMemory;
use super::super::rules::{PageLimits, Rules, SourceRules};
use crate::exposition::{Arrival, Format};
use crate::schedule::Tracker;

/// CPU nanoseconds of this process.
fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn measure(what: &str, rounds: u64, mut work: impl FnMut() -> usize) {
    let mut samples = work();
    let begin = cpu_ns();
    for _ in 0..rounds {
        samples = work();
    }
    let ns = (cpu_ns() - begin) as f64 / rounds as f64;
    println!(
        "{what}: {samples} samples, {:.1} us, {:.0} ns a sample",
        ns / 1e3,
        ns / samples as f64
    );
}

#[test]
#[ignore = "a measurement"]
fn speed_of_a_captured_page() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/metrics/vllm-0.32.0.prom");
    let body = std::fs::read(path).expect("a fixture");
    let rules = Rules {
        labels: Labels::from_pairs([
            ("job", "vllm"),
            ("instance", "127.0.0.1:8000"),
            ("node", "n"),
        ]),
        honor_labels: false,
        honor_timestamps: true,
        drop: RegexSet::empty(),
        limits: PageLimits::default(),
        source: SourceRules::default(),
    };
    let page = || (Format::Text, body.as_slice(), Arrival::Whole);
    let source: Arc<str> = Arc::from("scrape/vllm/127.0.0.1:8000");
    let read = |memory: &mut PageMemory, at_ms| {
        memory.read(&rules, Arc::clone(&source), at_ms, page(), true).batch
    };
    for (what, rounds, fresh) in [("first page", 300, true), ("steady page", 3_000, false)] {
        let mut memory = PageMemory::default();
        let mut at_ms = 0;
        let begin_page = || {
            at_ms += 1;
            if fresh {
                memory = PageMemory::default();
            }
            read(&mut memory, at_ms).samples.len()
        };
        measure(what, rounds, begin_page);
    }
    let mut memory = PageMemory::default();
    let mut tracker = Tracker::default();
    let mut at_ms = 0;
    measure("steady page with staleness", 3_000, || {
        at_ms += 1;
        let mut batch = read(&mut memory, at_ms);
        tracker.settle(&mut batch, at_ms);
        batch.samples.len()
    });
}
