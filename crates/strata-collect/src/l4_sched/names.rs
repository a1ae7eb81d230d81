//! Every metric the collectors of this layer write, in one table.
//!
//! These are the catalog's dotted names (`catalog/metrics/l4_sched.toml`); the names of the series
//! are derived there.

use strata_model::catalog::Catalog;

/// The name of the series of a metric of this table.
pub(super) fn series_name(dotted: &str) -> &'static str {
    let metric = Catalog::builtin().metric(dotted);
    &metric.expect("a test holds this table against the catalog").prometheus
}

// Dotted names, in the order of the catalog.
macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: &str = $name;)*
        /// All of them, for the comparison with the catalog.
        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    ALLOCATION = "gpu.allocation";
    OWNER = "gpu.owner";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_every_name() {
        for name in ALL {
            assert!(Catalog::builtin().metric(name).is_some(), "{name}");
        }
    }
}
