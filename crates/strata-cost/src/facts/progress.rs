//! Which steps of a training run were kept.
//!
//! After a restart a run goes on from its last checkpoint, and the number of its step goes back:
//! what it had computed beyond that is lost. The loss belongs to the time in which the lost steps were
//! computed, not to that of the restart.

use strata_world::bill::BillRun;

/// Steps by the step of the ledger in which they were computed; None where nobody told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) kept: Vec<Option<f64>>,
    pub(super) lost: Vec<Option<f64>>,
    /// Whether the run went back in it.
    pub(super) went_back: Vec<bool>,
}

/// Steps `from` to `to`, computed in one step of the ledger and not lost so far.
struct Stretch {
    at: usize,
    from: f64,
    to: f64,
}

/// The value of a step.
pub(super) fn value(column: &[Option<f64>], at: usize) -> Option<f64> {
    column.get(at).copied().flatten().filter(|value| value.is_finite())
}

impl Progress {
    /// Of a run over `steps` steps of the ledger. Of a run that went back and beyond its peak again
    /// within one of them, only what is certain is lost; so it is of one that went back in the first of
    /// them while nobody tells where it stood before: its peak may be of the time before the period.
    pub(super) fn of(run: &BillRun, steps: usize) -> Self {
        let mut known = vec![false; steps];
        let mut lost = vec![0.0; steps];
        let mut went_back = vec![false; steps];
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut reached = run.step_before.filter(|step| step.is_finite());
        for at in 0..steps {
            let Some(last) = value(&run.step, at) else { continue };
            let least = value(&run.step_min, at).unwrap_or(last).min(last);
            let from = reached.unwrap_or(least);
            let peak = value(&run.step_max, at).unwrap_or(last).max(from);
            if let Some(known) = known.get_mut(at) {
                *known = true;
            }
            let is_placed = reached.replace(last).is_some();
            if last >= peak && least >= from {
                stretches.push(Stretch { at, from, to: last });
                continue;
            }
            if let Some(went_back) = went_back.get_mut(at) {
                *went_back = true;
            }
            if !is_placed {
                stretches.push(Stretch { at, from: least, to: last });
                continue;
            }
            // Beyond the old peak again: what was reached in between is not told.
            let top = if last < peak { peak } else { from };
            let restart = if least < from { least } else { last };
            stretches.push(Stretch { at, from, to: top });
            lose(&mut stretches, restart, &mut lost);
            stretches.push(Stretch { at, from: restart, to: last });
        }
        let mut kept = vec![0.0; steps];
        for stretch in stretches {
            if let Some(kept) = kept.get_mut(stretch.at) {
                *kept += (stretch.to - stretch.from).max(0.0);
            }
        }
        let told = |values: Vec<f64>| {
            values.into_iter().zip(&known).map(|(value, known)| known.then_some(value)).collect()
        };
        Self { kept: told(kept), lost: told(lost), went_back }
    }

    /// All steps of a kind; None where nothing told of any.
    pub(super) fn total(column: &[Option<f64>]) -> Option<f64> {
        column.iter().copied().flatten().reduce(|all, one| all + one)
    }

    /// Steps that were computed in one step of the ledger, kept or not.
    pub(super) fn computed(&self, at: usize) -> Option<f64> {
        Some(value(&self.kept, at)? + value(&self.lost, at)?)
    }

    /// What the kept steps did of something, by a running total of it, else by what one step does. The
    /// total may go back with the step number or begin anew, so it only tells what a step does.
    pub(super) fn amount(&self, total: &[Option<f64>], of_step: &[Option<f64>]) -> Option<f64> {
        let kept = Self::total(&self.kept)?;
        if kept <= 0.0 {
            return Some(0.0);
        }
        let (mut steps, mut amount) = (0.0, 0.0);
        let mut before: Option<f64> = None;
        for at in 0..self.kept.len() {
            let now = value(total, at);
            let computed = self.computed(at);
            if let (Some(before), Some(now), Some(computed)) = (before, now, computed) {
                let is_whole = !self.went_back.get(at).copied().unwrap_or(true) && now >= before;
                if is_whole {
                    steps += computed;
                    amount += now - before;
                }
            }
            // A gap in either: the next increase is of more steps than it says.
            before = now.filter(|_| computed.is_some());
        }
        let by_total = (steps > 0.0 && amount > 0.0).then(|| amount / steps);
        let one = by_total.or_else(|| {
            let told = (0..self.kept.len())
                .filter_map(|at| Some((self.computed(at)?, value(of_step, at)?)));
            let (weight, sum) = told
                .fold((0.0, 0.0), |all, (steps, amount)| (all.0 + steps, all.1 + steps * amount));
            (weight > 0.0 && sum > 0.0).then(|| sum / weight)
        });
        Some(kept * one?)
    }
}

/// Take away what lies beyond `restart`.
fn lose(stretches: &mut Vec<Stretch>, restart: f64, lost: &mut [f64]) {
    while let Some(last) = stretches.last_mut().filter(|last| last.to > restart) {
        let keeps = last.from < restart;
        if let Some(lost) = lost.get_mut(last.at) {
            *lost += last.to - last.from.max(restart);
        }
        if keeps {
            last.to = restart;
            return;
        }
        stretches.pop();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(rows: &[(f64, f64, f64)]) -> BillRun {
        let column = |of: fn(&(f64, f64, f64)) -> f64| {
            rows.iter().map(|row| Some(of(row)).filter(|value| !value.is_nan())).collect()
        };
        BillRun {
            step: column(|row| row.0),
            step_max: column(|row| row.1),
            step_min: column(|row| row.2),
            ..BillRun::default()
        }
    }

    #[test]
    fn lost_steps_are_lost_where_they_were_computed() {
        // 10 steps a minute from 100 on; in the fourth minute it has 135 and starts again at 115.
        let rows = [(110.0, 110.0, 100.0), (120.0, 120.0, 111.0), (130.0, 130.0, 121.0)];
        let rows = [&rows[..], &[(120.0, 135.0, 115.0), (130.0, 130.0, 121.0)]].concat();
        let progress = Progress::of(&run(&rows), 5);
        assert_eq!(progress.kept, [10.0, 5.0, 0.0, 5.0, 10.0].map(Some));
        assert_eq!(progress.lost, [0.0, 5.0, 10.0, 5.0, 0.0].map(Some));
        assert_eq!(progress.went_back, [false, false, false, true, false]);
        assert_eq!(Progress::total(&progress.kept), Some(30.0), "from 100 to 130");
    }

    #[test]
    fn what_nobody_told_is_not_nothing_and_a_gap_loses_no_step() {
        let nan = (f64::NAN, f64::NAN, f64::NAN);
        let rows = [(110.0, 110.0, 100.0), nan, (130.0, 130.0, 121.0)];
        let progress = Progress::of(&run(&rows), 3);
        assert_eq!(progress.kept, [Some(10.0), None, Some(20.0)]);
        assert_eq!(Progress::total(&Progress::of(&BillRun::default(), 3).kept), None);
    }

    #[test]
    fn what_was_computed_before_the_period_is_not_lost_in_it() {
        let check = |before: Option<f64>, row: (f64, f64, f64), kept: f64, lost: f64| {
            let one = BillRun { step_before: before, ..run(&[row, (110.0, 110.0, row.0)]) };
            let progress = Progress::of(&one, 2);
            assert_eq!(progress.kept, [Some(kept), Some(110.0 - row.0)], "{before:?} {row:?}");
            assert_eq!(progress.lost, [Some(lost), Some(0.0)], "{before:?} {row:?}");
            assert_eq!(progress.went_back, [true, false]);
        };
        // It goes back to 90; of what lies beyond, only what was made since the beginning is lost.
        check(Some(95.0), (90.0, 101.0, 90.0), 0.0, 6.0);
        check(Some(101.0), (90.0, 101.0, 90.0), 0.0, 0.0);
        check(Some(101.0), (97.0, 101.0, 90.0), 7.0, 0.0);
        // Nobody tells whether 101 was reached before the period.
        check(None, (90.0, 101.0, 90.0), 0.0, 0.0);
        check(None, (97.0, 101.0, 90.0), 7.0, 0.0);
        // From the beginning on, not from the first sample on.
        let one = BillRun { step_before: Some(95.0), ..run(&[(101.0, 101.0, 97.0)]) };
        assert_eq!(Progress::of(&one, 1).kept, [Some(6.0)]);
    }

    #[test]
    fn tokens_are_those_of_kept_steps() {
        let rows = [(110.0, 110.0, 100.0), (120.0, 120.0, 111.0), (115.0, 123.0, 112.0)];
        let mut one = BillRun { step_before: Some(100.0), ..run(&rows) };
        // The total begins anew with the program.
        one.tokens = vec![Some(5000.0), Some(6000.0), Some(300.0)];
        let progress = Progress::of(&one, 3);
        assert_eq!(Progress::total(&progress.kept), Some(15.0));
        assert_eq!(progress.amount(&one.tokens, &[]), Some(1500.0));
        assert_eq!(progress.amount(&[], &[Some(100.0), None, None]), Some(1500.0));
        assert_eq!(progress.amount(&[], &[]), None);
    }

    proptest! {
        /// Kept steps are the way from the first to the last, or nothing where it ends below.
        #[test]
        fn kept_steps_are_the_way_that_was_made(
            moves in prop::collection::vec((0.0_f64..20.0, prop::option::of(0.0_f64..30.0)), 1..30),
        ) {
            let (mut at, mut rows, mut floor) = (100.0_f64, Vec::new(), 100.0_f64);
            let mut made = 0.0;
            for (forward, back) in moves {
                let (from, peak) = (at, at + forward);
                made += forward;
                let least = back.map_or(from, |back| (peak - back).max(0.0));
                at = if back.is_some() { least } else { peak };
                floor = floor.min(least);
                rows.push((at, peak, least.min(from)));
            }
            let one = BillRun { step_before: Some(100.0), ..run(&rows) };
            let progress = Progress::of(&one, rows.len());
            let [kept, lost] = [&progress.kept, &progress.lost].map(|all| Progress::total(all).unwrap());
            prop_assert!((kept - (at - floor)).abs() < 1e-6, "{} of {} to {}", kept, floor, at);
            prop_assert!(lost >= 0.0);
            prop_assert!((kept + lost - made).abs() < 1e-6, "{} made, {} kept, {} lost", made, kept, lost);
        }
    }
}
