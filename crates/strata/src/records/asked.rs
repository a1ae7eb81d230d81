//! What a request for a document about requests asks for.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use strata_model::record::Filter;
use strata_serve::ReportParams;
use strata_serve::bounds::FILTERS_MAX;
use strata_serve::params::parse_time;
use strata_view::{PageError, PageErrorCode};

/// Parameters of each document besides the range.
const OWN: [(&str, &[&str]); 4] = [
    ("/requests/compare", &["a", "b", "margin", "less_is_better"]),
    (
        "/requests/lengths",
        &["by", "where", "itl_target_ms", "batch", "batched_tokens", "transfer_gbps"],
    ),
    ("/requests/one", &["id"]),
    ("/requests/parts", &["where"]),
];

/// The range when none is given: a day, microseconds. Judgements are rare.
const SINCE_DEFAULT_US: i64 = 86_400_000_000;

/// The parameters of a request.
pub(super) struct Asked {
    pub(super) range_us: Range<i64>,
    own: BTreeMap<&'static str, Vec<String>>,
}

pub(super) fn bad(message: impl Into<String>, hint: &str) -> PageError {
    PageError { code: PageErrorCode::BadRequest, message: message.into(), hint: hint.to_owned() }
}

impl Asked {
    pub(super) fn read(path: &str, params: &ReportParams, now_ms: i64) -> Result<Self, PageError> {
        let known = OWN.iter().find(|(one, _)| *one == path).map_or(&[][..], |(_, own)| own);
        let (mut start, mut end, mut own) = (None, None, BTreeMap::<_, Vec<String>>::new());
        for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
            let time = || {
                let hint = "write RFC 3339 or seconds since 1970";
                let ms =
                    parse_time(value).map_err(|problem| bad(format!("{name}: {problem}"), hint));
                ms.map(|ms| ms.saturating_mul(1_000))
            };
            match name.as_str() {
                "start" => start = Some(time()?),
                "end" => end = Some(time()?),
                other => {
                    let Some(name) = known.iter().find(|one| **one == other) else {
                        let names = [&["start", "end"], known].concat().join(", ");
                        return Err(bad(format!("there is no parameter {other:?}"), &names));
                    };
                    own.entry(*name).or_default().push(value.clone());
                }
            }
        }
        let end = end.unwrap_or(now_ms.saturating_mul(1_000));
        let start = start.unwrap_or(end.saturating_sub(SINCE_DEFAULT_US));
        if start >= end {
            return Err(bad("start is not before end", ""));
        }
        Ok(Self { range_us: start..end, own })
    }

    /// A parameter that may be left out.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.own.get(name)?.first().map(String::as_str)
    }

    /// A parameter that may be repeated.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.own.get(name).map_or(&[], Vec::as_slice)
    }

    /// A parameter that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, PageError> {
        self.text(name).ok_or_else(|| bad(format!("{name} is missing"), "see docs/records.md"))
    }

    /// Conditions on requests.
    pub(super) fn filters(&self) -> Result<Vec<Filter>, PageError> {
        let hint = "write where=team=search or where=duration>=2s";
        let all = self.all("where");
        if all.len() > FILTERS_MAX {
            return Err(bad(format!("more than {FILTERS_MAX} conditions"), ""));
        }
        let filters: Result<Vec<_>, _> = all.iter().map(|text| Filter::parse(text)).collect();
        filters.map_err(|words| bad(words, hint))
    }

    /// A number within bounds, both of them allowed.
    pub(super) fn number(
        &self,
        name: &str,
        bounds: RangeInclusive<f64>,
    ) -> Result<Option<f64>, PageError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number: &f64| bounds.contains(number));
        number.map(Some).ok_or_else(|| {
            let hint = format!("a number from {} to {}", bounds.start(), bounds.end());
            bad(format!("{name}: {text:?}"), &hint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &[(&str, &str)]) -> Result<Asked, String> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let params = params.iter().map(pair).collect();
        Asked::read("/requests/compare", &params, 100_000_000).map_err(|error| error.message)
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |params: &[(&str, &str)], words: &str| {
            let error = read(params).err().unwrap_or_default();
            assert!(error.contains(words), "{params:?}: {error}");
        };
        check(&[("start", "soon")], "start: ");
        check(&[("start", "5"), ("end", "5")], "start is not before end");
        check(&[("c", "x")], "no parameter \"c\"");
        let asked = read(&[("a", "big"), ("margin", "2"), ("b", "")]).unwrap();
        assert_eq!(asked.range_us, 13_600_000_000..100_000_000_000);
        assert_eq!((asked.text("a"), asked.text("b")), (Some("big"), None));
        assert!(asked.needed("b").is_err() && asked.number("margin", 0.0..=1.0).is_err());
        // The ends are in it, as is said where it is refused.
        assert_eq!(asked.number("margin", 0.0..=2.0), Ok(Some(2.0)));
    }
}
