//! Every metric the host collectors write, in one table.
//!
//! These are the catalog's dotted names (`catalog/metrics/l3_host.toml`); the names of the series
//! are derived there.

crate::table::names! {
    CPU_TIME = "system.cpu.time";
    CPU_LOGICAL = "system.cpu.logical.count";
    CPU_PHYSICAL = "system.cpu.physical.count";
    CPU_FREQUENCY = "system.cpu.frequency";
    LOAD_1M = "system.cpu.load_average.1m";
    LOAD_5M = "system.cpu.load_average.5m";
    LOAD_15M = "system.cpu.load_average.15m";
    PROCESS_COUNT = "system.process.count";
    PROCESS_CREATED = "system.process.created";
    CONTEXT_SWITCHES = "system.context_switches";
    INTERRUPTS = "system.interrupts";
    UPTIME = "system.uptime";
    HOST_INFO = "host.info";

    MEMORY_USAGE = "system.memory.usage";
    MEMORY_LIMIT = "system.memory.limit";
    MEMORY_UTILIZATION = "system.memory.utilization";
    MEMORY_AVAILABLE = "system.memory.linux.available";
    MEMORY_SHARED = "system.memory.linux.shared";
    MEMORY_SLAB = "system.memory.linux.slab.usage";
    MEMORY_DIRTY = "system.memory.linux.dirty";
    MEMORY_WRITEBACK = "system.memory.linux.writeback";
    HUGEPAGES_LIMIT = "system.memory.linux.hugepages.limit";
    HUGEPAGES_USAGE = "system.memory.linux.hugepages.usage";
    HUGEPAGES_SIZE = "system.memory.linux.hugepages.page_size";
    PAGING_USAGE = "system.paging.usage";
    PAGING_UTILIZATION = "system.paging.utilization";
    PAGING_FAULTS = "system.paging.faults";
    PAGING_OPERATIONS = "system.paging.operations";
    OOM_KILLS = "host.memory.oom_kills";

    DISK_IO = "system.disk.io";
    DISK_OPERATIONS = "system.disk.operations";
    DISK_OPERATION_TIME = "system.disk.operation_time";
    DISK_IO_TIME = "system.disk.io_time";
    DISK_WEIGHTED_IO_TIME = "system.disk.weighted_io_time";
    DISK_PENDING = "system.disk.pending_operations";
    DISK_MERGED = "system.disk.merged";
    FILESYSTEM_USAGE = "system.filesystem.usage";
    FILESYSTEM_LIMIT = "system.filesystem.limit";
    FILESYSTEM_UTILIZATION = "system.filesystem.utilization";
    FILESYSTEM_INODES = "system.filesystem.inodes";

    NETWORK_IO = "system.network.io";
    NETWORK_PACKETS = "system.network.packet.count";
    NETWORK_DROPPED = "system.network.packet.dropped";
    NETWORK_ERRORS = "system.network.errors";
    NETWORK_CONNECTIONS = "system.network.connection.count";
    TCP_SEGMENTS = "system.network.tcp.segments";
    TCP_RETRANSMITS = "system.network.tcp.retransmits";
    TCP_LOST_RETRANSMITS = "system.network.tcp.lost_retransmits";
    TCP_TIMEOUTS = "system.network.tcp.timeouts";
    TCP_LISTEN_DROPS = "system.network.tcp.listen_drops";
    NETWORK_UP = "hw.network.up";
    NETWORK_BANDWIDTH = "hw.network.bandwidth.limit";
    NETWORK_CARRIER_CHANGES = "host.network.carrier_changes";

    PROCESS_CPU_TIME = "process.cpu.time";
    PROCESS_MEMORY = "process.memory.usage";
    PROCESS_VIRTUAL = "process.memory.virtual";
    PROCESS_THREADS = "process.thread.count";
    PROCESS_THREADS_BLOCKED = "process.thread.blocked";
    PROCESS_RUN_DELAY = "process.scheduler.run_delay";
    PROCESS_DISK_IO = "process.disk.io";
    PROCESS_SWITCHES = "process.context_switches";
    PROCESS_FAULTS = "process.paging.faults";
    PROCESS_DESCRIPTORS = "process.unix.file_descriptor.count";
    PROCESS_UPTIME = "process.uptime";

    CONTAINER_CPU_TIME = "container.cpu.time";
    CONTAINER_THROTTLED = "container.cpu.throttled_time";
    CONTAINER_MEMORY = "container.memory.usage";
    CONTAINER_WORKING_SET = "container.memory.working_set";
    CONTAINER_RSS = "container.memory.rss";
    CONTAINER_MEMORY_LIMIT = "container.memory.limit";
    CONTAINER_DISK_IO = "container.disk.io";
    SELF_MEMORY_LIMIT = "host.cgroup.memory.limit";
    SELF_CPU_LIMIT = "host.cgroup.cpu.limit";

    PRESSURE = "host.pressure.stall_time";

    NFS_COUNT = "host.nfs.operation.count";
    NFS_TRANSMISSIONS = "host.nfs.operation.transmissions";
    NFS_TIMEOUTS = "host.nfs.operation.timeouts";
    NFS_OPERATION_IO = "host.nfs.operation.io";
    NFS_QUEUE_TIME = "host.nfs.operation.queue_time";
    NFS_RTT = "host.nfs.operation.rtt";
    NFS_EXECUTION_TIME = "host.nfs.operation.execution_time";
    NFS_ERRORS = "host.nfs.operation.errors";
    NFS_IO = "host.nfs.io";

    INFINIBAND_IO = "host.infiniband.io";
    INFINIBAND_PACKETS = "host.infiniband.packets";
    INFINIBAND_ERRORS = "host.infiniband.errors";
    INFINIBAND_CONGESTION = "host.infiniband.congestion";
    INFINIBAND_LINK_EVENTS = "host.infiniband.link_events";
    INFINIBAND_WAIT = "host.infiniband.transmit_wait";
    INFINIBAND_UP = "host.infiniband.up";
    INFINIBAND_BANDWIDTH = "host.infiniband.bandwidth.limit";

    NUMA_MEMORY = "host.numa.memory.usage";
    NUMA_ALLOCATIONS = "host.numa.allocations";
    PCIE_AER = "host.pcie.aer.errors";
    PCIE_SPEED = "host.pcie.link.speed";
    PCIE_WIDTH = "host.pcie.link.width";
    PCIE_INFO = "host.pcie.info";

    KERNEL_EVENTS = "host.kernel_log.events";
    KERNEL_LOST = "host.kernel_log.lost";
}

/// The label that names the machine; every series of the host carries it.
pub(crate) const NODE: &str = "node";
