//! Training against what must hold: the slowest rank sets the pace, and lost time is somebody's.

use super::*;
use crate::hardware::H100;
use crate::knob::{RankKnob, RunKnob};

fn run(ranks: usize, change: &[(RunKnob, f64)]) -> Run {
    let mut knobs = Knobs::new(crate::layout::run_defaults());
    for (knob, value) in change {
        knobs.set((*knob).into(), *value);
    }
    let ranks = (0..ranks).map(|_| Knobs::new(crate::layout::rank_defaults())).collect();
    Run::new("run", H100, knobs, ranks, 1)
}

fn pace(ranks: usize) -> Pace {
    Pace {
        clocks: vec![1.0; ranks],
        read_rates: vec![1.4e9; ranks],
        host_stretch: vec![1.0; ranks],
        bus: 200e9,
        write_rate: 8e9,
    }
}

fn play(run: &mut Run, pace: &Pace, seconds: f64) -> f64 {
    let mut computing = 0.0;
    run.advance(seconds, pace, &mut |_, spent| computing += spent.computing);
    computing
}

#[test]
fn a_sound_run_is_as_fast_as_published_ones() {
    let mut run = run(8, &[]);
    let computing = play(&mut run, &pace(8), 900.0);
    // 40 to 50 % is what 7B models reach on H100.
    assert!((0.38..0.55).contains(&run.mfu()), "{}", run.mfu());
    assert!((0.9..1.0).contains(&run.goodput()), "{}", run.goodput());
    assert!((0.5..0.99).contains(&(computing / (8.0 * 900.0))), "{computing}");
    assert!(run.saves.count() >= 1 && run.last_checkpoint > 12_000);
    let step = run.steps.sum() / run.steps.count() as f64 / 1000.0;
    assert!((run.steps.count() as f64 * step - run.elapsed).abs() < 1e-6);
}

#[test]
fn a_slow_rank_makes_the_others_wait_and_is_blamed() {
    let mut sound = run(8, &[]);
    play(&mut sound, &pace(8), 300.0);
    let mut run = run(8, &[]);
    run.ranks[3].knobs.set(RankKnob::ComputeRatio.into(), 1.5);
    play(&mut run, &pace(8), 300.0);
    assert!(run.step_seconds > 1.35 * sound.step_seconds);
    assert!(run.ranks[3].peers_wait < 1e-9 && run.ranks[0].peers_wait > 0.3);
    let blame: f64 = run.ranks.iter().map(|rank| rank.blame_gpu + rank.blame_host).sum();
    assert_eq!(blame, run.ranks[3].blame_gpu, "nobody else is last");
    let waited = run.ranks.iter().map(|rank| rank.durations[0].sum()).sum::<f64>();
    assert!(blame < waited && blame > 0.5 * waited, "blame is the waiting in collectives");
}

#[test]
fn a_slow_clock_is_the_gpu_s_fault_and_late_data_the_host_s() {
    let mut slow = pace(4);
    slow.clocks[1] = 0.6;
    let mut by_gpu = run(4, &[]);
    play(&mut by_gpu, &slow, 200.0);
    assert!(by_gpu.ranks[1].blame_gpu > 10.0 && by_gpu.ranks[1].blame_host == 0.0);
    let mut late = pace(4);
    late.read_rates[2] = 40e6;
    let mut by_data = run(4, &[]);
    play(&mut by_data, &late, 200.0);
    // 128 MB at 40 MB/s: 3.2 s a step, whatever computing takes.
    assert!((by_data.step_seconds - 3.2).abs() < 0.1, "{}", by_data.step_seconds);
    assert!(by_data.ranks[2].blame_host > 50.0, "{}", by_data.ranks[2].blame_host);
    assert!(by_data.ranks[2].data_wait > 1.0 && by_data.ranks[0].data_wait == 0.0);
}

#[test]
fn a_slow_link_lengthens_transfers_and_no_waiting() {
    let mut slow = pace(8);
    slow.bus = 20e9;
    let mut run = run(8, &[]);
    play(&mut run, &slow, 300.0);
    let mut sound = run_sound();
    play(&mut sound, &pace(8), 300.0);
    assert!(run.transfer > 5.0 * sound.transfer);
    assert!(run.step_seconds > 1.1 * sound.step_seconds);
    assert!(run.ranks.iter().all(|rank| rank.peers_wait < 0.2));
}

fn run_sound() -> Run {
    run(8, &[])
}

#[test]
fn the_size_of_the_caller_s_steps_changes_nothing() {
    let (mut one, mut many) = (run(4, &[]), run(4, &[]));
    let whole = play(&mut one, &pace(4), 100.0);
    let mut parts = 0.0;
    for second in 1..=400 {
        parts += play(&mut many, &pace(4), f64::from(second) / 4.0);
    }
    assert_eq!((one.step, one.learning.loss), (many.step, many.learning.loss));
    assert!((whole - parts).abs() < 1e-6);
}
