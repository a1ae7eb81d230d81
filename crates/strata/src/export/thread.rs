//! Conversations of which a client sent only what is new, put together again: each call of the
//! responses API may name the response it goes on from, and the rest is what was captured of that one.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;
use strata_store::Exchange;

use super::sum_of;

/// Text of earlier calls that is kept in memory; of more the oldest is forgotten.
const KEPT_BYTES: usize = 64 << 20;
/// Turns of one conversation that are gone back.
const TURNS_MAX: usize = 1_000;
/// What an entry takes beside its text.
const ENTRY_BYTES: usize = 256;

/// The field that names the response before.
const PREVIOUS: &str = "previous_response_id";

/// The id of a response, and whose it is.
type Key = (Option<String>, String);

/// What was new in a call: as text, which takes a fraction of what a tree does.
struct Turn {
    previous: Option<String>,
    /// Lists of items: asked, answered.
    asked: String,
    answered: String,
    media: bool,
    cleaned: Option<u64>,
}

/// The calls before, by the ids of their responses.
#[derive(Default)]
pub(super) struct Threads {
    turns: HashMap<Key, Turn>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl Threads {
    /// Put what was said before in front of what a call asks. Where not all of it is known the call stays
    /// as it is, and says itself that its beginning is elsewhere.
    pub(super) fn complete(&mut self, one: &mut Exchange) {
        if one.api != "openai_responses" {
            return;
        }
        self.remember(one);
        let Some(previous) = one.request[PREVIOUS].as_str().map(str::to_owned) else { return };
        let Some((before, media, cleaned)) = self.before(one.tenant.as_ref(), &previous) else {
            return;
        };
        let Some(asked) = items_of(&one.request["input"]) else { return };
        let Some(request) = one.request.as_object_mut() else { return };
        request.insert("input".to_owned(), before.into_iter().chain(asked).collect());
        request.remove(PREVIOUS);
        one.media |= media;
        if !cleaned.is_empty() {
            // Two prompts are alike only where all of it was alike before it was cleaned.
            one.cleaned = Some(sum_of(&(cleaned, one.cleaned)));
        }
    }

    /// Items from the beginning up to this response; whether media was in them, and the sums of those
    /// that were cleaned.
    fn before(
        &self,
        tenant: Option<&String>,
        last: &String,
    ) -> Option<(Vec<Value>, bool, Vec<u64>)> {
        let (mut turns, mut next) = (Vec::new(), Some(last));
        while let Some(id) = next {
            if turns.len() == TURNS_MAX {
                return None;
            }
            let turn = self.turns.get(&(tenant.cloned(), id.clone()))?;
            turns.push(turn);
            next = turn.previous.as_ref();
        }
        let (mut items, mut media, mut cleaned) = (Vec::new(), false, Vec::new());
        for turn in turns.iter().rev() {
            for list in [&turn.asked, &turn.answered] {
                items.extend(serde_json::from_str::<Vec<Value>>(list).ok()?);
            }
            media |= turn.media;
            cleaned.extend(turn.cleaned);
        }
        Some((items, media, cleaned))
    }

    fn remember(&mut self, one: &Exchange) {
        let Some(id) = &one.response_id else { return };
        // A conversation that the server keeps has more before it than any response names.
        let kept = !one.request["conversation"].is_null() || one.request["prompt"].is_object();
        let asked = items_of(&one.request["input"]).filter(|_| !kept);
        let Some((asked, answered)) = asked.zip(one.answer["output"].as_array()) else { return };
        let turn = Turn {
            previous: one.request[PREVIOUS].as_str().map(str::to_owned),
            asked: Value::from(asked).to_string(),
            answered: Value::from(answered.clone()).to_string(),
            media: one.media,
            cleaned: one.cleaned,
        };
        let bytes = size(&turn);
        if bytes > KEPT_BYTES {
            return;
        }
        let key = (one.tenant.clone(), id.clone());
        if let Some(old) = self.turns.insert(key.clone(), turn) {
            self.bytes -= size(&old);
        } else {
            self.order.push_back(key);
        }
        self.bytes += bytes;
        while self.bytes > KEPT_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.turns.remove(&oldest).as_ref().map_or(0, size);
        }
    }
}

fn size(turn: &Turn) -> usize {
    turn.asked.len() + turn.answered.len() + ENTRY_BYTES
}

/// What is asked as a list of items: a text is a message of the user.
fn items_of(input: &Value) -> Option<Vec<Value>> {
    match input {
        Value::String(text) => Some(vec![serde_json::json!({ "role": "user", "content": text })]),
        Value::Array(items) => Some(items.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(id: &str, previous: Option<&str>, asked: &str, answer: &str) -> Exchange {
        let mut request = json!({ "input": asked });
        if let Some(previous) = previous {
            request[PREVIOUS] = previous.into();
        }
        let said = json!([{ "type": "message", "role": "assistant",
            "content": [{ "type": "output_text", "text": answer }] }]);
        Exchange {
            api: "openai_responses".to_owned(),
            response_id: Some(id.to_owned()),
            request,
            answer: json!({ "output": said }),
            ..Exchange::default()
        }
    }

    /// Roles and texts of what a call asks once it is completed.
    fn asked(threads: &mut Threads, mut one: Exchange) -> (Vec<String>, Exchange) {
        threads.complete(&mut one);
        let items = one.request["input"].as_array().cloned().unwrap_or_default();
        let text = |item: &Value| {
            let text = item["content"].as_str().or_else(|| item["content"][0]["text"].as_str());
            format!("{}: {}", item["role"].as_str().unwrap(), text.unwrap())
        };
        (items.iter().map(text).collect(), one)
    }

    #[test]
    fn what_was_said_before_stands_before_what_is_new() {
        let mut threads = Threads::default();
        let (first, one) = asked(&mut threads, call("r1", None, "one?", "1"));
        assert!(first.is_empty() && one.request["input"] == "one?", "as it was");
        asked(&mut threads, call("r2", Some("r1"), "two?", "2"));
        let (items, one) = asked(&mut threads, call("r3", Some("r2"), "three?", "3"));
        let expected = ["user: one?", "assistant: 1", "user: two?", "assistant: 2", "user: three?"];
        assert_eq!(items, expected);
        assert!(one.request[PREVIOUS].is_null() && !one.media && one.cleaned.is_none());
    }

    #[test]
    fn where_a_part_is_missing_or_somebody_elses_it_stays_elsewhere() {
        let mut threads = Threads::default();
        threads.complete(&mut call("r2", Some("r1"), "two?", "2"));
        let (_, one) = asked(&mut threads, call("r3", Some("r2"), "three?", "3"));
        assert_eq!(one.request[PREVIOUS], "r2");
        threads
            .complete(&mut Exchange { tenant: Some("a".to_owned()), ..call("ra", None, "?", "!") });
        let (_, one) = asked(&mut threads, call("rb", Some("ra"), "?", "!"));
        assert_eq!(one.request[PREVIOUS], "ra", "of another tenant");
        let mut kept = call("k1", None, "?", "!");
        kept.request["conversation"] = "conv".into();
        threads.complete(&mut kept);
        let (_, one) = asked(&mut threads, call("k2", Some("k1"), "?", "!"));
        assert_eq!(one.request[PREVIOUS], "k1", "its server has more");
        let (_, one) = asked(&mut threads, call("loop", Some("loop"), "?", "!"));
        assert_eq!(one.request[PREVIOUS], "loop");
    }

    #[test]
    fn media_and_what_was_taken_out_count_for_all_that_goes_on_from_it() {
        let mut threads = Threads::default();
        let mut first = |id, media, cleaned| {
            threads.complete(&mut Exchange { media, cleaned, ..call(id, None, "?", "!") });
        };
        first("m", true, None);
        first("a", false, Some(1));
        first("b", false, Some(2));
        assert!(asked(&mut threads, call("x", Some("m"), "?", "!")).1.media);
        let sum =
            |threads: &mut Threads, id| asked(threads, call("y", Some(id), "?", "!")).1.cleaned;
        let (a, b) = (sum(&mut threads, "a"), sum(&mut threads, "b"));
        assert!(a.is_some() && b.is_some() && a != b);
        assert_eq!(sum(&mut threads, "a"), a);
    }

    #[test]
    fn memory_is_bounded() {
        let mut threads = Threads::default();
        let long = "long ".repeat(1 << 20);
        for number in 0..20 {
            threads.complete(&mut call(&format!("r{number}"), None, &long, "!"));
        }
        assert!(threads.bytes <= KEPT_BYTES && threads.turns.len() == threads.order.len());
        assert!(threads.turns.len() > 8, "{}", threads.turns.len());
        let (_, one) = asked(&mut threads, call("n", Some("r0"), "?", "!"));
        assert_eq!(one.request[PREVIOUS], "r0", "the oldest is forgotten");
    }
}
