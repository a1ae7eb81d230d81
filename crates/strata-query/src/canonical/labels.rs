//! From canonical matchers to the source's, and from the source's labels to canonical ones.

use strata_model::catalog::Expansion;
use strata_model::{Labels, METRIC_NAME, MatchOp, Matcher};

use super::value;

/// The label that the model of an engine is under.
pub(super) const MODEL: &str = "model";

/// The label with the upper edge of a classic bucket.
pub(super) const EDGE: &str = "le";

/// What canonical matchers become for one source.
pub(super) enum Translated {
    Matchers {
        matchers: Vec<Matcher>,
        /// Whether they select no more than was asked for: [`all_match`] need not look again.
        exact: bool,
    },
    /// A constant label of the mapping rules the source out.
    Never,
}

/// The source's matchers for a canonical selection. They select a superset where a condition
/// cannot be said in the source's terms; [`all_match`] decides in the end.
pub(super) fn translate(matchers: &[Matcher], expansion: &Expansion) -> Translated {
    let mut translated = vec![Matcher::equal(METRIC_NAME, expansion.metric.clone())];
    translated.extend(expansion.matchers.iter().cloned());
    // More conditions on the name are about the canonical one.
    let names = matchers.iter().filter(|matcher| matcher.name == METRIC_NAME).count();
    let mut exact = names == 1 && !expansion.asks_model && value::keeps_labels(expansion);
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        if let Some((_, constant)) =
            expansion.constants.iter().find(|(name, _)| *name == matcher.name)
        {
            if !matcher.matches(constant) {
                return Translated::Never;
            }
        } else if scaled_edge(matcher, expansion) {
            exact = false;
        } else {
            let one = translate_one(matcher, expansion);
            exact &= one.is_some() && matcher.name != EDGE;
            translated.extend(one);
        }
    }
    Translated::Matchers { matchers: translated, exact }
}

/// One condition under the source's label name, or `None` when it cannot be pushed down.
fn translate_one(matcher: &Matcher, expansion: &Expansion) -> Option<Matcher> {
    let mut sources = expansion.rename.iter().filter(|(_, to)| *to == matcher.name);
    match (sources.next(), sources.next()) {
        (Some((from, _)), None) => {
            Matcher::new(matcher.op, from.clone(), matcher.value.clone()).ok()
        }
        // Several labels may carry it (old and new names): only the relabelled series can tell.
        (Some(_), Some(_)) => None,
        // The model is learned elsewhere.
        (None, _) if expansion.asks_model && matcher.name == MODEL => None,
        (None, _) if matcher.name == EDGE => spellings(matcher),
        (None, _) if expansion.rename.iter().any(|(from, _)| *from == matcher.name) => None,
        (None, _) => Some(matcher.clone()),
    }
}

/// An edge however the source writes it: `1`, `1.0`. Other conditions than equality are left to
/// [`all_match`], which sees the canonical spelling.
fn spellings(matcher: &Matcher) -> Option<Matcher> {
    let (MatchOp::Equal, Ok(edge)) = (matcher.op, matcher.value.parse::<f64>()) else {
        return None;
    };
    let spelled = [matcher.value.clone(), edge.to_string(), edge_text(&matcher.value, 1.0)];
    let spelled: Vec<String> = spelled.iter().map(|text| regex::escape(text)).collect();
    Matcher::new(MatchOp::Regex, EDGE, spelled.join("|")).ok()
}

/// `le` of a histogram whose unit is converted is not what the source wrote.
fn scaled_edge(matcher: &Matcher, expansion: &Expansion) -> bool {
    matcher.name == EDGE && expansion.bucket_scale != 1.0
}

/// Whether `labels` pass every matcher.
pub(super) fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    let matches = |matcher: &Matcher| {
        let value = labels.get(&matcher.name).unwrap_or("");
        let spelled =
            matcher.name == EDGE && matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual);
        if spelled && matcher.value.parse::<f64>().is_ok() {
            let same = edge_text(&matcher.value, 1.0) == edge_text(value, 1.0);
            return same == (matcher.op == MatchOp::Equal);
        }
        matcher.matches(value)
    };
    matchers.iter().all(matches)
}

/// Turns a source's labels into canonical ones. A label that a mapping renames to is owned by the
/// mapping: it is absent when the source's label is.
pub(super) struct Relabel<'a> {
    name: &'a str,
    expansion: &'a Expansion,
}

impl<'a> Relabel<'a> {
    /// Relabelling for the canonical `name` (suffix included).
    pub(super) fn new(name: &'a str, expansion: &'a Expansion) -> Self {
        Self { name, expansion }
    }

    pub(super) fn apply(&self, labels: &Labels) -> Labels {
        let Expansion { rename, constants, bucket_scale, .. } = self.expansion;
        let edge = labels.get(EDGE).filter(|_| self.name.ends_with("_bucket"));
        let edge = edge.map(|edge| edge_text(edge, *bucket_scale));
        let constant = |name: &str| constants.iter().any(|(constant, _)| constant == name);
        // What nothing below decides. Fleets have ten thousand series: no copies of texts here.
        let decided = |name: &str| {
            let renamed = || rename.iter().any(|(from, to)| from == name || to == name);
            name == METRIC_NAME || (name == EDGE && edge.is_some()) || constant(name) || renamed()
        };
        let mut pairs: Vec<(&str, &str)> =
            labels.iter().filter(|(name, _)| !decided(name)).collect();
        for (from, to) in rename.iter().filter(|(_, to)| !constant(to)) {
            let free = pairs.iter().all(|(name, _)| name != to);
            pairs.extend(labels.get(from).filter(|_| free).map(|value| (to.as_str(), value)));
        }
        pairs.extend(constants.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        pairs.extend(edge.as_deref().map(|edge| (EDGE, edge)));
        pairs.push((METRIC_NAME, self.name));
        pairs.retain(|(_, value)| !value.is_empty());
        Labels::from_few(pairs)
    }
}

/// An edge times `scale` in its one spelling, that of OpenMetrics: `1.0`, `0.25`, `+Inf`. What is no
/// number stays as it is.
pub(super) fn edge_text(edge: &str, scale: f64) -> String {
    match edge.parse::<f64>() {
        Ok(number) if number.is_finite() && scale == 1.0 => format!("{number:?}"),
        Ok(number) if number.is_finite() => format!("{:?}", round_edge(number * scale)),
        Ok(number) if number > 0.0 => "+Inf".to_owned(),
        _ => edge.to_owned(),
    }
}

/// A converted bucket edge without the noise of binary fractions: 12 significant digits, so that
/// 250 ms becomes `0.25` for every source and equal edges stay equal.
fn round_edge(edge: f64) -> f64 {
    format!("{edge:.11e}").parse().unwrap_or(edge)
}
