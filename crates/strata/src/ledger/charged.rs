//! Who is charged what, by a basis and a policy for idle time that were asked for.

use serde_json::{Value as Json, json};
use strata_cost::ledger::{Basis, Charge, Dimension, IdlePolicy, Ledger, State};
use strata_cost::sum::sum;
use strata_view::PageError;

use super::asked::{Asked, bad};

/// How charges are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charging {
    name: &'static str,
    by: Dimension,
    basis: (&'static str, Basis),
    idle: (&'static str, IdlePolicy),
}

/// A word of a short list; the first where nothing is given.
fn chosen<T: Copy, const N: usize>(
    asked: &Asked,
    name: &str,
    all: [(&'static str, T); N],
) -> Result<Option<(&'static str, T)>, PageError> {
    let Some(text) = asked.text(name) else { return Ok(None) };
    let names = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = all.iter().find(|(known, _)| *known == text).copied();
    found.map(Some).ok_or_else(|| bad(format!("{name}: {text:?}"), &format!("one of {}", names())))
}

impl Charging {
    /// None where neither a basis nor a policy is asked for.
    pub(super) fn asked(asked: &Asked) -> Result<Option<Self>, PageError> {
        let basis = chosen(asked, "basis", Basis::ALL)?;
        let idle = chosen(asked, "idle", IdlePolicy::ALL)?;
        if basis.is_none() && idle.is_none() {
            return Ok(None);
        }
        let (name, by) = match asked.by.as_slice() {
            [] => ("namespace", Dimension::Namespace),
            [(name, by)] if by.is_chargeable() => (*name, *by),
            [(name, Dimension::Tenant)] => {
                let told = format!(
                    "by: a {name} holds no GPU, so there is nothing reserved or idle of it"
                );
                return Err(bad(told, "leave out basis and idle: tenants pay by their tokens"));
            }
            [(name, _)] => {
                let told = format!("by: a {name} is charged nothing, it is what is charged for");
                return Err(bad(told, "by=team, or namespace, pod, app, model, replica, run"));
            }
            _ => return Err(bad("by: charges go by one dimension".to_owned(), "by=team")),
        };
        let basis = basis.unwrap_or(("held", Basis::Held));
        Ok(Some(Self { name, by, basis, idle: idle.unwrap_or(("owner", IdlePolicy::Owner)) }))
    }

    /// The charges, the most first, and what they are made by.
    pub(super) fn report(&self, ledger: &Ledger) -> Json {
        let mut charges = ledger.charges(self.by, self.basis.1, self.idle.1);
        charges.sort_by(|a, b| b.amount().total_cmp(&a.amount()).then(a.key.cmp(&b.key)));
        let lines: Vec<Json> = charges.iter().map(line).collect();
        let whole = sum(charges.iter().map(Charge::amount));
        let is_priced = charges.iter().all(|one| one.unpriced_s <= 0.0) && !charges.is_empty();
        json!({
            "by": self.name,
            "basis": self.basis.0,
            "idle": self.idle.0,
            "amount": is_priced.then_some(whole),
            "lines": lines,
            "notes": self.notes(ledger),
        })
    }

    /// In words: what the basis and the policy do, and what of it was not measured.
    fn notes(&self, ledger: &Ledger) -> Vec<String> {
        let basis = match self.basis.1 {
            Basis::Held => "what was reserved or used, whichever was more",
            Basis::Requested => "what was reserved, used or not",
            Basis::Used => "the time in which kernels ran",
        };
        let rest = match (self.idle.1, self.basis.1) {
            (IdlePolicy::Owner, Basis::Used) => {
                "idle time is its holder's, what nobody held the platform's"
            }
            (IdlePolicy::Owner | IdlePolicy::Platform, _) => "the rest is the platform's",
            (IdlePolicy::Proportional, _) => "the rest is shared in proportion to that",
        };
        let mut notes = vec![format!("charged: {basis}; {rest}")];
        let total = ledger.total();
        let unknown_s = total.seconds_in(State::UnknownWork);
        if self.basis.1 == Basis::Used && unknown_s > 0.0 {
            notes.push(format!(
                "of {:.2} GPU hours that were held nothing tells whether a kernel ran: they are not used",
                unknown_s / 3600.0
            ));
        }
        if self.basis.1 != Basis::Used && total.assumed_s > 0.0 {
            notes.push(format!(
                "{:.2} GPU hours are reserved in equal parts of shared GPUs, for want of shares",
                total.assumed_s / 3600.0
            ));
        }
        notes
    }
}

fn line(charge: &Charge) -> Json {
    let is_priced = charge.unpriced_s <= 0.0;
    let known = |money: f64| is_priced.then_some(money);
    json!({
        "key": charge.key,
        "direct": known(charge.direct),
        "idle": known(charge.idle),
        "amount": known(charge.amount()),
        "unpriced_gpu_hours": charge.unpriced_s / 3600.0,
    })
}

#[cfg(test)]
mod tests {
    use strata_query::promqltest::MemorySource;

    use super::*;
    use crate::config::CostOptions;
    use crate::ledger::LedgerReports;
    use crate::ledger::tests::{DAY, HOUR, push, service};

    /// Two GPUs: one of namespace `n`, busy half of the time, one that nobody holds.
    async fn answer(params: &[(&str, &str)]) -> Result<Json, PageError> {
        let mut source = MemorySource::new();
        let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
        for gpu in ["GPU-1", "GPU-2"] {
            let of = |name| [("__name__", name), ("gpu_uuid", gpu), ("node", "n"), model];
            push(&mut source, &of("hw_gpu_memory_usage_bytes"), 3, |_| 1e9);
            let utilization = if gpu == "GPU-1" { 0.5 } else { 0.0 };
            push(&mut source, &of("hw_gpu_utilization_ratio"), 3, |_| utilization);
        }
        let held = [("__name__", "gpu_allocation_info"), ("gpu_uuid", "GPU-1"), ("node", "n")];
        let by = [("namespace", "n"), ("pod", "e"), ("method", "podresources")];
        push(&mut source, &[&held[..], &by].concat(), 3, |_| 1.0);
        let service = service(source, &CostOptions::default(), DAY + 3 * HOUR);
        let params: Vec<_> =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let asked = Asked::read("/cost", &params, DAY + 3 * HOUR)?;
        let reports = LedgerReports(std::sync::Arc::new(service));
        let report = reports.cost(&asked).await?;
        Ok(serde_json::from_str(&report.body).unwrap())
    }

    #[tokio::test]
    async fn every_basis_and_policy_adds_up_to_the_bill() {
        for (basis, _) in Basis::ALL {
            for (idle, _) in IdlePolicy::ALL {
                let answer =
                    answer(&[("by", "namespace"), ("basis", basis), ("idle", idle)]).await.unwrap();
                let (charges, bill) = (&answer["charges"], answer["total"]["amount"].as_f64());
                assert_eq!((&charges["basis"], &charges["idle"]), (&json!(basis), &json!(idle)));
                let lines = charges["lines"].as_array().unwrap();
                let whole: f64 = lines.iter().map(|line| line["amount"].as_f64().unwrap()).sum();
                assert!((whole - bill.unwrap()).abs() < 1e-9 * whole, "{basis} {idle} {charges}");
                assert!(bill.unwrap() > 1.0 && charges["notes"][0].is_string(), "{charges}");
            }
        }
    }

    #[tokio::test]
    async fn idle_time_goes_to_whom_the_policy_says() {
        let check = async |basis: &str, idle: &str, expected: [f64; 2]| {
            let asked = [("by", "namespace"), ("basis", basis), ("idle", idle)];
            let answer = answer(&asked).await.unwrap();
            let bill = answer["total"]["amount"].as_f64().unwrap();
            let of = |key: &str| {
                let lines = answer["charges"]["lines"].as_array().unwrap();
                let found = lines.iter().find(|line| line["key"] == key);
                found.map_or(0.0, |line| line["amount"].as_f64().unwrap() / bill)
            };
            let shares = [of("n"), of("platform")];
            for (found, expected) in shares.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{basis} {idle} {shares:?} {answer}");
            }
        };
        check("requested", "owner", [0.5, 0.5]).await;
        check("used", "owner", [0.5, 0.5]).await;
        check("used", "platform", [0.25, 0.75]).await;
        check("used", "proportional", [1.0, 0.0]).await;
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_refused_with_what_does() {
        let check = async |params: &[(&str, &str)], told: &str| {
            let error = answer(params).await.unwrap_err();
            assert!(format!("{} {}", error.message, error.hint).contains(told), "{error:?}");
        };
        check(&[("basis", "wished")], "held, requested, used").await;
        check(&[("idle", "nobody")], "owner, proportional, platform").await;
        check(&[("idle", "owner"), ("by", "team,model")], "one dimension").await;
        check(&[("idle", "owner"), ("by", "tenant")], "by their tokens").await;
        check(&[("basis", "used"), ("by", "node")], "by=team").await;
        assert_eq!(answer(&[("by", "team")]).await.unwrap()["charges"], Json::Null);
    }
}
