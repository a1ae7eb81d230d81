//! Random PromQL over random data, asked of both servers.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value as Json;
use strata_query::promqltest::random::{LENGTH_MS, expression};

use super::{Data, Method, Pair, Question, answer, known, off_edge, report, seconds};
use crate::out;

/// What became of the queries.
#[derive(Default)]
struct Tally {
    equal: u32,
    /// Both refused with the same error type; and those whose sentences differ.
    refused: u32,
    worded: Vec<String>,
    /// The peer does not know the function.
    unknown: u32,
    known: BTreeMap<&'static str, u32>,
    differences: Vec<String>,
}

/// Ask `count` queries; how many are answered differently without a known reason.
pub(super) async fn compare(pair: &Pair, data: &Data, seed: u64, count: u32) -> Result<usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::default();
    for _ in 0..count {
        let text = expression(&mut rng);
        let question = question(pair, data, &text, &mut rng);
        let (ours, peer) = pair.ask(&question).await?;
        tally.add(pair, &text, &question, (&ours.json()?, &peer.json()?));
    }
    let Tally { equal, refused, unknown, .. } = tally;
    out::line(format!(
        "{count} random queries: {equal} equal, {refused} refused alike ({} in other words), \
         {unknown} skipped (function unknown to the peer), {} differences",
        tally.worded.len(),
        tally.differences.len()
    ));
    for (why, times) in &tally.known {
        out::line(format!("  {times} known: {why}"));
    }
    let known: u32 = tally.known.values().sum();
    if f64::from(known) > known::SHARE_MAX * f64::from(count) {
        tally.differences.push(format!("{known} known differences are too many"));
    }
    for words in tally.worded.iter().take(3) {
        out::line(format!("  worded differently: {words}"));
    }
    Ok(report(&tally.differences))
}

/// The query at one moment or over a range, at times that put no sample on the edge of a window.
fn question(pair: &Pair, data: &Data, text: &str, rng: &mut fastrand::Rng) -> Question {
    let from = off_edge(data, rng.i64(LENGTH_MS / 6..LENGTH_MS / 2)) + pair.start_ms;
    if rng.bool() {
        let pairs = [("query", text), ("time", &seconds(from))];
        return Question::new(Method::Get, "/api/v1/query", &pairs);
    }
    let step_s = [15, 60, 137][rng.usize(..3)];
    let to = from + step_s * 1000 * rng.i64(0..12);
    let (start, end, step) = (seconds(from), seconds(to), step_s.to_string());
    let pairs = [("query", text), ("start", &start), ("end", &end), ("step", &step)];
    Question::new(Method::Get, "/api/v1/query_range", &pairs)
}

impl Tally {
    fn add(&mut self, pair: &Pair, text: &str, question: &Question, (ours, peer): (&Json, &Json)) {
        let peer_error = peer["error"].as_str().unwrap_or_default();
        if peer_error.contains("unknown function") && ours["status"] == "success" {
            self.unknown += 1;
        } else if let Some(what) = answer::difference(ours, peer) {
            match known::query(&pair.version, text) {
                Some(why) => *self.known.entry(why).or_default() += 1,
                None => self.differences.push(format!("{question}: {what}")),
            }
        } else if peer_error.is_empty() {
            self.equal += 1;
        } else {
            self.refused += 1;
            if ours["error"] != peer["error"] {
                self.worded.push(format!("{} and {}", ours["error"], peer["error"]));
            }
        }
    }
}
