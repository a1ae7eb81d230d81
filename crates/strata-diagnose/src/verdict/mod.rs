//! How a layer is: a standing now and at every step of the window, with its reason.
//!
//! A layer is judged by rules: conjunctions of limits on its signals. A rule speaks only when all
//! of its signals are known; the worst rule that holds decides. A layer none of whose signals is
//! known is blind when something else says that it is there, and absent otherwise.

mod l1_gpu;
mod l2_cuda;
mod l3_host;
mod l4_sched;
mod l5_training;
mod l6_inference;
mod l7_genai;
mod l8_cost;
#[cfg(test)]
mod tests;

use strata_model::Layer;
use strata_world::{EntityKind, Grain, Reading, Scope, Signal, UnknownReason, Want, World};

/// How a thing is, in the order of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nothing of it is here, and nothing says that it should be.
    Absent,
    Ok,
    /// It is here, and no signal tells how it is.
    Blind,
    Watch,
    Broken,
}

/// A limit of one signal, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    Above(f64),
    Below(f64),
    /// Above so many times what was promised as time to the first token.
    AboveTtft(f64),
}

impl Limit {
    fn holds(self, value: f64, world: &World) -> bool {
        match self {
            Self::Above(limit) => value > limit,
            Self::Below(limit) => value < limit,
            Self::AboveTtft(times) => value > times * world.targets.ttft_s,
        }
    }
}

/// Conditions that together are worth a word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) standing: Standing,
    /// All must hold.
    pub(crate) when: &'static [(&'static str, Limit)],
    /// What that means, in a few words.
    pub(crate) says: &'static str,
}

/// What is said of a layer whose signals are told of other things than the one that is asked about.
const APART: &str = "told of the whole, not of this one thing";

/// `WATCH` when all limits hold.
pub(crate) const fn watch(when: &'static [(&'static str, Limit)], says: &'static str) -> Rule {
    Rule { standing: Standing::Watch, when, says }
}

/// `BROKEN` when all limits hold.
pub(crate) const fn broken(when: &'static [(&'static str, Limit)], says: &'static str) -> Rule {
    Rule { standing: Standing::Broken, when, says }
}

/// What judges a layer.
pub(crate) struct Bench {
    pub(crate) layer: Layer,
    /// Whether its things stand on hosts: what makes it missed in a fleet then makes it missed on a
    /// host too. Clients and prices do not.
    pub(crate) on_hosts: bool,
    /// Signals any of which, when known, says that the layer is seen.
    pub(crate) eyes: &'static [&'static str],
    pub(crate) rules: &'static [Rule],
    /// What is said when no rule holds.
    pub(crate) well: &'static str,
    /// Signals of other layers that say this one must be there, with the sentence to say when it
    /// is not seen. An empty list of signals: it is there always.
    pub(crate) expected: &'static [(&'static [&'static str], &'static str)],
    /// What is said when nothing is here.
    pub(crate) absent: &'static str,
}

const BENCHES: [&Bench; 8] = [
    &l1_gpu::BENCH,
    &l2_cuda::BENCH,
    &l3_host::BENCH,
    &l4_sched::BENCH,
    &l5_training::BENCH,
    &l6_inference::BENCH,
    &l7_genai::BENCH,
    &l8_cost::BENCH,
];

/// How a layer is.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub layer: Layer,
    pub standing: Standing,
    /// In a few words, without numbers.
    pub says: &'static str,
    /// Signals it rests on with their values, in the rule's order; empty without a rule.
    pub by: Vec<(&'static str, f64)>,
    /// One per step of the window.
    pub steps: Vec<Standing>,
}

/// Something that a layer can be found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagnosis {
    pub layer: Layer,
    /// `WATCH` or `BROKEN`.
    pub standing: Standing,
    /// In a few words, as [`Verdict::says`].
    pub says: &'static str,
    when: &'static [(&'static str, Limit)],
}

impl Diagnosis {
    /// Signals all of which it needs.
    pub fn signals(&self) -> impl Iterator<Item = &'static str> {
        self.when.iter().map(|(signal, _)| *signal)
    }
}

/// All that layers can be found to be, lowest layer first, in the order of what is worth saying.
pub fn diagnoses() -> impl Iterator<Item = Diagnosis> {
    BENCHES.iter().flat_map(|bench| {
        bench.rules.iter().map(|rule| Diagnosis {
            layer: bench.layer,
            standing: rule.standing,
            says: rule.says,
            when: rule.when,
        })
    })
}

/// What must be asked for so that every layer can be judged.
pub fn verdict_wants() -> Vec<Want> {
    wants(BENCHES.iter())
}

/// What must be asked for so that one layer can be judged.
pub fn verdict_wants_of(layer: Layer) -> Vec<Want> {
    wants(BENCHES.iter().filter(|bench| bench.layer == layer))
}

fn wants<'a>(benches: impl Iterator<Item = &'a &'static Bench>) -> Vec<Want> {
    let signals = benches.flat_map(|bench| {
        let rules = bench.rules.iter().flat_map(|rule| rule.when.iter().map(|(signal, _)| *signal));
        let expected = bench.expected.iter().flat_map(|(signals, _)| signals.iter().copied());
        rules.chain(bench.eyes.iter().copied()).chain(expected)
    });
    let mut wants: Vec<Want> =
        signals.map(|signal| Want { signal, grain: Grain::Whole, track: true }).collect();
    wants.sort_unstable();
    wants.dedup();
    wants
}

/// How each layer is, lowest first.
pub fn verdicts(world: &World) -> Vec<Verdict> {
    BENCHES.iter().map(|bench| judge(bench, world)).collect()
}

/// How one layer is.
pub fn verdict(world: &World, layer: Layer) -> Verdict {
    let bench = BENCHES.iter().find(|bench| bench.layer == layer);
    judge(bench.expect("every layer has a bench, which a test proves"), world)
}

/// The values of a signal: now, or at a step.
#[derive(Clone, Copy)]
enum At {
    Now,
    Step(usize),
}

fn value(world: &World, signal: &str, at: At) -> Option<f64> {
    let signal: &Signal = world.signal(signal, None)?;
    match at {
        At::Now => signal.now.known(),
        At::Step(step) => signal.track.get(step).copied().flatten(),
    }
}

fn judge(bench: &Bench, world: &World) -> Verdict {
    let steps = (0..world.window.len()).map(|step| standing(bench, world, At::Step(step)));
    let steps = steps.map(|(standing, _)| standing).collect();
    let (standing, rule) = standing(bench, world, At::Now);
    let (says, by) = match (standing, rule) {
        (_, Some(rule)) => {
            let values = rule.when.iter();
            let values = values.filter_map(|(id, _)| Some((*id, value(world, id, At::Now)?)));
            (rule.says, values.collect())
        }
        (Standing::Absent, None) if is_apart(bench, world) => (APART, Vec::new()),
        (Standing::Blind, None) => (expectation(bench, world).unwrap_or(bench.absent), Vec::new()),
        (Standing::Absent, None) => (bench.absent, Vec::new()),
        _ => (bench.well, Vec::new()),
    };
    Verdict { layer: bench.layer, standing, says, by, steps }
}

/// The standing at a moment, and the rule that decided.
fn standing(bench: &Bench, world: &World, at: At) -> (Standing, Option<&'static Rule>) {
    let holds = |rule: &Rule| {
        let limits = rule.when.iter();
        limits
            .map(|(id, limit)| (value(world, id, at), limit))
            .all(|(value, limit)| value.is_some_and(|value| limit.holds(value, world)))
    };
    // Of equals the first decides: rules stand in the order of what is worth saying.
    let mut worst: Option<&'static Rule> = None;
    for rule in bench.rules.iter().filter(|rule| holds(rule)) {
        if worst.is_none_or(|known| rule.standing > known.standing) {
            worst = Some(rule);
        }
    }
    if let Some(rule) = worst {
        return (rule.standing, Some(rule));
    }
    if bench.eyes.iter().any(|id| value(world, id, at).is_some()) {
        return (Standing::Ok, None);
    }
    let blind = !is_apart(bench, world) && expectation(bench, world).is_some();
    (if blind { Standing::Blind } else { Standing::Absent }, None)
}

/// Whether the World is about one thing, of which this layer cannot be asked: that nothing is known
/// says nothing then.
fn is_apart(bench: &Bench, world: &World) -> bool {
    let out_of_scope = |id: &&str| {
        let signal = world.signal(id, None);
        signal.is_some_and(|signal| {
            matches!(&signal.now, Reading::Unknown(why) if why.reason == UnknownReason::OutOfScope)
        })
    };
    let Scope::Entity(id) = &world.scope else { return false };
    // What clients see is told of a model and of a tenant, what is spent of a team too.
    let of_people = matches!(id.kind, EntityKind::Model | EntityKind::Tenant | EntityKind::Team);
    bench.eyes.iter().all(out_of_scope) || !(bench.on_hosts || of_people)
}

/// Why the layer must be there although it is not seen.
fn expectation(bench: &Bench, world: &World) -> Option<&'static str> {
    let mut expected = bench.expected.iter();
    let found = expected.find(|(signals, _)| {
        signals.is_empty()
            || signals.iter().any(|id| value(world, id, At::Now).is_some_and(|value| value > 0.0))
    });
    found.map(|(_, says)| *says)
}
