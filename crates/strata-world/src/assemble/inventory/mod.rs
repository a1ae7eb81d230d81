//! Things and what joins them.
//!
//! Identity first: an edge is drawn where a label, an info series or an address says so, with how
//! that is known. Two things that merely might belong together are not joined.

mod condition;
mod faults;
mod gpus;
mod links;
mod nodes;
mod paths;
mod pods;
mod registry;
mod replicas;
mod runs;
mod slurm;
mod waiting;
mod wires;

use crate::ask::{Ask, Scope};
use crate::assemble::rows::{Book, Outcome, Row};
use crate::condition::Condition;
use crate::edge::Edge;
use crate::entity::Entity;
use crate::fault::Fault;
use crate::link::Link;
use crate::plan::inventory;
use crate::waiting::Waiting;
use crate::wire::Wiring;
use registry::Registry;

/// Rows of the inventory's answers.
struct Found<'a> {
    book: &'a Book<'a>,
    queries: Vec<crate::ask::Planned>,
    /// Whether everything is in scope.
    is_fleet: bool,
}

impl<'a> Found<'a> {
    fn of(ask: &Ask, book: &'a Book<'a>) -> Self {
        let is_fleet = ask.scope == Scope::Fleet;
        Self { book, queries: inventory::queries(ask), is_fleet }
    }

    /// Rows of a question; none where it failed (the notes say so) or was not asked.
    fn rows(&self, key: &str) -> Vec<Row<'a>> {
        let query = self.queries.iter().find(|query| query.key == key);
        match query.map(|query| self.book.outcome(&query.text, query.range)) {
            Some(Outcome::Rows(rows)) => rows,
            Some(Outcome::Failed(_) | Outcome::NotAsked) | None => Vec::new(),
        }
    }
}

/// All things in scope and their edges, both in order.
pub(crate) fn build(ask: &Ask, book: &Book<'_>) -> (Vec<Entity>, Vec<Edge>) {
    let found = Found::of(ask, book);
    let mut registry = Registry::default();
    nodes::enter(&found, &mut registry);
    gpus::enter(&found, &mut registry);
    pods::enter(&found, &mut registry);
    slurm::enter(&found, &mut registry);
    // After GPUs and pods: a replica is on the GPUs of its pod.
    replicas::enter(&found, &mut registry);
    runs::enter(&found, &mut registry);
    registry.finish()
}

/// What happened to the devices in scope, the latest first.
pub(crate) fn faults(ask: &Ask, book: &Book<'_>) -> Vec<Fault> {
    let found = Found::of(ask, book);
    faults::list(&found, ask.window)
}

/// What waits in the cluster.
pub(crate) fn waiting(ask: &Ask, book: &Book<'_>) -> Vec<Waiting> {
    waiting::list(&Found::of(ask, book))
}

/// Links of the device in scope.
pub(crate) fn links(ask: &Ask, book: &Book<'_>) -> Vec<Link> {
    let found = Found::of(ask, book);
    links::list(&found, ask.window)
}

/// How the device in scope is.
pub(crate) fn condition(ask: &Ask, book: &Book<'_>) -> Option<Condition> {
    condition::read(&Found::of(ask, book), ask.window)
}

/// How the devices in scope are wired.
pub(crate) fn wiring(ask: &Ask, book: &Book<'_>) -> Wiring {
    let found = Found::of(ask, book);
    let (paths, reaches) = paths::read(&found, ask.window);
    Wiring { paths, reaches, ..wires::read(&found, ask.window) }
}
