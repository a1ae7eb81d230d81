//! API calls priced by the provider's list: usage in disjoint buckets, and a price map that the
//! operator chose.
//!
//! Providers mean different things by the same word: cached tokens are part of `OpenAI`'s and
//! Gemini's input and beside Anthropic's and Bedrock's; reasoning is part of `OpenAI`'s output and
//! beside Gemini's. Whoever multiplies raw counts by prices charges them twice or not at all. So
//! usage is first put into buckets that do not overlap.

mod map;
#[cfg(test)]
mod tests;
mod usage;

pub use map::{PriceMap, PriceMapError, ProviderPrice, Unpriced};
pub use usage::{Dialect, UsageError, buckets};

/// A kind of token that has a price of its own. No token is in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Input that was computed.
    FreshInput,
    /// Input that was read from the cache.
    CacheRead,
    /// Input that was written to the cache for five minutes, or for as long as is usual.
    CacheWrite,
    /// Input that was written to the cache for an hour.
    CacheWriteHour,
    /// Output that a person reads.
    Output,
    /// Output of reasoning.
    Reasoning,
    /// Audio in.
    AudioInput,
    /// Audio out.
    AudioOutput,
}

/// Number of buckets.
pub const BUCKETS: usize = 8;

/// Tokens by bucket.
pub type Buckets = [f64; BUCKETS];

impl Bucket {
    /// All buckets, in the order of their places in arrays.
    pub const ALL: [Self; BUCKETS] = [
        Self::FreshInput,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWriteHour,
        Self::Output,
        Self::Reasoning,
        Self::AudioInput,
        Self::AudioOutput,
    ];

    /// Its place in arrays over all buckets.
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::FreshInput => "fresh_input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWriteHour => "cache_write_1h",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioInput => "audio_input",
            Self::AudioOutput => "audio_output",
        }
    }

    /// Whether it is part of the input: its length decides which price of a long context holds.
    pub fn is_input(self) -> bool {
        !matches!(self, Self::Output | Self::Reasoning | Self::AudioOutput)
    }
}
