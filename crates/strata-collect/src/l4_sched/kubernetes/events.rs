//! Warnings that the cluster has written of late, counted by object and reason.
//!
//! The API server keeps events an hour by default, so the count goes down again; messages are not
//! stored, they are for logs.

use std::collections::BTreeMap;

use kube::api::DynamicObject;

use super::pods::text;
use super::watch::Key;
use crate::l4_sched::gather::Gather;
use crate::l4_sched::names;

/// Objects and reasons of one round; a cluster in trouble has thousands.
const GROUPS_MAX: usize = 2000;

/// A warning. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warned {
    namespace: String,
    kind: String,
    object: String,
    reason: String,
    /// How often it was seen.
    count: u64,
}

/// Read an object as the API server sends it; `None` for what is no warning.
pub(super) fn read(object: &DynamicObject) -> Option<Warned> {
    let event = &object.data;
    if event["type"] != "Warning" {
        return None;
    }
    // The older of two ways to fold has `count`, the newer `series`; what was seen once has neither.
    let count = event["series"]["count"].as_u64().or_else(|| event["count"].as_u64());
    let about = &event["involvedObject"];
    Some(Warned {
        namespace: text(&about["namespace"]),
        kind: text(&about["kind"]),
        object: text(&about["name"]),
        reason: text(&event["reason"]),
        count: count.unwrap_or(1).max(1),
    })
}

/// Write the counts; returns how many groups were left out.
pub(super) fn write(events: &BTreeMap<Key, Warned>, gather: &mut Gather) -> u64 {
    let mut counts: BTreeMap<(&str, &str, &str, &str), u64> = BTreeMap::new();
    for one in events.values() {
        let key = (&*one.namespace, &*one.kind, &*one.object, &*one.reason);
        *counts.entry(key).or_default() += one.count;
    }
    let left_out = counts.len().saturating_sub(GROUPS_MAX) as u64;
    for ((namespace, kind, object, reason), count) in counts.into_iter().take(GROUPS_MAX) {
        let pod = if kind == "Pod" { object } else { "" };
        let labels = [
            ("namespace", namespace),
            ("object_kind", kind),
            ("object", object),
            ("pod", pod),
            ("reason", reason),
        ];
        gather.sample(names::EVENTS, &labels, count as f64);
    }
    left_out
}
