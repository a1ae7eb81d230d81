//! Replay of recorded requests: a CSV with TIMESTAMP, `ContextTokens` and `GeneratedTokens`, as
//! the Azure LLM inference traces have it.
//!
//! Read line by line as the simulation gets there; the caller owns the file.

use std::io::BufRead;

/// Longest line; the columns take some 45 bytes.
const LINE_BYTES_MAX: u64 = 1024;

/// One recorded request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceRow {
    /// Seconds since the first row.
    pub at: f64,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
}

/// Why a trace cannot be replayed any further.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("cannot read line {line} of the trace")]
    Read {
        line: usize,
        #[source]
        source: std::io::Error,
    },
    #[error("line {line} of the trace: {reason}")]
    Row { line: usize, reason: String },
}

/// Rows of a trace in order.
pub struct TraceReader<R> {
    input: R,
    line: usize,
    begun: Option<f64>,
    buffer: Vec<u8>,
}

impl<R: BufRead> TraceReader<R> {
    pub fn new(input: R) -> Self {
        Self { input, line: 0, begun: None, buffer: Vec::new() }
    }

    fn next_line(&mut self) -> Result<Option<&str>, TraceError> {
        self.line += 1;
        self.buffer.clear();
        let mut bounded = std::io::Read::take(&mut self.input, LINE_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| TraceError::Read { line: self.line, source })?;
        if read as u64 == LINE_BYTES_MAX {
            let reason = format!("it is longer than {LINE_BYTES_MAX} bytes");
            return Err(TraceError::Row { line: self.line, reason });
        }
        let text = std::str::from_utf8(&self.buffer).map_err(|error| TraceError::Row {
            line: self.line,
            reason: format!("it is not text: {error}"),
        })?;
        Ok((read > 0).then_some(text.trim()))
    }

    fn row(&mut self) -> Result<Option<TraceRow>, TraceError> {
        loop {
            let Some(text) = self.next_line()? else { return Ok(None) };
            let text = text.to_owned();
            let is_head = self.line == 1 && text.starts_with("TIMESTAMP");
            if text.is_empty() || is_head {
                continue;
            }
            let row = parse(&text);
            let (at, prompt_tokens, output_tokens) =
                row.map_err(|reason| TraceError::Row { line: self.line, reason })?;
            let begun = *self.begun.get_or_insert(at);
            return Ok(Some(TraceRow { at: (at - begun).max(0.0), prompt_tokens, output_tokens }));
        }
    }
}

impl<R: BufRead> Iterator for TraceReader<R> {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

fn parse(text: &str) -> Result<(f64, u64, u64), String> {
    let mut fields = text.split(',').map(str::trim);
    let mut next = |name: &str| fields.next().ok_or_else(|| format!("it has no {name}"));
    let at = timestamp(next("TIMESTAMP")?)?;
    let mut count = |name: &str| -> Result<u64, String> {
        let text = next(name)?;
        text.parse().map_err(|_not| format!("{name} {text:?} is no number of tokens"))
    };
    let (prompt, output) = (count("ContextTokens")?, count("GeneratedTokens")?);
    Ok((at, prompt.max(1), output.max(1)))
}

/// Seconds since 1970 of `2023-11-16 18:17:03.9799600`, or plain seconds.
fn timestamp(text: &str) -> Result<f64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok(seconds);
    }
    let wrong = || format!("TIMESTAMP {text:?} is neither \"YYYY-MM-DD hh:mm:ss\" nor seconds");
    let (date, time) = text.split_once([' ', 'T']).ok_or_else(wrong)?;
    let time = time.trim_end_matches("+00:00").trim_end_matches('Z');
    let numbers = |text: &str, mark: char| -> Option<Vec<f64>> {
        text.split(mark).map(|part| part.parse::<f64>().ok()).collect()
    };
    let date = numbers(date, '-').ok_or_else(wrong)?;
    let time = numbers(time, ':').ok_or_else(wrong)?;
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), time.as_slice()) else {
        return Err(wrong());
    };
    let days = days_since_1970(*year as i64, *month as i64, *day as i64);
    Ok(days as f64 * 86_400.0 + hour * 3600.0 + minute * 60.0 + second)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Result<TraceRow, String>> {
        let reader = TraceReader::new(text.as_bytes());
        reader.map(|row| row.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn rows_are_read_from_the_first_on() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                    2023-11-16 23:59:58.5000000,374,44\n\n2023-11-17 00:00:01,10,0\n";
        let expected = [(0.0, 374, 44), (2.5, 10, 1)];
        let expected = expected.map(|(at, prompt_tokens, output_tokens)| {
            Ok(TraceRow { at, prompt_tokens, output_tokens })
        });
        assert_eq!(rows(text), expected);
        assert_eq!(rows("5,1,1\n7.25,1,1")[1].as_ref().unwrap().at, 2.25);
    }

    #[test]
    fn what_is_no_row_is_told_with_its_line() {
        let check = |text: &str, expected: &str| {
            let told = rows(text).into_iter().find_map(Result::err).unwrap();
            assert!(told.contains(expected), "{told}");
        };
        check("1,2,3\nyesterday,1,1", "line 2");
        check("1,2", "no GeneratedTokens");
        check("1,many,3", "ContextTokens \"many\"");
        check(&"9".repeat(5000), "longer than 1024");
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(days_since_1970(2023, 11, 16), 19_677);
    }
}
