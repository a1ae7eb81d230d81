//! What providers write into `usage`, as buckets.

use serde_json::Value;

use super::{BUCKETS, Bucket, Buckets};

/// In whose words usage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// `OpenAI`'s chat completions and responses, and all who copy them. Input contains cached and
    /// audio tokens, output contains reasoning and audio.
    OpenAi,
    /// Anthropic's messages. Input, cache reads and cache writes are three numbers beside each other.
    Anthropic,
    /// Gemini's `usageMetadata`. The prompt contains the cached content; thoughts are beside the
    /// candidates, and prompts of tools beside the prompt.
    Gemini,
    /// Bedrock's Converse. Input, cache reads and cache writes are beside each other.
    Bedrock,
}

/// Why usage cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A count that every call has is missing.
    #[error("cannot count usage without {0}")]
    Missing(&'static str),
    /// A part is larger than what contains it.
    #[error("cannot count usage: {part} is more than {whole}, which contains it")]
    Contradiction {
        /// The part.
        part: &'static str,
        /// What contains it.
        whole: &'static str,
    },
    /// A count is no number of tokens.
    #[error("cannot count usage: {0} is not a number of tokens")]
    NotACount(String),
}

/// Tokens above which a count is a mistake: a thousand times the longest context.
const MAX_TOKENS: f64 = 1e9;

/// Puts usage into buckets that do not overlap.
pub fn buckets(dialect: Dialect, usage: &Value) -> Result<Buckets, UsageError> {
    let usage = Counts(usage);
    match dialect {
        Dialect::OpenAi => openai(&usage),
        Dialect::Anthropic => anthropic(&usage),
        Dialect::Gemini => gemini(&usage),
        Dialect::Bedrock => bedrock(&usage),
    }
}

struct Counts<'a>(&'a Value);

impl Counts<'_> {
    /// The count at a path; None where it is missing or null.
    fn at(&self, path: &[&str]) -> Result<Option<f64>, UsageError> {
        let mut value = self.0;
        for key in path {
            match value.get(key) {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        count(value, || path.join("."))
    }

    fn or_zero(&self, path: &[&str]) -> Result<f64, UsageError> {
        Ok(self.at(path)?.unwrap_or_default())
    }

    /// The sum over a list of objects of those whose `key` is `value`.
    fn listed(&self, list: &str, key: &str, value: &str, field: &str) -> Result<f64, UsageError> {
        let mut total = 0.0;
        let all = self.0.get(list).and_then(Value::as_array);
        for one in all.into_iter().flatten() {
            if one.get(key).and_then(Value::as_str) == Some(value)
                && let Some(found) = one.get(field)
            {
                total += count(found, || format!("{list}.{field}"))?.unwrap_or_default();
            }
        }
        Ok(total)
    }
}

fn count(value: &Value, path: impl Fn() -> String) -> Result<Option<f64>, UsageError> {
    if value.is_null() {
        return Ok(None);
    }
    let tokens = value.as_f64().filter(|tokens| (0.0..=MAX_TOKENS).contains(tokens));
    tokens.map(Some).ok_or_else(|| UsageError::NotACount(path()))
}

/// `whole` less its parts, which it must contain.
fn rest(whole: f64, parts: f64, part: &'static str, name: &'static str) -> Result<f64, UsageError> {
    if parts > whole {
        return Err(UsageError::Contradiction { part, whole: name });
    }
    Ok(whole - parts)
}

fn fill(pairs: &[(Bucket, f64)]) -> Buckets {
    let mut buckets = [0.0; BUCKETS];
    for (bucket, tokens) in pairs {
        if let Some(place) = buckets.get_mut(bucket.place()) {
            *place += tokens;
        }
    }
    buckets
}

fn openai(usage: &Counts<'_>) -> Result<Buckets, UsageError> {
    // Chat completions say prompt and completion, responses say input and output.
    let is_chat = usage.at(&["prompt_tokens"])?.is_some();
    let (input, output, input_details, output_details) = if is_chat {
        ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
    } else {
        ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
    };
    let whole_in = usage.at(&[input])?.ok_or(UsageError::Missing("input tokens"))?;
    // Embeddings have no output at all.
    let whole_out = usage.or_zero(&[output])?;
    let cached = usage.or_zero(&[input_details, "cached_tokens"])?;
    let audio_in = usage.or_zero(&[input_details, "audio_tokens"])?;
    let reasoning = usage.or_zero(&[output_details, "reasoning_tokens"])?;
    let audio_out = usage.or_zero(&[output_details, "audio_tokens"])?;
    Ok(fill(&[
        (Bucket::FreshInput, rest(whole_in, cached + audio_in, "cached and audio input", "input")?),
        (Bucket::CacheRead, cached),
        (Bucket::AudioInput, audio_in),
        (Bucket::Output, rest(whole_out, reasoning + audio_out, "reasoning and audio", "output")?),
        (Bucket::Reasoning, reasoning),
        (Bucket::AudioOutput, audio_out),
    ]))
}

fn anthropic(usage: &Counts<'_>) -> Result<Buckets, UsageError> {
    let written = usage.or_zero(&["cache_creation_input_tokens"])?;
    let hour = usage.or_zero(&["cache_creation", "ephemeral_1h_input_tokens"])?;
    let short = match usage.at(&["cache_creation", "ephemeral_5m_input_tokens"])? {
        Some(short) => short,
        None => rest(written, hour, "cache writes of an hour", "cache writes")?,
    };
    Ok(fill(&[
        (
            Bucket::FreshInput,
            usage.at(&["input_tokens"])?.ok_or(UsageError::Missing("input_tokens"))?,
        ),
        (Bucket::CacheRead, usage.or_zero(&["cache_read_input_tokens"])?),
        (Bucket::CacheWrite, short),
        (Bucket::CacheWriteHour, hour),
        (
            Bucket::Output,
            usage.at(&["output_tokens"])?.ok_or(UsageError::Missing("output_tokens"))?,
        ),
    ]))
}

fn gemini(usage: &Counts<'_>) -> Result<Buckets, UsageError> {
    let prompt = usage.at(&["promptTokenCount"])?.ok_or(UsageError::Missing("promptTokenCount"))?;
    let cached = usage.or_zero(&["cachedContentTokenCount"])?;
    let tools = usage.or_zero(&["toolUsePromptTokenCount"])?;
    let audio = usage.listed("promptTokensDetails", "modality", "AUDIO", "tokenCount")?;
    // Cached audio is in both lists; it was read from the cache.
    let cached_audio = usage.listed("cacheTokensDetails", "modality", "AUDIO", "tokenCount")?;
    let audio = rest(audio, cached_audio, "cached audio", "audio")?;
    let audio_out = usage.listed("candidatesTokensDetails", "modality", "AUDIO", "tokenCount")?;
    let candidates = usage.or_zero(&["candidatesTokenCount"])?;
    let fresh = rest(prompt, cached + audio, "cached content and audio", "promptTokenCount")?;
    Ok(fill(&[
        (Bucket::FreshInput, fresh + tools),
        (Bucket::CacheRead, cached),
        (Bucket::AudioInput, audio),
        (Bucket::Output, rest(candidates, audio_out, "audio", "candidatesTokenCount")?),
        (Bucket::AudioOutput, audio_out),
        (Bucket::Reasoning, usage.or_zero(&["thoughtsTokenCount"])?),
    ]))
}

fn bedrock(usage: &Counts<'_>) -> Result<Buckets, UsageError> {
    let written = usage.or_zero(&["cacheWriteInputTokens"])?;
    let hour = usage.listed("cacheDetails", "ttl", "1h", "inputTokens")?;
    Ok(fill(&[
        (
            Bucket::FreshInput,
            usage.at(&["inputTokens"])?.ok_or(UsageError::Missing("inputTokens"))?,
        ),
        (Bucket::CacheRead, usage.or_zero(&["cacheReadInputTokens"])?),
        (
            Bucket::CacheWrite,
            rest(written, hour, "cache writes of an hour", "cacheWriteInputTokens")?,
        ),
        (Bucket::CacheWriteHour, hour),
        (Bucket::Output, usage.at(&["outputTokens"])?.ok_or(UsageError::Missing("outputTokens"))?),
    ]))
}
