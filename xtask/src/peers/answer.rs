//! Two answers of the query API, compared as values: any order of series, numbers to a tolerance.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// Largest relative difference of two equal numbers: sums in another order differ by 1e-16 for each
/// term, and no answer here sums more than a million.
const TOLERANCE: f64 = 1e-9;

/// What is different between two answers, if anything.
pub(super) fn difference(ours: &Json, peer: &Json) -> Option<String> {
    for key in ["status", "errorType"] {
        if ours[key] != peer[key] {
            return Some(format!("{key}: {} and {}", summary(ours), summary(peer)));
        }
    }
    let (ours, peer) = (&ours["data"], &peer["data"]);
    if ours["resultType"] != peer["resultType"] {
        return Some(format!("resultType: {} and {}", ours["resultType"], peer["resultType"]));
    }
    match ours["resultType"].as_str() {
        Some("vector" | "matrix") => series_difference(&ours["result"], &peer["result"]),
        _ => points_difference(&ours["result"], &peer["result"]),
    }
}

/// The status and message of an answer.
fn summary(answer: &Json) -> String {
    match answer["error"].as_str() {
        Some(error) => format!("{} ({error})", answer["errorType"]),
        None => answer["status"].to_string(),
    }
}

fn series_difference(ours: &Json, peer: &Json) -> Option<String> {
    let (ours, peer) = (by_labels(ours), by_labels(peer));
    for (labels, points) in &ours {
        let Some(others) = peer.get(labels) else { return Some(format!("only we have {labels}")) };
        if let Some(difference) = points_difference(points, others) {
            return Some(format!("{labels}: {difference}"));
        }
    }
    let missing = peer.keys().find(|labels| !ours.contains_key(*labels));
    missing.map(|labels| format!("we lack {labels}"))
}

/// The label set of a series as text, the same whatever the order of its keys.
pub(super) fn labels(series: &Json) -> String {
    let pairs = series["metric"].as_object().into_iter().flatten();
    let pairs: BTreeMap<_, _> = pairs.map(|(name, value)| (name, value.to_string())).collect();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Points of each series.
fn by_labels(result: &Json) -> BTreeMap<String, &Json> {
    let series = result.as_array().into_iter().flatten();
    let entry = |one| -> (String, &Json) {
        let one: &Json = one;
        let points = if one["values"].is_null() { &one["value"] } else { &one["values"] };
        (labels(one), points)
    };
    series.map(entry).collect()
}

/// Arrays of arrays down to times, which must be equal, and numbers written as strings.
fn points_difference(ours: &Json, peer: &Json) -> Option<String> {
    match (ours, peer) {
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| points_difference(a, b))
        }
        (Json::Array(a), Json::Array(b)) => Some(format!("{} and {} points", a.len(), b.len())),
        (Json::Number(a), Json::Number(b)) if a.as_f64() == b.as_f64() => None,
        (Json::String(a), Json::String(b)) if same_number(a, b) => None,
        _ => Some(format!("{ours} and {peer}")),
    }
}

fn same_number(ours: &str, peer: &str) -> bool {
    if ours == peer {
        return true;
    }
    let (Ok(ours), Ok(peer)) = (ours.parse::<f64>(), peer.parse::<f64>()) else { return false };
    (ours - peer).abs() <= TOLERANCE * ours.abs().max(peer.abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_last_digits_do_not_matter_but_everything_else_does() {
        let answer = |result: Json| json!({"status": "success", "data": {"resultType": "vector", "result": result}});
        let one = |job: &str, value: &str| json!({"metric": {"job": job}, "value": [1.5, value]});
        let base = answer(json!([one("a", "1"), one("b", "NaN")]));
        let check = |other: Json, same: bool| {
            assert_eq!(difference(&base, &other).is_none(), same, "{other}");
        };
        check(answer(json!([one("b", "NaN"), one("a", "1.0000000001")])), true);
        check(answer(json!([one("b", "NaN"), one("a", "1.00000001")])), false);
        check(answer(json!([one("b", "+Inf"), one("a", "1")])), false);
        check(answer(json!([one("a", "1")])), false);
        check(answer(json!([one("a", "1"), one("b", "NaN"), one("c", "1")])), false);
        check(json!({"status": "error", "errorType": "execution", "error": "x"}), false);
    }
}
