//! `/metadata`: what is known about metric families.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use strata_model::Metadata;
use strata_query::Annotations;

use super::admission::admitted;
use crate::body::read_params;
use crate::json::envelope::{ApiError, success};
use crate::json::text::push_string;
use crate::params::{Params, parse_integer};
use crate::state::App;

/// `/api/v1/metadata`
pub(crate) async fn metadata(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    let families_max = bound(&params, "limit")?;
    // Prometheus takes zero here as "no bound", other than for `limit`.
    let entries_max = bound(&params, "limit_per_metric")?.filter(|bound| *bound > 0);
    let engine = &app.parts.engine;
    let found = admitted(&app, app.settings.query_timeout, ApiError::from, |_| engine.metadata());
    let (mut entries, _) = found.await?;
    let metric = params.get("metric");
    if !metric.is_empty() {
        entries.retain(|entry| entry.family == metric);
    }
    Ok(success(&Annotations::default(), |buffer| {
        push_families(buffer, &entries, families_max, entries_max);
    }))
}

/// A bound; negative or absent means none.
fn bound(params: &Params, name: &str) -> Result<Option<usize>, ApiError> {
    let text = params.get(name);
    if text.is_empty() {
        return Ok(None);
    }
    let number = parse_integer(text)
        .map_err(|_problem| ApiError::bad_data(format!("{name} must be a number")))?;
    Ok(usize::try_from(number).ok())
}

/// `{"family":[{"type":..,"help":..,"unit":..}],..}`; entries of one family stand together.
fn push_families(
    buffer: &mut Vec<u8>,
    entries: &[Metadata],
    families_max: Option<usize>,
    entries_max: Option<usize>,
) {
    buffer.push(b'{');
    let families = entries.chunk_by(|a, b| a.family == b.family);
    for (index, family) in families.take(families_max.unwrap_or(usize::MAX)).enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        push_string(buffer, &family[0].family);
        buffer.extend_from_slice(b":[");
        for (index, entry) in family.iter().take(entries_max.unwrap_or(usize::MAX)).enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            buffer.extend_from_slice(br#"{"type":"#);
            push_string(buffer, entry.kind.name());
            buffer.extend_from_slice(br#","help":"#);
            push_string(buffer, &entry.help);
            buffer.extend_from_slice(br#","unit":"#);
            push_string(buffer, &entry.unit);
            buffer.push(b'}');
        }
        buffer.push(b']');
    }
    buffer.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::MetricKind;

    #[test]
    fn bounds_count_families_and_entries() {
        let entry = |family: &str, help: &str| Metadata {
            family: family.to_owned(),
            kind: MetricKind::Gauge,
            unit: String::new(),
            help: help.to_owned(),
        };
        let entries = [entry("a", "1"), entry("a", "2"), entry("b", "3")];
        let check = |families, per_family, expected: &str| {
            let mut buffer = Vec::new();
            push_families(&mut buffer, &entries, families, per_family);
            assert_eq!(String::from_utf8(buffer).unwrap(), expected);
        };
        check(Some(0), None, "{}");
        check(Some(1), Some(1), r#"{"a":[{"type":"gauge","help":"1","unit":""}]}"#);
        check(
            None,
            Some(1),
            r#"{"a":[{"type":"gauge","help":"1","unit":""}],"b":[{"type":"gauge","help":"3","unit":""}]}"#,
        );
    }
}
