//! `[engines]`: what an engine may be used to, for its capacity card.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::parse_duration;
use strata_world::capacity::Targets;

/// What engines promise and how far they may be filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EnginesOptions {
    /// How long the gap between two output tokens may be: "50ms" are 20 tokens a second.
    pub(crate) itl_target: String,
    /// Share of the KV cache, and of every other resource, that is taken as full: queues grow before 1.
    pub(crate) fill: f64,
    /// Three percentiles of the lengths of requests, rising, of which is told how many more fit.
    pub(crate) shapes: [f64; 3],
}

impl Default for EnginesOptions {
    fn default() -> Self {
        Self { itl_target: "50ms".to_owned(), fill: 0.85, shapes: [50.0, 90.0, 99.0] }
    }
}

impl EnginesOptions {
    pub(crate) fn validate(&self) -> Result<Targets, Vec<Problem>> {
        let mut problems = Vec::new();
        let itl_s = match parse_duration(&self.itl_target) {
            Ok(target) if !target.is_zero() => target.as_secs_f64(),
            Ok(_) => {
                problems.push(Problem::new("itl_target", "no token comes without a gap"));
                0.0
            }
            Err(error) => {
                problems.push(Problem::new("itl_target", error));
                0.0
            }
        };
        if !(self.fill > 0.0 && self.fill <= 1.0) {
            problems.push(Problem::new("fill", "a share above 0 and at most 1, such as 0.85"));
        }
        let are_percents = self.shapes.iter().all(|percent| *percent > 0.0 && *percent < 100.0);
        if !are_percents || !self.shapes.is_sorted_by(|one, next| one < next) {
            let message = "three rising percentiles between 0 and 100, such as [50, 90, 99]";
            problems.push(Problem::new("shapes", message));
        }
        let shapes = self.shapes.map(|percent| percent / 100.0);
        if problems.is_empty() {
            Ok(Targets { fill: self.fill, itl_s, shapes, ..Targets::default() })
        } else {
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_usual_and_nonsense_is_told() {
        assert_eq!(EnginesOptions::default().validate().unwrap(), Targets::default());
        let check = |text: &str, paths: &[&str]| {
            let options: EnginesOptions = toml::from_str(text).unwrap();
            let problems = options.validate().unwrap_err();
            let found: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(found, paths, "{text}");
        };
        check(
            "itl_target = \"0ms\"\nfill = 1.1\nshapes = [90, 50, 99]",
            &["itl_target", "fill", "shapes"],
        );
        check("itl_target = \"soon\"", &["itl_target"]);
        check("fill = 0", &["fill"]);
        check("fill = nan", &["fill"]);
        check("shapes = [50, 90, 100]", &["shapes"]);
        let own = "itl_target = \"25ms\"\nfill = 0.9\nshapes = [50, 95, 99.9]";
        let own = toml::from_str::<EnginesOptions>(own).unwrap().validate().unwrap();
        assert_eq!((own.itl_s, own.fill, own.shapes[1]), (0.025, 0.9, 0.95));
    }
}
