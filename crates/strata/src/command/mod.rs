//! One file per command.

pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod content;
pub(crate) mod cost;
pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod export;
pub(crate) mod query;
pub(crate) mod requests;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod store;
pub(crate) mod top;
pub(crate) mod who;
