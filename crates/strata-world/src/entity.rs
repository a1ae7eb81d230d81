//! The things a World is about.

use std::fmt;
use std::sync::Arc;

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    Node,
    Gpu,
    Slice,
    Process,
    Container,
    Pod,
    Workload,
    Namespace,
    Team,
    Queue,
    Replica,
    Model,
    Run,
    Rank,
    Communicator,
    Tenant,
}

impl EntityKind {
    /// All kinds.
    pub const ALL: [Self; 16] = [
        Self::Node,
        Self::Gpu,
        Self::Slice,
        Self::Process,
        Self::Container,
        Self::Pod,
        Self::Workload,
        Self::Namespace,
        Self::Team,
        Self::Queue,
        Self::Replica,
        Self::Model,
        Self::Run,
        Self::Rank,
        Self::Communicator,
        Self::Tenant,
    ];

    /// The word in ids and URLs: `gpu`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Gpu => "gpu",
            Self::Slice => "slice",
            Self::Process => "process",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Workload => "workload",
            Self::Namespace => "namespace",
            Self::Team => "team",
            Self::Queue => "queue",
            Self::Replica => "replica",
            Self::Model => "model",
            Self::Run => "run",
            Self::Rank => "rank",
            Self::Communicator => "communicator",
            Self::Tenant => "tenant",
        }
    }
}

/// Identity of a thing: its kind and the key that stays the same while it lives (a GPU's UUID, a
/// pod's UID or namespace/name, a replica's instance).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId {
    pub kind: EntityKind,
    pub key: Arc<str>,
}

impl EntityId {
    /// The identity of `key` among the things of this kind.
    pub fn new(kind: EntityKind, key: impl Into<Arc<str>>) -> Self {
        Self { kind, key: key.into() }
    }

    /// Read `kind:key`, as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, key) = text.split_once(':')?;
        let kind = EntityKind::ALL.into_iter().find(|known| known.name() == kind)?;
        (!key.is_empty()).then(|| Self::new(kind, key))
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.key)
    }
}

/// One thing, with what is known of it besides numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    pub id: EntityId,
    /// Short name for people: `node-3 GPU 5`.
    pub name: String,
    /// Facts in order of name: (`engine`, `vllm`), (`gpu_model`, `NVIDIA H100 80GB HBM3`).
    pub facts: Vec<(String, String)>,
}
