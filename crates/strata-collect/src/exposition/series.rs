//! The series part of a page's line: finding its end, and taking its name and labels apart.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};
use strata_model::{METRIC_NAME, MetricKind};

use super::faults::quote;
use super::number;
use super::wire::{self, Message};

/// A series as it stands on the page. Equal bytes mean equal series, so [`RawSeries::key`] is fit
/// for a cache that outlives the page.
#[derive(Debug, Clone, Copy)]
pub struct RawSeries<'a> {
    pub(crate) text: Text<'a>,
    /// The visitor's number from [`super::PageVisitor::expects`], when its guess was right.
    pub known: Option<u32>,
    /// Line of a text page or number of the family of a protobuf page, from 1.
    pub line: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    /// `name{label="value"}` with the arguments of the `# TYPE` comment that came last.
    Line { raw: &'a [u8], type_line: &'a [u8] },
    /// The label messages of a protobuf `Metric` under a finished name.
    Labels { name: &'a str, metric: &'a [u8], bound: Option<(&'static str, f64)>, key: u64 },
}

/// Name and labels of a series in the order of the page; `__name__` is among them.
pub type Decoded<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'a> RawSeries<'a> {
    /// Length of the series' text on a text page, 0 on a protobuf page.
    pub fn text_length(&self) -> usize {
        match self.text {
            Text::Line { raw, .. } => raw.len(),
            Text::Labels { .. } => 0,
        }
    }

    /// A hash that identifies the series on this page and on later pages of the same source.
    pub fn key(&self) -> u64 {
        match self.text {
            Text::Line { raw, .. } => xxhash_rust::xxh3::xxh3_64(raw),
            Text::Labels { key, .. } => key,
        }
    }

    /// A short piece of the series for a fault's message.
    pub(crate) fn excerpt(&self) -> String {
        match self.text {
            Text::Line { raw, .. } => quote(raw),
            Text::Labels { name, .. } => quote(name.as_bytes()),
        }
    }

    /// Take name and labels apart. Repeated label names and a missing metric name are errors.
    ///
    /// # Errors
    /// A constant phrase that says what is wrong with the series.
    pub fn decode(&self) -> Result<Decoded<'a>, &'static str> {
        let pairs = match self.text {
            Text::Line { raw, type_line } => {
                let mut pairs = decode_line(raw)?;
                normalize_bounds(&mut pairs, type_line);
                pairs
            }
            Text::Labels { name, metric, bound, .. } => decode_labels(name, metric, bound)?,
        };
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err("a label name is repeated");
            }
        }
        if pairs.iter().any(|(name, value)| name == METRIC_NAME && !value.is_empty()) {
            Ok(pairs)
        } else {
            Err("the metric has no name")
        }
    }
}

/// Where the series at the beginning of `line` ends, or what is wrong.
pub(crate) fn end_of_series(line: &[u8]) -> Result<usize, &'static str> {
    let name_end = memchr3(b'{', b' ', b'\t', line).unwrap_or(line.len());
    let mut at = name_end;
    while matches!(line.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    if line.get(at) != Some(&b'{') {
        return Ok(name_end);
    }
    at += 1;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let Some(step) = memchr2(b'"', b'}', rest) else { return Err("a brace is not closed") };
        at += step + 1;
        if rest.get(step) == Some(&b'}') {
            return Ok(at);
        }
        at += quoted_length(line.get(at..).unwrap_or_default()).ok_or("a quote is not closed")? + 1;
    }
}

/// Length of quoted text up to its closing quote, escapes skipped.
fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Walks the bytes of one series.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn skip_blanks(&mut self) {
        while let Some((b' ' | b'\t', tail)) = self.rest.split_first() {
            self.rest = tail;
        }
    }

    /// Take `byte` when it is next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        match self.rest.split_first() {
            Some((&first, tail)) if first == byte => {
                self.rest = tail;
                true
            }
            _ => false,
        }
    }

    /// Take a bare name; `colons` are allowed in metric names only.
    fn name(&mut self, colons: bool) -> Option<&'a str> {
        self.skip_blanks();
        let legal = |index: usize, byte: u8| {
            byte == b'_'
                || byte.is_ascii_alphabetic()
                || (colons && byte == b':')
                || (index > 0 && byte.is_ascii_digit())
        };
        let length =
            self.rest.iter().enumerate().take_while(|&(index, &byte)| legal(index, byte)).count();
        let (name, tail) = self.rest.split_at_checked(length)?;
        self.rest = tail;
        // Only ASCII passed the test above.
        std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
    }

    /// Take quoted text and undo its escapes.
    fn quoted(&mut self) -> Result<Cow<'a, str>, &'static str> {
        if !self.take(b'"') {
            return Err("a quote is missing");
        }
        let length = quoted_length(self.rest).ok_or("a quote is not closed")?;
        let (inside, tail) = self.rest.split_at_checked(length).ok_or("a quote is not closed")?;
        self.rest = tail.get(1..).unwrap_or_default();
        let text = std::str::from_utf8(inside).map_err(|_utf8| "a label is not UTF-8")?;
        Ok(unescape(text))
    }
}

/// Undo `\\`, `\"` and `\n`; any other escape stays as it is.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some(escaped @ ('\\' | '"')) => plain.push(escaped),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    Cow::Owned(plain)
}

fn decode_line(raw: &[u8]) -> Result<Decoded<'_>, &'static str> {
    let mut cursor = Cursor { rest: raw };
    let mut pairs = Decoded::with_capacity(8);
    if let Some(name) = cursor.name(true) {
        pairs.push((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
    }
    if !cursor.take(b'{') {
        return match cursor.rest {
            [] => Ok(pairs),
            _ => Err("the metric's name has a character that is not allowed"),
        };
    }
    loop {
        if cursor.take(b'}') {
            return Ok(pairs);
        }
        let name = match cursor.name(false) {
            Some(name) => Cow::Borrowed(name),
            None => cursor.quoted().map_err(|_quote| "a label name is missing or malformed")?,
        };
        if cursor.take(b'=') {
            pairs.push((name, cursor.quoted()?));
        } else {
            // A quoted text alone is the name of the metric, once.
            pairs.push((Cow::Borrowed(METRIC_NAME), name));
        }
        if !cursor.take(b',') && cursor.rest.first() != Some(&b'}') {
            return Err("labels are not separated by a comma");
        }
    }
}

/// Write `le` of histograms and `quantile` of summaries the one way Prometheus 3 stores them, so
/// that a target keeps its series when it changes from one format to another.
fn normalize_bounds(pairs: &mut Decoded<'_>, type_line: &[u8]) {
    if !pairs.iter().any(|(name, _)| name == "le" || name == "quantile") {
        return;
    }
    let label = match super::text::kind_of_type_line(type_line) {
        Some(MetricKind::Histogram | MetricKind::Gaugehistogram) => "le",
        Some(MetricKind::Summary) => "quantile",
        _ => return,
    };
    for (name, value) in pairs {
        if name == label
            && let Some(bound) = number::value(value.as_bytes())
        {
            *value = Cow::Owned(number::format_bound(bound));
        }
    }
}

fn decode_labels<'a>(
    name: &'a str,
    metric: &'a [u8],
    bound: Option<(&'static str, f64)>,
) -> Result<Decoded<'a>, &'static str> {
    let mut pairs = Decoded::with_capacity(8);
    pairs.push((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
    for field in Message::of(metric) {
        let (1, wire::Value::Bytes(label)) = field? else { continue };
        let (mut label_name, mut label_value) = ("", "");
        for part in Message::of(label) {
            match part? {
                (1, value) => label_name = value.text()?,
                (2, value) => label_value = value.text()?,
                _ => {}
            }
        }
        if label_name.is_empty() {
            return Err("a label name is missing or malformed");
        }
        pairs.push((Cow::Borrowed(label_name), Cow::Borrowed(label_value)));
    }
    if let Some((label, value)) = bound {
        pairs.push((Cow::Borrowed(label), Cow::Owned(number::format_bound(value))));
    }
    Ok(pairs)
}
