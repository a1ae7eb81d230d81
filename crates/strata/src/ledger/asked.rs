//! What a request for a document asks for.

use std::collections::BTreeMap;

use strata_cost::ledger::Dimension;
use strata_model::text::parse_duration;
use strata_serve::ReportParams;
use strata_view::{PageError, PageErrorCode};
use strata_world::bill::Period;

use super::{LedgerService, STEP_MS, opencost};

/// What can be grouped by, with the words for it.
pub(crate) const DIMENSIONS: [(&str, Dimension); 11] = [
    ("namespace", Dimension::Namespace),
    ("pod", Dimension::Pod),
    ("team", Dimension::Team),
    ("app", Dimension::App),
    ("model", Dimension::Model),
    ("tenant", Dimension::Tenant),
    ("replica", Dimension::Replica),
    ("run", Dimension::Run),
    ("node", Dimension::Node),
    ("sku", Dimension::Sku),
    ("gpu", Dimension::Gpu),
];

/// What calls are grouped by is no dimension of the ledger.
pub(super) const CALLS: &str = "/cost/calls";

/// Parameters that only some documents take.
pub(crate) const MORE: [(&str, &[&str]); 9] = [
    ("/cost", &["basis", "idle"]),
    (CALLS, &["by"]),
    ("/inferenceCost/total", &["costBasis"]),
    ("/inferenceCost/timeseries", &["costBasis", "accumulate"]),
    ("/cost/breakeven", &["model", "against", "prompt", "cached", "generated"]),
    ("/cost/statements", &["customer"]),
    ("/cost/statement", &["customer", "of", "number"]),
    ("/cost/statement/draft", &["customer", "of", "from", "until"]),
    ("/cost/statement/close", &["customer", "of", "from", "until", "accept_assumed"]),
];

/// Length of a period, from a minute to a year, milliseconds.
const SINCE_MS: std::ops::RangeInclusive<i64> = 60_000..=366 * 86_400_000;
/// Dimensions of one document at most.
pub(crate) const BY_MAX: usize = 2;

/// The parameters of a request.
pub(super) struct Asked {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) by: Vec<(&'static str, Dimension)>,
    /// What only some documents take, by name.
    more: BTreeMap<&'static str, String>,
}

pub(super) fn bad(message: String, hint: &str) -> PageError {
    PageError { code: PageErrorCode::BadRequest, message, hint: hint.to_owned() }
}

impl Asked {
    pub(super) fn read(path: &str, params: &ReportParams, now_ms: i64) -> Result<Self, PageError> {
        let mut asked = Self { start_ms: 0, end_ms: now_ms, by: Vec::new(), more: BTreeMap::new() };
        let (mut since_ms, mut window) = (3_600_000, None);
        for (name, value) in params {
            match name.as_str() {
                "window" => window = Some(value),
                "since" => {
                    let since = parse_duration(value)
                        .map_err(|error| bad(format!("{name}: {error}"), "since=24h"))?;
                    since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
                }
                "end" => {
                    let end = strata_cost::time::instant_ms(value);
                    let end =
                        end.ok_or_else(|| bad(format!("end: {value:?}"), "end=2026-04-01"))?;
                    if end > now_ms + STEP_MS {
                        let told = format!("end: {value:?} is to come");
                        return Err(bad(told, "a time that is over: the rest is not measured yet"));
                    }
                    asked.end_ms = end;
                }
                "by" if path == CALLS => asked.take(path, name, value)?,
                "by" | "aggregate" => {
                    for word in value.split(',').filter(|word| !word.is_empty()) {
                        let word = if name == "by" { word } else { opencost::property(word) };
                        let known = DIMENSIONS.iter().find(|(name, _)| *name == word);
                        let names = DIMENSIONS.map(|(name, _)| name).join(", ");
                        let unknown = || bad(format!("by: {word:?}"), &format!("one of {names}"));
                        asked.by.push(*known.ok_or_else(unknown)?);
                    }
                }
                other => asked.take(path, other, value)?,
            }
        }
        if asked.by.len() > BY_MAX {
            return Err(bad("by: more than two".to_owned(), "by=team,model"));
        }
        match window {
            Some(text) => {
                (asked.start_ms, asked.end_ms) = opencost::window(text, asked.end_ms)?;
            }
            None => asked.start_ms = asked.end_ms.saturating_sub(since_ms),
        }
        if !SINCE_MS.contains(&asked.end_ms.saturating_sub(asked.start_ms)) {
            return Err(bad("the period is out of range".to_owned(), "from a minute to a year"));
        }
        Ok(asked)
    }

    /// Take a parameter that only some documents have.
    fn take(&mut self, path: &str, name: &str, value: &str) -> Result<(), PageError> {
        let own = MORE.iter().find(|(known, _)| *known == path).map_or(&[][..], |(_, own)| own);
        if let Some(name) = own.iter().find(|known| **known == name) {
            self.more.insert(name, value.to_owned());
            return Ok(());
        }
        // OpenCost's clients send more than it is worth to know.
        if !path.starts_with("/cost") {
            return Ok(());
        }
        let known = [&["since", "end", "by"], own].concat().join(", ");
        let message = format!("there is no parameter {name:?}");
        Err(bad(message, &known))
    }

    /// A parameter that only some documents have.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.more.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether a switch is on.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, PageError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(bad(format!("{name}: {other:?}"), "true or false")),
        }
    }

    /// A number above or at 0.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, PageError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        let wrong = || bad(format!("{name}: {text:?} is no amount"), "a number such as 0.6");
        number.map(Some).ok_or_else(wrong)
    }

    /// An instant.
    pub(super) fn instant(&self, name: &str) -> Result<Option<i64>, PageError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || bad(format!("{name}: {text:?} is no time"), "2026-04-01 or RFC 3339");
        strata_cost::time::instant_ms(text).map(Some).ok_or_else(wrong)
    }

    pub(super) fn period(&self) -> Period {
        LedgerService::period(self.start_ms, self.end_ms)
    }
}
