//! Why a signal has no value: in order, what failed, what is not there, what gives no number.

use strata_model::SourceStatus;
use strata_model::catalog::Catalog;

use super::mend;
use super::need::Need;
use super::provenance::Provenance;
use crate::ask::Scope;
use crate::coverage::CoverageState;
use crate::entity::EntityId;
use crate::recipe::Recipe;
use crate::signal::{Unknown, UnknownReason};
use crate::template;

/// All that reasons are found from.
pub(crate) struct Reasons<'a> {
    pub(crate) provenance: &'a Provenance,
    pub(crate) sources: &'a [SourceStatus],
    pub(crate) scope: &'a Scope,
}

/// Why an answer is empty, the same for all things that it could have been about.
pub(crate) enum Empty {
    NotThere(Unknown),
    NoNumber { first: String, scope: Option<EntityId>, why: &'static str },
}

impl Empty {
    /// In words, for one thing or for all in scope.
    pub(crate) fn about(&self, thing: Option<&EntityId>) -> Unknown {
        let (first, scope, why) = match self {
            Self::NotThere(unknown) => return unknown.clone(),
            Self::NoNumber { first, scope, why } => (first, scope, why),
        };
        let text = match thing.or(scope.as_ref()) {
            Some(id) => format!("no value of {first} for {id}, or {why}"),
            None => (*why).to_owned(),
        };
        Unknown { reason: UnknownReason::Undefined, text }
    }
}

impl Reasons<'_> {
    /// A question that failed.
    pub(crate) fn failed(text: String) -> Unknown {
        Unknown { reason: UnknownReason::Failed, text }
    }

    /// A question that was answered with nothing.
    pub(crate) fn empty(&self, recipe: &Recipe) -> Empty {
        if let Some(missing) = self.missing(recipe) {
            return Empty::NotThere(self.not_there(recipe, &missing));
        }
        let first = template::metrics_of(recipe.each).next().unwrap_or_default();
        let scope = match self.scope {
            Scope::Entity(id) => Some(id.clone()),
            Scope::Fleet => None,
        };
        Empty::NoNumber { first: first.to_owned(), scope, why: recipe.undefined }
    }

    /// A value that is not a number.
    pub(crate) fn not_a_number(recipe: &Recipe) -> Unknown {
        let text = format!("the result is not a number: {}", recipe.undefined);
        Unknown { reason: UnknownReason::Undefined, text }
    }

    /// The metrics that are missing from the alternative that is nearest to complete; none when
    /// one is complete.
    fn missing(&self, recipe: &Recipe) -> Option<Vec<String>> {
        let mut nearest: Option<Vec<String>> = None;
        for alternative in template::alternatives(recipe.each) {
            let mut missing: Vec<String> = Vec::new();
            for name in template::metrics_of(alternative) {
                let there = Catalog::builtin()
                    .metric(name)
                    .is_some_and(|metric| !self.provenance.given(metric).now.is_empty());
                if !there && !missing.iter().any(|known| known == name) {
                    missing.push(name.to_owned());
                }
            }
            if missing.is_empty() {
                return None;
            }
            if nearest.as_ref().is_none_or(|nearest| missing.len() < nearest.len()) {
                nearest = Some(missing);
            }
        }
        nearest
    }

    fn not_there(&self, recipe: &Recipe, missing: &[String]) -> Unknown {
        let names = missing.join(" and ");
        if !self.provenance.knows() {
            let text = format!("nothing answered for {names}");
            return Unknown { reason: UnknownReason::Absent, text };
        }
        if let Some(text) = recipe.absent {
            return Unknown { reason: UnknownReason::Absent, text: text.to_owned() };
        }
        let first = missing.first().map(String::as_str).unwrap_or_default();
        let Some(metric) = Catalog::builtin().metric(first) else {
            let text = format!("the catalog does not know {first}");
            return Unknown { reason: UnknownReason::Absent, text };
        };
        let why = mend::standing(&Need::any(metric), self.provenance, self.sources);
        let reason = match why.state {
            CoverageState::Stale => UnknownReason::Stale,
            CoverageState::Denied => UnknownReason::Denied,
            CoverageState::Unsupported => UnknownReason::Unsupported,
            CoverageState::Absent | CoverageState::Ok => UnknownReason::Absent,
        };
        let mut text = format!("needs {names}: {}", why.reason);
        if let Some(mend) = why.mend {
            text.push_str("; ");
            text.push_str(&mend);
        }
        Unknown { reason, text }
    }
}
