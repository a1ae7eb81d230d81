//! `strata.toml`: read once, every problem told at once.

mod document;
mod options;
mod reference;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::DeTable;

pub(crate) use document::Located;
pub(crate) use options::{Options, Settings, TokenSource};
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

fn read(file: &Path) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("is {size} bytes, more than {FILE_BYTES_MAX}: is it the right file?"));
    }
    std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))
}

/// Parse and validate a whole configuration; problems come in the order of their lines.
pub(crate) fn parse(text: &str) -> Result<Settings, Vec<Located>> {
    checked(text).map_err(|mut problems| {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    })
}

/// Each stage needs the one before: TOML, then the form its schema demands, then values.
fn checked(text: &str) -> Result<Settings, Vec<Located>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let place = |error: &toml::de::Error| {
            let offset = error.span().map(|span| span.start);
            document::locate(text, offset, error.message().to_owned())
        };
        return Err(errors.iter().map(place).collect());
    }
    let schema = schemars::schema_for!(Options).to_value();
    let misshapen = document::check(text, table.get_ref(), &schema);
    if !misshapen.is_empty() {
        return Err(misshapen);
    }
    let options: Options = from_toml(text)?;
    options.validate().map_err(|found| {
        let place = |problem: strata_model::Problem| {
            let offset = document::offset_of(table.get_ref(), &problem.path);
            document::locate(text, offset, problem.to_string())
        };
        found.into_iter().map(place).collect()
    })
}

fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Located>> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map(|span| span.start);
        vec![document::locate(text, offset, error.message().to_owned())]
    })
}

#[cfg(test)]
mod tests;
