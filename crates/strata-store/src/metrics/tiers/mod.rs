//! Downsampled tiers: what is left of a day when its raw samples are past their retention.
//!
//! When a UTC day is complete a thread of its own reads it back and writes `tier5m-YYYYMMDD.db` and
//! `tier1h-YYYYMMDD.db`. Such a file is made like a day file and read by the same code; only, its
//! "seals" are columns: rows with sequence 1 hold the last value of each window, 2 the smallest, and
//! so on, see [`Column`]. Windows are aligned to the epoch and begin with their first millisecond,
//! so they never cross midnight.

mod build;
mod expand;
mod kind;
mod read;
#[cfg(test)]
mod tests;
mod window;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::Shared;
use super::day::Day;
use super::day::calendar;
use super::options::StoreSettings;

pub(crate) use self::build::build_due;
pub(crate) use self::read::TierQuery;

/// Without a seal to wake it, the thread looks this often for a day that is complete.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A day whose tier could not be written this often is left without, so that a sick disk does not
/// keep raw days for ever.
const TRIES: u32 = 3;

/// One of the resolutions, fine to coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    FiveMinutes,
    Hour,
}

impl Tier {
    pub(crate) const ALL: [Self; 2] = [Self::FiveMinutes, Self::Hour];

    pub(crate) fn step_ms(self) -> i64 {
        match self {
            Self::FiveMinutes => 300_000,
            Self::Hour => 3_600_000,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::FiveMinutes => "tier5m-",
            Self::Hour => "tier1h-",
        }
    }

    /// How long its files are kept; zero when it is switched off.
    pub(crate) fn retention(self, settings: &StoreSettings) -> Duration {
        match self {
            Self::FiveMinutes => settings.retention_5m,
            Self::Hour => settings.retention_1h,
        }
    }

    pub(crate) fn path(self, dir: &Path, day: i64) -> PathBuf {
        dir.join(format!("{}{}.db", self.prefix(), calendar::digits(day)))
    }
}

/// The tier and day whose file has this name.
pub(crate) fn parse_name(name: &str) -> Option<(Tier, i64)> {
    let of = |tier: Tier| {
        let digits = name.strip_prefix(tier.prefix())?.strip_suffix(".db")?;
        Some((tier, calendar::from_digits(digits)?))
    };
    Tier::ALL.into_iter().find_map(of)
}

/// Whether this is the name of a tier file that was never finished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(write::UNFINISHED).is_some_and(|name| parse_name(name).is_some())
}

/// What a row of a tier file holds, by the sequence in its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    /// The last sample with its own time; a staleness marker behind it when the series ended. Of
    /// native histograms the last one.
    Last = 1,
    Min = 2,
    Max = 3,
    Sum = 4,
    Count = 5,
    /// Of counters only, at the time of the last sample.
    Increase = 6,
}

impl Column {
    const ALL: [Self; 6] =
        [Self::Last, Self::Min, Self::Max, Self::Sum, Self::Count, Self::Increase];

    pub(crate) fn sequence(self) -> u32 {
        self as u32
    }
}

type TierDays = BTreeMap<i64, Arc<Day>>;

/// Tier files in use, and the pace of the thread that writes them.
#[derive(Default)]
pub(crate) struct Tiers {
    days: RwLock<[TierDays; 2]>,
    /// How often writing a day failed.
    failures: Mutex<BTreeMap<i64, u32>>,
    /// Held while building, so that there is one builder.
    building: Mutex<()>,
    pace: Mutex<Pace>,
    wake: Condvar,
    /// How often series got new ids.
    renamings: AtomicU64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Pace {
    poked: bool,
    stop: bool,
}

impl Tiers {
    pub(crate) fn new(days: [TierDays; 2]) -> Self {
        Self { days: RwLock::new(days), ..Self::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, [TierDays; 2]> {
        self.days.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn day(&self, tier: Tier, number: i64) -> Option<Arc<Day>> {
        self.read()[tier as usize].get(&number).map(Arc::clone)
    }

    /// Every tier file, oldest first within a tier.
    pub(crate) fn all(&self) -> Vec<Arc<Day>> {
        self.read().iter().flat_map(BTreeMap::values).map(Arc::clone).collect()
    }

    /// The finest tier of each day between the two, oldest first, unless the day file is in `raw`
    /// and has all that the tier was made from. A day file that was lost and begun anew has not.
    fn between(&self, first: i64, last: i64, raw: &[Arc<Day>]) -> Vec<(Tier, Arc<Day>)> {
        let mut found: BTreeMap<i64, (Tier, Arc<Day>)> = BTreeMap::new();
        for (tier, days) in Tier::ALL.into_iter().zip(self.read().iter()) {
            for (&number, day) in days.range(first..=last) {
                let at = raw.binary_search_by_key(&number, |day| day.number);
                let sealed = at.ok().map_or(0, |at| raw[at].state().last_sequence());
                if sealed < day.state().built_from {
                    found.entry(number).or_insert_with(|| (tier, Arc::clone(day)));
                }
            }
        }
        found.into_values().collect()
    }

    fn insert(&self, tier: Tier, day: Arc<Day>) {
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = days[tier as usize].insert(day.number, day) {
            old.close_readers();
        }
    }

    /// Take out the days of a tier before `first`.
    pub(crate) fn remove_before(&self, tier: Tier, first: i64) -> TierDays {
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        let kept = days[tier as usize].split_off(&first);
        std::mem::replace(&mut days[tier as usize], kept)
    }

    fn gave_up(&self, number: i64) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&number).is_some_and(|&failed| failed >= TRIES)
    }

    fn failed(&self, number: i64) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(number).or_default() += 1;
    }

    /// Take over new series ids; the caller keeps readers of ids out.
    pub(crate) fn rename(&self, renamed: &[Option<u32>]) {
        self.renamings.fetch_add(1, Ordering::SeqCst);
        self.all().iter().for_each(|day| day.rename(renamed));
    }

    fn renamed(&self) -> u64 {
        self.renamings.load(Ordering::SeqCst)
    }

    /// Look for complete days now.
    pub(crate) fn poke(&self) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).poked = true;
        self.wake.notify_all();
    }

    /// End the thread; a file that is being written is left to the next start.
    pub(crate) fn stop(&self) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.wake.notify_all();
    }

    fn stopped(&self) -> bool {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).stop
    }

    /// Wait for the next look; `false` when it is time to end.
    fn wait(&self) -> bool {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |pace: &mut Pace| !pace.poked && !pace.stop;
        let woken = self.wake.wait_timeout_while(pace, LOOK_EVERY, idle);
        let (mut pace, _) = woken.unwrap_or_else(PoisonError::into_inner);
        pace.poked = false;
        !pace.stop
    }
}

/// What the thread does until the store closes. Errors are logged where they happen.
pub(crate) fn run(shared: &Shared) {
    while shared.tiers.wait() {
        build_due(shared);
    }
}

/// Whether a raw day must stay because a tier that outlives it is still to be written.
pub(crate) fn awaits(shared: &Shared, number: i64, now_ms: i64) -> bool {
    let missing =
        |tier| wanted(shared, tier, number, now_ms) && shared.tiers.day(tier, number).is_none();
    !shared.tiers.gave_up(number) && Tier::ALL.into_iter().any(missing)
}

/// Whether the tier is switched on and keeps this day.
fn wanted(shared: &Shared, tier: Tier, number: i64, now_ms: i64) -> bool {
    let kept = tier.retention(&shared.settings);
    !kept.is_zero() && number >= calendar::day_of(now_ms.saturating_sub(kept.as_millis() as i64))
}
