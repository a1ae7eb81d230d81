//! Warnings that the cluster has written of late, counted by object and reason.
//!
//! The API server keeps events an hour by default, so the count goes down again; messages are not
//! stored, they are for logs. Why a pod waits is read from them when they come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::api::DynamicObject;

use super::pending::{self, Waiting};
use super::pods::{seconds, text};
use super::quantity::spelled;
use super::watch::Kept;
use crate::l4_sched::gather::Gather;
use crate::l4_sched::names;

/// Objects and reasons of one round; a cluster in trouble has thousands.
const GROUPS_MAX: usize = 2000;

/// A warning. What is not known is empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Warned {
    namespace: String,
    kind: String,
    object: String,
    uid: String,
    reason: String,
    /// How often it was seen.
    count: u64,
    /// Seconds since the Unix epoch; 0 where it does not say when.
    at: f64,
    /// Why the object does not run, where the message says so.
    why: Option<Waiting>,
}

/// Pods whose reasons are kept for the collector of pods.
const SAID_MAX: usize = 10_000;

/// What events last said of why each pod waits, by UID: a name may be that of an earlier pod. Shared by
/// the collectors of one API server.
#[derive(Debug, Clone, Default)]
pub(super) struct Said(Arc<Mutex<BTreeMap<String, Waiting>>>);

impl Said {
    /// Why the pod waits.
    pub(super) fn why(&self, uid: &str) -> Option<Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    /// Take the newest word on each pod.
    pub(super) fn take(&self, events: &Kept<Warned>) {
        let mut newest: BTreeMap<&str, (f64, &Waiting)> = BTreeMap::new();
        for one in events.values().filter(|one| one.kind == "Pod" && !one.uid.is_empty()) {
            let Some(why) = &one.why else { continue };
            let known = newest.get(&*one.uid).map(|(at, _)| *at);
            let has_room = known.is_some() || newest.len() < SAID_MAX;
            if has_room && known.is_none_or(|known| known <= one.at) {
                newest.insert(&one.uid, (one.at, why));
            }
        }
        let said = newest.into_iter().map(|(uid, (_, why))| (uid.to_owned(), why.clone()));
        let said = said.collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
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
    let (kind, reason) = (text(&about["kind"]), text(&event["reason"]));
    let times =
        [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"]];
    Some(Warned {
        namespace: text(&about["namespace"]),
        object: text(&about["name"]),
        uid: text(&about["uid"]),
        count: count.unwrap_or(1).max(1),
        at: times.into_iter().find_map(seconds).unwrap_or(0.0),
        why: pending::of_event(&kind, &reason, event["message"].as_str().unwrap_or_default()),
        kind,
        reason,
    })
}

/// Write the counts; returns how many groups were left out.
pub(super) fn write(events: &Kept<Warned>, gather: &mut Gather) -> u64 {
    // How often, and the newest with a known reason.
    let mut counts: BTreeMap<[&str; 5], (u64, Option<&Warned>)> = BTreeMap::new();
    for one in events.values() {
        let uid = if one.kind == "Pod" { &*one.uid } else { "" };
        let key = [&*one.namespace, &*one.kind, &*one.object, uid, &*one.reason];
        let (count, newest) = counts.entry(key).or_default();
        *count += one.count;
        if one.why.is_some() && newest.is_none_or(|known| known.at <= one.at) {
            *newest = Some(one);
        }
    }
    let left_out = counts.len().saturating_sub(GROUPS_MAX) as u64;
    for ([namespace, kind, object, uid, reason], (count, newest)) in
        counts.into_iter().take(GROUPS_MAX)
    {
        let why = newest.and_then(|one| one.why.as_ref());
        let (resource, _) = spelled(why.map_or("", |why| &*why.resource));
        let pod = if kind == "Pod" { object } else { "" };
        let labels = [
            ("namespace", namespace),
            ("object_kind", kind),
            ("object", object),
            ("pod", pod),
            ("pod_uid", uid),
            ("reason", reason),
            ("why", why.map_or("", |why| why.reason)),
            ("resource", &*resource),
        ];
        gather.sample(names::EVENTS, &labels, count as f64);
    }
    left_out
}
