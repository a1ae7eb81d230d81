//! Whether the numbers are sane and progress is kept.

use super::run;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    run("l5.loss", "{loss}", "avg by (%) (<training.loss>)")
        .undefined("the loss is not a number")
        .means("Training loss, mean over the ranks that report it.", "training.loss; the greatest"),
    run("l5.validation_loss", "{loss}", "avg by (%) (<training.validation.loss>)")
        .undefined("the loss is not a number")
        .means(
            "Validation loss, mean over the ranks that report it.",
            "training.validation.loss; the greatest",
        ),
    run("l5.gradient_norm", "{norm}", "max by (%) (<training.grad.norm>)")
        .undefined("the norm is not a number")
        .means("Global L2 norm of the gradients.", "training.grad.norm; the greatest"),
    run("l5.learning_rate", "{rate}", "max by (%) (<training.learning_rate>)")
        .means("Learning rate.", "training.learning_rate; the greatest"),
    run(
        "l5.not_finite",
        "{event}",
        "sum by (%) (increase<training.nan.count>) + sum by (%) (increase<training.inf.count>) \
         or sum by (%) (increase<training.nan.count>) \
         or sum by (%) (increase<training.inf.count>)",
    )
    .whole(Whole::Sum)
    .undefined("the counter has no two samples yet")
    .means(
        "Losses or gradients in the last ten minutes that were NaN or infinite.",
        "increase of training.nan.count and training.inf.count over 10 min; sum over the runs",
    ),
    run("l5.restarts", "{restart}", "max by (%) (increase<training.restarts>)")
        .whole(Whole::Sum)
        .undefined("the counter has no two samples yet")
        .means(
            "Restarts of a run in the last ten minutes.",
            "increase of training.restarts over 10 min; sum over the runs",
        ),
    run(
        "l5.steps_at_risk",
        "{step}",
        "max by (%) (<training.step>) - max by (%) (<training.checkpoint.last_step>)",
    )
    .means(
        "Steps since the last checkpoint: what a failure now would cost.",
        "step - step of the last checkpoint; the worst run",
    ),
    run(
        "l5.checkpoint_save_mean",
        "s",
        "sum by (%) (rate<training.checkpoint.save.duration:sum>) \
         / sum by (%) (rate<training.checkpoint.save.duration:count>)",
    )
    .undefined("no checkpoint was saved in the rate window")
    .means("Mean time to save a checkpoint.", "rate(sum) / rate(count); the slowest run"),
    run("l5.straggler", "1", "max by (%) (<training.straggler.ratio>)").means(
        "How much slower the slowest rank is than the others, from the trainer's timers.",
        "training.straggler.ratio; the worst run",
    ),
    run("l5.badput", "1", "sum by (%) (rate<training.badput.time>)").means(
        "Share of time that did not become training progress, all kinds together.",
        "rate of training.badput.time; the worst run",
    ),
];
