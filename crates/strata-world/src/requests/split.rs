//! Prefill and decode: what lengths and times of requests say about the way engines are set up. The
//! formulas are those of queueing over measured times; what is not measured is named and left out.

use strata_model::record::RequestSample;

use super::lengths::Lengths;

/// How far a replica may be used.
pub const USE: f64 = 0.85;
/// Tokens that lengths and budgets are rounded to.
const PAGE: u64 = 256;
/// Room above the longest request that was seen.
const ROOM: f64 = 1.25;
/// A tail of the pace this many times the median says that prefills hold up those who decode.
const HELD_UP: f64 = 2.0;
/// A transfer of the cache may take this part of the prefill before it eats up what it saves.
const TRANSFER_PART: f64 = 0.1;
/// Fewer requests than this say nothing of a tail.
const LEAST: u64 = 100;

/// What only the operator knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// Target of the gap between output tokens, seconds.
    pub itl_target_s: f64,
    /// Requests that one replica decodes at once within the target.
    pub batch: Option<f64>,
    /// Bytes of the KV cache for a token.
    pub bytes_per_token: Option<f64>,
    /// Bytes a second from a prefill to a decode replica.
    pub transfer: Option<f64>,
}

/// One line of advice: what to do, or why nothing is advised.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    pub about: &'static str,
    /// The setting, ready to copy; `None` where nothing is advised.
    pub setting: Option<String>,
    pub says: String,
    pub formula: &'static str,
    /// (name, value, unit) that it rests on.
    pub inputs: Vec<(&'static str, f64, &'static str)>,
    /// What is missing for it; empty where it stands.
    pub missing: &'static str,
}

/// What was measured of the requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// Requests a second.
    pub rate: f64,
    /// Mean times in prefill and decode, seconds.
    pub prefill_s: Option<f64>,
    pub decode_s: Option<f64>,
    /// Prompt tokens that are computed in a second of prefill.
    pub prefill_speed: Option<f64>,
    /// Mean gap between output tokens of a request, its median and 99th percentile, seconds.
    pub tpot_s: Option<(f64, f64)>,
}

impl Measured {
    /// Of `matching` requests, of which these are samples, that began within so many seconds.
    pub fn of(samples: &[RequestSample], matching: u64, seconds: f64) -> Self {
        let mean = |of: fn(&RequestSample) -> Option<i64>| {
            let known: Vec<i64> = samples.iter().filter_map(of).collect();
            let sum: f64 = known.iter().map(|us| *us as f64 / 1e6).sum();
            (!known.is_empty()).then(|| sum / known.len() as f64)
        };
        let both = samples.iter().filter_map(|one| Some((one.computed()?, one.prefill_us?)));
        let (mut tokens, mut busy_us) = (0.0, 0.0);
        for (computed, took) in both {
            tokens += computed as f64;
            busy_us += took as f64;
        }
        let mut paces: Vec<f64> = samples.iter().filter_map(RequestSample::tpot_s).collect();
        paces.sort_by(f64::total_cmp);
        let at = |q: f64| paces.get(((q * paces.len() as f64).ceil() as usize).max(1) - 1).copied();
        Self {
            rate: matching as f64 / seconds.max(1.0),
            prefill_s: mean(|one| one.prefill_us),
            decode_s: mean(|one| one.decode_us),
            prefill_speed: (busy_us > 0.0 && tokens > 0.0).then(|| tokens / (busy_us / 1e6)),
            tpot_s: at(0.5).zip(at(0.99)),
        }
    }
}

/// What follows for the engines.
pub fn advise(lengths: &Lengths, measured: &Measured, given: &Given) -> Vec<Advice> {
    vec![
        longest(lengths),
        chunk(measured, given),
        replicas(lengths, measured, given),
        disaggregate(lengths, measured, given),
    ]
}

fn longest(lengths: &Lengths) -> Advice {
    let whole = &lengths.whole;
    let wanted = (whole.longest as f64 * ROOM) as u64;
    let wanted = wanted.div_ceil(4 * PAGE) * 4 * PAGE;
    let enough = whole.told >= LEAST;
    Advice {
        about: "max_model_len",
        setting: enough.then(|| format!("--max-model-len {wanted}")),
        says: if whole.told == 0 {
            "Not known.".to_owned()
        } else {
            format!(
                "The longest request seen had {} tokens, 99 of 100 have at most {}. What is reserved \
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

fn chunk(measured: &Measured, given: &Given) -> Advice {
    let known = measured.prefill_speed.zip(measured.tpot_s);
    let budget = known.map(|(speed, (median, _))| speed * (given.itl_target_s - median));
    let fits = budget.filter(|tokens| *tokens >= PAGE as f64);
    let mut inputs = vec![("ITL target", given.itl_target_s, "s")];
    inputs.extend(measured.prefill_speed.map(|speed| ("prefill", speed, "{token}/s")));
    inputs.extend(measured.tpot_s.map(|(median, _)| ("TPOT p50", median, "s")));
    Advice {
        about: "chunked-prefill budget",
        setting: fits
            .map(|tokens| format!("--max-num-batched-tokens {}", (tokens as u64) / PAGE * PAGE)),
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

fn replicas(lengths: &Lengths, measured: &Measured, given: &Given) -> Advice {
    let known = measured.prefill_s.zip(measured.decode_s).zip(given.batch);
    let counts = known.map(|((prefill, decode), batch)| {
        let busy = measured.rate * prefill / USE;
        (busy.max(f64::MIN_POSITIVE), measured.rate * decode / (batch.max(1.0) * USE))
    });
    let mut inputs = vec![
        ("requests", measured.rate, "{request}/s"),
        ("output, mean", lengths.output.mean, "{token}"),
    ];
    inputs.extend(measured.prefill_s.map(|s| ("prefill, mean", s, "s")));
    inputs.extend(measured.decode_s.map(|s| ("decode, mean", s, "s")));
    inputs.extend(given.batch.map(|batch| ("decoded at once", batch, "{request}")));
    Advice {
        about: "prefill to decode replicas",
        setting: counts.map(|(prefill, decode)| {
            format!("prefill {:.0} : decode {:.0}", prefill.ceil(), decode.ceil().max(1.0))
        }),
        says: counts.map_or_else(
            || "Not known.".to_owned(),
            |(prefill, decode)| {
                let waits = ttft_s(measured, prefill.ceil());
                let waits = waits.map_or_else(String::new, |s| {
                    format!(" A prompt then takes {:.0} ms, its wait included.", s * 1e3)
                });
                format!(
                    "If they were apart: {prefill:.2} replicas of prefill and {decode:.2} of \
                     decode.{waits}"
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

fn disaggregate(lengths: &Lengths, measured: &Measured, given: &Given) -> Advice {
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
        says,
        formula: "TPOT p99 / p50 >= 2, and mean input x bytes per token / transfer speed <= 0.1 x \
                  mean prefill",
        inputs,
    }
}

#[cfg(test)]
mod tests {
    use strata_model::record::TokenBuckets;

    use super::*;

    /// 1000 requests of 2000 + 200 tokens: prefill at 10,000 tokens/s, a gap of 20 ms, and one in
    /// fifty three times as slow.
    fn samples(is_told: bool) -> Vec<RequestSample> {
        let one = |n: i64| RequestSample {
            ttft_us: Some(250_000),
            prefill_us: is_told.then_some(200_000),
            decode_us: is_told.then_some(if n % 50 == 0 { 11_940_000 } else { 3_980_000 }),
            tokens: TokenBuckets {
                fresh_input: Some(2_000),
                output_text: Some(200),
                ..TokenBuckets::default()
            },
            ..RequestSample::default()
        };
        (0..1_000).map(one).collect()
    }

    fn advised(given: Given, is_told: bool) -> Vec<Advice> {
        let samples = samples(is_told);
        let measured = Measured::of(&samples, 2_000, 1_000.0);
        advise(&Lengths::of(samples.iter()), &measured, &given)
    }

    const NOTHING: Given =
        Given { itl_target_s: 0.05, batch: None, bytes_per_token: None, transfer: None };

    #[test]
    fn settings_follow_from_what_was_measured() {
        let given = Given {
            batch: Some(32.0),
            bytes_per_token: Some(131_072.0),
            transfer: Some(25e9),
            ..NOTHING
        };
        let found = advised(given, true);
        let settings: Vec<_> = found.iter().map(|one| one.setting.as_deref().unwrap()).collect();
        // 2200 x 1.25 = 2750; (50 - 20) ms x 10,000/s = 300; 2/s x 0.2 s / 0.85 = 0.47;
        // 2/s x 4.14 s / (32 x 0.85) = 0.30; 2000 x 131,072 B / 25 GB/s = 10.5 ms of 200 ms.
        assert_eq!(
            settings,
            [
                "--max-model-len 3072",
                "--max-num-batched-tokens 256",
                "prefill 1 : decode 1",
                "disaggregate"
            ]
        );
        assert!(found[2].says.contains("0.47 replicas of prefill and 0.30"), "{}", found[2].says);
        // M/D/1: 0.2 + 2 x 0.04 / (2 x 0.6)
        assert!(found[2].says.contains("267 ms"), "{}", found[2].says);
        let slow = Given { transfer: Some(1e9), ..given };
        assert_eq!(advised(slow, true)[3].setting.as_deref(), Some("keep together"));
        let hasty = Given { itl_target_s: 0.015, ..given };
        assert_eq!(advised(hasty, true)[1].setting, None);
        assert_eq!(advised(hasty, true)[1].missing, "");
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_advised() {
        let found = advised(NOTHING, true);
        assert!(found[2].setting.is_none() && found[2].missing.contains("batch"));
        assert!(found[3].setting.is_none() && found[3].missing.contains("transfer"));
        let found = advised(Given { batch: Some(32.0), ..NOTHING }, false);
        assert!(found[1].setting.is_none() && found[1].missing.contains("prefill times"));
        assert!(found[2].setting.is_none() && found[2].missing.contains("prefill and decode"));
        let nothing = advise(&Lengths::default(), &Measured::default(), &NOTHING);
        assert!(nothing.iter().all(|one| one.setting.is_none() && !one.missing.is_empty()));
    }
}
