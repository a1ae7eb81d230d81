//! Two models side by side: reading what each was asked, judged and paid for.

use std::ops::{Range, RangeInclusive};

use serde_json::{Value as Json, json};
use strata_cost::unit::models;
use strata_diagnose::compare::interval::Interval;
use strata_diagnose::compare::{Compared, Comparison, Margins, Measured, Side, Terms, compare};
use strata_model::record::{Compare, Field, Filter, SampleQuery, SqlValue};
use strata_serve::Report;
use strata_view::rooms::Told;
use strata_view::{PageError, PageRequest};

use super::asked::{Asked, bad};
use super::story::SAMPLES_MAX;
use super::{RecordService, json as report};
use crate::ledger::LedgerService;

/// What a margin of shares may be.
pub(crate) const MARGIN: RangeInclusive<f64> = 0.001..=0.5;
/// Scores of which a question may say that less is better.
pub(crate) const SCORES_MAX: usize = 32;
/// Judgements of a model that are read.
const JUDGEMENTS_MAX: usize = 200_000;

impl RecordService {
    /// The two models of a page, where both are chosen.
    pub(super) async fn compared(
        &self,
        request: &PageRequest,
        range_us: Range<i64>,
    ) -> Result<Told, PageError> {
        let model = |id: &Option<String>| match id {
            None => Ok(None),
            Some(id) => match id.strip_prefix("model:").filter(|name| !name.is_empty()) {
                Some(name) => Ok(Some(name.to_owned())),
                None => Err(bad(format!("{id:?} is no model"), "write model:NAME")),
            },
        };
        let (Some(a), Some(b)) = (model(&request.entity)?, model(&request.against)?) else {
            return Ok(Told::Nothing);
        };
        let terms = Terms { less_is_better: self.less_is_better.clone(), ..Terms::default() };
        let comparison = self.sides(a, b, range_us, terms).await?;
        let currency = self.currency.clone();
        Ok(Told::Compared { comparison: Box::new(comparison), currency })
    }

    /// `GET /api/v1/requests/compare`
    pub(super) async fn comparison(&self, asked: &Asked) -> Result<Report, PageError> {
        let (a, b) = (asked.needed("a")?.to_owned(), asked.needed("b")?.to_owned());
        let mut margins = Margins::default();
        margins.share = asked.number("margin", MARGIN)?.unwrap_or(margins.share);
        let less = asked.all("less_is_better");
        if less.len() > SCORES_MAX {
            return Err(bad(format!("more than {SCORES_MAX} names in less_is_better"), ""));
        }
        let mut less_is_better = self.less_is_better.clone();
        less_is_better.extend(less.iter().cloned());
        let terms = Terms { margins, less_is_better };
        let found = self.sides(a, b, asked.range_us.clone(), terms).await?;
        Ok(report(&document(&found, &asked.range_us, &self.currency)))
    }

    async fn sides(
        &self,
        a: String,
        b: String,
        range_us: Range<i64>,
        terms: Terms,
    ) -> Result<Comparison, PageError> {
        if a == b {
            return Err(bad(format!("{a:?} is compared with itself"), "give two models"));
        }
        let (first, second) = tokio::join!(self.side(a, &range_us), self.side(b, &range_us));
        let (mut first, mut second) = (first?, second?);
        self.priced([&mut first, &mut second], &range_us).await;
        let compared = tokio::task::spawn_blocking(move || compare(&first, &second, &terms));
        compared.await.map_err(|error| crate::pages::internal(&error.to_string()))
    }

    async fn side(&self, model: String, range_us: &Range<i64>) -> Result<Side, PageError> {
        let value = SqlValue::Text(model.clone());
        let filters = vec![Filter { field: Field::Model, compare: Compare::Equal, value }];
        let range_us = range_us.clone();
        self.ask(move |source| {
            let query = SampleQuery {
                range_us: range_us.clone(),
                filters,
                by: Some(Field::App),
                most: SAMPLES_MAX,
            };
            let samples = source.samples(&query)?;
            // One more, to know whether there are more.
            let mut judgements = source.judgements(&model, range_us, JUDGEMENTS_MAX + 1)?;
            let judgements_cut = judgements.len() > JUDGEMENTS_MAX;
            judgements.truncate(JUDGEMENTS_MAX);
            let (matching, samples) = (samples.matching, samples.rows);
            Ok(Side { model, samples, matching, judgements, judgements_cut, cost: None })
        })
        .await
    }

    /// What a useful token of each cost in that time.
    async fn priced(&self, sides: [&mut Side; 2], range_us: &Range<i64>) {
        let Some(ledger) = &self.ledger else { return };
        let ms = |us: i64| us.div_euclid(1_000);
        let period = LedgerService::period(ms(range_us.start), ms(range_us.end));
        let account = ledger.account(period).await;
        let units = models(&account.ledger, &ledger.settings.energy);
        let level = account.ledger.options.level;
        for side in sides {
            let of = units.iter().find(|one| one.model == side.model);
            let cost = of.map(|one| one.per_useful_token.get(level.place()).copied().flatten());
            side.cost = Some(match cost {
                None => Err("no GPU is known to serve it".to_owned()),
                Some(None) => {
                    Err("its GPUs have no price, or its tokens are not counted".to_owned())
                }
                Some(Some(cost)) => Ok(cost.cost),
            });
        }
    }
}

fn document(found: &Comparison, range_us: &Range<i64>, currency: &str) -> Json {
    let measures: Vec<Json> = found.measures.iter().map(|one| measure(one, currency)).collect();
    let mix = found.mix.lines.iter().map(|line| {
        json!({ "name": line.name, "unit": line.unit, "a": line.a, "b": line.b, "alike": line.apart.map(|apart| !apart) })
    });
    json!({
        "start_us": range_us.start,
        "end_us": range_us.end,
        "a": found.a,
        "b": found.b,
        "margins": { "share": found.margins.share, "relative": found.margins.relative },
        "answer": {
            "can_move": found.answer.can.name(),
            "reasons": found.answer.reasons,
            "judgements_needed": found.answer.judgements_needed,
        },
        "measures": measures,
        "mix": mix.collect::<Vec<_>>(),
        "apps_apart": found.mix.apps_apart,
        "notes": found.notes,
    })
}

fn measure(one: &Compared, currency: &str) -> Json {
    let interval = |found: Option<Interval>| {
        found.map(|found| json!({ "value": found.estimate, "low": found.low, "high": found.high }))
    };
    let side = |side: Measured| json!({ "value": interval(side.value), "count": side.count });
    json!({
        "name": one.measure.name(),
        "unit": one.measure.unit().replace("{currency}", currency),
        "a": side(one.a),
        "b": side(one.b),
        "difference": interval(one.difference),
        "margin": one.margin,
        "better": one.measure.better().name(),
        "verdict": one.verdict.words().replace(' ', "_"),
        "why": one.why,
        "method": one.measure.method(),
    })
}
