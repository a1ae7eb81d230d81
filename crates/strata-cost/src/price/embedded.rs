//! The published figures that are built in, each with its source and date.

use super::{Origin, Price, parse};

const FILES: [(&str, &str); 2] = [
    ("inferencex.toml", include_str!("../../prices/inferencex.toml")),
    ("market.toml", include_str!("../../prices/market.toml")),
];

/// All rows. A row that cannot be read is left out; a test holds that there is none.
pub(super) fn prices() -> Vec<Price> {
    let rows = |(_, text): &(&str, &str)| parse::rows(text, Origin::Embedded).0;
    FILES.iter().flat_map(rows).map(|(_, price)| price).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::{Confidence, validate};

    #[test]
    fn every_row_is_sound_and_tells_its_source() {
        for (file, text) in FILES {
            let (rows, problems, _) = parse::rows(text, Origin::Embedded);
            assert!(problems.is_empty(), "{file}: {problems:?}");
            assert_eq!(validate::problems(&rows), [], "{file}");
        }
        let prices = prices();
        assert!(prices.len() >= 36, "{}", prices.len());
        for price in prices {
            assert_ne!(price.confidence, Confidence::High, "a published figure is no contract");
            assert!(price.per_hour > 0.1 && price.source.len() > 5, "{price:?}");
        }
    }
}
