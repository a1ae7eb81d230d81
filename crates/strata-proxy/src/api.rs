//! Which API a request speaks, told by its path.

use hyper::Method;

/// The shape of a request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    OpenAiChat,
    OpenAiCompletions,
    OpenAiResponses,
    Embeddings,
    Rerank,
    AnthropicMessages,
    OllamaChat,
    OllamaGenerate,
    OllamaEmbed,
}

impl Api {
    /// The API of a request, `None` for whatever else passes through. A prefix in front of the path
    /// is fine: gateways and deployments put their own there.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        const ENDS: [(&str, Api); 11] = [
            ("/chat/completions", Api::OpenAiChat),
            ("/completions", Api::OpenAiCompletions),
            ("/responses", Api::OpenAiResponses),
            ("/embeddings", Api::Embeddings),
            ("/rerank", Api::Rerank),
            ("/score", Api::Rerank),
            ("/messages", Api::AnthropicMessages),
            ("/api/chat", Api::OllamaChat),
            ("/api/generate", Api::OllamaGenerate),
            ("/api/embed", Api::OllamaEmbed),
            ("/reranking", Api::Rerank),
        ];
        if method != Method::POST {
            return None;
        }
        let path = path.trim_end_matches('/');
        if path.ends_with("/api/embeddings") {
            return Some(Self::OllamaEmbed);
        }
        // A thread's messages are not the Messages API.
        if path.contains("/threads/") {
            return None;
        }
        ENDS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, api)| *api)
    }

    /// The word for it, stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiCompletions => "openai_completions",
            Self::OpenAiResponses => "openai_responses",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::AnthropicMessages => "anthropic_messages",
            Self::OllamaChat => "ollama_chat",
            Self::OllamaGenerate => "ollama_generate",
            Self::OllamaEmbed => "ollama_embed",
        }
    }

    /// The operation, in OpenTelemetry's words (`gen_ai.operation.name`).
    pub fn operation(self) -> &'static str {
        match self {
            Self::OpenAiChat
            | Self::OpenAiResponses
            | Self::AnthropicMessages
            | Self::OllamaChat => "chat",
            Self::OpenAiCompletions | Self::OllamaGenerate => "text_completion",
            Self::Embeddings | Self::OllamaEmbed => "embeddings",
            Self::Rerank => "rerank",
        }
    }

    /// Whether an answer consists of generated tokens.
    pub fn generates(self) -> bool {
        !matches!(self, Self::Embeddings | Self::Rerank | Self::OllamaEmbed)
    }

    /// Whether the answer is a stream when the request does not say so.
    pub(crate) fn streams_by_default(self) -> bool {
        matches!(self, Self::OllamaChat | Self::OllamaGenerate)
    }

    /// Whether `stream_options.include_usage` is understood.
    pub(crate) fn takes_stream_options(self) -> bool {
        matches!(self, Self::OpenAiChat | Self::OpenAiCompletions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_api() {
        let check = |path: &str, expected: Option<Api>| {
            assert_eq!(Api::of(&Method::POST, path), expected, "{path}");
        };
        check("/v1/chat/completions", Some(Api::OpenAiChat));
        check("/openai/deployments/x/chat/completions", Some(Api::OpenAiChat));
        check("/v1/completions", Some(Api::OpenAiCompletions));
        check("/v1/responses", Some(Api::OpenAiResponses));
        check("/v1/messages", Some(Api::AnthropicMessages));
        check("/v1/messages/count_tokens", None);
        check("/v1/threads/t1/messages", None);
        check("/v2/rerank", Some(Api::Rerank));
        check("/api/generate", Some(Api::OllamaGenerate));
        check("/api/embeddings", Some(Api::OllamaEmbed));
        check("/v1/embeddings", Some(Api::Embeddings));
        check("/metrics", None);
        assert_eq!(Api::of(&Method::GET, "/v1/responses"), None);
    }
}
