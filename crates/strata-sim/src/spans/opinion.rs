//! What people think of answers: a thumb up or down for a few of a hundred, the less kind the
//! longer they waited for the first word.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::attributes::{List, scope};
use super::story::{Fate, Story};
use super::{Seen, Witness};
use crate::workload::TenantPlace;

/// Chance that a person says anything.
const SAID: f64 = 0.03;
/// Seconds until they do, in the mean.
const AFTER: f64 = 12.0;
/// Chance that an answer without a wait is disliked, and what each second of waiting adds to it.
const DISLIKED: f64 = 0.12;
const DISLIKED_PER_SECOND: f64 = 0.1;
/// No wait makes everybody dislike an answer.
const DISLIKED_MOST: f64 = 0.9;
/// Nobody reads what agents get.
const WITHOUT_PEOPLE: &str = "agents";

/// What somebody thought of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// When it was given, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The id in the answer.
    pub response_id: String,
    pub liked: bool,
    /// The program that it was given in.
    pub app: &'static str,
}

pub(super) fn of(
    witness: &Witness,
    seen: &Seen,
    story: &Story,
    place: &TenantPlace,
) -> Option<Opinion> {
    let mut rng = story.later.clone();
    let first = seen.ended.first_token?;
    let answered = matches!(story.fate, Fate::Answered(_));
    if !answered || place.name == WITHOUT_PEOPLE || !rng.chance(SAID) {
        return None;
    }
    let waited = first - seen.ended.ask.arrival + seen.way;
    let disliked = (DISLIKED + DISLIKED_PER_SECOND * waited).min(DISLIKED_MOST);
    let liked = !rng.chance(disliked);
    let at = seen.ended.end + seen.way + rng.exponential(AFTER);
    let at_ms = witness.start_ms + (at * 1e3).ceil() as i64;
    Some(Opinion { at_ms, response_id: story.response_id.clone(), liked, app: place.name })
}

impl Opinion {
    /// Opinions as the body of an OTLP export of logs (`ExportLogsServiceRequest` in protobuf): the
    /// event `gen_ai.evaluation.result`, which says when each was given.
    pub fn log_export(opinions: &[Self]) -> Vec<u8> {
        let record = |one: &Self| LogRecord {
            time_unix_nano: u64::try_from(one.at_ms).unwrap_or(0) * 1_000_000,
            event_name: "gen_ai.evaluation.result".to_owned(),
            attributes: List::default()
                .text("gen_ai.evaluation.name", "user_feedback")
                .number("gen_ai.evaluation.score.value", f64::from(u8::from(one.liked)))
                .text("gen_ai.response.id", one.response_id.as_str())
                .0,
            ..LogRecord::default()
        };
        let resource = |app: &str| Resource {
            attributes: List::default().text("service.name", app).0,
            ..Resource::default()
        };
        let mut apps: Vec<&str> = opinions.iter().map(|one| one.app).collect();
        apps.sort_unstable();
        apps.dedup();
        let each = apps.into_iter().map(|app| {
            let of_app = opinions.iter().filter(|one| one.app == app);
            let scope_logs = ScopeLogs {
                scope: Some(scope(app)),
                log_records: of_app.map(record).collect(),
                ..ScopeLogs::default()
            };
            ResourceLogs {
                resource: Some(resource(app)),
                scope_logs: vec![scope_logs],
                ..ResourceLogs::default()
            }
        });
        ExportLogsServiceRequest { resource_logs: each.collect() }.encode_to_vec()
    }
}
