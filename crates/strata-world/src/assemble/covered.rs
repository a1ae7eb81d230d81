//! The coverage of every canonical metric and of every signal.

use strata_model::catalog::Catalog;

use super::lacks::Lacks;
use super::need::Need;
use super::provenance::Provenance;
use super::{mend, steps};
use crate::ask::Answers;
use crate::coverage::{Coverage, CoverageState, MetricCoverage};
use crate::recipe::signals;

/// What is seen and what is not.
pub(crate) fn coverage(provenance: &Provenance, answers: &Answers) -> Coverage {
    let sources = answers.sources.clone();
    if !provenance.knows() {
        return Coverage { sources, ..Coverage::default() };
    }
    let metrics = Catalog::builtin().metrics().iter().map(|metric| {
        let given = provenance.given(metric);
        let standing = mend::standing(&Need::any(metric), provenance, &answers.sources);
        let enables = signals().iter().filter(|def| def.inputs.contains(&metric.name.as_str()));
        MetricCoverage {
            metric: &metric.name,
            state: standing.state,
            sources: given
                .now
                .iter()
                .map(|(_, title, family, quality)| (title.clone(), family.clone(), *quality))
                .collect(),
            reason: (standing.state != CoverageState::Ok).then_some(standing.reason),
            mend: standing.mend,
            enables: enables.map(|def| def.id).collect(),
        }
    });
    let metrics = metrics.collect();
    let lacks = Lacks::of_all(provenance, &sources);
    Coverage {
        metrics,
        signals: lacks.iter().map(Lacks::coverage).collect(),
        layers: steps::layers(provenance, &lacks),
        sources,
    }
}
