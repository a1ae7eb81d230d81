//! What was said to and by models, where a route asks for it to be kept: how it is cleaned first.
//!
//! Everywhere else in the house no word of a prompt or an answer is kept. Here only texts are looked
//! at; who keeps them, and where, is the store's.

pub mod redact;

pub use redact::{BUILTIN, PatternOptions, Redactor};
