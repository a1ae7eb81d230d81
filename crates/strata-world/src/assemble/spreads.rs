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
        let query = plan::text_of(self.ask, def, recipe, want.grain, false);
        let outcome = self.book.outcome(&query, false);
        let columns = if want.track {
            let text = plan::text_of(self.ask, def, recipe, want.grain, true);
            self.book.outcome(&text, true)
        } else {
            Outcome::NotAsked
        };
        let column_rows = match &columns {
            Outcome::Rows(rows) => by_thing(def, want.grain, rows),
            Outcome::Failed(_) | Outcome::NotAsked => BTreeMap::new(),
        };
        let rows = match outcome {
            Outcome::Rows(rows) => rows,
            Outcome::Failed(text) => {
                return vec![self.spread(def, query, None, Err(Reasons::failed(text)))];
            }
            Outcome::NotAsked => Vec::new(),
        };
        let things = by_thing(def, want.grain, &rows);
        if things.is_empty() && want.grain == Grain::Whole {
            let unknown = self.reasons.empty(recipe).about(None);
            return vec![self.spread(def, query, None, Err(unknown))];
        }
        let spreads = things.into_iter().map(|(entity, buckets)| {
            let counts = self.counts(&buckets, recipe, entity.as_ref());
            let mut spread = self.spread(def, query.clone(), entity.clone(), counts);
            spread.edges = buckets.iter().map(|(edge, _)| *edge).collect();
            if let Some(rows) = column_rows.get(&entity) {
                spread.columns = self.columns(rows, &spread.edges);
            }
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

    fn counts(
        &self,
        buckets: &Buckets<'_, '_>,
        recipe: &Recipe,
        entity: Option<&EntityId>,
    ) -> Result<Vec<f64>, Unknown> {
        let window = self.ask.window;
        let cumulative: Option<Vec<f64>> =
            buckets.iter().map(|(_, row)| at_end(window, &row.points)).collect();
        let counts = cumulative.map(|cumulative| apart(&cumulative)).unwrap_or_default();
        // NaN is never above 0 either.
        let observed = counts.iter().sum::<f64>();
        if observed > 0.0 { Ok(counts) } else { Err(self.reasons.empty(recipe).about(entity)) }
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
