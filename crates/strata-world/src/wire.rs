//! How devices are wired: the links between them, those between the same two ends together.

pub use strata_model::Way;

use crate::edge::Method;
use crate::entity::EntityId;

/// What is at the other end of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Gpu(EntityId),
    /// A switch, by its place on the bus of the node; one of a rack has none there.
    Switch(Option<String>),
    /// A processor of the node.
    Processor,
    /// Something that the source does not know the kind of, by its place where that is told.
    Unknown(Option<String>),
}

impl End {
    /// The kind in a word: `gpu`, `switch`, `processor`, `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Gpu(_) => "gpu",
            Self::Switch(_) => "switch",
            Self::Processor => "processor",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The links of one kind between a GPU and one other end, at the end of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Wire {
    /// Of two GPUs the one with the smaller identity.
    pub from: EntityId,
    pub to: End,
    /// Name of the node; empty where the source does not say it.
    pub node: String,
    /// `nvlink`, `xgmi`.
    pub kind: String,
    /// Links that are up; `None` where the source only says that the two reach each other, which may be
    /// over a switch.
    pub lanes: Option<usize>,
    pub method: Method,
    /// 0..1
    pub confidence: f64,
}

/// The links of one kind in one node to ends of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fabric {
    pub node: String,
    pub kind: String,
    /// As [`End::word`].
    pub to: String,
    /// GPUs with such links.
    pub gpus: usize,
    /// Links that are up, one between two GPUs counted once; `None` where nobody counts them.
    pub lanes: Option<usize>,
}

/// Links of one kind of one GPU that are there and down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Down {
    pub device: EntityId,
    pub kind: String,
    pub links: usize,
}

/// How near two GPUs of a node are over PCI Express.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// Name of the node; empty where the source does not say it.
    pub node: String,
    /// The one with the smaller identity.
    pub from: EntityId,
    pub to: EntityId,
    /// Where the two tell different ways, the longer one.
    pub way: Way,
}

/// Pairs of GPUs of one node that are equally near.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    pub node: String,
    pub way: Way,
    pub pairs: usize,
}

/// Links of one kind of one node that are there and down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeDown {
    pub node: String,
    pub kind: String,
    pub links: usize,
}

/// The wiring in scope, where the page asked for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wiring {
    /// In order of node and ends; empty where there are so many GPUs that only `fabrics` are asked for.
    pub wires: Vec<Wire>,
    /// In order of node, kind and end.
    pub fabrics: Vec<Fabric>,
    /// In order of device and kind.
    pub down: Vec<Down>,
    /// The same of each node, in order, where there are so many GPUs that only `fabrics` are asked for.
    pub nodes_down: Vec<NodeDown>,
    /// How near GPUs are over PCI Express, in order of node and ends; empty as `wires`. Of one GPU it
    /// is there without being asked for.
    pub paths: Vec<Path>,
    /// The same counted by node and way, in this order.
    pub reaches: Vec<Reach>,
    /// Pairs of GPUs that are said not to reach each other over links.
    pub unreachable: usize,
}
