//! The store as its users see it: doors join, sums follow, feedback waits, SQL only reads.

use std::sync::Arc;

use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::record::{
    CountSource, Door, Feedback, FeedbackSource, FeedbackTarget, Filter, Order, Outcome,
    RECORD_TABLES, RecordBatch, RecordError, RecordQuery, RecordReceipt, RecordSink, RecordSource,
    RequestRecord, RollupDimension, RollupQuery, SpanRecord, SqlValue, Totals,
};

use super::*;

/// 2026-11-26 12:00 UTC.
const NOW_MS: i64 = 1_795_694_400_000;
pub(super) const NOW_US: i64 = NOW_MS * 1_000;
pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;

pub(super) struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    pub(super) store: RecordStore,
}

impl Bench {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW_MS));
        let store = open(&dir, &clock, &RecordOptions::default());
        Self { dir, clock, store }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn put(&self, batch: RecordBatch) -> RecordReceipt {
        append(&self.store, batch).unwrap()
    }

    pub(super) fn requests(&self, requests: Vec<RequestRecord>) -> RecordReceipt {
        self.put(RecordBatch { requests, ..RecordBatch::default() })
    }

    pub(super) fn ask(&self, filters: &[&str]) -> Vec<StoredRequest> {
        let filters = filters.iter().map(|text| Filter::parse(text).unwrap()).collect();
        let range_us = NOW_US - 3 * DAY..NOW_US + DAY;
        let query = RecordQuery { range_us, filters, order: Order::Slowest, limit: 20 };
        self.store.requests(&query).unwrap()
    }

    pub(super) fn totals(&self) -> Totals {
        let range_us = NOW_US - 3 * DAY..NOW_US + DAY;
        let query = RollupQuery { range_us, by: Vec::new(), filters: Vec::new(), limit: 10 };
        let rows = self.store.rollup(&query).unwrap();
        rows.into_iter().next().map(|row| row.totals).unwrap_or_default()
    }

    fn sql(&self, text: &str) -> Result<SqlAnswer, RecordError> {
        self.store.sql(text, NOW_US - 3 * DAY..NOW_US + DAY)
    }
}

fn open(dir: &tempfile::TempDir, clock: &Arc<FixedClock>, options: &RecordOptions) -> RecordStore {
    let settings = options.validate(dir.path()).unwrap();
    let clock: Arc<dyn Clock> = Arc::<FixedClock>::clone(clock);
    RecordStore::open(settings, clock, &Meter::default()).unwrap()
}

pub(super) fn append(store: &RecordStore, batch: RecordBatch) -> Result<RecordReceipt, SinkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(batch))
}

pub(super) fn seen(door: Door, span: &str, parent: Option<&str>, took: i64) -> RequestRecord {
    let mut record = RequestRecord::new(door, NOW_US - 60 * SECOND);
    record.end_us = Some(record.start_us + took);
    record.trace_id = Some("trace".to_owned());
    record.span_id = Some(span.to_owned());
    record.parent_span_id = parent.map(str::to_owned);
    record.outcome = Some(Outcome::Ok);
    record
}

/// One request through three doors: linked by span, by parent and by the response's id.
fn doors() -> [RequestRecord; 3] {
    let mut client = seen(Door::Client, "a", None, 3 * SECOND);
    client.team = Some("search".to_owned());
    client.model_served = Some("m".to_owned());
    client.tokens.fresh_input = Some(31);
    client.count_source = CountSource::Usage;
    let mut proxy = seen(Door::Proxy, "b", Some("a"), 2 * SECOND);
    proxy.response_id = Some("chatcmpl-1".to_owned());
    proxy.ttft_us = Some(SECOND / 2);
    let mut engine = seen(Door::Engine, "c", None, SECOND);
    engine.trace_id = None;
    engine.span_id = None;
    engine.response_id = Some("chatcmpl-1".to_owned());
    engine.queue_us = Some(7);
    [client, proxy, engine]
}

#[test]
fn three_doors_join_in_any_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let bench = Bench::new();
        for index in order {
            bench.requests(vec![doors()[index].clone()]);
        }
        let found = bench.ask(&["team=search"]);
        assert_eq!(found.len(), 1, "{order:?}");
        let StoredRequest { doors, record, .. } = &found[0];
        assert_eq!(doors, &["proxy", "client", "engine"]);
        assert_eq!(record.duration_us(), Some(2 * SECOND));
        assert_eq!((record.queue_us, record.ttft_us), (Some(7), Some(SECOND / 2)));
        let totals = bench.totals();
        assert_eq!((totals.requests, totals.tokens[0], totals.counted[0]), (1, 31, 1));
        assert_eq!((totals.outcomes[0], totals.duration_sum_us), (1, 2 * SECOND));
        assert_eq!(bench.ask(&["trace_id=trace"]).len(), 1);
        assert_eq!(bench.ask(&["response_id=chatcmpl-1"]).len(), 1);
        assert_eq!(bench.ask(&["response_id=chatcmpl-2"]).len(), 0);
    }
}

#[test]
fn what_comes_again_counts_once() {
    let bench = Bench::new();
    let [client, ..] = doors();
    let first = bench.requests(vec![client.clone(), client.clone()]);
    assert_eq!((first.stored, first.joined), (1, 1));
    assert_eq!(bench.requests(vec![client]).joined, 1);
    assert_eq!(bench.totals().requests, 1);
}

#[test]
fn two_calls_below_one_span_are_two_requests() {
    let bench = Bench::new();
    let calls = ["x", "y"].map(|span| seen(Door::Engine, span, Some("handler"), SECOND));
    assert_eq!(bench.requests(calls.to_vec()).stored, 2);
    assert_eq!(bench.totals().requests, 2);
}

#[test]
fn both_sides_of_midnight_are_one_request() {
    let bench = Bench::new();
    let midnight = NOW_US.div_euclid(DAY) * DAY;
    let mut client = seen(Door::Client, "a", None, SECOND);
    client.start_us = midnight - 1_000;
    client.end_us = Some(midnight + SECOND);
    let mut engine = seen(Door::Engine, "b", Some("a"), SECOND);
    engine.start_us = midnight + 1_000;
    engine.end_us = Some(midnight + SECOND);
    bench.requests(vec![client]);
    bench.requests(vec![engine]);
    assert_eq!(bench.totals().requests, 1);
    assert_eq!(bench.ask(&[])[0].doors, ["client", "engine"]);
}

#[test]
fn sums_equal_the_requests_by_any_dimension() {
    let bench = Bench::new();
    let mut requests = Vec::new();
    for n in 0..200_i64 {
        let mut one = seen(Door::Client, &format!("s{n}"), None, n * 1_000);
        one.start_us = NOW_US - n * 600 * SECOND;
        one.end_us = Some(one.start_us + n * 1_000);
        one.team = (n % 3 > 0).then(|| format!("team{}", n % 3));
        one.tokens.output_text = Some(n as u64);
        requests.push(one);
    }
    bench.requests(requests);
    let range_us = NOW_US - 3 * DAY..NOW_US + DAY;
    let by = vec![RollupDimension::Team];
    let rows =
        bench.store.rollup(&RollupQuery { range_us, by, filters: Vec::new(), limit: 10 }).unwrap();
    let of = |team: Option<&str>| {
        let row = rows.iter().find(|row| row.keys == [team.map(str::to_owned)]).unwrap();
        (row.totals.requests, row.totals.tokens[3])
    };
    let expected = |rest: i64| {
        let all = (0..200).filter(|n| n % 3 == rest);
        (all.clone().count() as i64, all.sum::<i64>())
    };
    assert_eq!(of(None), expected(0));
    assert_eq!(of(Some("team1")), expected(1));
    assert_eq!(of(Some("team2")), expected(2));
    let slowest = bench.ask(&["team=team1"]);
    assert_eq!(slowest.len(), 20);
    assert_eq!(slowest[0].record.duration_us(), Some(199_000));
    assert!(slowest.windows(2).all(|w| w[0].record.end_us >= w[1].record.end_us || {
        w[0].record.duration_us() >= w[1].record.duration_us()
    }));
}

#[test]
fn whole_days_and_their_hours_have_the_same_sums() {
    let bench = Bench::new();
    let midnight = NOW_US.div_euclid(DAY) * DAY;
    let mut requests = Vec::new();
    for n in 0..300_i64 {
        let mut one = seen(Door::Client, &format!("s{n}"), None, SECOND);
        one.start_us = midnight - 2 * DAY + n * 700 * SECOND;
        one.end_us = Some(one.start_us + n * SECOND);
        requests.push(one);
    }
    // Beyond midnight, in the file of the day before.
    let mut client = seen(Door::Client, "a", None, SECOND);
    client.start_us = midnight - 1_000;
    let mut proxy = seen(Door::Proxy, "b", Some("a"), SECOND);
    proxy.start_us = midnight + 1_000;
    requests.extend([client, proxy]);
    bench.requests(requests);
    let ask = |range_us: Range<i64>, by: Vec<RollupDimension>| {
        let query = RollupQuery { range_us, by, filters: Vec::new(), limit: 1_000 };
        let mut totals = Totals::default();
        bench.store.rollup(&query).unwrap().iter().for_each(|row| totals.merge(&row.totals));
        totals
    };
    for range in [midnight - 2 * DAY..midnight + DAY, midnight - DAY..midnight, midnight..NOW_US] {
        let days = ask(range.clone(), Vec::new());
        assert_eq!(days, ask(range.clone(), vec![RollupDimension::Hour]));
        let query = RecordQuery {
            range_us: range,
            filters: Vec::new(),
            order: Order::Newest,
            limit: 1_000,
        };
        assert_eq!(days.requests, bench.store.requests(&query).unwrap().len() as i64);
    }
}

pub(super) fn judged(target: FeedbackTarget, key: Option<&str>) -> RecordBatch {
    let one = Feedback {
        at_us: NOW_US,
        target,
        name: "user_feedback".to_owned(),
        value: Some(1.0),
        label: Some("thumbs_up".to_owned()),
        comment: None,
        source: FeedbackSource::Human,
        idempotency_key: key.map(str::to_owned),
    };
    RecordBatch { feedback: vec![one], ..RecordBatch::default() }
}

#[test]
fn feedback_waits_for_its_request() {
    let bench = Bench::new();
    let target =
        FeedbackTarget { response_id: Some("chatcmpl-1".to_owned()), ..FeedbackTarget::default() };
    assert_eq!(bench.put(judged(target.clone(), Some("k"))).stored, 1);
    let range = NOW_US - DAY..NOW_US + DAY;
    assert_eq!(bench.store.feedback(range.clone(), 10).unwrap()[0].request, None);
    bench.store.close();
    let store = open(&bench.dir, &bench.clock, &RecordOptions::default());
    let mut request = doors()[1].clone();
    request.start_us -= DAY;
    request.team = Some("search".to_owned());
    append(&store, RecordBatch { requests: vec![request], ..RecordBatch::default() }).unwrap();
    let found = store.feedback(range.clone(), 10).unwrap();
    assert_eq!(found[0].request.as_deref(), Some("20261125-1"));
    // The same judgement again replaces; one that comes after its request is joined at once.
    assert_eq!(append(&store, judged(target, Some("k"))).unwrap().joined, 1);
    let target = FeedbackTarget { trace_id: Some("trace".to_owned()), ..FeedbackTarget::default() };
    assert_eq!(append(&store, judged(target, None)).unwrap().stored, 1);
    let target = FeedbackTarget { span_id: Some("b".to_owned()), ..FeedbackTarget::default() };
    assert_eq!(append(&store, judged(target, None)).unwrap().stored, 1);
    let found = store.feedback(range, 10).unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|one| one.request.as_deref() == Some("20261125-1")));
}

#[test]
fn feedback_and_request_of_one_day_meet_in_either_order() {
    let target =
        FeedbackTarget { response_id: Some("chatcmpl-1".to_owned()), ..FeedbackTarget::default() };
    let request = RecordBatch { requests: vec![doors()[1].clone()], ..RecordBatch::default() };
    let both = RecordBatch { requests: request.requests.clone(), ..judged(target.clone(), None) };
    for batches in [
        vec![judged(target.clone(), None), request.clone()],
        vec![request, judged(target, None)],
        vec![both],
    ] {
        let bench = Bench::new();
        for batch in batches {
            bench.put(batch);
        }
        let found = bench.store.feedback(NOW_US - DAY..NOW_US + DAY, 10).unwrap();
        assert_eq!(found[0].request.as_deref(), Some("20261126-1"));
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash() {
    let bench = Bench::new();
    bench.requests(doors().to_vec());
    // The files as a crash leaves them: copied while the store has them open.
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(bench.dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let store = open(&copy, &bench.clock, &RecordOptions::default());
    let again = Bench { dir: copy, clock: Arc::clone(&bench.clock), store };
    assert_eq!(again.ask(&["team=search"]).len(), 1);
    assert_eq!(again.totals(), bench.totals());
}

#[test]
fn bounds_refuse_and_retention_removes() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW_MS));
    let options = RecordOptions {
        day_records_max: 2,
        retention: "2d".to_owned(),
        ..RecordOptions::default()
    };
    let store = open(&dir, &clock, &options);
    let mut requests: Vec<_> =
        (0..3).map(|n| seen(Door::Client, &format!("s{n}"), None, SECOND)).collect();
    let (mut old, mut new) = (requests[0].clone(), requests[0].clone());
    old.start_us = NOW_US - 3 * DAY;
    new.start_us = NOW_US + DAY;
    requests.extend([old, new]);
    let receipt = append(&store, RecordBatch { requests, ..RecordBatch::default() }).unwrap();
    let expected = RecordReceipt { stored: 2, too_old: 1, too_new: 1, over_limit: 1, ..receipt };
    assert_eq!(receipt, expected);
    store.close();
    assert_eq!(append(&store, RecordBatch::default()), Err(SinkError::Closed));
    assert!(dir.path().join("records-20261126.db").exists());
    clock.set(NOW_MS + 4 * DAY / 1_000);
    drop(open(&dir, &clock, &options));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn sql_reads_and_does_nothing_else() {
    let bench = Bench::new();
    let span = SpanRecord {
        trace_id: "trace".to_owned(),
        span_id: "z".to_owned(),
        parent_span_id: None,
        name: "tool".to_owned(),
        service: None,
        start_us: NOW_US,
        end_us: None,
        failed: false,
        attributes: "{}".to_owned(),
    };
    let spans = vec![span];
    bench.put(RecordBatch { requests: doors().to_vec(), spans, ..RecordBatch::default() });
    let answer = bench
        .sql("SELECT r.team, count(*) FROM request r JOIN span USING (trace_id) GROUP BY 1")
        .unwrap();
    let team = SqlValue::Text("search".to_owned());
    assert_eq!(answer.rows, [[team, SqlValue::Integer(1)]]);
    for bad in [
        "DELETE FROM d0.request",
        "ATTACH '/tmp/x.db' AS x",
        "PRAGMA d0.journal_mode = DELETE",
        "CREATE TABLE t(x)",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "SELEKT",
    ] {
        assert!(matches!(bench.sql(bad), Err(RecordError::BadQuery(_))), "{bad}");
    }
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) ";
    let cut = bench.sql(&format!("{endless} SELECT i FROM n")).unwrap();
    assert_eq!((cut.rows.len(), cut.cut), (10_000, true));
}

#[test]
fn the_columns_of_the_files_are_those_that_are_told() {
    let bench = Bench::new();
    bench.put(RecordBatch { requests: doors().to_vec(), ..RecordBatch::default() });
    for table in RECORD_TABLES {
        let answer = bench.sql(&format!("SELECT * FROM {} LIMIT 1", table.name)).unwrap();
        let told: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(answer.columns, told, "{}", table.name);
    }
}

/// A clock that goes on by a second whenever it is looked at.
#[derive(Default)]
struct Ticking(std::sync::atomic::AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn monotonic(&self) -> std::time::Duration {
        let ticks = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::time::Duration::from_secs(ticks)
    }
}

#[test]
fn sql_that_does_not_end_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let settings = RecordOptions::default().validate(dir.path()).unwrap();
    let clock = Arc::new(Ticking::default());
    let store = RecordStore::open(settings, clock, &Meter::default()).unwrap();
    let requests = doors().to_vec();
    append(&store, RecordBatch { requests, ..RecordBatch::default() }).unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT count(*) FROM n";
    let answer = store.sql(endless, NOW_US - DAY..NOW_US);
    assert_eq!(answer, Err(RecordError::Timeout { seconds: 10 }));
}
