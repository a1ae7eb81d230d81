//! The blocks a page is built of. Each renderer draws each of them; none knows a layer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chart::{Anatomy, Chart, Distribution};
use super::graph::Graph;
use super::heatmap::{Choice, Heatmap};
use super::number::Number;
use super::status::Status;
use super::strata::Stratum;
use super::table::Table;
use super::{Link, Notice};
use crate::request::Language;

/// Blocks under one heading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Section {
    /// Stable name within the page, for links and for what a renderer remembers: `replicas`.
    pub id: String,
    /// Empty for a section without a heading.
    pub title: String,
    /// What is shown and how to read it, in a sentence; may be empty.
    pub brief: String,
    pub blocks: Vec<Block>,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// The eight layers, highest first, with one plumb line through all of them.
    Strata {
        strata: Vec<Stratum>,
    },
    /// Numbers side by side.
    Numbers {
        numbers: Vec<Number>,
    },
    /// Lines over time. Charts of one page share the plumb line.
    Chart(Chart),
    /// Small charts of like things side by side.
    Multiples {
        charts: Vec<Chart>,
    },
    /// One cell a thing, colored by one number.
    Heatmap(Heatmap),
    Table(Table),
    /// What a duration is made of.
    Anatomy(Anatomy),
    /// How a quantity is spread: a histogram, or one over time.
    Distribution(Distribution),
    /// Things and what joins them, laid out.
    Graph(Graph),
    /// A card with a finding, a blind spot, or advice.
    Card(Card),
    /// A question of the reader's own, in PromQL or SQL: a box with completion. The answer comes
    /// with the page, in blocks of their own.
    Explore(Explore),
    /// What only some want to read, behind one line that tells what it is.
    Fold(Fold),
    /// Ways to other views of the same page, side by side.
    Chips(Chips),
    /// A sentence.
    Text {
        text: String,
    },
}

/// Blocks that are not shown until they are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fold {
    /// What is behind it, with its count: `43 signals ok`.
    pub summary: String,
    pub blocks: Vec<Block>,
}

/// Choices of which one holds, or the steps of a path so far: the current one is marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chips {
    /// What is chosen: `basis`.
    pub title: String,
    pub chips: Vec<Chip>,
}

/// One of several ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chip {
    pub title: String,
    pub current: bool,
    pub link: Link,
}

/// Something a person should read: what it is, why it is so, what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    pub status: Status,
    pub title: String,
    /// One or two sentences.
    pub text: String,
    /// Steps in order, as of a causal chain: (where and when, what).
    pub steps: Vec<(String, String)>,
    pub numbers: Vec<Number>,
    /// Commands or settings to copy.
    pub commands: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

/// The Explore box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explore {
    pub lang: Language,
    /// The languages there are; choosing one asks for the page with the parameter `lang`.
    pub lang_choices: Vec<Choice>,
    /// The question to begin with; may be empty.
    pub query: String,
    /// What an answer is bounded by, in a sentence; empty where nothing need be said.
    pub bounds: String,
    /// Questions worth trying, in the same language: (title, question).
    pub examples: Vec<(String, String)>,
    /// Names for completion: (metric, table or column, brief).
    pub names: Vec<(String, String)>,
    /// Why there is no answer.
    pub notices: Vec<Notice>,
}
