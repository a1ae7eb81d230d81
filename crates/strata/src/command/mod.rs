//! One file per command.

pub(crate) mod query;
pub(crate) mod sources;
