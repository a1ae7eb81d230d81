//! What can be set about the content of a route: the table `capture` of `[[proxy.routes]]`.

use std::time::Duration;

use hyper::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::content::{BUILTIN, PatternOptions, Redactor};
use strata_model::text::{parse_bytes, parse_duration};

use crate::settings::RouteSettings;

/// Shortest and longest time that content is kept.
const HOUR: Duration = Duration::from_hours(1);
const YEARS: Duration = Duration::from_hours(24 * 366 * 10);
/// Bounds of `call_bytes`: below, hardly a conversation fits; above, one call fills the room of all.
const CALL_BYTES: std::ops::RangeInclusive<u64> = 1024..=16 << 20;
/// Least disk space: a few of the largest calls.
const DISK_MIN: u64 = 1 << 20;
/// Least memory of all content, as many times the longest call: what is streamed takes about fourteen
/// times its bytes while it is cleaned, for which there is half of it.
const MEMORY_TIMES: u64 = 32;
/// Bounds of the memory of all content. Above, a group of calls would not fit into a frame.
const MEMORY: std::ops::RangeInclusive<u64> = 8 << 20..=2 << 30;
/// Patterns of one's own.
const PATTERNS_MAX: usize = 64;

/// What of the words that pass on a route is kept. They are cleaned before they are written, into a
/// directory that only this user can read, and leave it only by `strata export`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureOptions {
    /// Part of the calls that are kept, above 0 and at most 1.
    pub share: f64,
    /// Built-in patterns that are taken out: secret, email, iban, card, ip, phone. All of them when left
    /// out, none for `[]`.
    pub redact: Vec<String>,
    /// Patterns of one's own, taken out after the built-in ones.
    pub patterns: Vec<PatternOptions>,
    /// A program on this host that cleans texts further: `http://127.0.0.1:PORT/PATH`. Gets a POST of
    /// `{"texts": [..]}` and answers with as many texts. What it does not answer for is not kept.
    pub redactor: Option<String>,
    /// Longest request and answer, together; longer calls are not kept.
    pub call_bytes: String,
    /// Most disk space of the route; beyond it the oldest is deleted.
    pub disk: String,
    /// How long content is kept; what is older is deleted.
    pub retention: String,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            share: 1.0,
            redact: BUILTIN.map(str::to_owned).to_vec(),
            patterns: Vec::new(),
            redactor: None,
            call_bytes: "1MiB".to_owned(),
            disk: "1GiB".to_owned(),
            retention: "30d".to_owned(),
        }
    }
}

/// The checked form of [`CaptureOptions`].
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureSettings {
    /// Above 0, at most 1.
    pub share: f64,
    pub redact: Vec<String>,
    pub patterns: Vec<PatternOptions>,
    pub redactor: Option<Uri>,
    pub call_bytes: usize,
    pub disk_bytes: u64,
    pub retention: Duration,
}

impl CaptureOptions {
    /// Check all fields.
    ///
    /// # Errors
    /// Every problem, each with the name of its field.
    pub fn validate(&self) -> Result<CaptureSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        if !(self.share > 0.0 && self.share <= 1.0) {
            problems.push(Problem::new("share", "must be above 0 and at most 1"));
        }
        if self.patterns.len() > PATTERNS_MAX {
            problems.push(Problem::new("patterns", format!("are more than {PATTERNS_MAX}")));
        }
        if let Err(found) = Redactor::new(&self.redact, &self.patterns) {
            problems.extend(found.into_iter().map(|(path, message)| Problem::new(path, message)));
        }
        let redactor = self.redactor.as_ref().map(|url| url.parse::<Uri>().unwrap_or_default());
        if redactor.as_ref().is_some_and(|url| !is_here(url)) {
            let message = "is no address on this host, like http://127.0.0.1:9000/redact, without a \
                           password and a query: what is not cleaned yet does not leave it";
            problems.push(Problem::new("redactor", message));
        }
        let mut bytes = |name: &str, text: &str, range: std::ops::RangeInclusive<u64>| {
            let message = match parse_bytes(text) {
                Ok(bytes) if range.contains(&bytes) => return bytes,
                Ok(_) => {
                    format!("{text:?} is not between {} and {} bytes", range.start(), range.end())
                }
                Err(message) => message,
            };
            problems.push(Problem::new(name, message));
            0
        };
        let call_bytes = bytes("call_bytes", &self.call_bytes, CALL_BYTES);
        let disk_bytes = bytes("disk", &self.disk, DISK_MIN..=u64::MAX);
        let retention = match parse_duration(&self.retention) {
            Ok(time) if (HOUR..=YEARS).contains(&time) => time,
            Ok(_) => {
                problems.push(Problem::new("retention", "is not between 1h and 10y"));
                HOUR
            }
            Err(message) => {
                problems.push(Problem::new("retention", message));
                HOUR
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(CaptureSettings {
            share: self.share,
            redact: self.redact.clone(),
            patterns: self.patterns.clone(),
            redactor,
            call_bytes: usize::try_from(call_bytes).unwrap_or(usize::MAX),
            disk_bytes,
            retention,
        })
    }
}

/// The memory that content of these routes may take, bytes.
pub(crate) fn checked_memory(
    text: &str,
    routes: &[RouteSettings],
    problems: &mut Vec<Problem>,
) -> usize {
    let mut problem = |message| problems.push(Problem::new("content_memory", message));
    let longest = routes.iter().filter_map(|route| route.capture.as_ref());
    let longest = longest.map(|capture| capture.call_bytes as u64).max().unwrap_or(0);
    let least = longest * MEMORY_TIMES;
    match parse_bytes(text) {
        Ok(bytes) if !MEMORY.contains(&bytes) => problem("is not between 8MiB and 2GiB".to_owned()),
        Ok(bytes) if bytes < least => problem(format!(
            "is less than {MEMORY_TIMES} times the longest call_bytes: {} MiB at least",
            least.div_ceil(1 << 20)
        )),
        Ok(bytes) => return usize::try_from(bytes).unwrap_or(usize::MAX),
        Err(message) => problem(message),
    }
    0
}

/// Whether an address is on this host, by what it says itself.
fn is_here(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    // The address is told to whoever asks what is captured: no word to come in by belongs into it.
    let bare =
        url.query().is_none() && url.authority().is_none_or(|one| !one.as_str().contains('@'));
    url.scheme_str() == Some("http") && (loopback || host == "localhost") && bare
}

impl CaptureSettings {
    /// Whether the call of this number is among the share. Numbers times the golden ratio, without the
    /// whole part, are spread evenly over 0..1 (Weyl), so of any hundred calls the share is taken.
    pub(crate) fn takes(&self, turn: usize) -> bool {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let place = (turn as u64).wrapping_mul(GOLDEN) >> 11;
        (place as f64) / ((1_u64 << 53) as f64) < self.share
    }

    /// What cleans its texts.
    ///
    /// # Errors
    /// When a pattern cannot be used, which `validate` has told before.
    pub fn cleaner(&self) -> Result<Redactor, Vec<(String, String)>> {
        Redactor::new(&self.redact, &self.patterns)
    }

    /// In words: what is kept of a route and for how long.
    pub fn words(&self) -> String {
        let days = self.retention.as_secs_f64() / 86_400.0;
        let own = self.patterns.iter().map(|pattern| pattern.name.as_str());
        let taken: Vec<&str> = self.redact.iter().map(String::as_str).chain(own).collect();
        let taken = match (taken.is_empty(), &self.redactor) {
            (false, None) => format!("without {}", taken.join(", ")),
            (false, Some(url)) => format!("without {} and what {url} finds", taken.join(", ")),
            (true, Some(url)) => format!("without what {url} finds"),
            (true, None) => "as they are, nothing is taken out".to_owned(),
        };
        let share = if self.share < 1.0 {
            format!(" of {:.3} of the calls", self.share)
        } else {
            String::new()
        };
        format!("prompts and answers{share} are kept for {days:.3} days, {taken}")
    }
}
