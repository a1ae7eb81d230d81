//! The catalog's files as they are written: strict, and every problem reported with its line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Door, Quality, Question, Role, ValueRule};
use crate::batch::MetricKind;
use crate::layer::Layer;

/// Head of `metrics/<layer>.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsHead {
    /// Absent only in `strata.toml`, whose metrics are about the program itself.
    pub(super) layer: Option<Layer>,
}

/// One `[[metric]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricText {
    pub(super) name: String,
    pub(super) kind: MetricKind,
    pub(super) unit: String,
    pub(super) brief: String,
    pub(super) definition: String,
    pub(super) otel: Option<String>,
    #[serde(default)]
    pub(super) attributes: Vec<String>,
}

/// Head of `sources/<source>.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceHead {
    pub(super) title: String,
    pub(super) layers: Vec<Layer>,
    pub(super) role: Option<Role>,
    /// What to know before believing its numbers; appears in the reference.
    #[serde(default)]
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) ports: Vec<u16>,
    #[serde(default)]
    pub(super) paths: Vec<String>,
    #[serde(default)]
    pub(super) identify: IdentifyText,
    /// Source label -> canonical label, for every map of the file.
    #[serde(default)]
    pub(super) rename: BTreeMap<String, String>,
    /// Labels with constant values, for every map of the file.
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
    /// Counters of old versions lack `_total`: read both spellings.
    #[serde(default)]
    pub(super) bare_counters: bool,
    pub(super) door: Option<Door>,
    /// Where to ask for the model when no series names it.
    #[serde(default)]
    pub(super) model: Vec<Question>,
}

/// `[identify]`: family names, or prefixes ending in `*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IdentifyText {
    pub(super) any: Vec<String>,
    pub(super) all: Vec<String>,
    pub(super) none: Vec<String>,
    /// Sources that give way when this one matches too.
    pub(super) over: Vec<String>,
}

/// One `[[drop]]`: families not worth storing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DropText {
    pub(super) families: Vec<String>,
    pub(super) reason: String,
}

/// One `[[sentinel]]`: values that mean "no value".
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SentinelText {
    pub(super) families: Vec<String>,
    #[serde(default)]
    pub(super) values: Vec<f64>,
    /// Every value below this one, too.
    pub(super) below: Option<f64>,
    pub(super) reason: String,
}

/// One `[[map]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapText {
    pub(super) metric: String,
    /// Source family with every spelling it had, newest first.
    #[serde(default)]
    pub(super) families: Vec<String>,
    pub(super) family: Option<String>,
    /// For a histogram of which the source has only sum and count.
    pub(super) sum: Option<String>,
    pub(super) count: Option<String>,
    /// Matchers in PromQL's spelling: `reason="capacity"`.
    #[serde(default)]
    pub(super) select: Vec<String>,
    #[serde(default)]
    pub(super) rename: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
    pub(super) scale: Option<f64>,
    #[serde(default)]
    pub(super) value: Vec<ValueRule>,
    pub(super) quality: Option<Quality>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) priority: Option<u32>,
    pub(super) note: Option<String>,
}

/// An entry and the line it starts on.
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) entry: T,
}

/// One file taken apart, with the problems met on the way.
pub(super) struct Document<'a> {
    path: &'a str,
    text: &'a str,
    table: DeTable<'a>,
    span: std::ops::Range<usize>,
    pub(super) problems: Vec<String>,
}

impl<'a> Document<'a> {
    /// Read the file's TOML; problems of the syntax are kept and the rest is read on.
    pub(super) fn parse(path: &'a str, text: &'a str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let span = table.span();
        let mut document =
            Self { path, text, table: table.into_inner(), span, problems: Vec::new() };
        for error in errors {
            document.report(&error, 0);
        }
        document
    }

    /// Take the array of tables `key` out and read each entry by itself.
    pub(super) fn entries<T: DeserializeOwned>(&mut self, key: &str) -> Vec<At<T>> {
        let Some(value) = self.table.remove(key) else { return Vec::new() };
        let start = value.span().start;
        let DeValue::Array(array) = value.into_inner() else {
            let line = self.line(start);
            self.problems.push(format!("{}:{line}: write [[{key}]], a list", self.path));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for item in array {
            let start = item.span().start;
            match self.read(item) {
                Ok(entry) => entries.push(At { line: self.line(start), entry }),
                Err(error) => self.report(&error, start),
            }
        }
        entries
    }

    /// Read what is left after the entries were taken out.
    pub(super) fn head<T: DeserializeOwned>(&mut self) -> Option<T> {
        let table = std::mem::take(&mut self.table);
        let rest = Spanned::new(self.span.clone(), DeValue::Table(table));
        match self.read(rest) {
            Ok(head) => Some(head),
            Err(error) => {
                self.report(&error, 0);
                None
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, value: Spanned<DeValue<'a>>) -> Result<T, toml::de::Error> {
        T::deserialize(toml::de::ValueDeserializer::from(value).into_deserializer()).map_err(
            |mut error: toml::de::Error| {
                error.set_input(Some(self.text));
                error
            },
        )
    }

    fn report(&mut self, error: &toml::de::Error, fallback: usize) {
        let line = self.line(error.span().map_or(fallback, |span| span.start));
        let message = error.message().replace('\n', ", ");
        self.problems.push(format!("{}:{line}: {message}", self.path));
    }

    /// One-based line of a byte offset.
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}
