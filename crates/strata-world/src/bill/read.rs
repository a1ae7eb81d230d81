//! The answers of a period, read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use strata_query::promql::syntax::parse_number;
use strata_query::{Answer, QueryError};

use super::gather::gathered;
use super::holds::Named;
use super::plan::{COUNTERS, Period};
use super::{BillGpu, BillReplica, BillWorld, EngineRole, HolderKind};
use crate::ask::Planned;
use crate::assemble::identity::identity;
use crate::assemble::rows::{Row, answer_rows, on_grid};
use crate::capacity::bytes_of_type;
use crate::entity::EntityKind;
use crate::window::Window;

/// Questions for holders, the most certain first, with the method where a row names none.
const HOLDERS: [(&str, &str); 3] =
    [("allocation", "allocation"), ("owner", "owner"), ("holder", "exporter")];

/// Answers by key.
pub(super) type Found = BTreeMap<String, Result<Answer, QueryError>>;

/// Read what the queries of a [`super::bill_plan`], or of a [`super::statement_plan`], answered.
/// `ttft_objective_s` is how long a first token may take, in seconds.
pub fn bill(
    period: &Period,
    plan: &[Planned],
    answers: &Found,
    ttft_objective_s: Option<f64>,
) -> BillWorld {
    let reader = Reader::new(period, answers);
    let notes = plan.iter().filter_map(|query| match answers.get(&query.key) {
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(format!("{}: {error}", query.key)),
        None => Some(format!("{}: not answered in time", query.key)),
    });
    let (counting, tenants) = reader.tenants();
    let gpus = reader.gpus();
    BillWorld {
        runs: reader.runs(&gpus),
        gpus,
        replicas: reader.replicas(ttft_objective_s),
        tenants,
        counting,
        notes: notes.collect(),
    }
}

pub(super) struct Reader<'a> {
    window: Window,
    step_s: f64,
    answers: &'a Found,
}

/// A label that says something.
pub(super) fn text(row: &Row<'_>, name: &str) -> Option<String> {
    row.labels.get(name).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The newest value.
pub(super) fn last(row: &Row<'_>) -> Option<f64> {
    row.points.last().map(|(_, value)| *value).filter(|value| value.is_finite())
}

impl<'a> Reader<'a> {
    pub(super) fn new(period: &Period, answers: &'a Found) -> Self {
        Self { window: period.window(), step_s: period.step_ms as f64 / 1e3, answers }
    }

    pub(super) fn rows(&self, key: &str) -> Vec<Row<'a>> {
        match self.answers.get(&format!("bill/{key}")) {
            Some(Ok(answer)) => answer_rows(answer),
            Some(Err(_)) | None => Vec::new(),
        }
    }

    pub(super) fn track(&self, row: &Row<'_>) -> Vec<Option<f64>> {
        on_grid(self.window, &row.points)
    }

    pub(super) fn steps(&self) -> usize {
        self.window.len()
    }

    /// Tracks by GPU.
    fn by_gpu(&self, key: &str) -> BTreeMap<String, Vec<Option<f64>>> {
        let rows = self.rows(key);
        let mut found: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        for row in &rows {
            let Some(id) = identity(EntityKind::Gpu, row.labels) else { continue };
            let track = self.track(row);
            // Two programs tell of one GPU, or its node was renamed: the greater value.
            match found.entry(id.key.to_string()) {
                Entry::Vacant(place) => drop(place.insert(track)),
                Entry::Occupied(mut place) => {
                    for (known, value) in place.get_mut().iter_mut().zip(track) {
                        *known = match (*known, value) {
                            (Some(a), Some(b)) => Some(a.max(b)),
                            (a, b) => a.or(b),
                        };
                    }
                }
            }
        }
        found
    }

    fn gpus(&self) -> Vec<BillGpu> {
        let mut gpus: BTreeMap<String, BillGpu> = BTreeMap::new();
        for row in self.rows("seen") {
            let Some(id) = identity(EntityKind::Gpu, row.labels) else { continue };
            let gpu = gpus.entry(id.key.to_string()).or_insert_with(|| BillGpu {
                id: id.key.to_string(),
                seen: vec![false; self.window.len()],
                ..BillGpu::default()
            });
            gpu.node = text(&row, "node").or(gpu.node.take());
            gpu.model = text(&row, "gpu_model").or(gpu.model.take());
            for (seen, value) in gpu.seen.iter_mut().zip(self.track(&row)) {
                *seen |= value.is_some();
            }
        }
        let utilization = self.by_gpu("utilization");
        let (energy, power) = (self.by_gpu("energy"), self.by_gpu("power"));
        let places = self.places();
        let named = self.named();
        let (heard, managed) = (self.heard_of_holders(), self.managed());
        let (teams, devices) = (self.teams(), self.devices(&gpus));
        let mut used = self.used(&devices, &gpus);
        for gpu in gpus.values_mut() {
            gpu.utilization = utilization.get(&gpu.id).cloned().unwrap_or_default();
            gpu.energy_j = self.energy(energy.get(&gpu.id), power.get(&gpu.id));
            if let Some((region, kind)) = gpu.node.as_ref().and_then(|node| places.get(node)) {
                (gpu.region, gpu.instance_type) = (region.clone(), kind.clone());
            }
            let device = devices.of(gpu);
            gpu.holds = named.get(&gpu.id).map(|named| named.holds(device)).unwrap_or_default();
            gpu.used = used.remove(&gpu.id).unwrap_or_default();
            let of_pods = gpu.holds.iter_mut().filter(|hold| hold.kind == HolderKind::Pod);
            for hold in of_pods.filter(|hold| hold.team.is_none()) {
                hold.team = teams.get(&(hold.namespace.clone(), hold.pod.clone())).cloned();
            }
        }
        // A node on which anybody is named, and one of a cluster whose holders are named elsewhere.
        let naming: BTreeSet<Option<String>> =
            gpus.values().filter(|gpu| !gpu.holds.is_empty()).map(|gpu| gpu.node.clone()).collect();
        for gpu in gpus.values_mut() {
            let is_managed = gpu.node.as_ref().is_some_and(|node| managed.contains(node));
            let named = naming.contains(&gpu.node) || (is_managed && !naming.is_empty());
            gpu.names_holders = heard && named;
        }
        gpus.into_values().collect()
    }

    /// Joules of each step: by the counter, else by mean power.
    fn energy(
        &self,
        counter: Option<&Vec<Option<f64>>>,
        power: Option<&Vec<Option<f64>>>,
    ) -> Vec<Option<f64>> {
        let at = |track: Option<&Vec<Option<f64>>>, step: usize| {
            track.and_then(|track| track.get(step).copied().flatten())
        };
        let steps = 0..self.window.len();
        steps
            .map(|step| at(counter, step).or_else(|| Some(at(power, step)? * self.step_s)))
            .collect()
    }

    /// Region and kind of each node.
    fn places(&self) -> BTreeMap<String, (Option<String>, Option<String>)> {
        let rows = self.rows("topology");
        let found = rows.iter().filter_map(|row| {
            Some((text(row, "node")?, (text(row, "region"), text(row, "instance_type"))))
        });
        found.collect()
    }

    /// Team of each pod, by its labels.
    fn teams(&self) -> BTreeMap<(String, String), String> {
        let rows = self.rows("teams");
        let found = rows.iter().filter_map(|row| {
            let namespace = text(row, "namespace").unwrap_or_default();
            Some(((namespace, text(row, "pod")?), text(row, "team")?))
        });
        found.collect()
    }

    /// Who is named for each GPU.
    fn named(&self) -> BTreeMap<String, Named> {
        let slices = self.slices();
        let mut named: BTreeMap<String, Named> = BTreeMap::new();
        for (key, method) in HOLDERS {
            for row in self.rows(key) {
                let Some((id, profile)) = slices.of(&row) else { continue };
                let method = text(&row, "method").unwrap_or_else(|| method.to_owned());
                let named = named.entry(id).or_default();
                named.add(&row, key, &method, profile.as_deref(), self.window);
            }
        }
        for ((id, pod), (cores, memory)) in self.given() {
            if let Some(named) = named.get_mut(&id) {
                named.give(&pod, cores, memory);
            }
        }
        named.retain(|_, named| !named.is_empty());
        named
    }

    /// Whether every question for holders was answered: else nobody named is not nobody there.
    fn heard_of_holders(&self) -> bool {
        let answered = |key: &str| matches!(self.answers.get(&format!("bill/{key}")), Some(Ok(_)));
        HOLDERS.iter().all(|(key, _)| answered(key)) && answered("managed")
    }

    /// Nodes whose GPUs are handed out by somebody who would be named.
    fn managed(&self) -> BTreeSet<String> {
        self.rows("managed").iter().filter_map(|row| text(row, "node")).collect()
    }

    fn replicas(&self, ttft_objective_s: Option<f64>) -> Vec<BillReplica> {
        let mut replicas: BTreeMap<String, BillReplica> = BTreeMap::new();
        for row in self.rows("up") {
            let Some(instance) = text(&row, "instance") else { continue };
            let replica = replicas.entry(instance.clone()).or_insert_with(|| BillReplica {
                instance,
                up: vec![false; self.window.len()],
                ..BillReplica::default()
            });
            let fields = [
                (&mut replica.node, "node"),
                (&mut replica.namespace, "namespace"),
                (&mut replica.pod, "pod"),
                (&mut replica.model, "model"),
                (&mut replica.engine, "inference_engine"),
            ];
            for (field, label) in fields {
                *field = text(&row, label).or(field.take());
            }
            replica.role = match row.labels.get("engine_type") {
                Some("prefill") => EngineRole::Prefill,
                Some("decode") => EngineRole::Decode,
                _ => replica.role,
            };
            for (up, value) in replica.up.iter_mut().zip(self.track(&row)) {
                *up |= value.is_some();
            }
        }
        let within = ttft_objective_s.map(|limit| self.within(limit)).unwrap_or_default();
        self.count(&mut replicas);
        let types = self.rows("kv_type");
        for row in &types {
            let replica = row.labels.get("instance").and_then(|one| replicas.get_mut(one));
            if let Some(replica) = replica {
                replica.kv_bytes = row.labels.get("cache_dtype").and_then(bytes_of_type);
            }
        }
        for (instance, replica) in &mut replicas {
            replica.within_slo = within.get(instance).copied();
        }
        gathered(replicas.into_values().collect())
    }

    /// Tracks by instance.
    fn by_instance(&self, key: &str) -> BTreeMap<String, Vec<Option<f64>>> {
        let rows = self.rows(key);
        rows.iter().filter_map(|row| Some((text(row, "instance")?, self.track(row)))).collect()
    }

    /// The counters of the replicas.
    fn count(&self, replicas: &mut BTreeMap<String, BillReplica>) {
        let others = ["aborted", "durations"];
        let keys = COUNTERS.iter().map(|(key, _)| *key).chain(others);
        let mut tracks: BTreeMap<&str, BTreeMap<String, Vec<Option<f64>>>> =
            keys.map(|key| (key, self.by_instance(key))).collect();
        for (instance, replica) in replicas {
            let up = &replica.up;
            let mut take = |key: &str| {
                let of_key = tracks.get_mut(key);
                let mut track: Vec<Option<f64>> =
                    of_key.and_then(|of_key| of_key.remove(instance)).unwrap_or_default();
                // The last reading is there for a while after its page is gone.
                for (value, _) in track.iter_mut().zip(up).filter(|(_, up)| !**up) {
                    *value = None;
                }
                track
            };
            replica.prompt = take("prompt");
            replica.cached = take("cached");
            replica.generated = take("generated");
            replica.recomputed = take("recomputed");
            replica.preemptions = take("preemptions");
            replica.prefill_s = take("prefill_s");
            replica.decode_s = take("decode_s");
            replica.aborted = take("aborted");
            let (drafted, accepted) = (take("drafted"), take("accepted"));
            let both = drafted.iter().zip(&accepted);
            replica.rejected_drafts =
                both.map(|(all, good)| Some((all.as_ref()? - good.as_ref()?).max(0.0))).collect();
            let (finished, durations) = (take("finished"), take("durations"));
            let counted = finished.iter().any(Option::is_some);
            replica.requests = if counted { finished } else { durations };
        }
    }

    /// Share of requests by replica whose first token came within `limit_s` seconds.
    fn within(&self, limit_s: f64) -> BTreeMap<String, f64> {
        let mut found: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for row in self.rows("ttft") {
            let edge = row.labels.get("le").and_then(parse_number);
            let (Some(instance), Some(edge), Some(value)) =
                (text(&row, "instance"), edge, last(&row))
            else {
                continue;
            };
            let (good, all) = found.entry(instance).or_default();
            if edge <= limit_s {
                *good = good.max(value);
            }
            *all = all.max(value);
        }
        let shares = found.into_iter().filter(|(_, (_, all))| *all > 0.0);
        shares.map(|(instance, (good, all))| (instance, good / all)).collect()
    }
}
