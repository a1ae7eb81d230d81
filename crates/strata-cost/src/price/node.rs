//! The price of a node split over its GPUs, cores, memory and disks.

/// Prices of one unit for an hour, used only as ratios to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BasePrices {
    /// Of one core.
    pub core: f64,
    /// Of one GiB of memory.
    pub memory_gib: f64,
    /// Of one GPU.
    pub gpu: f64,
    /// Of one GiB of disk.
    pub disk_gib: f64,
}

/// Ratios that OpenCost uses where nothing else is given (`configs/default.json`).
pub const OPENCOST_BASE_PRICES: BasePrices =
    BasePrices { core: 0.031_611, memory_gib: 0.004_237, gpu: 0.95, disk_gib: 0.000_054_794_52 };

/// What a node has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeShape {
    /// Cores.
    pub cores: f64,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// GPUs.
    pub gpus: f64,
    /// Disk in GiB.
    pub disk_gib: f64,
}

/// Money per hour of each part of a node; the parts add up to the node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeParts {
    /// Of all cores.
    pub cores: f64,
    /// Of all memory.
    pub memory: f64,
    /// Of all GPUs.
    pub gpus: f64,
    /// Of all disks.
    pub disk: f64,
}

/// Splits the price of a node in the ratio of base prices (OpenCost's specification, appendix A:
/// the ratio is constant, the scale is such that the sum is the node's price). None where nothing
/// has a price or a number is negative or not finite.
pub fn split_node_price(per_hour: f64, shape: NodeShape, base: BasePrices) -> Option<NodeParts> {
    let cores = shape.cores * base.core;
    let memory = shape.memory_gib * base.memory_gib;
    let gpus = shape.gpus * base.gpu;
    let disk = shape.disk_gib * base.disk_gib;
    let parts = [cores, memory, gpus, disk];
    let total: f64 = parts.iter().sum();
    let sound = parts.iter().all(|part| part.is_finite() && *part >= 0.0);
    if !sound || total <= 0.0 || !per_hour.is_finite() || per_hour < 0.0 {
        return None;
    }
    let scale = per_hour / total;
    Some(NodeParts {
        cores: cores * scale,
        memory: memory * scale,
        gpus: gpus * scale,
        disk: disk * scale,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_node() {
        let shape = NodeShape { cores: 192.0, memory_gib: 2048.0, gpus: 8.0, disk_gib: 0.0 };
        let parts = split_node_price(55.04, shape, OPENCOST_BASE_PRICES).unwrap();
        let total = parts.cores + parts.memory + parts.gpus + parts.disk;
        assert!((total - 55.04).abs() < 1e-9);
        let ratio = (parts.gpus / 8.0) / (parts.cores / 192.0);
        assert!((ratio - 0.95 / 0.031_611).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn a_node_of_nothing_has_no_parts() {
        let shape = NodeShape { cores: 0.0, memory_gib: 0.0, gpus: 0.0, disk_gib: 0.0 };
        assert_eq!(split_node_price(1.0, shape, OPENCOST_BASE_PRICES), None);
        let shape = NodeShape { cores: -1.0, memory_gib: 9.0, gpus: 1.0, disk_gib: 0.0 };
        assert_eq!(split_node_price(1.0, shape, OPENCOST_BASE_PRICES), None);
    }
}
