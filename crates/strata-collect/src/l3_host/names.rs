//! Every series name and label name the host collectors write, in one table.
//!
//! The names are those the catalog derives (`catalog/metrics/l3_host.toml`); a test compares.

/// Prometheus names of the series, in the catalog's order.
macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: &str = $name;)*
        /// All of them, for the comparison with the catalog.
        #[cfg(test)]
        pub(super) const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    CPU_TIME = "system_cpu_time_seconds_total";
    CPU_LOGICAL = "system_cpu_logical_count";
    CPU_PHYSICAL = "system_cpu_physical_count";
    CPU_FREQUENCY = "system_cpu_frequency_hertz";
    LOAD_1M = "system_cpu_load_average_1m";
    LOAD_5M = "system_cpu_load_average_5m";
    LOAD_15M = "system_cpu_load_average_15m";
    PROCESS_COUNT = "system_process_count";
    PROCESS_CREATED = "system_process_created_total";
    CONTEXT_SWITCHES = "system_context_switches_total";
    INTERRUPTS = "system_interrupts_total";
    UPTIME = "system_uptime_seconds";
    HOST_INFO = "host_info";

    MEMORY_USAGE = "system_memory_usage_bytes";
    MEMORY_LIMIT = "system_memory_limit_bytes";
    MEMORY_UTILIZATION = "system_memory_utilization_ratio";
    MEMORY_AVAILABLE = "system_memory_linux_available_bytes";
    MEMORY_SHARED = "system_memory_linux_shared_bytes";
    MEMORY_SLAB = "system_memory_linux_slab_usage_bytes";
    MEMORY_DIRTY = "system_memory_linux_dirty_bytes";
    MEMORY_WRITEBACK = "system_memory_linux_writeback_bytes";
    HUGEPAGES_LIMIT = "system_memory_linux_hugepages_limit";
    HUGEPAGES_USAGE = "system_memory_linux_hugepages_usage";
    HUGEPAGES_SIZE = "system_memory_linux_hugepages_page_size_bytes";
    PAGING_USAGE = "system_paging_usage_bytes";
    PAGING_UTILIZATION = "system_paging_utilization_ratio";
    PAGING_FAULTS = "system_paging_faults_total";
    PAGING_OPERATIONS = "system_paging_operations_total";
    OOM_KILLS = "host_memory_oom_kills_total";

    DISK_IO = "system_disk_io_bytes_total";
    DISK_OPERATIONS = "system_disk_operations_total";
    DISK_OPERATION_TIME = "system_disk_operation_time_seconds_total";
    DISK_IO_TIME = "system_disk_io_time_seconds_total";
    DISK_WEIGHTED_IO_TIME = "system_disk_weighted_io_time_seconds_total";
    DISK_PENDING = "system_disk_pending_operations";
    DISK_MERGED = "system_disk_merged_total";
    FILESYSTEM_USAGE = "system_filesystem_usage_bytes";
    FILESYSTEM_LIMIT = "system_filesystem_limit_bytes";
    FILESYSTEM_UTILIZATION = "system_filesystem_utilization_ratio";
    FILESYSTEM_INODES = "system_filesystem_inodes";

    NETWORK_IO = "system_network_io_bytes_total";
    NETWORK_PACKETS = "system_network_packet_count_total";
    NETWORK_DROPPED = "system_network_packet_dropped_total";
    NETWORK_ERRORS = "system_network_errors_total";
    NETWORK_CONNECTIONS = "system_network_connection_count";
    TCP_SEGMENTS = "system_network_tcp_segments_total";
    TCP_RETRANSMITS = "system_network_tcp_retransmits_total";
    TCP_LOST_RETRANSMITS = "system_network_tcp_lost_retransmits_total";
    TCP_TIMEOUTS = "system_network_tcp_timeouts_total";
    TCP_LISTEN_DROPS = "system_network_tcp_listen_drops_total";
    NETWORK_UP = "hw_network_up";
    NETWORK_BANDWIDTH = "hw_network_bandwidth_limit_bytes_per_second";
    NETWORK_CARRIER_CHANGES = "host_network_carrier_changes_total";

    PROCESS_CPU_TIME = "process_cpu_time_seconds_total";
    PROCESS_MEMORY = "process_memory_usage_bytes";
    PROCESS_VIRTUAL = "process_memory_virtual_bytes";
    PROCESS_THREADS = "process_thread_count";
    PROCESS_THREADS_BLOCKED = "process_thread_blocked";
    PROCESS_RUN_DELAY = "process_scheduler_run_delay_seconds_total";
    PROCESS_DISK_IO = "process_disk_io_bytes_total";
    PROCESS_SWITCHES = "process_context_switches_total";
    PROCESS_FAULTS = "process_paging_faults_total";
    PROCESS_DESCRIPTORS = "process_unix_file_descriptor_count";
    PROCESS_UPTIME = "process_uptime_seconds";

    CONTAINER_CPU_TIME = "container_cpu_time_seconds_total";
    CONTAINER_THROTTLED = "container_cpu_throttled_time_seconds_total";
    CONTAINER_MEMORY = "container_memory_usage_bytes";
    CONTAINER_WORKING_SET = "container_memory_working_set_bytes";
    CONTAINER_RSS = "container_memory_rss_bytes";
    CONTAINER_MEMORY_LIMIT = "container_memory_limit_bytes";
    CONTAINER_DISK_IO = "container_disk_io_bytes_total";
    SELF_MEMORY_LIMIT = "host_cgroup_memory_limit_bytes";
    SELF_CPU_LIMIT = "host_cgroup_cpu_limit";

    PRESSURE = "host_pressure_stall_time_seconds_total";

    NFS_COUNT = "host_nfs_operation_count_total";
    NFS_TRANSMISSIONS = "host_nfs_operation_transmissions_total";
    NFS_TIMEOUTS = "host_nfs_operation_timeouts_total";
    NFS_OPERATION_IO = "host_nfs_operation_io_bytes_total";
    NFS_QUEUE_TIME = "host_nfs_operation_queue_time_seconds_total";
    NFS_RTT = "host_nfs_operation_rtt_seconds_total";
    NFS_EXECUTION_TIME = "host_nfs_operation_execution_time_seconds_total";
    NFS_ERRORS = "host_nfs_operation_errors_total";
    NFS_IO = "host_nfs_io_bytes_total";

    INFINIBAND_IO = "host_infiniband_io_bytes_total";
    INFINIBAND_PACKETS = "host_infiniband_packets_total";
    INFINIBAND_ERRORS = "host_infiniband_errors_total";
    INFINIBAND_CONGESTION = "host_infiniband_congestion_total";
    INFINIBAND_LINK_EVENTS = "host_infiniband_link_events_total";
    INFINIBAND_WAIT = "host_infiniband_transmit_wait_total";
    INFINIBAND_UP = "host_infiniband_up";
    INFINIBAND_BANDWIDTH = "host_infiniband_bandwidth_limit_bytes_per_second";

    NUMA_MEMORY = "host_numa_memory_usage_bytes";
    NUMA_ALLOCATIONS = "host_numa_allocations_total";
    PCIE_AER = "host_pcie_aer_errors_total";
    PCIE_SPEED = "host_pcie_link_speed_per_second";
    PCIE_WIDTH = "host_pcie_link_width";
    PCIE_INFO = "host_pcie_info";

    KERNEL_EVENTS = "host_kernel_log_events_total";
    KERNEL_LOST = "host_kernel_log_lost_total";
}

/// The label that names the machine; every series of the host carries it.
pub(super) const NODE: &str = "node";
