//! Two answers to one prompt of which one was liked better.
//!
//! An answer is liked when it was judged good, or when nobody judged it and the conversation went on
//! from it. It is disliked when it was judged bad, or when nobody judged it and the same was asked again
//! soon after and the later answer is liked. Who goes on from an answer, or asks again, is seen in the
//! captured prompts themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde_json::Value;

use super::judged::Verdict;
use super::lines::Lines;
use super::talk::{Prompt, Talk};
use super::{Asked, Shelves, Tally, lines, sum_of};

/// What is asked again later than this has nothing to do with the answer, microseconds. As in `compare`.
const SOON_US: i64 = 600_000_000;

/// What is remembered of a call: no word of it.
struct Entry {
    id: String,
    start_us: i64,
    verdict: Verdict,
    /// Sum of the conversation with the answer.
    after: u64,
}

/// The part of a message by which it is known again when a client sends it back.
fn essence(message: &Value) -> String {
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let calls: Vec<String> = calls.map(|call| call["function"].to_string()).collect();
    format!("{}\n{}\n{}", message["role"], message["content"], calls.join(","))
}

/// Sums of the beginnings of a conversation, after each message. Those of one tenant are never those of
/// another: what one said is put beside nobody else's words.
fn beginnings(tenant: Option<&str>, messages: &[Value]) -> Vec<u64> {
    let mut sums = Vec::with_capacity(messages.len());
    let mut sum = sum_of(&tenant);
    for message in messages {
        sum = sum_of(&(sum, essence(message)));
        sums.push(sum);
    }
    sums
}

/// Sum of a whole prompt, tools included, and of the prompt with its answer.
fn sums(tenant: Option<&str>, talk: &Talk) -> (u64, u64, Vec<u64>) {
    match &talk.prompt {
        Prompt::Chat { messages, tools, .. } => {
            let begun = beginnings(tenant, messages);
            let last = begun.last().copied().unwrap_or_default();
            let tools: Vec<String> = tools.iter().map(Value::to_string).collect();
            (sum_of(&(last, tools)), sum_of(&(last, essence(&talk.answer))), begun)
        }
        Prompt::Text(text) => (sum_of(&(tenant, text)), 0, Vec::new()),
    }
}

/// Read twice: first only sums, to find the pairs, then the words of those alone.
pub(super) fn dpo(
    shelves: &Shelves,
    asked: &Asked,
    write: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut prompts: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    // When a conversation that begins so was last sent.
    let mut sent: HashMap<u64, i64> = HashMap::new();
    shelves.each(asked, &mut tally, &mut |tally, known| {
        let talk = match Talk::of(&known.exchange, false) {
            Ok(talk) => talk,
            Err(why) => {
                *tally.unfit.entry(why).or_default() += 1;
                return Ok(());
            }
        };
        let (prompt, after, begun) = sums(known.exchange.tenant.as_deref(), &talk);
        let start_us = known.exchange.start_us;
        for sum in begun {
            let last = sent.entry(sum).or_insert(start_us);
            *last = start_us.max(*last);
        }
        let (id, verdict) = (known.exchange.id, known.verdict);
        prompts.entry(prompt).or_default().push(Entry { id, start_us, verdict, after });
        Ok(())
    })?;
    let mut found = Vec::new();
    for entries in prompts.values_mut() {
        entries.sort_by_key(|entry| entry.start_us);
        let pairs = pairs_of(entries, &sent);
        count(entries, &pairs, &mut tally);
        found.extend(pairs);
    }
    written(shelves, asked, found, &mut tally, write)?;
    Ok(tally)
}

/// Pairs of one prompt, as (time, liked, disliked). Each disliked answer is in one pair: with the next
/// liked answer, else with the last before it.
fn pairs_of(entries: &[Entry], sent: &HashMap<u64, i64>) -> Vec<(i64, String, String)> {
    let went_on = |one: &Entry| sent.get(&one.after).is_some_and(|last| *last > one.start_us);
    let liked: Vec<&Entry> = entries
        .iter()
        .filter(|one| match one.verdict {
            Verdict::Good => true,
            Verdict::Unjudged => went_on(one),
            Verdict::Bad | Verdict::Disputed => false,
        })
        .collect();
    let is_liked: BTreeSet<&str> = liked.iter().map(|one| one.id.as_str()).collect();
    let mut pairs = Vec::new();
    for bad in entries.iter().filter(|one| !is_liked.contains(one.id.as_str())) {
        let next = liked.iter().find(|good| good.start_us > bad.start_us);
        let good = match bad.verdict {
            Verdict::Bad => next.or_else(|| liked.last()),
            Verdict::Unjudged => next.filter(|good| good.start_us - bad.start_us <= SOON_US),
            Verdict::Good | Verdict::Disputed => None,
        };
        // One answer given twice is no preference.
        if let Some(good) = good.filter(|good| good.after != bad.after || good.after == 0) {
            pairs.push((good.start_us, good.id.clone(), bad.id.clone()));
        }
    }
    pairs
}

/// Count the calls that are in no pair.
fn count(entries: &[Entry], pairs: &[(i64, String, String)], tally: &mut Tally) {
    let used: BTreeSet<&str> =
        pairs.iter().flat_map(|(_, good, bad)| [good.as_str(), bad.as_str()]).collect();
    for entry in entries.iter().filter(|entry| !used.contains(entry.id.as_str())) {
        match entry.verdict {
            Verdict::Good | Verdict::Bad => tally.otherwise += 1,
            Verdict::Disputed => tally.disputed += 1,
            Verdict::Unjudged => tally.unjudged += 1,
        }
    }
}

/// Read the words of the pairs and write them, in the order of the liked answers.
fn written(
    shelves: &Shelves,
    asked: &Asked,
    mut pairs: Vec<(i64, String, String)>,
    tally: &mut Tally,
    write: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<()> {
    pairs.sort();
    let wanted: BTreeSet<&str> =
        pairs.iter().flat_map(|(_, good, bad)| [good.as_str(), bad.as_str()]).collect();
    let mut talks: HashMap<String, Talk> = HashMap::new();
    let mut again = Tally::default();
    shelves.each(asked, &mut again, &mut |_, known| {
        if wanted.contains(known.exchange.id.as_str())
            && let Ok(talk) = Talk::of(&known.exchange, asked.reasoning)
        {
            talks.insert(known.exchange.id, talk);
        }
        Ok(())
    })?;
    let mut out = Lines::new(write);
    for (_, good, bad) in &pairs {
        // What was forgotten or became too old between the two readings is in neither.
        let Some((good, bad)) = talks.get(good).zip(talks.get(bad)) else { continue };
        if good.answer == bad.answer {
            tally.repeated += 1;
            continue;
        }
        out.put(lines::pair(good, bad, asked.format), tally)?;
    }
    Ok(())
}
