//! PromQL text: tokens, syntax tree, type check, and the canonical print.
//!
//! An own parser, because Prometheus's error texts, positions in annotations, duration
//! expressions and range modifiers are part of what clients see and check.

mod ast;
mod check;
mod duration;
mod functions;
mod lex;
mod literal;
mod modifiers;
mod parse;
mod print;
mod selector;
mod token;

pub use ast::{
    Aggregate, AtModifier, Binary, Call, Cardinality, DurationExpr, DurationOp, Expr, Matching,
    MatrixSelector, NumberLiteral, RangeKind, Span, StringLiteral, Subquery, Unary, ValueType,
    VectorSelector, When,
};
pub use duration::{format_duration_ms, parse_duration_ms};
pub use functions::{Arity, Function, function, functions};
pub use literal::{format_float, parse_number, quote, unquote};
pub use parse::{MAX_DEPTH, MAX_NESTING, MAX_QUERY_BYTES, ParseError, parse, parse_selector};
pub use print::pretty;
pub use token::{AggregateOp, BinaryOp};
