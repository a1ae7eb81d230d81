//! Differences from Prometheus that are meant, each with its reason. What is not here is a fault.
//!
//! We follow Prometheus 3.x. "Before 3.0" stands for what 2.42 does and 3.5 does not.

use super::{Question, Reply, answer};

/// A kind of random query that a Prometheus may answer differently.
struct Query {
    why: &'static str,
    /// Only by releases before 3.0.
    old: bool,
    applies: fn(query: &str) -> bool,
}

const QUERIES: [Query; 5] = [
    Query {
        // The left edge of windows and subqueries is open since 3.0. Steps of a subquery within a
        // subquery lie on that edge; samples never do (see `data` and `off_edge`).
        why: "a step on the left edge of a subquery counts before 3.0",
        old: true,
        // The colon of a subquery is the only use of one in a generated query.
        applies: |query| query.matches(':').count() > 1,
    },
    Query {
        // 5e42 % 700 is made of digits that an equal number of another rounding has not.
        why: "the remainder of a large number magnifies its last digit",
        old: false,
        applies: |query| query.contains(" % "),
    },
    Query {
        why: "a regression pinned by @ is extrapolated from the time of evaluation before 3.0",
        old: true,
        applies: |query| query.contains("predict_linear") && query.contains('@'),
    },
    Query {
        why: "stddev and stdvar of one infinite or missing number are 0 before 3.0",
        old: true,
        applies: |query| query.contains("stddev") || query.contains("stdvar"),
    },
    Query {
        why: "a counter close to zero is extrapolated further to the left before 3.0",
        old: true,
        applies: |query| query.contains("rate(") || query.contains("increase("),
    },
];

/// Known differences must stay rare, or they hide others: this share of the queries at most.
pub(super) const SHARE_MAX: f64 = 0.03;

/// The reason why `query` may be answered differently by a Prometheus of this release.
pub(super) fn query(release: &str, query: &str) -> Option<&'static str> {
    let relevant = |known: &&Query| (!known.old || before_3(release)) && (known.applies)(query);
    QUERIES.iter().find(relevant).map(|known| known.why)
}

/// The reason why this URL is answered in other bytes by a Prometheus of this release.
pub(super) fn bytes(
    release: &str,
    question: &Question,
    ours: &Reply,
    peer: &Reply,
) -> Option<&'static str> {
    let (Ok(our_json), Ok(peer_json)) = (ours.json(), peer.json()) else { return None };
    if ours.status == peer.status && our_json == peer_json {
        return Some("the same JSON: Go escapes <, > and & in strings");
    }
    let text = question.to_string();
    let (our_error, peer_error) = (our_json["error"].as_str(), peer_json["error"].as_str());
    if let (Some(ours), Some(peer)) = (our_error, peer_error)
        && ours.starts_with("found duplicate series")
        && sorted(ours) == sorted(peer)
    {
        return Some("the two series of a bad match are named in order after 3.5");
    }
    if !before_3(release) {
        let empty = text.contains("query= & ");
        return empty.then_some("an empty query has a position before 3.0 and here");
    }
    if let (Some(ours), Some(peer)) = (our_error, peer_error) {
        return ours.eq_ignore_ascii_case(peer).then_some("a capital letter before 3.0");
    }
    if text.contains("lookback_delta") {
        return Some("lookback_delta is new in 2.43");
    }
    if text.contains(" offset 5 ") {
        return Some("durations may be numbers since 3.0");
    }
    let sums = text.contains("sum") && answer::difference(&our_json, &peer_json).is_none();
    sums.then_some("sums are less exact before 3.0")
}

fn sorted(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes
}

fn before_3(release: &str) -> bool {
    release.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|n| n < 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_releases_are_excused() {
        let check = |release: &str, text: &str, known: bool| {
            assert_eq!(query(release, text).is_some(), known, "{release} {text}");
        };
        check("2.42.0", "sum(rate(x[5m]))", true);
        check("3.5.3", "a % b", true);
        check("2.42.0", "sum(x)", false);
        check("2.42.0", "max_over_time((x)[5m:1m])", false);
        check("2.42.0", "max_over_time((max_over_time((x)[5m:1m]))[5m:1m])", true);
        check("3.5.3", "sum(rate(x[5m]))", false);
        check("10.0.0", "sum(rate(x[5m]))", false);
    }
}
