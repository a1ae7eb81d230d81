//! A request as the parameters of a URL, and back: the one place that knows their names.
//!
//! `since` is a duration (`15m`) of a range that moves on; `start` and `end` are milliseconds since
//! the Unix epoch of one that stands still.

use strata_model::text::parse_duration;

use super::{CostView, Language, PageId, PageRequest, Span, View};
use crate::source::{PageError, PageErrorCode};

/// Shortest and longest range of a page: a few samples, and what the longest tier keeps.
const SECONDS_MIN: i64 = 60;
const SECONDS_MAX: i64 = 400 * 86_400;
/// Longest text of a parameter but `query`: identities are label values, rarely over 200 bytes.
const TEXT_MAX: usize = 1024;
/// Longest question, as long as what a server takes in a URL.
const QUERY_MAX: usize = 16 * 1024;

fn bad(message: String, hint: &str) -> PageError {
    PageError { code: PageErrorCode::BadRequest, message, hint: hint.to_owned() }
}

impl PageRequest {
    /// Bytes of a parameter at most, but for `query`.
    pub const TEXT_BYTES_MAX: usize = TEXT_MAX;
    /// Bytes of `query` at most.
    pub const QUERY_BYTES_MAX: usize = QUERY_MAX;

    /// The parameters that lead here again, in a fixed order.
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let mut params = match self.span {
            Span::Live { seconds } => vec![("since", format!("{seconds}s"))],
            Span::Fixed { start_ms, end_ms } => {
                vec![("start", start_ms.to_string()), ("end", end_ms.to_string())]
            }
        };
        let texts = [
            ("entity", &self.entity),
            ("against", &self.against),
            ("group", &self.group),
            ("color", &self.color),
            ("query", &self.query),
        ];
        params.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
        if self.lang != Language::default() {
            params.push(("lang", self.lang.name().to_owned()));
        }
        if self.view != View::default() {
            params.push(("view", self.view.name().to_owned()));
        }
        let cost = self.cost.fields();
        params.extend(cost.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
        params
    }

    /// Read the parameters of a URL.
    ///
    /// # Errors
    /// [`PageErrorCode::BadRequest`] naming the parameter that does not parse, is out of bounds or
    /// is not known, with what would be right.
    pub fn from_params<'a>(
        page: PageId,
        params: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PageError> {
        let mut request = Self::new(page);
        let (mut since, mut start, mut end) = (None, None, None);
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in params {
            if seen.contains(&name) {
                return Err(bad(format!("parameter {name} stands there twice"), "give it once"));
            }
            seen.push(name);
            if value.is_empty() {
                continue;
            }
            let most = if name == "query" { QUERY_MAX } else { TEXT_MAX };
            if value.len() > most {
                return Err(bad(
                    format!("parameter {name} is longer than {most} bytes"),
                    "shorten it",
                ));
            }
            match name {
                "since" => since = Some(duration(value)?),
                "start" => start = Some(moment(name, value)?),
                "end" => end = Some(moment(name, value)?),
                "entity" => request.entity = Some(value.to_owned()),
                "against" => request.against = Some(value.to_owned()),
                "group" => request.group = Some(value.to_owned()),
                "color" => request.color = Some(value.to_owned()),
                "query" => request.query = Some(value.to_owned()),
                "lang" => request.lang = language(value)?,
                "view" => request.view = view(value)?,
                _ => match request.cost.field_mut(name).filter(|_| page == PageId::Cost) {
                    Some(field) => *field = Some(value.to_owned()),
                    None => return Err(unknown(page, name)),
                },
            }
        }
        request.span = span(since, start, end)?;
        Ok(request)
    }
}

fn unknown(page: PageId, name: &str) -> PageError {
    let known = "since, start, end, entity, against, group, color, query, lang and view";
    let hint = if page == PageId::Cost {
        let own = CostView::default().fields().map(|(name, _)| name).join(", ");
        format!("known are {own}, {known}")
    } else {
        format!("known are {known}")
    };
    bad(format!("unknown parameter {name:?}"), &hint)
}

fn duration(value: &str) -> Result<u32, PageError> {
    let hint = "write a duration such as 15m, 1h or 7d, from 1m to 400d";
    let duration = parse_duration(value)
        .map_err(|error| bad(format!("parameter since={value:?}: {error}"), hint))?;
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
        return Err(bad(format!("parameter since={value:?} is out of bounds"), hint));
    }
    u32::try_from(seconds).map_err(|_wide| bad(format!("since={value:?} is out of bounds"), hint))
}

fn language(value: &str) -> Result<Language, PageError> {
    Language::from_name(value)
        .ok_or_else(|| bad(format!("parameter lang={value:?} is no language"), "promql or sql"))
}

fn view(value: &str) -> Result<View, PageError> {
    View::from_name(value).ok_or_else(|| {
        let names = View::ALL.map(View::name).join(", ");
        bad(format!("parameter view={value:?} is no view"), &names)
    })
}

fn moment(name: &str, value: &str) -> Result<i64, PageError> {
    value.parse().ok().filter(|moment| *moment >= 0).ok_or_else(|| {
        bad(
            format!("parameter {name}={value:?} is no time"),
            "write milliseconds since 1970-01-01T00:00:00Z, for example 1764158400000",
        )
    })
}

fn span(since: Option<u32>, start: Option<i64>, end: Option<i64>) -> Result<Span, PageError> {
    match (since, start, end) {
        (None, None, None) => Ok(Span::default()),
        (Some(seconds), None, None) => Ok(Span::Live { seconds }),
        (None, Some(start_ms), Some(end_ms)) => {
            let seconds = (end_ms - start_ms) / 1000;
            if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
                Ok(Span::Fixed { start_ms, end_ms })
            } else {
                Err(bad(
                    "the range from start to end is out of bounds".to_owned(),
                    "end must be 1 minute to 400 days after start",
                ))
            }
        }
        _ => Err(bad(
            "the range of time is given by since, or by start and end together".to_owned(),
            "use since=1h, or start=... and end=...",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &[(&str, &str)]) -> Result<PageRequest, String> {
        PageRequest::from_params(PageId::Engines, params.iter().copied())
            .map_err(|error| error.message)
    }

    #[test]
    fn params_lead_back_to_the_same_request() {
        let check = |params: &[(&str, &str)]| {
            let request = read(params).unwrap();
            let again = request.params();
            let again: Vec<(&str, &str)> =
                again.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(read(&again).unwrap(), request, "{params:?}");
        };
        check(&[]);
        check(&[("since", "15m"), ("entity", "replica:chat-0")]);
        check(&[("start", "1764158400000"), ("end", "1764162000000"), ("color", "l1.power")]);
        check(&[("query", "sum by (model) (rate(x[5m]))"), ("group", "node")]);
        check(&[("query", "SELECT 1"), ("lang", "sql")]);
        check(&[("lang", "promql")]);
        check(&[("view", "compare"), ("entity", "model:a"), ("against", "model:b")]);
    }

    #[test]
    fn the_cost_page_has_parameters_of_its_own() {
        let all = [
            ("state", "held_idle"),
            ("model", "org/m"),
            ("tenant", "acme"),
            ("by", "team"),
            ("basis", "used"),
            ("idle", "platform"),
        ];
        let request = PageRequest::from_params(PageId::Cost, all).unwrap();
        let params = request.params();
        let again: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(PageRequest::from_params(PageId::Cost, again).unwrap(), request);
        assert_eq!(request.cost.model.as_deref(), Some("org/m"));
        let told = read(&[("basis", "used")]).unwrap_err();
        assert!(told.contains("unknown parameter"), "another page has none: {told}");
    }

    #[test]
    fn bad_parameters_are_told() {
        let check = |params: &[(&str, &str)], part: &str| {
            let error = read(params).unwrap_err();
            assert!(error.contains(part), "{params:?}: {error}");
        };
        check(&[("since", "soon")], "since=\"soon\"");
        check(&[("since", "1s")], "out of bounds");
        check(&[("since", "9999d")], "out of bounds");
        check(&[("start", "yesterday"), ("end", "1")], "start=\"yesterday\"");
        check(&[("start", "1764158400000")], "start and end together");
        check(&[("start", "5"), ("end", "1")], "out of bounds");
        check(&[("since", "1h"), ("start", "1"), ("end", "2")], "since, or by start");
        check(&[("lang", "cobol")], "lang=\"cobol\"");
        check(&[("view", "sideways")], "view=\"sideways\"");
        check(&[("colour", "red")], "unknown parameter \"colour\"");
        check(&[("entity", &"x".repeat(2000))], "longer than 1024");
    }
}
