//! From canonical matchers to the source's, and from the source's labels to canonical ones.

use strata_model::catalog::Expansion;
use strata_model::{Labels, METRIC_NAME, MatchOp, Matcher};

/// What canonical matchers become for one source.
pub(super) enum Translated {
    Matchers(Vec<Matcher>),
    /// A constant label of the mapping rules the source out.
    Never,
}

/// The source's matchers for a canonical selection. They select a superset where a condition
/// cannot be said in the source's terms; [`all_match`] decides in the end.
pub(super) fn translate(matchers: &[Matcher], expansion: &Expansion) -> Translated {
    let mut translated = vec![Matcher::equal(METRIC_NAME, expansion.metric.clone())];
    translated.extend(expansion.matchers.iter().cloned());
    for matcher in matchers {
        let named = matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal;
        if let Some((_, constant)) =
            expansion.constants.iter().find(|(name, _)| *name == matcher.name)
        {
            if !matcher.matches(constant) {
                return Translated::Never;
            }
        } else if !named && !scaled_edge(matcher, expansion) {
            translated.extend(translate_one(matcher, expansion));
        }
    }
    Translated::Matchers(translated)
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
        (None, _) if expansion.rename.iter().any(|(from, _)| *from == matcher.name) => None,
        (None, _) => Some(matcher.clone()),
    }
}

/// `le` of a histogram whose unit is converted is not what the source wrote.
fn scaled_edge(matcher: &Matcher, expansion: &Expansion) -> bool {
    matcher.name == "le" && expansion.bucket_scale != 1.0
}

/// Whether `labels` pass every matcher.
pub(super) fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
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
        let mut builder = labels.to_builder();
        for (from, to) in &self.expansion.rename {
            builder.remove(from);
            builder.remove(to);
        }
        for (from, to) in &self.expansion.rename {
            if let (Some(value), None) = (labels.get(from), builder.get(to)) {
                builder.set(to, value);
            }
        }
        for (name, value) in &self.expansion.constants {
            builder.set(name, value);
        }
        if self.expansion.bucket_scale != 1.0
            && let Some(edge) = labels.get("le").and_then(|edge| edge.parse::<f64>().ok())
            && edge.is_finite()
        {
            builder.set("le", &round_edge(edge * self.expansion.bucket_scale).to_string());
        }
        builder.set(METRIC_NAME, self.name);
        builder.build()
    }
}

/// A converted bucket edge without the noise of binary fractions: 12 significant digits, so that
/// 250 ms becomes `0.25` for every source and equal edges stay equal.
pub(super) fn round_edge(edge: f64) -> f64 {
    format!("{edge:.11e}").parse().unwrap_or(edge)
}
