//! Token counts in buckets that add up.
//!
//! Reports overlap: cached tokens are inside the input, reasoning tokens inside the output. Here
//! every token is in one bucket, so that sums and prices never count it twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens of one request; every token is in exactly one bucket. `None`: not reported, so these
/// tokens, if there were any, are in the bucket that holds the rest of their side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenBuckets {
    /// Input that had to be computed: text, not read from or written to a prompt cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_input: Option<u64>,
    /// Input that a prompt cache supplied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Input that was computed and put into a prompt cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Output that is neither reasoning nor audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_text: Option<u64>,
    /// Output that the model thought and that is not part of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Audio, in and out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<u64>,
    /// Images, in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<u64>,
}

/// Token counts as programs report them: totals with parts inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
    pub reasoning: Option<u64>,
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
    pub image_input: Option<u64>,
    /// `input` leaves out what the cache read and wrote, as Anthropic counts.
    pub cache_is_apart: bool,
}

impl Usage {
    /// Make the parts disjoint. The second value says whether the parts were larger than their
    /// total; then the rest is taken as zero and the report contradicts itself.
    pub fn buckets(&self) -> (TokenBuckets, bool) {
        let cached = self.cache_read.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        let cached = if self.cache_is_apart { 0 } else { cached };
        let modal = self.audio_input.unwrap_or(0).saturating_add(self.image_input.unwrap_or(0));
        let input_parts = cached.saturating_add(modal);
        let output_parts =
            self.reasoning.unwrap_or(0).saturating_add(self.audio_output.unwrap_or(0));
        let contradicts = self.input.is_some_and(|all| all < input_parts)
            || self.output.is_some_and(|all| all < output_parts);
        let audio = match (self.audio_input, self.audio_output) {
            (None, None) => None,
            (heard, said) => Some(heard.unwrap_or(0).saturating_add(said.unwrap_or(0))),
        };
        let buckets = TokenBuckets {
            fresh_input: self.input.map(|all| all.saturating_sub(input_parts)),
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            output_text: self.output.map(|all| all.saturating_sub(output_parts)),
            reasoning: self.reasoning,
            audio,
            image: self.image_input,
        };
        (buckets, contradicts)
    }
}

impl TokenBuckets {
    /// Names of the buckets, in the order of [`Self::values`].
    pub const NAMES: [&'static str; 7] =
        ["fresh_input", "cache_read", "cache_write", "output_text", "reasoning", "audio", "image"];

    /// All buckets, in the order of [`Self::NAMES`].
    pub fn values(&self) -> [Option<u64>; 7] {
        [
            self.fresh_input,
            self.cache_read,
            self.cache_write,
            self.output_text,
            self.reasoning,
            self.audio,
            self.image,
        ]
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values().iter().all(Option::is_none)
    }
}
