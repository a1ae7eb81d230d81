//! Lists of targets as Prometheus's service discovery writes them: files in JSON or YAML, HTTP in JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::options::ScrapeSettings;
use super::target::Target;

/// Targets one list may name; Prometheus installations of this size are split into many.
const TARGETS_MAX: usize = 20_000;

/// Targets that share labels.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Group {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// The targets of a list, and what could not be used of it.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) targets: BTreeMap<String, Target>,
    pub(crate) problems: Vec<String>,
}

impl Listed {
    /// Add what the options name directly.
    pub(crate) fn add_static(&mut self, settings: &ScrapeSettings) {
        let group = Group { targets: settings.targets.clone(), labels: BTreeMap::new() };
        self.add(settings, &[group]);
    }

    /// Add the targets of groups. Of two targets with one id the first counts.
    pub(crate) fn add(&mut self, settings: &ScrapeSettings, groups: &[Group]) {
        for group in groups {
            for address in &group.targets {
                if self.targets.len() >= TARGETS_MAX {
                    self.problems.push(format!("the list names more than {TARGETS_MAX} targets"));
                    return;
                }
                match Target::of(settings, address, &group.labels) {
                    Ok(target) => {
                        self.targets.entry(target.id.clone()).or_insert(target);
                    }
                    Err(problem) => self.problems.push(problem),
                }
            }
        }
    }
}

/// Read the list in a file: YAML where its name says so, as Prometheus decides, else JSON.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn parse_file(path: &Path, bytes: &[u8]) -> Result<Vec<Group>, String> {
    let yaml = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    if yaml { parse_yaml(bytes) } else { parse(bytes) }
}

/// Read a list in YAML. Aliases and depth are bounded by the parser's budget, the size by the caller.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn parse_yaml(bytes: &[u8]) -> Result<Vec<Group>, String> {
    let groups = serde_saphyr::from_slice::<Option<Vec<Group>>>(bytes);
    // An empty document lists nothing.
    groups.map(Option::unwrap_or_default).map_err(|error| {
        let error = error.to_string();
        // The first line names what is wrong and where; a picture of the place follows.
        format!("the list of targets: {}", error.lines().next().unwrap_or_default())
    })
}

/// Read a list in JSON.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Group>, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the list of targets: {error}"))
}
