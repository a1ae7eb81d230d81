//! Two answers to one prompt of which one was liked better.
//!
//! An answer is liked when it was judged good, or when nobody judged it and the conversation went on
//! from it. It is disliked when it was judged bad, or when nobody judged it and the same was asked again
//! in one conversation soon after it was there and the later answer is liked. Who goes on from an answer,
//! or asks again, is seen in the captured prompts themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde_json::Value;
use strata_store::Exchange;

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
    /// When the answer was there.
    ended_us: Option<i64>,
    conversation: Option<String>,
    /// Whether an earlier answer is in the prompt: then it is that of one conversation.
    goes_on: bool,
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

/// Sum of a whole prompt, with what the answer was to be like, and of the prompt with its answer.
fn sums(exchange: &Exchange, talk: &Talk) -> (u64, u64, Vec<u64>) {
    let tenant = exchange.tenant.as_deref();
    let wished = ["tool_choice", "response_format", "format"];
    let wished = wished.map(|field| exchange.request[field].to_string());
    match &talk.prompt {
        Prompt::Chat { messages, tools, .. } => {
            let begun = beginnings(tenant, messages);
            let last = begun.last().copied().unwrap_or_default();
            let tools: Vec<String> = tools.iter().map(Value::to_string).collect();
            let after = sum_of(&(last, essence(&talk.answer)));
            // What goes on from it can be told from what goes on from its like only by its own words.
            let after = exchange.cleaned.map_or(after, |sum| sum_of(&(after, sum)));
            (sum_of(&(last, tools, wished, exchange.cleaned)), after, begun)
        }
        Prompt::Text(text) => (sum_of(&(tenant, text, wished, exchange.cleaned)), 0, Vec::new()),
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
        let goes_on = matches!(&talk.prompt, Prompt::Chat { messages, .. }
            if messages.iter().any(|message| message["role"] == "assistant"));
        let (prompt, after, begun) = sums(&known.exchange, &talk);
        let start_us = known.exchange.start_us;
        for sum in begun {
            let last = sent.entry(sum).or_insert(start_us);
            *last = start_us.max(*last);
        }
        let super::Known { exchange, verdict, ended_us, conversation } = known;
        let id = exchange.id;
        let entry = Entry { id, start_us, verdict, ended_us, conversation, goes_on, after };
        prompts.entry(prompt).or_default().push(entry);
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
            Verdict::Unjudged => liked.iter().find(|good| asked_again(bad, good)),
            Verdict::Good | Verdict::Disputed => None,
        };
        // One answer given twice is no preference.
        if let Some(good) = good.filter(|good| good.after != bad.after || good.after == 0) {
            pairs.push((good.start_us, good.id.clone(), bad.id.clone()));
        }
    }
    pairs
}

/// Whether the same was asked again because of an answer: soon after it was there, in one conversation.
/// What is asked before the answer is there says nothing of it, nor what another person asks.
fn asked_again(first: &Entry, then: &Entry) -> bool {
    let same = match (&first.conversation, &then.conversation) {
        (Some(one), Some(other)) => one == other,
        _ => first.goes_on,
    };
    let after = first.ended_us.map(|ended_us| then.start_us.saturating_sub(ended_us));
    same && after.is_some_and(|after| (0..=SOON_US).contains(&after))
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
