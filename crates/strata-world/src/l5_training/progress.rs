//! Speed: steps, tokens, model FLOPs.

use super::run;
use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    run(
        "l5.step_time",
        "s",
        "max by (%) (<training.step.duration>) \
         or sum by (%) (rate<training.step.time:sum>) / sum by (%) (rate<training.step.time:count>)",
    )
    .undefined("no step finished in the rate window")
    .means(
        "Time of a training step: of the slowest rank, as the trainer reports it, else the mean \
         of its histogram.",
        "training.step.duration, else rate(sum) / rate(count); the slowest run",
    ),
    Recipe::new(
        EntityKind::Rank,
        "l5.rank_step_time",
        "s",
        "max by (%) (<training.step.duration>)",
    )
    .means(
        "Time of a training step of one rank. Ranks wait for each other, so all look alike: the \
         late one shows in its data wait and in the blame of its collectives.",
        "training.step.duration; the slowest rank",
    ),
    run("l5.mfu", "1", "avg by (%) (<training.mfu>)").whole(Whole::Min).means(
        "Model FLOP/s over the dense peak of the hardware at the run's precision (PaLM, appendix \
         B), in the trainer's own convention.",
        "mean over the ranks; the lowest run",
    ),
    run(
        "l5.tokens_per_second",
        "{token}/s",
        "max by (%) (<training.tokens.rate>) or max by (%) (rate<training.tokens>)",
    )
    .whole(Whole::Sum)
    .means(
        "Tokens trained on per second, over all ranks of a run.",
        "training.tokens.rate, else rate of training.tokens; sum over the runs",
    ),
    run("l5.tokens_per_second_per_gpu", "{token}/s", "avg by (%) (<training.tokens.rate_per_gpu>)")
        .whole(Whole::Min)
        .means(
            "Tokens trained on per second and GPU (torchtitan tps, MaxText Tokens/s/device).",
            "mean over the ranks; the lowest run",
        ),
    run("l5.flops", "{flop}/s", "avg by (%) (<training.flops.rate>)").whole(Whole::Sum).means(
        "Model FLOP/s of one GPU as the trainer reports them; recomputation does not count.",
        "training.flops.rate, mean over the ranks; sum over the runs",
    ),
    run("l5.step", "{step}", "max by (%) (<training.step>)").means(
        "Number of the current step; it goes back after a restart from a checkpoint.",
        "training.step; the greatest",
    ),
    run("l5.goodput", "1", "min by (%) (<training.goodput>)").whole(Whole::Min).means(
        "Share of elapsed time that became training progress (Google ML Goodput).",
        "training.goodput; the lowest run",
    ),
    run("l5.ettr", "1", "min by (%) (<training.ettr>)").whole(Whole::Min).means(
        "Effective training time ratio: productive over available time (arXiv 2410.21680).",
        "training.ettr; the lowest run",
    ),
    run(
        "l5.data_wait_share",
        "1",
        "max by (%) (rate<training.data.wait.time>) \
         or max by (%) (<training.data.wait> / (<training.step.duration> > 0))",
    )
    .means(
        "Share of time in which a rank waited for its data loader.",
        "rate of training.data.wait.time, else data wait / step time; the worst rank",
    ),
];
