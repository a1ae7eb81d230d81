//! One request, and the slowest of many.

use std::ops::Range;

use serde_json::{Value as Json, json};
use strata_model::record::{
    Compare, Field, Filter, Order, RecordQuery, RequestRecord, SampleQuery, SqlValue,
};
use strata_serve::{Report, request_json};
use strata_view::rooms::{Place, Slowest, Story};
use strata_view::{PageError, PageErrorCode};
use strata_world::requests::anatomy::{Anatomy, Times};
use strata_world::requests::breakdown::{QUANTILES, breakdown};

use super::asked::{Asked, bad};
use super::{RecordService, json as report, place};

/// Requests among which the slowest by each part are looked for.
const SLOWEST_MAX: usize = 200;
/// Samples for percentiles.
pub(super) const SAMPLES_MAX: usize = 100_000;

/// Things that requests can be narrowed to, by the kinds of their ids.
const NARROWING: [(&str, Field); 6] = [
    ("model", Field::Model),
    ("tenant", Field::Tenant),
    ("team", Field::Team),
    ("app", Field::App),
    ("replica", Field::Replica),
    ("route", Field::Route),
];

/// The condition that an id `kind:key` stands for.
pub(super) fn narrowed(entity: Option<&str>) -> Result<Vec<Filter>, PageError> {
    let Some(entity) = entity else { return Ok(Vec::new()) };
    let parts = entity.split_once(':').filter(|(_, key)| !key.is_empty());
    let known = parts.and_then(|(kind, key)| {
        let (_, field) = NARROWING.iter().find(|(known, _)| *known == kind)?;
        Some((*field, key.to_owned()))
    });
    let Some((field, key)) = known else {
        let kinds = NARROWING.map(|(kind, _)| kind).join(", ");
        let hint = format!("write kind:key, of the kinds {kinds}");
        return Err(bad(format!("requests are not told apart by {entity:?}"), &hint));
    };
    Ok(vec![Filter { field, compare: Compare::Equal, value: SqlValue::Text(key) }])
}

impl RecordService {
    /// The slowest requests of a time, and what the time of all is made of.
    pub(super) async fn slowest(
        &self,
        filters: Vec<Filter>,
        range_us: Range<i64>,
    ) -> Result<Slowest, PageError> {
        self.ask(move |source| {
            let query = RecordQuery {
                range_us: range_us.clone(),
                filters: filters.clone(),
                order: Order::Slowest,
                limit: SLOWEST_MAX,
            };
            let requests = source.requests(&query)?;
            let samples =
                source.samples(&SampleQuery { range_us, filters, by: None, most: SAMPLES_MAX })?;
            Ok(Slowest {
                requests,
                segments: breakdown(&samples.rows),
                matching: samples.matching,
                taken: samples.rows.len() as u64,
            })
        })
        .await
    }

    /// One request with what was around it.
    pub(super) async fn story(&self, uid: &str) -> Result<Story, PageError> {
        let id = uid.to_owned();
        let found = self.ask(move |source| source.request(&id)).await?;
        let Some(request) = found else {
            return Err(PageError {
                code: PageErrorCode::NotFound,
                message: format!("there is no request {uid:?}"),
                hint: "strata requests lists them; old ones are removed, see records.retention"
                    .to_owned(),
            });
        };
        let record = &request.stored.record;
        let end_us = record.end_us.unwrap_or(record.start_us);
        let (mut neighbors, mut place) = (None, Place::default());
        if let Some(replica) = record.replica.clone() {
            let range_us = record.start_us..end_us.max(record.start_us + 1);
            let (name, ended) = (replica.clone(), record.end_us.is_some());
            let all = self.ask(move |source| source.under_way(&name, range_us)).await?;
            // It is among them itself, once it has an end.
            neighbors = Some(all.saturating_sub(u64::from(ended)));
            let ms = (record.start_us.div_euclid(1_000), end_us.div_euclid(1_000));
            place = place::of(&replica, ms, &self.engine, &self.clock).await;
        }
        Ok(Story { request, neighbors, place })
    }

    /// `GET /api/v1/requests/one`
    pub(super) async fn one(&self, asked: &Asked) -> Result<Report, PageError> {
        let story = self.story(asked.needed("id")?).await?;
        let stored = &story.request.stored;
        let Place { replica, gpus, why } = &story.place;
        let gpus = gpus.iter().map(|(id, name, confidence)| {
            json!({ "id": id.to_string(), "name": name, "confidence": confidence })
        });
        Ok(report(&json!({
            "request": request_json(stored),
            "parts": parts(&stored.record),
            "contradicts": Anatomy::of(Times::from(&stored.record)).contradicts,
            "neighbors": story.neighbors,
            "replica": replica.as_ref().map(|(id, name)| {
                json!({ "id": id.to_string(), "name": name })
            }),
            "gpus": gpus.collect::<Vec<_>>(),
            "why": why,
            "sightings": story.request.sightings,
        })))
    }

    /// `GET /api/v1/requests/parts`
    pub(super) async fn parted(&self, asked: &Asked) -> Result<Report, PageError> {
        let filters = asked.filters()?;
        let found = self.slowest(filters, asked.range_us.clone()).await?;
        let segments = found.segments.iter().map(|line| {
            let quantiles = QUANTILES.iter().zip(line.quantiles);
            let quantiles = quantiles
                .map(|(q, seconds)| (format!("p{:.0}_seconds", q * 100.0), json!(seconds)));
            json!({
                "part": line.segment.name().replace(' ', "_"),
                "told_by": line.told,
                "longest_of": line.longest_of,
                "share": line.share,
                "quantiles": quantiles.collect::<serde_json::Map<_, _>>(),
            })
        });
        let slowest = found.requests.iter().map(|one| {
            let anatomy = Anatomy::of(Times::from(&one.record));
            json!({
                "longest_part": anatomy.dominant().map(|part| part.name().replace(' ', "_")),
                "request": request_json(one),
            })
        });
        Ok(report(&json!({
            "start_us": asked.range_us.start,
            "end_us": asked.range_us.end,
            "matching": found.matching,
            "taken": found.taken,
            "parts": segments.collect::<Vec<_>>(),
            "slowest": slowest.collect::<Vec<_>>(),
        })))
    }
}

fn parts(record: &RequestRecord) -> Vec<Json> {
    let anatomy = Anatomy::of(Times::from(record));
    let part = |(segment, took): &(strata_world::requests::anatomy::Segment, Option<i64>)| json!({ "part": segment.name().replace(' ', "_"), "took_us": took, "what": segment.definition() });
    anatomy.parts.iter().map(part).collect()
}
