//! How near two devices of a host are over PCI Express: what the label `path` of `gpu.pcie.path` says.

/// The way between two devices, the nearest first; the levels of `nvidia-smi topo` (`nvml.h`,
/// `nvmlGpuTopologyLevel_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// On one board.
    Board,
    /// Through one PCI Express switch.
    Switch,
    /// Through several, without the host bridge.
    Switches,
    /// Through the host bridge that both are below.
    HostBridge,
    /// Through several host bridges of one NUMA node.
    NumaNode,
    /// Through the link between NUMA nodes.
    Across,
}

impl Way {
    const ALL: [Self; 6] =
        [Self::Board, Self::Switch, Self::Switches, Self::HostBridge, Self::NumaNode, Self::Across];

    /// As the label says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Board => "board",
            Self::Switch => "switch",
            Self::Switches => "switches",
            Self::HostBridge => "host_bridge",
            Self::NumaNode => "numa_node",
            Self::Across => "across",
        }
    }

    /// The way of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == text)
    }
}
