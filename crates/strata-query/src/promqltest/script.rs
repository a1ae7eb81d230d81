//! From the lines of a file to commands.

use strata_model::Labels;

use super::description::describe;
use super::expectation::{Expectation, Text};
use super::numbers::{Written, number};
use crate::promql::syntax::{parse_duration_ms, unquote};

/// When a query is evaluated. Times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// A query and what must come out.
#[derive(Debug, Clone)]
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) when: When,
    pub(super) expect: Expectation,
    /// Times of the points of a range vector an instant query returns.
    pub(super) points: Option<(i64, i64, i64)>,
}

/// One command of a file.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Clear,
    Load {
        gap_ms: i64,
        series: Vec<(Labels, Vec<Written>)>,
        /// Start times as seconds after the time of each sample.
        starts: Vec<(Labels, Vec<Written>)>,
        with_nhcb: bool,
    },
    Eval(Box<Eval>),
}

/// A command that cannot be read: its line, from 1, and why.
pub(super) type Unreadable = (usize, String);

/// Split a file into commands. A command that cannot be read does not hide those after it.
pub(super) fn parse(text: &str) -> Vec<Result<Command, Unreadable>> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let number = at + 1;
        at += 1;
        if line.is_empty() {
            continue;
        }
        let word = line.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
        if word == "clear" {
            commands.push(Ok(Command::Clear));
            continue;
        }
        let body_start = at;
        while at < lines.len() && !lines[at].is_empty() {
            at += 1;
        }
        let body = &lines[body_start..at];
        let command = if word.starts_with("load") {
            load(line, body)
        } else if word.starts_with("eval") {
            eval(line, number, body).map(|eval| Command::Eval(Box::new(eval)))
        } else {
            at = body_start;
            Err(format!("unknown command {line:?}"))
        };
        commands.push(command.map_err(|why| (number, why)));
    }
    commands
}

fn duration(text: Option<&str>) -> Result<i64, String> {
    let text = text.ok_or("a time is missing")?;
    parse_duration_ms(text).map_err(|error| format!("{text:?}: {error}"))
}

fn load(line: &str, body: &[&str]) -> Result<Command, String> {
    let mut words = line.split_whitespace();
    let with_nhcb = words.next().is_some_and(|word| word.ends_with("_with_nhcb"));
    let gap_ms = duration(words.next())?;
    let mut series: Vec<(Labels, Vec<Written>)> = Vec::new();
    let mut starts: Vec<(Labels, Vec<Written>)> = Vec::new();
    let mut pending: Option<(Labels, Vec<Written>)> = None;
    for line in body {
        let (metric, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if let Some(metric) = metric.strip_suffix("@st") {
            if pending.is_some() {
                return Err("@st line has no following sample line".to_owned());
            }
            pending = Some(describe(&format!("{metric} {rest}"))?);
            continue;
        }
        let (labels, values) = describe(line)?;
        starts.retain(|(known, _)| *known != labels);
        if let Some(given) = pending.take() {
            if given.0 != labels {
                let what = "@st metric does not match the following sample line metric";
                return Err(what.to_owned());
            }
            let (given_count, count) = (given.1.len(), values.len());
            if given_count != count {
                let what = format!("@st line has {given_count} values but sample line has {count}");
                return Err(what);
            }
            starts.push(given);
        }
        // The last description of a series counts.
        series.retain(|(known, _)| *known != labels);
        series.push((labels, values));
    }
    if pending.is_some() {
        return Err("@st line has no following sample line".to_owned());
    }
    Ok(Command::Load { gap_ms, series, starts, with_nhcb })
}

/// Take the next word off a text.
fn take<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let (word, tail) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    *rest = tail;
    (!word.is_empty()).then_some(word)
}

/// Take the next word, which must be this one.
fn wanted(rest: &mut &str, word: &str) -> Result<(), String> {
    match take(rest) {
        Some(found) if found == word => Ok(()),
        found => Err(format!("expected {word:?}, got {found:?}")),
    }
}

fn eval(line: &str, number_of_line: usize, body: &[&str]) -> Result<Eval, String> {
    let mut rest = line;
    let command = take(&mut rest).unwrap_or("");
    let mut expect = Expectation::default();
    match command {
        "eval" => {}
        "eval_fail" => expect.fail.push(Text::Any),
        "eval_warn" => expect.warn.push(Text::Any),
        "eval_info" => expect.info.push(Text::Any),
        "eval_ordered" => expect.ordered = true,
        _ => return Err(format!("unknown command {command:?}")),
    }
    let when = match take(&mut rest) {
        Some("range") => {
            wanted(&mut rest, "from")?;
            let start = duration(take(&mut rest))?;
            wanted(&mut rest, "to")?;
            let end = duration(take(&mut rest))?;
            wanted(&mut rest, "step")?;
            When::Range { start, end, step: duration(take(&mut rest))? }
        }
        Some("instant") => {
            wanted(&mut rest, "at")?;
            When::Instant(duration(take(&mut rest))?)
        }
        other => return Err(format!("expected \"instant\" or \"range\", got {other:?}")),
    };
    let text = rest.trim().to_owned();
    let mut eval = Eval { line: number_of_line, text, when, expect, points: None };
    for line in body {
        expectation(&mut eval, line)?;
    }
    Ok(eval)
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("expect range vector") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let ["from", start, "to", end, "step", step] = words[..] else {
            return Err(format!("cannot read {line:?}"));
        };
        let (start, end) = (duration(Some(start))?, duration(Some(end))?);
        eval.points = Some((start, end, duration(Some(step))?));
        eval.when = When::Instant(end);
    } else if let Some(literal) = line.strip_prefix("expect string") {
        let (text, _) = unquote(literal.trim()).ok_or_else(|| format!("cannot read {line:?}"))?;
        eval.expect.string = Some(text);
    } else if let Some(message) = line.strip_prefix("expected_fail_message") {
        eval.expect.fail = vec![Text::Exactly(message.trim().to_owned())];
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        let regex = regex::Regex::new(pattern.trim()).map_err(|error| error.to_string())?;
        eval.expect.fail = vec![Text::Matching(regex)];
    } else if let Some(clause) = line.strip_prefix("expect ") {
        eval.expect.clause(clause)?;
    } else if let Some(value) = number(line) {
        eval.expect.scalar = Some(value);
    } else {
        let (labels, values) = describe(line)?;
        eval.expect.series.retain(|(known, _)| *known != labels);
        eval.expect.series.push((labels, values));
    }
    Ok(())
}
