//! Statements: closed once, never changed, each bound to the one before by its hash.

use serde_json::{Map, Value, json};

use super::{Assumed, Usage};
use crate::hash::sha256;
use crate::ledger::Line;
use crate::sum::sum;
use crate::time::{instant_ms, rfc3339};

/// One line of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementLine {
    /// Model.
    pub model: String,
    /// Tier of service.
    pub tier: String,
    /// Token class, `requests` or `reserved_gpu_hours`.
    pub item: String,
    /// How much, in the units that the price is for.
    pub quantity: f64,
    /// Money for one unit.
    pub unit_price: f64,
    /// Money.
    pub amount: f64,
}

impl StatementLine {
    pub(super) fn new(used: &Usage, item: &str, quantity: f64, unit_price: f64) -> Self {
        Self {
            model: used.model.clone(),
            tier: used.tier.clone(),
            item: item.to_owned(),
            quantity,
            unit_price,
            amount: quantity * unit_price,
        }
    }
}

/// A statement that is still open.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Number of the statement among those of its customer.
    pub number: u64,
    /// Customer: tenant or team.
    pub customer: String,
    /// Name and edition of the tariff.
    pub tariff: String,
    /// ISO 4217 code.
    pub currency: String,
    /// First instant, ms since 1970.
    pub start_ms: i64,
    /// First instant no longer in it.
    pub end_ms: i64,
    /// Length of the steps in which holders are told apart, ms.
    pub step_ms: i64,
    /// What of it was not measured.
    pub assumed: Assumed,
    /// What was used.
    pub lines: Vec<StatementLine>,
}

/// Why a statement cannot be closed or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The period has not ended, so more may come.
    #[error("cannot close a period that ends at {0}, after now")]
    NotOver(String),
    /// The period ends before it begins.
    #[error("cannot close a period that does not end after it begins")]
    NoPeriod,
    /// A line has no number.
    #[error("cannot close with line {0}: its amount is not a number")]
    NotANumber(usize),
    /// It does not begin where the one before ended.
    #[error("cannot close a period that begins at {begins}: the one before ends at {ended}")]
    Gap {
        /// Where the one before ended.
        ended: String,
        /// Where this one begins.
        begins: String,
    },
    /// The text is not what was hashed.
    #[error("cannot trust the statement: its text has another hash than {0}")]
    Changed(String),
    /// The text is what was hashed, and no statement.
    #[error("cannot read the statement: it has no {0}")]
    NoStatement(&'static str),
    /// Some of what is to be charged has no price.
    #[error("cannot close: {0} has GPU time without a price")]
    Unpriced(String),
}

/// A closed statement. Its fields cannot be changed, and a change of its text changes its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    body: String,
    hash: String,
    number: u64,
    end_ms: i64,
}

/// Lines that charge what was spent, one for each model: GPU hours at what they came to.
pub fn at_cost(lines: &[(String, Line)]) -> Result<Vec<StatementLine>, StatementError> {
    let spent = lines.iter().filter(|(_, line)| line.gpu_s() > 0.0);
    let line = |(model, line): &(String, Line)| {
        let amount = line.amount().ok_or_else(|| StatementError::Unpriced(model.clone()))?;
        let quantity = line.gpu_s() / 3600.0;
        Ok(StatementLine {
            model: model.clone(),
            tier: "at_cost".to_owned(),
            item: "gpu_hours".to_owned(),
            quantity,
            unit_price: amount / quantity,
            amount,
        })
    };
    spent.map(line).collect()
}

impl Closed {
    /// The statement as canonical JSON: one line, keys in a fixed order, money in millionths.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// SHA-256 of the body, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Number among the statements of its customer.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// First instant no longer in it, ms since 1970.
    pub fn end_ms(&self) -> i64 {
        self.end_ms
    }

    /// A statement that was closed before, of which `hash` was kept.
    pub fn read(body: &str, hash: &str) -> Result<Self, StatementError> {
        verify(body, hash)?;
        let told: Value =
            serde_json::from_str(body).map_err(|_not| StatementError::NoStatement("JSON"))?;
        let number = told["number"].as_u64().ok_or(StatementError::NoStatement("number"))?;
        let end_ms = told["end"].as_str().and_then(instant_ms);
        let end_ms = end_ms.ok_or(StatementError::NoStatement("end"))?;
        Ok(Self { body: body.to_owned(), hash: hash.trim().to_lowercase(), number, end_ms })
    }
}

impl Draft {
    /// Closes it behind `before`, the last closed one of the same customer. A correction is a line
    /// of a later statement, never a change of this one.
    pub fn close(self, before: Option<&Closed>, now_ms: i64) -> Result<Closed, StatementError> {
        if self.end_ms <= self.start_ms {
            return Err(StatementError::NoPeriod);
        }
        if self.end_ms > now_ms {
            return Err(StatementError::NotOver(rfc3339(self.end_ms)));
        }
        if let Some(before) = before.filter(|before| before.end_ms != self.start_ms) {
            let (ended, begins) = (rfc3339(before.end_ms), rfc3339(self.start_ms));
            return Err(StatementError::Gap { ended, begins });
        }
        let sound = |line: &StatementLine| {
            [line.quantity, line.unit_price, line.amount].iter().all(|number| number.is_finite())
        };
        if let Some(at) = self.lines.iter().position(|line| !sound(line)) {
            return Err(StatementError::NotANumber(at));
        }
        let body = Value::Object(self.canonical(before)).to_string();
        let hash = sha256(&body);
        Ok(Closed { body, hash, number: self.number, end_ms: self.end_ms })
    }

    fn canonical(&self, before: Option<&Closed>) -> Map<String, Value> {
        let line = |line: &StatementLine| {
            json!({
                "model": line.model,
                "tier": line.tier,
                "item": line.item,
                "quantity": millionths(line.quantity),
                "unit_price": millionths(line.unit_price),
                "amount": millionths(line.amount),
            })
        };
        let total = sum(self.lines.iter().map(|line| line.amount));
        // The keys stand in the order of this list whatever the order of a map is elsewhere.
        let pairs = [
            ("number", json!(self.number)),
            ("customer", json!(self.customer)),
            ("tariff", json!(self.tariff)),
            ("currency", json!(self.currency)),
            ("start", json!(rfc3339(self.start_ms))),
            ("end", json!(rfc3339(self.end_ms))),
            ("step_seconds", json!(self.step_ms / 1000)),
            ("total", json!(millionths(total))),
            ("assumed", self.assumed.canonical()),
            ("lines", Value::Array(self.lines.iter().map(line).collect())),
            ("previous_sha256", json!(before.map(|before| before.hash.as_str()))),
        ];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// Decimals as text: every reader reads the same number.
pub(super) fn millionths(number: f64) -> String {
    format!("{number:.6}")
}

/// Whether `body` is what was closed under `expected`.
pub fn verify(body: &str, expected: &str) -> Result<(), StatementError> {
    if sha256(body).eq_ignore_ascii_case(expected.trim()) {
        Ok(())
    } else {
        Err(StatementError::Changed(expected.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Class;
    use crate::tariff::{Tariff, TariffRow};

    fn tariff() -> Tariff {
        let row = TariffRow {
            model: "m".into(),
            tier: "batch".into(),
            per_unit: [Some(0.5), Some(0.05), Some(2.0), None],
            per_reserved_gpu_hour: Some(1.0),
        };
        Tariff { name: "2026-04".into(), currency: "USD".into(), rows: vec![row] }
    }

    fn used(quantities: [f64; 4]) -> Usage {
        let quantities = quantities.map(Some);
        Usage { model: "m".into(), tier: "batch".into(), quantities, reserved_gpu_hours: 2.0 }
    }

    fn draft() -> Draft {
        let (lines, problems) = tariff().lines(&[used([2e6, 1e6, 3e6, 10.0])]);
        assert_eq!(problems, []);
        Draft {
            number: 1,
            customer: "t".into(),
            tariff: "2026-04".into(),
            currency: "USD".into(),
            start_ms: 0,
            end_ms: 1000,
            step_ms: 1000,
            assumed: Assumed::default(),
            lines,
        }
    }

    #[test]
    fn a_statement_adds_up_and_tells_a_change() {
        let closed = draft().close(None, 1000).unwrap();
        assert!(closed.body().contains("\"total\":\"9.050000\""), "{}", closed.body());
        assert_eq!(verify(closed.body(), closed.hash()), Ok(()));
        assert!(closed.body().contains("\"unknown_gpu_hours\":\"0.000000\""), "{}", closed.body());
        let forged = closed.body().replace("9.05", "1.05");
        assert!(matches!(verify(&forged, closed.hash()), Err(StatementError::Changed(_))));
        assert_eq!(closed, draft().close(None, 5000).unwrap());
        assert_eq!(Closed::read(closed.body(), closed.hash()), Ok(closed.clone()));
        let forged = Closed::read(&forged, closed.hash());
        assert!(matches!(forged, Err(StatementError::Changed(_))));
        let other = Closed::read("{}", &sha256("{}"));
        assert_eq!(other, Err(StatementError::NoStatement("number")));
    }

    #[test]
    fn at_cost_is_what_was_spent_or_not_closed() {
        let facts = crate::unit::tests::facts();
        let options = crate::ledger::Options::default();
        let book = crate::price::PriceBook::embedded();
        let ledger = crate::ledger::Ledger::build(&facts, &book, &options);
        let lines = vec![("m".to_owned(), ledger.total())];
        let [line] = at_cost(&lines).unwrap().try_into().unwrap();
        assert!((line.amount - ledger.bill.money).abs() < 1e-12);
        assert!((line.quantity * line.unit_price - line.amount).abs() < 1e-12);
        let empty = crate::price::PriceBook::default();
        let ledger = crate::ledger::Ledger::build(&facts, &empty, &options);
        let refused = at_cost(&[("m".to_owned(), ledger.total())]);
        assert_eq!(refused, Err(StatementError::Unpriced("m".to_owned())));
    }

    #[test]
    fn statements_follow_each_other_without_a_gap() {
        let first = draft().close(None, 1000).unwrap();
        let next = Draft { number: 2, start_ms: 1000, end_ms: 2000, ..draft() };
        let second = next.clone().close(Some(&first), 2000).unwrap();
        assert!(second.body().contains(first.hash()));
        let late = Draft { start_ms: 1500, ..next.clone() };
        assert!(matches!(late.close(Some(&first), 2000), Err(StatementError::Gap { .. })));
        assert!(matches!(next.close(Some(&first), 1999), Err(StatementError::NotOver(_))));
        let empty = Draft { end_ms: 0, ..draft() };
        assert_eq!(empty.close(None, 9), Err(StatementError::NoPeriod));
    }

    #[test]
    fn what_is_not_sold_is_told_and_not_given_away() {
        let mut poor = tariff();
        poor.rows[0].per_unit[Class::CachedPrompt.place()] = None;
        let unknown = Usage { model: "other".into(), ..used([1.0; 4]) };
        let (_, problems) = poor.lines(&[used([0.0, 1.0, 0.0, 0.0]), unknown]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        let uncounted = Usage { quantities: [Some(1.0), None, None, None], ..used([0.0; 4]) };
        let (_, problems) = tariff().lines(&[uncounted]);
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "cached and generated are sold and not counted: {told:?}");
        let hours = used([0.0; 4]);
        assert_eq!(poor.lines(std::slice::from_ref(&hours)).1, [], "only hours were held");
        poor.rows[0].per_reserved_gpu_hour = None;
        let (lines, problems) = poor.lines(&[hours]);
        assert!(lines.is_empty() && problems.len() == 1, "{lines:?} {problems:?}");
        assert!(problems[0].to_string().contains("reserved_gpu_hours of m are not sold"));
        poor.rows.push(poor.rows[0].clone());
        poor.rows[1].per_unit[0] = Some(-1.0);
        assert_eq!(poor.problems().len(), 2);
    }
}
