//! Builds a [`Catalog`] from its files and says everything that is wrong with them at once.

use rustc_hash::FxHashMap;

use super::files::{
    At, Document, DropText, IdentifyText, MapText, MetricText, MetricsHead, SentinelText,
    SourceHead,
};
use super::{
    Catalog, CatalogError, Identify, Mapping, MetricDef, Reading, Sentinel, SourceDef,
    prometheus_name, valid_unit,
};
use crate::batch::MetricKind;
use crate::selector::{MatchOp, Matcher};

/// Priority of a mapping that names none; below 10 wins, above yields.
const DEFAULT_PRIORITY: u32 = 10;
/// Spellings of one family differ in priority by one each, mappings therefore by ten.
const PRIORITY_STEP: u32 = 10;

/// What is known while the files are read.
#[derive(Default)]
struct Builder {
    metrics: Vec<MetricDef>,
    by_dotted: FxHashMap<String, usize>,
    by_prometheus: FxHashMap<String, usize>,
    sources: Vec<SourceDef>,
    native: FxHashMap<usize, Vec<Matcher>>,
    problems: Vec<String>,
}

impl Catalog {
    /// Read catalog files given as (path below the catalog folder, text). The folder of the path
    /// says what a file is: `metrics/<layer>.toml` or `sources/<source>.toml`.
    ///
    /// # Errors
    /// Every problem of every file, each with path and line.
    pub fn load<P: AsRef<str>, T: AsRef<str>>(files: &[(P, T)]) -> Result<Self, CatalogError> {
        let mut builder = Builder::default();
        for (path, text) in files {
            if let Some(stem) = stem_in(path.as_ref(), "metrics/") {
                builder.metrics_file(path.as_ref(), stem, text.as_ref());
            }
        }
        for (path, text) in files {
            if let Some(stem) = stem_in(path.as_ref(), "sources/") {
                builder.source_file(path.as_ref(), stem, text.as_ref());
            }
        }
        for (path, _) in files {
            let path = path.as_ref();
            if stem_in(path, "metrics/").is_none() && stem_in(path, "sources/").is_none() {
                builder
                    .problems
                    .push(format!("{path}:1: is neither metrics/*.toml nor sources/*.toml"));
            }
        }
        builder.finish()
    }
}

fn stem_in<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_suffix(".toml")
}

impl Builder {
    fn finish(mut self) -> Result<Catalog, CatalogError> {
        self.sources.sort_by(|a, b| a.name.cmp(&b.name));
        self.check_sources();
        if !self.problems.is_empty() {
            return Err(CatalogError(self.problems));
        }
        let mut maps_of = vec![Vec::new(); self.metrics.len()];
        let mut family_source = FxHashMap::default();
        for (at, source) in self.sources.iter().enumerate() {
            for (map, mapping) in source.maps.iter().enumerate() {
                if let Some(metric) = self.by_dotted.get(&mapping.metric) {
                    maps_of[*metric].push((at, map));
                }
                for family in Catalog::families_of(&mapping.reading) {
                    family_source.entry(family.to_owned()).or_insert(at);
                }
            }
        }
        let native = 0..self.metrics.len();
        let native = native.map(|at| self.native.remove(&at).unwrap_or_default()).collect();
        Ok(Catalog {
            metrics: self.metrics,
            by_dotted: self.by_dotted,
            by_prometheus: self.by_prometheus,
            sources: self.sources,
            maps_of,
            native,
            family_source,
        })
    }

    /// Conditions between sources.
    fn check_sources(&mut self) {
        let names: Vec<&str> = self.sources.iter().map(|source| source.name.as_str()).collect();
        let mut problems = Vec::new();
        for pair in names.windows(2) {
            if pair[0] == pair[1] {
                problems.push(format!("sources/{}.toml:1: is there twice", pair[0]));
            }
        }
        for source in &self.sources {
            for other in &source.identify.over {
                if !names.contains(&other.as_str()) {
                    problems.push(format!(
                        "sources/{}.toml:1: identify.over names {other:?}, which is no source",
                        source.name
                    ));
                }
            }
        }
        self.problems.extend(problems);
    }

    fn metrics_file(&mut self, path: &str, stem: &str, text: &str) {
        let mut document = Document::parse(path, text);
        let entries: Vec<At<MetricText>> = document.entries("metric");
        let head: Option<MetricsHead> = document.head();
        self.problems.append(&mut document.problems);
        let layer = head.and_then(|head| head.layer);
        let expected = layer.map_or("strata", crate::Layer::name);
        if stem != expected {
            self.problems.push(format!(
                "{path}:1: the file of layer {expected} must be called {expected}.toml"
            ));
        }
        for At { line, entry } in entries {
            let at = format!("{path}:{line}");
            self.check_metric(&at, &entry);
            let prometheus = prometheus_name(&entry.name, &entry.unit, entry.kind);
            let index = self.metrics.len();
            if self.by_dotted.insert(entry.name.clone(), index).is_some() {
                self.problems.push(format!("{at}: metric {} is defined twice", entry.name));
            } else if let Some(other) = self.by_prometheus.insert(prometheus.clone(), index) {
                self.problems.push(format!(
                    "{at}: metric {} has the same Prometheus name {prometheus} as {}",
                    entry.name, self.metrics[other].name
                ));
            }
            self.metrics.push(MetricDef {
                name: entry.name,
                layer,
                kind: entry.kind,
                unit: entry.unit,
                brief: entry.brief,
                definition: entry.definition,
                otel: entry.otel,
                attributes: entry.attributes,
                prometheus,
            });
        }
    }

    fn check_metric(&mut self, at: &str, entry: &MetricText) {
        let name = &entry.name;
        let dotted = name.contains('.')
            && name.split('.').all(|part| !part.is_empty())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'));
        if !dotted {
            self.problems.push(format!("{at}: {name:?} is not a dotted lower-case name"));
        }
        if !valid_unit(&entry.unit) {
            self.problems.push(format!(
                "{at}: metric {name} has unit {:?}, write a base unit such as s, By, 1, {{token}}",
                entry.unit
            ));
        }
        for (field, text) in [("brief", &entry.brief), ("definition", &entry.definition)] {
            if !text.ends_with('.') || text.len() < 10 {
                self.problems.push(format!("{at}: metric {name}: {field} is not a sentence"));
            }
        }
        if !matches!(
            entry.kind,
            MetricKind::Counter | MetricKind::Gauge | MetricKind::Histogram | MetricKind::Info
        ) {
            self.problems.push(format!(
                "{at}: metric {name} is a {}, write counter, gauge, histogram or info",
                entry.kind.name()
            ));
        }
        for attribute in &entry.attributes {
            if !label_name(attribute) {
                self.problems.push(format!("{at}: metric {name}: {attribute:?} is no label name"));
            }
        }
    }

    fn source_file(&mut self, path: &str, stem: &str, text: &str) {
        let mut document = Document::parse(path, text);
        let maps: Vec<At<MapText>> = document.entries("map");
        let drops: Vec<At<DropText>> = document.entries("drop");
        let sentinels: Vec<At<SentinelText>> = document.entries("sentinel");
        let head: Option<SourceHead> = document.head();
        self.problems.append(&mut document.problems);
        let Some(head) = head else { return };
        if head.layers.is_empty() {
            self.problems.push(format!("{path}:1: layers is empty"));
        }
        self.check_head(path, &head);
        let mut mapped: Vec<Mapping> = Vec::new();
        for At { line, entry } in maps {
            let at = format!("{path}:{line}");
            if let Some(mapping) = self.mapping(&at, &head, entry, mapped.len()) {
                mapped.push(mapping);
            }
        }
        let drops = drops.into_iter().flat_map(|At { entry, .. }| {
            let reason = entry.reason;
            entry.families.into_iter().map(move |family| (family, reason.clone()))
        });
        self.sources.push(SourceDef {
            name: stem.to_owned(),
            title: head.title,
            layers: head.layers,
            role: head.role,
            notes: head.notes,
            ports: head.ports,
            paths: if head.paths.is_empty() { vec!["/metrics".to_owned()] } else { head.paths },
            identify: identify(head.identify),
            door: head.door,
            model: head.model,
            drops: drops.collect(),
            sentinels: sentinels.into_iter().map(|at| sentinel(at.entry)).collect(),
            maps: mapped,
            bare_counters: head.bare_counters,
        });
    }

    fn check_head(&mut self, path: &str, head: &SourceHead) {
        if let Some(door) = &head.door
            && (!label_name(&door.identity) || door.rank == 0)
        {
            self.problems.push(format!("{path}:1: door takes a label and a rank above 0"));
        }
        for question in &head.model {
            if !question.path.starts_with('/') || question.at.is_empty() {
                let path_of = &question.path;
                self.problems.push(format!(
                    "{path}:1: model: {path_of:?} must begin with / and say where the name is"
                ));
            }
        }
    }

    fn mapping(
        &mut self,
        at: &str,
        head: &SourceHead,
        entry: MapText,
        nth: usize,
    ) -> Option<Mapping> {
        let Some(index) = self.by_dotted.get(&entry.metric).copied() else {
            let near = self.nearest(&entry.metric);
            self.problems.push(format!(
                "{at}: there is no metric {:?}; did you mean {near:?}?",
                entry.metric
            ));
            return None;
        };
        let reading = self.reading(at, &entry, self.metrics[index].kind)?;
        let matchers = self.matchers(at, &entry.select);
        self.native_condition(at, index, &reading, &matchers);
        let scale = entry.scale.unwrap_or(1.0);
        if !scale.is_finite() || scale == 0.0 {
            self.problems.push(format!("{at}: scale {scale} would lose the value"));
        }
        let histogram = self.metrics[index].kind == MetricKind::Histogram;
        if histogram && !entry.value.is_empty() {
            self.problems.push(format!("{at}: a histogram takes scale only, not value"));
        }
        let mut rename = head.rename.clone();
        rename.extend(entry.rename);
        let mut constants = head.set.clone();
        constants.extend(entry.set);
        for label in rename.values().chain(constants.keys()) {
            if !label_name(label) {
                self.problems.push(format!("{at}: {label:?} is no label name"));
            }
        }
        let later = PRIORITY_STEP * nth as u32;
        Some(Mapping {
            metric: entry.metric,
            reading,
            matchers,
            rename: rename.into_iter().collect(),
            constants: constants.into_iter().collect(),
            scale,
            value: entry.value,
            quality: entry.quality.unwrap_or_default(),
            priority: entry.priority.unwrap_or(DEFAULT_PRIORITY + later),
            since: entry.since,
            until: entry.until,
            note: entry.note,
        })
    }

    fn reading(&mut self, at: &str, entry: &MapText, kind: MetricKind) -> Option<Reading> {
        let families: Vec<String> = entry.family.iter().chain(&entry.families).cloned().collect();
        let problem = match (&entry.sum, &entry.count, families.is_empty()) {
            (Some(sum), Some(count), true) if kind == MetricKind::Histogram => {
                return Some(Reading::SumCount { sum: sum.clone(), count: count.clone() });
            }
            (None, None, false) if families.iter().all(|family| family_name(family)) => {
                return Some(Reading::Families(families));
            }
            (None, None, false) => "a family is no metric name",
            (Some(_), Some(_), true) => "sum and count are for histograms only",
            _ => "write family, families, or sum and count",
        };
        self.problems.push(format!("{at}: {}: {problem}", entry.metric));
        None
    }

    fn matchers(&mut self, at: &str, texts: &[String]) -> Vec<Matcher> {
        let mut matchers = Vec::new();
        for text in texts {
            match parse_matcher(text) {
                Ok(matcher) => matchers.push(matcher),
                Err(problem) => self.problems.push(format!("{at}: {text:?}: {problem}")),
            }
        }
        matchers
    }

    /// A source may store series under the canonical name itself but with other labels. They are
    /// told apart by a label that only the source's series have: `hw_id!=""`; series without it are
    /// canonical already.
    fn native_condition(&mut self, at: &str, index: usize, reading: &Reading, own: &[Matcher]) {
        let canonical = &self.metrics[index].prometheus;
        if !Catalog::families_of(reading).contains(&canonical.as_str()) {
            return;
        }
        let present: Vec<&Matcher> =
            own.iter().filter(|m| m.op == MatchOp::NotEqual && m.value.is_empty()).collect();
        match present.first() {
            Some(matcher) => {
                let absent = Matcher::equal(matcher.name.clone(), "");
                let conditions = self.native.entry(index).or_default();
                if !conditions.contains(&absent) {
                    conditions.push(absent);
                }
            }
            None => self.problems.push(format!(
                "{at}: {canonical} is canonical; select the source's series by a label they have, label!=\"\""
            )),
        }
    }

    /// The defined name that shares the longest beginning and ending with a wrong one.
    fn nearest(&self, wrong: &str) -> &str {
        let common = |name: &str| {
            let front = name.bytes().zip(wrong.bytes()).take_while(|(a, b)| a == b).count();
            let back =
                name.bytes().rev().zip(wrong.bytes().rev()).take_while(|(a, b)| a == b).count();
            front + back
        };
        let names = self.metrics.iter().map(|metric| metric.name.as_str());
        names.max_by_key(|name| common(name)).unwrap_or("none is defined")
    }
}

fn identify(text: IdentifyText) -> Identify {
    Identify { any_of: text.any, all_of: text.all, none_of: text.none, over: text.over }
}

fn sentinel(text: SentinelText) -> Sentinel {
    let SentinelText { families, values, below, reason } = text;
    Sentinel { families, values, below, reason }
}

fn label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn family_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b':'));
    first && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
}

/// `name="value"`, also with `!=`, `=~` and `!~`; the value has no escapes.
fn parse_matcher(text: &str) -> Result<Matcher, String> {
    let operators = [
        ("=~", MatchOp::Regex),
        ("!~", MatchOp::NotRegex),
        ("!=", MatchOp::NotEqual),
        ("=", MatchOp::Equal),
    ];
    let at = text.find(['=', '!']).ok_or("write name=\"value\"")?;
    let (name, rest) = text.split_at(at);
    let (op, quoted) = operators
        .iter()
        .find_map(|(sign, op)| rest.strip_prefix(sign).map(|quoted| (*op, quoted)))
        .ok_or("write =, !=, =~ or !~")?;
    let value = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = value.ok_or("put the value into double quotes")?;
    if !label_name(name) || value.contains(['"', '\\']) && op != MatchOp::Regex {
        return Err("write name=\"value\"".to_owned());
    }
    Matcher::new(op, name, value).map_err(|error| error.to_string())
}
