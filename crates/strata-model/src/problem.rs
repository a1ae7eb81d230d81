//! What is wrong with a configuration, said by the component that owns the option.

use std::fmt;

/// One problem with one option. Validation gathers all of them instead of stopping at the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the option from the section's root: `targets[0].interval`; empty for the section.
    pub path: String,
    /// What is wrong and what would be right, without a full stop.
    pub message: String,
}

impl Problem {
    /// A problem with the option at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same problem seen from the section that contains this one.
    pub fn within(mut self, parent: &str) -> Self {
        self.path = match (parent.is_empty(), self.path.is_empty()) {
            (true, _) => self.path,
            (false, true) => parent.to_owned(),
            (false, false) if self.path.starts_with('[') => format!("{parent}{}", self.path),
            (false, false) => format!("{parent}.{}", self.path),
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}
