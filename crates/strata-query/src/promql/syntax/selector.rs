//! Vector selectors and the label lists of grouping and matching clauses.

use strata_model::selector::MatchOp;
use strata_model::{METRIC_NAME, Matcher};

use super::ast::{RangeKind, VectorSelector, When};
use super::literal::quote;
use super::parse::{Fault, Parsed, Parser};
use super::token::{BinaryOp, Kind};

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// `name`, `name{...}` or `{...}`.
    pub(super) fn vector_selector(&mut self) -> Parsed<VectorSelector> {
        let start = self.span();
        let mut name = String::new();
        if self.kind().is_metric_name() {
            self.word().clone_into(&mut name);
            self.bump();
        } else if *self.kind() != Kind::LeftBrace {
            return Err(self.unexpected("", ""));
        }
        let mut span = start;
        let mut matchers = Vec::new();
        if self.eat(&Kind::LeftBrace).is_some() {
            matchers = self.matchers()?;
            span.end = self.previous_end();
        }
        if !name.is_empty() {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        let (when, kind) = (When::default(), RangeKind::default());
        Ok(VectorSelector {
            name,
            matchers,
            when,
            kind,
            may_match_all: false,
            stats_only: false,
            span,
        })
    }

    /// The matchers after `{`, and the closing brace.
    fn matchers(&mut self) -> Parsed<Vec<Matcher>> {
        let mut matchers = Vec::new();
        loop {
            if self.eat(&Kind::RightBrace).is_some() {
                return Ok(matchers);
            }
            matchers.push(self.matcher()?);
            if self.eat(&Kind::RightBrace).is_some() {
                return Ok(matchers);
            }
            self.expect(&Kind::Comma, CONTEXT, "\",\" or \"}\"")?;
        }
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let name_span = self.span();
        let quoted = *self.kind() == Kind::String;
        let name = match self.kind() {
            Kind::Identifier => {
                let name = self.word().to_owned();
                self.bump();
                name
            }
            Kind::String => self.string_literal()?.value,
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        let op = match self.kind() {
            Kind::Assign => MatchOp::Equal,
            Kind::Op(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::RegexMatch => MatchOp::Regex,
            Kind::RegexNoMatch => MatchOp::NotRegex,
            Kind::Comma | Kind::RightBrace if quoted => {
                return Ok(Matcher::equal(METRIC_NAME, name));
            }
            _ if quoted => return Err(self.unexpected(CONTEXT, "\",\" or \"}\"")),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.bump();
        if *self.kind() != Kind::String {
            return Err(self.unexpected(CONTEXT, "string"));
        }
        let value = self.string_literal()?;
        let span = name_span.to(value.span);
        Matcher::new(op, name, value.value.as_str()).map_err(|error| {
            let message = format!("error parsing regexp: {}", reason(&error, &value.value));
            Fault::new(span, message)
        })
    }

    /// `(a, b, "c d")`, possibly empty or with a trailing comma.
    pub(super) fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(&Kind::LeftParen, CONTEXT, "\"(\"")?;
        let mut names = Vec::new();
        while self.eat(&Kind::RightParen).is_none() {
            let span = self.span();
            let name = match self.kind() {
                Kind::String => self.string_literal()?.value,
                kind if kind.is_label() => {
                    let name = self.word().to_owned();
                    self.bump();
                    name
                }
                _ => return Err(self.unexpected(CONTEXT, "label")),
            };
            if name.is_empty() {
                let message = format!("invalid label name for grouping: {}", quote(&name));
                return Err(Fault::new(span, message));
            }
            names.push(name);
            if self.eat(&Kind::RightParen).is_some() {
                break;
            }
            self.expect(&Kind::Comma, CONTEXT, "\",\" or \")\"")?;
        }
        Ok(names)
    }
}

/// Why a regular expression is none, in the words of Go for the usual slips.
fn reason(error: &regex::Error, pattern: &str) -> String {
    let text = error.to_string();
    let text = text.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
    let text = match text {
        "unclosed group" => "missing closing )",
        "unopened group" => "unexpected )",
        "unclosed character class" => "missing closing ]",
        "repetition operator missing expression" => "missing argument to repetition operator",
        other => other,
    };
    format!("{text}: `{pattern}`")
}
