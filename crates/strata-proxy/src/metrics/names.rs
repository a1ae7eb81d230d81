//! Every metric the proxy writes, by the catalog's dotted names.

macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: &str = $name;)*
        /// All of them, for the comparison with the catalog.
        #[cfg(test)]
        pub(super) const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    REQUESTS = "gateway.requests";
    INFLIGHT = "gateway.requests.inflight";
    DURATION = "gateway.request.duration";
    TTFT = "gateway.ttft";
    TTFB = "gateway.ttfb";
    TTFO = "gateway.ttfo";
    ITL = "gateway.itl";
    TPOT = "gateway.tpot";
    INPUT_TOKENS = "gateway.input_tokens";
    OUTPUT_TOKENS = "gateway.output_tokens";
    CACHED_TOKENS = "gateway.cached_input_tokens";
    REASONING_TOKENS = "gateway.reasoning_tokens";
    INPUT_LENGTH = "gateway.request.input_tokens";
    OUTPUT_LENGTH = "gateway.request.output_tokens";
    THROUGHPUT = "gateway.token_throughput";
    STALL = "gateway.stall";
    FINISH_REASONS = "gateway.finish_reasons";
    OVERHEAD = "gateway.overhead";
}
