//! What nodes cost for an hour, and what of it is for GPUs, cores, memory and disks.

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::price::{NodeParts, NodeShape, OPENCOST_BASE_PRICES, Quote, split_node_price};

/// What is known of the shape of a node besides its GPUs. None is not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NodeSize {
    /// Cores.
    pub cores: Option<f64>,
    /// Memory in GiB.
    pub memory_gib: Option<f64>,
    /// Disk in GiB.
    pub disk_gib: Option<f64>,
}

/// Nodes of one kind: the same GPUs, size and price.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePrice {
    /// Their names, in order.
    pub nodes: Vec<String>,
    /// Kinds of their GPUs, in order.
    pub skus: Vec<String>,
    /// GPUs of one node that were seen, slices as their parts.
    pub gpus: f64,
    /// What else it has.
    pub size: NodeSize,
    /// Money for one node and hour: the prices of its GPUs, which are with their part of the node.
    /// None where one of them has no price.
    pub per_hour: Option<f64>,
    /// The price that is the oldest of those it is made of.
    pub oldest: Option<Quote>,
    /// What is for what. None where the price, the cores or the memory is not known. A disk that is
    /// not measured has no part; the network never has, for no base price of it is published.
    pub parts: Option<NodeParts>,
}

/// Every kind of node at the end of the period, the dearest first. The price of a node is split in the
/// ratio of [`OPENCOST_BASE_PRICES`].
pub fn node_prices(ledger: &Ledger, sizes: &BTreeMap<String, NodeSize>) -> Vec<NodePrice> {
    let mut nodes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, gpu) in
        ledger.gpus.iter().enumerate().filter(|(_, gpu)| gpu.is_counted && gpu.is_there)
    {
        if let Some(node) = &gpu.node {
            nodes.entry(node).or_default().push(at);
        }
    }
    let mut kinds: Vec<NodePrice> = Vec::new();
    for (node, gpus) in nodes {
        let size = sizes.get(node).copied().unwrap_or_default();
        let one = price_of(ledger, node, &gpus, size);
        let same = |kind: &&mut NodePrice| {
            (&kind.skus, kind.gpus, kind.size) == (&one.skus, one.gpus, one.size)
                && (kind.per_hour, &kind.oldest) == (one.per_hour, &one.oldest)
        };
        match kinds.iter_mut().find(same) {
            Some(kind) => kind.nodes.extend(one.nodes),
            None => kinds.push(one),
        }
    }
    kinds.sort_by(|a, b| b.per_hour.unwrap_or(-1.0).total_cmp(&a.per_hour.unwrap_or(-1.0)));
    kinds
}

fn price_of(ledger: &Ledger, node: &str, gpus: &[usize], size: NodeSize) -> NodePrice {
    let mut skus = Vec::new();
    let mut quotes = Vec::new();
    let mut whole = crate::sum::Sum::default();
    for gpu in gpus.iter().filter_map(|at| ledger.gpus.get(*at)) {
        skus.extend(gpu.sku.clone());
        let rate = ledger.rates.get(gpu.rate);
        let quote = rate.and_then(|rate| rate.timeline.last()?.1.as_ref().ok());
        quotes.push(quote.map(|quote| (gpu.portion, quote)));
        whole.add(gpu.portion);
    }
    skus.sort();
    skus.dedup();
    let whole = whole.value();
    let each: Option<Vec<(f64, &Quote)>> = quotes.into_iter().collect();
    let per_hour = each.as_ref().map(|quotes| {
        crate::sum::sum(quotes.iter().map(|(portion, quote)| portion * quote.per_gpu_hour))
    });
    let quotes = each.into_iter().flatten().map(|(_, quote)| quote);
    let oldest = quotes.min_by_key(|quote| quote.date_ms);
    let parts = per_hour.zip(size.cores).zip(size.memory_gib);
    let parts = parts.and_then(|((per_hour, cores), memory_gib)| {
        let disk_gib = size.disk_gib.unwrap_or_default();
        let shape = NodeShape { cores, memory_gib, gpus: whole, disk_gib };
        split_node_price(per_hour, shape, OPENCOST_BASE_PRICES)
    });
    NodePrice {
        nodes: vec![node.to_owned()],
        skus,
        gpus: whole,
        size,
        per_hour,
        oldest: oldest.cloned(),
        parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Column, Facts};
    use crate::ledger::Options;
    use crate::price::PriceBook;
    use crate::unit::tests::facts;

    fn ledger(facts: &Facts) -> Ledger {
        Ledger::build(facts, &PriceBook::embedded(), &Options::default())
    }

    fn on(nodes: [&str; 2]) -> Facts {
        let mut facts = facts();
        for (gpu, node) in facts.gpus.iter_mut().zip(nodes) {
            gpu.node = Some(node.to_owned());
        }
        facts
    }

    #[test]
    fn slices_count_as_their_part_and_what_left_is_gone() {
        let whole = node_prices(&ledger(&on(["a", "a"])), &BTreeMap::new()).remove(0);
        let mut sliced = on(["a", "a"]);
        for gpu in &mut sliced.gpus {
            gpu.portion = 1.0 / 7.0;
        }
        let found = node_prices(&ledger(&sliced), &BTreeMap::new()).remove(0);
        assert!((found.gpus - whole.gpus / 7.0).abs() < 1e-9, "{}", found.gpus);
        let (part, all) = (found.per_hour.unwrap(), whole.per_hour.unwrap());
        assert!((part - all / 7.0).abs() < 1e-9, "{part} of {all}");
        let mut replaced = on(["a", "a"]);
        let steps = replaced.steps;
        let there = (0..steps).map(|step| Some(f64::from(u8::from(step + 1 < steps))));
        replaced.gpus[0].present = Column::of(there);
        let found = node_prices(&ledger(&replaced), &BTreeMap::new()).remove(0);
        assert!((found.gpus - whole.gpus / 2.0).abs() < 1e-9, "{}", found.gpus);
    }

    fn big() -> NodeSize {
        NodeSize { cores: Some(192.0), memory_gib: Some(2048.0), disk_gib: None }
    }

    #[test]
    fn the_price_of_a_node_is_that_of_its_gpus_and_its_parts_add_up() {
        let sizes = [("a".to_owned(), big())].into();
        let one = node_prices(&ledger(&on(["a", "a"])), &sizes).remove(0);
        assert_eq!((one.gpus, one.nodes.len(), one.per_hour), (2.0, 1, Some(5.9)));
        let parts = one.parts.unwrap();
        let whole = parts.cores + parts.memory + parts.gpus + parts.disk;
        assert!((whole - 5.9).abs() < 1e-9, "{parts:?}");
        assert_eq!(parts.disk, 0.0);
        let ratio = parts.cores / parts.gpus;
        assert!((ratio - 192.0 * 0.031_611 / (2.0 * 0.95)).abs() < 1e-9, "{ratio}");
        assert!(one.oldest.unwrap().source.contains("37 providers"));
    }

    #[test]
    fn nodes_alike_are_one_kind_and_others_are_not() {
        let sizes: BTreeMap<String, NodeSize> =
            [("a".to_owned(), big()), ("b".to_owned(), big())].into();
        let found = node_prices(&ledger(&on(["a", "b"])), &sizes);
        assert_eq!(found[0].nodes, ["a", "b"]);
        let found = node_prices(&ledger(&on(["a", "c"])), &sizes);
        assert_eq!(found.len(), 2);
        let unknown = found.iter().find(|kind| kind.nodes == ["c"]).unwrap();
        assert_eq!((unknown.per_hour, unknown.parts), (Some(2.95), None), "its size is not known");
    }

    #[test]
    fn a_node_of_which_a_gpu_has_no_price_has_none() {
        let mut facts = on(["a", "a"]);
        facts.gpus[1].wanted.gpu = Some("unheard of".into());
        let sizes = [("a".to_owned(), big())].into();
        let one = node_prices(&ledger(&facts), &sizes).remove(0);
        assert_eq!((one.per_hour, one.parts, one.oldest), (None, None, None));
        assert_eq!(one.skus, ["H100 SXM", "unheard of"]);
    }
}
