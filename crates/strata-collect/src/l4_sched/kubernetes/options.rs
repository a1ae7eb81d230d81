//! How Kubernetes is asked, as written in `strata.toml` and as checked.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{format_duration, parse_duration};

use super::rules::{RuleOptions, RuleSet, RulesOptions};

/// Which part of a cluster the API server is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KubernetesScope {
    /// This node where a kubelet runs here, else the whole cluster.
    Auto,
    /// The pods and the node object of this node: for an agent on every node.
    Node,
    /// Everything: for one instance per cluster, which also sees pods that wait for a node.
    Cluster,
}

/// `[kubernetes]`: the kubelet of this node and the API server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KubernetesOptions {
    /// Ask what is found: the kubelet's socket, and the API server inside a cluster or by kubeconfig.
    pub enabled: bool,
    /// How often series of pods and nodes are written, at least "5s". Changes of pods arrive by
    /// themselves in between. The kubelet of this node is asked every five seconds.
    pub interval: String,
    /// Which part of the cluster is asked about.
    pub scope: KubernetesScope,
    /// A kubeconfig, outside of a cluster. Programs it names for credentials are run.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when left out.
    pub context: Option<String>,
    /// The environment variable that holds the name of this node; it becomes the label `node` too
    /// when nothing else names the node.
    pub node_env: String,
    /// Pods to write series of at most, those with GPUs first.
    pub pods_max: usize,
    /// Who pods belong to.
    pub rules: RulesOptions,
}

impl Default for KubernetesOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: "15s".to_owned(),
            scope: KubernetesScope::Auto,
            kubeconfig: None,
            context: None,
            node_env: "NODE_NAME".to_owned(),
            pods_max: 5000,
            rules: RulesOptions::default(),
        }
    }
}

/// [`KubernetesOptions`] that were found to make sense.
#[derive(Debug, Clone)]
pub struct KubernetesSettings {
    pub enabled: bool,
    pub interval: Duration,
    pub scope: KubernetesScope,
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub node_env: String,
    pub(super) pods_max: usize,
    pub(super) rules: RuleSet,
}

/// The kubelet limits how often PodResources may be asked.
const INTERVAL_MIN: Duration = Duration::from_secs(5);
/// The largest clusters run 150,000 pods; of lean ones with four series each this many fit a round.
const PODS_MAX: usize = 10_000;

impl KubernetesOptions {
    /// Check everything.
    ///
    /// # Errors
    /// Every problem found.
    pub fn validate(&self) -> Result<KubernetesSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let interval = match parse_duration(&self.interval) {
            Ok(interval) if interval >= INTERVAL_MIN => interval,
            Ok(_) => {
                let message = format!("must be at least {}", format_duration(INTERVAL_MIN));
                problems.push(Problem::new("interval", message));
                INTERVAL_MIN
            }
            Err(message) => {
                problems.push(Problem::new("interval", message));
                INTERVAL_MIN
            }
        };
        if self.pods_max > PODS_MAX {
            problems.push(Problem::new("pods_max", format!("must be at most {PODS_MAX}")));
        }
        if self.context.is_some() && self.kubeconfig.is_none() {
            problems.push(Problem::new("context", "needs kubeconfig"));
        }
        let rules = self.rules.validate().map_err(|found| {
            problems.extend(found.into_iter().map(|problem| problem.within("rules")));
        });
        match rules {
            Ok(rules) if problems.is_empty() => Ok(KubernetesSettings {
                enabled: self.enabled,
                interval,
                scope: self.scope,
                kubeconfig: self.kubeconfig.clone(),
                context: self.context.clone(),
                node_env: self.node_env.clone(),
                pods_max: self.pods_max,
                rules,
            }),
            _ => Err(problems),
        }
    }
}

impl RulesOptions {
    fn validate(&self) -> Result<RuleSet, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut list = |name: &str, rules: &[RuleOptions]| {
            let mut kept = Vec::new();
            for (index, rule) in rules.iter().enumerate() {
                match rule.validate() {
                    Ok(rule) => kept.push(rule),
                    Err(problem) => problems.push(problem.within(&format!("{name}[{index}]"))),
                }
            }
            kept
        };
        let team = list("team", &self.team);
        let model = list("model", &self.model);
        let cost_center = list("cost_center", &self.cost_center);
        if problems.is_empty() { Ok(RuleSet { team, model, cost_center }) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::RuleFrom;
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_all_problems_are_told() {
        assert!(KubernetesOptions::default().validate().is_ok());
        let rule = |from, key: &str, pattern: &str| RuleOptions {
            from,
            key: key.to_owned(),
            pattern: pattern.to_owned(),
        };
        let options = KubernetesOptions {
            interval: "1s".to_owned(),
            pods_max: usize::MAX,
            context: Some("c".to_owned()),
            rules: RulesOptions {
                team: vec![rule(RuleFrom::Label, "", ""), rule(RuleFrom::Namespace, "", "(")],
                ..RulesOptions::default()
            },
            ..KubernetesOptions::default()
        };
        let problems = options.validate().unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| &*problem.path).collect();
        let expected =
            ["interval", "pods_max", "context", "rules.team[0].key", "rules.team[1].pattern"];
        assert_eq!(paths, expected);
    }
}
