//! How much each model generated when it was busiest, for advice on how many replicas it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strata_query::QueryValue;
use strata_query::engine::Value;
use strata_world::bill::{BillReplica, Period, series_name};
use strata_world::{Planned, Window};

use super::LedgerService;
use crate::ask::{Asking, ask_all};

const PEAKS: Asking = Asking { at_once: 1, deadline: Duration::from_secs(30) };
/// The one question.
const KEY: &str = "peaks";
/// A queue that builds up for so long is one that users wait in.
const BUSIEST: &str = "5m";
/// Share of the steps with a replica that may be without its counter: the first after it starts.
const UNMEASURED_SHARE: f64 = 0.05;

/// Models of which replicas were up and not counted: what the others generated is not all there was.
pub(super) fn unmeasured(replicas: &[BillReplica]) -> BTreeSet<String> {
    let mut steps: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in replicas {
        let (up, silent) = steps.entry(one.model.as_deref().unwrap_or_default()).or_default();
        let mut of_one = (0, 0);
        for (step, _) in one.up.iter().enumerate().filter(|(_, up)| **up) {
            of_one.0 += 1;
            of_one.1 += usize::from(one.generated.get(step).copied().flatten().is_none());
        }
        *up += of_one.0;
        // One that never counts makes it unknown however many others there are; one that has just
        // come has no increase yet.
        let never = of_one.0 > 1 && of_one.0 == of_one.1;
        *silent = silent.saturating_add(if never { usize::MAX } else { of_one.1 });
    }
    let unknown = steps
        .into_iter()
        .filter(|(_, (up, silent))| *up > 0 && *silent as f64 > UNMEASURED_SHARE * *up as f64);
    unknown.map(|(model, _)| model.to_owned()).collect()
}

impl LedgerService {
    /// Generated tokens per second of each model in its busiest five minutes of a period; models that
    /// nothing is known of, and those in `unmeasured`, are left out.
    pub(super) async fn peaks(
        &self,
        period: &Period,
        unmeasured: &BTreeSet<String>,
    ) -> BTreeMap<String, f64> {
        let generated = series_name("inference.generation_tokens", "_sum");
        let whole = period.end_ms() - period.start_ms;
        let text = format!(
            "max_over_time(sum by (model) (rate({generated}[{BUSIEST}]))[{whole}ms:{BUSIEST}])"
        );
        let planned = [Planned { key: KEY.to_owned(), text, range: false }];
        let window = Window { start_ms: period.end_ms(), ..period.window() };
        let mut answers = ask_all(&self.engine, &planned, window, PEAKS, &self.clock).await;
        let Some(Ok(answer)) = answers.remove(KEY) else { return BTreeMap::new() };
        let QueryValue::Vector(samples) = answer.value else { return BTreeMap::new() };
        let peaks = samples.into_iter().filter_map(|sample| {
            let model = sample.labels.get("model").filter(|model| !model.is_empty())?.to_owned();
            let Some((_, Value::Float(peak))) = sample.points.first() else { return None };
            (peak.is_finite() && !unmeasured.contains(&model)).then_some((model, *peak))
        });
        peaks.collect()
    }
}

#[cfg(test)]
mod tests {
    use strata_query::promqltest::MemorySource;

    use super::*;
    use crate::config::CostOptions;
    use crate::ledger::tests::{DAY, HOUR, push, service};

    #[tokio::test]
    async fn the_peak_is_that_of_minutes_whatever_the_step_of_the_report() {
        let mut source = MemorySource::new();
        for instance in ["a:8000", "b:8000"] {
            let labels = [
                ("__name__", "inference_generation_tokens_total"),
                ("model", "m"),
                ("instance", instance),
            ];
            // 10 tokens a second of each, and 100 for ten minutes.
            let burst = |at: i64| (at - HOUR).clamp(0, 600_000) as f64 / 1000.0 * 90.0;
            push(&mut source, &labels, 6, |at| at as f64 / 100.0 + burst(at));
        }
        let service = service(source, &CostOptions::default(), DAY + 6 * HOUR);
        let period = Period { start_ms: DAY, step_ms: HOUR, steps: 6 };
        let peaks = service.peaks(&period, &BTreeSet::new()).await;
        assert!((peaks["m"] - 200.0).abs() < 1e-6, "{peaks:?}");
        let unmeasured = BTreeSet::from(["m".to_owned()]);
        assert_eq!(service.peaks(&period, &unmeasured).await, BTreeMap::new());
    }

    #[test]
    fn a_replica_that_nobody_counts_makes_its_model_unknown() {
        let check = |replicas: &[(usize, usize)], expected: bool| {
            let replicas: Vec<_> = replicas
                .iter()
                .map(|(up, counted)| BillReplica {
                    model: Some("m".to_owned()),
                    up: vec![true; *up],
                    generated: (0..*up).map(|at| (at >= up - counted).then_some(1.0)).collect(),
                    ..BillReplica::default()
                })
                .collect();
            assert_eq!(unmeasured(&replicas).contains("m"), expected, "{replicas:?}");
        };
        check(&[(60, 60), (60, 60)], false);
        check(&[(60, 59)], false);
        check(&[(60, 60), (1, 0)], false);
        check(&[(60, 40)], true);
        check(&[(9000, 9000), (60, 0), (60, 0)], true);
    }
}
