//! Files in Prometheus's promqltest language.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_query::promql::EvalOptions;
use strata_query::promqltest::{Embedded, run};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let options = EvalOptions { max_samples: 100_000, max_series: 1_000, ..EvalOptions::default() };
    let report = run(text, &Embedded { options });
    assert!(report.passed + report.failed.len() <= text.lines().count());
});
