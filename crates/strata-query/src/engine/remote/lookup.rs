//! What exists in the engine, remembered for a while: look-ups that make canonical names into text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strata_model::catalog::Catalog;
use strata_model::{Clock, Labels, Matcher};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;

use super::http::{Http, Parameters, internal};
use super::wire;
use crate::canonical::text::{Facts, Found, Unsupported, Want, rewrite};
use crate::engine::{QueryError, QueryErrorKind};
use crate::promql::syntax::{Expr, quote};

/// Spans of time are widened to whole days, so that the questions of one day share what is known.
const DAY_MS: i64 = 86_400_000;
/// Spans that are remembered.
const SPANS_MAX: usize = 16;
/// Rounds of look-ups one query may need: labels and values in the first, what they open in a second.
const ROUNDS_MAX: usize = 4;
/// Longest time for one look-up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of one span, and since when.
#[derive(Default)]
struct Entry {
    known: Option<(Duration, Facts)>,
}

type Shared = Arc<AsyncMutex<Entry>>;

/// Remembers what exists.
pub(super) struct Lookups {
    http: Arc<Http>,
    catalog: &'static Catalog,
    clock: Arc<dyn Clock>,
    refresh: Duration,
    spans: Mutex<BTreeMap<(i64, i64), Shared>>,
}

impl Lookups {
    pub(super) fn new(
        http: Arc<Http>,
        catalog: &'static Catalog,
        clock: Arc<dyn Clock>,
        refresh: Duration,
    ) -> Self {
        Self { http, catalog, clock, refresh, spans: Mutex::default() }
    }

    /// `expr` over the names that the engine has between two times.
    pub(super) async fn rewritten(
        &self,
        expr: &Expr,
        (start_ms, end_ms): (i64, i64),
    ) -> Result<Result<Expr, Unsupported>, QueryError> {
        let span = (days_down(start_ms), days_up(end_ms));
        let entry = self.entry(span);
        for _ in 0..ROUNDS_MAX {
            let wanted = {
                let mut entry = entry.lock().await;
                let facts = self.fresh(&mut entry, span).await?;
                let result = rewrite(expr, self.catalog, facts);
                let wanted = facts.take_wanted();
                if wanted.is_empty() {
                    return Ok(result);
                }
                wanted
            };
            // Others may ask meanwhile.
            let found = self.find_all(wanted, span).await?;
            let mut entry = entry.lock().await;
            let facts = self.fresh(&mut entry, span).await?;
            for (want, found) in found {
                facts.learn(want, found);
            }
        }
        let message = "what exists in the engine changes faster than it can be looked up";
        Err(internal(message.to_owned()))
    }

    /// Whether a family exists between two times.
    pub(super) async fn exists(&self, family: &str, span: (i64, i64)) -> Result<bool, QueryError> {
        let span = (days_down(span.0), days_up(span.1));
        let entry = self.entry(span);
        let mut entry = entry.lock().await;
        Ok(self.fresh(&mut entry, span).await?.exists(family))
    }

    fn entry(&self, span: (i64, i64)) -> Shared {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if !spans.contains_key(&span) && spans.len() >= SPANS_MAX {
            // The oldest span is asked about the least.
            spans.pop_first();
        }
        Arc::clone(spans.entry(span).or_default())
    }

    /// The facts of a span, looked up when there are none or they are old.
    async fn fresh<'e>(
        &self,
        entry: &'e mut Entry,
        span: (i64, i64),
    ) -> Result<&'e mut Facts, QueryError> {
        let now = self.clock.monotonic();
        let old = entry
            .known
            .as_ref()
            .is_none_or(|(since, _)| now.saturating_sub(*since) >= self.refresh);
        if old {
            let names = label_values(&self.http, "__name__", &[], span, LOOKUP_TIMEOUT).await?;
            // An engine without data has just been started: look again next time.
            let since = if names.is_empty() { Duration::ZERO } else { now };
            entry.known = Some((since, Facts::new(names.into_iter().collect())));
        }
        match &mut entry.known {
            Some((_, facts)) => Ok(facts),
            None => Err(internal("nothing was looked up".to_owned())),
        }
    }

    async fn find_all(
        &self,
        wanted: BTreeSet<Want>,
        span: (i64, i64),
    ) -> Result<Vec<(Want, Found)>, QueryError> {
        let mut tasks = JoinSet::new();
        for want in wanted {
            let http = Arc::clone(&self.http);
            tasks.spawn(async move {
                let found = find(&http, &want, span).await?;
                Ok::<_, QueryError>((want, found))
            });
        }
        let mut found = Vec::new();
        while let Some(outcome) = tasks.join_next().await {
            found.push(outcome.map_err(|error| internal(format!("a look-up ended: {error}")))??);
        }
        Ok(found)
    }
}

fn days_down(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS)
}

fn days_up(at_ms: i64) -> i64 {
    days_down(at_ms.saturating_add(DAY_MS - 1))
}

async fn find(http: &Http, want: &Want, span: (i64, i64)) -> Result<Found, QueryError> {
    let set = |family: &str| [vec![Matcher::equal("__name__", family)]];
    Ok(match want {
        Want::Labels { family } => {
            let names = label_names(http, &set(family), span, LOOKUP_TIMEOUT).await?;
            Found::Labels(names.into_iter().collect())
        }
        Want::Edges { family } => {
            Found::Edges(label_values(http, "le", &set(family), span, LOOKUP_TIMEOUT).await?)
        }
        Want::Tuples { family, labels } => {
            let series = series(http, &set(family), span, 0, LOOKUP_TIMEOUT).await?;
            let tuple = |one: &Labels| -> Vec<String> {
                labels.iter().map(|name| one.get(name).unwrap_or("").to_owned()).collect()
            };
            let tuples: BTreeSet<Vec<String>> = series.iter().map(tuple).collect();
            Found::Tuples(tuples.into_iter().collect())
        }
    })
}

/// Label sets of the series that match any of `sets`; all series need one set that says so.
pub(super) async fn series(
    http: &Http,
    sets: &[Vec<Matcher>],
    span: (i64, i64),
    limit: usize,
    timeout: Duration,
) -> Result<Vec<Labels>, QueryError> {
    let mut parameters = parameters(sets, span);
    if sets.is_empty() {
        parameters.push(("match[]", "{__name__!=\"\"}".to_owned()));
    }
    if limit > 0 {
        // Engines that do not know it send more, which is cut.
        parameters.push(("limit", limit.to_string()));
    }
    let (rows, _) =
        http.ask::<Vec<BTreeMap<String, String>>>("series", &parameters, timeout).await?;
    let mut series: Vec<Labels> = rows.iter().map(wire::labels).collect();
    series.sort_unstable();
    series.dedup();
    if limit > 0 {
        series.truncate(limit);
    }
    Ok(series)
}

/// Sorted names of the labels of series that match any of `sets`.
pub(super) async fn label_names(
    http: &Http,
    sets: &[Vec<Matcher>],
    span: (i64, i64),
    timeout: Duration,
) -> Result<Vec<String>, QueryError> {
    let (names, _) = http.ask::<Vec<String>>("labels", &parameters(sets, span), timeout).await?;
    Ok(sorted(names))
}

/// Sorted values of one label of series that match any of `sets`.
pub(super) async fn label_values(
    http: &Http,
    name: &str,
    sets: &[Vec<Matcher>],
    span: (i64, i64),
    timeout: Duration,
) -> Result<Vec<String>, QueryError> {
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain {
        let message = format!("invalid label name: {}", quote(name));
        return Err(QueryError::new(QueryErrorKind::BadData, message));
    }
    let path = format!("label/{name}/values");
    let (values, _) = http.ask::<Vec<String>>(&path, &parameters(sets, span), timeout).await?;
    Ok(sorted(values))
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// `match[]`, `start` and `end`. Times at the ends of all time are left out.
fn parameters(sets: &[Vec<Matcher>], (start_ms, end_ms): (i64, i64)) -> Parameters {
    let mut parameters: Parameters =
        sets.iter().map(|set| ("match[]", selector_text(set))).collect();
    for (name, at_ms) in [("start", start_ms), ("end", end_ms)] {
        if at_ms > i64::MIN / 2 && at_ms < i64::MAX / 2 {
            parameters.push((name, seconds(at_ms)));
        }
    }
    parameters
}

/// A selector with these conditions.
pub(super) fn selector_text(matchers: &[Matcher]) -> String {
    let parts: Vec<String> = matchers
        .iter()
        .map(|matcher| {
            let op = match matcher.op {
                strata_model::MatchOp::Equal => "=",
                strata_model::MatchOp::NotEqual => "!=",
                strata_model::MatchOp::Regex => "=~",
                strata_model::MatchOp::NotRegex => "!~",
            };
            format!("{}{op}{}", matcher.name, quote(&matcher.value))
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// A time as the API takes it: seconds with three digits.
pub(super) fn seconds(at_ms: i64) -> String {
    let sign = if at_ms < 0 { "-" } else { "" };
    let at = at_ms.unsigned_abs();
    format!("{sign}{}.{:03}", at / 1000, at % 1000)
}
