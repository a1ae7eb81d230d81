//! Things and what joins them, laid out by us: a renderer only draws.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Link;
use super::status::Status;

/// A drawn graph. Coordinates are in units of the box `width` x `height`, y downwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    pub title: String,
    pub width: f64,
    pub height: f64,
    pub nodes: Vec<GraphNode>,
    pub edges: Vec<GraphEdge>,
    /// The same in words, one line a thing, for terminals and screen readers.
    pub outline: Vec<OutlineLine>,
}

/// A box with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphNode {
    pub id: String,
    /// What it is: `node`, `gpu`, `replica`, `model`, `switch`.
    pub kind: String,
    pub name: String,
    pub status: Status,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

/// A line between two boxes, by their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphEdge {
    pub from: String,
    pub to: String,
    /// What joins them: `runs on`, `NVLink`, `serves`.
    pub relation: String,
    /// How it is known: `label`, `pod resources`, `pid to cgroup`.
    pub method: String,
    /// 0..1
    pub confidence: f64,
    /// First and last time within the range at which it was seen, in milliseconds since the Unix
    /// epoch; the same twice where only the end of the range was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<[i64; 2]>,
    pub status: Status,
    /// The points it runs through, in the graph's units; without any it runs from side to side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub line: Vec<[f64; 2]>,
}

/// One line of the outline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutlineLine {
    pub depth: u8,
    pub text: String,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}
