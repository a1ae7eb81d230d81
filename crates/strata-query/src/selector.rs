//! Series selectors as text: `up{job="x"}` of a `match[]` parameter becomes matchers.

use promql_parser::label::{MatchOp as ParsedOp, Matcher as ParsedMatcher};
use promql_parser::parser::{Expr, parse as parse_expression};
use strata_model::{MatchOp, Matcher};

use crate::engine::{QueryError, QueryErrorKind};

/// Longest selector that is read. Grafana sends a few hundred bytes; the parser recurses on
/// parentheses, so its input must not grow with the body bound.
const SELECTOR_BYTES_MAX: usize = 16 * 1024;

/// Parse one series selector without offset or `@`.
///
/// # Errors
/// [`QueryErrorKind::BadData`] when the text is not a series selector, or when every matcher would
/// also match a series without the label, which would select everything.
pub fn parse(text: &str) -> Result<Vec<Matcher>, QueryError> {
    if text.len() > SELECTOR_BYTES_MAX {
        return Err(bad_data(format!("selector is longer than {SELECTOR_BYTES_MAX} bytes")));
    }
    let selector = match parse_expression(text) {
        Ok(Expr::VectorSelector(selector)) => selector,
        Ok(_) => return Err(bad_data(format!("{text:?} is not a series selector"))),
        Err(error) => return Err(bad_data(error)),
    };
    if selector.offset.is_some() || selector.at.is_some() {
        return Err(bad_data(format!("{text:?}: a series selector takes no offset and no @")));
    }
    if !selector.matchers.or_matchers.is_empty() {
        return Err(bad_data(format!("{text:?}: \"or\" between matchers is not supported")));
    }
    let mut matchers = Vec::with_capacity(selector.matchers.matchers.len() + 1);
    if let Some(name) = &selector.name {
        matchers.push(Matcher::equal(strata_model::METRIC_NAME, name));
    }
    for matcher in &selector.matchers.matchers {
        matchers.push(converted(matcher)?);
    }
    if matchers.iter().all(Matcher::matches_absent) {
        return Err(bad_data("match[] must contain at least one non-empty matcher"));
    }
    Ok(matchers)
}

fn converted(matcher: &ParsedMatcher) -> Result<Matcher, QueryError> {
    let op = match matcher.op {
        ParsedOp::Equal => MatchOp::Equal,
        ParsedOp::NotEqual => MatchOp::NotEqual,
        ParsedOp::Re(_) => MatchOp::Regex,
        ParsedOp::NotRe(_) => MatchOp::NotRegex,
    };
    Matcher::new(op, matcher.name.clone(), matcher.value.clone()).map_err(|error| {
        bad_data(format!("error parsing regexp of label {:?}: {error}", matcher.name))
    })
}

fn bad_data(message: impl Into<String>) -> QueryError {
    QueryError::new(QueryErrorKind::BadData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_become_matchers() {
        let check = |text: &str, expected: &[&str]| {
            let matchers = parse(text).unwrap();
            let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
            assert_eq!(texts, expected, "{text}");
        };
        check("up", &[r#"__name__="up""#]);
        check("vllm:x{a=\"b\"}", &[r#"__name__="vllm:x""#, r#"a="b""#]);
        check("{job=~\"a|b\",x!=\"1\"}", &[r#"job=~"a|b""#, r#"x!="1""#]);
        check("{__name__=~\"vllm.+\"}", &[r#"__name__=~"vllm.+""#]);
        check("{\"my.metric\", a!~\"b.*\"}", &[r#"__name__="my.metric""#, r#"a!~"b.*""#]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "up[5m]",
            "rate(up[5m])",
            "up offset 5m",
            "up @ 0",
            "1",
            "{}",
            "{a=\"\"}",
            "{a=~\".*\"}",
            "up{",
            "{a=~\"(\"}",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind, QueryErrorKind::BadData, "{text}");
            assert!(!error.message.is_empty(), "{text}");
        }
        assert!(parse(&format!("{}up{}", "(".repeat(20_000), ")".repeat(20_000))).is_err());
    }
}
