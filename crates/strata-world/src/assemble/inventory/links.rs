//! Links of one device: whether they are up, what went wrong on them, what they move.

use std::collections::BTreeMap;

use super::{Found, wires};
use crate::assemble::identity::identity;
use crate::assemble::rows::{Row, at_end};
use crate::entity::{EntityId, EntityKind};
use crate::link::Link;
use crate::window::Window;

/// Device, kind, and the number as a number first, so that link 10 comes after link 9.
type Key = (EntityId, String, Option<u32>, String);

fn key(row: &Row<'_>) -> Option<Key> {
    let device = identity(EntityKind::Gpu, row.labels)?;
    let number = row.labels.get("link").filter(|number| !number.is_empty())?.to_owned();
    let kind = row.labels.get("type").unwrap_or_default().to_owned();
    Some((device, kind, number.parse().ok(), number))
}

/// All links that anything tells of, in order.
pub(super) fn list(found: &Found<'_>, window: Window) -> Vec<Link> {
    let mut links: BTreeMap<Key, Link> = BTreeMap::new();
    for question in ["state/link", "state/link_errors", "state/link_io_both", "state/link_end"] {
        for row in found.rows(question) {
            let (Some(key), Some(value)) = (key(&row), at_end(window, &row.points)) else {
                continue;
            };
            let link = links.entry(key).or_insert_with_key(|(device, kind, _, number)| Link {
                device: device.clone(),
                kind: kind.clone(),
                number: number.clone(),
                up: None,
                errors: Vec::new(),
                end: None,
                rate_both: None,
            });
            match question {
                "state/link" => link.up = Some(value > 0.0),
                "state/link_io_both" => {
                    link.rate_both = Some(value).filter(|rate| rate.is_finite());
                }
                "state/link_end" => link.end = Some(wires::named_end(row.labels)),
                _ if value.is_finite() => {
                    let kind = row.labels.get("kind").unwrap_or_default();
                    link.errors.push((kind.to_owned(), value));
                }
                _ => {}
            }
        }
    }
    links.into_values().collect()
}
