//! One page: who asked for what, the north star, and the blocks of the body.

pub mod block;
pub mod chart;
pub mod graph;
pub mod heatmap;
pub mod number;
pub mod status;
pub mod strata;
pub mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::PageRequest;
use block::Section;
use number::Number;
use status::Status;

/// A page, complete: a renderer needs nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// What was asked for, every default filled in. A link made of it shows this page again.
    pub request: PageRequest,
    pub title: String,
    /// One line below the title: scope and range in words.
    pub subtitle: String,
    /// True when the data comes from `strata demo`: the renderer says so on every page.
    pub simulated: bool,
    /// When the page was made, milliseconds since the Unix epoch.
    pub made_at_ms: i64,
    /// The pages one can go to, in the order of the keys 1 to 9, the overview first on key 0.
    pub tabs: Vec<Tab>,
    /// The top strip, the same on every page; its first number is the north star.
    pub north_star: Vec<Number>,
    /// What must be said about the whole page: a part that did not answer, a limit that was met.
    pub notices: Vec<Notice>,
    pub sections: Vec<Section>,
}

/// One entry of the navigation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tab {
    /// The key that opens it in the terminal and on the web page.
    pub key: char,
    pub title: String,
    pub link: Link,
    pub current: bool,
    /// The verdict of the layer the page belongs to, where it has one.
    pub status: Option<Status>,
}

/// A way to another page. The time range is kept by the renderer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Name of the page, see [`crate::PageId`].
    pub page: String,
    /// Parameters other than the time range, in order: `entity`, `group`, `color`, `query`,
    /// `lang`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, String)>,
}

/// A sentence about the page as a whole, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    pub status: Status,
    pub text: String,
    /// A command or setting to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}
