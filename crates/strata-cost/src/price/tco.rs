//! What a GPU hour costs whoever owns the hardware.

use strata_model::Problem;

/// Hours of a year of 365 days, as the sources of the formula count.
pub const HOURS_PER_YEAR: f64 = 8760.0;
/// Hours of a month: a twelfth of a year.
const HOURS_PER_MONTH: f64 = HOURS_PER_YEAR / 12.0;

/// The inputs of the rate of owned hardware. Nothing has a default: each is an assumption that
/// somebody must make, and be shown with the result.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tco {
    /// GPUs that the money bought.
    pub gpus: f64,
    /// Price of the servers.
    pub servers: f64,
    /// Price of network and its cables.
    pub network: f64,
    /// Price of storage.
    pub storage: f64,
    /// Spares bought in addition, as a share of all of it: 0.03.
    pub spares: f64,
    /// What it sells for at the end of its life.
    pub residual: f64,
    /// Yearly rate of interest: 0.1.
    pub rate: f64,
    /// Years of life.
    pub years: f64,
    /// Share of the GPUs that is healthy: 0.97.
    pub availability: f64,
    /// Yearly maintenance as a share of the price.
    pub maintenance: f64,
    /// Power of one GPU with its part of the node, in kW.
    pub kw_per_gpu: f64,
    /// Facility energy over IT energy: 1.2.
    pub pue: f64,
    /// Share of that power which is drawn on average.
    pub load_factor: f64,
    /// Price of one kWh.
    pub per_kwh: f64,
    /// Price of colocation for one kW and month; 0 where the building is the own one.
    pub colo_per_kw_month: f64,
    /// Yearly cost of the people who run it.
    pub staff: f64,
}

/// The rate and its parts, money per GPU and hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TcoRate {
    /// Capital, spread over the healthy hours of its life.
    pub capital: f64,
    /// Maintenance.
    pub maintenance: f64,
    /// Energy with the facility's overhead.
    pub energy: f64,
    /// Colocation.
    pub colo: f64,
    /// People.
    pub staff: f64,
}

impl TcoRate {
    /// All parts: what to charge back.
    pub fn full(&self) -> f64 {
        self.capital + self.maintenance + self.energy + self.colo + self.staff
    }

    /// Energy alone: what a GPU that is switched off saves.
    pub fn power_only(&self) -> f64 {
        self.energy
    }
}

impl Tco {
    /// Every input that cannot be.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let positive =
            [("gpus", self.gpus), ("years", self.years), ("availability", self.availability)];
        for (name, value) in positive {
            if !value.is_finite() || value <= 0.0 {
                problems.push(Problem::new(name, format!("{value} is not above zero")));
            }
        }
        let others = [
            ("servers", self.servers),
            ("network", self.network),
            ("storage", self.storage),
            ("spares", self.spares),
            ("residual", self.residual),
            ("rate", self.rate),
            ("maintenance", self.maintenance),
            ("kw_per_gpu", self.kw_per_gpu),
            ("load_factor", self.load_factor),
            ("per_kwh", self.per_kwh),
            ("colo_per_kw_month", self.colo_per_kw_month),
            ("staff", self.staff),
        ];
        for (name, value) in others {
            if !value.is_finite() || value < 0.0 {
                problems.push(Problem::new(name, format!("{value} is negative or no number")));
            }
        }
        if !self.pue.is_finite() || self.pue < 1.0 {
            let message =
                format!("{} is below 1: a facility draws what its machines draw", self.pue);
            problems.push(Problem::new("pue", message));
        }
        for (name, share) in
            [("availability", self.availability), ("load_factor", self.load_factor)]
        {
            if share > 1.0 {
                problems.push(Problem::new(name, format!("{share} is a share and not above 1")));
            }
        }
        problems
    }

    /// The rate, or every input that cannot be.
    ///
    /// Capital is spread by the capital recovery factor `r(1+r)^n / ((1+r)^n - 1)`, less the
    /// residual value at today's worth.
    pub fn rate(&self) -> Result<TcoRate, Vec<Problem>> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let price = self.servers + self.network + self.storage;
        let hours = self.gpus * HOURS_PER_YEAR * self.availability;
        let growth = (1.0 + self.rate).powf(self.years);
        let recovery =
            if self.rate == 0.0 { 1.0 / self.years } else { self.rate * growth / (growth - 1.0) };
        Ok(TcoRate {
            capital: (price * (1.0 + self.spares) - self.residual / growth) * recovery / hours,
            maintenance: self.maintenance * price / hours,
            energy: self.kw_per_gpu * self.pue * self.load_factor * self.per_kwh,
            colo: self.colo_per_kw_month * self.kw_per_gpu / HOURS_PER_MONTH,
            staff: self.staff / (self.gpus * HOURS_PER_YEAR),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Tco {
        Tco {
            gpus: 8.0,
            servers: 320_000.0,
            network: 0.0,
            storage: 0.0,
            spares: 0.0,
            residual: 0.0,
            rate: 0.0,
            years: 4.0,
            availability: 1.0,
            maintenance: 0.0,
            kw_per_gpu: 1.73,
            pue: 1.2,
            load_factor: 0.8,
            per_kwh: 0.08,
            colo_per_kw_month: 0.0,
            staff: 0.0,
        }
    }

    #[test]
    fn without_interest_the_price_is_spread_evenly() {
        let rate = node().rate().unwrap();
        assert!((rate.capital - 320_000.0 / (8.0 * 8760.0 * 4.0)).abs() < 1e-12);
        assert!((rate.energy - 1.73 * 1.2 * 0.8 * 0.08).abs() < 1e-12);
        assert!((rate.full() - rate.capital - rate.energy).abs() < 1e-12);
        assert_eq!(rate.power_only(), rate.energy);
    }

    #[test]
    fn interest_is_the_recovery_factor() {
        let rate = Tco { rate: 0.10, ..node() }.rate().unwrap();
        // An annuity of four years at 10 % is 0.315471 of the price each year.
        assert!((rate.capital - 320_000.0 * 0.315_470_8 / (8.0 * 8760.0)).abs() < 1e-6);
    }

    #[test]
    fn sick_gpus_make_the_others_dearer_and_a_residual_cheaper() {
        let plain = node().rate().unwrap().capital;
        assert!(Tco { availability: 0.9, ..node() }.rate().unwrap().capital > plain);
        assert!(Tco { residual: 80_000.0, ..node() }.rate().unwrap().capital < plain);
    }

    #[test]
    fn all_that_cannot_be_is_told_at_once() {
        let wrong = Tco { years: 0.0, pue: 0.5, per_kwh: -1.0, availability: 1.5, ..node() };
        let paths: Vec<_> = wrong.rate().unwrap_err().into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["years", "per_kwh", "pue", "availability"]);
    }
}
