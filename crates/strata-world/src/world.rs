//! The World itself: immutable once assembled.

use crate::ask::Scope;
use crate::capacity::{Capacity, Targets};
use crate::coverage::Coverage;
use crate::edge::{Edge, Relation};
use crate::entity::{Entity, EntityId, EntityKind};
use crate::fault::Fault;
use crate::link::Link;
use crate::plan::Sizes;
use crate::signal::{Signal, Spread};
use crate::window::Window;
use crate::wire::Wiring;

/// Everything a page or a rule may look at.
#[derive(Debug, Clone)]
pub struct World {
    pub window: Window,
    pub scope: Scope,
    /// In order of id.
    pub entities: Vec<Entity>,
    /// In order of (from, to).
    pub edges: Vec<Edge>,
    /// What happened to devices, the latest first; of one thing or node only, never of the fleet.
    pub faults: Vec<Fault>,
    /// Links of a GPU, in order of kind and number; of one GPU only.
    pub links: Vec<Link>,
    /// How a GPU is, where a source judges it; of one GPU only.
    pub condition: Option<crate::condition::Condition>,
    /// How devices are wired; where the page asked for it.
    pub wiring: Wiring,
    /// Who holds and uses each GPU, by node and number; where the page asked for it.
    pub holdings: Vec<crate::who::Gpu>,
    /// What waits, and why; where the page asked for it.
    pub waiting: Vec<crate::waiting::Waiting>,
    /// What one replica could sustain; of a replica only, never of the fleet.
    pub capacity: Option<Box<Capacity>>,
    /// What engines may be used to.
    pub targets: Targets,
    /// In order of (signal id, entity).
    pub signals: Vec<Signal>,
    /// In order of (signal id, entity).
    pub spreads: Vec<Spread>,
    pub coverage: Coverage,
    /// The currency of money in it, an ISO 4217 code; empty where nobody says.
    pub currency: String,
    /// What must be said: a query that failed, a limit that cut something off.
    pub notes: Vec<String>,
}

impl World {
    /// How many things of each kind there are: the next plan of this scope can be made with it.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        for entity in &self.entities {
            *sizes.0.entry(entity.id.kind).or_default() += 1;
        }
        sizes
    }

    /// The thing with this identity.
    pub fn entity(&self, id: &EntityId) -> Option<&Entity> {
        let index = self.entities.binary_search_by(|entity| entity.id.cmp(id)).ok()?;
        self.entities.get(index)
    }

    /// All things of a kind, in order of key.
    pub fn of_kind(&self, kind: EntityKind) -> impl Iterator<Item = &Entity> {
        self.entities.iter().filter(move |entity| entity.id.kind == kind)
    }

    /// Things that `from` leads to by this relation.
    pub fn targets<'a>(
        &'a self,
        from: &'a EntityId,
        relation: Relation,
    ) -> impl Iterator<Item = &'a Edge> {
        let first = self.edges.partition_point(|edge| edge.from < *from);
        let edges = self.edges.iter().skip(first).take_while(move |edge| edge.from == *from);
        edges.filter(move |edge| edge.relation == relation)
    }

    /// Things that lead to `to` by this relation.
    pub fn origins<'a>(
        &'a self,
        to: &'a EntityId,
        relation: Relation,
    ) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |edge| edge.to == *to && edge.relation == relation)
    }

    /// A unit of a definition in the World's own currency: `USD/{token}`.
    pub fn unit(&self, unit: &'static str) -> std::borrow::Cow<'static, str> {
        if unit.contains("{currency}") && !self.currency.is_empty() {
            return unit.replace("{currency}", &self.currency).into();
        }
        unit.into()
    }

    /// The signal of one thing, or with `None` of all in scope together.
    pub fn signal(&self, id: &str, entity: Option<&EntityId>) -> Option<&Signal> {
        let wanted = (id, entity);
        let index = self
            .signals
            .binary_search_by(|signal| (signal.def.id, signal.entity.as_ref()).cmp(&wanted));
        self.signals.get(index.ok()?)
    }

    /// The signal of every thing that has it, in order of entity.
    pub fn each(&self, id: &str) -> impl Iterator<Item = &Signal> {
        self.column(id).0.iter().filter(|signal| signal.entity.is_some())
    }

    /// The signal of every thing that has it, to be asked for one after the other in order of entity.
    pub fn column(&self, id: &str) -> Signals<'_> {
        let first = self.signals.partition_point(|signal| signal.def.id < id);
        let rest = self.signals.get(first..).unwrap_or_default();
        let end = rest.partition_point(|signal| signal.def.id == id);
        Signals(rest.get(..end).unwrap_or_default())
    }

    /// The spread of one thing, or with `None` of all in scope together.
    pub fn spread(&self, id: &str, entity: Option<&EntityId>) -> Option<&Spread> {
        self.spreads.iter().find(|spread| spread.def.id == id && spread.entity.as_ref() == entity)
    }
}

/// One signal of many things, in order of entity: a page of a fleet goes through several at once.
#[derive(Debug, Clone)]
pub struct Signals<'a>(&'a [Signal]);

impl<'a> Signals<'a> {
    /// The signal of a thing that comes after all that were asked for before.
    pub fn next_of(&mut self, entity: &EntityId) -> Option<&'a Signal> {
        let before = |signal: &&Signal| signal.entity.as_ref().is_none_or(|known| known < entity);
        let first = self.0.iter().take_while(before).count();
        self.0 = self.0.get(first..).unwrap_or_default();
        self.0.first().filter(|signal| signal.entity.as_ref() == Some(entity))
    }
}
