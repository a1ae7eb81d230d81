//! What one engine may be set to: the longest request that it admits, and the prompt tokens of a step.

use super::{Advice, Given, LEAST, Lengths, Measured};

/// Tokens that lengths and budgets are rounded to.
const PAGE: u64 = 256;
/// Room above the longest request that was seen.
const ROOM: f64 = 1.25;

pub(super) fn longest(lengths: &Lengths, measured: &Measured) -> Advice {
    let whole = &lengths.whole;
    let wanted = (whole.longest as f64 * ROOM) as u64;
    let wanted = wanted.div_ceil(4 * PAGE) * 4 * PAGE;
    let enough = whole.told >= LEAST;
    Advice {
        about: "max_model_len",
        setting: enough.then(|| format!("--max-model-len {wanted}")),
        numbers: enough.then_some(wanted).into_iter().collect(),
        says: if whole.told == 0 {
            "Not known.".to_owned()
        } else {
            let of = if measured.taken < measured.matching {
                format!(
                    " of {} that were read of {}; a longer one may be among the others",
                    measured.taken, measured.matching
                )
            } else {
                String::new()
            };
            format!(
                "The longest request{of} had {} tokens, 99 of 100 have at most {}. What is reserved \
                 or admitted for longer ones is not used.",
                whole.longest, whole.quantiles[2]
            )
        },
        formula: "longest input + output x 1.25, up to a whole 1024",
        inputs: [("longest", whole.longest), ("p99", whole.quantiles[2])]
            .into_iter()
            .filter(|_| whole.told > 0)
            .map(|(name, tokens)| (name, tokens as f64, "{token}"))
            .collect(),
        missing: if enough { "" } else { "a hundred requests that tell input and output" },
    }
}

pub(super) fn chunk(measured: &Measured, given: &Given) -> Advice {
    let known = measured.prefill_speed.zip(measured.tpot_s);
    let budget = known.map(|(speed, (median, _))| speed * (given.itl_target_s - median));
    let fits = budget.filter(|tokens| *tokens >= PAGE as f64);
    let pages = fits.map(|tokens| (tokens as u64) / PAGE * PAGE);
    let mut inputs = vec![("ITL target", given.itl_target_s, "s")];
    inputs.extend(measured.prefill_speed.map(|speed| ("prefill", speed, "{token}/s")));
    inputs.extend(measured.tpot_s.map(|(median, _)| ("TPOT p50", median, "s")));
    Advice {
        about: "chunked-prefill budget",
        setting: pages.map(|tokens| format!("--max-num-batched-tokens {tokens}")),
        numbers: pages.into_iter().collect(),
        says: match (budget, fits) {
            (_, Some(tokens)) => format!(
                "A step may compute {tokens:.0} prompt tokens beside the decodes and stay within \
                 the target."
            ),
            (Some(_), None) => "Decoding alone takes the whole target: no chunk is small enough, \
                                a smaller batch or more replicas are."
                .to_owned(),
            (None, _) => "Not known.".to_owned(),
        },
        formula: "(ITL target - TPOT p50) x prompt tokens a second of prefill",
        inputs,
        missing: if known.is_some() { "" } else { "prefill times of the engine, and first tokens" },
    }
}
