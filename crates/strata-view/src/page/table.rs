//! Rows and columns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Link;
use super::number::Number;
use super::status::Status;

/// A table; the renderer sorts by a column's values when asked to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    pub title: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Rows there are when not all are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_rows: Option<usize>,
    /// What to say when there are no rows.
    pub empty: String,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    pub title: String,
    /// Numbers stand right.
    pub numeric: bool,
    /// 0 is always shown; columns of higher rank give way first where there is little room.
    pub rank: u8,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// As many as columns.
    pub cells: Vec<Cell>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Cell {
    Text {
        text: String,
    },
    Number(Box<Number>),
    Status {
        status: Status,
        text: String,
    },
    /// A command or setting to copy.
    Command {
        text: String,
    },
    /// A text with lines behind it that are not shown until they are asked for.
    Fold {
        text: String,
        lines: Vec<String>,
    },
    /// A bar from one place to another on a line that all rows of the table share; 0 is its left end
    /// and 1 its right one. What it stands for is written in another cell of the row.
    Bar {
        from: f64,
        to: f64,
    },
    /// A value over time, drawn small; `None` is a gap.
    Spark {
        values: Vec<Option<f64>>,
    },
}
