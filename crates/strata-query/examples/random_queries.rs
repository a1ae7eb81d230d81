//! Prints random data and this evaluator's answers to random queries over it, as JSON lines, to
//! compare with another evaluator: `cargo run --example random_queries -- SEED COUNT START_MS`.

use strata_query::promqltest::{Embedded, Subject, random};
use strata_query::{Answer, QueryError, QueryValue};

fn quoted(text: &str) -> String {
    format!("{text:?}").replace("\\'", "'")
}

fn labels(labels: &strata_model::Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(n, v)| format!("{}:{}", quoted(n), quoted(v))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn value(answer: &Result<Answer, QueryError>) -> String {
    let series = match answer.as_ref().map(|answer| &answer.value) {
        Err(error) => return format!("\"error\":{}", quoted(&error.message)),
        Ok(QueryValue::Matrix(series)) => series,
        Ok(_) => return "\"error\":\"no matrix\"".to_owned(),
    };
    let series: Vec<String> = series
        .iter()
        .map(|one| {
            let points: Vec<String> = one
                .points
                .iter()
                .map(|(time, value)| match value {
                    strata_query::engine::Value::Float(v) => format!("[{time},\"{v:e}\"]"),
                    strata_query::engine::Value::Histogram(_) => format!("[{time},\"histogram\"]"),
                })
                .collect();
            format!("{{\"metric\":{},\"values\":[{}]}}", labels(&one.labels), points.join(","))
        })
        .collect();
    let notes =
        answer.iter().flat_map(|a| a.annotations.warnings.iter().chain(&a.annotations.infos));
    let notes: Vec<String> = notes.map(|note| quoted(note)).collect();
    format!("\"result\":[{}],\"notes\":[{}]", series.join(","), notes.join(","))
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<i64>().unwrap_or(0));
    let mut next = || args.next().unwrap_or(0);
    let (seed, count, start) = (next() as u64, next(), next());
    let data = random::data(seed);
    for (name, samples) in &data {
        let points: Vec<String> = samples
            .iter()
            .map(|(time, value)| format!("[{},{}]", start + time, value.to_bits()))
            .collect();
        println!("{{\"labels\":{},\"samples\":[{}]}}", labels(name), points.join(","));
    }
    let source = random::source(&data, start);
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..count {
        let text = random::expression(&mut rng);
        let step = [15_000, 60_000, 137_000][rng.usize(..3)];
        let from = start + rng.i64(600_000..1_800_000);
        let to = from + step * rng.i64(0..12);
        let answer = Embedded::default().range(&source, &text, from, to, step);
        let (text, value) = (quoted(&text), value(&answer));
        println!("{{\"query\":{text},\"start\":{from},\"end\":{to},\"step\":{step},{value}}}");
    }
}
