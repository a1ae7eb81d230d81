//! The same pages on a terminal: draws blocks, knows no layer.
//!
//! Floor 8, beside the web page. Pages come through [`strata_view::PageSource`], made in this
//! process or read from a server. [`top`] is the live screen, [`once`] one page as lines of text.

mod app;
mod block;
mod braille;
mod flow;
mod look;
mod page;
mod popup;
mod screen;
#[cfg(test)]
mod tests;

pub use look::Look;
pub use page::once;
pub use screen::{TopError, columns, top};
