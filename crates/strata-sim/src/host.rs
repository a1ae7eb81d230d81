//! A node as a computer: processors, disk, memory and the front network.
//!
//! The disk is a closed queue: readers with one request each out, a latency and a bandwidth. So
//! throughput is the smaller of bandwidth and readers over latency, and the response time follows
//! from Little's law.

use crate::knob::{Knobs, NodeKnob};
use crate::layout::{NODE_MEMORY, NODE_PROCESSORS};
use crate::rng::Rng;

/// Bytes of one request of a reader.
pub(crate) const READ_BYTES: f64 = 1_048_576.0;
/// Payload of a TCP segment on Ethernet.
const SEGMENT: f64 = 1448.0;

/// What a node was asked to do in one tick.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Demand {
    /// Processor seconds wanted, and how many of them by trainers.
    pub(crate) cpu: f64,
    pub(crate) trainer_cpu: f64,
    pub(crate) disk_read: f64,
    pub(crate) disk_written: f64,
    /// Requests of the disk that were out, on average.
    pub(crate) disk_out: f64,
    /// Seconds in which anybody read.
    pub(crate) disk_reading: f64,
    /// Seconds of all reads together.
    pub(crate) disk_read_seconds: f64,
    pub(crate) received: f64,
    pub(crate) sent: f64,
    /// Bytes through each port to other nodes, one direction.
    pub(crate) fabric: f64,
    /// Open connections of clients.
    pub(crate) connections: f64,
    /// Bytes of memory that processes hold.
    pub(crate) memory: f64,
}

/// What the kernel counted since boot; seconds are processor or wall seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) softirq: f64,
    pub(crate) iowait: f64,
    pub(crate) idle: f64,
    pub(crate) steal: f64,
    pub(crate) disk_read: f64,
    pub(crate) disk_reads: f64,
    pub(crate) disk_read_seconds: f64,
    pub(crate) disk_written: f64,
    pub(crate) disk_writes: f64,
    pub(crate) disk_write_seconds: f64,
    pub(crate) disk_busy: f64,
    pub(crate) disk_weighted: f64,
    pub(crate) received: f64,
    pub(crate) sent: f64,
    pub(crate) segments_in: f64,
    pub(crate) segments_out: f64,
    pub(crate) retransmitted: f64,
    pub(crate) dropped: f64,
    pub(crate) fabric: f64,
    pub(crate) psi_cpu: f64,
    pub(crate) psi_io: f64,
    pub(crate) psi_io_full: f64,
    pub(crate) switches: f64,
    pub(crate) interrupts: f64,
    pub(crate) forks: f64,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) knobs: Knobs,
    rng: Rng,
    pub(crate) counted: Counted,
    /// 1, 5 and 15 minutes.
    pub(crate) load: [f64; 3],
    /// How many times longer processor work takes than with processors enough.
    pub(crate) stretch: f64,
    pub(crate) last: Demand,
    pub(crate) page_cache: f64,
    /// Processor seconds of trainers and their readers.
    pub(crate) trainer_cpu: f64,
}

impl Node {
    pub(crate) fn new(knobs: Knobs, rng: Rng) -> Self {
        Self {
            knobs,
            rng,
            counted: Counted::default(),
            load: [0.0; 3],
            stretch: 1.0,
            last: Demand::default(),
            page_cache: 0.2 * NODE_MEMORY,
            trainer_cpu: 0.0,
        }
    }

    /// Bytes per second that `readers` get from the disk together, and the seconds one read takes.
    pub(crate) fn disk_pace(&self, readers: f64) -> (f64, f64) {
        let bandwidth = self.knobs.get(NodeKnob::DiskBandwidth);
        let alone = self.knobs.get(NodeKnob::DiskLatency) + READ_BYTES / bandwidth;
        let rate = (bandwidth / READ_BYTES).min(readers / alone);
        (rate * READ_BYTES, readers / rate)
    }

    /// Live through `seconds` of `demand`.
    pub(crate) fn tick(&mut self, seconds: f64, demand: Demand) {
        self.last = demand;
        self.processors(seconds, &demand);
        self.disk(seconds, &demand);
        self.network(seconds, &demand);
        self.trainer_cpu += demand.trainer_cpu / self.stretch;
        let counted = &mut self.counted;
        counted.fabric += demand.fabric;
        // File pages stay until memory is wanted for something else.
        let room = (NODE_MEMORY - self.memory_used()).max(0.0);
        self.page_cache = (self.page_cache + demand.disk_read).min(0.9 * room);
    }

    /// Bytes that processes hold.
    pub(crate) fn memory_used(&self) -> f64 {
        (self.knobs.get(NodeKnob::MemoryUsed) + self.last.memory).min(NODE_MEMORY)
    }

    fn processors(&mut self, seconds: f64, demand: &Demand) {
        let all = NODE_PROCESSORS as f64;
        let cores = self.knobs.get(NodeKnob::CpuCores).min(all);
        // A little noise: timers, kernel threads, the exporters themselves.
        let own = 0.25 * self.rng.uniform();
        let background = self.knobs.get(NodeKnob::BackgroundCores);
        let wanted = demand.cpu / seconds + background + own;
        self.stretch = (wanted / cores).max(1.0);
        let used = wanted.min(cores) * seconds;
        let counted = &mut self.counted;
        counted.user += 0.86 * used;
        counted.system += 0.11 * used;
        counted.softirq += 0.03 * used;
        // A stolen processor is seen as such only while there is work for it.
        let stolen = (all - cores).min(wanted) * seconds;
        counted.steal += stolen;
        let rest = (all * seconds - used - stolen).max(0.0);
        let waiting = (demand.disk_out * seconds).min(rest);
        counted.iowait += waiting;
        counted.idle += rest - waiting;
        // Chance that somebody waits among `cores` servers at load rho: rho ^ sqrt(2 (c + 1))
        // (Sakasegawa, 1977, for M/M/c).
        let rho = (wanted / cores).min(1.0);
        counted.psi_cpu += seconds * rho.powf((2.0 * (cores + 1.0)).sqrt());
        counted.switches += 9_000.0 * used + 300.0 * seconds;
        counted.interrupts += 6_000.0 * used + 250.0 * seconds;
        counted.forks += self.rng.poisson(0.4 * seconds) as f64;
        // Linux counts running and uninterruptible tasks.
        let tasks = wanted + demand.disk_out;
        for (load, minutes) in self.load.iter_mut().zip([1.0, 5.0, 15.0]) {
            let keep = (-seconds / (60.0 * minutes)).exp();
            *load = *load * keep + tasks * (1.0 - keep);
        }
    }

    fn disk(&mut self, seconds: f64, demand: &Demand) {
        let counted = &mut self.counted;
        let latency = self.knobs.get(NodeKnob::DiskLatency);
        let bandwidth = self.knobs.get(NodeKnob::DiskBandwidth);
        // The journal, logs and the like: half a megabyte a second.
        let written = demand.disk_written + 0.5e6 * seconds;
        let writes = written / (READ_BYTES / 2.0);
        let write_seconds = writes * (latency + READ_BYTES / 2.0 / bandwidth);
        counted.disk_read += demand.disk_read;
        counted.disk_reads += demand.disk_read / READ_BYTES;
        counted.disk_read_seconds += demand.disk_read_seconds;
        counted.disk_written += written;
        counted.disk_writes += writes;
        counted.disk_write_seconds += write_seconds;
        let out = demand.disk_out + write_seconds / seconds;
        // Writes come at any time: the disk idles of them with probability exp(-out).
        let reads = (demand.disk_reading / seconds).min(1.0);
        let busy = 1.0 - (1.0 - reads) * (-write_seconds / seconds).exp();
        counted.disk_busy += busy * seconds;
        counted.disk_weighted += out * seconds;
        // Readers wait for what they read; writers go on while the kernel writes.
        let waits = reads;
        counted.psi_io += waits * seconds;
        // Nobody makes progress only while no processor works either.
        let idle = (1.0 - demand.cpu / seconds).max(0.0);
        counted.psi_io_full += waits * idle * seconds;
    }

    fn network(&mut self, seconds: f64, demand: &Demand) {
        let most = self.knobs.get(NodeKnob::NetworkBandwidth) * seconds;
        let loss = self.knobs.get(NodeKnob::NetworkLoss);
        let (received, sent) = (demand.received.min(most), demand.sent.min(most));
        let out = sent / SEGMENT;
        let again = self.rng.poisson(out * loss) as f64;
        let counted = &mut self.counted;
        counted.received += received;
        counted.sent += sent;
        counted.segments_in += (received / SEGMENT).ceil();
        counted.segments_out += out.ceil() + again;
        counted.retransmitted += again;
        counted.dropped += (demand.sent - sent + demand.received - received) / SEGMENT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(change: &[(NodeKnob, f64)]) -> Node {
        let mut knobs = Knobs::new(crate::layout::node_defaults());
        for (knob, value) in change {
            knobs.set((*knob).into(), *value);
        }
        Node::new(knobs, Rng::of(2, "node"))
    }

    #[test]
    fn a_disk_gives_what_latency_and_bandwidth_allow() {
        let (fast, time) = node(&[]).disk_pace(8.0);
        assert!(fast > 5e9 && time < 2e-3, "{fast} {time}");
        let (slow, time) = node(&[(NodeKnob::DiskLatency, 0.1)]).disk_pace(8.0);
        // Eight readers, a tenth of a second each.
        assert!((slow / (80.0 * READ_BYTES) - 1.0).abs() < 0.01, "{slow}");
        assert!((time - 0.1).abs() < 0.001, "{time}");
    }

    #[test]
    fn processor_seconds_add_up_to_time() {
        let mut node = node(&[(NodeKnob::CpuCores, 40.0)]);
        for second in 0..200 {
            let cpu = f64::from(second % 90);
            node.tick(1.0, Demand { cpu, disk_out: 4.0, ..Demand::default() });
        }
        let counted = node.counted;
        let parts = [counted.user, counted.system, counted.softirq, counted.iowait, counted.idle];
        let all: f64 = parts.iter().sum::<f64>() + counted.steal;
        assert!((all - 200.0 * NODE_PROCESSORS as f64).abs() < 1e-6, "{all}");
        assert!(counted.steal > 0.0 && counted.psi_cpu > 10.0);
    }

    #[test]
    fn short_processors_stretch_work() {
        let mut node = node(&[(NodeKnob::CpuCores, 10.0)]);
        node.tick(1.0, Demand { cpu: 28.5, ..Demand::default() });
        assert!((3.0..3.1).contains(&node.stretch), "{}", node.stretch);
    }

    #[test]
    fn lost_packets_are_sent_again() {
        let mut node = node(&[(NodeKnob::NetworkLoss, 0.05)]);
        for _ in 0..100 {
            node.tick(1.0, Demand { sent: 1e6, ..Demand::default() });
        }
        let ratio = node.counted.retransmitted / node.counted.segments_out;
        assert!((0.04..0.06).contains(&ratio), "{ratio}");
    }
}
