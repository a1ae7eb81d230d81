//! Entities for the command palette.

use strata_world::World;

use super::topology::page_of_kind;
use crate::page::status::Status;
use crate::source::Suggestion;

/// Entities a directory holds: as many as the pages of the largest fleets have, about 30 MB.
const ENTRIES_MAX: usize = 100_000;

/// What can be found by name, made once and asked at every key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directory {
    /// By name, then by id.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    /// In small letters.
    name: String,
    id: String,
    found: Suggestion,
}

impl Directory {
    /// The things of a World that have a page.
    pub fn of(world: &World) -> Self {
        let entry = |thing: &strata_world::Entity| {
            let page = page_of_kind(thing.id.kind)?;
            let facts = thing.facts.iter().take(3).map(|(_, value)| value.as_str());
            let id = thing.id.to_string();
            Some(Entry {
                name: thing.name.to_lowercase(),
                id: id.to_lowercase(),
                found: Suggestion {
                    id,
                    kind: thing.id.kind.name().to_owned(),
                    name: thing.name.clone(),
                    detail: facts.collect::<Vec<_>>().join(", "),
                    status: Status::Absent,
                    page: page.name().to_owned(),
                },
            })
        };
        let mut entries: Vec<Entry> =
            world.entities.iter().filter_map(entry).take(ENTRIES_MAX).collect();
        entries.sort_by(|a, b| (&a.found.name, &a.found.id).cmp(&(&b.found.name, &b.found.id)));
        Self { entries }
    }

    /// Things whose name or id holds `text`, best first: those that begin with it, those whose
    /// name holds it, those whose id does; among these by name.
    pub fn find(&self, text: &str, limit: usize) -> Vec<Suggestion> {
        let wanted = text.trim().to_lowercase();
        let mut found: [Vec<&Suggestion>; 3] = Default::default();
        for entry in &self.entries {
            let rank = if entry.name.starts_with(&wanted) {
                0
            } else if entry.name.contains(&wanted) {
                1
            } else if entry.id.contains(&wanted) {
                2
            } else {
                continue;
            };
            if found[rank].len() < limit {
                found[rank].push(&entry.found);
            }
        }
        found.into_iter().flatten().take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(things: &[(&str, &str)]) -> Directory {
        let entry = |(id, name): &(&str, &str)| Entry {
            name: name.to_lowercase(),
            id: id.to_lowercase(),
            found: Suggestion {
                id: (*id).to_owned(),
                kind: String::new(),
                name: (*name).to_owned(),
                detail: String::new(),
                status: Status::Absent,
                page: String::new(),
            },
        };
        Directory { entries: things.iter().map(entry).collect() }
    }

    #[test]
    fn what_begins_with_the_text_comes_first() {
        let all = directory(&[
            ("gpu:chat-uuid", "7"),
            ("replica:a", "Chat-0"),
            ("replica:b", "old chat"),
            ("node:c", "host"),
        ]);
        let check = |text: &str, limit: usize, expected: &[&str]| {
            let found: Vec<String> =
                all.find(text, limit).into_iter().map(|one| one.name).collect();
            assert_eq!(found, expected, "{text:?} {limit}");
        };
        check("chat", 9, &["Chat-0", "old chat", "7"]);
        check(" CHAT ", 2, &["Chat-0", "old chat"]);
        check("", 2, &["7", "Chat-0"]);
        check("gpu:", 9, &["7"]);
        check("nothing", 9, &[]);
    }
}
