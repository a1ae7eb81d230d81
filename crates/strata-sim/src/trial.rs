//! Recorded requests on engines that could serve them: what users would get from one layout and from
//! another. The engines are those of the simulation, as fast as the recorded ones were measured.

use crate::engine::{Ask, BLOCK, Ended, Engine, Limits, Pace, pace_of};
use crate::hardware::{H100, SMALL};
use crate::trace::TraceRow;

/// Requests that run at once: vLLM's default.
const SEQUENCES: usize = 256;
/// Blocks of the cache: as many as are asked for. What a real one holds back is not in the trial.
const BLOCKS: u64 = 1 << 40;
/// Nobody waits longer after the last request came, seconds; who has no answer then has none.
const AFTER: f64 = 600.0;
/// Computing so fast that it takes no time: prompts that come computed.
const FREE: f64 = 1e9;

/// How fast the recorded engines were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialSpeed {
    /// Prompt tokens computed in a second of prefill.
    pub prompt_tokens: f64,
    /// Tokens of a usual prompt.
    pub prompt: f64,
    /// Seconds between output tokens while so many requests decode that look back at so many tokens
    /// together.
    pub gap_s: f64,
    pub decoding: f64,
    pub looked_back: f64,
}

/// How engines are set up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrialLayout {
    /// Every replica does both, with so many tokens of a step at most.
    Together { replicas: usize, batch_tokens: u64 },
    /// Some compute prompts, one at a time, others decode; seconds that a cache is on its way.
    Apart { prefill: usize, decode: usize, transfer_s: f64 },
}

/// What users would get; seconds, by nearest rank.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TrialTold {
    pub requests: u64,
    /// Requests that had their whole answer ten minutes after the last one came.
    pub ended: u64,
    /// p50 and p99 of the time to the first token, in the engine: of requests that ended, or of those
    /// whose prompt left its pool.
    pub ttft: [f64; 2],
    /// The same of the gaps between tokens; none where every answer has one token.
    pub itl: Option<[f64; 2]>,
}

/// What comes out of one engine.
#[derive(Default)]
struct Served {
    ended: Vec<Ended>,
    /// Gaps between tokens, and how many sequences had each.
    gaps: Vec<(f64, u64)>,
}

/// Serve these requests, in the order of their times. `None` without a request or an engine.
pub fn trial(layout: TrialLayout, speed: TrialSpeed, rows: &[TraceRow]) -> Option<TrialTold> {
    let pace = pace_of(&SMALL, &H100, &speed);
    let asks: Vec<Ask> = (0..).zip(rows).map(|(number, row)| ask(number, row)).collect();
    let (mut firsts, gaps, ended) = match layout {
        TrialLayout::Together { replicas, batch_tokens } => {
            let limits = Limits { sequences: SEQUENCES, batch_tokens: batch_tokens.max(1) };
            let served = serve(&asks, replicas, limits, pace);
            let firsts = served.ended.iter().filter_map(first).collect();
            (firsts, served.gaps, served.ended.len() as u64)
        }
        TrialLayout::Apart { prefill, decode, transfer_s } => {
            apart(&asks, (prefill, decode), transfer_s, pace)
        }
    };
    let requests = rows.len() as u64;
    let mut gaps = gaps;
    gaps.sort_by(|a, b| a.0.total_cmp(&b.0));
    firsts.sort_by(f64::total_cmp);
    let weighted: Vec<(f64, u64)> = firsts.into_iter().map(|first| (first, 1)).collect();
    let ttft = [0.5, 0.99].map(|q| quantile(&weighted, q));
    let itl = [0.5, 0.99].map(|q| quantile(&gaps, q));
    let [ttft50, ttft99] = ttft;
    let [itl50, itl99] = itl;
    Some(TrialTold {
        requests,
        ended,
        ttft: [ttft50?, ttft99?],
        itl: itl50.zip(itl99).map(|(p50, p99)| [p50, p99]),
    })
}

fn ask(number: u64, row: &TraceRow) -> Ask {
    Ask {
        tenant: 0,
        conversation: number,
        arrival: row.at,
        deadline: f64::INFINITY,
        prompt: row.prompt_tokens.max(1),
        system: 0,
        natural: row.output_tokens.max(1),
        max_tokens: row.output_tokens.max(1),
    }
}

fn first(one: &Ended) -> Option<f64> {
    Some(one.first_token? - one.ask.arrival)
}

/// Each engine gets every so many-th request.
fn serve(asks: &[Ask], replicas: usize, limits: Limits, pace: Pace) -> Served {
    let mut all = Served::default();
    let last = asks.last().map_or(0.0, |ask| ask.arrival);
    for replica in 0..replicas {
        let mut engine = Engine::new(SMALL, H100, 1.0, BLOCKS / BLOCK);
        engine.kv.set_caching(false, 0.0);
        engine.stats.gaps = Some(Vec::new());
        for ask in asks.iter().skip(replica).step_by(replicas) {
            engine.advance(ask.arrival, limits, pace, &mut all.ended);
            engine.accept(*ask);
        }
        engine.advance(last + AFTER, limits, pace, &mut all.ended);
        all.gaps.extend(engine.stats.gaps.take().unwrap_or_default());
    }
    all
}

/// Prompts here, the rest of the answers there. The second token comes after the cache has moved.
fn apart(
    asks: &[Ask],
    (prefill, decode): (usize, usize),
    transfer_s: f64,
    pace: Pace,
) -> (Vec<f64>, Vec<(f64, u64)>, u64) {
    // One at a time: prompts of a step together would each be as late as the last.
    let alone = Limits { sequences: 1, batch_tokens: u64::MAX };
    let only_first = |ask: &Ask| Ask { natural: 1, max_tokens: 1, ..*ask };
    let prompts: Vec<Ask> = asks.iter().map(only_first).collect();
    let begun = serve(&prompts, prefill, alone, pace);
    let firsts: Vec<f64> = begun.ended.iter().filter_map(first).collect();
    let mut moved: Vec<(f64, Ask)> = Vec::new();
    let mut ended = 0;
    for one in &begun.ended {
        let whole = usize::try_from(one.ask.conversation).ok().and_then(|at| asks.get(at));
        let (Some(whole), Some(token)) = (whole, one.first_token) else { continue };
        let rest = whole.natural - 1;
        if rest == 0 {
            ended += 1;
            continue;
        }
        let arrival = token + transfer_s;
        moved.push((token, Ask { arrival, natural: rest, max_tokens: rest, ..*whole }));
    }
    moved.sort_by(|(_, a), (_, b)| a.arrival.total_cmp(&b.arrival));
    let rests: Vec<Ask> = moved.iter().map(|(_, ask)| *ask).collect();
    let limits = Limits { sequences: SEQUENCES, batch_tokens: u64::MAX };
    let served = serve(&rests, decode, limits, Pace { clock: FREE, ..pace });
    let mut gaps = served.gaps;
    gaps.extend(
        served
            .ended
            .iter()
            .filter_map(|one| Some((one.first_token? - (one.ask.arrival - transfer_s), 1))),
    );
    (firsts, gaps, ended + served.ended.len() as u64)
}

/// The nearest rank among values in rising order, each with how often it is there.
fn quantile(rising: &[(f64, u64)], q: f64) -> Option<f64> {
    let all: u64 = rising.iter().map(|(_, count)| count).sum();
    let rank = ((q * all as f64).ceil() as u64).max(1);
    let mut passed = 0;
    rising
        .iter()
        .find(|(_, count)| {
            passed += count;
            passed >= rank
        })
        .map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: TrialSpeed = TrialSpeed {
        prompt_tokens: 10_000.0,
        prompt: 2_000.0,
        gap_s: 0.02,
        decoding: 4.0,
        looked_back: 8_000.0,
    };

    /// Two requests a second of 1000 + 100 tokens; every fifth has ten times the prompt.
    fn rows() -> Vec<TraceRow> {
        (0..200)
            .map(|n| TraceRow {
                at: f64::from(n) * 0.5,
                prompt_tokens: if n % 5 == 0 { 10_000 } else { 1_000 },
                output_tokens: 100,
            })
            .collect()
    }

    fn told(layout: TrialLayout) -> TrialTold {
        trial(layout, SPEED, &rows()).unwrap()
    }

    #[test]
    fn an_engine_is_as_fast_as_it_was_measured() {
        let alone = [TraceRow { at: 0.0, prompt_tokens: 2_000, output_tokens: 200 }];
        let layout = TrialLayout::Together { replicas: 1, batch_tokens: 8_192 };
        let found = trial(layout, SPEED, &alone).unwrap();
        // 2000 tokens at 10,000 a second, and the host's work.
        assert!((0.19..0.22).contains(&found.ttft[0]), "{found:?}");
        assert!((0.017..0.021).contains(&found.itl.unwrap()[0]), "{found:?}");
        assert_eq!((found.requests, found.ended), (1, 1));
        assert_eq!(trial(layout, SPEED, &[]), None);
    }

    #[test]
    fn a_smaller_budget_evens_the_pace() {
        let large = told(TrialLayout::Together { replicas: 1, batch_tokens: 8_192 });
        let small = told(TrialLayout::Together { replicas: 1, batch_tokens: 512 });
        assert_eq!((large.ended, small.ended), (200, 200));
        assert!(small.itl.unwrap()[1] < large.itl.unwrap()[1] / 3.0, "{small:?} {large:?}");
    }

    #[test]
    fn apart_nobody_who_decodes_waits_for_a_prompt() {
        let together = told(TrialLayout::Together { replicas: 2, batch_tokens: 8_192 });
        let apart = TrialLayout::Apart { prefill: 1, decode: 1, transfer_s: 0.01 };
        let apart = told(apart);
        assert_eq!(apart.ended, 200);
        assert!(
            apart.itl.unwrap()[1] < 0.04 && together.itl.unwrap()[1] > 0.09,
            "{apart:?} {together:?}"
        );
        // One replica computes all prompts: they wait for each other more than for decodes.
        assert!(apart.ttft[1] > 0.9, "{apart:?}");
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        let rows: Vec<TraceRow> = (0..400)
            .map(|n| TraceRow { at: f64::from(n) * 0.1, prompt_tokens: 50_000, output_tokens: 10 })
            .collect();
        let layout = TrialLayout::Together { replicas: 1, batch_tokens: 8_192 };
        let found = trial(layout, SPEED, &rows).unwrap();
        assert!(found.ended < 200 && found.requests == 400, "{found:?}");
    }
}
