//! Requests, errors and tokens as they cross the API.

use super::model;
use crate::recipe::{Recipe, Whole};

const NO_REQUEST: &str = "no request in the rate window";

pub(crate) const ALL: &[Recipe] = &[
    model(
        "l7.requests",
        "{request}/s",
        "sum by (%) (rate<gateway.requests>) \
         or sum by (gen_ai_request_model) (rate<gen_ai.client.operation.duration:count>) \
         or sum by (gen_ai_request_model) (rate<gen_ai.server.request.duration:count>) \
         or sum by (%) (rate<inference.router.requests>)",
    )
    .whole(Whole::Text(
        "sum(rate<gateway.requests>) \
         or sum(rate<gen_ai.client.operation.duration:count>) \
         or sum(rate<gen_ai.server.request.duration:count>) \
         or sum(rate<inference.router.requests>)",
    ))
    .unlike()
    .means(
        "Requests per second at the API.",
        "rate of gateway.requests, else of client or server operations, else of the router",
    ),
    model(
        "l7.error_ratio",
        "1",
        "(sum by (%) (rate<gateway.requests|outcome=\"error\">) or 0 * sum by (%) (rate<gateway.requests>)) \
         / (sum by (%) (rate<gateway.requests>) > 0) \
         or (sum by (gen_ai_request_model) (rate<gen_ai.client.operation.duration:count|error_type!=\"\">) \
         or 0 * sum by (gen_ai_request_model) (rate<gen_ai.client.operation.duration:count>)) \
         / (sum by (gen_ai_request_model) (rate<gen_ai.client.operation.duration:count>) > 0) \
         or sum by (%) (rate<inference.router.errors>) \
         / (sum by (%) (rate<inference.router.requests>) > 0)",
    )
    .whole(Whole::Text(
        "(sum(rate<gateway.requests|outcome=\"error\">) or 0 * sum(rate<gateway.requests>)) \
         / (sum(rate<gateway.requests>) > 0) \
         or (sum(rate<gen_ai.client.operation.duration:count|error_type!=\"\">) \
         or 0 * sum(rate<gen_ai.client.operation.duration:count>)) \
         / (sum(rate<gen_ai.client.operation.duration:count>) > 0) \
         or sum(rate<inference.router.errors>) / (sum(rate<inference.router.requests>) > 0)",
    ))
    .undefined(NO_REQUEST)
    .means(
        "Share of requests that failed; a stream that answers 200 and then sends an error is a \
         failure.",
        "rate(failed) / rate(all)",
    ),
    model(
        "l7.input_tokens",
        "{token}/s",
        "sum by (%) (rate<gateway.input_tokens>) \
         or sum by (gen_ai_request_model) (rate<gen_ai.client.token.usage:sum|gen_ai_token_type=\"input\">) \
         or sum by (%) (rate<inference.router.prompt_tokens>)",
    )
    .whole(Whole::Text(
        "sum(rate<gateway.input_tokens>) \
         or sum(rate<gen_ai.client.token.usage:sum|gen_ai_token_type=\"input\">) \
         or sum(rate<inference.router.prompt_tokens>)",
    ))
    .unlike()
    .means(
        "Input tokens per second; cached ones are a part of them.",
        "rate of gateway.input_tokens, else of the client's usage, else of the router",
    ),
    model(
        "l7.output_tokens",
        "{token}/s",
        "sum by (%) (rate<gateway.output_tokens>) \
         or sum by (gen_ai_request_model) (rate<gen_ai.client.token.usage:sum|gen_ai_token_type=\"output\">) \
         or sum by (%) (rate<inference.router.generation_tokens>)",
    )
    .whole(Whole::Text(
        "sum(rate<gateway.output_tokens>) \
         or sum(rate<gen_ai.client.token.usage:sum|gen_ai_token_type=\"output\">) \
         or sum(rate<inference.router.generation_tokens>)",
    ))
    .unlike()
    .means(
        "Output tokens per second that were delivered; reasoning tokens are a part of them.",
        "rate of gateway.output_tokens, else of the client's usage, else of the router",
    ),
    model("l7.inflight", "{request}", "sum by (%) (<gateway.requests.inflight>)")
        .whole(Whole::Sum)
        .unlike()
        .means(
            "Requests received and not ended.",
            "gateway.requests.inflight; sum over the models",
        ),
    model(
        "l7.feedback_score",
        "{score}",
        "sum by (%) (rate<gateway.feedback.score:sum>) \
         / (sum by (%) (rate<gateway.feedback.score:count>) > 0)",
    )
    .whole(Whole::Mean)
    .undefined("nobody gave feedback in the rate window")
    .means("Mean score of user feedback.", "rate(sum) / rate(count); mean over the models"),
];
