//! Tokens of tenants by the records of requests, where no counter tells tenants apart.
//!
//! Whole hours are read from their sums, the rest of a period as sums over its requests, so that nothing
//! outside of it is counted and no request is read by itself. A request belongs to the moment it began.

use std::collections::BTreeMap;
use std::ops::Range;

use strata_model::record::{
    Order, RecordError, RecordQuery, RecordSource, RollupDimension, RollupQuery, SqlAnswer,
    SqlValue, TokenBuckets, Totals,
};
use strata_world::bill::{BillTenant, Period};

const HOUR_US: i64 = 3_600_000_000;
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
        found.part(source, start..first).map_err(told)?;
        found.part(source, last..end).map_err(told)?;
    } else {
        found.part(source, start..end).map_err(told)?;
    }
    Ok(found.recorded())
}

/// The hour that begins at a moment or next.
fn up(us: i64) -> i64 {
    us.div_euclid(HOUR_US) * HOUR_US + if us.rem_euclid(HOUR_US) == 0 { 0 } else { HOUR_US }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(super) fn said(error: RecordError) -> String {
    error.to_string()
}

fn too_many() -> String {
    format!("more than {GROUPS_MAX} tenants with models")
}

/// Sums over the requests that began in a time: tenant, model, requests, then for each bucket of tokens
/// its sum and how many requests tell it.
fn part_sums(range_us: &Range<i64>) -> String {
    let sums = TokenBuckets::NAMES.map(|name| format!("SUM({name}), COUNT({name})")).join(", ");
    format!(
        "SELECT tenant, model, COUNT(*), {sums} FROM request \
         WHERE start_us >= {} AND start_us < {} GROUP BY tenant, model LIMIT {GROUPS_MAX}",
        range_us.start, range_us.end,
    )
}

#[derive(Default)]
struct Found {
    /// By tenant and model.
    groups: BTreeMap<(String, String), Totals>,
    requests: i64,
}

impl Found {
    /// Add a group's sums; what names no tenant or no model counts among the requests only.
    fn add(&mut self, tenant: Option<&str>, model: Option<&str>, totals: &Totals) {
        self.requests += totals.requests;
        let named = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        if let Some(key) = named(tenant).zip(named(model)) {
            self.groups.entry(key).or_default().merge(totals);
        }
    }

    fn hours(&mut self, source: &dyn RecordSource, range_us: Range<i64>) -> Result<(), String> {
        let by = vec![RollupDimension::Tenant, RollupDimension::Model];
        let query = RollupQuery { range_us, by, filters: Vec::new(), limit: GROUPS_MAX };
        let rows = source.rollup(&query).map_err(said)?;
        if rows.len() >= GROUPS_MAX {
            return Err(too_many());
        }
        for row in rows {
            let [tenant, model] = row.keys.as_slice() else { continue };
            self.add(tenant.as_deref(), model.as_deref(), &row.totals);
        }
        Ok(())
    }

    /// A part of an hour, or of two.
    fn part(&mut self, source: &dyn RecordSource, range_us: Range<i64>) -> Result<(), String> {
        if range_us.is_empty() {
            return Ok(());
        }
        // A time of which there are no records at all cannot be asked in SQL.
        let any = RecordQuery {
            range_us: range_us.clone(),
            filters: Vec::new(),
            order: Order::Newest,
            limit: 1,
        };
        if source.requests(&any).map_err(said)?.is_empty() {
            return Ok(());
        }
        let answer: SqlAnswer = source.sql(&part_sums(&range_us), range_us).map_err(said)?;
        if answer.cut || answer.rows.len() >= GROUPS_MAX {
            return Err(too_many());
        }
        for row in &answer.rows {
            let [tenant, model, requests, sums @ ..] = row.as_slice() else { continue };
            let mut totals = Totals { requests: whole(requests), ..Totals::default() };
            let slots = totals.tokens.iter_mut().zip(&mut totals.counted);
            for ((sum, count), pair) in slots.zip(sums.chunks_exact(2)) {
                if let [all, told] = pair {
                    (*sum, *count) = (whole(all), whole(told));
                }
            }
            self.add(text(tenant), text(model), &totals);
        }
        Ok(())
    }

    fn recorded(self) -> Option<Recorded> {
        if self.groups.is_empty() {
            return None;
        }
        let named: i64 = self.groups.values().map(|totals| totals.requests).sum();
        let told = |buckets: &[usize]| -> i64 {
            let of = |totals: &Totals| {
                let counted =
                    buckets.iter().filter_map(|bucket| totals.counted.get(*bucket).copied());
                counted.max().unwrap_or_default()
            };
            self.groups.values().map(of).sum()
        };
        let share = |part: i64, whole: i64| 100.0 * part as f64 / whole.max(1) as f64;
        let note = format!(
            "tenants by request records, for no counter tells them apart: {:.1} % of {} requests name a \
             tenant and a model; of these {:.1} % tell the tokens of the prompt and {:.1} % those of the \
             answer. What the others cost is unattributed",
            share(named, self.requests),
            self.requests,
            share(told(&PROMPT), named),
            share(told(&ANSWER), named),
        );
        let tenants = self.groups.into_iter().map(|((tenant, model), totals)| BillTenant {
            tenant,
            model,
            prompt: tokens(&totals, &PROMPT),
            cached: tokens(&totals, &[1]),
            generated: tokens(&totals, &ANSWER),
            requests: Some(totals.requests as f64),
        });
        Some(Recorded { tenants: tenants.collect(), note })
    }
}

/// Buckets of the prompt's tokens, cached ones among them, and of the answer's.
const PROMPT: [usize; 3] = [0, 1, 2];
const ANSWER: [usize; 2] = [3, 4];

pub(super) fn text(value: &SqlValue) -> Option<&str> {
    match value {
        SqlValue::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn whole(value: &SqlValue) -> i64 {
    match value {
        SqlValue::Integer(number) => *number,
        _ => 0,
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
    use std::sync::Arc;

    use strata_model::clock::FixedClock;
    use strata_model::meter::Meter;
    use strata_model::record::{Door, RecordBatch, RecordSink as _, RequestRecord};
    use strata_store::{RecordOptions, RecordStore};

    use super::*;
    use crate::ledger::tests::DAY;

    const MINUTE_US: i64 = 60_000_000;

    /// A store of these requests, whose files go with the directory.
    pub(in crate::ledger) async fn stored(
        requests: Vec<RequestRecord>,
    ) -> (tempfile::TempDir, RecordStore) {
        let dir = tempfile::tempdir().unwrap();
        let settings = RecordOptions::default().validate(dir.path()).unwrap();
        let clock = Arc::new(FixedClock::at(DAY + 24 * 3_600_000));
        let store = RecordStore::open(settings, clock, &Meter::default()).unwrap();
        let count = requests.len() as u64;
        let receipt = store.append(RecordBatch { requests, ..RecordBatch::default() }).await;
        let receipt = receipt.unwrap();
        assert_eq!(receipt.stored, count, "{receipt:?}");
        (dir, store)
    }

    /// A request in a minute of the day.
    pub(in crate::ledger) fn request(minute: i64, tenant: &str) -> RequestRecord {
        let mut record = RequestRecord::new(Door::Client, DAY * 1000 + minute * MINUTE_US);
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
        Period { start_ms: DAY + from_minute * 60_000, step_ms: 60_000, steps: minutes }
    }

    #[tokio::test]
    async fn hours_and_edges_together_are_the_period_and_nothing_else() {
        // One a minute for five hours; every third is of nobody.
        let all = (0..300).map(|minute| request(minute, ["a", "b", ""][minute as usize % 3]));
        let (_dir, source) = stored(all.collect()).await;
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
        assert_eq!(recorded(&source, &period(1010, 30)), Ok(None), "no whole hour in it");
        // Of a day without a file.
        assert_eq!(recorded(&source, &period(-4000, 30)), Ok(None));
    }

    #[tokio::test]
    async fn unknown_tokens_are_not_nothing_and_their_share_is_told() {
        let mut mute = request(1, "a");
        mute.tokens = TokenBuckets::default();
        let (_dir, source) = stored(vec![mute.clone()]).await;
        for minutes in [30, 60] {
            let found = recorded(&source, &period(0, minutes)).unwrap().unwrap();
            assert_eq!((found.tenants[0].prompt, found.tenants[0].generated), (None, None));
            let told = "0.0 % tell the tokens of the prompt and 0.0 % those of the answer";
            assert!(found.note.contains(told), "{}", found.note);
        }
        let mut silent = request(3, "a");
        (silent.tokens.output_text, silent.tokens.reasoning) = (None, None);
        let (_dir, source) = stored(vec![mute, silent, request(4, "a"), request(5, "a")]).await;
        let found = recorded(&source, &period(0, 60)).unwrap().unwrap();
        assert_eq!(
            (found.tenants[0].prompt, found.tenants[0].generated),
            (Some(300.0), Some(50.0))
        );
        let told = "75.0 % tell the tokens of the prompt and 50.0 % those of the answer";
        assert!(found.note.contains(told), "{}", found.note);
    }

    #[tokio::test]
    async fn an_hour_of_many_requests_is_read_though_it_begins_within_one() {
        let all = (0..15_000)
            .map(|at| RequestRecord { start_us: DAY * 1000 + at * 200_000, ..request(0, "a") });
        let (_dir, source) = stored(all.collect()).await;
        let found = recorded(&source, &period(10, 60)).unwrap().unwrap();
        assert_eq!(found.tenants[0].requests, Some(12_000.0));
    }
}
