//! Tokens of tenants by the records of requests, where no counter tells tenants apart.
//!
//! Whole hours are read from their sums, the rest of a period request by request, so that nothing
//! outside of it is counted. A request belongs to the moment it began.

use std::collections::BTreeMap;
use std::ops::Range;

use strata_model::record::{
    Order, RecordError, RecordQuery, RecordSource, RollupDimension, RollupQuery, Totals,
};
use strata_world::bill::{BillTenant, Period};

const HOUR_US: i64 = 3_600_000_000;
/// Single requests of one question; the store gives no more.
const ASKED_MAX: usize = 10_000;
/// Single requests of a period at most: beyond, whole hours have to be asked for.
const SINGLE_MAX: usize = 100_000;
/// Tenants with models at most.
const GROUPS_MAX: usize = 10_000;

/// What the records of a period tell.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recorded {
    pub(super) tenants: Vec<BillTenant>,
    /// How it was counted and how much of it, in words.
    pub(super) note: String,
}

/// What tenants asked of models in a period; None where no record names a tenant.
///
/// # Errors
/// In words, why the records do not tell.
pub(super) fn recorded(
    source: &dyn RecordSource,
    period: &Period,
) -> Result<Option<Recorded>, String> {
    let (start, end) = (period.start_ms.saturating_mul(1000), period.end_ms().saturating_mul(1000));
    let (first, last) = (up(start), end.div_euclid(HOUR_US) * HOUR_US);
    let mut found = Found::default();
    let told = |error: String| format!("tenants by request records: {error}");
    if first < last {
        found.hours(source, first..last).map_err(told)?;
        found.single(source, start..first).map_err(told)?;
        found.single(source, last..end).map_err(told)?;
    } else {
        found.single(source, start..end).map_err(told)?;
    }
    Ok(found.recorded())
}

/// The hour that begins at a moment or next.
fn up(us: i64) -> i64 {
    us.div_euclid(HOUR_US) * HOUR_US + if us.rem_euclid(HOUR_US) == 0 { 0 } else { HOUR_US }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn said(error: RecordError) -> String {
    error.to_string()
}

#[derive(Default)]
struct Found {
    /// By tenant and model.
    groups: BTreeMap<(String, String), Totals>,
    requests: i64,
    single: usize,
}

impl Found {
    fn enter(&mut self, tenant: Option<&str>, model: Option<&str>) -> Option<&mut Totals> {
        let named = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let key = named(tenant).zip(named(model))?;
        Some(self.groups.entry(key).or_default())
    }

    fn hours(&mut self, source: &dyn RecordSource, range_us: Range<i64>) -> Result<(), String> {
        let by = vec![RollupDimension::Tenant, RollupDimension::Model];
        let query = RollupQuery { range_us, by, filters: Vec::new(), limit: GROUPS_MAX };
        let rows = source.rollup(&query).map_err(said)?;
        if rows.len() >= GROUPS_MAX {
            return Err(format!("more than {GROUPS_MAX} tenants with models"));
        }
        for row in rows {
            let [tenant, model] = row.keys.as_slice() else { continue };
            self.requests += row.totals.requests;
            if let Some(totals) = self.enter(tenant.as_deref(), model.as_deref()) {
                totals.requests += row.totals.requests;
                for (all, one) in totals.tokens.iter_mut().zip(row.totals.tokens) {
                    *all = all.saturating_add(one);
                }
                totals
                    .counted
                    .iter_mut()
                    .zip(row.totals.counted)
                    .for_each(|(all, one)| *all += one);
            }
        }
        Ok(())
    }

    fn single(&mut self, source: &dyn RecordSource, range_us: Range<i64>) -> Result<(), String> {
        let mut waiting = vec![range_us];
        while let Some(range_us) = waiting.pop() {
            if range_us.is_empty() {
                continue;
            }
            let query = RecordQuery {
                range_us: range_us.clone(),
                filters: Vec::new(),
                order: Order::Newest,
                limit: ASKED_MAX,
            };
            let rows = source.requests(&query).map_err(said)?;
            if rows.len() >= ASKED_MAX {
                let middle = range_us.start.midpoint(range_us.end);
                if self.single + ASKED_MAX > SINGLE_MAX || middle == range_us.start {
                    return Err(format!(
                        "more than {SINGLE_MAX} requests outside of whole hours; ask for a period that \
                         begins and ends with an hour"
                    ));
                }
                waiting.extend([range_us.start..middle, middle..range_us.end]);
                // What is read twice counts: it is the work that is bounded.
                self.single += ASKED_MAX;
                continue;
            }
            self.single += rows.len();
            for row in rows {
                self.requests += 1;
                let tenant = row.record.tenant.as_deref();
                if let Some(totals) = self.enter(tenant, row.record.model()) {
                    totals.add(&row.record, 1);
                }
            }
        }
        Ok(())
    }

    fn recorded(self) -> Option<Recorded> {
        if self.groups.is_empty() {
            return None;
        }
        let named: i64 = self.groups.values().map(|totals| totals.requests).sum();
        let generated = |totals: &Totals| totals.counted.get(3).copied().unwrap_or_default();
        let counted: i64 = self.groups.values().map(generated).sum();
        let share = |part: i64, whole: i64| 100.0 * part as f64 / whole.max(1) as f64;
        let note = format!(
            "tenants by request records, for no counter tells them apart: {:.1} % of {} requests name a \
             tenant and a model, of {:.1} % of these the answer's tokens are known; the rest is \
             unattributed",
            share(named, self.requests),
            self.requests,
            share(counted, named),
        );
        let tenants = self.groups.into_iter().map(|((tenant, model), totals)| BillTenant {
            tenant,
            model,
            prompt: tokens(&totals, &[0, 1, 2]),
            cached: tokens(&totals, &[1]),
            generated: tokens(&totals, &[3, 4]),
            requests: Some(totals.requests as f64),
        });
        Some(Recorded { tenants: tenants.collect(), note })
    }
}

/// Tokens of some buckets, in the order of `TokenBuckets::NAMES`; None where none of them is known of
/// any request.
fn tokens(totals: &Totals, buckets: &[usize]) -> Option<f64> {
    let known = buckets.iter().filter_map(|bucket| {
        let counted = totals.counted.get(*bucket).copied().unwrap_or_default();
        (counted > 0).then(|| totals.tokens.get(*bucket).copied().unwrap_or_default() as f64)
    });
    known.reduce(|all, one| all + one)
}

#[cfg(test)]
pub(super) mod tests {
    use strata_model::record::{
        Door, Judgement, RequestRecord, RequestSightings, RollupRow, SampleQuery, Samples,
        SqlAnswer, StoredFeedback, StoredRequest, TokenBuckets,
    };

    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    /// Requests as the store answers for them: sums by whole hours, single ones by their beginning.
    pub(in crate::ledger) struct Memory(pub(in crate::ledger) Vec<RequestRecord>);

    impl Memory {
        fn within(&self, range_us: &Range<i64>) -> impl Iterator<Item = &RequestRecord> {
            self.0.iter().filter(|one| range_us.contains(&one.start_us))
        }
    }

    fn not_asked() -> RecordError {
        RecordError::BadQuery("not asked".to_owned())
    }

    impl RecordSource for Memory {
        fn requests(&self, query: &RecordQuery) -> Result<Vec<StoredRequest>, RecordError> {
            let found = self.within(&query.range_us).take(query.limit).map(|one| StoredRequest {
                uid: String::new(),
                doors: Vec::new(),
                record: one.clone(),
            });
            Ok(found.collect())
        }

        fn request(&self, _: &str) -> Result<Option<RequestSightings>, RecordError> {
            Err(not_asked())
        }

        fn under_way(&self, _: &str, _: Range<i64>) -> Result<u64, RecordError> {
            Err(not_asked())
        }

        fn samples(&self, _: &SampleQuery) -> Result<Samples, RecordError> {
            Err(not_asked())
        }

        fn judgements(
            &self,
            _: &str,
            _: Range<i64>,
            _: usize,
        ) -> Result<Vec<Judgement>, RecordError> {
            Err(not_asked())
        }

        fn rollup(&self, query: &RollupQuery) -> Result<Vec<RollupRow>, RecordError> {
            let hours = &query.range_us;
            assert_eq!((hours.start % HOUR_US, hours.end % HOUR_US), (0, 0), "it would be widened");
            let mut rows: BTreeMap<_, Totals> = BTreeMap::new();
            for one in self.within(hours) {
                let key = vec![one.tenant.clone(), one.model().map(str::to_owned)];
                rows.entry(key).or_default().add(one, 1);
            }
            Ok(rows.into_iter().map(|(keys, totals)| RollupRow { keys, totals }).collect())
        }

        fn feedback(&self, _: Range<i64>, _: usize) -> Result<Vec<StoredFeedback>, RecordError> {
            Ok(Vec::new())
        }

        fn sql(&self, _: &str, _: Range<i64>) -> Result<SqlAnswer, RecordError> {
            Err(not_asked())
        }
    }

    pub(in crate::ledger) fn request(minute: i64, tenant: &str) -> RequestRecord {
        let mut record = RequestRecord::new(Door::Client, minute * MINUTE_US);
        record.tenant = Some(tenant.to_owned()).filter(|tenant| !tenant.is_empty());
        record.model_served = Some("m".to_owned());
        record.tokens = TokenBuckets {
            fresh_input: Some(60),
            cache_read: Some(40),
            output_text: Some(20),
            reasoning: Some(5),
            ..TokenBuckets::default()
        };
        record
    }

    fn period(from_minute: i64, minutes: usize) -> Period {
        Period { start_ms: from_minute * 60_000, step_ms: 60_000, steps: minutes }
    }

    #[test]
    fn hours_and_edges_together_are_the_period_and_nothing_else() {
        // One a minute for five hours; every third is of nobody.
        let all = (0..300).map(|minute| request(minute, ["a", "b", ""][minute as usize % 3]));
        let source = Memory(all.collect());
        for (from, minutes) in [(30, 180), (0, 240), (61, 20), (10, 100), (119, 2)] {
            let found = recorded(&source, &period(from, minutes)).unwrap().unwrap();
            let expected = |tenant: usize| {
                let of = (from..from + minutes as i64).filter(|at| *at as usize % 3 == tenant);
                Some(of.count() as f64)
            };
            for (place, one) in found.tenants.iter().enumerate() {
                let requests = expected(place);
                assert_eq!(one.requests, requests, "{from} {minutes} {}", one.tenant);
                let times = |tokens: f64| requests.map(|count| count * tokens);
                assert_eq!((one.prompt, one.cached), (times(100.0), times(40.0)));
                assert_eq!(one.generated, times(25.0));
            }
        }
        let note = recorded(&source, &period(0, 240)).unwrap().unwrap().note;
        assert!(note.contains("66.7 % of 240 requests name a tenant"), "{note}");
        assert_eq!(recorded(&source, &period(1000, 60)), Ok(None));
    }

    #[test]
    fn unknown_tokens_are_not_nothing_and_too_much_is_refused() {
        let mut mute = request(1, "a");
        mute.tokens = TokenBuckets::default();
        let found = recorded(&Memory(vec![mute]), &period(0, 60)).unwrap().unwrap();
        assert_eq!((found.tenants[0].prompt, found.tenants[0].generated), (None, None));
        assert!(found.note.contains("of 0.0 % of these"), "{}", found.note);
        let many = Memory(vec![request(1, "a"); ASKED_MAX]);
        let error = recorded(&many, &period(0, 30)).unwrap_err();
        assert!(error.contains("whole hours"), "{error}");
        let spread =
            (0..15_000).map(|at| RequestRecord { start_us: at * 100_000, ..request(0, "a") });
        let found = recorded(&Memory(spread.collect()), &period(0, 30)).unwrap().unwrap();
        assert_eq!(found.tenants[0].requests, Some(15_000.0));
    }
}
