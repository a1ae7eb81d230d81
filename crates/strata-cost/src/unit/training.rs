//! Unit costs of training, where its signals exist.

use crate::ledger::{Cell, Ledger, Line};

/// A training run of a ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct RunUnits {
    /// Name of the run.
    pub run: String,
    /// Model that it trains.
    pub model: Option<String>,
    /// How its holders are known.
    pub method: Option<&'static str>,
    /// Time and money of its GPUs that were seen.
    pub line: Line,
    /// What it did for its money.
    pub training: Training,
    /// What one of that cost.
    pub units: TrainingUnits,
    /// What is not known, and what would tell.
    pub unknown: Vec<String>,
}

/// The training runs of a ledger, in order of name. A run of which not all GPUs were seen has no amount.
pub fn training(ledger: &Ledger) -> Vec<RunUnits> {
    let mut cells: Vec<Vec<&Cell>> = vec![Vec::new(); ledger.runs.len()];
    for cell in &ledger.cells {
        let run = ledger.owner(cell).and_then(|owner| owner.run);
        if let Some(cells) = run.and_then(|run| cells.get_mut(run)) {
            cells.push(cell);
        }
    }
    let runs = ledger.runs.iter().zip(cells).map(|(run, cells)| {
        let line = Line::of_cells(&run.name, &cells);
        let training = Training {
            amount: line.amount().filter(|_| run.is_whole),
            gpu_s: line.gpu_s(),
            kept_steps: run.kept_steps,
            lost_steps: run.lost_steps,
            tokens: run.tokens,
            useful_flop: run.useful_flop,
        };
        let mut unknown = run.unknown.clone();
        if line.unpriced_s > 0.0 {
            unknown.push("its cost: a part of its GPU time has no price".to_owned());
        }
        RunUnits {
            run: run.name.clone(),
            model: run.model.clone(),
            method: run.method,
            units: training.units(),
            line,
            training,
            unknown,
        }
    });
    runs.collect()
}

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
    /// Money for one step that was computed and lost: of all that were computed, kept or lost.
    pub per_lost_step: Option<f64>,
    /// Money for all steps that were lost, at that cost.
    pub lost: Option<f64>,
}

impl Training {
    /// Its unit costs.
    pub fn units(&self) -> TrainingUnits {
        let over = |count: Option<f64>| {
            let count = count.filter(|count| *count > 0.0)?;
            Some(self.amount? / count)
        };
        let computed = self.kept_steps.zip(self.lost_steps).map(|(kept, lost)| kept + lost);
        let per_computed = over(computed);
        let lost = self.lost_steps.filter(|lost| *lost > 0.0);
        TrainingUnits {
            per_step: over(self.kept_steps),
            per_token: over(self.tokens),
            per_exaflop: over(self.useful_flop).map(|cost| cost * 1e18),
            per_lost_step: per_computed.filter(|_| lost.is_some()),
            lost: per_computed.zip(self.lost_steps).map(|(one, lost)| one * lost),
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
        assert_eq!((units.per_lost_step, units.lost), (Some(10.0), Some(100.0)));
        let whole = Training { lost_steps: Some(0.0), ..run }.units();
        assert_eq!((whole.per_lost_step, whole.lost), (None, Some(0.0)), "none was lost");
        assert_eq!(units.per_token, Some(2e-4));
        assert_eq!(units.per_exaflop, None);
        assert_eq!(Training { amount: None, ..run }.units(), TrainingUnits::default());
    }
}
