//! Where pages come from, seen by those who draw them: this program, or another over HTTP.

use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::page::Page;
use crate::page::status::Status;
use crate::request::PageRequest;

/// What goes wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PageErrorCode {
    /// A parameter does not parse or names something there is not.
    BadRequest,
    /// The page or the entity is not known.
    NotFound,
    /// The engine behind did not answer in time.
    Timeout,
    /// The server cannot be reached.
    Unreachable,
    /// The question exceeds a bound.
    TooMuch,
    /// The server has as much to do as it takes on: ask again in a moment.
    Busy,
    /// A fault of ours.
    Internal,
}

/// Why there is no page, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{message}")]
pub struct PageError {
    pub code: PageErrorCode,
    pub message: String,
    pub hint: String,
}

/// One entity of the command palette.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// Id as in links: `gpu:GPU-123`.
    pub id: String,
    /// `gpu`
    pub kind: String,
    pub name: String,
    /// Where it is: `node-1, pod chat-0`.
    pub detail: String,
    pub status: Status,
    /// Page that shows it, see [`crate::PageId`].
    pub page: String,
}

/// A future of a page source.
pub type PageFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PageError>> + Send + 'a>>;

/// Gives pages: made here, or read from another server.
pub trait PageSource: Send + Sync + 'static {
    /// The page as it stands now.
    fn page(&self, request: PageRequest) -> PageFuture<'_, Page>;

    /// Entities whose name or id holds `text`, best first, at most `limit`.
    fn suggest(&self, text: String, limit: usize) -> PageFuture<'_, Vec<Suggestion>>;
}
