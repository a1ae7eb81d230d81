//! Queries rewritten from canonical names to those of the sources: what comes out is PromQL.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use strata_model::catalog::Catalog;
use strata_query::canonical::text::{Facts, rewrite};
use strata_query::promql::syntax::{parse, pretty};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(expr) = parse(text) else { return };
    let families = ["vllm:num_requests_running", "DCGM_FI_DEV_GPU_UTIL", "node_cpu_seconds_total"];
    let families: BTreeSet<String> = families.iter().map(|&name| name.to_owned()).collect();
    if let Ok(rewritten) = rewrite(&expr, Catalog::builtin(), &Facts::new(families)) {
        parse(&pretty(&rewritten)).expect("what we send is a query");
    }
});
