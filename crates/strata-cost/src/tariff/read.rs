//! A tariff from TOML.

use strata_model::Problem;
use toml::{Table, Value};

use super::{Tariff, TariffRow};
use crate::split::{CLASSES, Class};

/// Length of a tariff's text at most.
const MAX_TEXT: usize = 4 << 20;
/// Rows at most.
const MAX_ROWS: usize = 10_000;
/// The tier where a row names none.
pub const STANDARD: &str = "standard";
/// Prices of a row, with the class each is of.
const PRICES: [(&str, Class); CLASSES] = [
    ("prompt", Class::UncachedPrompt),
    ("cached_prompt", Class::CachedPrompt),
    ("generated", Class::Generated),
    ("requests", Class::Requests),
];

impl Tariff {
    /// Reads `name`, `currency` and `[[sell]]` rows. All problems are told at once.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > MAX_TEXT {
            return Err(vec![Problem::new("", format!("a tariff has at most {MAX_TEXT} bytes"))]);
        }
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| vec![Problem::new("", error.message().to_owned())])?;
        let mut problems = Vec::new();
        for key in table.keys().filter(|key| !["name", "currency", "sell"].contains(&&***key)) {
            problems.push(Problem::new(key, "unknown; there are name, currency and `[[sell]]`"));
        }
        let mut word = |key: &str| match table.get(key).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                problems.push(Problem::new(key, "missing"));
                String::new()
            }
        };
        let (name, currency) = (word("name"), word("currency"));
        let rows = table.get("sell").and_then(Value::as_array);
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        if rows.is_empty() || rows.len() > MAX_ROWS {
            problems.push(Problem::new("sell", format!("there are 1 to {MAX_ROWS} rows")));
        }
        let rows = rows.iter().take(MAX_ROWS).enumerate().map(|(at, value)| {
            let mut wrong =
                |message: String| problems.push(Problem::new(format!("sell[{at}]"), message));
            row(value, &mut wrong)
        });
        let tariff = Self { name, currency, rows: rows.collect() };
        problems.extend(tariff.problems());
        if problems.is_empty() { Ok(tariff) } else { Err(problems) }
    }
}

fn row(value: &Value, wrong: &mut dyn FnMut(String)) -> TariffRow {
    let nothing = Table::new();
    let table = value.as_table().unwrap_or(&nothing);
    let known = |key: &str| {
        ["model", "tier", "reserved_gpu_hour"].contains(&key)
            || PRICES.iter().any(|(name, _)| *name == key)
    };
    for key in table.keys().filter(|key| !known(key)) {
        wrong(format!("{key} is unknown"));
    }
    let text = |key: &str| table.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text("model").is_none() {
        wrong("model is missing".to_owned());
    }
    let mut price = |key: &str| {
        let value = table.get(key)?;
        let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        // Decimals are often written as text, so that no one rounds them.
        let number = number.or_else(|| value.as_str()?.parse().ok());
        if number.is_none() {
            wrong(format!("{key} is not a price"));
        }
        number
    };
    let mut per_unit = [None; CLASSES];
    for (key, class) in PRICES {
        if let Some(place) = per_unit.get_mut(class.place()) {
            *place = price(key);
        }
    }
    TariffRow {
        model: text("model").unwrap_or_default().to_owned(),
        tier: text("tier").unwrap_or(STANDARD).to_owned(),
        per_unit,
        per_reserved_gpu_hour: price("reserved_gpu_hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_all_problems_told() {
        let text = "name = \"2026-11\"\ncurrency = \"USD\"\n[[sell]]\nmodel = \"m\"\n\
                    prompt = \"0.5\"\ngenerated = 2\n";
        let tariff = Tariff::read(text).unwrap();
        assert_eq!((&*tariff.name, &*tariff.currency), ("2026-11", "USD"));
        let row = &tariff.rows[0];
        assert_eq!((&*row.tier, row.per_unit), (STANDARD, [Some(0.5), None, Some(2.0), None]));
        assert_eq!(row.per_reserved_gpu_hour, None, "what has no price is not sold for nothing");
        let bad = "currency = \"USD\"\nsells = 1\n[[sell]]\nprompt = \"much\"\nbatch = 1\n";
        let problems = Tariff::read(bad).unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(Tariff::read("=").is_err() && Tariff::read("name = \"a\"").is_err());
    }
}
