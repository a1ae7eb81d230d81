//! What follows an operand: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`; and the
//! duration expressions inside them.

use super::ast::{
    AtModifier, DurationExpr, DurationOp, Expr, MatrixSelector, NumberLiteral, RangeKind, Span,
    Subquery, When,
};
use super::parse::{Fault, Parsed, Parser, Tree};
use super::token::{BinaryOp, Keyword, Kind, MUL_PRECEDENCE};

/// Largest duration in seconds: Prometheus counts nanoseconds in 64 bits.
const MAX_SECONDS: f64 = 9_223_372_036.854_775;

const NEEDS_SELECTOR: &str =
    "must be preceded by an instant vector selector or range vector selector or a subquery";

/// A duration that is known now, or one that needs the query's step and range.
enum Length {
    Known(i64),
    Computed(DurationExpr),
}

impl Length {
    fn split(self) -> (i64, Option<DurationExpr>) {
        match self {
            Self::Known(ms) => (ms, None),
            Self::Computed(expr) => (0, Some(expr)),
        }
    }
}

/// Seconds to whole milliseconds, over nanoseconds as Prometheus does.
fn to_ms(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64 / 1_000_000
}

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut tree: Tree) -> Parsed<Tree> {
        loop {
            match self.kind() {
                Kind::LeftBracket => tree = self.bracket(tree)?,
                Kind::Keyword(Keyword::Offset) => {
                    self.bump();
                    let offset = self.offset()?;
                    self.set_offset(&mut tree.expr, offset)?;
                }
                Kind::Keyword(word @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    let anchored = *word == Keyword::Anchored;
                    self.bump();
                    set_kind(&mut tree.expr, anchored)?;
                }
                Kind::At => {
                    self.bump();
                    self.at_modifier(&mut tree.expr)?;
                }
                _ => return Ok(tree),
            }
        }
    }

    fn bracket(&mut self, tree: Tree) -> Parsed<Tree> {
        let open = self.bump();
        let range = self.positive_duration("subquery or range selector", "")?;
        if let Some(close) = self.eat(&Kind::RightBracket) {
            let Expr::Vector(selector) = tree.expr else {
                return Err(Fault::new(open.to(close), "ranges only allowed for vector selectors"));
            };
            if selector.when.offset_ms != 0 || selector.when.offset_expr.is_some() {
                let message = "no offset modifiers allowed before range";
                return Err(Fault::new(open.to(close), message));
            }
            if selector.when.at.is_some() {
                return Err(Fault::new(open.to(close), "no @ modifiers allowed before range"));
            }
            let (range_ms, range_expr) = range.split();
            let node = MatrixSelector { selector: *selector, range_ms, range_expr, end: close.end };
            return Ok(Tree { expr: Expr::Matrix(Box::new(node)), height: tree.height });
        }
        self.expect(&Kind::Colon, "subquery or range", "\":\" or \"]\"")?;
        let mut step = Length::Known(0);
        if *self.kind() != Kind::RightBracket {
            step = self.positive_duration("subquery selector", ", or \"]\"")?;
        }
        let close = self.expect(&Kind::RightBracket, "subquery selector", "\"]\"")?;
        let height = self.grown(tree.height + 1, open)?;
        let ((range_ms, range_expr), (step_ms, step_expr)) = (range.split(), step.split());
        let when = When::default();
        let expr = tree.expr;
        let node =
            Subquery { expr, range_ms, range_expr, step_ms, step_expr, when, end: close.end };
        Ok(Tree { expr: Expr::Subquery(Box::new(node)), height })
    }

    fn positive_duration(&mut self, context: &str, or: &str) -> Parsed<Length> {
        if !self.duration_starts() {
            let expected = if or.is_empty() {
                "number, duration, step(), or range()".to_owned()
            } else {
                format!("number, duration, step(), range(){or}")
            };
            return Err(self.unexpected(context, &expected));
        }
        match self.duration(0, 0)? {
            DurationExpr::Number(number) => {
                if number.value <= 0.0 {
                    return Err(Fault::new(number.span, "duration must be greater than 0"));
                }
                Ok(Length::Known(to_ms(number.value)))
            }
            expr => Ok(Length::Computed(expr)),
        }
    }

    fn duration_starts(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Number
                | Kind::Duration
                | Kind::LeftParen
                | Kind::Op(BinaryOp::Add | BinaryOp::Sub)
                | Kind::Keyword(Keyword::Step | Keyword::Range | Keyword::MaxOf | Keyword::MinOf)
        )
    }

    fn offset(&mut self) -> Parsed<Length> {
        if !self.duration_starts() {
            return Err(self.unexpected("offset", "number, duration, step(), or range()"));
        }
        match self.duration_primary(0)? {
            DurationExpr::Number(number) => Ok(Length::Known(to_ms(number.value))),
            expr => Ok(Length::Computed(expr)),
        }
    }

    /// A duration expression whose operators bind at least as tight as `min`.
    fn duration(&mut self, min: u8, depth: usize) -> Parsed<DurationExpr> {
        self.grown(depth, self.span())?;
        let mut lhs = self.duration_primary(depth + 1)?;
        let mut chained = depth;
        while let Some(op) = self.duration_op() {
            let Kind::Op(token) = *self.kind() else { break };
            if token.precedence() < min {
                break;
            }
            let op_span = self.bump();
            chained = self.grown(chained + 1, op_span)?;
            let next = token.precedence() + u8::from(token != BinaryOp::Pow);
            let rhs = self.duration(next, depth + 1)?;
            if let DurationExpr::Number(number) = &rhs
                && number.value == 0.0
                && matches!(op, DurationOp::Div | DurationOp::Mod)
            {
                let what = if op == DurationOp::Div { "division" } else { "modulo" };
                return Err(Fault::new(op_span, format!("{what} by zero")));
            }
            let span = lhs.span().to(rhs.span());
            lhs = DurationExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs), span };
        }
        Ok(lhs)
    }

    fn signed_number_if(&mut self, wanted: bool) -> Option<Parsed<NumberLiteral>> {
        if wanted { self.signed_number() } else { None }
    }

    fn duration_op(&self) -> Option<DurationOp> {
        match self.kind() {
            Kind::Op(BinaryOp::Add) => Some(DurationOp::Add),
            Kind::Op(BinaryOp::Sub) => Some(DurationOp::Sub),
            Kind::Op(BinaryOp::Mul) => Some(DurationOp::Mul),
            Kind::Op(BinaryOp::Div) => Some(DurationOp::Div),
            Kind::Op(BinaryOp::Mod) => Some(DurationOp::Mod),
            Kind::Op(BinaryOp::Pow) => Some(DurationOp::Pow),
            _ => None,
        }
    }

    fn duration_primary(&mut self, depth: usize) -> Parsed<DurationExpr> {
        self.grown(depth, self.span())?;
        // A sign inside an expression binds like a multiplication; that of an offset is its own.
        let literal = depth == 0 || matches!(self.kind(), Kind::Number | Kind::Duration);
        if let Some(number) = self.signed_number_if(literal) {
            let number = number?;
            if number.value.abs() > MAX_SECONDS {
                return Err(Fault::new(number.span, "duration out of range"));
            }
            return Ok(DurationExpr::Number(number));
        }
        let start = self.span();
        match self.kind().clone() {
            Kind::Op(sign @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.bump();
                let inner = if depth == 0 {
                    self.duration_primary(depth + 1)?
                } else {
                    self.duration(MUL_PRECEDENCE + 1, depth + 1)?
                };
                let negate = sign == BinaryOp::Sub;
                if let DurationExpr::Number(mut number) = inner {
                    number.value = if negate { -number.value } else { number.value };
                    number.span.start = start.start;
                    return Ok(DurationExpr::Number(number));
                }
                Ok(DurationExpr::Unary { negate, inner: Box::new(inner), start: start.start })
            }
            Kind::Keyword(word @ (Keyword::Step | Keyword::Range)) => {
                self.bump();
                self.expect(&Kind::LeftParen, "", "")?;
                let close = self.expect(&Kind::RightParen, "", "")?;
                let span = start.to(close);
                Ok(if word == Keyword::Step {
                    DurationExpr::Step(span)
                } else {
                    DurationExpr::Range(span)
                })
            }
            Kind::Keyword(word @ (Keyword::MaxOf | Keyword::MinOf)) => {
                self.bump();
                self.expect(&Kind::LeftParen, "", "")?;
                let lhs = Box::new(self.duration(0, depth + 1)?);
                self.expect(&Kind::Comma, "", "")?;
                let rhs = Box::new(self.duration(0, depth + 1)?);
                let close = self.expect(&Kind::RightParen, "", "")?;
                let op = if word == Keyword::MaxOf { DurationOp::MaxOf } else { DurationOp::MinOf };
                Ok(DurationExpr::Binary { op, lhs, rhs, span: start.to(close) })
            }
            Kind::LeftParen => {
                self.bump();
                let inner = self.duration(0, depth + 1)?;
                let close = self.expect(&Kind::RightParen, "", "")?;
                Ok(DurationExpr::Paren(Box::new(inner), start.to(close)))
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    fn set_offset(&self, expr: &mut Expr, offset: Length) -> Parsed<()> {
        let span = expr.span();
        let end = self.previous_end();
        let when = when_of(expr, end)
            .ok_or_else(|| Fault::new(span, format!("offset modifier {NEEDS_SELECTOR}")))?;
        if when.offset_ms != 0 || when.offset_expr.is_some() {
            return Err(Fault::new(span, "offset may not be set multiple times"));
        }
        (when.offset_ms, when.offset_expr) = offset.split();
        Ok(())
    }

    fn at_modifier(&mut self, expr: &mut Expr) -> Parsed<()> {
        let span = expr.span();
        let at = if let Some(number) = self.signed_number() {
            let seconds = number?.value;
            if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 {
                let seconds = if seconds.is_finite() {
                    format!("{seconds:.6}")
                } else {
                    super::format_float(seconds)
                };
                let message = format!("timestamp out of bounds for @ modifier: {seconds}");
                return Err(Fault::new(span, message));
            }
            AtModifier::Time((seconds * 1000.0).round() as i64)
        } else {
            let at = match self.kind() {
                Kind::Keyword(Keyword::Start) => AtModifier::Start,
                Kind::Keyword(Keyword::End) => AtModifier::End,
                _ => return Err(self.unexpected("@", "timestamp")),
            };
            self.bump();
            self.expect(&Kind::LeftParen, "@", "timestamp")?;
            self.expect(&Kind::RightParen, "@", "timestamp")?;
            at
        };
        let end = self.previous_end();
        let when = when_of(expr, end)
            .ok_or_else(|| Fault::new(span, format!("@ modifier {NEEDS_SELECTOR}")))?;
        if when.at.is_some() {
            return Err(Fault::new(span, "@ <timestamp> may not be set multiple times"));
        }
        when.at = Some(at);
        Ok(())
    }
}

/// The time modifiers of a selector or subquery, whose text now ends at `end`.
fn when_of(expr: &mut Expr, end: usize) -> Option<&mut When> {
    match expr {
        Expr::Vector(node) => {
            node.span.end = end;
            Some(&mut node.when)
        }
        Expr::Matrix(node) => {
            node.end = end;
            Some(&mut node.selector.when)
        }
        Expr::Subquery(node) => {
            node.end = end;
            Some(&mut node.when)
        }
        _ => None,
    }
}

fn set_kind(expr: &mut Expr, anchored: bool) -> Parsed<()> {
    let span: Span = expr.span();
    let name = if anchored { "anchored" } else { "smoothed" };
    let kind = match expr {
        Expr::Vector(node) => &mut node.kind,
        Expr::Matrix(node) => &mut node.selector.kind,
        Expr::Subquery(_) => {
            let message = format!("{name} modifier is not supported for subqueries");
            return Err(Fault::new(span, message));
        }
        _ => return Err(Fault::new(span, format!("{name} modifier not implemented"))),
    };
    let wanted = if anchored { RangeKind::Anchored } else { RangeKind::Smoothed };
    if *kind != RangeKind::Plain && *kind != wanted {
        let message = "anchored and smoothed modifiers cannot be used together";
        return Err(Fault::new(span, message));
    }
    *kind = wanted;
    Ok(())
}
