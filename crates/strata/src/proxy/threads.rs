//! Conversations that are continued by the id of the last response (`previous_response_id` of
//! `OpenAI`'s responses): the client sends what is new, and only the ids say what it belongs to.
//!
//! Such a conversation is named after its first response. The first does not know yet that it begins
//! one; its record is told when a second comes.

use std::collections::{HashMap, VecDeque};

use strata_model::record::{Door, RequestRecord};

/// Responses that are remembered; of more the oldest are forgotten, and what goes on from those stays
/// without a conversation. An id takes some 200 bytes with all that belongs to it.
const KNOWN_MAX: usize = 16_384;

/// The id of a response, and whose it is: nobody goes on from what another was told.
type Key = (Option<String>, String);

struct Known {
    conversation: Option<String>,
    start_us: i64,
}

/// The last responses by their ids.
#[derive(Default)]
pub(super) struct Threads {
    known: HashMap<Key, Known>,
    order: VecDeque<Key>,
}

impl Threads {
    /// Give a record of the responses API the conversation that it goes on, and remember it. Another
    /// sighting of the first response comes back where this is the second of its conversation.
    pub(super) fn follow(
        &mut self,
        record: &mut RequestRecord,
        previous: Option<&str>,
    ) -> Option<RequestRecord> {
        let mut first = None;
        if record.conversation_id.is_none()
            && let Some(previous) = previous
            && let Some(known) = self.known.get_mut(&(record.tenant.clone(), previous.to_owned()))
        {
            let conversation = known.conversation.get_or_insert_with(|| {
                first = Some(RequestRecord {
                    response_id: Some(previous.to_owned()),
                    conversation_id: Some(previous.to_owned()),
                    tenant: record.tenant.clone(),
                    ..RequestRecord::new(Door::Proxy, known.start_us)
                });
                previous.to_owned()
            });
            record.conversation_id = Some(conversation.clone());
        }
        if let Some(id) = &record.response_id {
            self.remember((record.tenant.clone(), id.clone()), record);
        }
        first
    }

    fn remember(&mut self, key: Key, record: &RequestRecord) {
        let conversation = record.conversation_id.clone();
        let known = Known { conversation, start_us: record.start_us };
        if self.known.insert(key.clone(), known).is_some() {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, tenant: Option<&str>, start_us: i64) -> RequestRecord {
        RequestRecord {
            response_id: Some(id.to_owned()),
            tenant: tenant.map(str::to_owned),
            ..RequestRecord::new(Door::Proxy, start_us)
        }
    }

    fn follow(
        threads: &mut Threads,
        one: RequestRecord,
        previous: Option<&str>,
    ) -> (Option<String>, Option<RequestRecord>) {
        let mut one = one;
        let first = threads.follow(&mut one, previous);
        (one.conversation_id, first)
    }

    #[test]
    fn a_conversation_is_named_after_its_first_response_which_is_told_once() {
        let mut threads = Threads::default();
        assert_eq!(follow(&mut threads, record("r1", None, 7), None), (None, None));
        let (conversation, first) = follow(&mut threads, record("r2", None, 8), Some("r1"));
        assert_eq!(conversation.as_deref(), Some("r1"));
        let first = first.unwrap();
        assert_eq!((first.response_id.as_deref(), first.start_us), (Some("r1"), 7));
        assert_eq!(first.conversation_id.as_deref(), Some("r1"));
        for (id, previous) in [("r3", "r2"), ("r4", "r1"), ("r5", "r3")] {
            let (conversation, first) = follow(&mut threads, record(id, None, 9), Some(previous));
            assert_eq!((conversation.as_deref(), first), (Some("r1"), None), "{id}");
        }
    }

    #[test]
    fn what_goes_on_from_what_is_not_known_stays_as_it_is() {
        let mut threads = Threads::default();
        follow(&mut threads, record("r1", Some("a"), 7), None);
        let alone = (None, None);
        assert_eq!(follow(&mut threads, record("r2", Some("b"), 8), Some("r1")), alone);
        assert_eq!(follow(&mut threads, record("r3", Some("a"), 8), Some("gone")), alone);
    }

    #[test]
    fn a_conversation_that_is_named_keeps_its_name() {
        let mut threads = Threads::default();
        let named =
            RequestRecord { conversation_id: Some("c".to_owned()), ..record("r1", None, 7) };
        assert_eq!(follow(&mut threads, named, None), (Some("c".to_owned()), None));
        let next = follow(&mut threads, record("r2", None, 8), Some("r1"));
        assert_eq!(next, (Some("c".to_owned()), None));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut threads = Threads::default();
        for number in 0..=KNOWN_MAX {
            follow(&mut threads, record(&format!("r{number}"), None, 7), None);
        }
        assert_eq!((threads.known.len(), threads.order.len()), (KNOWN_MAX, KNOWN_MAX));
        assert_eq!(follow(&mut threads, record("n", None, 8), Some("r0")), (None, None));
        let (conversation, _) = follow(&mut threads, record("m", None, 8), Some("r9"));
        assert_eq!(conversation.as_deref(), Some("r9"));
    }
}
