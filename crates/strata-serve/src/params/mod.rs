//! Parameters of a request: from the URL and from a form body, with Prometheus's precedence.

pub mod duration;
pub mod escape;
pub mod time;

use crate::json::envelope::ApiError;

pub use duration::parse_duration;
pub use escape::unescape_label_name;
pub use time::parse_time;

/// More pairs than any client sends; the rest of a form is refused, not ignored.
const PAIRS_MAX: usize = 10_000;

/// The parameters of one request: those of the body first, then those of the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Read `a=1&b=2` of a form body and of a URL.
    ///
    /// # Errors
    /// A sentence, when there are more pairs than the bound.
    pub fn parse(body: &[u8], url_query: &str) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for text in [body, url_query.as_bytes()] {
            for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
                if pairs.len() == PAIRS_MAX {
                    return Err(format!("more than {PAIRS_MAX} parameters"));
                }
                let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                let (name, value) = pair.split_at(equals);
                pairs.push((decode(name), decode(value.get(1..).unwrap_or_default())));
            }
        }
        Ok(Self(pairs))
    }

    /// All pairs in their order.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// The first value of a parameter; the empty string when it is absent, as in Go.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Every value of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A time that must be there, in milliseconds.
    pub(crate) fn time(&self, name: &str) -> Result<i64, ApiError> {
        parse_time(self.get(name)).map_err(|problem| ApiError::parameter(name, problem))
    }

    /// A time that may be left out, in milliseconds.
    pub(crate) fn time_or(&self, name: &str, default_ms: i64) -> Result<i64, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(default_ms);
        }
        parse_time(text).map_err(|problem| {
            ApiError::parameter(name, format!("invalid time value for '{name}': {problem}"))
        })
    }

    /// A duration that must be there, in nanoseconds.
    pub(crate) fn duration(&self, name: &str) -> Result<i64, ApiError> {
        parse_duration(self.get(name)).map_err(|problem| ApiError::parameter(name, problem))
    }

    /// The `limit` of a look-up or query; 0 means none.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(0);
        }
        let limit = parse_integer(text).map_err(|problem| ApiError::parameter("limit", problem))?;
        usize::try_from(limit)
            .map_err(|_negative| ApiError::parameter("limit", "limit must be non-negative"))
    }
}

/// A decimal integer, refused in the words of Go's `strconv.Atoi`, which clients see today.
pub(crate) fn parse_integer(text: &str) -> Result<i64, String> {
    text.parse::<i64>().map_err(|error| {
        let problem = match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {text:?}: {problem}")
    })
}

/// Undo percent-encoding; `+` is a space. A `%` that is no escape stands for itself, and bytes that
/// are not UTF-8 become replacement characters, which then match nothing.
fn decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_comes_before_the_url() {
        let params =
            Params::parse(b"query=up%7Ba%3D%22b+c%22%7D&x", "query=down&match[]=1&match%5B%5D=2")
                .unwrap();
        assert_eq!(params.get("query"), "up{a=\"b c\"}");
        assert_eq!(params.get("x"), "");
        assert_eq!(params.get("absent"), "");
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn broken_escapes_stand_for_themselves() {
        let params = Params::parse(b"a=%&b=%4&c=%zz&d=%ff&&e==", "").unwrap();
        let values: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|n| params.get(n)).collect();
        assert_eq!(values, ["%", "%4", "%zz", "\u{fffd}", "="]);
    }

    #[test]
    fn limits_are_whole_numbers_from_zero() {
        let check = |text: &str, expected: Result<usize, &str>| {
            let params = Params::parse(format!("limit={text}").as_bytes(), "").unwrap();
            assert_eq!(params.limit().map_err(|e| e.message), expected.map_err(str::to_owned));
        };
        check("", Ok(0));
        check("10", Ok(10));
        check("-1", Err(r#"invalid parameter "limit": limit must be non-negative"#));
        check("x", Err(r#"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#));
        check(
            "99999999999999999999",
            Err(
                r#"invalid parameter "limit": strconv.Atoi: parsing "99999999999999999999": value out of range"#,
            ),
        );
    }

    #[test]
    fn too_many_parameters_are_refused() {
        let body = "a&".repeat(PAIRS_MAX + 1);
        assert!(Params::parse(body.as_bytes(), "").is_err());
    }
}
