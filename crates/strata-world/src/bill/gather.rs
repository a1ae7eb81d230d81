//! Instances of one replica, told as one.
//!
//! A pod that restarts has another address and so another instance, and an engine with several
//! ranks has a page for each. What holds the GPU is the pod, so they are one replica of it.

use std::collections::BTreeMap;

use super::{BillReplica, EngineRole};

/// Replicas with those of one pod, engine and model joined; one that names no pod stays as it is.
pub(super) fn gathered(replicas: Vec<BillReplica>) -> Vec<BillReplica> {
    let mut joined: BTreeMap<(Option<String>, String, EngineRole), BillReplica> = BTreeMap::new();
    for replica in replicas {
        let key = match &replica.pod {
            None => (None, replica.instance.clone(), replica.role),
            Some(pod) => {
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                let parts = [&replica.namespace, &replica.engine, &replica.model].map(text);
                (Some(pod.clone()), parts.join("\n"), replica.role)
            }
        };
        match joined.remove(&key) {
            None => drop(joined.insert(key, replica)),
            Some(other) => drop(joined.insert(key, join(other, replica))),
        }
    }
    let mut replicas: Vec<BillReplica> = joined.into_values().collect();
    replicas.sort_by(|a, b| a.instance.cmp(&b.instance));
    replicas
}

/// Two instances as one, under the name of the first.
fn join(mut one: BillReplica, mut other: BillReplica) -> BillReplica {
    // Requests weigh the shares within the objective.
    let weight = |replica: &BillReplica| {
        let requests: f64 = replica.requests.iter().flatten().sum();
        replica.within_slo.map(|share| (share, requests))
    };
    one.within_slo = match (weight(&one), weight(&other)) {
        (Some((a, first)), Some((b, second))) if first + second > 0.0 => {
            Some((a * first + b * second) / (first + second))
        }
        (a, b) => a.or(b).map(|(share, _)| share),
    };
    let (ups, other_ups) = (one.up.clone(), other.up.clone());
    for (mine, theirs) in one.columns().into_iter().zip(other.columns()) {
        *mine = add(mine, &ups, theirs, &other_ups);
    }
    for (up, other) in one.up.iter_mut().zip(other_ups) {
        *up |= other;
    }
    one
}

/// The sum of two columns. An instance that was not there in a step added nothing; one that was there
/// and was not measured makes the step unknown. A column that neither has stays empty.
fn add(
    one: &[Option<f64>],
    up: &[bool],
    other: &[Option<f64>],
    other_up: &[bool],
) -> Vec<Option<f64>> {
    let steps = one.len().max(other.len());
    let at = |values: &[Option<f64>], step: usize| values.get(step).copied().flatten();
    let there = |up: &[bool], step: usize| up.get(step).copied().unwrap_or(false);
    let sum = |step: usize| match (at(one, step), at(other, step)) {
        (Some(a), Some(b)) => Some(a + b),
        // A counter that one never had is of the other alone, whether it is there or not.
        (Some(a), None) => (other.is_empty() || !there(other_up, step)).then_some(a),
        (None, Some(b)) => (one.is_empty() || !there(up, step)).then_some(b),
        (None, None) => None,
    };
    (0..steps).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str, up: [bool; 4], generated: [Option<f64>; 4]) -> BillReplica {
        BillReplica {
            instance: name.to_owned(),
            namespace: Some("n".to_owned()),
            pod: Some("web-0".to_owned()),
            model: Some("m".to_owned()),
            up: up.to_vec(),
            generated: generated.to_vec(),
            ..BillReplica::default()
        }
    }

    #[test]
    fn a_pod_that_came_back_at_another_address_is_one_replica() {
        let before = instance(
            "10.0.0.1:8000",
            [true, true, false, false],
            [Some(1.0), Some(2.0), None, None],
        );
        let after =
            instance("10.0.0.2:8000", [false, false, true, true], [None, None, None, Some(4.0)]);
        let other = BillReplica { model: Some("other".to_owned()), ..after.clone() };
        let bare = BillReplica { pod: None, ..before.clone() };
        let pool = BillReplica { role: EngineRole::Prefill, ..other.clone() };
        let all = gathered(vec![before, after, other, bare, pool]);
        assert_eq!(all.len(), 4, "another model, another role and one without a pod stay apart");
        let pod = all.iter().find(|one| one.up == [true; 4]).unwrap();
        assert_eq!(pod.instance, "10.0.0.1:8000");
        // In the third step the new one was there and not measured.
        assert_eq!(pod.generated, [Some(1.0), Some(2.0), None, Some(4.0)]);
        assert_eq!(pod.prompt, Vec::new());
    }

    #[test]
    fn ranks_of_one_engine_are_added() {
        let rank = |name| instance(name, [true; 4], [Some(1.0), None, Some(1.0), Some(1.0)]);
        let all = gathered(vec![rank("a"), rank("b")]);
        assert_eq!(all[0].generated, [Some(2.0), None, Some(2.0), Some(2.0)]);
    }
}
