//! What waits, by who says it and why: the most first.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::assemble::rows::Row;
use crate::waiting::Waiting;

/// Who tells of pods.
const KUBERNETES: &str = "kubernetes";
/// Who tells of what cannot start.
const EVENTS: &str = "kubernetes events";

/// Question of how many, of how long, who says it, and the labels of place, reason and resource.
const QUESTIONS: [(&str, &str, &str, [&str; 3]); 3] = [
    ("waiting/pods", "waiting/pods_longest", KUBERNETES, ["namespace", "reason", "resource"]),
    ("waiting/workloads", "", "", ["queue", "reason", "underlying_cause"]),
    ("waiting/slurm", "waiting/slurm_longest", "slurm", ["partition", "reason", ""]),
];

pub(super) fn list(found: &Found<'_>) -> Vec<Waiting> {
    let mut all: Vec<Waiting> = Vec::new();
    for (count, longest, said_by, labels) in QUESTIONS {
        let key = |row: &Row<'_>| {
            labels.map(|label| row.labels.get(label).unwrap_or_default().to_owned())
        };
        let value = |row: &Row<'_>| row.points.last().map(|(_, value)| *value);
        let times = found.rows(longest);
        let times: BTreeMap<_, _> = times.iter().map(|row| (key(row), value(row))).collect();
        for row in found.rows(count) {
            let Some(count) = value(&row).filter(|count| *count > 0.0) else { continue };
            let key = key(&row);
            let longest = times.get(&key).copied().flatten().filter(|time| time.is_finite());
            let [of, reason, resource] = key;
            let said_by = match said_by {
                "" => row.labels.get("scheduler").unwrap_or_default(),
                known => known,
            };
            let said_by = said_by.to_owned();
            let names = Vec::new();
            all.push(Waiting { said_by, of, reason, resource, count, names, longest });
        }
    }
    name_pods(found, &mut all);
    all.extend(by_events(found));
    all.sort_by(|one, other| {
        let name = |waiting: &Waiting| (waiting.said_by.clone(), waiting.of.clone());
        other.count.total_cmp(&one.count).then_with(|| {
            (name(one), &one.reason, &one.resource).cmp(&(
                name(other),
                &other.reason,
                &other.resource,
            ))
        })
    });
    all
}

/// What does not run though it has a node or waits for none, by the reason that events give.
fn by_events(found: &Found<'_>) -> Vec<Waiting> {
    let label = |row: &Row<'_>, name: &str| row.labels.get(name).unwrap_or_default().to_owned();
    let key = |row: &Row<'_>| {
        let reason = match label(row, "why") {
            why if why.is_empty() => label(row, "reason"),
            why => why,
        };
        [label(row, "namespace"), reason, label(row, "resource")]
    };
    let mut groups: BTreeMap<[String; 3], (f64, BTreeSet<String>)> = BTreeMap::new();
    for row in found.rows("waiting/events") {
        let count = row.points.last().map_or(0.0, |(_, count)| *count);
        groups.entry(key(&row)).or_default().0 += count;
    }
    for row in found.rows("waiting/events_named") {
        if let Some((_, names)) = groups.get_mut(&key(&row)) {
            names.insert(label(&row, "object"));
        }
    }
    let waiting = |([of, reason, resource], (count, names)): ([String; 3], (f64, BTreeSet<_>))| {
        let names = names.into_iter().take(NAMES_MAX).collect();
        Waiting { said_by: EVENTS.to_owned(), of, reason, resource, count, names, longest: None }
    };
    groups.into_iter().map(waiting).collect()
}

/// Pods that are named for each reason: enough to begin with.
const NAMES_MAX: usize = 3;

/// Name those pods that have waited longest.
fn name_pods(found: &Found<'_>, all: &mut [Waiting]) {
    let mut rows = found.rows("waiting/pods_named");
    let waited = |row: &Row<'_>| row.points.last().map_or(0.0, |(_, seconds)| *seconds);
    rows.sort_by(|one, other| waited(other).total_cmp(&waited(one)));
    for row in rows {
        let label = |name: &str| row.labels.get(name).unwrap_or_default();
        let same = all.iter_mut().find(|waiting| {
            waiting.said_by == KUBERNETES
                && waiting.of == label("namespace")
                && waiting.reason == label("reason")
                && waiting.resource == label("resource")
        });
        if let Some(waiting) = same.filter(|waiting| waiting.names.len() < NAMES_MAX) {
            waiting.names.push(label("pod").to_owned());
        }
    }
}
