//! Who held a GPU when: runs of steps in which the same pod is named.

use std::collections::BTreeMap;

use super::Hold;
use crate::assemble::rows::{Row, on_grid};
use crate::window::Window;

/// Pods that are named for one GPU: (namespace, pod) to (method, team, whether in each step).
#[derive(Debug, Default)]
pub(super) struct Named {
    pods: BTreeMap<(String, String), (String, Option<String>, Vec<bool>)>,
}

impl Named {
    /// Take a row that names a pod; of two methods the first that was added counts.
    pub(super) fn add(&mut self, row: &Row<'_>, method: &str, window: Window) {
        let label = |name: &str| row.labels.get(name).unwrap_or("").to_owned();
        let key = (label("namespace"), label("pod"));
        if key.1.is_empty() {
            return;
        }
        let steps = vec![false; window.len()];
        let entry = self.pods.entry(key).or_insert_with(|| (method.to_owned(), None, steps));
        if let Some(team) = row.labels.get("team").filter(|team| !team.is_empty()) {
            entry.1 = Some(team.to_owned());
        }
        for (seen, value) in entry.2.iter_mut().zip(on_grid(window, &row.points)) {
            *seen |= value.is_some();
        }
    }

    /// The runs, in order of time.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let mut holds = Vec::new();
        for ((namespace, pod), (method, team, steps)) in &self.pods {
            let mut first = None;
            for (step, seen) in steps.iter().copied().chain([false]).enumerate() {
                match (first, seen) {
                    (None, true) => first = Some(step),
                    (Some(start), false) => {
                        holds.push(Hold {
                            first: start,
                            end: step,
                            namespace: namespace.clone(),
                            pod: pod.clone(),
                            team: team.clone(),
                            method: method.clone(),
                        });
                        first = None;
                    }
                    _ => {}
                }
            }
        }
        holds.sort();
        holds
    }
}
