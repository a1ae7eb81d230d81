//! How OTLP metrics are translated, as a person writes it and as it is used.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{parse_bytes, parse_duration};

use super::delta::DeltaLimits;
use crate::receive::ReceiveLimits;

/// OTLP metrics.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpOptions {
    /// First word of every metric name, for example `lab`; empty for none.
    pub namespace: String,
    /// Append unit and type to metric names (`_seconds`, `_total`, `_ratio`), as Prometheus does.
    pub suffixes: bool,
    /// Resource attributes that become labels of every series; the others are on `target_info`.
    pub promote_resource_attributes: Vec<String>,
    /// Write one `target_info` series per resource with its remaining attributes.
    pub target_info: bool,
    /// Label series with the instrumentation scope (`otel_scope_name`, `otel_scope_version`, ...).
    /// Without it two scopes of one process that use the same metric name get in each other's way.
    pub scope_labels: bool,
    /// Memory for the running totals of delta series; points of new series beyond it are dropped.
    pub delta_memory: String,
    /// A delta series that is quiet for so long begins at zero again.
    pub delta_expiry: String,
}

/// Attributes by which people ask: who owns it and where it runs. All of them stay the same for the
/// life of a process, so they add no series.
const PROMOTED: [&str; 15] = [
    "cloud.availability_zone",
    "cloud.region",
    "deployment.environment.name",
    "host.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.statefulset.name",
    "service.name",
];

impl Default for OtlpOptions {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            suffixes: true,
            promote_resource_attributes: PROMOTED.map(str::to_owned).to_vec(),
            target_info: true,
            scope_labels: true,
            delta_memory: "64MiB".to_owned(),
            delta_expiry: "1h".to_owned(),
        }
    }
}

/// [`OtlpOptions`] that have been checked.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    pub(super) namespace: String,
    pub(super) suffixes: bool,
    pub(super) promote: Vec<String>,
    pub(super) target_info: bool,
    pub(super) scope_labels: bool,
    pub(super) delta: DeltaLimits,
    pub(super) limits: ReceiveLimits,
}

impl OtlpOptions {
    /// Check everything; the error holds every problem.
    pub fn validate(&self, limits: &ReceiveLimits) -> Result<OtlpSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !self.namespace.chars().all(legal) {
            let message = format!("{:?} may hold ASCII letters, digits and _ only", self.namespace);
            problems.push(Problem::new("namespace", message));
        }
        let bytes = parse_bytes(&self.delta_memory).unwrap_or_else(|message| {
            problems.push(Problem::new("delta_memory", message));
            0
        });
        let expiry = parse_duration(&self.delta_expiry).unwrap_or_else(|message| {
            problems.push(Problem::new("delta_expiry", message));
            Duration::ZERO
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(OtlpSettings {
            namespace: self.namespace.clone(),
            suffixes: self.suffixes,
            promote: self.promote_resource_attributes.clone(),
            target_info: self.target_info,
            scope_labels: self.scope_labels,
            delta: DeltaLimits {
                bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                expiry,
                buckets: limits.buckets,
            },
            limits: *limits,
        })
    }
}

impl Default for OtlpSettings {
    fn default() -> Self {
        OtlpOptions::default()
            .validate(&ReceiveLimits::default())
            .expect("the default options are valid, a test says")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_at_once() {
        assert!(OtlpOptions::default().validate(&ReceiveLimits::default()).is_ok());
        let bad = OtlpOptions {
            namespace: "a b".to_owned(),
            delta_memory: "lots".to_owned(),
            delta_expiry: "soon".to_owned(),
            ..OtlpOptions::default()
        };
        let problems = bad.validate(&ReceiveLimits::default()).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(fields, ["namespace", "delta_memory", "delta_expiry"]);
    }
}
