//! What a person sees: pages as plain data. Words, units, rounding and provenance are decided here,
//! once; the web page, the terminal and the command line only draw.
//!
//! Floor 7. A [`Page`] is a list of [`Block`]s; a renderer knows a dozen blocks and no layer, so a
//! new page needs no new renderer. Every number carries its [`Explanation`].
//! Pure: no I/O, no runtime, no wall clock.

pub mod page;
pub mod request;
pub mod rooms;
pub mod source;
pub mod words;

pub use page::block::{Block, Section};
pub use page::number::{Explanation, Input, Number};
pub use page::status::Status;
pub use page::{Link, Notice, Page, Tab};
pub use request::{CostView, Language, PageId, PageRequest, Span, View};
pub use source::{PageError, PageErrorCode, PageSource, Suggestion};
