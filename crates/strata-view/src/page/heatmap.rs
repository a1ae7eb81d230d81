//! One cell a thing, colored by one number, in groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Link;
use super::chart::Scale;
use super::number::Explanation;
use super::status::Status;

/// A heatmap of up to tens of thousands of cells: columns of plain arrays, so that it stays small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Heatmap {
    pub title: String,
    /// Of `Cells::values`.
    pub scale: Scale,
    /// Value at the cold and at the hot end of the colors.
    pub min: f64,
    pub max: f64,
    /// The ways to group and to color, with the current one; choosing one asks for the page with
    /// the parameter `group` or `color`.
    pub group_choices: Vec<Choice>,
    pub color_choices: Vec<Choice>,
    pub groups: Vec<CellGroup>,
    /// Names of the columns where rows and columns mean something: each group is then one row with a
    /// cell a column. Empty for cells that only follow one another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Page a cell leads to; the cell's id is its parameter `entity`. A cell without an id leads
    /// nowhere.
    pub cell_page: String,
    pub explain: Explanation,
}

/// One way among several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// Value of the parameter: `node`.
    pub id: String,
    pub title: String,
    pub current: bool,
}

/// Cells that belong together. All arrays have one entry per cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellGroup {
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// Ids of the entities, as in links.
    pub ids: Vec<String>,
    /// Short names to show.
    pub names: Vec<String>,
    /// `None` is hatched.
    pub values: Vec<Option<f64>>,
    pub statuses: Vec<Status>,
    /// True where the value stands apart from its peers (robust z above 3): drawn as a ring.
    pub outliers: Vec<bool>,
}
