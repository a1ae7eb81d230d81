//! A series description: labels as in a selector, then values.

use strata_model::Labels;

use super::numbers::{Written, values};
use crate::promql::syntax::parse_selector;

/// Read `metric{label="value"} 1 2 3`.
pub(super) fn describe(line: &str) -> Result<(Labels, Vec<Written>), String> {
    let (metric, rest) = split(line).ok_or_else(|| format!("cannot read the series {line:?}"))?;
    Ok((labels(metric)?, values(rest)?))
}

/// The labels of `metric{label="value"}`.
fn labels(metric: &str) -> Result<Labels, String> {
    let matchers = parse_selector(metric).map_err(|error| error.to_string())?;
    Ok(Labels::from_pairs(matchers.iter().map(|m| (&m.name, &m.value))))
}

/// The metric with its braces, and what follows.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let mut quote = None;
    let mut braces = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'' | '`') if braces => quote = Some(c),
            (None, '{') if !braces => braces = true,
            (None, '}') if braces => return line.split_at_checked(at + 1),
            (None, c) if c.is_whitespace() && !braces => {
                let rest = line.get(at..)?.trim_start();
                if !rest.starts_with('{') || rest.starts_with("{{") {
                    return line.split_at_checked(at);
                }
            }
            _ => {}
        }
    }
    (!braces && quote.is_none()).then_some((line, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_values_part() {
        let check = |line: &str, labels: &str, count: usize| {
            let (got, values) = describe(line).unwrap();
            assert_eq!((got.to_string().as_str(), values.len()), (labels, count), "{line}");
        };
        check("m 1 2", "m{}", 2);
        check("m{a=\"b c\"} 1", "m{a=\"b c\"}", 1);
        check("{a=\"}\"} 1x3", "{a=\"}\"}", 4);
        check("m {{count:1}}", "m{}", 1);
        check("m {a=\"b\"} _", "m{a=\"b\"}", 1);
        check("{} 1", "{}", 1);
        assert!(describe("m{a=\"b\" 1").is_err());
    }
}
