//! Series selectors as text: `up{job="x"}` of a `match[]` parameter becomes matchers.

use strata_model::Matcher;

use crate::engine::{QueryError, QueryErrorKind};
use crate::promql::syntax::parse_selector;

/// Parse one series selector without offset or `@`.
///
/// # Errors
/// [`QueryErrorKind::BadData`] when the text is not a series selector, or when every matcher would
/// also match a series without the label, which would select everything.
pub fn parse(text: &str) -> Result<Vec<Matcher>, QueryError> {
    let bad_data = |message: String| QueryError::new(QueryErrorKind::BadData, message);
    let matchers = parse_selector(text).map_err(|error| bad_data(error.to_string()))?;
    if matchers.iter().all(Matcher::matches_absent) {
        let message = "match[] must contain at least one non-empty matcher";
        return Err(bad_data(message.to_owned()));
    }
    Ok(matchers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_become_matchers() {
        let check = |text: &str, expected: &[&str]| {
            let matchers = parse(text).unwrap();
            let mut texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
            texts.sort_unstable();
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
