//! How near the GPUs are to each other over PCI Express, as the kernel's bus says.

use std::sync::Arc;

use strata_model::Layer;

use super::super::paths::{self, Gpu, Place};
use super::card::named;
use super::driven;
use crate::collector::CollectError;
use crate::l3_host::part::{Part, Round};
use crate::l3_host::root::{FileReader, HostRoot};

/// Reads the ways between GPUs.
pub(in super::super) struct Paths {
    root: HostRoot,
    node: Arc<str>,
    reader: FileReader,
}

/// Who a card is.
struct Card {
    uuid: String,
    model: String,
    index: String,
    place: Place,
}

impl Card {
    fn gpu(&self) -> Gpu<'_> {
        let labels =
            [("gpu_uuid", &*self.uuid), ("gpu", &*self.index), ("gpu_model", &*self.model)];
        Gpu { labels, uuid: &self.uuid, place: &self.place }
    }
}

impl Paths {
    pub(in super::super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self { root: root.clone(), node: Arc::clone(node), reader: FileReader::default() }
    }
}

impl Part for Paths {
    fn id(&self) -> &'static str {
        "gpu/amd_paths"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let driven = driven(&self.root, &mut self.reader)?;
        let cards = driven.into_iter().take(super::CARDS_MAX).enumerate();
        let cards = cards.map(|(index, (address, folder))| {
            let (uuid, model) = named((&address, &folder), &mut self.reader);
            let place = Place::read(&self.root, &address, &mut self.reader);
            Card { uuid, model, index: index.to_string(), place }
        });
        let cards: Vec<Card> = cards.collect();
        let gpus: Vec<Gpu<'_>> = cards.iter().map(Card::gpu).collect();
        paths::tell(&gpus, &self.node, |_, _| None, round)
    }

    fn interval_min(&self) -> std::time::Duration {
        paths::INTERVAL
    }
}
