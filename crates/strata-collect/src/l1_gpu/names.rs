//! Every metric the GPU collectors write, in one table: the catalog's dotted names
//! (`catalog/metrics/l1_gpu.toml`), from which the names of the series are derived.

crate::table::names! {
    UTILIZATION = "hw.gpu.utilization";
    MEMORY_CONTROLLER = "gpu.memory_controller.utilization";
    ENGINE_ACTIVE = "gpu.engine.active";
    SM_ACTIVE = "gpu.sm.active";
    SM_OCCUPANCY = "gpu.sm.occupancy";
    TENSOR_ACTIVE = "gpu.tensor.active";
    PIPE_ACTIVE = "gpu.pipe.active";
    DRAM_ACTIVE = "gpu.dram.active";
    PROFILING_STUCK = "gpu.profiling.stuck";
    PROFILING_YIELDED = "gpu.profiling.yielded";

    MEMORY_USAGE = "hw.gpu.memory.usage";
    MEMORY_LIMIT = "hw.gpu.memory.limit";
    MEMORY_UTILIZATION = "hw.gpu.memory.utilization";
    MEMORY_FREE = "gpu.memory.free";
    MEMORY_RESERVED = "gpu.memory.reserved";

    POWER = "hw.power";
    POWER_LIMIT = "gpu.power.limit";
    ENERGY = "hw.energy";
    TEMPERATURE = "hw.temperature";
    TEMPERATURE_LIMIT = "hw.temperature.limit";
    TEMPERATURE_MARGIN = "gpu.temperature.margin";
    CLOCK = "gpu.clock.frequency";
    CLOCK_LIMIT = "gpu.clock.frequency.limit";
    FAN = "hw.fan.speed_ratio";
    PERFORMANCE_STATE = "gpu.performance_state";

    THROTTLE_ACTIVE = "gpu.throttle.active";
    THROTTLE_RESIDENCY = "gpu.throttle.residency";
    THROTTLE_TIME = "gpu.throttle.time";

    PCIE_IO = "hw.gpu.io";
    PCIE_THROUGHPUT = "gpu.pcie.throughput";
    PCIE_REPLAYS = "gpu.pcie.replays";
    PCIE_ERRORS = "gpu.pcie.errors";
    PCIE_GENERATION = "gpu.pcie.link.generation";
    PCIE_PATH = "gpu.pcie.path";
    PCIE_WIDTH = "gpu.pcie.link.width";
    LINK_IO = "gpu.interconnect.io";
    LINK_THROUGHPUT = "gpu.interconnect.throughput";
    LINK_ERRORS = "gpu.interconnect.errors";
    LINK_UP = "gpu.interconnect.up";
    FABRIC = "gpu.fabric";
    LINK_PEER = "gpu.interconnect.peer";

    ERRORS = "hw.errors";
    ROWS_REMAPPED = "gpu.rows.remapped";
    ROWS_PENDING = "gpu.rows.remap_pending";
    ROWS_BANKS = "gpu.rows.banks";
    ROWS_FAILED = "gpu.rows.remap_failed";
    PAGES_RETIRED = "gpu.pages.retired";
    PAGES_PENDING = "gpu.pages.retire_pending";
    XID_LAST = "gpu.xid.last";
    FAULT_EVENTS = "gpu.fault.events";
    FAULT_CULPRIT = "gpu.fault.culprit";
    SWITCH_FAULT_EVENTS = "gpu.switch.fault.events";
    RECOVERY_ACTION = "gpu.recovery_action";
    STATUS = "hw.status";
    STATUS_REASON = "gpu.status.reason";

    DEVICE = "gpu.device";
    PROCESS_MEMORY = "gpu.process.memory.usage";
    PROCESS_UTILIZATION = "gpu.process.utilization";
    PROCESS_INFO = "gpu.process.info";

    MIG_MEMORY_USAGE = "gpu.mig.memory.usage";
    MIG_MEMORY_LIMIT = "gpu.mig.memory.limit";
    MIG_ENGINE_ACTIVE = "gpu.mig.engine.active";
    MIG_SM_ACTIVE = "gpu.mig.sm.active";
    MIG_SM_OCCUPANCY = "gpu.mig.sm.occupancy";
    MIG_TENSOR_ACTIVE = "gpu.mig.tensor.active";
    MIG_DRAM_ACTIVE = "gpu.mig.dram.active";
}
