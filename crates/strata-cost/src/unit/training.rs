//! Unit costs of training, where its signals exist.

/// What a training run did for its money. What was not measured is None.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Training {
    /// Money of the GPUs that the run held; None where a part has no price.
    pub amount: Option<f64>,
    /// GPU seconds that it held.
    pub gpu_s: f64,
    /// Steps whose result was kept.
    pub kept_steps: Option<f64>,
    /// Steps that were computed and lost: behind the last checkpoint before a restart.
    pub lost_steps: Option<f64>,
    /// Tokens of the steps that were kept.
    pub tokens: Option<f64>,
    /// Floating-point operations of the model in these, by its formula, not by what the GPU ran.
    pub useful_flop: Option<f64>,
}

/// Unit costs of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TrainingUnits {
    /// Money for one kept step: lost ones are in it.
    pub per_step: Option<f64>,
    /// Money for one token that was trained.
    pub per_token: Option<f64>,
    /// Money for 1e18 useful operations.
    pub per_exaflop: Option<f64>,
    /// Money for the steps that were lost, at the cost of an average step.
    pub lost: Option<f64>,
}

impl Training {
    /// Its unit costs.
    pub fn units(&self) -> TrainingUnits {
        let over = |count: Option<f64>| {
            let count = count.filter(|count| *count > 0.0)?;
            Some(self.amount? / count)
        };
        let lost = || {
            let (kept, lost) = (self.kept_steps?, self.lost_steps?);
            (kept + lost > 0.0).then(|| self.amount.map(|money| money * lost / (kept + lost)))?
        };
        TrainingUnits {
            per_step: over(self.kept_steps),
            per_token: over(self.tokens),
            per_exaflop: over(self.useful_flop).map(|cost| cost * 1e18),
            lost: lost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_steps_are_paid_by_the_kept_ones() {
        let run = Training {
            amount: Some(900.0),
            gpu_s: 3600.0,
            kept_steps: Some(80.0),
            lost_steps: Some(10.0),
            tokens: Some(4.5e6),
            useful_flop: None,
        };
        let units = run.units();
        assert_eq!(units.per_step, Some(11.25));
        assert_eq!(units.lost, Some(100.0));
        assert_eq!(units.per_token, Some(2e-4));
        assert_eq!(units.per_exaflop, None);
        assert_eq!(Training { amount: None, ..run }.units(), TrainingUnits::default());
    }
}
