//! Forecasts against what was made to come.

use super::*;

/// Every 100 s prompts grow long for 15 s and, 10 s later, requests wait for 40; calm otherwise.
fn waves(seconds: usize, waits: bool) -> Vec<Moment> {
    let one = |second: usize| {
        let phase = second % 100;
        let long = (45..60).contains(&phase);
        let full = waits && (55..95).contains(&phase);
        Moment {
            at_s: second as f64,
            running: Some(10.0),
            waiting: Some(if full { 5.0 } else { 0.0 }),
            pinned: Some(if full { 19_500.0 } else { 10_000.0 }),
            capacity: Some(20_000.0),
            arrived: Some(1.0),
            started: Some(1.0),
            prompt: Some(if long { 4000.0 } else { 1000.0 }),
            finished: Some(1.0),
            generated: Some(10.0),
            ..Moment::default()
        }
    };
    (0..seconds).map(one).collect()
}

#[test]
fn what_comes_after_long_prompts_is_foreseen() {
    let told = forecast(&waves(1440, true), 10.0, 2.0);
    let judged = told.judged.unwrap();
    assert!(judged.auc > 0.8, "{judged:?}");
    assert!(judged.brier < judged.brier_base, "{judged:?}");
    assert!(judged.probability.unwrap() < 0.3, "it is calm at the end: {judged:?}");
    assert!(judged.happened >= OUTCOMES_MIN);
}

#[test]
fn while_it_is_saturated_only_the_record_is_told() {
    let judged = forecast(&waves(1465, true), 10.0, 2.0).judged.unwrap();
    assert_eq!(judged.probability, None);
    assert!(judged.auc > 0.8, "{judged:?}");
}

#[test]
fn without_events_there_is_no_number() {
    let check = |moments: &[Moment], horizon: f64, because: &str| {
        let told = forecast(moments, horizon, 2.0);
        let why = told.judged.unwrap_err();
        assert!(why.contains(because), "{why}");
    };
    check(&waves(1450, false), 10.0, "not enough events to judge: 0 of");
    check(&waves(250, true), 10.0, "not enough events to judge");
    check(&waves(1, true), 10.0, "less than twice");
    let sparse: Vec<Moment> = waves(1450, true).into_iter().step_by(15).collect();
    check(&sparse, 10.0, "read every 15 s");
    let mut blind = waves(1450, true);
    for moment in &mut blind {
        moment.capacity = None;
    }
    check(&blind, 10.0, "capacity");
}

#[test]
fn each_reading_knows_the_next_saturation_and_its_run() {
    let waiting = [0.0, 3.0, 4.0, 0.0, 0.0, 9.0];
    let moments = waiting.iter().enumerate().map(|(second, waiting)| Moment {
        at_s: second as f64,
        waiting: Some(*waiting),
        ..Moment::default()
    });
    let found = next_onsets(&moments.collect::<Vec<_>>());
    let none = (f64::INFINITY, 0);
    assert_eq!(found, [(1.0, 2), (2.0, 2), (5.0, 1), (5.0, 1), (5.0, 1), none]);
}

#[test]
fn what_nobody_saw_is_no_calm() {
    let calm = waves(200, false);
    let count = |moments: &[Moment]| {
        let balances = balances(moments, 10.0, 2.0);
        trials(moments, &balances, 10.0, 1.0).len()
    };
    // From the end of the warm-up to ten seconds before the last reading.
    assert_eq!(count(&calm), 130);
    // Without the readings of 100 s to 119 s, and those ten whose horizon reaches into them.
    let gone: Vec<Moment> =
        calm.iter().filter(|one| !(100.0..120.0).contains(&one.at_s)).copied().collect();
    assert_eq!(count(&gone), 100);
    let mut silent = calm;
    for moment in silent.iter_mut().skip(100).take(20) {
        moment.waiting = None;
    }
    assert_eq!(count(&silent), 100);
}

#[test]
fn a_late_reading_is_no_gap_and_a_silent_one_parts_no_saturation() {
    let at = |at_s: f64, waiting: Option<f64>| Moment { at_s, waiting, ..Moment::default() };
    let some = Some(0.0);
    let moments = [at(0.0, some), at(11.0, some), at(20.0, some), at(40.0, some), at(50.0, None)];
    assert_eq!(next_blind(&moments, 10.0), [25.0, 25.0, 25.0, 50.0, f64::INFINITY]);
    let one = [at(0.0, some), at(10.0, Some(5.0)), at(20.0, None), at(30.0, Some(5.0))];
    assert_eq!(next_onsets(&one).first(), Some(&(10.0, 1)));
}
