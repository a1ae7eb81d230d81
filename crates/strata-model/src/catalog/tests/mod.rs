//! Tests of the catalog: its files, the pages of its sources, and the pitfalls of the field.

mod files;
mod loader;
mod pages;
mod pitfalls;

use std::collections::BTreeMap;

use super::*;

type LabelMap = BTreeMap<String, String>;

/// One sample of a page.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    labels: LabelMap,
    value: f64,
}

/// One canonical sample made from a page.
#[derive(Debug, Clone, PartialEq)]
struct Resolved {
    labels: LabelMap,
    value: f64,
    quality: Quality,
    source: String,
}

/// Read samples of an exposition page; only what these tests need.
fn parse(page: &str) -> Vec<Line> {
    let samples = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    samples.map(parse_line).collect()
}

fn parse_line(line: &str) -> Line {
    let Some((name, mut rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        return Line { name: name.to_owned(), labels: LabelMap::new(), value: number(value) };
    };
    let mut labels = LabelMap::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').expect("a closing quote");
        labels.insert(label.trim_start_matches(',').to_owned(), value.to_owned());
        rest = after;
        if rest.starts_with('}') {
            break;
        }
    }
    let value = rest.trim_start_matches('}').trim_start();
    Line { name: name.to_owned(), labels, value: number(value) }
}

fn number(text: &str) -> f64 {
    text.split_whitespace().next().expect("a value").parse().expect("a number")
}

/// What a canonical Prometheus name means on a page: the expansions applied, copies resolved.
fn read(page: &str, prometheus_name: &str) -> Vec<Resolved> {
    let lines = parse(page);
    let expansions = Catalog::builtin().expansions(prometheus_name).expect("a canonical name");
    let mut found: BTreeMap<LabelMap, (u32, Resolved)> = BTreeMap::new();
    for expansion in &expansions {
        for line in lines.iter().filter(|line| line.name == expansion.metric) {
            let Some(reading) = apply(expansion, line, &lines) else { continue };
            let kept = found.get(&reading.labels).map_or(u32::MAX, |(priority, _)| *priority);
            if expansion.priority < kept {
                found.insert(reading.labels.clone(), (expansion.priority, reading));
            }
        }
    }
    found.into_values().map(|(_, reading)| reading).collect()
}

fn apply(expansion: &Expansion, line: &Line, lines: &[Line]) -> Option<Resolved> {
    let label = |name: &str| line.labels.get(name).map_or("", String::as_str);
    if !expansion.matchers.iter().all(|matcher| matcher.matches(label(&matcher.name))) {
        return None;
    }
    let other = |family: &String| {
        let found = lines.iter().find(|other| other.name == *family && other.labels == line.labels);
        found.map(|other| other.value)
    };
    let mut value = line.value;
    for rule in &expansion.value {
        value = match rule {
            ValueRule::Scale(by) => value * by,
            ValueRule::Invert if value == 0.0 => return None,
            ValueRule::Invert => 1.0 / value,
            ValueRule::Label(name) => value * label(name).parse::<f64>().ok()?,
            ValueRule::Multiply(family) => value * other(family)?,
            ValueRule::Divide(family) => value / other(family)?,
            ValueRule::Plus(family) => value + other(family)?,
            ValueRule::Minus(family) => value - other(family)?,
        };
    }
    let mut labels = line.labels.clone();
    labels.retain(|name, _| !expansion.rename.iter().any(|(from, to)| from == name || to == name));
    for (from, to) in &expansion.rename {
        if let Some(value) = line.labels.get(from) {
            labels.entry(to.clone()).or_insert_with(|| value.clone());
        }
    }
    labels.extend(expansion.constants.iter().cloned());
    if let Some(edge) = labels.get_mut("le")
        && expansion.bucket_scale != 1.0
    {
        *edge = (number(edge) * expansion.bucket_scale).to_string();
    }
    let source = expansion.source.clone();
    Some(Resolved { labels, value, quality: expansion.quality, source })
}

/// Family names of an exposition page: the names of its TYPE lines.
fn families(page: &str) -> Vec<&str> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|rest| rest.split_whitespace().next()).collect()
}

#[track_caller]
fn identifies(families: &[&str], expected: &str) {
    let source = Catalog::builtin().identify(families.iter().copied());
    assert_eq!(source.map(|source| source.name.as_str()), Some(expected));
}

/// One sample on a page means exactly one canonical value.
#[track_caller]
fn check(page: &str, prometheus_name: &str, expected: f64) -> Resolved {
    let readings = read(page, prometheus_name);
    assert_eq!(readings.len(), 1, "{prometheus_name} on {page:?}: {readings:?}");
    let reading = readings[0].clone();
    let close = (reading.value - expected).abs() <= 1e-9 * expected.abs();
    assert!(close, "{prometheus_name} on {page:?}: {} is not {expected}", reading.value);
    reading
}
