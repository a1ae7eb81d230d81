//! The usage record, in every dialect, as disjoint parts under two totals.

use crate::call::{CountSource, Tokens};
use crate::json::Value;

/// Counts as read so far. The last word wins: streams repeat running totals.
#[derive(Debug, Default)]
pub(super) struct Usage {
    input: Option<u64>,
    output: Option<u64>,
    /// Anthropic leaves cached tokens out of its input.
    cache_read_apart: Option<u64>,
    cache_write_apart: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    reasoning: Option<u64>,
    audio_input: Option<u64>,
    audio_output: Option<u64>,
    total: Option<u64>,
}

impl Usage {
    /// Take a value of the answer when it is of the usage record; whether it was.
    pub(super) fn value(&mut self, path: &str, value: Value<'_>) -> bool {
        let inner = path.strip_prefix("message.").or_else(|| path.strip_prefix("response."));
        let path = inner.unwrap_or(path);
        let slot = match path {
            "usage.prompt_tokens" | "usage.input_tokens" | "prompt_eval_count" => &mut self.input,
            "usage.completion_tokens" | "usage.output_tokens" | "eval_count" => &mut self.output,
            "usage.total_tokens" | "meta.billed_units.input_tokens" => &mut self.total,
            "usage.prompt_tokens_details.cached_tokens"
            | "usage.input_tokens_details.cached_tokens" => &mut self.cached,
            "usage.prompt_tokens_details.cache_write_tokens"
            | "usage.input_tokens_details.cache_write_tokens" => &mut self.written,
            "usage.completion_tokens_details.reasoning_tokens"
            | "usage.output_tokens_details.reasoning_tokens" => &mut self.reasoning,
            "usage.prompt_tokens_details.audio_tokens" => &mut self.audio_input,
            "usage.completion_tokens_details.audio_tokens" => &mut self.audio_output,
            "usage.cache_read_input_tokens" => &mut self.cache_read_apart,
            "usage.cache_creation_input_tokens" => &mut self.cache_write_apart,
            _ => return false,
        };
        let Some(count) = value.count() else { return false };
        *slot = Some(count);
        true
    }

    /// The counts as tokens; `chunks` is what the stream showed, where it showed any.
    pub(super) fn tokens(&self, generates: bool, chunks: Option<u64>) -> Tokens {
        let apart = self.cache_read_apart.unwrap_or(0) + self.cache_write_apart.unwrap_or(0);
        // Where nothing is generated the total is all input, and some say nothing else.
        let input = self.input.or(if generates { None } else { self.total });
        let (output, output_source) = match (self.output, chunks) {
            (Some(count), _) => (Some(count), CountSource::Usage),
            (None, Some(chunks)) => (Some(chunks), CountSource::ChunkCount),
            (None, None) => (None, CountSource::Unknown),
        };
        Tokens {
            input: input.map(|input| input + apart),
            cache_read: self.cache_read_apart.or(self.cached),
            cache_write: self.cache_write_apart.or(self.written),
            output: if generates { output } else { None },
            reasoning: self.reasoning,
            audio_input: self.audio_input,
            audio_output: self.audio_output,
            output_source: if generates { output_source } else { CountSource::Unknown },
        }
    }
}
