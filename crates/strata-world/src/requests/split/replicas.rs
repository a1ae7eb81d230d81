//! How many replicas prefill and decode would need apart, and whether to part them.

use super::{Advice, Given, LEAST, Lengths, Measured, USE};

/// A tail of the pace this many times the median says that prefills hold up those who decode.
const HELD_UP: f64 = 2.0;
/// A transfer of the cache may take this part of the prefill before it eats up what it saves.
const TRANSFER_PART: f64 = 0.1;

pub(super) fn replicas(lengths: &Lengths, measured: &Measured, given: &Given) -> Advice {
    let known = measured.prefill_s.zip(measured.decode_s).zip(given.batch);
    let counts = known.map(|((prefill, decode), batch)| {
        let busy = measured.rate * prefill / USE;
        (busy.max(f64::MIN_POSITIVE), measured.rate * decode / (batch.max(1.0) * USE))
    });
    let busiest =
        if measured.busiest_from_us.is_some() { "requests, busiest hour" } else { "requests" };
    let mut inputs = vec![(busiest, measured.rate, "{request}/s")];
    inputs.extend((lengths.output.told > 0).then_some((
        "output, mean",
        lengths.output.mean,
        "{token}",
    )));
    inputs.extend(measured.prefill_s.map(|s| ("prefill, mean", s, "s")));
    inputs.extend(measured.decode_s.map(|s| ("decode, mean", s, "s")));
    inputs.extend(given.batch.map(|batch| ("decoded at once", batch, "{request}")));
    let whole = counts.map(|(prefill, decode)| [prefill, decode].map(|n| n.ceil().max(1.0) as u64));
    Advice {
        about: "prefill to decode replicas",
        setting: whole.map(|[prefill, decode]| format!("prefill {prefill} : decode {decode}")),
        numbers: whole.into_iter().flatten().collect(),
        says: counts.map_or_else(
            || "Not known.".to_owned(),
            |(prefill, decode)| {
                let waits = ttft_s(measured, prefill.ceil());
                let waits = waits.map_or_else(String::new, |s| {
                    format!(" A prompt then takes {:.0} ms, its wait included.", s * 1e3)
                });
                let when = match measured.busiest_from_us {
                    Some(_) => "in the busiest hour",
                    None => "in this time",
                };
                format!(
                    "If they were apart, {when}: {prefill:.2} replicas of prefill and {decode:.2} \
                     of decode.{waits}"
                )
            },
        ),
        formula: "requests/s x mean prefill / 0.85; requests/s x mean decode / (decoded at once x \
                  0.85); wait D + R D^2 / (2 (1 - R D)) of an M/D/1 queue",
        inputs,
        missing: if counts.is_some() {
            ""
        } else if given.batch.is_none() {
            "how many requests a replica decodes at once within the target (batch)"
        } else {
            "prefill and decode times of the engine"
        },
    }
}

/// Mean time of a prompt at one of so many replicas: an M/D/1 queue (`DistServe`, arXiv 2401.09670).
fn ttft_s(measured: &Measured, replicas: f64) -> Option<f64> {
    let (service, rate) = (measured.prefill_s?, measured.rate / replicas.max(1.0));
    let used = rate * service;
    (used < 1.0).then(|| service + rate * service * service / (2.0 * (1.0 - used)))
}

pub(super) fn disaggregate(lengths: &Lengths, measured: &Measured, given: &Given) -> Advice {
    let held_up = measured.tpot_s.map(|(median, tail)| tail / median.max(1e-9));
    let transfer = given
        .bytes_per_token
        .zip(given.transfer)
        .map(|(bytes, speed)| lengths.input.mean * bytes / speed.max(1.0));
    let known = held_up.zip(measured.prefill_s).filter(|_| lengths.whole.told >= LEAST);
    let mut inputs = Vec::new();
    inputs.extend(held_up.map(|times| ("TPOT p99 / p50", times, "1")));
    inputs.extend(measured.prefill_s.map(|s| ("prefill, mean", s, "s")));
    inputs.extend(transfer.map(|s| ("transfer, mean", s, "s")));
    let (setting, says) = match (known, transfer) {
        (Some((times, _)), _) if times < HELD_UP => (
            Some("keep together".to_owned()),
            format!(
                "No: the slowest pace is {times:.1} times the median, so prefills do not hold up decodes."
            ),
        ),
        (Some((times, prefill)), Some(transfer)) if transfer > prefill * TRANSFER_PART => (
            Some("keep together".to_owned()),
            format!(
                "No: decodes are held up ({times:.1} times the median), but moving the cache takes \
                 {:.0} ms of a prefill of {:.0} ms. A smaller chunk budget first.",
                transfer * 1e3,
                prefill * 1e3
            ),
        ),
        (Some((times, prefill)), Some(transfer)) => (
            Some("disaggregate".to_owned()),
            format!(
                "Worth a trial after prefix caching and the chunk budget: decodes are held up \
                 ({times:.1} times the median), and moving the cache takes {:.0} ms of a prefill of \
                 {:.0} ms.",
                transfer * 1e3,
                prefill * 1e3
            ),
        ),
        _ => (None, "Not known.".to_owned()),
    };
    Advice {
        about: "disaggregate",
        missing: match (&setting, known) {
            (Some(_), _) => "",
            (None, None) => "a hundred requests with prefill times and first tokens",
            (None, Some(_)) => "bytes of the cache for a token, and the speed of the transfer",
        },
        setting,
        numbers: Vec::new(),
        says,
        formula: "TPOT p99 / p50 >= 2, and mean input x bytes per token / transfer speed <= 0.1 x \
                  mean prefill",
        inputs,
    }
}
