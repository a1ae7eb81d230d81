//! The whole: parts that live through one second after another, and what passes between them.

mod parts;
mod second;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use parts::Replica;
pub(crate) use second::{ENGINE_MEMORY, EVAL_CPU, EVAL_MEMORY, TRAINER_MEMORY};

use crate::batch::Batch;
use crate::clients::Clients;
use crate::device::Device;
use crate::engine::Ended;
use crate::host::Node;
use crate::knob::{Kind, Knobs};
use crate::layout::{self, Layout, SERVED, Size};
use crate::rng::Rng;
use crate::scenario::{Plan, Scenario, ScenarioError};
use crate::spans::Witness;
use crate::tenant::{Tenant, Turn};
use crate::trace::{TraceError, TraceRow};
use crate::training::Run;
use crate::workload::{self, TENANTS, TenantPlace};

/// Physics is integrated in steps of one second: temperatures move over half a minute. Requests and
/// steps of engines and runs are events at times of their own.
pub(crate) const TICK: f64 = 1.0;

/// Rows of a trace, one after the other.
pub type TraceRows = Box<dyn Iterator<Item = Result<TraceRow, TraceError>> + Send>;

/// What to simulate.
#[derive(Debug, Clone, Default)]
pub struct SimOptions {
    pub size: Size,
    pub seed: u64,
    /// When the simulation begins, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    pub scenario: Scenario,
}

/// A turn that will be taken, with the replica that served the one before.
#[derive(Debug, Clone, Copy)]
struct Due {
    tenant: usize,
    turn: Turn,
    replica: Option<usize>,
}

/// A recorded request that is next.
struct Trace {
    rows: TraceRows,
    next: Option<TraceRow>,
}

/// The cluster at a moment.
pub struct Sim {
    pub(crate) start_ms: i64,
    pub(crate) layout: Layout,
    /// Seconds lived through.
    pub(crate) seconds: u64,
    pub(crate) tenants: Vec<(&'static TenantPlace, Tenant)>,
    pub(crate) clients: Vec<Clients>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) devices: Vec<Device>,
    pub(crate) nodes: Vec<Node>,
    /// Of each node, its ports to other nodes.
    pub(crate) links: Vec<Vec<Knobs>>,
    pub(crate) runs: Vec<Run>,
    /// The queue of short jobs, where GPUs are kept for them.
    pub(crate) batch: Option<Batch>,
    plan: Plan,
    router: Rng,
    /// Turns by time and conversation.
    due: BTreeMap<(u64, u64), Due>,
    trace: Option<Trace>,
    trace_error: Option<TraceError>,
    ended: Vec<Ended>,
    /// What programs tell of single requests.
    pub(crate) witness: Witness,
}

impl Sim {
    /// Build a cluster.
    ///
    /// # Errors
    /// When the scenario names entities that are not there.
    pub fn new(options: &SimOptions) -> Result<Self, ScenarioError> {
        let layout = Layout::of(options.size);
        let seed = options.seed;
        let mut sim = Self {
            start_ms: options.start_ms,
            seconds: 0,
            tenants: tenants(&layout, seed),
            clients: Vec::new(),
            replicas: layout.replicas.iter().map(Replica::new).collect(),
            devices: devices(&layout, seed),
            nodes: nodes(&layout, seed),
            links: Vec::new(),
            runs: layout.runs.iter().map(|place| run(place, seed)).collect(),
            batch: batch(&layout, seed),
            plan: Plan::default(),
            router: Rng::of(seed, "router"),
            due: BTreeMap::new(),
            trace: None,
            trace_error: None,
            ended: Vec::new(),
            witness: Witness::new(seed, options.start_ms),
            layout,
        };
        let clients = sim.tenants.iter();
        let clients = clients.map(|(place, _)| Clients::new(Rng::of(seed, place.organisation)));
        sim.clients = clients.collect();
        let port = || Knobs::new(layout::link_defaults());
        let ports = sim.layout.size.gpus_per_node;
        sim.links = sim.layout.nodes.iter().map(|_| (0..ports).map(|_| port()).collect()).collect();
        sim.fill_memory();
        let names = |kind| sim.names(kind);
        let usual =
            |kind, entity, knob| sim.knobs(kind, entity).map_or(f64::NAN, |knobs| knobs.get(knob));
        sim.plan = Plan::of(&options.scenario, &names, &usual)?;
        Ok(sim)
    }

    /// Replay a trace in the place of the first tenant's own requests.
    pub fn replay(&mut self, rows: TraceRows) {
        let mut trace = Trace { rows, next: None };
        if let Some((_, tenant)) = self.tenants.first_mut() {
            tenant.is_replaced = true;
        }
        self.trace_error = trace.step().err();
        self.trace = Some(trace);
    }

    /// Why the trace ended early, if it did; told once.
    pub fn take_trace_error(&mut self) -> Option<TraceError> {
        self.trace_error.take()
    }

    /// The moment up to which the cluster has lived, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.start_ms + self.seconds as i64 * 1000
    }

    /// Seconds since the simulation began.
    pub(crate) fn now(&self) -> f64 {
        self.seconds as f64 * TICK
    }

    /// Live through the whole seconds until `to_ms` (milliseconds since the Unix epoch).
    pub fn advance_to(&mut self, to_ms: i64) {
        while self.now_ms() + 1000 <= to_ms {
            self.second();
        }
    }

    /// Requests that engines have ended so far.
    pub fn requests_ended(&self) -> u64 {
        self.replicas.iter().map(|replica| replica.engine.stats.ended_in_all()).sum()
    }

    /// Names of the entities of a kind, as scenarios use them.
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let layout = &self.layout;
        match kind {
            Kind::Tenant => self.tenants.iter().map(|(place, _)| place.name.to_owned()).collect(),
            Kind::Replica => layout.replicas.iter().map(|place| place.name.clone()).collect(),
            Kind::Node => layout.nodes.clone(),
            Kind::Gpu => self.on_nodes(""),
            Kind::Link => self.on_nodes("mlx5_"),
            Kind::Run => self.runs.iter().map(|run| run.name.clone()).collect(),
            Kind::Rank => {
                let ranks = self.runs.iter().flat_map(|run| {
                    (0..run.ranks.len()).map(|rank| format!("{}/{rank}", run.name))
                });
                ranks.collect()
            }
            Kind::Batch => self.batch.iter().map(|_| layout::BATCH.to_owned()).collect(),
        }
    }

    fn on_nodes(&self, prefix: &str) -> Vec<String> {
        let each = self.layout.nodes.iter().flat_map(|node| {
            (0..self.layout.size.gpus_per_node).map(move |place| format!("{node}/{prefix}{place}"))
        });
        each.collect()
    }

    fn knobs(&self, kind: Kind, entity: usize) -> Option<&Knobs> {
        let per_node = self.layout.size.gpus_per_node;
        match kind {
            Kind::Tenant => self.tenants.get(entity).map(|(_, tenant)| &tenant.knobs),
            Kind::Replica => self.replicas.get(entity).map(|replica| &replica.knobs),
            Kind::Gpu => self.devices.get(entity).map(|device| &device.knobs),
            Kind::Node => self.nodes.get(entity).map(|node| &node.knobs),
            Kind::Link => self.links.get(entity / per_node)?.get(entity % per_node),
            Kind::Run => self.runs.get(entity).map(|run| &run.knobs),
            Kind::Rank => {
                self.runs.iter().flat_map(|run| &run.ranks).nth(entity).map(|rank| &rank.knobs)
            }
            Kind::Batch => self.batch.as_ref().map(|batch| &batch.knobs),
        }
    }

    fn knobs_mut(&mut self, kind: Kind, entity: usize) -> Option<&mut Knobs> {
        let per_node = self.layout.size.gpus_per_node;
        match kind {
            Kind::Tenant => self.tenants.get_mut(entity).map(|(_, tenant)| &mut tenant.knobs),
            Kind::Replica => self.replicas.get_mut(entity).map(|replica| &mut replica.knobs),
            Kind::Gpu => self.devices.get_mut(entity).map(|device| &mut device.knobs),
            Kind::Node => self.nodes.get_mut(entity).map(|node| &mut node.knobs),
            Kind::Link => self.links.get_mut(entity / per_node)?.get_mut(entity % per_node),
            Kind::Run => self.runs.get_mut(entity).map(|run| &mut run.knobs),
            Kind::Rank => {
                let mut ranks = self.runs.iter_mut().flat_map(|run| &mut run.ranks);
                ranks.nth(entity).map(|rank| &mut rank.knobs)
            }
            Kind::Batch => self.batch.as_mut().map(|batch| &mut batch.knobs),
        }
    }
}

impl Trace {
    /// Take the next row.
    fn step(&mut self) -> Result<(), TraceError> {
        self.next = self.rows.next().transpose()?;
        Ok(())
    }
}

/// Tenants whose model is served at all.
fn tenants(layout: &Layout, seed: u64) -> Vec<(&'static TenantPlace, Tenant)> {
    let mut tenants = Vec::new();
    for place in &TENANTS {
        let replicas = layout.replicas.iter().filter(|one| one.served == place.served).count();
        if replicas > 0 {
            let knobs = Knobs::new(workload::tenant_defaults(place, replicas));
            let rng = Rng::of(seed, place.name);
            tenants.push((place, Tenant::new(tenants.len(), knobs, rng)));
        }
    }
    tenants
}

fn devices(layout: &Layout, seed: u64) -> Vec<Device> {
    let device = |gpu| {
        let mut knobs = layout::gpu_defaults();
        let mut rng = Rng::of(seed, &format!("gpu/{gpu}"));
        // No two slots of a machine get the same air.
        if let Some(inlet) = knobs.get_mut(usize::from(crate::knob::GpuKnob::InletCelsius)) {
            *inlet += 4.0 * rng.uniform();
        }
        Device::new(crate::hardware::H100, Knobs::new(knobs), rng)
    };
    (0..layout.gpu_count()).map(device).collect()
}

fn nodes(layout: &Layout, seed: u64) -> Vec<Node> {
    let node = |name: &String| Node::new(Knobs::new(layout::node_defaults()), Rng::of(seed, name));
    layout.nodes.iter().map(node).collect()
}

/// Short jobs are there where GPUs are kept for them.
fn batch(layout: &Layout, seed: u64) -> Option<Batch> {
    let gpus = layout.batch.clone();
    let knobs = Knobs::new(layout::batch_defaults(gpus.len()));
    (!gpus.is_empty()).then(|| Batch::new(gpus, knobs, Rng::of(seed, layout::BATCH)))
}

fn run(place: &layout::RunPlace, seed: u64) -> Run {
    let ranks = place.gpus.iter().map(|_| Knobs::new(layout::rank_defaults())).collect();
    let knobs = Knobs::new(layout::run_defaults());
    Run::new(&place.name, crate::hardware::H100, knobs, ranks, seed)
}

impl Sim {
    /// What processes hold of the frame buffers does not change: engines and trainers allocate once.
    fn fill_memory(&mut self) {
        for replica in &self.layout.replicas {
            let share = SERVED[replica.served].memory_share;
            for gpu in &replica.gpus {
                if let Some(device) = self.devices.get_mut(*gpu) {
                    device.memory_used_mib = (device.kind.memory_mib * share).round();
                }
            }
        }
        for gpu in self.layout.runs.iter().flat_map(|run| &run.gpus) {
            if let Some(device) = self.devices.get_mut(*gpu) {
                device.memory_used_mib = crate::training::MEMORY_MIB;
            }
        }
    }
}
