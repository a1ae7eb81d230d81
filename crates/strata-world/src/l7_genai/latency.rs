//! Latency where the user stands.

use super::model;
use crate::recipe::{Recipe, Whole};

const NO_REQUEST: &str = "no request in the rate window";

/// A quantile from the first vantage point that is there: a gateway, a client or server with
/// OpenTelemetry, a router.
macro_rules! quantile {
    ($id:literal, $q:literal, $gateway:literal, $client:literal, $server:literal, $router:literal,
     $definition:literal) => {
        model(
            $id,
            "s",
            concat!(
                "histogram_quantile(",
                $q,
                ", sum by (%, le) (rate<",
                $gateway,
                ":bucket>)) or ",
                "histogram_quantile(",
                $q,
                ", sum by (gen_ai_request_model, le) (rate<",
                $client,
                ":bucket>)) or ",
                "histogram_quantile(",
                $q,
                ", sum by (gen_ai_request_model, le) (rate<",
                $server,
                ":bucket>)) or ",
                "histogram_quantile(",
                $q,
                ", sum by (%, le) (rate<",
                $router,
                ":bucket>))"
            ),
        )
        .whole(Whole::Text(concat!(
            "histogram_quantile(",
            $q,
            ", sum by (le) (rate<",
            $gateway,
            ":bucket>)) or ",
            "histogram_quantile(",
            $q,
            ", sum by (le) (rate<",
            $client,
            ":bucket>)) or ",
            "histogram_quantile(",
            $q,
            ", sum by (le) (rate<",
            $server,
            ":bucket>)) or ",
            "histogram_quantile(",
            $q,
            ", sum by (le) (rate<",
            $router,
            ":bucket>))"
        )))
        .undefined(NO_REQUEST)
        .means(
            $definition,
            concat!(
                "histogram quantile of ",
                $gateway,
                ", else ",
                $client,
                ", ",
                $server,
                ", ",
                $router
            ),
        )
    };
}

pub(crate) const ALL: &[Recipe] = &[
    quantile!(
        "l7.ttft_p50",
        "0.5",
        "gateway.ttft",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "inference.router.ttft",
        "Median of the time to the first token outside the engine; a client with OpenTelemetry \
         sees the first chunk, which need not carry a token."
    ),
    quantile!(
        "l7.ttft_p95",
        "0.95",
        "gateway.ttft",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "inference.router.ttft",
        "95th percentile of the time to the first token outside the engine; a client with \
         OpenTelemetry sees the first chunk, which need not carry a token."
    ),
    quantile!(
        "l7.duration_p50",
        "0.5",
        "gateway.request.duration",
        "gen_ai.client.operation.duration",
        "gen_ai.server.request.duration",
        "inference.router.request.duration",
        "Median of the time from the request to the end of the answer, outside the engine."
    ),
    quantile!(
        "l7.duration_p95",
        "0.95",
        "gateway.request.duration",
        "gen_ai.client.operation.duration",
        "gen_ai.server.request.duration",
        "inference.router.request.duration",
        "95th percentile of the time from the request to the end of the answer, outside the \
         engine."
    ),
];
