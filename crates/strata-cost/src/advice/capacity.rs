//! Advice about time that is paid for and not used.

use super::{Advice, Case, Evidence, Kind, Tryout};
use crate::facts::{HolderKind, Role};
use crate::ledger::{Line, State, UNATTRIBUTED};
use crate::sum::sum;
use crate::unit::Units;
use crate::useful::Cause;

/// Share of its held time from which on a holder is idle: what works for an hour of a day stays.
const IDLE_SHARE: f64 = 0.9;
/// Share of held time in which a replica is not ready, from which on its start is worth work.
const COLD_SHARE: f64 = 0.05;
/// Share of capacity that a fleet should use at its peak: queues grow without bound towards 1.
const TARGET_LOAD: f64 = 0.8;
/// Share of busy time that is computed again, from which on the KV cache is too small.
const RECOMPUTED_SHARE: f64 = 0.01;
/// Difference of busy shares from which on two pools are not balanced.
const POOL_DIFFERENCE: f64 = 0.2;
/// From which on it is worth a trial.
const POOL_TRIAL: f64 = 0.05;

impl Case<'_> {
    /// Idle and cold time of each holder.
    pub(super) fn holders(&mut self) {
        for ((kind, namespace, pod), line) in self.ledger.by_holder() {
            let held_s = line.gpu_s();
            let unknown = line.seconds_in(State::UnknownWork) > 0.0;
            let unready = line.seconds_in(State::UnknownReadiness) > 0.0;
            if unknown || unready || line.amount().is_none() {
                let missing = [
                    ("GPU utilization", !unknown),
                    ("whether the model was loaded", !unready),
                    ("a price", line.amount().is_some()),
                ];
                self.skip(Kind::ReclaimIdle, &line.key, &missing);
                continue;
            }
            self.reclaim(&line, held_s, command(kind, &namespace, &pod));
            self.warm(&line, held_s);
        }
    }

    fn reclaim(&mut self, line: &Line, held_s: f64, command: Option<String>) {
        let idle_s = line.seconds_in(State::HeldIdle);
        if idle_s < IDLE_SHARE * held_s {
            return;
        }
        self.offer(Advice {
            kind: Kind::ReclaimIdle,
            subject: line.key.clone(),
            saves_per_hour: line.money_in(State::HeldIdle) / self.hours,
            action: "take the GPUs back, or let the workload scale to zero".to_owned(),
            command,
            evidence: vec![
                Evidence::new("held and idle", idle_s, "s"),
                Evidence::new("share of held time", idle_s / held_s, "1"),
            ],
        });
    }

    fn warm(&mut self, line: &Line, held_s: f64) {
        let cold_s = line.seconds_in(State::HeldCold);
        if cold_s < COLD_SHARE * held_s {
            return;
        }
        self.offer(Advice {
            kind: Kind::WarmStart,
            subject: line.key.clone(),
            saves_per_hour: line.money_in(State::HeldCold) / self.hours,
            action: "keep image, weights and compiled kernels on the node".to_owned(),
            command: None,
            evidence: vec![
                Evidence::new("held and not ready", cold_s, "s"),
                Evidence::new("share of held time", cold_s / held_s, "1"),
            ],
        });
    }

    pub(super) fn fewer_replicas(&mut self) {
        for units in self.units {
            let capacity = self.inputs.capacity_tokens_per_gpu_s.get(&units.model).copied();
            let peak = self.inputs.peak_tokens_per_s.get(&units.model).copied();
            let amount = units.line.amount();
            let (Some(capacity), Some(peak), Some(amount)) = (capacity, peak, amount) else {
                let missing = [
                    ("capacity from a load test", capacity.is_some()),
                    ("tokens per second of the busiest minutes", peak.is_some()),
                    ("a price", amount.is_some()),
                ];
                self.skip(Kind::FewerReplicas, &units.model, &missing);
                continue;
            };
            let replicas = self.replicas_of(&units.model);
            let gpus = units.line.gpu_s() / (self.hours * 3600.0);
            if replicas <= 1 || gpus <= 0.0 || capacity <= 0.0 {
                continue;
            }
            let per_replica = capacity * gpus / replicas as f64;
            let needed = (peak / (per_replica * TARGET_LOAD)).ceil().max(1.0);
            let spare = replicas as f64 - needed;
            if spare < 1.0 {
                continue;
            }
            self.offer(Advice {
                kind: Kind::FewerReplicas,
                subject: units.model.clone(),
                saves_per_hour: amount / self.hours * spare / replicas as f64,
                action: format!("run {needed} replicas instead of {replicas}"),
                command: Some(format!("kubectl scale deployment <deployment> --replicas={needed}")),
                evidence: vec![
                    Evidence::new("busiest five minutes", peak, "{token}/s"),
                    Evidence::new("capacity of a replica", per_replica, "{token}/s"),
                    Evidence::new("target load", TARGET_LOAD, "1"),
                ],
            });
        }
    }

    fn replicas_of(&self, model: &str) -> usize {
        let of_model =
            |held: &&crate::ledger::ReplicaTotals| held.model == model && held.held_s > 0.0;
        self.ledger.replicas.iter().filter(of_model).count()
    }

    pub(super) fn kv_fp8(&mut self) {
        let lines = self.ledger.by_replica();
        for units in self.units {
            let pairs = self.ledger.replicas.iter().zip(&lines);
            let own: Vec<_> = pairs.filter(|(replica, _)| replica.model == units.model).collect();
            let of = |cause: Cause| {
                sum(own.iter().filter_map(|(one, _)| one.wasted_s.get(cause.place())).copied())
            };
            let recomputed_s = of(Cause::Recomputed);
            let counted =
                sum(own.iter().map(|(_, line)| line.seconds_in(State::UnknownUse))) <= 0.0;
            if !counted {
                self.skip(Kind::KvFp8, &units.model, &[("tokens computed again", false)]);
                continue;
            }
            let busy_s = units.line.busy_s();
            if busy_s <= 0.0 || recomputed_s < RECOMPUTED_SHARE * busy_s {
                continue;
            }
            let told = own.iter().map(|(replica, _)| replica.kv_bytes);
            // Of replicas of several kinds the one with the most to gain.
            let told = told.collect::<Option<Vec<f64>>>();
            let told = told.and_then(|all| all.into_iter().reduce(f64::max));
            let bytes = self.inputs.kv_bytes.get(&units.model).copied().or(told);
            self.smaller_cache(units, bytes, recomputed_s, recomputed_s / busy_s);
        }
    }

    /// Advice where the cache is known to be of 16 bits, a trial where nobody says what it is of.
    fn smaller_cache(&mut self, units: &Units, bytes: Option<f64>, recomputed_s: f64, share: f64) {
        let per_hour = share * units.line.busy_money() / self.hours;
        let command = Some("vllm serve <model> --kv-cache-dtype fp8".to_owned());
        let mut evidence = vec![
            Evidence::new("work computed again", recomputed_s, "s"),
            Evidence::new("share of busy time", share, "1"),
        ];
        match bytes {
            Some(bytes) if bytes >= 2.0 => {
                evidence.push(Evidence::new("KV element", bytes, "By"));
                self.offer(Advice {
                    kind: Kind::KvFp8,
                    subject: units.model.clone(),
                    saves_per_hour: per_hour,
                    action:
                        "store the KV cache in 8 bits, after a check of quality: twice the tokens \
                             fit before requests are preempted"
                            .to_owned(),
                    command,
                    evidence,
                });
            }
            Some(_) => {}
            None => self.try_out(Tryout {
                kind: Kind::KvFp8,
                subject: units.model.clone(),
                at_most_per_hour: per_hour,
                bound: "busy money x seconds computed again / busy seconds",
                action:
                    "see whether the KV cache is of 16 bits, and serve one replica with 8: at most \
                         nothing is computed again; it has to show that the answers are as good"
                        .to_owned(),
                command,
                evidence,
            }),
        }
    }

    /// A pool that is much less busy than the other has GPUs too many. Their number is what would
    /// bring it to the busy share of the other; they are saved, or serve there.
    pub(super) fn pool_ratio(&mut self) {
        let lines = self.ledger.by_replica();
        for units in self.units {
            let pool = |role: Role| {
                let pairs = self.ledger.replicas.iter().zip(&lines);
                let own = pairs.filter(|(one, _)| one.model == units.model && one.role == role);
                Line::merged("", own.map(|(_, line)| line))
            };
            let (prefill, decode) = (pool(Role::Prefill), pool(Role::Decode));
            let known =
                |line: &Line| line.gpu_s() > 0.0 && line.seconds_in(State::UnknownWork) <= 0.0;
            if prefill.gpu_s() <= 0.0 || decode.gpu_s() <= 0.0 {
                continue;
            }
            let is_priced = units.line.amount().is_some();
            if !known(&prefill) || !known(&decode) || !is_priced {
                let missing = [
                    ("GPU utilization of the workers that prefill", known(&prefill)),
                    ("GPU utilization of the workers that decode", known(&decode)),
                    ("a price", is_priced),
                ];
                self.skip(Kind::PoolRatio, &units.model, &missing);
                continue;
            }
            let load = |line: &Line| line.busy_s() / line.gpu_s();
            let (name, idle, busy) = if load(&prefill) < load(&decode) {
                ("prefill", &prefill, &decode)
            } else {
                ("decode", &decode, &prefill)
            };
            if load(busy) <= 0.0 {
                continue;
            }
            let spare = 1.0 - load(idle) / load(busy);
            let per_hour = spare * sum(idle.money) / self.hours;
            let evidence = vec![
                Evidence::new("busy share of prefill", load(&prefill), "1"),
                Evidence::new("busy share of decode", load(&decode), "1"),
            ];
            if load(busy) - load(idle) >= POOL_DIFFERENCE {
                self.offer(Advice {
                    kind: Kind::PoolRatio,
                    subject: units.model.clone(),
                    saves_per_hour: per_hour,
                    action: format!("move or stop {:.0} % of the GPUs that {name}", spare * 100.0),
                    command: None,
                    evidence,
                });
            } else if load(busy) - load(idle) >= POOL_TRIAL {
                // So small a difference may be what the load does anyway.
                self.try_out(Tryout {
                    kind: Kind::PoolRatio,
                    subject: units.model.clone(),
                    at_most_per_hour: per_hour,
                    bound: "money of the idler pool x (1 - its busy share / that of the other)",
                    action: format!(
                        "serve with one replica less that {name}: at most {:.0} % of them are spare; the \
                         time to the first token and between tokens has to stay within its objective",
                        spare * 100.0
                    ),
                    command: Some(format!(
                        "kubectl scale deployment <{name} workers> --replicas=<one less>"
                    )),
                    evidence,
                });
            }
        }
    }
}

/// What takes a holder's GPUs back. None for a name that a shell could read as something else: it
/// comes from series that anyone may write.
fn command(kind: HolderKind, namespace: &str, pod: &str) -> Option<String> {
    let plain = |name: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !name.is_empty() && !name.starts_with('-') && name.bytes().all(letter)
    };
    match kind {
        HolderKind::SlurmJob => plain(pod).then(|| format!("scancel {pod}")),
        HolderKind::Pod => {
            let known = plain(pod) && plain(namespace) && namespace != UNATTRIBUTED;
            known.then(|| format!("kubectl delete pod {pod} -n {namespace}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_of_the_kind_of_the_holder() {
        let check = |kind, namespace: &str, pod: &str, expected: Option<&str>| {
            assert_eq!(command(kind, namespace, pod).as_deref(), expected, "{namespace}/{pod}");
        };
        check(HolderKind::SlurmJob, "slurm", "42", Some("scancel 42"));
        check(HolderKind::Pod, "slurm", "42", Some("kubectl delete pod 42 -n slurm"));
        check(HolderKind::Pod, "n", "-all", None);
        check(HolderKind::SlurmJob, "slurm", "1; rm", None);
    }
}
