//! dcgm-exporter up to 4.8: the default counters and, as operators switch them on, those of SM
//! activity, ECC, throttling and limits. Help texts are those of `etc/default-counters.csv`.

use super::text::{Style, Writer};
use super::{gpu_uuid, pods};
use crate::device::Device;
use crate::knob::GpuKnob;
use crate::sim::Sim;

/// A field: its name, type, help and value.
type Field = (&'static str, &'static str, &'static str, fn(&Device) -> f64);

/// Bytes of a frame buffer unit.
const fn percent(ratio: f64) -> f64 {
    (ratio.clamp(0.0, 1.0) * 100.0).round()
}

/// Of a memory clock nothing changes while contexts are loaded.
const FIELDS: &[Field] = &[
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", |device| {
        (device.kind.sm_clock * device.clock / 15e6).round() * 15.0
    }),
    ("DCGM_FI_DEV_MEM_CLOCK", "gauge", "Memory clock frequency (in MHz).", |device| {
        device.kind.memory_clock / 1e6
    }),
    ("DCGM_FI_DEV_MAX_SM_CLOCK", "gauge", "Maximum supported SM clock (in MHz).", |device| {
        device.kind.sm_clock / 1e6
    }),
    ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Memory temperature (in C).", |device| {
        device.memory_celsius().round()
    }),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C).", |device| device.celsius.round()),
    ("DCGM_FI_DEV_GPU_TEMP_LIMIT", "gauge", "Thermal margin to slowdown (in C).", |device| {
        (device.kind.slowdown_celsius - device.celsius).round()
    }),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W).", |device| device.power),
    ("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "gauge", "Effective power limit (in W).", |device| {
        device.knobs.get(GpuKnob::PowerLimit).min(device.kind.power_limit)
    }),
    (
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        "counter",
        "Total energy consumption since boot (in mJ).",
        |device| (device.energy * 1000.0).round(),
    ),
    ("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "counter", "Total number of PCIe retries.", |_| 0.0),
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", |device| {
        percent(device.load.busy)
    }),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", "Memory utilization (in %).", |device| {
        percent(device.load.memory)
    }),
    ("DCGM_FI_DEV_ENC_UTIL", "gauge", "Encoder utilization (in %).", |_| 0.0),
    ("DCGM_FI_DEV_DEC_UTIL", "gauge", "Decoder utilization (in %).", |_| 0.0),
    ("DCGM_FI_DEV_XID_ERRORS", "gauge", "Value of the last XID error encountered.", |device| {
        device.xid as f64
    }),
    (
        "DCGM_FI_DEV_POWER_VIOLATION",
        "counter",
        "Throttling duration due to power constraints (in us).",
        |device| device.power_seconds * 1e9,
    ),
    (
        "DCGM_FI_DEV_THERMAL_VIOLATION",
        "counter",
        "Throttling duration due to thermal constraints (in us).",
        |device| device.thermal_seconds * 1e9,
    ),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory free (in MiB).", |device| {
        device.kind.memory_mib - device.kind.reserved_mib - device.memory_used_mib
    }),
    ("DCGM_FI_DEV_FB_USED", "gauge", "Framebuffer memory used (in MiB).", |device| {
        device.memory_used_mib
    }),
    ("DCGM_FI_DEV_FB_RESERVED", "gauge", "Framebuffer memory reserved (in MiB).", |device| {
        device.kind.reserved_mib
    }),
    (
        "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
        "counter",
        "Total number of single-bit volatile ECC errors.",
        |device| device.corrected as f64,
    ),
    (
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "counter",
        "Total number of double-bit volatile ECC errors.",
        |device| device.uncorrected as f64,
    ),
    (
        "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
        "counter",
        "Number of remapped rows for uncorrectable errors",
        |device| device.uncorrected as f64,
    ),
    (
        "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
        "counter",
        "Number of remapped rows for correctable errors",
        |_| 0.0,
    ),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "gauge", "Whether remapping of rows has failed", |_| 0.0),
    ("DCGM_FI_DEV_ROW_REMAP_PENDING", "gauge", "Whether remapping of rows is pending", |device| {
        f64::from(u8::from(device.uncorrected > 0))
    }),
    (
        "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
        "counter",
        "Total number of NVLink bandwidth counters for all lanes.",
        |device| (device.load.link_bytes / 1_024_000.0).round(),
    ),
    ("DCGM_FI_DEV_VGPU_LICENSE_STATUS", "gauge", "vGPU License status", |_| 0.0),
    (
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        "gauge",
        "Ratio of time the graphics engine is active.",
        |device| device.load.busy.min(1.0),
    ),
    (
        "DCGM_FI_PROF_SM_ACTIVE",
        "gauge",
        "The ratio of cycles an SM has at least 1 warp assigned.",
        // Kernels of collectives and small batches leave some SMs without a warp.
        |device| device.load.busy.min(1.0) * (0.55 + 0.4 * device.load.compute.min(1.0)),
    ),
    (
        "DCGM_FI_PROF_SM_OCCUPANCY",
        "gauge",
        "The ratio of number of warps resident on an SM.",
        |device| device.load.busy.min(1.0) * (0.16 + 0.14 * device.load.memory.min(1.0)),
    ),
    (
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
        "gauge",
        "Ratio of cycles the tensor (HMMA) pipe is active.",
        |device| (device.load.compute / device.clock).min(1.0),
    ),
    (
        "DCGM_FI_PROF_DRAM_ACTIVE",
        "gauge",
        "Ratio of cycles the device memory interface is active sending or receiving data.",
        |device| device.load.memory.min(1.0),
    ),
    (
        "DCGM_FI_PROF_PCIE_TX_BYTES",
        "gauge",
        "The rate of data transmitted over the PCIe bus - including both protocol headers and data \
         payloads - in bytes per second.",
        |device| device.load.pcie_out.round(),
    ),
    (
        "DCGM_FI_PROF_PCIE_RX_BYTES",
        "gauge",
        "The rate of data received over the PCIe bus - including both protocol headers and data \
         payloads - in bytes per second.",
        |device| device.load.pcie_in.round(),
    ),
];

/// The identity of a GPU on the page.
struct Identity {
    texts: [String; 4],
    model: &'static str,
    owner: [String; 3],
}

impl Identity {
    fn labels<'a>(&'a self, host: &'a str) -> [(&'static str, &'a str); 9] {
        let [gpu, uuid, bus, device] = &self.texts;
        let [container, namespace, pod] = &self.owner;
        [
            ("gpu", gpu),
            ("UUID", uuid),
            ("pci_bus_id", bus),
            ("device", device),
            ("modelName", self.model),
            ("Hostname", host),
            ("container", container),
            ("namespace", namespace),
            ("pod", pod),
        ]
    }
}

pub(super) fn page(sim: &Sim, node: usize) -> String {
    let Some(host) = sim.layout.nodes.get(node) else { return String::new() };
    let per_node = sim.layout.size.gpus_per_node;
    let pods = pods(sim, Some(node));
    let gpus: Vec<(&Device, Identity)> = (node * per_node..(node + 1) * per_node)
        .filter_map(|gpu| {
            let device = sim.devices.get(gpu)?;
            let place = sim.layout.index_on_node(gpu);
            let owner = pods.iter().find(|pod| pod.gpus.contains(&gpu));
            let owner = owner.map_or_else(Default::default, |pod| {
                [pod.container, pod.namespace, pod.name.as_str()].map(str::to_owned)
            });
            let texts = [
                place.to_string(),
                gpu_uuid(sim, gpu),
                format!("00000000:{:02X}:00.0", 0x18 + 0x11 * place),
                format!("nvidia{place}"),
            ];
            Some((device, Identity { texts, model: device.kind.name, owner }))
        })
        .collect();
    let mut writer = Writer::new(Style::Fixed);
    for (name, kind, help, value) in FIELDS {
        writer.family(name, kind, help);
        for (device, identity) in &gpus {
            writer.sample(name, &identity.labels(host), value(device));
        }
    }
    if sim.layout.gpu_count() <= PAIRS_GPUS_MAX {
        pairs(&mut writer, host, &gpus);
    }
    writer.finish()
}

/// Largest cluster whose exporters tell of pairs of GPUs: 56 more series of each node that never change
/// are off by default, and operators of large clusters leave them so.
const PAIRS_GPUS_MAX: usize = 512;

/// Whether GPUs reach each other over `NVLink`: on an HGX board each reaches all, through its switches.
/// One GPU alone has no other.
fn pairs(writer: &mut Writer, host: &str, gpus: &[(&Device, Identity)]) {
    let name = "DCGM_EXP_P2P_STATUS";
    writer.family(name, "gauge", "Current NVLink P2P status per peer link.");
    for (at, (_, identity)) in gpus.iter().enumerate() {
        for peer in (0..gpus.len()).filter(|peer| *peer != at) {
            let peer = peer.to_string();
            let pair = [("peer_gpu", peer.as_str()), ("link_status", "OK")];
            let labels: Vec<_> = identity.labels(host).into_iter().chain(pair).collect();
            writer.sample(name, &labels, 0.0);
        }
    }
}
