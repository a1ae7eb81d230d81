//! What each of several holders of one GPU has of it, at every time.

use strata_world::bill::{BillGpu, Hold, Part};

use super::SharePolicy;

/// A hold with one share of the GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shared {
    /// Place of the hold.
    pub(super) hold: usize,
    /// First step.
    pub(super) first: usize,
    /// First step no longer held.
    pub(super) end: usize,
    /// Share of the GPU.
    pub(super) share: f64,
    /// Whether it is an equal part for want of anything that tells the shares.
    pub(super) is_assumed: bool,
}

/// The share that a part is; None where nothing tells.
fn share(part: Part) -> Option<f64> {
    // Who has cores and memory has the larger of the two: what he takes of one, no other can use
    // with the other. Where only one is given out, that one.
    SharePolicy::Larger.share(part.cores, part.memory).or(part.cores).or(part.memory)
}

/// The shares of all holds of a GPU: of those that are known as they are, of the others equal parts
/// of what remains at the time. A single holder of whom nothing is known has all of it.
pub(super) fn shares(gpu: &BillGpu) -> Vec<Shared> {
    let mut edges: Vec<usize> = gpu.holds.iter().flat_map(|hold| [hold.first, hold.end]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut found: Vec<Shared> = Vec::new();
    // The last piece of each hold.
    let mut last: Vec<Option<usize>> = vec![None; gpu.holds.len()];
    for span in edges.windows(2) {
        let &[first, end] = span else { continue };
        let here = |hold: &Hold| hold.first <= first && end <= hold.end;
        let holds = || gpu.holds.iter().enumerate().filter(|(_, hold)| here(hold));
        let known: f64 = holds().filter_map(|(_, hold)| share(hold.part)).sum();
        let untold = holds().filter(|(_, hold)| share(hold.part).is_none()).count();
        let rest = (1.0 - known).max(0.0) / untold.max(1) as f64;
        let is_alone = untold == 1 && known == 0.0;
        for (place, hold) in holds() {
            let (share, is_assumed) = match share(hold.part) {
                Some(share) => (share, false),
                None => (rest, !is_alone),
            };
            let before = last.get(place).copied().flatten().and_then(|at| found.get_mut(at));
            match before {
                Some(before)
                    if before.end == first
                        && before.share == share
                        && before.is_assumed == is_assumed =>
                {
                    before.end = end;
                }
                _ => {
                    if let Some(last) = last.get_mut(place) {
                        *last = Some(found.len());
                    }
                    found.push(Shared { hold: place, first, end, share, is_assumed });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(first: usize, end: usize, cores: Option<f64>, memory: Option<f64>) -> Hold {
        let part = Part { how: "fraction", cores, memory };
        Hold { first, end, part, ..Hold::default() }
    }

    fn check(holds: Vec<Hold>, expected: &[(usize, usize, usize, f64, bool)]) {
        let found = shares(&BillGpu { holds, ..BillGpu::default() });
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.hold, one.first, one.end, one.share, one.is_assumed))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn who_is_alone_has_all_and_others_share_what_remains() {
        check(vec![hold(0, 9, None, None)], &[(0, 0, 9, 1.0, false)]);
        check(vec![hold(0, 9, Some(0.25), Some(0.5))], &[(0, 0, 9, 0.5, false)]);
        let two = vec![hold(0, 9, None, None), hold(3, 6, None, None)];
        let pieces = [
            (0, 0, 3, 1.0, false),
            (0, 3, 6, 0.5, true),
            (1, 3, 6, 0.5, true),
            (0, 6, 9, 1.0, false),
        ];
        check(two, &pieces);
        let mixed =
            vec![hold(0, 9, Some(0.25), None), hold(0, 4, None, None), hold(4, 9, None, None)];
        let pieces = [(0, 0, 9, 0.25, false), (1, 0, 4, 0.75, true), (2, 4, 9, 0.75, true)];
        check(mixed, &pieces);
    }
}
