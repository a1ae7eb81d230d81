//! Training runs, laid on those who hold their GPUs.

use std::collections::{BTreeMap, BTreeSet};

use strata_world::bill::{BillRun, RunHolder};

use super::losses::{Loss, Losses, Lossy};
use super::progress::Progress;
use super::{Claim, Column, Gpu, Owner};

/// One training run in the whole period. What is None is not known; `unknown` says why.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Name of the run.
    pub name: String,
    /// Model that is trained.
    pub model: Option<String>,
    /// How its holders are known; None where nothing tells.
    pub method: Option<&'static str>,
    /// Whether all GPUs of its ranks are among those that were seen: else its money is too little.
    pub is_whole: bool,
    /// Steps whose result was kept.
    pub kept_steps: Option<f64>,
    /// Steps that were computed in the period and lost in it.
    pub lost_steps: Option<f64>,
    /// Tokens of the kept steps.
    pub tokens: Option<f64>,
    /// Floating-point operations of the model in the kept steps.
    pub useful_flop: Option<f64>,
    /// GPU seconds of work that became no progress, by [`Loss`].
    pub wasted_s: Losses,
    /// GPU seconds without work, by the loss that they are part of.
    pub idled_s: Losses,
    /// What is not known, and what would tell.
    pub unknown: Vec<String>,
}

/// Finds the runs, gives each owner its run and each of its claims its waste.
pub(super) fn runs(
    bill: &[BillRun],
    owners: &mut [Owner],
    gpus: &mut [Gpu],
    steps: usize,
    step_s: f64,
) -> Vec<Run> {
    let mut holders: BTreeMap<&RunHolder, Vec<usize>> = BTreeMap::new();
    for (at, run) in bill.iter().enumerate() {
        for holder in &run.holders {
            holders.entry(holder).or_default().push(at);
        }
    }
    for owner in owners.iter_mut() {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let holder = (owner.kind, text(&owner.namespace), text(&owner.pod));
        // Of several runs in one pod nothing tells who had the GPU.
        if let Some([only]) = holders.get(&holder).map(Vec::as_slice) {
            owner.run = Some(*only);
        }
    }
    let found = bill.iter().enumerate().map(|(at, one)| {
        let progress = Progress::of(one, steps);
        let lossy = Lossy::of(one, &progress, steps, step_s);
        let mut run = run(one, &progress, &lossy);
        let held = lay(at, &lossy, owners, gpus, &mut run, (steps, step_s));
        let shared = one.holders.iter().any(|holder| {
            holders.get(holder).is_some_and(|runs| runs.len() > 1)
        });
        let why = if one.method.is_none() {
            Some(
                "which GPUs it holds: its series name no pod that holds one, and no workload of its \
                 name does"
                    .to_owned(),
            )
        } else if shared {
            Some("which GPUs it holds: a pod of it has several runs".to_owned())
        } else {
            unseen(one.ranks, &progress, &held)
        };
        run.is_whole = why.is_none();
        run.unknown.extend(why);
        run
    });
    found.collect()
}

fn run(one: &BillRun, progress: &Progress, lossy: &Lossy) -> Run {
    let mut unknown = Vec::new();
    let mut tell = |is_known: bool, what: &str| {
        if !is_known {
            unknown.push(what.to_owned());
        }
    };
    let kept_steps = Progress::total(&progress.kept);
    tell(kept_steps.is_some(), "kept and lost steps: training.step");
    let tokens = progress.amount(&one.tokens, &one.step_tokens);
    tell(tokens.is_some(), "tokens: training.step with training.tokens or training.tokens.rate");
    let of_gpus: Vec<Option<f64>> =
        one.step_gpu_flop.iter().map(|flop| Some((*flop)? * one.ranks?)).collect();
    let useful_flop = progress.amount(&one.flop, &of_gpus);
    tell(
        useful_flop.is_some(),
        "useful operations: training.step with training.flops, or with training.flops.rate and \
         training.step.duration and the number of ranks",
    );
    for loss in &lossy.unmeasured {
        let needs = match loss {
            Loss::LostSteps => "training.step or ",
            Loss::Restart => "training.checkpoint.restore.duration or ",
            Loss::CheckpointStall => "training.checkpoint.save.duration or ",
            Loss::DataWait => "training.data.wait.time or ",
            Loss::Straggler => "training.straggler.ratio or ",
            Loss::Other => "",
        };
        tell(false, &format!("{}: {needs}training.badput.time", loss.name()));
    }
    tell(
        lossy.gaps == 0,
        &format!("its losses in {} of the steps in which it worked: they have a gap", lossy.gaps),
    );
    Run {
        name: one.run.clone(),
        model: one.model.clone(),
        method: one.method,
        kept_steps,
        lost_steps: Progress::total(&progress.lost),
        tokens,
        useful_flop,
        unknown,
        ..Run::default()
    }
}

/// Why the GPUs of a run are not all its own, by how many it held in each step. It is judged in those
/// steps in which it worked: at its start one rank waits for another, and what is held meanwhile is its
/// money too. A GPU in place of another one is never both.
fn unseen(ranks: Option<f64>, progress: &Progress, held: &[usize]) -> Option<String> {
    let works = |at: &usize| progress.computed(*at).is_some_and(|steps| steps > 0.0);
    let mut judged: Vec<usize> = (0..held.len()).filter(works).collect();
    let of = |at: usize| held.get(at).copied().unwrap_or(0);
    if judged.is_empty() {
        judged = (0..held.len()).filter(|at| of(*at) > 0).collect();
    }
    let ranks = ranks.unwrap_or(1.0);
    let few = judged.iter().filter(|at| (of(**at) as f64) < ranks).count();
    let least = judged.iter().map(|at| of(*at)).min().unwrap_or(0);
    (few > 0 || judged.is_empty()).then(|| {
        format!(
            "its cost: of the GPUs of {ranks} ranks {least} were seen with a holder of it in {few} of \
             {} steps",
            judged.len()
        )
    })
}

/// Gives the claims of a run their waste and adds its losses up. Says how many GPUs it holds in each step.
fn lay(
    at: usize,
    lossy: &Lossy,
    owners: &[Owner],
    gpus: &mut [Gpu],
    run: &mut Run,
    (steps, step_s): (usize, f64),
) -> Vec<usize> {
    let mut held: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (place, gpu) in gpus.iter_mut().enumerate() {
        let Gpu { claims, utilization, portion, .. } = gpu;
        for claim in claims {
            if owners.get(claim.owner).and_then(|owner| owner.run) != Some(at) {
                continue;
            }
            held.extend((claim.first..claim.end.min(steps)).map(|step| (step, place)));
            let mut waste = vec![None; steps];
            for step in claim.first..claim.end.min(steps) {
                let Some(busy) = busy(claim, utilization, step) else { continue };
                let Some((wasted, idled)) = lossy.split(step, busy) else { continue };
                let seconds = step_s * *portion * claim.requested;
                add(&mut run.wasted_s, wasted, seconds);
                add(&mut run.idled_s, idled, seconds);
                let whole: f64 = wasted.iter().sum();
                if let Some(waste) = waste.get_mut(step) {
                    *waste = Some(if busy > 0.0 { (whole / busy).min(1.0) } else { 0.0 });
                }
            }
            claim.waste = Column::of(waste);
        }
    }
    let mut in_steps = vec![0; steps];
    for (step, _) in held {
        if let Some(count) = in_steps.get_mut(step) {
            *count += 1;
        }
    }
    in_steps
}

/// Share of the holder's own part of the GPU in which its kernels ran.
fn busy(claim: &Claim, utilization: &Column, step: usize) -> Option<f64> {
    let own = || {
        let used = claim.used.share(step)?;
        (claim.requested > 0.0).then(|| (used / claim.requested).min(1.0))
    };
    own().or_else(|| utilization.share(step))
}

fn add(all: &mut Losses, shares: Losses, seconds: f64) {
    for (all, share) in all.iter_mut().zip(shares) {
        *all += share * seconds;
    }
}
