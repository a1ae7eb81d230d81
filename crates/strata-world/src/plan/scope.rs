//! What a scope is to a selector: matchers on the labels that the scope's kind of thing has.

use crate::ask::Scope;
use crate::entity::{EntityId, EntityKind};

/// Alternatives of matchers; a series belongs to the scope when one of them selects it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowing {
    alternatives: Vec<Vec<Pin>>,
}

/// One label of a scope.
#[derive(Debug, Clone)]
struct Pin {
    label: &'static str,
    /// `="value"`, escaped.
    condition: String,
}

impl Narrowing {
    /// The matchers of a scope.
    pub(crate) fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Fleet => Self::default(),
            Scope::Entity(id) => Self { alternatives: pins(id) },
        }
    }

    /// Matchers for a metric, one text per alternative; a single empty text when all is in scope.
    pub(crate) fn matchers(&self, metric: &str) -> Vec<String> {
        if self.alternatives.is_empty() {
            return vec![String::new()];
        }
        let texts = self.alternatives.iter().map(|pins| {
            let pins = pins.iter().map(|pin| {
                // OpenTelemetry has the model under a name of its own.
                let open_telemetry = pin.label == "model" && metric.starts_with("gen_ai.");
                let label = if open_telemetry { "gen_ai_request_model" } else { pin.label };
                format!("{label}{}", pin.condition)
            });
            pins.collect::<Vec<_>>().join(",")
        });
        texts.collect()
    }
}

/// Whether things of this kind carry the labels that a scope is told by. Where they do not, a
/// query would be about everything and is not asked.
pub(crate) fn narrows(scope: &Scope, kind: EntityKind) -> bool {
    use EntityKind as E;
    let Scope::Entity(id) = scope else { return true };
    match id.kind {
        E::Node => !matches!(kind, E::Queue | E::Tenant | E::Team),
        E::Gpu => matches!(kind, E::Gpu | E::Slice | E::Process | E::Communicator),
        E::Slice => matches!(kind, E::Slice),
        E::Replica => matches!(kind, E::Replica),
        E::Model => matches!(kind, E::Model | E::Replica | E::Tenant),
        E::Pod | E::Namespace => {
            matches!(kind, E::Gpu | E::Replica | E::Pod | E::Namespace | E::Container)
        }
        E::Run => matches!(kind, E::Run | E::Rank),
        same => same == kind,
    }
}

/// The identity of a thing as labels, in each way that its key may have come about.
fn pins(id: &EntityId) -> Vec<Vec<Pin>> {
    let key: &str = &id.key;
    let equal = |label, value: &str| Pin { label, condition: format!("=\"{}\"", escaped(value)) };
    let pair = || key.split_once('/').unwrap_or(("", key));
    match id.kind {
        EntityKind::Node => {
            let host = format!("=~\"{}\"", escaped(&format!("{}(:[0-9]+)?", regex_escaped(key))));
            vec![
                vec![equal("node", key)],
                vec![equal("node", ""), Pin { label: "instance", condition: host }],
            ]
        }
        EntityKind::Gpu => match key.split_once('/') {
            Some((node, gpu)) => {
                vec![vec![equal("gpu_uuid", ""), equal("node", node), equal("gpu", gpu)]]
            }
            None => vec![vec![equal("gpu_uuid", key)]],
        },
        EntityKind::Slice => {
            let (gpu, slice) = key.rsplit_once('/').unwrap_or((key, ""));
            vec![vec![equal("gpu_uuid", gpu), equal("mig_instance", slice)]]
        }
        EntityKind::Process => {
            let (node, pid) = pair();
            vec![vec![equal("node", node), equal("pid", pid)]]
        }
        EntityKind::Pod => {
            let (namespace, pod) = pair();
            vec![vec![equal("namespace", namespace), equal("pod", pod)]]
        }
        EntityKind::Rank => {
            let (run, rank) = pair();
            vec![vec![equal("run", run), equal("rank", rank)]]
        }
        EntityKind::Container => {
            let (pod, container) = key.rsplit_once('/').unwrap_or(("", key));
            let (namespace, pod) = pod.split_once('/').unwrap_or(("", pod));
            let names = [("namespace", namespace), ("pod", pod), ("container", container)];
            vec![names.map(|(label, value)| equal(label, value)).into()]
        }
        EntityKind::Workload => match (key.strip_prefix("slurm:"), pair()) {
            (Some(job), _) => vec![vec![equal("slurm_job_id", job)]],
            // At the top of a pod's owners, as our own watcher tells, or the first of them.
            (None, (namespace, workload)) => ["workload", "created_by_name"]
                .map(|label| vec![equal("namespace", namespace), equal(label, workload)])
                .into(),
        },
        EntityKind::Namespace => vec![vec![equal("namespace", key)]],
        EntityKind::Team => vec![vec![equal("team", key)]],
        EntityKind::Queue => vec![vec![equal("queue", key)]],
        EntityKind::Replica => vec![vec![equal("instance", key)]],
        EntityKind::Model => vec![vec![equal("model", key)]],
        EntityKind::Run => vec![vec![equal("run", key)]],
        EntityKind::Communicator => vec![vec![equal("comm", key)]],
        EntityKind::Tenant => vec![vec![equal("tenant", key)]],
    }
}

/// As the inside of a PromQL string.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A regular expression that matches this text only.
fn regex_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if !character.is_alphanumeric() && character != '_' && character != '-' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
