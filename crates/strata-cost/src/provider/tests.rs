//! Vectors of every provider: the same call in each one's words.

use serde_json::json;

use super::*;

fn map() -> PriceMap {
    let text = json!({
        "sample_spec": {"input_cost_per_token": "the price of one token"},
        "gpt": {"litellm_provider": "openai", "input_cost_per_token": 2e-6,
                "cache_read_input_token_cost": 5e-7, "output_cost_per_token": 8e-6,
                "input_cost_per_audio_token": 4e-5, "output_cost_per_audio_token": 8e-5},
        "claude": {"input_cost_per_token": 3e-6, "cache_creation_input_token_cost": 3.75e-6,
                   "cache_creation_input_token_cost_above_1hr": 6e-6,
                   "cache_read_input_token_cost": 3e-7, "output_cost_per_token": 1.5e-5},
        "gemini/flash": {"input_cost_per_token": "1.25e-6", "output_cost_per_token": 1e-5,
                   "input_cost_per_token_above_200k_tokens": 2.5e-6,
                   "output_cost_per_token_above_200k_tokens": 1.5e-5,
                   "cache_read_input_token_cost": 3.1e-7, "output_cost_per_reasoning_token": 2e-5},
        "plain": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
        "broken": {"input_cost_per_token": -1}
    });
    PriceMap::read(&text.to_string(), 0).unwrap()
}

fn dollars(
    provider: Option<&str>,
    model: &str,
    dialect: Dialect,
    usage: &serde_json::Value,
) -> f64 {
    map().cost(provider, model, &buckets(dialect, usage).unwrap()).unwrap()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

#[test]
fn openai_counts_cached_tokens_and_reasoning_within() {
    let chat = json!({"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": null}});
    let responses = json!({"input_tokens": 2006, "output_tokens": 300,
        "input_tokens_details": {"cached_tokens": 1920},
        "output_tokens_details": {"reasoning_tokens": 200}});
    for usage in [chat, responses] {
        let found = buckets(Dialect::OpenAi, &usage).unwrap();
        assert_eq!(found, [86.0, 1920.0, 0.0, 0.0, 100.0, 200.0, 0.0, 0.0]);
        near(
            dollars(None, "gpt", Dialect::OpenAi, &usage),
            86.0 * 2e-6 + 1920.0 * 5e-7 + 300.0 * 8e-6,
        );
    }
    let audio = json!({"prompt_tokens": 100, "completion_tokens": 50,
        "prompt_tokens_details": {"audio_tokens": 80}, "completion_tokens_details": {"audio_tokens": 40}});
    near(
        dollars(None, "gpt", Dialect::OpenAi, &audio),
        20.0 * 2e-6 + 80.0 * 4e-5 + 10.0 * 8e-6 + 40.0 * 8e-5,
    );
}

#[test]
fn anthropic_counts_cached_tokens_beside_the_input() {
    let usage = json!({"input_tokens": 50, "cache_creation_input_tokens": 1000,
        "cache_read_input_tokens": 100_000, "output_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}});
    let found = buckets(Dialect::Anthropic, &usage).unwrap();
    assert_eq!(found, [50.0, 100_000.0, 400.0, 600.0, 500.0, 0.0, 0.0, 0.0]);
    let expected = 50.0 * 3e-6 + 1e5 * 3e-7 + 400.0 * 3.75e-6 + 600.0 * 6e-6 + 500.0 * 1.5e-5;
    near(dollars(None, "claude", Dialect::Anthropic, &usage), expected);
    let old = json!({"input_tokens": 1, "cache_creation_input_tokens": 7, "output_tokens": 1});
    assert_eq!(buckets(Dialect::Anthropic, &old).unwrap()[Bucket::CacheWrite.place()], 7.0);
}

#[test]
fn gemini_counts_thoughts_beside_the_answer_and_long_prompts_dearer() {
    let usage = json!({"promptTokenCount": 1000, "cachedContentTokenCount": 600,
        "candidatesTokenCount": 100, "thoughtsTokenCount": 40, "toolUsePromptTokenCount": 10,
        "totalTokenCount": 1150});
    let found = buckets(Dialect::Gemini, &usage).unwrap();
    assert_eq!(found, [410.0, 600.0, 0.0, 0.0, 100.0, 40.0, 0.0, 0.0]);
    near(
        dollars(Some("gemini"), "flash", Dialect::Gemini, &usage),
        410.0 * 1.25e-6 + 600.0 * 3.1e-7 + 100.0 * 1e-5 + 40.0 * 2e-5,
    );
    let long = json!({"promptTokenCount": 300_000, "candidatesTokenCount": 100});
    near(dollars(Some("gemini"), "flash", Dialect::Gemini, &long), 3e5 * 2.5e-6 + 100.0 * 1.5e-5);
    let spoken = json!({"promptTokenCount": 100, "cachedContentTokenCount": 60,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}, {"modality": "TEXT", "tokenCount": 50}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}]});
    let found = buckets(Dialect::Gemini, &spoken).unwrap();
    assert_eq!(found, [20.0, 60.0, 0.0, 0.0, 0.0, 0.0, 20.0, 0.0]);
}

#[test]
fn bedrock_counts_like_anthropic_in_its_own_words() {
    let usage = json!({"inputTokens": 50, "outputTokens": 500, "totalTokens": 101_550,
        "cacheReadInputTokens": 100_000, "cacheWriteInputTokens": 1000,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 600}, {"ttl": "5m", "inputTokens": 400}]});
    let found = buckets(Dialect::Bedrock, &usage).unwrap();
    assert_eq!(found, [50.0, 100_000.0, 400.0, 600.0, 500.0, 0.0, 0.0, 0.0]);
}

#[test]
fn an_unknown_price_is_no_zero() {
    let map = map();
    let cached = buckets(
        Dialect::OpenAi,
        &json!({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}),
    )
    .unwrap();
    let refused = map.cost(None, "plain", &cached).unwrap_err();
    assert_eq!(refused.to_string(), "the price map has no price for cache_read of plain");
    assert_eq!(map.cost(None, "nobody", &cached), Err(Unpriced::Model("nobody".into())));
    assert_eq!(map.problems[0].path, "broken");
    assert_eq!((map.len(), map.hash.len()), (4, 64));
    assert!(PriceMap::read("[]", 0).is_err() && PriceMap::read("{", 0).is_err());
}

#[test]
fn usage_that_contradicts_itself_is_refused() {
    let check = |dialect, usage: serde_json::Value, expected: &str| {
        let refused = buckets(dialect, &usage).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    let over = json!({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}});
    check(Dialect::OpenAi, over, "more than input");
    check(Dialect::OpenAi, json!({}), "without input tokens");
    check(
        Dialect::Anthropic,
        json!({"input_tokens": -1, "output_tokens": 1}),
        "input_tokens is not",
    );
    check(Dialect::Bedrock, json!({"inputTokens": "ten"}), "inputTokens is not");
    check(Dialect::Gemini, json!({"candidatesTokenCount": 1}), "without promptTokenCount");
}
