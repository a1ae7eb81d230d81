//! What each signal lacks, way by way, and how it stands for that.

use std::collections::BTreeMap;

use strata_model::SourceStatus;

use super::mend::{self, Standing};
use super::need::{self, Need};
use super::provenance::Provenance;
use crate::coverage::{CoverageState, SignalCoverage};
use crate::recipe::{recipe, signals};
use crate::signal::SignalDef;

/// A need that nothing here meets.
#[derive(Debug, Clone)]
pub(crate) struct Lack {
    pub(crate) need: &'static Need,
    pub(crate) standing: Standing,
}

/// One signal.
#[derive(Debug)]
pub(crate) struct Lacks {
    pub(crate) def: &'static SignalDef,
    /// For each way to it, what is missing; an empty one is complete.
    pub(crate) ways: Vec<Vec<Lack>>,
    /// Whether anything that goes in is here.
    pub(crate) is_fed: bool,
    /// What its recipe says where no source gives its inputs.
    absent: Option<&'static str>,
}

impl Lacks {
    /// Every signal, in order of id.
    pub(crate) fn of_all(provenance: &Provenance, sources: &[SourceStatus]) -> Vec<Self> {
        // Signals share what they need.
        let mut known: BTreeMap<(&str, &str), Standing> = BTreeMap::new();
        let mut standing = |need: &'static Need| {
            let found = known.entry(need.key());
            found.or_insert_with(|| mend::standing(need, provenance, sources)).clone()
        };
        let of_signal = |def: &'static SignalDef| {
            let needs = need::needs(def.id)?;
            let mut way = |way: &'static Vec<Need>| -> Vec<Lack> {
                let missing = way.iter().filter(|need| !provenance.gives(need));
                missing.map(|need| Lack { need, standing: standing(need) }).collect()
            };
            let ways: Vec<Vec<Lack>> = needs.ways.iter().map(&mut way).collect();
            let is_fed = needs.all.iter().any(|need| provenance.gives(need));
            let absent = recipe(def.id).and_then(|(_, recipe)| recipe.absent);
            Some(Self { def, ways, is_fed, absent })
        };
        signals().iter().filter_map(of_signal).collect()
    }

    /// Whether a way to it is complete.
    pub(crate) fn is_possible(&self) -> bool {
        self.ways.iter().any(Vec::is_empty)
    }

    /// The way that can be mended, and of those the one that lacks least.
    fn nearest(&self) -> &[Lack] {
        let cost = |way: &&Vec<Lack>| {
            let stuck = way.iter().any(|lack| lack.standing.mend.is_none());
            (stuck && !way.is_empty(), way.len())
        };
        self.ways.iter().min_by_key(cost).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn coverage(&self) -> SignalCoverage {
        let nearest = self.nearest();
        // What cannot be mended tells more than what can.
        let first = nearest.iter().min_by_key(|lack| lack.standing.mend.is_some());
        let state = first.map_or(CoverageState::Ok, |lack| lack.standing.state);
        let why = |lack: &Lack| match self.absent {
            Some(absent) if lack.standing.state == CoverageState::Absent => absent.to_owned(),
            _ => lack.standing.reason.clone(),
        };
        let mut mends: Vec<&str> = Vec::new();
        for mend in nearest.iter().filter_map(|lack| lack.standing.mend.as_deref()) {
            if !mends.contains(&mend) {
                mends.push(mend);
            }
        }
        let is_stuck = nearest.iter().any(|lack| lack.standing.mend.is_none());
        let lacks = nearest.iter().map(|lack| match lack.need.key() {
            (name, "") => name.to_owned(),
            (name, labels) => format!("{name}{{{labels}}}"),
        });
        SignalCoverage {
            signal: self.def.id,
            state,
            lacks: lacks.collect(),
            reason: first.map(why),
            mend: (!mends.is_empty() && !is_stuck).then(|| mends.join("; and ")),
        }
    }
}
