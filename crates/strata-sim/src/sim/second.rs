//! One second of the cluster: causes first (scenario, arrivals), then work, then what the work did
//! to machines. What machines became slows the work of the next second.

use super::{Due, Sim, TICK};
use crate::clients::{self, Way};
use crate::device::Load;
use crate::engine::{Ask, Pace};
use crate::hardware::TRAINING_EFFICIENCY;
use crate::host::Demand;
use crate::knob::{GpuKnob, LinkKnob, NodeKnob, ReplicaKnob, RunKnob};
use crate::layout::SERVED;
use crate::tenant::Turn;
use crate::training;

/// A conversation stays where its context is cached unless that replica has this many requests more
/// than another one.
const AFFINITY: usize = 6;
/// Bytes of host memory of an engine and of a trainer with its readers.
pub(crate) const ENGINE_MEMORY: f64 = 19.0e9;
pub(crate) const TRAINER_MEMORY: f64 = 42.0e9;
/// Bytes and processors of a short job.
pub(crate) const EVAL_MEMORY: f64 = 24.0e9;
pub(crate) const EVAL_CPU: f64 = 2.0;
/// Processors of a trainer besides its readers, and bytes one processor decodes in a second.
const TRAINER_CPU: f64 = 1.2;
const DECODE_RATE: f64 = 80.0e6;
/// Requests of a node's disk while a checkpoint is written: the kernel writes pages back with deep
/// queues.
const WRITERS: f64 = 128.0;
/// Memory traffic of a GPU that computes a training step and of one inside a collective, over its
/// peak.
const TRAIN_MEMORY: f64 = 0.38;
const COLLECTIVE_MEMORY: f64 = 0.12;
/// Who asks again does not do so within the second in which the answer came.
const PAUSE_LEAST: f64 = 2.0 * TICK;

impl Sim {
    pub(super) fn second(&mut self) {
        let from = self.now();
        self.turn_knobs(from);
        let mut loads = vec![Load::default(); self.devices.len()];
        let mut demands = vec![Demand::default(); self.nodes.len()];
        self.serve(from);
        self.account_serving(&mut loads, &mut demands);
        self.train(from, &mut loads, &mut demands);
        if let Some(batch) = &mut self.batch {
            batch.tick(from, TICK, &mut self.devices, &mut loads);
            for gpu in batch.jobs.iter().filter_map(|job| job.gpu) {
                let demand = &mut demands[self.layout.node_of(gpu)];
                demand.cpu += EVAL_CPU * TICK;
                demand.memory += EVAL_MEMORY;
            }
        }
        for (device, load) in self.devices.iter_mut().zip(loads) {
            device.tick(TICK, load);
        }
        for (node, demand) in self.nodes.iter_mut().zip(demands) {
            node.tick(TICK, demand);
        }
        self.seconds += 1;
    }

    fn turn_knobs(&mut self, now: f64) {
        let plan = std::mem::take(&mut self.plan);
        for touched in &plan.touched {
            if let Some(knobs) = self.knobs_mut(touched.kind, touched.entity) {
                knobs.set(touched.knob, touched.value(now));
            }
        }
        self.plan = plan;
        for replica in &mut self.replicas {
            replica.configure(now);
        }
    }

    /// Requests of this second, in order of time.
    fn arrivals(&mut self, from: f64) -> Vec<(Ask, Option<usize>)> {
        let second_of_day = (self.start_ms as f64 / 1000.0 + from).rem_euclid(86_400.0);
        for (_, tenant) in &mut self.tenants {
            for turn in tenant.arrivals(from, TICK, second_of_day) {
                let due = Due { tenant: tenant.number, turn, replica: None };
                self.due.insert((turn.at.to_bits(), turn.conversation), due);
            }
        }
        let mut asks = Vec::new();
        let end = ((from + TICK).to_bits(), 0);
        let later = self.due.split_off(&end);
        for due in std::mem::replace(&mut self.due, later).into_values() {
            let Some((place, tenant)) = self.tenants.get_mut(due.tenant) else { continue };
            let length_max = SERVED[place.served].shape.length_max;
            asks.push((tenant.ask(due.turn, length_max), due.replica));
        }
        self.recorded(from + TICK, &mut asks);
        asks.sort_by(|(one, _), (other, _)| one.arrival.total_cmp(&other.arrival));
        asks
    }

    /// Requests of the trace before `end`.
    fn recorded(&mut self, end: f64, asks: &mut Vec<(Ask, Option<usize>)>) {
        let (Some(trace), Some((place, tenant))) = (&mut self.trace, self.tenants.first_mut())
        else {
            return;
        };
        let length_max = SERVED[place.served].shape.length_max;
        while let Some(row) = trace.next.filter(|row| row.at < end) {
            let conversation = tenant.conversation();
            let turn = Turn { at: row.at, conversation, context: 0 };
            let usual = tenant.ask(turn, length_max);
            let output = row.output_tokens.min(length_max / 2);
            let prompt = row.prompt_tokens.min(length_max - output);
            let ask = Ask { prompt, system: 0, natural: output, max_tokens: output, ..usual };
            asks.push((ask, None));
            if let Err(error) = trace.step() {
                self.trace_error = Some(error);
            }
        }
    }

    fn serve(&mut self, from: f64) {
        let paces: Vec<Pace> = (0..self.replicas.len()).map(|place| self.pace(place)).collect();
        let by_model: Vec<Vec<usize>> = (0..SERVED.len())
            .map(|served| {
                let places = 0..self.replicas.len();
                places.filter(|place| self.replicas[*place].served == served).collect()
            })
            .collect();
        let mut ended = std::mem::take(&mut self.ended);
        for (ask, before) in self.arrivals(from) {
            let Some((place, _)) = self.tenants.get(ask.tenant) else { continue };
            let candidates = &by_model[place.served];
            let pick = |draw: f64| candidates[(draw * candidates.len() as f64) as usize];
            let home = before.unwrap_or_else(|| pick(self.router.uniform()));
            let other = pick(self.router.uniform());
            for place in [home, other] {
                let replica = &mut self.replicas[place];
                let limits = replica.limits();
                replica.engine.advance(ask.arrival, limits, paces[place], &mut ended);
                self.settle(place, &mut ended);
            }
            let load = |place: usize| self.replicas[place].engine.load();
            // Two choices and the shorter queue (Mitzenmacher, 2001), with a liking for home.
            let liking = if before.is_some() { AFFINITY } else { 0 };
            let chosen = if load(home) > load(other) + liking { other } else { home };
            let replica = &mut self.replicas[chosen];
            replica.received += ask.prompt as f64 * clients::PROMPT_BYTES + clients::HEADER_BYTES;
            replica.engine.accept(ask);
        }
        for (place, pace) in paces.into_iter().enumerate() {
            let replica = &mut self.replicas[place];
            let limits = replica.limits();
            replica.engine.advance(from + TICK, limits, pace, &mut ended);
            self.settle(place, &mut ended);
        }
        self.ended = ended;
    }

    /// What ended at a replica reaches its clients, who may go on.
    fn settle(&mut self, place: usize, ended: &mut Vec<crate::engine::Ended>) {
        let replica = &mut self.replicas[place];
        let knobs = &self.nodes[replica.node].knobs;
        let way = Way {
            delay: knobs.get(NodeKnob::NetworkDelay),
            loss: knobs.get(NodeKnob::NetworkLoss),
        };
        for one in ended.drain(..) {
            let number = one.ask.tenant;
            replica.sent += one.delivered as f64 * clients::EVENT_BYTES + clients::HEADER_BYTES;
            if let Some(clients) = self.clients.get_mut(number) {
                let way_seconds = clients.see(&one, way);
                self.witness.see(&one, place, way_seconds);
            }
            let Some((served, tenant)) = self.tenants.get_mut(number) else { continue };
            if tenant.is_replaced {
                continue;
            }
            let length_max = SERVED[served.served].shape.length_max;
            if let Some(turn) = tenant.next_turn(&one, length_max, PAUSE_LEAST) {
                let due = Due { tenant: number, turn, replica: Some(place) };
                self.due.insert((turn.at.to_bits(), turn.conversation), due);
            }
        }
    }

    /// How fast the parts of a replica run now: the slowest of its GPUs decides.
    fn pace(&self, place: usize) -> Pace {
        let replica = &self.replicas[place];
        let least = |of: &dyn Fn(&crate::device::Device) -> f64| {
            replica.gpus.iter().map(|gpu| of(&self.devices[*gpu])).fold(f64::INFINITY, f64::min)
        };
        Pace {
            clock: least(&|device| device.clock),
            memory: least(&|device| device.knobs.get(GpuKnob::MemoryRatio)),
            nvlink: least(&|device| device.knobs.get(GpuKnob::NvlinkBandwidth)),
            host_stretch: self.nodes[replica.node].stretch,
            cpu_quota: replica.knobs.get(ReplicaKnob::CpuQuota),
        }
    }

    fn account_serving(&mut self, loads: &mut [Load], demands: &mut [Demand]) {
        for replica in &mut self.replicas {
            let activity = replica.take_activity(TICK);
            for gpu in &replica.gpus {
                let load = &mut loads[*gpu];
                load.busy = activity.busy / TICK;
                load.compute = activity.compute / TICK;
                load.memory = activity.memory / TICK;
                load.link_bytes = 2.0 * activity.link_bytes;
                load.pcie_in = 64.0 * activity.prompt_tokens as f64 + 2e5 * activity.busy;
                load.pcie_out = 64.0 * activity.output_tokens as f64 + 1e5 * activity.busy;
            }
            let demand = &mut demands[replica.node];
            // The engine core polls for work with a tenth of a processor.
            demand.cpu += activity.cpu + 0.1 * TICK;
            demand.received += std::mem::take(&mut replica.received);
            demand.sent += std::mem::take(&mut replica.sent);
            demand.connections += replica.engine.load() as f64;
            demand.memory += ENGINE_MEMORY;
        }
    }

    fn train(&mut self, from: f64, loads: &mut [Load], demands: &mut [Demand]) {
        let mut runs = std::mem::take(&mut self.runs);
        for (run, place) in runs.iter_mut().zip(&self.layout.runs) {
            let pace = self.training_pace(run, &place.gpus);
            let workers = run.knobs.get(RunKnob::LoaderWorkers);
            let bytes_saved = run.knobs.get(RunKnob::CheckpointBytes) / run.ranks.len() as f64;
            let save_seconds = bytes_saved * run.ranks.len() as f64 / pace.write_rate;
            let (message, length) = (run.message_bytes, run.step_seconds.max(TICK / 10.0));
            let read_rates = pace.read_rates.clone();
            run.advance(from + TICK, &pace, &mut |rank, spent| {
                let Some(gpu) = place.gpus.get(rank).copied() else { return };
                let load = &mut loads[gpu];
                let clock = self.devices[gpu].clock;
                load.busy += (spent.computing + spent.exchanging) / TICK;
                load.compute += TRAINING_EFFICIENCY * clock * spent.computing / TICK;
                load.memory +=
                    (TRAIN_MEMORY * spent.computing + COLLECTIVE_MEMORY * spent.exchanging) / TICK;
                // Buckets leave all along the step: as many bytes in as out, twice a message.
                let exchanged = 2.0 * message * (spent.computing + spent.exchanging) / length;
                load.link_bytes += 2.0 * exchanged;
                let rate = read_rates.get(rank).copied().unwrap_or(0.0);
                let read = spent.reading * rate;
                load.pcie_in += read;
                load.pcie_out += spent.saving * bytes_saved / save_seconds.max(TICK);
                let node = self.layout.node_of(gpu);
                let demand = &mut demands[node];
                demand.disk_read += read;
                demand.disk_out += spent.reading * workers / TICK;
                demand.disk_reading = demand.disk_reading.max(spent.reading);
                demand.disk_read_seconds += spent.reading * workers;
                demand.disk_written += bytes_saved * spent.saving / save_seconds.max(1e-9);
                let cpu = TRAINER_CPU * (spent.computing + spent.exchanging) + read / DECODE_RATE;
                demand.cpu += cpu;
                demand.trainer_cpu += cpu;
                let is_wide = place.gpus.iter().any(|one| self.layout.node_of(*one) != node);
                let ports = self.layout.size.gpus_per_node as f64;
                demand.fabric += if is_wide { exchanged / ports } else { 0.0 };
            });
            for gpu in &place.gpus {
                demands[self.layout.node_of(*gpu)].memory += TRAINER_MEMORY;
            }
        }
        self.runs = runs;
    }

    fn training_pace(&self, run: &training::Run, gpus: &[usize]) -> training::Pace {
        let workers = run.knobs.get(RunKnob::LoaderWorkers);
        let on_node =
            |node: usize| gpus.iter().filter(move |one| self.layout.node_of(**one) == node);
        let nodes: Vec<usize> = gpus.iter().map(|gpu| self.layout.node_of(*gpu)).collect();
        let mut distinct = nodes.clone();
        distinct.dedup();
        let mut rates = Vec::with_capacity(gpus.len());
        let mut bus = f64::INFINITY;
        let mut write_rate = f64::INFINITY;
        for node in &distinct {
            let ranks = on_node(*node).count() as f64;
            let (rate, _) = self.nodes[*node].disk_pace(workers * ranks);
            rates.extend(on_node(*node).map(|_| rate / ranks));
            let (written, _) = self.nodes[*node].disk_pace(WRITERS);
            write_rate = write_rate.min(written * distinct.len() as f64);
            let nvlinks = on_node(*node).map(|gpu| &self.devices[*gpu].knobs);
            let nvlinks = nvlinks.map(|knobs| knobs.get(GpuKnob::NvlinkBandwidth));
            bus = nvlinks.fold(bus, f64::min);
            if distinct.len() > 1 {
                // A ring goes through one port a rank, and as fast as the slowest lets it.
                let ports = on_node(*node).map(|gpu| self.layout.index_on_node(*gpu));
                let ports = ports.filter_map(|port| self.links[*node].get(port));
                let slowest = ports.map(|port| port.get(LinkKnob::Bandwidth));
                bus = bus.min(ranks * slowest.fold(f64::INFINITY, f64::min));
            }
        }
        training::Pace {
            clocks: gpus.iter().map(|gpu| self.devices[*gpu].clock).collect(),
            read_rates: rates,
            host_stretch: nodes.iter().map(|node| self.nodes[*node].stretch).collect(),
            bus,
            write_rate,
        }
    }
}
