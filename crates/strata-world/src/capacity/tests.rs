//! The card from readings that are known.

use super::*;

/// An engine whose load goes up and down: a step takes `8 ms + 0.2 ms` a request.
fn read() -> read::Read {
    let mut moments = Vec::new();
    for at in 0..400 {
        let running = 10.0 + 8.0 * (f64::from(at) / 30.0).sin();
        let itl = 0.008 + 0.0002 * running;
        let tokens = running / itl * 15.0;
        moments.push(Moment {
            at_s: f64::from(at) * 15.0,
            running: Some(running),
            waiting: Some(0.0),
            pinned: Some(1000.0 * running),
            capacity: Some(100_000.0),
            arrived: Some(tokens / 200.0),
            started: Some(tokens / 200.0),
            prompt: Some(tokens / 200.0 * 900.0),
            cached: Some(tokens / 200.0 * 300.0),
            finished: Some(tokens / 200.0),
            generated: Some(tokens),
            gap_seconds: Some(tokens * itl),
            gaps: Some(tokens),
            prefill_seconds: Some(tokens / 200.0 * 0.02),
            decode_seconds: Some(tokens * itl),
            cpu_seconds: Some(0.3 + tokens * 0.0001),
        });
    }
    let lengths = |edge: f64| Lengths::new(&[edge / 2.0, edge], &[5.0, 5.0]);
    read::Read {
        moments,
        ranks: 1,
        prompt: lengths(1000.0),
        output: lengths(500.0),
        limit: Some(12.5),
        bytes: Some(13_107_200_000.0),
        dtype: Some("auto".to_owned()),
        gpus: Some(1.0),
        model: Some("llama-3.1-8b-instruct".to_owned()),
        engine: Some("vllm".to_owned()),
        ..read::Read::default()
    }
}

fn card_of(read: read::Read) -> Capacity {
    of(read, 6000.0, Targets::default())
}

#[test]
fn a_page_that_says_all_gives_all() {
    let card = card_of(read());
    assert_eq!(card.semantics, Semantics::Pinned);
    let step = card.step.as_ref().unwrap();
    assert!((step.per_request_s - 0.0002).abs() < 2e-5, "{step:?}");
    assert!((card.shared.unwrap() - 1.0 / 3.0).abs() < 1e-9);
    let known: Vec<bool> = card.ceilings.iter().map(|one| one.requests.is_ok()).collect();
    // What vLLM calls its concurrency is no limit of running requests.
    assert_eq!(known, [true, true, true, false, true]);
    // 0.85 of a core less the 0.02 when idle, at 0.1 ms a token and 200 tokens a request.
    let front_end = *card.ceilings[4].requests.as_ref().unwrap();
    assert!((front_end - 0.83 / 0.02).abs() < 1e-6, "{front_end}");
    assert!(card.headroom().unwrap() > 0.0);
    let fits = card.fits.as_ref().unwrap();
    // A prompt and the answer: what hits the cache may be the request's own.
    assert_eq!(fits[2].unwrap().tokens, 1500.0);
    assert_eq!(
        (card.bytes.shape.clone(), card.bytes.engine.clone()),
        (Ok(131_072.0), Ok(131_072.0))
    );
    // 100 000 tokens for 12.5 of the longest: 8000, far above 1500.
    assert!(card.wastes.iter().any(|waste| waste.text.starts_with("8000 tokens")), "{card:?}");
    assert!(card.saturation.iter().all(|one| one.judged.is_err() && one.balance.is_some()));
}

#[test]
fn resident_tokens_are_no_load() {
    let engine = Some("lmdeploy".to_owned());
    let card = card_of(read::Read { engine, ..read() });
    assert_eq!(card.semantics, Semantics::Resident);
    assert!(card.ceilings[0].requests.is_err());
    assert!(card.saturation.iter().all(|one| one.balance.is_none()));
    // Its limit is one of running requests.
    assert!(card.ceilings[3].requests.is_ok());
}

#[test]
fn a_silent_page_gives_reasons_and_no_number() {
    let card = card_of(read::Read::default());
    assert_eq!(card.semantics, Semantics::Unknown);
    assert!(card.ceilings.iter().all(|one| one.requests.is_err()));
    assert!(card.step.is_err() && card.fits.is_err() && card.headroom().is_none());
    assert!(card.bytes.shape.is_err() && card.bytes.engine.is_err() && card.wastes.is_empty());
    assert!(card.saturation.iter().all(|one| one.judged.is_err() && one.balance.is_none()));
}
