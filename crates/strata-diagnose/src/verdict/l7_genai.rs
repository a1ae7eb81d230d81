//! L7: what do users get?

use strata_model::Layer;

use super::Limit::{Above, AboveTtft};
use super::{Bench, broken, watch};

/// 5 % of errors are what published chat objectives have in common.
const ERRORS_BROKEN: f64 = 0.05;
const ERRORS_WATCH: f64 = 0.01;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L7Genai,
    on_hosts: false,
    eyes: &["l7.requests", "l7.ttft_p95", "l7.duration_p95", "l7.output_tokens"],
    rules: &[
        broken(&[("l7.error_ratio", Above(ERRORS_BROKEN))], "requests fail"),
        broken(&[("l7.ttft_p95", AboveTtft(2.0))], "the first token comes late"),
        watch(&[("l7.ttft_p95", AboveTtft(1.0))], "the first token comes late"),
        watch(&[("l7.error_ratio", Above(ERRORS_WATCH))], "some requests fail"),
    ],
    well: "users are served",
    expected: &[(
        &["l6.requests", "l6.replicas"],
        "engines serve and nobody tells what clients see: send OpenTelemetry GenAI metrics",
    )],
    absent: "no client of a model is seen",
};
