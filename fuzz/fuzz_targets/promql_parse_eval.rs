//! Any text, as a query over a little data, is answered or refused; printed, it means the same.

#![no_main]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use libfuzzer_sys::fuzz_target;
use strata_query::promql::syntax::{parse, pretty};
use strata_query::promql::{EvalOptions, Interrupted, Query, evaluate};
use strata_query::promqltest::{MemorySource, random};

/// Questions whether to stop until a query is told to, so that each input takes little time.
const POLLS: usize = 2_000;

fuzz_target!(|data: &[u8]| {
    static SOURCE: OnceLock<MemorySource> = OnceLock::new();
    let source = SOURCE.get_or_init(|| random::source(&random::data(1), 0));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let options = EvalOptions { max_samples: 100_000, ..EvalOptions::default() };
    for step_ms in [None, Some(60_000)] {
        let polls = AtomicUsize::new(0);
        let interrupt = || {
            let before = polls.fetch_add(1, Ordering::Relaxed);
            (before >= POLLS).then_some(Interrupted::TimedOut)
        };
        let query = Query { text, start_ms: 1_200_000, end_ms: 1_800_000, step_ms };
        drop(evaluate(source, &query, &options, &interrupt));
    }
    if let Ok(expr) = parse(text) {
        let printed = expr.to_string();
        let again = parse(&printed).expect("what was printed parses");
        assert_eq!(again.to_string(), printed);
        assert!(!pretty(&expr).is_empty());
    }
});
