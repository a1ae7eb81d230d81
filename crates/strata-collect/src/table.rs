//! The table of metrics that the collectors of a layer write.

use strata_model::catalog::Catalog;

/// The name of the series of a metric, by the catalog's dotted name.
pub(crate) fn series_name(dotted: &str) -> &'static str {
    let metric = Catalog::builtin().metric(dotted);
    &metric.expect("a test holds each table against the catalog").prometheus
}

/// Dotted names, in the order of the catalog, as constants and as `ALL` for the comparison with it.
macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: &str = $name;)*
        #[cfg(test)]
        pub(super) const ALL: &[&str] = &[$($name),*];
    };
}
pub(crate) use names;
