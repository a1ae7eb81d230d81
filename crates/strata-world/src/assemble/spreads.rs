//! Spreads from the cumulative buckets of histograms.

use std::collections::BTreeMap;

use strata_query::promql::syntax::parse_number;

use super::identity::identity;
use super::rows::{Outcome, Row, at_end, on_grid};
use super::signals::Maker;
use super::unknown::Reasons;
use crate::ask::{Grain, Want};
use crate::entity::EntityId;
use crate::plan;
use crate::recipe::Recipe;
use crate::signal::{SignalDef, Spread, Unknown};
use crate::template;
use crate::window::Window;

/// Rows of one thing by upper edge, in order of edge.
type Buckets<'r, 'a> = Vec<(f64, &'r Row<'a>)>;

impl Maker<'_> {
    /// The spreads of one wish, in order of entity.
    pub(crate) fn spreads(
        &self,
        def: &'static SignalDef,
        recipe: &Recipe,
        want: Want,
    ) -> Vec<Spread> {
        let window = self.ask.window;
        let by_columns = plan::adds_columns(window, want);
        let columns = if want.track {
            let text = plan::text_of(self.ask, def, recipe, want.grain, true);
            self.book.outcome(&text, true)
        } else {
            Outcome::NotAsked
        };
        let query = plan::text_of(self.ask, def, recipe, want.grain, by_columns);
        let whole = (!by_columns).then(|| self.book.outcome(&query, false));
        let query = if by_columns { sum_of_steps(window, &query) } else { query };
        let column_rows = match &columns {
            Outcome::Rows(rows) => by_thing(def, want.grain, rows),
            Outcome::Failed(_) | Outcome::NotAsked => BTreeMap::new(),
        };
        let rows = match whole.as_ref().unwrap_or(&columns) {
            Outcome::Rows(rows) => rows.as_slice(),
            Outcome::Failed(text) => {
                return vec![self.spread(def, query, None, Err(Reasons::failed(text.clone())))];
            }
            Outcome::NotAsked => &[],
        };
        let things = by_thing(def, want.grain, rows);
        if things.is_empty() && want.grain == Grain::Whole {
            let unknown = self.reasons.empty(recipe).about(None);
            return vec![self.spread(def, query, None, Err(unknown))];
        }
        let spreads = things.into_iter().map(|(entity, buckets)| {
            let edges: Vec<f64> = buckets.iter().map(|(edge, _)| *edge).collect();
            let columns = column_rows.get(&entity).map(|rows| self.columns(rows, &edges));
            let columns = columns.unwrap_or_default();
            let counts = if by_columns {
                added(window, &columns, edges.len())
            } else {
                counts(window, &buckets)
            };
            // NaN is never above 0 either.
            let observed = counts.iter().sum::<f64>() > 0.0;
            let unknown = || self.reasons.empty(recipe).about(entity.as_ref());
            let counts = if observed { Ok(counts) } else { Err(unknown()) };
            let mut spread = self.spread(def, query.clone(), entity, counts);
            (spread.edges, spread.columns) = (edges, columns);
            spread
        });
        spreads.collect()
    }

    fn spread(
        &self,
        def: &'static SignalDef,
        query: String,
        entity: Option<EntityId>,
        counts: Result<Vec<f64>, Unknown>,
    ) -> Spread {
        let inputs = def.inputs.iter().filter_map(|metric| self.inputs.get(metric)).cloned();
        Spread {
            def,
            entity,
            edges: Vec::new(),
            newest_ms: if counts.is_ok() { self.newest_of(def) } else { None },
            counts,
            columns: Vec::new(),
            query,
            inputs: inputs.collect(),
        }
    }

    /// Observations of each step. A step shorter than the range it looks back is given its share.
    fn columns(&self, buckets: &Buckets<'_, '_>, edges: &[f64]) -> Vec<Option<Vec<f64>>> {
        let window = self.ask.window;
        let share = window.step_ms as f64 / template::step_range_ms(window) as f64;
        let tracks: Vec<Vec<Option<f64>>> = edges
            .iter()
            .map(|edge| {
                let row = buckets.iter().find(|(known, _)| known == edge);
                row.map(|(_, row)| on_grid(window, &row.points)).unwrap_or_default()
            })
            .collect();
        let columns = (0..window.len()).map(|step| {
            let cumulative: Option<Vec<f64>> =
                tracks.iter().map(|track| track.get(step).copied().flatten()).collect();
            cumulative.map(|cumulative| apart(&cumulative).iter().map(|n| n * share).collect())
        });
        columns.collect()
    }
}

/// Observations of the whole window, by bucket; nothing where one of the buckets says nothing.
fn counts(window: Window, buckets: &Buckets<'_, '_>) -> Vec<f64> {
    let cumulative = buckets.iter().map(|(_, row)| at_end(window, &row.points));
    let cumulative: Option<Vec<f64>> = cumulative.collect();
    cumulative.map(|cumulative| apart(&cumulative)).unwrap_or_default()
}

/// What a reader can ask to get the sum of all steps.
fn sum_of_steps(window: Window, step: &str) -> String {
    let (length_ms, step_ms) = (window.end_ms - window.start_ms + window.step_ms, window.step_ms);
    format!("sum_over_time(({step})[{}s:{}s])", length_ms / 1000, step_ms / 1000)
}

/// The sum of columns that stand side by side. The last one is read at the moment, later than at its
/// step, and stands for the time from the step before it.
fn added(window: Window, columns: &[Option<Vec<f64>>], edges: usize) -> Vec<f64> {
    let since_last = window.moment_ms - window.end_ms + window.step_ms;
    let stretch = since_last as f64 / window.step_ms as f64;
    let mut sums = vec![0.0; edges];
    for (at, column) in columns.iter().enumerate() {
        let weight = if at + 1 == columns.len() { stretch } else { 1.0 };
        for (sum, count) in sums.iter_mut().zip(column.iter().flatten()) {
            *sum += weight * count;
        }
    }
    sums
}

/// Rows by thing and edge; rows without an edge are no buckets.
fn by_thing<'r, 'a>(
    def: &SignalDef,
    grain: Grain,
    rows: &'r [Row<'a>],
) -> BTreeMap<Option<EntityId>, Buckets<'r, 'a>> {
    let mut things: BTreeMap<Option<EntityId>, Buckets<'r, 'a>> = BTreeMap::new();
    for row in rows {
        let Some(edge) = row.labels.get("le").and_then(parse_number) else { continue };
        let entity = match grain {
            Grain::Whole => None,
            Grain::Each => match identity(def.entity, row.labels) {
                Some(id) => Some(id),
                None => continue,
            },
        };
        things.entry(entity).or_default().push((edge, row));
    }
    for buckets in things.values_mut() {
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    things
}

/// Cumulative counts as counts per bucket. Rates of buckets are taken one by one, so a bucket can
/// be a rounding error below the one before it.
fn apart(cumulative: &[f64]) -> Vec<f64> {
    let mut below = 0.0;
    let counts = cumulative.iter().map(|upto| {
        let count = (upto - below).max(0.0);
        below = upto.max(below);
        count
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_sum_of_its_columns() {
        let step_ms = 720_000;
        let end_ms = 2 * step_ms;
        let window = Window {
            start_ms: 0,
            end_ms,
            step_ms,
            moment_ms: end_ms + step_ms / 2,
            now_ms: end_ms,
        };
        let columns = [Some(vec![1.0, 2.0]), None, Some(vec![2.0, 4.0])];
        // The last column stands for a step and a half.
        assert_eq!(added(window, &columns, 2), [4.0, 8.0]);
    }
}
