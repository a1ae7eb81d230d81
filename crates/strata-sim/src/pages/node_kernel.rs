//! `node_exporter`: network interfaces, TCP, pressure, paging and the ports to other nodes.

use super::text::Writer;
use crate::host::Node;
use crate::knob::{LinkKnob, NodeKnob};
use crate::sim::Sim;

pub(super) fn write(writer: &mut Writer, sim: &Sim, node: &Node, number: usize) {
    network(writer, node);
    tcp(writer, node);
    pressure(writer, node);
    paging(writer, node);
    if sim.layout.size.nodes > 1 {
        ports(writer, sim, node, number);
    }
}

fn network(writer: &mut Writer, node: &Node) {
    let counted = &node.counted;
    let device = [("device", "eth0")];
    let fields = [
        ("receive_bytes", counted.received),
        ("receive_packets", counted.segments_in),
        ("receive_errs", 0.0),
        ("receive_drop", counted.dropped),
        ("transmit_bytes", counted.sent),
        ("transmit_packets", counted.segments_out),
        ("transmit_errs", 0.0),
        ("transmit_drop", 0.0),
    ];
    for (field, value) in fields {
        let name = format!("node_network_{field}_total");
        let about = format!("Network device statistic {field}.");
        writer.single((&name, "counter", &about), &device, value.floor());
    }
    let about = "Network device property: speed_bytes";
    let speed = node.knobs.get(NodeKnob::NetworkBandwidth);
    writer.single(("node_network_speed_bytes", "gauge", about), &device, speed);
    let about = "Value is 1 if operstate is 'up', 0 otherwise.";
    writer.single(("node_network_up", "gauge", about), &device, 1.0);
}

fn tcp(writer: &mut Writer, node: &Node) {
    let counted = &node.counted;
    let fields = [
        ("Tcp_CurrEstab", 24.0 + node.last.connections),
        ("Tcp_InSegs", counted.segments_in),
        ("Tcp_OutSegs", counted.segments_out),
        ("Tcp_RetransSegs", counted.retransmitted),
        ("TcpExt_ListenDrops", 0.0),
        // One in eight lost segments is only noticed when its timer ends.
        ("TcpExt_TCPTimeouts", counted.retransmitted / 8.0),
    ];
    for (field, value) in fields {
        let name = format!("node_netstat_{field}");
        let about = format!("Statistic {}.", field.replace('_', ""));
        writer.single((&name, "untyped", &about), &[], value.floor());
    }
    let about = "Number of TCP sockets in state tw.";
    writer.single(("node_sockstat_TCP_tw", "gauge", about), &[], 6.0);
}

fn pressure(writer: &mut Writer, node: &Node) {
    let counted = &node.counted;
    let fields = [
        (
            "cpu_waiting",
            "Total time in seconds that processes have waited for CPU time",
            counted.psi_cpu,
        ),
        (
            "io_waiting",
            "Total time in seconds that processes have waited due to IO congestion",
            counted.psi_io,
        ),
        (
            "io_stalled",
            "Total time in seconds no process could make progress due to IO congestion",
            counted.psi_io_full,
        ),
        ("memory_waiting", "Total time in seconds that processes have waited for memory", 0.0),
        (
            "memory_stalled",
            "Total time in seconds no process could make progress due to memory congestion",
            0.0,
        ),
    ];
    for (field, about, value) in fields {
        let name = format!("node_pressure_{field}_seconds_total");
        writer.single((&name, "counter", about), &[], (value * 1e6).floor() / 1e6);
    }
}

fn paging(writer: &mut Writer, node: &Node) {
    let faults = 2_000.0 * (node.counted.user + node.counted.system);
    let fields = [
        ("oom_kill", 0.0),
        ("pgfault", faults),
        ("pgmajfault", node.counted.disk_reads / 512.0),
        ("pswpin", 0.0),
        ("pswpout", 0.0),
    ];
    for (field, value) in fields {
        let name = format!("node_vmstat_{field}");
        let about = format!("/proc/vmstat information field {field}.");
        writer.single((&name, "untyped", &about), &[], value.floor());
    }
}

/// `InfiniBand` ports, as many as GPUs; the work is spread over all of them.
fn ports(writer: &mut Writer, sim: &Sim, node: &Node, number: usize) {
    let Some(links) = sim.links.get(number) else { return };
    let names: Vec<String> = (0..links.len()).map(|port| format!("mlx5_{port}")).collect();
    let bytes = node.counted.fabric.floor();
    let families = [
        ("port_data_received_bytes_total", "Number of data octets received on all links", bytes),
        (
            "port_data_transmitted_bytes_total",
            "Number of data octets transmitted on all links",
            bytes,
        ),
        ("symbol_error_total", "Number of minor link errors detected on one or more lanes", 0.0),
        ("link_downed_total", "Number of times the link error recovery process failed", 0.0),
    ];
    for (field, about, value) in families {
        let name = format!("node_infiniband_{field}");
        writer.family(&name, "counter", about);
        for port in &names {
            writer.sample(&name, &[("device", port), ("port", "1")], value);
        }
    }
    let name = "node_infiniband_rate_bytes_per_second";
    writer.family(name, "gauge", "Maximum signal transfer rate");
    for (port, link) in names.iter().zip(links) {
        let rate = link.get(LinkKnob::Bandwidth);
        writer.sample(name, &[("device", port), ("port", "1")], rate);
    }
}
