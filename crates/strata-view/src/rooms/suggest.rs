//! Entities for the command palette.

use strata_world::World;

use super::topology::page_of_kind;
use crate::page::status::Status;
use crate::source::Suggestion;

/// Things whose name or id holds `text`, best first: those that begin with it, then by name.
pub fn suggest(world: &World, text: &str, limit: usize) -> Vec<Suggestion> {
    let wanted = text.trim().to_lowercase();
    let mut found: Vec<(u8, Suggestion)> = Vec::new();
    for thing in &world.entities {
        let Some(page) = page_of_kind(thing.id.kind) else { continue };
        let name = thing.name.to_lowercase();
        let id = thing.id.to_string();
        let rank = if name.starts_with(&wanted) {
            0
        } else if name.contains(&wanted) {
            1
        } else if id.to_lowercase().contains(&wanted) {
            2
        } else {
            continue;
        };
        let facts = thing.facts.iter().take(3).map(|(_, value)| value.as_str());
        found.push((
            rank,
            Suggestion {
                id,
                kind: thing.id.kind.name().to_owned(),
                name: thing.name.clone(),
                detail: facts.collect::<Vec<_>>().join(", "),
                status: Status::Absent,
                page: page.name().to_owned(),
            },
        ));
    }
    found.sort_by(|a, b| (a.0, &a.1.name, &a.1.id).cmp(&(b.0, &b.1.name, &b.1.id)));
    found.into_iter().take(limit).map(|(_, one)| one).collect()
}
