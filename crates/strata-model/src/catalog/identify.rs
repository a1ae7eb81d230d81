//! Which program a page comes from, told from what is on it and never from a port.

use std::cmp::Reverse;

use super::{Catalog, Reading, SourceDef};

/// What a page of a source has: family names, or prefixes ending in `*`.
#[derive(Debug, Clone, Default)]
pub struct Identify {
    /// At least one of these, unless the list is empty.
    pub any_of: Vec<String>,
    /// All of these.
    pub all_of: Vec<String>,
    /// None of these.
    pub none_of: Vec<String>,
    /// Sources that give way when this one matches too: a router over the engine it passes through.
    pub over: Vec<String>,
}

/// Values that a source writes where it has none.
#[derive(Debug, Clone)]
pub struct Sentinel {
    /// Family names, or prefixes ending in `*`.
    pub families: Vec<String>,
    pub values: Vec<f64>,
    /// Every value below this one.
    pub below: Option<f64>,
    /// Why they are no values.
    pub reason: String,
}

impl Identify {
    /// How specific the match is (bytes of the longest pattern that decided), or none without one.
    fn matched(&self, families: &[&str]) -> Option<usize> {
        if self.any_of.is_empty() && self.all_of.is_empty() {
            return None;
        }
        let on_page = |pattern: &&String| families.iter().any(|family| fits(pattern, family));
        if self.none_of.iter().any(|pattern| on_page(&pattern)) {
            return None;
        }
        if !self.all_of.iter().all(|pattern| on_page(&pattern)) {
            return None;
        }
        let any = self.any_of.iter().filter(on_page).map(String::len).max();
        if any.is_none() && !self.any_of.is_empty() {
            return None;
        }
        let all = self.all_of.iter().map(String::len).max();
        any.max(all)
    }
}

/// Whether a family is meant by a pattern. OpenMetrics families of counters lack the `_total` of
/// their samples, so both spellings are the same name.
fn fits(pattern: &str, family: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => family.starts_with(prefix),
        None => bare(pattern) == bare(family),
    }
}

fn bare(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

impl SourceDef {
    /// Whether this family, or the family of this sample (`x` for `x_bucket`, `x_sum`, `x_count`,
    /// `x_total`, `x_created`), is not worth storing.
    pub fn drops(&self, name: &str) -> bool {
        let suffixes = ["", "_bucket", "_sum", "_count", "_created"];
        let families = suffixes.into_iter().filter_map(|suffix| name.strip_suffix(suffix));
        families
            .into_iter()
            .any(|family| self.drops.iter().any(|(pattern, _)| fits(pattern, family)))
    }

    /// The rules that say which values of this family mean "no value".
    pub fn sentinels_of<'s>(&'s self, family: &'s str) -> impl Iterator<Item = &'s Sentinel> {
        let about = |rule: &&Sentinel| rule.families.iter().any(|pattern| fits(pattern, family));
        self.sentinels.iter().filter(about)
    }

    /// Whether this value of this family means "no value".
    pub fn sentinel(&self, family: &str, value: f64) -> bool {
        self.sentinels.iter().any(|rule| {
            let below = rule.below.is_some_and(|limit| value < limit);
            (below || rule.values.contains(&value))
                && rule.families.iter().any(|pattern| fits(pattern, family))
        })
    }
}

impl Catalog {
    /// The source whose page has these families, the most specific match; none when no source is
    /// known to look like this.
    pub fn identify<'f>(&self, families: impl Iterator<Item = &'f str>) -> Option<&SourceDef> {
        let families: Vec<&str> = families.collect();
        let mut found: Vec<(usize, &SourceDef)> = Vec::new();
        for source in &self.sources {
            if let Some(specific) = source.identify.matched(&families) {
                found.push((specific, source));
            }
        }
        let stands_back = |name: &String| {
            found.iter().any(|(_, other)| other.name != *name && other.identify.over.contains(name))
        };
        let mut left: Vec<_> =
            found.iter().filter(|(_, source)| !stands_back(&source.name)).collect();
        left.sort_by_key(|(specific, source)| (Reverse(*specific), source.name.as_str()));
        left.first().map(|(_, source)| *source)
    }

    /// Whether this value of this family of this source means "no value" (DCGM's blanks), and is to
    /// be dropped and counted. False for sources the catalog does not know.
    pub fn sentinel(&self, source: &str, family: &str, value: f64) -> bool {
        self.source(source).is_some_and(|source| source.sentinel(family, value))
    }

    /// The source that a family or sample name belongs to: by the mappings first, then by the
    /// longest prefix that identifies a source.
    pub fn source_of_family(&self, name: &str) -> Option<&SourceDef> {
        let stems = [name, name.trim_end_matches("_bucket"), bare(name)];
        let stems =
            stems.into_iter().chain(name.strip_suffix("_sum")).chain(name.strip_suffix("_count"));
        for stem in stems {
            if let Some(index) = self.family_source.get(stem) {
                return self.sources.get(*index);
            }
        }
        let prefixes = self.sources.iter().flat_map(|source| {
            let patterns = source.identify.any_of.iter().chain(&source.identify.all_of);
            patterns.filter_map(move |pattern| {
                let prefix = pattern.strip_suffix('*')?;
                name.starts_with(prefix).then_some((prefix.len(), source))
            })
        });
        prefixes
            .max_by_key(|(length, source)| (*length, Reverse(source.name.as_str())))
            .map(|(_, source)| source)
    }

    /// The families a mapping reads, for indexes and documents.
    pub(super) fn families_of(reading: &Reading) -> Vec<&str> {
        match reading {
            Reading::Families(families) => families.iter().map(String::as_str).collect(),
            Reading::SumCount { sum, count } => vec![sum, count],
        }
    }
}
