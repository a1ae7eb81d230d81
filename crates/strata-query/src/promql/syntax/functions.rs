//! The functions of PromQL and their signatures.

use super::ast::ValueType;

use ValueType::{Matrix, Scalar, String as Text, Vector};

/// How many arguments beyond the listed ones a call may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Exactly the listed ones.
    Fixed,
    /// The last one is optional and may repeat so often.
    UpTo(usize),
    /// The last one is optional and may repeat without bound.
    Any,
}

/// The signature of a function.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: &'static str,
    pub args: &'static [ValueType],
    pub arity: Arity,
    pub returns: ValueType,
}

/// The function with this name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().and_then(|at| FUNCTIONS.get(at))
}

/// All functions in order of name.
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

const fn fixed(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, arity: Arity::Fixed, returns }
}

const fn up_to(
    name: &'static str,
    args: &'static [ValueType],
    extra: usize,
    returns: ValueType,
) -> Function {
    Function { name, args, arity: Arity::UpTo(extra), returns }
}

const fn any(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, arity: Arity::Any, returns }
}

/// Sorted by name, for the binary search.
static FUNCTIONS: &[Function] = &[
    fixed("abs", &[Vector], Vector),
    fixed("absent", &[Vector], Vector),
    fixed("absent_over_time", &[Matrix], Vector),
    fixed("acos", &[Vector], Vector),
    fixed("acosh", &[Vector], Vector),
    fixed("asin", &[Vector], Vector),
    fixed("asinh", &[Vector], Vector),
    fixed("atan", &[Vector], Vector),
    fixed("atanh", &[Vector], Vector),
    fixed("avg_over_time", &[Matrix], Vector),
    fixed("ceil", &[Vector], Vector),
    fixed("changes", &[Matrix], Vector),
    fixed("clamp", &[Vector, Scalar, Scalar], Vector),
    fixed("clamp_max", &[Vector, Scalar], Vector),
    fixed("clamp_min", &[Vector, Scalar], Vector),
    fixed("cos", &[Vector], Vector),
    fixed("cosh", &[Vector], Vector),
    fixed("count_over_time", &[Matrix], Vector),
    up_to("day_of_month", &[Vector], 1, Vector),
    up_to("day_of_week", &[Vector], 1, Vector),
    up_to("day_of_year", &[Vector], 1, Vector),
    up_to("days_in_month", &[Vector], 1, Vector),
    fixed("deg", &[Vector], Vector),
    fixed("delta", &[Matrix], Vector),
    fixed("deriv", &[Matrix], Vector),
    fixed("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector),
    fixed("end", &[], Scalar),
    fixed("exp", &[Vector], Vector),
    fixed("first_over_time", &[Matrix], Vector),
    fixed("floor", &[Vector], Vector),
    fixed("histogram_avg", &[Vector], Vector),
    fixed("histogram_count", &[Vector], Vector),
    fixed("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    fixed("histogram_quantile", &[Scalar, Vector], Vector),
    up_to("histogram_quantiles", &[Vector, Text, Scalar, Scalar], 9, Vector),
    fixed("histogram_stddev", &[Vector], Vector),
    fixed("histogram_stdvar", &[Vector], Vector),
    fixed("histogram_sum", &[Vector], Vector),
    up_to("hour", &[Vector], 1, Vector),
    fixed("idelta", &[Matrix], Vector),
    fixed("increase", &[Matrix], Vector),
    up_to("info", &[Vector, Vector], 1, Vector),
    fixed("irate", &[Matrix], Vector),
    any("label_join", &[Vector, Text, Text, Text], Vector),
    fixed("label_replace", &[Vector, Text, Text, Text, Text], Vector),
    fixed("last_over_time", &[Matrix], Vector),
    fixed("ln", &[Vector], Vector),
    fixed("log10", &[Vector], Vector),
    fixed("log2", &[Vector], Vector),
    fixed("mad_over_time", &[Matrix], Vector),
    fixed("max_of", &[Scalar, Scalar], Scalar),
    fixed("max_over_time", &[Matrix], Vector),
    fixed("min_of", &[Scalar, Scalar], Scalar),
    fixed("min_over_time", &[Matrix], Vector),
    up_to("minute", &[Vector], 1, Vector),
    up_to("month", &[Vector], 1, Vector),
    fixed("pi", &[], Scalar),
    fixed("predict_linear", &[Matrix, Scalar], Vector),
    fixed("present_over_time", &[Matrix], Vector),
    fixed("quantile_over_time", &[Scalar, Matrix], Vector),
    fixed("rad", &[Vector], Vector),
    fixed("range", &[], Scalar),
    fixed("rate", &[Matrix], Vector),
    fixed("resets", &[Matrix], Vector),
    up_to("round", &[Vector, Scalar], 1, Vector),
    fixed("scalar", &[Vector], Scalar),
    fixed("sgn", &[Vector], Vector),
    fixed("sin", &[Vector], Vector),
    fixed("sinh", &[Vector], Vector),
    fixed("sort", &[Vector], Vector),
    any("sort_by_label", &[Vector, Text], Vector),
    any("sort_by_label_desc", &[Vector, Text], Vector),
    fixed("sort_desc", &[Vector], Vector),
    fixed("sqrt", &[Vector], Vector),
    fixed("start", &[], Scalar),
    fixed("start_timestamp", &[Vector], Vector),
    fixed("stddev_over_time", &[Matrix], Vector),
    fixed("stdvar_over_time", &[Matrix], Vector),
    fixed("step", &[], Scalar),
    fixed("sum_over_time", &[Matrix], Vector),
    fixed("tan", &[Vector], Vector),
    fixed("tanh", &[Vector], Vector),
    fixed("time", &[], Scalar),
    fixed("timestamp", &[Vector], Vector),
    fixed("ts_of_first_over_time", &[Matrix], Vector),
    fixed("ts_of_last_over_time", &[Matrix], Vector),
    fixed("ts_of_max_over_time", &[Matrix], Vector),
    fixed("ts_of_min_over_time", &[Matrix], Vector),
    fixed("vector", &[Scalar], Vector),
    up_to("year", &[Vector], 1, Vector),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_look_up_finds_them() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        for entry in FUNCTIONS {
            assert_eq!(function(entry.name), Some(entry));
        }
        assert_eq!(function("no_such_function"), None);
    }
}
