//! Records of requests into groups of calls, added up where they lie.
//!
//! A period is read a day of UTC at a time, so that any length can be asked for; a call belongs to the
//! moment it began. Of several judgements of one name by one source the latest stands, as in `strata
//! compare`; of a call that some judge good and some bad nothing is known. Scores by models are no
//! judgements of those who asked. What is given up to a day after the day of the call is found.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use strata_cost::calls::{CallGroup, Counted, Fate, RECORDED};
use strata_diagnose::compare::{AGAINST, BAD_WORDS, GOOD_WORDS};
use strata_model::record::{
    Order, RecordQuery, RecordSource, SQL_DAYS_MAX, SqlAnswer, SqlValue, TokenBuckets,
};

use super::super::recorded::{said, text, whole};

const DAY_US: i64 = 86_400_000_000;
/// A call of its conversation with a prompt of as many tokens within this time after one that was
/// answered asks the same again; `strata compare` has the same ten minutes.
const AGAIN_US: i64 = 600_000_000;

/// Groups over all days that are held at most.
const GROUPS_MAX: usize = 100_000;

/// What calls can be grouped by, with the column of it.
pub(crate) const CALL_DIMENSIONS: [(&str, &str); 7] = [
    ("model", "model"),
    ("tenant", "tenant"),
    ("team", "team"),
    ("app", "app"),
    ("provider", "provider"),
    ("conversation", "conversation_id"),
    ("session", "session"),
];

/// What is asked of the records.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CallQuery {
    /// Microseconds since 1970.
    pub(super) range_us: Range<i64>,
    /// Columns that calls are grouped by.
    pub(super) by: Vec<&'static str>,
    /// How long a first token may take, microseconds.
    pub(super) objective_us: i64,
    /// Lengths of prompts from which on prices are others, rising.
    pub(super) thresholds: Vec<f64>,
}

/// Calls of a period.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Calls {
    pub(super) groups: Vec<CallGroup>,
    /// Conversations by the keys that were asked for.
    pub(super) conversations: BTreeMap<Vec<String>, u64>,
    /// All conversations, each once.
    pub(super) all_conversations: u64,
    /// Whether a conversation may have been counted more than once.
    pub(super) is_split: bool,
}

/// Read all calls of a period.
///
/// # Errors
/// In words, why the records do not tell.
pub(super) fn calls(source: &dyn RecordSource, query: &CallQuery) -> Result<Calls, String> {
    let mut found = Calls::default();
    let mut groups: BTreeMap<Likeness, CallGroup> = BTreeMap::new();
    for range_us in parts(&query.range_us, DAY_US) {
        let Some(rows) = ask(source, &groups_sql(query, &range_us), &range_us)? else { continue };
        for one in rows.iter().filter_map(|row| group(row, query.by.len())) {
            let like = likeness(&one);
            if let Some(known) = groups.get_mut(&like) {
                join(known, &one);
            } else if groups.len() < GROUPS_MAX {
                groups.insert(like, one);
            } else {
                let told = "group by less, or ask for less time";
                return Err(format!("more than {GROUPS_MAX} groups: {told}"));
            }
        }
    }
    found.groups = groups.into_values().collect();
    // Files of so many days are read together; a range can begin and end within a day.
    let together_us = (SQL_DAYS_MAX as i64 - 3) * DAY_US;
    let parts = parts(&query.range_us, together_us);
    found.is_split = parts.len() > 1;
    for range_us in parts {
        if let Some(rows) = ask(source, &talks_sql(&query.by, &range_us), &range_us)? {
            for row in &rows {
                let Some((count, keys)) = row.split_last() else { continue };
                let count = u64::try_from(whole(count)).unwrap_or_default();
                *found.conversations.entry(names(keys)).or_default() += count;
            }
        }
        if let Some(rows) = ask(source, &talks_sql(&[], &range_us), &range_us)? {
            let count = rows.first().and_then(|row| row.first()).map_or(0, whole);
            found.all_conversations += u64::try_from(count).unwrap_or_default();
        }
    }
    Ok(found)
}

/// All that calls of one group have in common.
type Likeness = (Vec<String>, [Option<String>; 3], Fate, Option<bool>, [bool; 2], Counted, u64);

fn likeness(one: &CallGroup) -> Likeness {
    let named = [one.provider.clone(), one.model.clone(), one.team.clone()];
    let flags = [one.is_capped, one.in_conversation];
    let tier = one.longer_than.to_bits();
    (one.keys.clone(), named, one.fate, one.judged, flags, one.counted, tier)
}

/// Add what a later day has of a group.
fn join(into: &mut CallGroup, other: &CallGroup) {
    into.requests += other.requests;
    into.tokens.iter_mut().zip(other.tokens).for_each(|(sum, more)| *sum += more);
}

/// A range in parts that end where a multiple of `length_us` does.
fn parts(range_us: &Range<i64>, length_us: i64) -> Vec<Range<i64>> {
    let mut parts = Vec::new();
    let mut start = range_us.start;
    while start < range_us.end {
        let end = ((start.div_euclid(length_us) + 1) * length_us).min(range_us.end);
        parts.push(start..end);
        start = end;
    }
    parts
}

/// Rows of an answer; None of a time without records, which cannot be asked in SQL.
fn ask(
    source: &dyn RecordSource,
    sql: &str,
    range_us: &Range<i64>,
) -> Result<Option<Vec<Vec<SqlValue>>>, String> {
    let (range, order) = (range_us.clone(), Order::Newest);
    let any = RecordQuery { range_us: range, filters: Vec::new(), order, limit: 1 };
    if source.requests(&any).map_err(said)?.is_empty() {
        return Ok(None);
    }
    // What is judged later and what was asked before lie in the files of the days beside it.
    let files = range_us.start - AGAIN_US..range_us.end + DAY_US;
    let SqlAnswer { rows, cut, .. } = source.sql(sql, files).map_err(said)?;
    if cut {
        let most = rows.len();
        return Err(format!(
            "more than {most} groups in a day: group by less, or ask for less time"
        ));
    }
    Ok(Some(rows))
}

/// Columns before others.
fn listed(columns: &[&str]) -> String {
    columns.iter().flat_map(|column| [column, ", "]).collect()
}

/// Words in a list of SQL.
fn words(words: &[&str]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

/// 1 for a good judgement, 0 for a bad one, NULL for a score of another kind.
fn good_sql() -> String {
    let (good, bad, against) = (words(&GOOD_WORDS), words(&BAD_WORDS), words(&AGAINST));
    let word = "REPLACE(REPLACE(LOWER(label), '-', '_'), ' ', '_')";
    format!(
        "CASE WHEN name IN ({against}) THEN CASE WHEN value > 0 THEN 0 END \
         WHEN value IS NOT NULL THEN CASE value WHEN 1 THEN 1 WHEN 0 THEN 0 WHEN -1 THEN 0 END \
         WHEN {word} IN ({good}) THEN 1 WHEN {word} IN ({bad}) THEN 0 END"
    )
}

/// The place of the threshold that a prompt is longer than.
fn tier_sql(thresholds: &[f64]) -> String {
    let cases =
        thresholds.iter().rev().map(|tokens| format!("WHEN input > {tokens} THEN {tokens}"));
    let cases = cases.collect::<Vec<_>>().join(" ");
    if cases.is_empty() { "0".to_owned() } else { format!("CASE {cases} ELSE 0 END") }
}

/// Columns of a record that its group is made of, besides those it is grouped by and its tokens.
const USED: [&str; 11] = [
    "id",
    "start_us",
    "provider",
    "model",
    "team",
    "outcome",
    "ttft_us",
    "conversation_id",
    "finish_reason",
    "operation",
    "fresh_input",
];

fn groups_sql(query: &CallQuery, range_us: &Range<i64>) -> String {
    let (start, end, objective) = (range_us.start, range_us.end, query.objective_us);
    let before = start - AGAIN_US;
    let by = listed(&query.by);
    let (good, tier) = (good_sql(), tier_sql(&query.thresholds));
    let sums = TokenBuckets::NAMES.map(|name| format!("SUM({name})")).join(", ");
    // Named, for what is sorted into windows is held: records have much that is not asked for.
    let used: BTreeSet<&str> =
        USED.iter().chain(&query.by).chain(&TokenBuckets::NAMES).copied().collect();
    let used = used.into_iter().collect::<Vec<_>>().join(", ");
    let columns = query.by.len() + 10;
    let grouped = (1..=columns).map(|at| at.to_string()).collect::<Vec<_>>().join(", ");
    let [untold, failed, abandoned, untimed, late, alone, repeated, first] =
        Fate::ALL.map(Fate::name);
    format!(
        "WITH said AS (SELECT request, name, source, MAX(at_us), good FROM \
         (SELECT request, name, source, at_us, {good} AS good FROM feedback \
         WHERE request IS NOT NULL AND source <> 'model') \
         WHERE good IS NOT NULL GROUP BY request, name, source), \
         judged AS (SELECT request, CASE WHEN MIN(good) = MAX(good) THEN MAX(good) END AS good \
         FROM said GROUP BY request), \
         near AS (SELECT {used}, COALESCE(fresh_input, 0) + COALESCE(cache_read, 0) \
         + COALESCE(cache_write, 0) AS input FROM request WHERE start_us >= {before} AND start_us < {end}), \
         told AS (SELECT *, MAX(CASE WHEN outcome = 'ok' THEN start_us END) OVER \
         (PARTITION BY conversation_id, model, input ORDER BY start_us \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS answered_us FROM near) \
         SELECT {by}provider, model, team, \
         CASE WHEN outcome IS NULL THEN '{untold}' WHEN outcome = 'client_cancel' THEN '{abandoned}' \
         WHEN outcome <> 'ok' THEN '{failed}' WHEN ttft_us IS NULL THEN '{untimed}' \
         WHEN ttft_us > {objective} THEN '{late}' \
         WHEN conversation_id IS NULL OR fresh_input IS NULL THEN '{alone}' \
         WHEN start_us - answered_us <= {AGAIN_US} THEN '{repeated}' ELSE '{first}' END, \
         COALESCE(finish_reason = 'length', 0), good, conversation_id IS NOT NULL, \
         fresh_input IS NOT NULL AND (output_text IS NOT NULL OR COALESCE(operation, '') = 'embeddings'), \
         cache_read IS NOT NULL, {tier}, COUNT(*), {sums} FROM told LEFT JOIN judged \
         ON judged.request = strftime('%Y%m%d', start_us / 1000000, 'unixepoch') || '-' || id \
         WHERE start_us >= {start} GROUP BY {grouped}"
    )
}

fn talks_sql(by: &[&str], range_us: &Range<i64>) -> String {
    let (start, end) = (range_us.start, range_us.end);
    let columns = listed(by);
    let grouped = (1..=by.len()).map(|at| at.to_string()).collect::<Vec<_>>().join(", ");
    let grouped = if by.is_empty() { String::new() } else { format!(" GROUP BY {grouped}") };
    format!(
        "SELECT {columns}COUNT(DISTINCT conversation_id) FROM request \
         WHERE start_us >= {start} AND start_us < {end}{grouped}"
    )
}

/// Keys as a reader sees them: empty where they are not known.
fn names(keys: &[SqlValue]) -> Vec<String> {
    keys.iter().map(|key| text(key).unwrap_or_default().to_owned()).collect()
}

fn number(value: &SqlValue) -> f64 {
    match value {
        SqlValue::Real(number) => *number,
        other => whole(other) as f64,
    }
}

fn group(row: &[SqlValue], keys: usize) -> Option<CallGroup> {
    let (keys, rest) = row.split_at_checked(keys)?;
    let [
        provider,
        model,
        team,
        fate,
        capped,
        good,
        talk,
        counted,
        cache,
        tier,
        requests,
        sums @ ..,
    ] = rest
    else {
        return None;
    };
    let named = |value: &SqlValue| text(value).filter(|text| !text.is_empty()).map(str::to_owned);
    let fate = Fate::ALL.into_iter().find(|one| Some(one.name()) == text(fate))?;
    let mut tokens = [0.0; RECORDED];
    tokens.iter_mut().zip(sums).for_each(|(place, sum)| *place = number(sum));
    Some(CallGroup {
        keys: names(keys),
        provider: named(provider),
        model: named(model),
        team: named(team),
        fate,
        is_capped: whole(capped) != 0,
        judged: matches!(good, SqlValue::Integer(_)).then(|| whole(good) != 0),
        in_conversation: whole(talk) != 0,
        counted: match (whole(counted) != 0, whole(cache) != 0) {
            (false, _) => Counted::Not,
            (true, false) => Counted::WithoutCache,
            (true, true) => Counted::Whole,
        },
        longer_than: number(tier),
        requests: number(requests),
        tokens,
    })
}
