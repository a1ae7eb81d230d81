//! The engine against what must hold: tokens and blocks are conserved, and queues behave as theory
//! says.

use proptest::prelude::*;

use super::*;
use crate::hardware::{H100, SMALL};
use crate::rng::Rng;

const PACE: Pace =
    Pace { clock: 1.0, memory: 1.0, nvlink: 450e9, host_stretch: 1.0, cpu_quota: 8.0 };
const LIMITS: Limits = Limits { sequences: 64, batch_tokens: 2048 };

fn ask(number: u64, arrival: f64, prompt: u64, natural: u64) -> Ask {
    Ask {
        tenant: (number % 3) as usize,
        conversation: number,
        arrival,
        deadline: f64::INFINITY,
        prompt: prompt + 40,
        system: 40,
        natural,
        max_tokens: 200,
    }
}

/// Play asks in order of arrival until `end`; what ended.
fn play(engine: &mut Engine, asks: &[Ask], limits: Limits, end: f64) -> Vec<Ended> {
    let mut ended = Vec::new();
    for ask in asks {
        engine.advance(ask.arrival, limits, PACE, &mut ended);
        engine.accept(*ask);
    }
    engine.advance(end, limits, PACE, &mut ended);
    ended
}

#[test]
fn a_request_alone_has_the_time_of_its_steps() {
    let mut engine = Engine::new(SMALL, H100, 1.0, 10_000);
    let ended = play(&mut engine, &[ask(1, 1.0, 1000, 50)], LIMITS, 100.0);
    let [one] = ended.as_slice() else { panic!("{ended:?}") };
    assert_eq!((one.reason, one.delivered), (Reason::Stop, 50));
    let first = one.first_token.unwrap();
    assert!((0.02..0.08).contains(&(first - 1.0)), "{first}");
    let gap = (one.end - first) / 49.0;
    assert!((0.007..0.010).contains(&gap), "{gap}");
    assert_eq!(engine.stats.itl.count(), 49);
    assert_eq!(engine.kv.pinned(), 0);
}

#[test]
fn a_second_turn_finds_the_first_in_the_cache() {
    let mut engine = Engine::new(SMALL, H100, 1.0, 10_000);
    let first = ask(1, 0.0, 600, 100);
    let second = Ask { arrival: 10.0, prompt: first.prompt + 100 + 50, ..first };
    let ended = play(&mut engine, &[first, second], LIMITS, 100.0);
    assert_eq!(ended.len(), 2);
    // The system prompt's two blocks, and all whole blocks of the first prompt and answer but for
    // the token that was sampled last.
    let before = (first.prompt + 99 - 32) / BLOCK * BLOCK + 32;
    assert_eq!(engine.stats.hits, before);
    assert_eq!(engine.stats.cached_tokens, before);
}

#[test]
fn a_limit_ends_by_length_and_patience_by_abort() {
    let mut engine = Engine::new(SMALL, H100, 1.0, 10_000);
    let long = ask(1, 0.0, 100, 1000);
    let hurried = Ask { deadline: 1.01, ..ask(2, 1.0, 20_000, 10) };
    let ended = play(&mut engine, &[long, hurried], LIMITS, 100.0);
    let reasons: Vec<_> = ended.iter().map(|one| (one.ask.conversation, one.reason)).collect();
    assert_eq!(reasons, [(2, Reason::Abort), (1, Reason::Length)]);
    assert_eq!(ended[1].delivered, 200);
}

#[test]
fn too_few_blocks_preempt_and_nothing_is_lost() {
    let asks: Vec<_> = (0..40).map(|n| ask(n, n as f64 * 0.02, 300, 190)).collect();
    let mut engine = Engine::new(SMALL, H100, 1.0, 200);
    let ended = play(&mut engine, &asks, LIMITS, 1000.0);
    assert!(engine.stats.preemptions > 0);
    assert_eq!(ended.len(), 40);
    assert!(ended.iter().all(|one| one.reason == Reason::Stop && one.delivered == 190));
    assert_eq!(engine.stats.generation_tokens, 40 * 190, "no token twice");
    assert_eq!(engine.kv.pinned(), 0);
}

#[test]
fn what_can_never_fit_is_refused_and_the_rest_goes_on() {
    let mut engine = Engine::new(SMALL, H100, 1.0, 20);
    let ended = play(&mut engine, &[ask(1, 0.0, 5000, 5), ask(2, 0.1, 50, 5)], LIMITS, 10.0);
    let reasons: Vec<_> = ended.iter().map(|one| one.reason).collect();
    assert_eq!(reasons, [Reason::Error, Reason::Stop]);
}

/// With one sequence at a time and answers of exponential length the engine is an M/M/1 queue, as
/// far as service times are proportional to lengths: mean time in system S / (1 - rho)
/// (Kleinrock, Queueing Systems I, 1975, 3.2).
#[test]
fn one_sequence_at_a_time_is_a_queue_of_theory() {
    let mut rng = Rng::of(3, "queue");
    let limits = Limits { sequences: 1, batch_tokens: 2048 };
    let (mut at, mut asks) = (0.0, Vec::new());
    for number in 0..30_000 {
        at += rng.exponential(1.4);
        let natural = rng.exponential(100.0).ceil() as u64;
        asks.push(Ask { max_tokens: 1_000_000, ..ask(number, at, 1, natural) });
    }
    let mut engine = Engine::new(SMALL, H100, 1.0, 100_000);
    let ended = play(&mut engine, &asks, limits, at + 1000.0);
    assert_eq!(ended.len(), asks.len());
    let count = ended.len() as f64;
    let service = (engine.stats.inference.sum() + engine.stats.queue.sum() * 0.0) / count;
    let in_system = engine.stats.e2e.sum() / count;
    let rho = service / 1.4;
    let theory = service / (1.0 - rho);
    assert!((0.45..0.75).contains(&rho), "{rho}");
    // 30 000 customers at this load leave some per cent of uncertainty.
    assert!((in_system / theory - 1.0).abs() < 0.08, "{in_system} for {theory}, rho {rho}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn tokens_and_blocks_are_conserved(
        seed in 0u64..1000,
        capacity in 60u64..600,
        sequences in 1usize..40,
        rate in 1.0f64..40.0,
    ) {
        let mut rng = Rng::of(seed, "asks");
        let limits = Limits { sequences, batch_tokens: 512 };
        let mut engine = Engine::new(SMALL, H100, 1.0, capacity);
        let (mut at, mut ended, mut came) = (0.0, Vec::new(), 0);
        for number in 0..150 {
            at += rng.exponential(1.0 / rate);
            engine.advance(at, limits, PACE, &mut ended);
            let prompt = rng.log_normal(200.0, 1.0).ceil().min(5000.0) as u64;
            let natural = rng.log_normal(60.0, 1.0).ceil() as u64;
            let deadline = at + rng.exponential(20.0);
            let ask = Ask { deadline, ..ask(number / 2, at, prompt, natural) };
            came += ask.prompt;
            engine.accept(ask);
            prop_assert!(engine.kv.pinned() + engine.kv.cached() <= capacity);
            // What came in was processed, is inside, or left before its first token.
            let gone = ended.iter().filter(|one: &&Ended| one.first_token.is_none());
            let gone: u64 = gone.map(|one| one.ask.prompt).sum();
            let inside = engine.prompt_tokens_inside();
            prop_assert_eq!(came, engine.stats.prompt_tokens + inside + gone);
        }
        engine.advance(at + 10_000.0, limits, PACE, &mut ended);
        prop_assert_eq!(engine.load(), 0);
        prop_assert_eq!(engine.kv.pinned(), 0);
        prop_assert_eq!(ended.len(), 150);
        let delivered: u64 = ended.iter().map(|one| one.delivered).sum();
        prop_assert_eq!(engine.stats.generation_tokens, delivered);
        prop_assert_eq!(engine.stats.ended_in_all(), 150);
    }
}
