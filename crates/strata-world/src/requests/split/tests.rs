//! Advice over made-up requests whose truth is known.

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
    let samples: Vec<&RequestSample> = samples.iter().collect();
    Advised::of("m".to_owned(), &samples, 2_000, &(0..1_000_000_000), &given).advice
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
    // Half of them were read.
    assert!(found[0].says.contains("of 1000 that were read of 2000"), "{}", found[0].says);
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
    // Where nobody told an output there is none, and not one of no tokens.
    let replicas = advise(&Lengths::default(), &Measured::default(), &NOTHING).remove(2);
    assert!(replicas.inputs.iter().all(|(name, ..)| !name.contains("output")), "{replicas:?}");
    let nothing = advise(&Lengths::default(), &Measured::default(), &NOTHING);
    assert!(nothing.iter().all(|one| one.setting.is_none() && !one.missing.is_empty()));
}
