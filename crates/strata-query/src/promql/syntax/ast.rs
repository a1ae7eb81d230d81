//! The syntax tree. Positions are byte ranges of the query text.

use strata_model::Matcher;

use super::functions::Function;
use super::token::{AggregateOp, BinaryOp};

/// A range of bytes of the query text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// The range from the start of `self` to the end of `last`.
    pub fn to(self, last: Span) -> Span {
        Span { start: self.start, end: last.end }
    }

    /// `line:column` of the start, both from 1, the column in bytes.
    pub fn position(self, text: &str) -> String {
        let Some((before, _)) = text.as_bytes().split_at_checked(self.start) else {
            return "invalid position".to_owned();
        };
        let line = before.split(|b| *b == b'\n').count();
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        format!("{line}:{}", self.start - line_start + 1)
    }
}

/// What an expression evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Scalar,
    Vector,
    Matrix,
    String,
}

impl ValueType {
    /// The name documentation and error texts use.
    pub fn documented(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::String => "string",
        }
    }

    /// The short name of the HTTP API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }
}

/// One node of the tree.
#[derive(Debug, Clone)]
pub enum Expr {
    Number(NumberLiteral),
    String(StringLiteral),
    Vector(Box<VectorSelector>),
    Matrix(Box<MatrixSelector>),
    Subquery(Box<Subquery>),
    Call(Box<Call>),
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Unary(Box<Unary>),
    Paren(Box<Expr>, Span),
    /// The same value at every step; set before evaluation, never by the parser.
    StepInvariant(Box<Expr>),
}

impl Expr {
    /// Where the expression stands in the query text.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(node) => node.span,
            Self::String(node) => node.span,
            Self::Vector(node) => node.span,
            Self::Matrix(node) => Span { start: node.selector.span.start, end: node.end },
            Self::Subquery(node) => Span { start: node.expr.span().start, end: node.end },
            Self::Call(node) => node.span,
            Self::Aggregate(node) => node.span,
            Self::Binary(node) => node.span(),
            Self::Unary(node) => Span { start: node.start, end: node.expr.span().end },
            Self::Paren(_, span) => *span,
            Self::StepInvariant(inner) => inner.span(),
        }
    }

    /// The type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Vector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::Matrix(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Call(node) => node.func.returns,
            Self::Binary(node) => {
                let scalar = |e: &Expr| e.value_type() == ValueType::Scalar;
                if scalar(&node.lhs) && scalar(&node.rhs) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            Self::Unary(node) => node.expr.value_type(),
            Self::Paren(inner, _) | Self::StepInvariant(inner) => inner.value_type(),
        }
    }

    /// The expression without the parentheses around it.
    pub fn unwrapped(&self) -> &Expr {
        match self {
            Self::Paren(inner, _) => inner.unwrapped(),
            other => other,
        }
    }

    /// Visit the node and everything below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Expr)) {
        visit(self);
        match self {
            Self::Number(_) | Self::String(_) | Self::Vector(_) | Self::Matrix(_) => {}
            Self::Subquery(node) => node.expr.walk(visit),
            Self::Call(node) => node.args.iter().for_each(|arg| arg.walk(visit)),
            Self::Aggregate(node) => {
                node.expr.walk(visit);
                if let Some(param) = &node.param {
                    param.walk(visit);
                }
            }
            Self::Binary(node) => {
                node.lhs.walk(visit);
                node.rhs.walk(visit);
            }
            Self::Unary(node) => node.expr.walk(visit),
            Self::Paren(inner, _) | Self::StepInvariant(inner) => inner.walk(visit),
        }
    }
}

/// A number, possibly written as a duration (`5m` is 300).
#[derive(Debug, Clone, PartialEq)]
pub struct NumberLiteral {
    pub value: f64,
    pub duration: bool,
    pub span: Span,
}

/// A quoted text.
#[derive(Debug, Clone, PartialEq)]
pub struct StringLiteral {
    pub value: String,
    /// The text quoted again, when its bytes are not UTF-8 and `value` is only near it.
    pub not_utf8: Option<String>,
    pub span: Span,
}

/// A fixed evaluation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtModifier {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    Start,
    End,
}

/// How a range is completed at its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RangeKind {
    #[default]
    Plain,
    /// With the last sample at or before the start.
    Anchored,
    /// With values interpolated at both edges.
    Smoothed,
}

/// `offset` and `@` of a selector or subquery.
#[derive(Debug, Clone, Default)]
pub struct When {
    pub offset_ms: i64,
    pub offset_expr: Option<DurationExpr>,
    pub at: Option<AtModifier>,
}

/// An instant vector selector.
#[derive(Debug, Clone)]
pub struct VectorSelector {
    /// The name before the braces; empty when there is none.
    pub name: String,
    /// All matchers, the one for `name` last.
    pub matchers: Vec<Matcher>,
    pub when: When,
    pub kind: RangeKind,
    /// Whether a selector that matches everything is allowed (second argument of `info`).
    pub may_match_all: bool,
    /// Whether only counts and sums of histograms are asked for; set before evaluation.
    pub stats_only: bool,
    pub span: Span,
}

/// A range vector selector.
#[derive(Debug, Clone)]
pub struct MatrixSelector {
    pub selector: VectorSelector,
    pub range_ms: i64,
    pub range_expr: Option<DurationExpr>,
    pub end: usize,
}

/// An expression evaluated over a range at own steps.
#[derive(Debug, Clone)]
pub struct Subquery {
    pub expr: Expr,
    pub range_ms: i64,
    pub range_expr: Option<DurationExpr>,
    /// 0 means the engine's default.
    pub step_ms: i64,
    pub step_expr: Option<DurationExpr>,
    pub when: When,
    pub end: usize,
}

/// A function call.
#[derive(Debug, Clone)]
pub struct Call {
    pub func: &'static Function,
    pub args: Vec<Expr>,
    pub span: Span,
}

/// An aggregation.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub expr: Expr,
    pub param: Option<Expr>,
    pub grouping: Vec<String>,
    pub without: bool,
    pub span: Span,
}

/// Which side of a vector match may have many series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    OneToOne,
    ManyToOne,
    OneToMany,
    ManyToMany,
}

/// How series of two vectors find each other.
#[derive(Debug, Clone)]
pub struct Matching {
    pub cardinality: Cardinality,
    pub labels: Vec<String>,
    pub on: bool,
    pub include: Vec<String>,
    pub fill_left: Option<f64>,
    pub fill_right: Option<f64>,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        }
    }
}

/// A binary operation.
#[derive(Debug, Clone)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: Expr,
    pub rhs: Expr,
    pub matching: Matching,
    pub return_bool: bool,
}

impl Binary {
    /// From the left operand to the right one.
    pub fn span(&self) -> Span {
        self.lhs.span().to(self.rhs.span())
    }
}

/// `+` or `-` before an expression.
#[derive(Debug, Clone)]
pub struct Unary {
    pub negate: bool,
    pub expr: Expr,
    pub start: usize,
}

/// Operators of duration expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    MinOf,
    MaxOf,
}

/// A duration that is computed when the query's range and step are known. Seconds.
#[derive(Debug, Clone)]
pub enum DurationExpr {
    Number(NumberLiteral),
    Step(Span),
    Range(Span),
    Unary { negate: bool, inner: Box<DurationExpr>, start: usize },
    Binary { op: DurationOp, lhs: Box<DurationExpr>, rhs: Box<DurationExpr>, span: Span },
    Paren(Box<DurationExpr>, Span),
}

impl DurationExpr {
    /// Where the expression stands in the query text.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(node) => node.span,
            Self::Step(span)
            | Self::Range(span)
            | Self::Paren(_, span)
            | Self::Binary { span, .. } => *span,
            Self::Unary { inner, start, .. } => Span { start: *start, end: inner.span().end },
        }
    }
}
