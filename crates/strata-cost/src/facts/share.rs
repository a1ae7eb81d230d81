//! Which part of a GPU a holder of cores and memory has.

/// How a share of cores and a share of memory become one share of the GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SharePolicy {
    /// Cores only.
    Core,
    /// Memory only.
    Memory,
    /// The larger: whoever takes all memory leaves nothing to others, whatever its cores.
    #[default]
    Larger,
    /// The mean of both.
    Mean,
}

impl SharePolicy {
    /// The share, from what HAMi and others write as `gpucores` and `gpumem` over the GPU's own.
    /// None where the policy needs what is not known.
    pub fn share(self, core: Option<f64>, memory: Option<f64>) -> Option<f64> {
        let sound = |share: Option<f64>| share.filter(|share| (0.0..=1.0).contains(share));
        let (core, memory) = (sound(core), sound(memory));
        match self {
            Self::Core => core,
            Self::Memory => memory,
            Self::Larger => Some(core?.max(memory?)),
            Self::Mean => Some(f64::midpoint(core?, memory?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_needs_what_it_looks_at() {
        let check = |policy: SharePolicy, core, memory, expected| {
            assert_eq!(policy.share(core, memory), expected, "{policy:?} {core:?} {memory:?}");
        };
        check(SharePolicy::Larger, Some(0.25), Some(0.5), Some(0.5));
        check(SharePolicy::Larger, Some(0.25), None, None);
        check(SharePolicy::Core, Some(0.25), None, Some(0.25));
        check(SharePolicy::Mean, Some(0.25), Some(0.75), Some(0.5));
        check(SharePolicy::Memory, None, Some(1.5), None);
    }
}
