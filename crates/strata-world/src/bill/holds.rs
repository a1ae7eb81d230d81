//! Who held a GPU when: runs of steps in which the same pod is named.

use std::collections::BTreeMap;

use super::Hold;
use crate::assemble::rows::{Row, on_grid};
use crate::window::Window;

/// Pods that are named for one GPU, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pods: BTreeMap<(String, String), Naming>,
}

/// How a pod is named.
#[derive(Debug)]
struct Naming {
    method: String,
    team: Option<String>,
    /// Whether in each step.
    steps: Vec<bool>,
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
        let naming = || Naming { method: method.to_owned(), team: None, steps };
        let entry = self.pods.entry(key).or_insert_with(naming);
        if let Some(team) = row.labels.get("team").filter(|team| !team.is_empty()) {
            entry.team = Some(team.to_owned());
        }
        for (seen, value) in entry.steps.iter_mut().zip(on_grid(window, &row.points)) {
            *seen |= value.is_some();
        }
    }

    /// The runs, in order of time.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let mut holds = Vec::new();
        for ((namespace, pod), Naming { method, team, steps }) in &self.pods {
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
