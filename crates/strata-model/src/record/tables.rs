//! What a question in SQL can name: the tables of records with their columns, in words.
//!
//! The store has the same columns in its files and compares them with this list in a test.

/// A table that SQL can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTable {
    pub name: &'static str,
    pub brief: &'static str,
    pub columns: &'static [RecordColumn],
}

/// One column: what is not known of a row is NULL in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordColumn {
    pub name: &'static str,
    /// Meaning with its unit. Columns of the store's own say so.
    pub brief: &'static str,
}

const fn column(name: &'static str, brief: &'static str) -> RecordColumn {
    RecordColumn { name, brief }
}

/// Most days of files that one question can read: `SQLite` attaches ten to a connection.
pub const SQL_DAYS_MAX: usize = 10;

/// Every table, in the order in which they are told.
pub const RECORD_TABLES: [RecordTable; 4] = [
    RecordTable { name: "request", brief: "one row a call to a model", columns: &REQUEST },
    RecordTable { name: "span", brief: "one row a span, without its content", columns: &SPAN },
    RecordTable { name: "feedback", brief: "one row a judgement", columns: &FEEDBACK },
    RecordTable { name: "rollup", brief: "sums of whole hours", columns: &ROLLUP },
];

const REQUEST: [RecordColumn; 36] = [
    column("id", "number of the row within its day"),
    column("start_us", "received, microseconds since 1970"),
    column("duration_us", "end to end, microseconds"),
    column("ttft_us", "received to first token out, microseconds"),
    column("first_visible_us", "received to the first token a user sees, microseconds"),
    column("queue_us", "received to scheduled, microseconds"),
    column("prefill_us", "computing the prompt, microseconds"),
    column("decode_us", "first to last token, microseconds"),
    column("tenant", "who is served"),
    column("team", "who asks"),
    column("app", "program that asks"),
    column("session", "session of the app"),
    column("model", "model that answered"),
    column("model_requested", "model that was asked for"),
    column("provider", "who runs the model"),
    column("replica", "engine replica that answered"),
    column("route", "path of the API"),
    column("operation", "chat, text_completion, embeddings, .."),
    column("trace_id", "trace, hexadecimal"),
    column("span_id", "span, hexadecimal"),
    column("response_id", "id of the answer"),
    column("request_id", "id of the request"),
    column("conversation_id", "id of the conversation"),
    column("outcome", "ok, client_cancel, upstream_truncated, error, error_in_200"),
    column("error_code", "what the error was"),
    column("finish_reason", "why the model stopped"),
    column("streamed", "1 where the answer was streamed"),
    column("fresh_input", "tokens of the prompt that were computed"),
    column("cache_read", "tokens of the prompt out of a cache"),
    column("cache_write", "tokens of the prompt written to a cache"),
    column("output_text", "tokens of text generated"),
    column("reasoning", "tokens of reasoning generated"),
    column("audio", "tokens of sound"),
    column("image", "tokens of pictures"),
    column("count_source", "how tokens were counted"),
    column("sightings", "who saw the request, as JSON"),
];

const SPAN: [RecordColumn; 9] = [
    column("trace_id", "trace, hexadecimal"),
    column("span_id", "span, hexadecimal"),
    column("parent_span_id", "span above"),
    column("name", "what was done"),
    column("service", "program that did it"),
    column("start_us", "begin, microseconds since 1970"),
    column("end_us", "end, microseconds since 1970"),
    column("failed", "1 where it ended in an error"),
    column("attributes", "numbers and names, as JSON"),
];

const FEEDBACK: [RecordColumn; 15] = [
    column("id", "number of the row within its day"),
    column("at_us", "given, microseconds since 1970"),
    column("name", "what is judged: user_feedback, .."),
    column("value", "score; 1 and 0 for a thumb"),
    column("label", "judgement in a word"),
    column("comment", "text, stored only when configured"),
    column("source", "human, implicit, model"),
    column("idempotency_key", "the same key replaces"),
    column("key", "hash of the target, the store's own"),
    column("target", "ids it was given for, as JSON"),
    column("request", "request it belongs to, day-number"),
    column("model", "model of that request"),
    column("team", "team of that request"),
    column("app", "app of that request"),
    column("tenant", "tenant of that request"),
];

const ROLLUP: [RecordColumn; 7] = [
    column("hour", "hours since 1970; -1 is the whole day, so leave it out of sums"),
    column("tenant", "who is served; empty where unknown"),
    column("team", "who asks; empty where unknown"),
    column("app", "program that asks; empty where unknown"),
    column("model", "model; empty where unknown"),
    column("requests", "requests that began in that time"),
    column("sums", "packed sums, the store's own"),
];
