//! Tokens and operators.

use super::literal::quote;

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    /// `</`: keep observations of a histogram below a bound.
    TrimUpper,
    /// `>/`: keep observations of a histogram above a bound.
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// As written in a query.
    pub fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterEqual => ">=",
            Self::LessEqual => "<=",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// Higher binds tighter.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::Less
            | Self::GreaterEqual
            | Self::LessEqual
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => MUL_PRECEDENCE,
            Self::Pow => 6,
        }
    }

    /// `== != > < >= <=`.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterEqual
                | Self::LessEqual
        )
    }

    /// `and or unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether the result means something else than the operands, so that the name goes.
    pub fn changes_meaning(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Sub | Self::Div | Self::Mul | Self::Pow | Self::Mod | Self::Atan2
        )
    }
}

/// A unary sign binds like a multiplication.
pub(super) const MUL_PRECEDENCE: u8 = 5;

/// Aggregation operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    /// As written in a query.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// Whether the first argument is a parameter.
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk
                | Self::Bottomk
                | Self::CountValues
                | Self::Quantile
                | Self::Limitk
                | Self::LimitRatio
        )
    }
}

/// Words with a meaning of their own that are not operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Keyword {
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

/// What a token is; its text is in the query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Eof,
    /// The lexer could not go on; the message of the parse error.
    Error(String),
    Identifier,
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// A single `=`.
    Assign,
    /// `=~`.
    RegexMatch,
    /// `!~`.
    RegexNoMatch,
    At,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// A token and the bytes it covers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Words in their canonical spelling; the lexer compares without case.
pub(super) const WORDS: &[(&str, Kind)] = &[
    ("and", Kind::Op(BinaryOp::And)),
    ("or", Kind::Op(BinaryOp::Or)),
    ("unless", Kind::Op(BinaryOp::Unless)),
    ("atan2", Kind::Op(BinaryOp::Atan2)),
    ("sum", Kind::Aggregate(AggregateOp::Sum)),
    ("avg", Kind::Aggregate(AggregateOp::Avg)),
    ("count", Kind::Aggregate(AggregateOp::Count)),
    ("min", Kind::Aggregate(AggregateOp::Min)),
    ("max", Kind::Aggregate(AggregateOp::Max)),
    ("group", Kind::Aggregate(AggregateOp::Group)),
    ("stddev", Kind::Aggregate(AggregateOp::Stddev)),
    ("stdvar", Kind::Aggregate(AggregateOp::Stdvar)),
    ("topk", Kind::Aggregate(AggregateOp::Topk)),
    ("bottomk", Kind::Aggregate(AggregateOp::Bottomk)),
    ("count_values", Kind::Aggregate(AggregateOp::CountValues)),
    ("quantile", Kind::Aggregate(AggregateOp::Quantile)),
    ("limitk", Kind::Aggregate(AggregateOp::Limitk)),
    ("limit_ratio", Kind::Aggregate(AggregateOp::LimitRatio)),
    ("offset", Kind::Keyword(Keyword::Offset)),
    ("smoothed", Kind::Keyword(Keyword::Smoothed)),
    ("anchored", Kind::Keyword(Keyword::Anchored)),
    ("by", Kind::Keyword(Keyword::By)),
    ("without", Kind::Keyword(Keyword::Without)),
    ("on", Kind::Keyword(Keyword::On)),
    ("ignoring", Kind::Keyword(Keyword::Ignoring)),
    ("group_left", Kind::Keyword(Keyword::GroupLeft)),
    ("group_right", Kind::Keyword(Keyword::GroupRight)),
    ("fill", Kind::Keyword(Keyword::Fill)),
    ("fill_left", Kind::Keyword(Keyword::FillLeft)),
    ("fill_right", Kind::Keyword(Keyword::FillRight)),
    ("bool", Kind::Keyword(Keyword::Bool)),
    ("start", Kind::Keyword(Keyword::Start)),
    ("end", Kind::Keyword(Keyword::End)),
    ("step", Kind::Keyword(Keyword::Step)),
    ("range", Kind::Keyword(Keyword::Range)),
    ("max_of", Kind::Keyword(Keyword::MaxOf)),
    ("min_of", Kind::Keyword(Keyword::MinOf)),
    ("inf", Kind::Number),
    ("nan", Kind::Number),
];

impl Kind {
    /// Whether the token may be a metric's name.
    pub(super) fn is_metric_name(&self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregate(_) => true,
            Self::Op(op) => op.is_set(),
            Self::Keyword(word) => !matches!(
                word,
                Keyword::On
                    | Keyword::Ignoring
                    | Keyword::GroupLeft
                    | Keyword::GroupRight
                    | Keyword::Bool
            ),
            _ => false,
        }
    }

    /// Whether an expression may begin with the token; errors are left to whoever reads on.
    pub(super) fn starts_expression(&self) -> bool {
        match self {
            Self::Number
            | Self::Duration
            | Self::String
            | Self::LeftParen
            | Self::LeftBrace
            | Self::Error(_)
            | Self::Op(BinaryOp::Add | BinaryOp::Sub) => true,
            other => other.is_metric_name(),
        }
    }

    /// Whether the token may be a label in a grouping clause.
    pub(super) fn is_label(&self) -> bool {
        match self {
            Self::Identifier
            | Self::MetricIdentifier
            | Self::Aggregate(_)
            | Self::Op(BinaryOp::Atan2) => true,
            Self::Op(op) => op.is_set(),
            Self::Keyword(word) => *word != Keyword::Without,
            _ => false,
        }
    }

    /// The words of an error message about this token with this text.
    pub(super) fn describe(&self, text: &str) -> String {
        match self {
            Self::Eof => "end of input".to_owned(),
            Self::Error(message) => format!("error {message}"),
            Self::Identifier => format!("identifier {}", quote(text)),
            Self::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Self::Number => format!("number {}", shortened(text)),
            Self::Duration => format!("duration {}", shortened(text)),
            Self::String => format!("string {}", shortened(text)),
            Self::Op(_) | Self::At | Self::RegexMatch | Self::RegexNoMatch => {
                format!("<op:{text}>")
            }
            Self::Aggregate(_) => format!("<aggr:{text}>"),
            Self::Keyword(word) => match word {
                Keyword::Start
                | Keyword::End
                | Keyword::Step
                | Keyword::Range
                | Keyword::MaxOf
                | Keyword::MinOf => quote(text),
                _ => format!("<{text}>"),
            },
            _ => quote(text),
        }
    }
}

/// Quoted, and cut after ten characters.
fn shortened(text: &str) -> String {
    if text.len() > 10 {
        format!("{}...", quote(&text.chars().take(10).collect::<String>()))
    } else {
        quote(text)
    }
}
