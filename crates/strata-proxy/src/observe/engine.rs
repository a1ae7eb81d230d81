//! What an engine says in its answer of its own time: Ollama in nanoseconds, llama.cpp's server in
//! milliseconds. Ollama has no metrics page, so this is all that anybody hears of its inside.

use std::time::Duration;

use crate::call::EngineTimes;
use crate::json::Value;

/// Nobody computes longer for one request; what says so says something else, seconds.
const LONGEST: f64 = 86_400.0;

/// Take a value of the answer when it is such a time.
pub(super) fn value(times: &mut EngineTimes, path: &str, value: Value<'_>) -> bool {
    let Value::Number(number) = value else { return false };
    let (slot, unit) = match path {
        "prompt_eval_duration" => (&mut times.prefill, 1e-9),
        "eval_duration" => (&mut times.decode, 1e-9),
        "timings.prompt_ms" => (&mut times.prefill, 1e-3),
        "timings.predicted_ms" => (&mut times.decode, 1e-3),
        _ => return false,
    };
    let seconds = number * unit;
    if (0.0..LONGEST).contains(&seconds) {
        *slot = Some(Duration::from_secs_f64(seconds));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;
    use crate::observe::Observer;

    #[test]
    fn times_are_read_in_their_units() {
        let check = |path: &str, number: f64, prefill: Option<u64>, decode: Option<u64>| {
            let mut times = EngineTimes::default();
            value(&mut times, path, Value::Number(number));
            let micros = |time: Option<Duration>| time.map(|time| time.as_micros() as u64);
            assert_eq!((micros(times.prefill), micros(times.decode)), (prefill, decode), "{path}");
        };
        check("prompt_eval_duration", 9_000_000.0, Some(9_000), None);
        check("eval_duration", 300_000_000.0, None, Some(300_000));
        check("timings.prompt_ms", 0.496, Some(496), None);
        check("timings.predicted_ms", 0.8, None, Some(800));
        check("timings.prompt_ms", -1.0, None, None);
        check("timings.prompt_ms", f64::NAN, None, None);
        check("eval_duration", 1e30, None, None);
        check("choices[].timings.prompt_ms", 1.0, None, None);
    }

    #[test]
    fn answers_of_engines_tell_them() {
        let check = |api, kind, answer: &[u8], prefill: u64, decode: u64| {
            let mut observer = Observer::new(api, Some(kind), None, false);
            observer.frame(answer, Duration::ZERO);
            let times = observer.finish().engine;
            let micros = |time: Option<Duration>| time.map(|time| time.as_micros() as u64);
            assert_eq!(
                (micros(times.prefill), micros(times.decode)),
                (Some(prefill), Some(decode))
            );
        };
        let ollama = include_bytes!("../../tests/fixtures/ollama-chat.ndjson");
        check(Api::OllamaChat, "application/x-ndjson", ollama, 9_000, 300_000);
        let llama = include_bytes!("../../tests/fixtures/llama-server-b11669-completions.sse");
        check(Api::OpenAiCompletions, "text/event-stream", llama, 496, 800);
    }
}
