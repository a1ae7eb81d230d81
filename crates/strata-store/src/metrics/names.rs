//! Which values a label has, and how new each metric is: asked for every page, so answered from the
//! postings, without looking at the labels of every series.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use strata_model::METRIC_NAME;

use super::Shared;

/// A value of a label, and the series that have it.
type Listed = Vec<(String, Vec<u32>)>;

impl Shared {
    fn listed(&self, label: &str) -> Listed {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.values(label).map(|(value, ids)| (value.to_owned(), ids.to_vec())).collect()
    }

    /// Sorted values of a label among the series that have samples near the range (`present`).
    pub(super) fn values_of(&self, label: &str, range: (i64, i64)) -> Vec<String> {
        let _ids_stay = self.renaming.read().unwrap_or_else(PoisonError::into_inner);
        let listed = self.listed(label);
        // The head first, for the same reason as in a selection.
        let (mut found, rest): (Listed, Listed) = {
            let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
            let in_head = |id: &u32| head.holds_between(*id, range.0, range.1);
            listed.into_iter().partition(|(_, ids)| ids.iter().any(in_head))
        };
        let days = self.days_of(range);
        let states: Vec<_> = days.iter().map(|day| day.state()).collect();
        let on_disk = |id: &u32| states.iter().any(|state| state.has(*id));
        found.extend(rest.into_iter().filter(|(_, ids)| ids.iter().any(on_disk)));
        let mut values: Vec<String> = found.into_iter().map(|(value, _)| value).collect();
        values.sort_unstable();
        values
    }

    /// Time of the newest sample of each metric in the head.
    pub(super) fn newest_by_name(&self) -> BTreeMap<String, i64> {
        let _ids_stay = self.renaming.read().unwrap_or_else(PoisonError::into_inner);
        let listed = self.listed(METRIC_NAME);
        let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
        let newest = listed.into_iter().filter_map(|(name, ids)| {
            let times = ids.into_iter().filter_map(|id| head.newest_time(id));
            Some((name, times.max()?))
        });
        newest.collect()
    }
}
