//! The state of every GPU second.

/// What a second of a GPU was. Every second is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not usable: fatal error, drained, node gone.
    Down,
    /// Usable and held by nobody.
    Unallocated,
    /// Held, but nothing is ready to work: pulling, loading, compiling.
    HeldCold,
    /// Held and ready, without work.
    HeldIdle,
    /// Working for nothing that anybody could use.
    BusyWaste,
    /// Working for something.
    BusyUseful,
    /// Nothing tells whether it was there at all.
    UnknownPresence,
    /// There, but nothing tells whether anybody held it.
    UnknownAllocation,
    /// Held, but nothing tells whether it worked.
    UnknownWork,
    /// Held and without work, but nothing tells whether it was ready.
    UnknownReadiness,
    /// Working, but nothing tells whether anybody could use it.
    UnknownUse,
}

/// Number of states.
pub const STATES: usize = 11;

impl State {
    /// All states, in the order of their places in arrays.
    pub const ALL: [Self; STATES] = [
        Self::Down,
        Self::Unallocated,
        Self::HeldCold,
        Self::HeldIdle,
        Self::BusyWaste,
        Self::BusyUseful,
        Self::UnknownPresence,
        Self::UnknownAllocation,
        Self::UnknownWork,
        Self::UnknownReadiness,
        Self::UnknownUse,
    ];

    /// Its place in arrays over all states.
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Unallocated => "unallocated",
            Self::HeldCold => "held_cold",
            Self::HeldIdle => "held_idle",
            Self::BusyWaste => "busy_waste",
            Self::BusyUseful => "busy_useful",
            Self::UnknownPresence => "unknown_presence",
            Self::UnknownAllocation => "unknown_allocation",
            Self::UnknownWork => "unknown_work",
            Self::UnknownReadiness => "unknown_readiness",
            Self::UnknownUse => "unknown_use",
        }
    }

    /// Whether something that is needed to tell the state was not measured.
    pub fn is_unknown(self) -> bool {
        self.missing().is_some()
    }

    /// What would have to be measured to tell.
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::UnknownPresence => Some("whether the GPU was there"),
            Self::UnknownAllocation => Some("who holds the GPU"),
            Self::UnknownWork => Some("GPU utilization"),
            Self::UnknownReadiness => Some("whether the model was loaded"),
            Self::UnknownUse => Some("what became of the tokens"),
            _ => None,
        }
    }

    /// Whether a kernel ran.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::BusyWaste | Self::BusyUseful | Self::UnknownUse)
    }
}

/// A share of a step for each state.
pub type Shares = [f64; STATES];

/// What is known of one holder in one step. Shares of the whole step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hold {
    pub(super) requested: f64,
    pub(super) used: Option<f64>,
    pub(super) loaded: Option<f64>,
    pub(super) waste: Option<f64>,
}

/// What is known of one GPU in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) present: Option<f64>,
    pub(super) utilization: Option<f64>,
    pub(super) allocated: Option<f64>,
}

/// The states of one step: of nobody's time, of somebody's whom nothing names, of each holder's.
/// All shares together are 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) nobody: Shares,
    pub(super) unattributed: Shares,
    pub(super) holders: Vec<Shares>,
    /// What each holder reserved of the time the GPU was there.
    pub(super) reserved: Vec<f64>,
    held: Vec<f64>,
    busy: Vec<Option<f64>>,
}

impl Outcome {
    /// Finds the states of a step. The buffers of the last step are used again.
    pub(super) fn find(&mut self, step: Step, holds: &[Hold]) {
        self.nobody = [0.0; STATES];
        self.unattributed = [0.0; STATES];
        self.holders.clear();
        self.holders.resize(holds.len(), [0.0; STATES]);
        self.reserved.clear();
        self.reserved.resize(holds.len(), 0.0);
        let Some(present) = step.present else {
            add(&mut self.unattributed, State::UnknownPresence, 1.0);
            return;
        };
        add(&mut self.nobody, State::Down, 1.0 - present);
        if present <= 0.0 {
            return;
        }
        // Work needs a GPU that is there: an average over the step cannot exceed its presence.
        let utilization = step.utilization.map(|share| share.min(present));
        let reserved: f64 = holds.iter().map(|hold| hold.requested).sum();
        let told = if holds.is_empty() { None } else { Some(reserved.min(1.0)) };
        let Some(allocated) = step.allocated.or(told) else {
            let busy = utilization.unwrap_or_default();
            add(&mut self.unattributed, State::UnknownUse, busy);
            add(&mut self.unattributed, State::UnknownAllocation, present - busy);
            return;
        };
        let scale = if reserved > allocated && reserved > 0.0 { allocated / reserved } else { 1.0 };
        let unowned = (allocated - reserved * scale).max(0.0) * present;
        let stray = self.share_work(holds, utilization, unowned, present);
        self.hold(holds, scale * present, present - stray);
        let mut left = present - stray - self.held.iter().sum::<f64>();
        add(&mut self.unattributed, State::UnknownUse, stray);
        // Handed out to somebody whom no claim names: held, and beyond that nothing is known.
        let unowned = (unowned - stray).clamp(0.0, left.max(0.0));
        add(&mut self.unattributed, State::UnknownWork, unowned);
        left -= unowned;
        add(&mut self.nobody, State::Unallocated, left.max(0.0));
        self.judge(holds);
    }

    /// Busy time of each holder into `busy`; what is left over, nobody's claim explains.
    fn share_work(
        &mut self,
        holds: &[Hold],
        utilization: Option<f64>,
        unowned: f64,
        present: f64,
    ) -> f64 {
        self.busy.clear();
        let known: f64 = holds.iter().filter_map(|hold| hold.used).sum();
        let untold: f64 =
            holds.iter().filter(|hold| hold.used.is_none()).map(|hold| hold.requested).sum();
        let cap = utilization.unwrap_or(present);
        let shrink = if known > cap && known > 0.0 { cap / known } else { 1.0 };
        let rest = utilization.map(|busy| (busy - known * shrink).max(0.0));
        // Holders without a reading share the rest by what they reserved, as does the part of the
        // GPU that nobody claims.
        let takers = untold * present + unowned;
        for hold in holds {
            let share = |rest: f64| {
                if takers > 0.0 { rest * hold.requested * present / takers } else { 0.0 }
            };
            self.busy.push(hold.used.map(|used| used * shrink).or_else(|| rest.map(share)));
        }
        let explained: f64 = self.busy.iter().flatten().sum();
        utilization.map_or(0.0, |busy| (busy - explained).max(0.0))
    }

    /// Time of each holder into `held`: what was reserved or worked, whichever is more; where that
    /// is more than there is, idle time gives way.
    fn hold(&mut self, holds: &[Hold], scale: f64, room: f64) {
        self.held.clear();
        for ((hold, busy), reserved) in holds.iter().zip(&self.busy).zip(&mut self.reserved) {
            *reserved = hold.requested * scale;
            self.held.push(reserved.max(busy.unwrap_or_default()));
        }
        let total: f64 = self.held.iter().sum();
        let busy: f64 = self.busy.iter().flatten().sum();
        let idle = total - busy;
        if total <= room || idle <= 0.0 {
            return;
        }
        let keep = ((room - busy) / idle).clamp(0.0, 1.0);
        for (held, busy) in self.held.iter_mut().zip(&self.busy) {
            let busy = busy.unwrap_or_default();
            *held = busy + (*held - busy) * keep;
        }
    }

    fn judge(&mut self, holds: &[Hold]) {
        let times = self.held.iter().zip(&self.busy);
        for ((hold, (held, busy)), shares) in holds.iter().zip(times).zip(&mut self.holders) {
            let Some(busy) = busy else {
                add(shares, State::UnknownWork, *held);
                continue;
            };
            match hold.waste {
                Some(waste) => {
                    add(shares, State::BusyWaste, busy * waste);
                    add(shares, State::BusyUseful, busy - busy * waste);
                }
                None => add(shares, State::UnknownUse, *busy),
            }
            let idle = (held - busy).max(0.0);
            match hold.loaded {
                Some(loaded) => {
                    let cold = (held * (1.0 - loaded)).min(idle);
                    add(shares, State::HeldCold, cold);
                    add(shares, State::HeldIdle, idle - cold);
                }
                None => add(shares, State::UnknownReadiness, idle),
            }
        }
    }
}

fn add(shares: &mut Shares, state: State, share: f64) {
    if let Some(place) = shares.get_mut(state.place()) {
        *place += share;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(outcome: &Outcome) -> f64 {
        let all = [&outcome.nobody, &outcome.unattributed].into_iter().chain(&outcome.holders);
        all.flatten().sum()
    }

    fn found(step: Step, holds: &[Hold]) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.find(step, holds);
        assert!((total(&outcome) - 1.0).abs() < 1e-12, "{outcome:?}");
        outcome
    }

    fn step(present: Option<f64>, utilization: Option<f64>, allocated: Option<f64>) -> Step {
        Step { present, utilization, allocated }
    }

    fn whole() -> Hold {
        Hold { requested: 1.0, used: None, loaded: Some(1.0), waste: Some(0.25) }
    }

    fn shares(pairs: &[(State, f64)]) -> Shares {
        let mut all = [0.0; STATES];
        for (state, share) in pairs {
            add(&mut all, *state, *share);
        }
        all
    }

    #[test]
    fn a_gpu_of_one_holder_is_told_apart_in_time() {
        let check = |hold: Hold, utilization, expected: &[(State, f64)]| {
            let outcome = found(step(Some(1.0), utilization, None), &[hold]);
            assert_eq!(outcome.holders, [shares(expected)]);
        };
        let (waste, useful) = (State::BusyWaste, State::BusyUseful);
        check(whole(), Some(0.5), &[(waste, 0.125), (useful, 0.375), (State::HeldIdle, 0.5)]);
        let loading = Hold { loaded: Some(0.25), waste: Some(0.0), ..whole() };
        check(loading, Some(0.25), &[(useful, 0.25), (State::HeldCold, 0.75)]);
        check(whole(), None, &[(State::UnknownWork, 1.0)]);
        let mute = Hold { loaded: None, waste: None, ..whole() };
        check(mute, Some(0.5), &[(State::UnknownUse, 0.5), (State::UnknownReadiness, 0.5)]);
    }

    #[test]
    fn what_nobody_measured_is_unknown_and_never_idle() {
        let check = |step: Step, expected: &[(State, f64)]| {
            assert_eq!(found(step, &[]).unattributed, shares(expected), "{step:?}");
        };
        check(step(None, Some(0.5), None), &[(State::UnknownPresence, 1.0)]);
        check(step(Some(1.0), None, None), &[(State::UnknownAllocation, 1.0)]);
        let halves = [(State::UnknownUse, 0.5), (State::UnknownAllocation, 0.5)];
        check(step(Some(1.0), Some(0.5), None), &halves);
        check(step(Some(1.0), Some(0.0), Some(0.0)), &[]);
    }

    #[test]
    fn nobodys_time_is_down_or_unallocated_and_strays_are_shown() {
        let free = found(step(Some(0.75), Some(0.0), Some(0.0)), &[]);
        assert_eq!(free.nobody, shares(&[(State::Down, 0.25), (State::Unallocated, 0.75)]));
        // A process beside the scheduler: nobody holds the GPU, and it works.
        let stray = found(step(Some(1.0), Some(0.5), Some(0.0)), &[]);
        assert_eq!(stray.unattributed, shares(&[(State::UnknownUse, 0.5)]));
        assert_eq!(stray.nobody, shares(&[(State::Unallocated, 0.5)]));
    }

    #[test]
    fn sharers_have_what_they_reserved_and_a_burst_takes_idle_time() {
        let half = |used| Hold { requested: 0.5, used: Some(used), ..whole() };
        let outcome = found(step(Some(1.0), Some(0.75), None), &[half(0.75), half(0.0)]);
        let held: Vec<f64> = outcome.holders.iter().map(|shares| shares.iter().sum()).collect();
        assert_eq!(held, [0.75, 0.25]);
        // Without readings the busy time is shared by what was reserved.
        let mute = Hold { requested: 0.25, ..whole() };
        let outcome = found(step(Some(1.0), Some(0.5), None), &[mute, mute]);
        let busy = outcome.holders[0][State::BusyUseful.place()];
        assert_eq!(busy, 0.25 * 0.75);
        assert_eq!(outcome.nobody, shares(&[(State::Unallocated, 0.5)]));
    }

    fn unknown_or_share() -> impl Strategy<Value = Option<f64>> {
        prop::option::weighted(0.8, prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0])
    }

    fn hold() -> impl Strategy<Value = Hold> {
        (0.0..=1.0, unknown_or_share(), unknown_or_share(), unknown_or_share())
            .prop_map(|(requested, used, loaded, waste)| Hold { requested, used, loaded, waste })
    }

    proptest! {
        #[test]
        fn every_second_is_exactly_one_thing(
            present in unknown_or_share(),
            utilization in unknown_or_share(),
            allocated in unknown_or_share(),
            holds in prop::collection::vec(hold(), 0..5),
        ) {
            let outcome = {
                let mut outcome = Outcome::default();
                outcome.find(step(present, utilization, allocated), &holds);
                outcome
            };
            prop_assert!((total(&outcome) - 1.0).abs() < 1e-12, "{} {outcome:?}", total(&outcome));
            let all = [&outcome.nobody, &outcome.unattributed].into_iter().chain(&outcome.holders);
            for share in all.flatten() {
                prop_assert!(*share >= -1e-12, "{outcome:?}");
            }
        }
    }
}
