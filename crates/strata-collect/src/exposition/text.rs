//! The text formats, line by line: Prometheus text and OpenMetrics.
//!
//! Sources: the exposition format page of Prometheus, the OpenMetrics 1.0 specification, and what
//! Prometheus's own lexers tolerate (blanks before braces, trailing commas, repeated HELP and TYPE).
//! More tolerant than Prometheus in one thing: a line that cannot be read costs that line, not the
//! page.

use memchr::{memchr, memchr2};
use strata_model::{FaultCode, MetricKind};

use super::faults::quote;
use super::series::{RawSeries, Text, end_of_series, unescape};
use super::{Arrival, Fact, Format, PageEnd, PageVisitor, number};

/// Read a whole text page.
pub(crate) fn read<V: PageVisitor>(
    format: Format,
    body: &[u8],
    arrival: Arrival,
    visitor: &mut V,
) -> PageEnd {
    let mut reader = Reader { format, visitor, type_line: &[], line: 0, end: PageEnd::default() };
    let mut rest = body;
    let mut finished = false;
    while !rest.is_empty() && !finished {
        reader.line += 1;
        let (line, tail, ended) = match memchr(b'\n', rest) {
            Some(at) => (&rest[..at], &rest[at + 1..], true),
            None => (rest, &rest[..0], false),
        };
        rest = tail;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == b"# EOF" {
            finished = true;
        } else if ended || arrival == Arrival::Whole {
            reader.read_line(line);
        } else {
            // "12" may be the beginning of "123": half a line is worse than none.
            reader.end.truncated = true;
        }
    }
    if finished && !rest.is_empty() {
        reader.unreadable("text after # EOF", rest);
    }
    reader.end.truncated |= arrival == Arrival::Cut && !finished;
    reader.end.truncated |= format == Format::OpenMetrics && !finished;
    let (end, line) = (reader.end, reader.line);
    if end.truncated {
        visitor.faults().add(FaultCode::Malformed, "truncated", || {
            format!("the page breaks off after line {line}")
        });
    }
    end
}

struct Reader<'a, 'v, V> {
    format: Format,
    visitor: &'v mut V,
    /// Arguments of the latest `# TYPE` comment; read only when a new series needs it.
    type_line: &'a [u8],
    line: u64,
    end: PageEnd,
}

impl<'a, V: PageVisitor> Reader<'a, '_, V> {
    fn read_line(&mut self, line: &'a [u8]) {
        let outcome = match line.first() {
            None => Ok(()),
            Some(b'#') => {
                self.read_comment(line);
                Ok(())
            }
            Some(b' ' | b'\t') => {
                let text = line.trim_ascii_start();
                if text.is_empty() { Ok(()) } else { self.read_sample(text) }
            }
            Some(_) => self.read_sample(line),
        };
        if let Err(reason) = outcome {
            self.unreadable(reason, line);
        }
    }

    fn unreadable(&mut self, reason: &'static str, line: &[u8]) {
        self.end.unreadable += 1;
        let number = self.line;
        self.visitor.faults().add(FaultCode::Malformed, reason, || {
            format!("line {number}: {reason}: {}", quote(line))
        });
    }

    fn read_sample(&mut self, line: &'a [u8]) -> Result<(), &'static str> {
        let guess = self.visitor.expects(line);
        if let Some((length, known)) = guess
            && let Some((raw, rest)) = line.split_at_checked(length)
            && let rest = rest.trim_ascii_start()
            && rest.first() != Some(&b'{')
        {
            return self.read_rest(raw, Some(known), rest);
        }
        let length = end_of_series(line)?;
        let (raw, rest) = line.split_at_checked(length).unwrap_or((line, &[]));
        self.read_rest(raw, None, rest.trim_ascii_start())
    }

    /// Read what follows the series: value, perhaps a timestamp, perhaps an exemplar.
    fn read_rest(
        &mut self,
        raw: &'a [u8],
        known: Option<u32>,
        rest: &[u8],
    ) -> Result<(), &'static str> {
        let value_end = memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
        let (value, tail) = rest.split_at_checked(value_end).unwrap_or((rest, &[]));
        if value.is_empty() {
            return Err("the value is missing");
        }
        let value = number::value(value).ok_or("the value is not a number")?;
        let at_ms = if tail.is_empty() { None } else { self.read_tail(tail)? };
        let text = Text::Line { raw, type_line: self.type_line };
        self.end.samples += 1;
        self.visitor.float(RawSeries { text, known, line: self.line }, at_ms, value);
        Ok(())
    }

    fn read_tail(&mut self, tail: &[u8]) -> Result<Option<i64>, &'static str> {
        let tail = tail.trim_ascii();
        let (time, exemplar) = match memchr(b'#', tail) {
            Some(at) => (tail[..at].trim_ascii_end(), &tail[at..]),
            None => (tail, &tail[..0]),
        };
        if !exemplar.is_empty() {
            if !exemplar.starts_with(b"# {") || end_of_series(&exemplar[2..]).is_err() {
                return Err("there is something after the value that is not a timestamp");
            }
            self.end.exemplars += 1;
        }
        if time.is_empty() {
            return Ok(None);
        }
        let at_ms = match self.format {
            Format::OpenMetrics => number::seconds_as_millis(time),
            _ => number::millis(time),
        };
        at_ms.map(Some).ok_or("the timestamp is not a number")
    }

    fn read_comment(&mut self, line: &'a [u8]) {
        let text = line[1..].trim_ascii_start();
        let Some((keyword, arguments)) = text.split_at_checked(4) else { return };
        if !matches!(arguments.first(), Some(b' ' | b'\t')) {
            return;
        }
        let arguments = arguments.trim_ascii_start();
        if keyword == b"TYPE" {
            self.type_line = arguments;
        } else if keyword != b"HELP" && keyword != b"UNIT" {
            return;
        }
        if self.visitor.knows_comment(line) {
            return;
        }
        let Some((family, text)) = split_family(arguments) else {
            self.unreadable("a comment names no metric", line);
            return;
        };
        let kind = kind_of(&text);
        if keyword == b"TYPE" && kind.is_none() {
            self.unreadable("the type of a metric is not known", line);
            return;
        }
        self.visitor.learn_comment(line);
        match keyword {
            b"HELP" => self.visitor.describe(&family, Fact::Help(&unescape(&text))),
            b"UNIT" => self.visitor.describe(&family, Fact::Unit(&text)),
            _ => self.visitor.describe(&family, Fact::Kind(kind.unwrap_or_default())),
        }
    }
}

/// The family's name and the rest of a comment's arguments; bytes that are not UTF-8 are replaced.
fn split_family(arguments: &[u8]) -> Option<(String, String)> {
    let arguments = String::from_utf8_lossy(arguments);
    if let Some(quoted) = arguments.strip_prefix('"') {
        let end = closing_quote(quoted)?;
        let (name, rest) = quoted.split_at_checked(end)?;
        let rest = rest.strip_prefix('"').unwrap_or(rest);
        return Some((unescape(name).into_owned(), rest.trim().to_owned()));
    }
    let (name, rest) = arguments.split_once([' ', '\t']).unwrap_or((&arguments, ""));
    (!name.is_empty()).then(|| (name.to_owned(), rest.trim().to_owned()))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, character)| {
        let closes = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        closes.then_some(at)
    })
}

/// The kind in the arguments of a `# TYPE` comment.
pub(crate) fn kind_of_type_line(arguments: &[u8]) -> Option<MetricKind> {
    split_family(arguments).and_then(|(_, word)| kind_of(&word))
}

fn kind_of(word: &str) -> Option<MetricKind> {
    Some(match word {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "gaugehistogram" => MetricKind::Gaugehistogram,
        "summary" => MetricKind::Summary,
        "info" => MetricKind::Info,
        "stateset" => MetricKind::Stateset,
        "untyped" | "unknown" => MetricKind::Unknown,
        _ => return None,
    })
}
