//! TOML into rows of a price book, with every problem of every row.

use strata_model::Problem;
use toml::{Table, Value};

use super::{Confidence, Origin, Per, Price, PriceKind, Term, sku};
use crate::time::instant_ms;

/// Rows of a book at most: some ten times a cloud's whole list of GPU machines.
pub(super) const MAX_ROWS: usize = 100_000;
/// Length of a book's text at most.
const MAX_TEXT: usize = 32 << 20;

/// What a row may say.
const KEYS: [&str; 18] = [
    "gpu",
    "node",
    "gpus",
    "label",
    "value",
    "provider",
    "region",
    "term",
    "per_hour",
    "per",
    "currency",
    "kind",
    "from",
    "until",
    "source",
    "date",
    "confidence",
    "reference",
];

/// What a book is made of.
const TABLES: [&str; 2] = ["price", "owned"];

/// One row by itself.
pub(super) fn row(table: &Table, origin: Origin) -> Result<Price, Vec<Problem>> {
    let mut row = Row { problems: Vec::new(), table: Some(table) };
    row.price(origin).ok_or(row.problems)
}

/// Reads `[[price]]` rows. The rows that can be understood come back beside the problems of the
/// others; `at` in the result is the row's place in the file. The third value is the `[[owned]]` rows.
pub(super) fn rows(text: &str, origin: Origin) -> (Vec<(usize, Price)>, Vec<Problem>, Vec<Value>) {
    let fail = |message: String| (Vec::new(), vec![Problem::new("", message)], Vec::new());
    if text.len() > MAX_TEXT {
        return fail(format!("a price book has at most {MAX_TEXT} bytes"));
    }
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return fail(format!("not TOML: {}", error.message())),
    };
    let mut problems: Vec<_> = table
        .keys()
        .filter(|key| !TABLES.contains(&key.as_str()))
        .map(|key| Problem::new(key, "unknown; a price book has `[[price]]` and `[[owned]]` rows"))
        .collect();
    let [found, owned] = TABLES.map(|name| {
        let value = table.get(name)?;
        if !value.is_array() {
            problems.push(Problem::new(name, format!("is not a list of `[[{name}]]` rows")));
        }
        value.as_array().cloned()
    });
    if found.is_none() && owned.is_none() {
        let message = "missing: a price book has `[[price]]` or `[[owned]]` rows";
        problems.push(Problem::new("price", message));
    }
    let (found, owned) = (found.unwrap_or_default(), owned.unwrap_or_default());
    if found.len() > MAX_ROWS || owned.len() > MAX_ROWS {
        return fail(format!("a price book has at most {MAX_ROWS} rows"));
    }
    let mut rows = Vec::with_capacity(found.len());
    for (at, value) in found.iter().enumerate() {
        let mut row = Row { problems: Vec::new(), table: value.as_table() };
        let price = row.price(origin);
        problems.extend(row.problems.into_iter().map(|one| one.within(&format!("price[{at}]"))));
        rows.extend(price.map(|price| (at, price)));
    }
    (rows, problems, owned)
}

/// One row while it is read.
struct Row<'a> {
    table: Option<&'a Table>,
    problems: Vec<Problem>,
}

impl Row<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }

    fn price(&mut self, origin: Origin) -> Option<Price> {
        let Some(table) = self.table else {
            self.wrong("", "not a table");
            return None;
        };
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.wrong(key, format!("unknown; a row has {}", KEYS.join(", ")));
        }
        let gpu = self.text("gpu").map(|name| sku(&name));
        let node = self.text("node");
        let selector = self.selector();
        if gpu.is_none() && node.is_none() && selector.is_none() {
            self.wrong("gpu", "missing: a row names a gpu, a node or a label");
        }
        let gpus = self.gpus();
        // A row that counts the node's GPUs prices the node, unless it says otherwise.
        let per = self.choice("per", &[("gpu", Per::Gpu), ("node", Per::Node)]);
        let per = per.unwrap_or(if gpus.is_some() { Per::Node } else { Per::Gpu });
        let from_ms = self.date("from");
        let until_ms = self.date("until");
        if let (Some(from), Some(until)) = (from_ms, until_ms)
            && from >= until
        {
            self.wrong("until", "not after `from`");
        }
        let currency = self.currency();
        let per_hour = self.per_hour();
        let source = self.required("source");
        let date_ms = self.date("date");
        if date_ms.is_none() && !table.contains_key("date") {
            self.wrong("date", "missing: a price without a date cannot be judged");
        }
        let price = Price {
            gpu,
            node,
            selector,
            provider: self.text("provider"),
            region: self.text("region"),
            term: self.choice("term", &Term::ALL),
            gpus,
            per,
            per_hour: per_hour.unwrap_or_default(),
            currency: currency.unwrap_or_default(),
            kind: self.choice("kind", &PriceKind::ALL).unwrap_or(PriceKind::List),
            from_ms,
            until_ms,
            source: source.unwrap_or_default(),
            date_ms: date_ms.unwrap_or_default(),
            confidence: self.choice("confidence", &Confidence::ALL).unwrap_or(Confidence::Medium),
            reference: self.flag("reference"),
            origin,
        };
        self.problems.is_empty().then_some(price)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.table.and_then(|table| table.get(key))
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key) {
            None => None,
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(_) => {
                self.wrong(key, "not a text, or an empty one");
                None
            }
        }
    }

    fn required(&mut self, key: &str) -> Option<String> {
        if self.value(key).is_none() {
            self.wrong(key, "missing");
        }
        self.text(key)
    }

    fn selector(&mut self) -> Option<(String, String)> {
        match (self.text("label"), self.text("value")) {
            (Some(label), Some(value)) => Some((label, value)),
            (None, None) => None,
            (Some(_), None) => {
                self.wrong("value", "missing: `label` needs the value it must have");
                None
            }
            (None, Some(_)) => {
                self.wrong("label", "missing: `value` needs the label that has it");
                None
            }
        }
    }

    fn gpus(&mut self) -> Option<f64> {
        let gpus = self.number("gpus")?;
        if gpus > 0.0 {
            return Some(gpus);
        }
        self.wrong("gpus", format!("{gpus} is not above zero"));
        None
    }

    fn per_hour(&mut self) -> Option<f64> {
        if self.value("per_hour").is_none() {
            self.wrong(
                "per_hour",
                "missing: without a price the cost is unknown, so leave out the row",
            );
        }
        let per_hour = self.number("per_hour")?;
        if per_hour >= 0.0 {
            return Some(per_hour);
        }
        self.wrong("per_hour", format!("{per_hour} is negative"));
        None
    }

    /// A number, as itself or as a decimal in quotes.
    fn number(&mut self, key: &str) -> Option<f64> {
        let number = match self.value(key)? {
            Value::Integer(whole) => Some(*whole as f64),
            Value::Float(number) => Some(*number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            self.wrong(key, "not a number; write 2.95 or \"2.95\"");
        }
        number
    }

    fn currency(&mut self) -> Option<String> {
        let code = self.required("currency")?;
        if code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Some(code);
        }
        self.wrong("currency", format!("`{code}` is not a code of three capitals such as USD"));
        None
    }

    fn date(&mut self, key: &str) -> Option<i64> {
        let text = match self.value(key)? {
            Value::Datetime(date) => date.to_string(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        let found = instant_ms(&text);
        if found.is_none() {
            self.wrong(key, "not a date; write 2026-04-01, \"2026-04\" or RFC 3339");
        }
        found
    }

    fn choice<T: Copy>(&mut self, key: &str, all: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = all.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
            self.wrong(key, format!("`{text}` is none of {}", names.join(", ")));
        }
        found
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.value(key) {
            None => false,
            Some(Value::Boolean(flag)) => *flag,
            Some(_) => {
                self.wrong(key, "not true or false");
                false
            }
        }
    }
}
