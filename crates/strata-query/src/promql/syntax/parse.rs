//! The parser: recursive descent with operator precedence, bounded in length and depth.

use strata_model::Matcher;

use super::ast::{Aggregate, Binary, Call, Cardinality, Expr, Matching, NumberLiteral, Span};
use super::ast::{StringLiteral, Unary};
use super::functions::function;
use super::lex::lex;
use super::literal::{parse_number, quote, unquote};
use super::token::{AggregateOp, BinaryOp, Keyword, Kind, MUL_PRECEDENCE, Token};

/// Longest query text. The largest generated dashboards queries seen are below 32 KiB.
pub const MAX_QUERY_BYTES: usize = 256 << 10;

/// Greatest height of the tree, which a chain of operators reaches without any parentheses.
/// Evaluation recurses once per level; at about 5 KiB of stack per level in a debug build this stays
/// below the 2 MiB of a worker thread.
pub const MAX_DEPTH: usize = 192;

/// Deepest nesting of parentheses, calls and signs. The parser recurses through about 10 KiB of
/// stack per level in a debug build.
pub const MAX_NESTING: usize = 96;

/// Why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: parse error: {message}")]
pub struct ParseError {
    /// `line:column` in the query, from 1.
    pub position: String,
    pub message: String,
}

/// Parse and type-check a query.
///
/// # Errors
/// The first fault, in Prometheus's words.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let to_error =
        |fault: Fault| ParseError { position: fault.span.position(text), message: fault.message };
    let mut parser = Parser::new(text).map_err(to_error)?;
    let expr = parser.query().map_err(to_error)?;
    super::check::check(&expr, text).map_err(to_error)?;
    Ok(expr)
}

/// Parse a bare selector, as in `match[]`.
///
/// # Errors
/// The first fault, in Prometheus's words.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let parse = || {
        let mut parser = Parser::new(text)?;
        let selector = parser.vector_selector()?;
        match parser.kind() {
            Kind::Eof => Ok(selector.matchers),
            _ => Err(parser.unexpected("", "")),
        }
    };
    parse().map_err(|fault: Fault| ParseError {
        position: fault.span.position(text),
        message: fault.message,
    })
}

/// A parse error before its position is written out.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) message: String,
    /// An unexpected token without context; an enclosing aggregation claims it.
    bare: bool,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), bare: false }
    }
}

pub(super) type Parsed<T> = Result<T, Fault>;

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    level: usize,
}

/// An expression and the height of its tree.
pub(super) struct Tree {
    pub(super) expr: Expr,
    pub(super) height: usize,
}

impl Tree {
    pub(super) fn leaf(expr: Expr) -> Self {
        Self { expr, height: 1 }
    }
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parsed<Self> {
        if text.len() > MAX_QUERY_BYTES {
            let message = format!("query is longer than {MAX_QUERY_BYTES} bytes");
            return Err(Fault::new(Span::default(), message));
        }
        Ok(Self { text, tokens: lex(text), at: 0, level: 0 })
    }

    pub(super) fn token(&self) -> &Token {
        // The last token is Eof or Error and `bump` never goes past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.token().kind
    }

    pub(super) fn peek_kind(&self, ahead: usize) -> &Kind {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn span(&self) -> Span {
        Span { start: self.token().start, end: self.token().end }
    }

    pub(super) fn word(&self) -> &'a str {
        self.text.get(self.token().start..self.token().end).unwrap_or("")
    }

    pub(super) fn bump(&mut self) -> Span {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    pub(super) fn eat(&mut self, kind: &Kind) -> Option<Span> {
        (self.kind() == kind).then(|| self.bump())
    }

    pub(super) fn eat_word(&mut self, word: Keyword) -> bool {
        self.eat(&Kind::Keyword(word)).is_some()
    }

    /// The error for the current token.
    pub(super) fn unexpected(&self, context: &str, expected: &str) -> Fault {
        if let Kind::Error(message) = self.kind() {
            return Fault::new(self.span(), message.clone());
        }
        let mut message = format!("unexpected {}", self.kind().describe(self.word()));
        if !context.is_empty() {
            message += " in ";
            message += context;
        }
        if !expected.is_empty() {
            message += ", expected ";
            message += expected;
        }
        Fault { span: self.span(), message, bare: context.is_empty() }
    }

    pub(super) fn expect(&mut self, kind: &Kind, context: &str, expected: &str) -> Parsed<Span> {
        self.eat(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    fn query(&mut self) -> Parsed<Expr> {
        if *self.kind() == Kind::Eof {
            return Err(Fault::new(Span::default(), "no expression found in input"));
        }
        let tree = self.expr(0)?;
        match self.kind() {
            Kind::Eof => Ok(tree.expr),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// Refuse trees that evaluation could not walk without running out of stack.
    pub(super) fn grown(&self, height: usize, span: Span) -> Parsed<usize> {
        if height > MAX_DEPTH || self.level > MAX_NESTING {
            let message = format!("query is nested deeper than {MAX_NESTING} levels");
            return Err(Fault::new(span, message));
        }
        Ok(height)
    }

    /// An expression whose operators bind at least as tight as `min`.
    pub(super) fn expr(&mut self, min: u8) -> Parsed<Tree> {
        self.level += 1;
        self.grown(0, self.span())?;
        let tree = self.expr_inside(min);
        self.level -= 1;
        tree
    }

    fn expr_inside(&mut self, min: u8) -> Parsed<Tree> {
        let mut lhs = self.unary()?;
        while let Kind::Op(op) = *self.kind() {
            let precedence = op.precedence();
            if precedence < min {
                break;
            }
            self.bump();
            let (matching, return_bool) = self.binary_modifiers()?;
            // `^` alone is right-associative.
            let next = if op == BinaryOp::Pow { precedence } else { precedence + 1 };
            let rhs = self.expr(next)?;
            let height = self.grown(lhs.height.max(rhs.height) + 1, lhs.expr.span())?;
            let node = Binary { op, lhs: lhs.expr, rhs: rhs.expr, matching, return_bool };
            lhs = Tree { expr: Expr::Binary(Box::new(node)), height };
        }
        Ok(lhs)
    }

    fn unary(&mut self) -> Parsed<Tree> {
        let negate = match self.kind() {
            Kind::Op(BinaryOp::Sub) => true,
            Kind::Op(BinaryOp::Add) => false,
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        let start = self.bump().start;
        let inner = self.expr(MUL_PRECEDENCE + 1)?;
        if let Expr::Number(mut number) = inner.expr {
            if negate {
                number.value = -number.value;
            }
            number.span.start = start;
            return Ok(Tree { expr: Expr::Number(number), height: inner.height });
        }
        let height = self.grown(inner.height + 1, Span { start, end: start })?;
        let node = Unary { negate, expr: inner.expr, start };
        Ok(Tree { expr: Expr::Unary(Box::new(node)), height })
    }

    fn primary(&mut self) -> Parsed<Tree> {
        let call_follows = *self.peek_kind(1) == Kind::LeftParen;
        match self.kind().clone() {
            Kind::Number | Kind::Duration => {
                Ok(Tree::leaf(Expr::Number(self.number_or_duration()?)))
            }
            Kind::String => Ok(Tree::leaf(Expr::String(self.string_literal()?))),
            Kind::LeftParen => {
                let open = self.bump();
                let inner = self.expr(0)?;
                let close = self.expect(&Kind::RightParen, "", "")?;
                let height = self.grown(inner.height + 1, open)?;
                Ok(Tree { expr: Expr::Paren(Box::new(inner.expr), open.to(close)), height })
            }
            Kind::Aggregate(op)
                if call_follows
                    || matches!(
                        self.peek_kind(1),
                        Kind::Keyword(Keyword::By | Keyword::Without)
                    ) =>
            {
                self.aggregate(op).map_err(|mut fault| {
                    if fault.bare {
                        fault.message += " in aggregation";
                        fault.bare = false;
                    }
                    fault
                })
            }
            Kind::Identifier
            | Kind::Keyword(
                Keyword::Start
                | Keyword::End
                | Keyword::Step
                | Keyword::Range
                | Keyword::MaxOf
                | Keyword::MinOf,
            ) if call_follows => self.call(),
            Kind::LeftBrace => Ok(Tree::leaf(Expr::Vector(Box::new(self.vector_selector()?)))),
            kind if kind.is_metric_name() => {
                Ok(Tree::leaf(Expr::Vector(Box::new(self.vector_selector()?))))
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    /// A number or duration literal; the caller has seen its kind.
    pub(super) fn number_or_duration(&mut self) -> Parsed<NumberLiteral> {
        let word = self.word();
        let duration = *self.kind() == Kind::Duration;
        let span = self.span();
        let value = if duration {
            let ms = super::parse_duration_ms(word).map_err(|text| Fault::new(span, text))?;
            ms as f64 / 1000.0
        } else {
            parse_number(word).ok_or_else(|| {
                let message = format!("error parsing number: invalid syntax: {}", quote(word));
                Fault::new(span, message)
            })?
        };
        self.bump();
        Ok(NumberLiteral { value, duration, span })
    }

    pub(super) fn string_literal(&mut self) -> Parsed<StringLiteral> {
        let span = self.span();
        let (value, not_utf8) = unquote(self.word()).ok_or_else(|| {
            let message = format!("error unquoting string {}: invalid syntax", quote(self.word()));
            Fault::new(span, message)
        })?;
        self.bump();
        Ok(StringLiteral { value, not_utf8, span })
    }

    fn call(&mut self) -> Parsed<Tree> {
        let name = self.word();
        let name_span = self.bump();
        let (args, height, end) = self.arguments()?;
        let func = function(name).ok_or_else(|| {
            Fault::new(name_span, format!("unknown function with name {}", quote(name)))
        })?;
        let span = name_span.to(end);
        Ok(Tree { expr: Expr::Call(Box::new(Call { func, args, span })), height })
    }

    fn arguments(&mut self) -> Parsed<(Vec<Expr>, usize, Span)> {
        let open = self.expect(&Kind::LeftParen, "", "")?;
        let mut args = Vec::new();
        let mut height = 0;
        if let Some(close) = self.eat(&Kind::RightParen) {
            return Ok((args, 1, close));
        }
        loop {
            let arg = self.expr(0)?;
            height = height.max(arg.height);
            args.push(arg.expr);
            if let Some(close) = self.eat(&Kind::RightParen) {
                return Ok((args, self.grown(height + 1, open)?, close));
            }
            let comma = self.expect(&Kind::Comma, "", "")?;
            if !self.kind().starts_expression() {
                let message = "trailing commas not allowed in function call args";
                return Err(Fault::new(comma, message));
            }
        }
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Tree> {
        let start = self.bump();
        let before = self.aggregate_modifier()?;
        let (mut args, height, mut end) = self.arguments()?;
        let (grouping, without) = match before {
            Some(modifier) => modifier,
            None => match self.aggregate_modifier()? {
                Some(modifier) => {
                    end = Span { start: end.start, end: self.previous_end() };
                    modifier
                }
                None => (Vec::new(), false),
            },
        };
        let span = start.to(end);
        if args.is_empty() {
            return Err(Fault::new(span, "no arguments for aggregate expression provided"));
        }
        let wanted = if op.has_param() { 2 } else { 1 };
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, \
                 got {}",
                args.len()
            );
            return Err(Fault::new(span, message));
        }
        let expr = args.remove(wanted - 1);
        let param = args.pop();
        let node = Aggregate { op, expr, param, grouping, without, span };
        Ok(Tree { expr: Expr::Aggregate(Box::new(node)), height })
    }

    /// Where the token before the current one ends.
    pub(super) fn previous_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |t| t.end)
    }

    fn aggregate_modifier(&mut self) -> Parsed<Option<(Vec<String>, bool)>> {
        let without = match self.kind() {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some((self.grouping_labels()?, without)))
    }

    fn binary_modifiers(&mut self) -> Parsed<(Matching, bool)> {
        let mut matching = Matching::default();
        let return_bool = self.eat_word(Keyword::Bool);
        let on = self.eat_word(Keyword::On);
        if on || self.eat_word(Keyword::Ignoring) {
            matching.on = on;
            matching.labels = self.grouping_labels()?;
            let left = self.eat_word(Keyword::GroupLeft);
            if left || self.eat_word(Keyword::GroupRight) {
                matching.cardinality =
                    if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if *self.kind() == Kind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        if self.eat_word(Keyword::Fill) {
            let value = self.fill_value()?;
            matching.fill_left = Some(value);
            matching.fill_right = Some(value);
        } else if self.eat_word(Keyword::FillLeft) {
            matching.fill_left = Some(self.fill_value()?);
            if self.eat_word(Keyword::FillRight) {
                matching.fill_right = Some(self.fill_value()?);
            }
        } else if self.eat_word(Keyword::FillRight) {
            matching.fill_right = Some(self.fill_value()?);
            if self.eat_word(Keyword::FillLeft) {
                matching.fill_left = Some(self.fill_value()?);
            }
        }
        Ok((matching, return_bool))
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(&Kind::LeftParen, "", "")?;
        let value = self.signed_number().ok_or_else(|| self.unexpected("", ""))??;
        self.expect(&Kind::RightParen, "", "")?;
        Ok(value.value)
    }

    /// A literal with an optional sign, or `None` when there is none here.
    pub(super) fn signed_number(&mut self) -> Option<Parsed<NumberLiteral>> {
        let sign = match self.kind() {
            Kind::Op(BinaryOp::Sub) => Some(true),
            Kind::Op(BinaryOp::Add) => Some(false),
            _ => None,
        };
        let literal = self.peek_kind(usize::from(sign.is_some()));
        if !matches!(literal, Kind::Number | Kind::Duration) {
            return None;
        }
        let start = sign.map(|_| self.bump().start);
        Some(self.number_or_duration().map(|mut number| {
            if sign == Some(true) {
                number.value = -number.value;
            }
            number.span.start = start.unwrap_or(number.span.start);
            number
        }))
    }
}
