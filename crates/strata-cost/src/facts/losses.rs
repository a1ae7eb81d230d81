//! Where the time of a training run went that became no progress.

use strata_world::bill::BillRun;

use super::progress::{Progress, value};

/// Why time of a training run was for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Steps beyond the last checkpoint, thrown away by a restart.
    LostSteps,
    /// Starting, restoring and recovering.
    Restart,
    /// Saving a checkpoint while nothing is computed.
    CheckpointStall,
    /// Waiting for data.
    DataWait,
    /// Waiting for the slowest rank.
    Straggler,
    /// Everything else that the trainer counts as unproductive.
    Other,
}

/// Number of losses.
pub const LOSSES: usize = 6;
/// One value for each loss.
pub type Losses = [f64; LOSSES];

impl Loss {
    /// All losses.
    pub const ALL: [Self; LOSSES] = [
        Self::LostSteps,
        Self::Restart,
        Self::CheckpointStall,
        Self::DataWait,
        Self::Straggler,
        Self::Other,
    ];

    /// Its place in arrays over all losses.
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::LostSteps => "lost_steps",
            Self::Restart => "restart",
            Self::CheckpointStall => "checkpoint_stall",
            Self::DataWait => "data_wait",
            Self::Straggler => "straggler",
            Self::Other => "other_badput",
        }
    }

    /// By the `type` of `training.badput.time`.
    fn of_badput(kind: &str) -> Self {
        match kind {
            "lost_progress" => Self::LostSteps,
            "initialization" | "program_startup" | "checkpoint_restore" | "recovery" => {
                Self::Restart
            }
            "checkpoint_save" => Self::CheckpointStall,
            "data_loading" => Self::DataWait,
            "straggler_wait" => Self::Straggler,
            _ => Self::Other,
        }
    }

    /// Whether no kernel runs meanwhile on some of the GPUs. Ranks that wait for the slowest one spin
    /// in a collective, and lost steps were computed as any others.
    fn is_idle(self) -> bool {
        !matches!(self, Self::LostSteps | Self::Straggler)
    }
}

/// What is known of the losses of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lossy {
    /// Share of each step of the ledger; None where nothing told whether it became progress.
    shares: Vec<Option<Losses>>,
    /// Losses that nothing measures.
    pub(super) unmeasured: Vec<Loss>,
    /// Steps of the ledger in which the run worked and its losses, told at other times, were not.
    pub(super) gaps: usize,
}

impl Lossy {
    /// Of a run, in steps of `step_s` seconds.
    pub(super) fn of(run: &BillRun, progress: &Progress, steps: usize, step_s: f64) -> Self {
        let told = |at: usize| run.badput_s.values().any(|column| value(column, at).is_some());
        let first_told = (0..steps).find(|at| told(*at));
        let has_account = first_told.is_some();
        let has_steps = Progress::total(&progress.kept).is_some();
        let mut gaps = 0;
        let shares = (0..steps).map(|at| {
            let computed = progress.computed(at);
            if !told(at) && computed.is_none() {
                return None;
            }
            let found = match first_told {
                // What it told before and tells no more has a gap; no loss yet has no series yet.
                Some(first) if at > first && !told(at) => None,
                Some(_) => Some(account(run, at, step_s)),
                None => pieces(run, at, step_s),
            };
            gaps += usize::from(found.is_none());
            let mut shares = found?;
            let [lost_steps, rest @ ..] = &mut shares;
            let others = rest.iter().sum::<f64>();
            // Where the steps are told, which of them were lost is known better than by the account.
            if let Some(computed) = computed {
                let part = value(&progress.lost, at).filter(|_| computed > 0.0);
                *lost_steps = (1.0 - others).max(0.0) * part.map_or(0.0, |lost| lost / computed);
            }
            let whole = shares.iter().sum::<f64>();
            let scale = if whole > 1.0 { 1.0 / whole } else { 1.0 };
            Some(shares.map(|share| share * scale))
        });
        let known = |column: &[Option<f64>]| column.iter().any(Option::is_some);
        let measured = |loss: &Loss| match loss {
            Loss::LostSteps => has_account || has_steps,
            Loss::Restart => has_account || known(&run.restore_s),
            Loss::CheckpointStall => has_account || known(&run.save_s),
            Loss::DataWait => has_account || known(&run.data_wait_s),
            Loss::Straggler => has_account || known(&run.straggler),
            // Only the account tells of it.
            Loss::Other => has_account,
        };
        let unmeasured = Loss::ALL.into_iter().filter(|loss| !measured(loss)).collect();
        let shares = shares.collect();
        Self { shares, unmeasured, gaps }
    }

    /// Losses of a step in which kernels ran for `busy` of the time, as shares of it: while a kernel
    /// ran and while none did. What can idle explains idle time first.
    pub(super) fn split(&self, at: usize, busy: f64) -> Option<(Losses, Losses)> {
        let all = self.shares.get(at).copied().flatten()?;
        let pairs = Loss::ALL.into_iter().zip(all);
        let can_idle: f64 = pairs.filter(|(loss, _)| loss.is_idle()).map(|(_, share)| share).sum();
        let idle = (1.0 - busy).clamp(0.0, can_idle);
        let part = if can_idle > 0.0 { idle / can_idle } else { 0.0 };
        let mut idled = [0.0; LOSSES];
        let mut wasted = all;
        for (loss, (idled, wasted)) in Loss::ALL.into_iter().zip(idled.iter_mut().zip(&mut wasted))
        {
            if loss.is_idle() {
                *idled = *wasted * part;
                *wasted -= *idled;
            }
        }
        // More than the GPU worked cannot have been wasted work.
        let whole: f64 = wasted.iter().sum();
        let scale = if whole > busy && whole > 0.0 { busy / whole } else { 1.0 };
        Some((wasted.map(|share| share * scale), idled))
    }
}

/// By the trainer's own account of unproductive time. A kind without a series did not occur yet.
fn account(run: &BillRun, at: usize, step_s: f64) -> Losses {
    let mut shares = [0.0; LOSSES];
    for (kind, column) in &run.badput_s {
        if let Some(share) = shares.get_mut(Loss::of_badput(kind).place()) {
            *share += value(column, at).unwrap_or(0.0).max(0.0) / step_s;
        }
    }
    shares
}

/// By what is measured one by one. None where one that is told all the time was not told now; those that
/// count events have no series before the first one.
fn pieces(run: &BillRun, at: usize, step_s: f64) -> Option<Losses> {
    let has_gap =
        |column: &[Option<f64>]| column.iter().any(Option::is_some) && value(column, at).is_none();
    if has_gap(&run.data_wait_s) || has_gap(&run.straggler) {
        return None;
    }
    let seconds = |column: &[Option<f64>]| value(column, at).unwrap_or(0.0).max(0.0) / step_s;
    let mut shares = [0.0; LOSSES];
    let found = [
        (Loss::Restart, seconds(&run.restore_s)),
        (Loss::CheckpointStall, seconds(&run.save_s)),
        (Loss::DataWait, seconds(&run.data_wait_s)),
    ];
    let other: f64 = found.iter().map(|(_, share)| share).sum();
    // The slowest rank takes 1 + s of the median's time for a step: s of that is waiting.
    let behind = value(&run.straggler, at).unwrap_or(0.0).max(0.0);
    let straggler = (Loss::Straggler, (1.0 - other).max(0.0) * behind / (1.0 + behind));
    for (loss, share) in found.into_iter().chain([straggler]) {
        if let Some(place) = shares.get_mut(loss.place()) {
            *place = share;
        }
    }
    Some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stepping(from: f64, by: f64) -> BillRun {
        let step = (1..=2).map(|at| Some(from + by * f64::from(at))).collect();
        BillRun { step, ..BillRun::default() }
    }

    fn lossy(run: &BillRun) -> Lossy {
        Lossy::of(run, &Progress::of(run, 2), 2, 60.0)
    }

    #[test]
    fn idle_time_is_explained_by_what_can_idle() {
        let mut run = stepping(0.0, 10.0);
        run.badput_s.insert("checkpoint_save".to_owned(), vec![Some(12.0), Some(12.0)]);
        run.badput_s.insert("straggler_wait".to_owned(), vec![Some(6.0), None]);
        let lossy = lossy(&run);
        assert_eq!(lossy.unmeasured, Vec::new());
        let near = |found: Losses, expected: Losses| {
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        let (wasted, idled) = lossy.split(0, 0.9).unwrap();
        assert!(near(idled, [0.0, 0.0, 0.1, 0.0, 0.0, 0.0]), "{idled:?}");
        assert!(near(wasted, [0.0, 0.0, 0.1, 0.0, 0.1, 0.0]), "{wasted:?}");
        let (wasted, idled) = lossy.split(1, 0.0).unwrap();
        assert!(near(idled, [0.0, 0.0, 0.2, 0.0, 0.0, 0.0]) && near(wasted, [0.0; LOSSES]));
    }

    #[test]
    fn without_an_account_the_pieces_count_and_what_is_missing_is_told() {
        let mut run = stepping(0.0, 10.0);
        run.data_wait_s = vec![Some(15.0), None];
        run.straggler = vec![Some(0.25), None];
        let found = lossy(&run);
        assert_eq!(found.unmeasured, [Loss::Restart, Loss::CheckpointStall, Loss::Other]);
        let (wasted, idled) = found.split(0, 1.0).unwrap();
        assert_eq!(idled, [0.0; LOSSES]);
        let (waited, behind) = (wasted[Loss::DataWait.place()], wasted[Loss::Straggler.place()]);
        assert!((waited - 0.25).abs() < 1e-12 && (behind - 0.15).abs() < 1e-12, "{wasted:?}");
        assert_eq!(lossy(&BillRun::default()).split(0, 1.0), None, "nothing tells of it");
    }

    #[test]
    fn a_gap_in_what_tells_of_losses_is_not_a_time_without_any() {
        let check = |mut run: BillRun, told: [bool; 3]| {
            run.step = (1..=3).map(|at| Some(10.0 * f64::from(at))).collect();
            let lossy = Lossy::of(&run, &Progress::of(&run, 3), 3, 60.0);
            assert_eq!([0, 1, 2].map(|at| lossy.split(at, 1.0).is_some()), told, "{run:?}");
            assert_eq!(lossy.gaps, told.iter().filter(|told| !**told).count());
        };
        let account = |told: [Option<f64>; 3]| {
            let badput_s = [("checkpoint_save".to_owned(), told.to_vec())];
            BillRun { badput_s: badput_s.into(), ..BillRun::default() }
        };
        check(account([Some(6.0), None, Some(6.0)]), [true, false, true]);
        check(account([Some(6.0), Some(0.0), None]), [true, true, false]);
        // Before the first loss there is no series.
        check(account([None, None, Some(6.0)]), [true, true, true]);
        let data_wait_s = vec![None, Some(3.0), Some(3.0)];
        check(BillRun { data_wait_s, ..BillRun::default() }, [false, true, true]);
        let straggler = vec![Some(0.1), None, Some(0.1)];
        check(BillRun { straggler, ..BillRun::default() }, [true, false, true]);
        let save_s = vec![None, Some(3.0), None];
        check(BillRun { save_s, ..BillRun::default() }, [true, true, true]);
    }

    #[test]
    fn lost_steps_are_a_part_of_the_time_that_computed() {
        let mut run = stepping(0.0, 10.0);
        run.step = vec![Some(10.0), Some(5.0)];
        run.badput_s.insert("lost_progress".to_owned(), vec![None, Some(30.0)]);
        let (wasted, _) = lossy(&run).split(0, 1.0).unwrap();
        assert_eq!(wasted[0], 0.0, "the first value has nothing before it");
        run.step_min = vec![Some(0.0), Some(5.0)];
        let (wasted, _) = lossy(&run).split(0, 1.0).unwrap();
        assert_eq!(wasted[0], 0.5, "five of ten steps, once");
    }
}
