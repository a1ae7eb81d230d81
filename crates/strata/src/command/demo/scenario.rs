//! Which scenario is played: a built-in one by name, else a file.

use anyhow::{Context, Result, bail};
use serde_json::json;
use strata_sim::{BUILTIN, Kind, Scenario};

use crate::out::Out;

/// A scenario larger than this is another file.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn read(name: &str) -> Result<Scenario> {
    if let Some(scenario) = Scenario::builtin(name) {
        return Ok(scenario?);
    }
    let path = std::path::Path::new(name);
    if !path.is_file() {
        let near =
            BUILTIN.iter().map(|(known, _)| (strsim::damerau_levenshtein(name, known), known));
        let near = near.min_by_key(|(distance, _)| *distance);
        let hint = near.filter(|(distance, _)| *distance <= 1 + name.len() / 3);
        let hint = hint.map_or(String::new(), |(_, known)| format!(", did you mean {known:?}?"));
        bail!("{name:?} is neither a built-in scenario nor a file{hint}; --list shows all");
    }
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{name} is {size} bytes: is it a scenario?");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok(Scenario::parse(name, &text)?)
}

/// What can be played, and what can be changed.
pub(super) fn list(out: Out) -> Result<()> {
    let mut scenarios = Vec::new();
    for (name, _) in BUILTIN {
        if let Some(scenario) = Scenario::builtin(name) {
            scenarios.push((*name, scenario?.about().to_owned()));
        }
    }
    if out.json {
        let scenarios =
            scenarios.iter().map(|(name, about)| json!({ "name": name, "about": about }));
        let parameters = Kind::ALL.into_iter().flat_map(|kind| {
            kind.knobs().iter().map(move |knob| {
                json!({
                    "kind": kind.name(), "parameter": knob.name, "unit": knob.unit,
                    "least": knob.bounds.0, "most": knob.bounds.1, "about": knob.about,
                })
            })
        });
        let scenarios: Vec<_> = scenarios.collect();
        let parameters: Vec<_> = parameters.collect();
        let document = json!({ "scenarios": scenarios, "parameters": parameters });
        return Ok(out.document(&document)?);
    }
    let mut rows = vec![vec!["scenario".to_owned(), "what happens".to_owned()]];
    rows.extend(scenarios.into_iter().map(|(name, about)| vec![name.to_owned(), about]));
    out.table(&rows)?;
    out.line("")?;
    let mut rows = vec![["entity", "parameter", "unit", "what it is"].map(str::to_owned).to_vec()];
    for kind in Kind::ALL {
        rows.extend(kind.knobs().iter().map(|knob| {
            [kind.name(), knob.name, knob.unit, knob.about].map(str::to_owned).to_vec()
        }));
    }
    Ok(out.table(&rows)?)
}
