//! `strata.toml`: read once, every problem told at once.

mod cost;
mod document;
mod engines;
mod options;
mod reference;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::DeTable;

#[cfg(test)]
pub(crate) use cost::{BudgetOptions, CostOptions};
pub(crate) use cost::{BudgetPeriod, BudgetSettings, CostSettings};
pub(crate) use document::Located;
pub(crate) use options::{Options, RECORDS_DIR, Settings, TokenSource};
pub(crate) use reference::markdown;

/// The file looked for when none is named.
pub(crate) const DEFAULT_FILE: &str = "strata.toml";
/// A configuration larger than this is a mistake in the path.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why there is no configuration: where it should come from, and all that is wrong with it.
#[derive(Debug)]
pub(crate) struct ConfigError {
    pub(crate) file: PathBuf,
    pub(crate) problems: Vec<Located>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(f, "{} has {} problem{plural}", self.file.display(), self.problems.len())
    }
}

impl std::error::Error for ConfigError {}

/// Read `file`, or `strata.toml` when there is one, or the defaults.
/// Returns the settings and the file they came from.
pub(crate) fn load(file: Option<&Path>) -> Result<(Settings, Option<PathBuf>), ConfigError> {
    let default = Path::new(DEFAULT_FILE);
    let file = file.or_else(|| default.is_file().then_some(default));
    let Some(file) = file else {
        let settings = parse("").map_err(|problems| ConfigError {
            file: PathBuf::from("the default configuration"),
            problems,
        })?;
        return Ok((settings, None));
    };
    let fail = |problems| ConfigError { file: file.to_owned(), problems };
    let text = read(file).map_err(|message| fail(vec![document::locate("", None, message)]))?;
    Ok((parse(&text).map_err(fail)?, Some(file.to_owned())))
}

/// Where options stand in the file, for what goes wrong after it was read.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    pub(crate) file: Option<&'a Path>,
    text: String,
}

impl<'a> Places<'a> {
    /// Of the file that [`load`] came from. One that cannot be read any more places nothing.
    pub(crate) fn of(file: Option<&'a Path>) -> Self {
        let text = file.and_then(|file| read(file).ok()).unwrap_or_default();
        Self { file, text }
    }

    /// The line of the option at `path` (`scrape[1].interval`), or of the section it belongs to;
    /// `None` when the file does not say anything about it.
    pub(crate) fn line(&self, path: &str) -> Option<usize> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let offset = document::offset_of(table.get_ref(), path)?;
        Some(document::locate(&self.text, Some(offset), String::new()).line)
    }
}

fn read(file: &Path) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("is {size} bytes, more than {FILE_BYTES_MAX}: is it the right file?"));
    }
    std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))
}

/// Parse and validate a whole configuration. Problems are told in the order of the file.
pub(crate) fn parse(text: &str) -> Result<Settings, Vec<Located>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<_> = errors
        .iter()
        .map(|error| {
            document::locate(text, error.span().map(|span| span.start), error.message().to_owned())
        })
        .collect();
    let schema = schemars::schema_for!(Options).to_value();
    let broken = !problems.is_empty();
    let refused = document::check(text, table.get_ref(), &schema);
    if refused.problems.is_empty() && !broken {
        let options: Options = from_toml(text)?;
        return options.validate().map_err(|found| {
            in_order(found.iter().map(|problem| place(text, table.get_ref(), problem)).collect())
        });
    }
    let named = |problem: &strata_model::Problem| {
        refused.paths.iter().chain(&refused.meant).any(|path| problem.path.starts_with(path))
    };
    let rest = if broken { Vec::new() } else { problems_of_the_rest(text, &refused.paths) };
    let rest = rest.iter().filter(|problem| !named(problem));
    problems.extend(rest.map(|problem| place(text, table.get_ref(), problem)));
    problems.extend(refused.problems);
    Err(in_order(problems))
}

/// What is wrong with the options that can be read at all.
fn problems_of_the_rest(text: &str, refused: &[String]) -> Vec<strata_model::Problem> {
    let table = toml::from_str(text).ok();
    let rest = table.and_then(|table| document::without(table, refused));
    // An option that cannot be read for a reason the schema does not tell is told next time.
    let options = rest.and_then(|rest| rest.try_into::<Options>().ok());
    options.and_then(|options| options.validate().err()).unwrap_or_default()
}

fn place(text: &str, table: &DeTable<'_>, problem: &strata_model::Problem) -> Located {
    document::locate(text, document::offset_of(table, &problem.path), problem.to_string())
}

fn in_order(mut problems: Vec<Located>) -> Vec<Located> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems
}

fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Located>> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map(|span| span.start);
        vec![document::locate(text, offset, error.message().to_owned())]
    })
}

#[cfg(test)]
mod tests;
