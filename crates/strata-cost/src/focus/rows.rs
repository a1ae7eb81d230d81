//! Rows out of a ledger.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Row;
use crate::facts::Owner;
use crate::ledger::{Cell, Dimension, Ledger, Line, PLATFORM, Payer, Rate, State, UNATTRIBUTED};
use crate::split::Class;
use crate::sum::sum;
use crate::tariff::per_unit;
use crate::time::{day, month_ms, rfc3339};

/// What a ledger does not know and FOCUS asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct FocusOptions {
    /// Id of the account that is billed: the cluster, or the contract.
    pub billing_account: String,
    /// Who runs the GPUs and writes this bill.
    pub provider: String,
    /// Whether the amounts are charged to somebody. Without it this is a showback: costs are
    /// effective, and nothing is billed.
    pub is_billed: bool,
}

/// An export, and what could not be in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The rows.
    pub rows: Vec<Row>,
    /// GPU seconds without a price: they have no cost, so they have no row.
    pub left_out_s: f64,
}

/// A charge while its row is made.
struct Charge<'a> {
    /// Money.
    cost: f64,
    /// How much, in the unit that is priced.
    quantity: f64,
    /// Tokens, requests or GPU hours in one priced unit.
    unit_size: f64,
    /// Name of the unit.
    unit: &'static str,
    /// What it is: a token class or a state.
    meter: &'a str,
    gpu_s: f64,
    energy_j: f64,
}

/// All rows of a ledger. Held time of a replica is a row for each token class, other held time a
/// row of GPU hours, nobody's time a row for each state.
pub fn export(ledger: &Ledger, options: &FocusOptions) -> Export {
    let mut groups: BTreeMap<(Payer, usize), Vec<&Cell>> = BTreeMap::new();
    for cell in &ledger.cells {
        let rate = ledger.gpus.get(cell.gpu).map_or(0, |gpu| gpu.rate);
        groups.entry((cell.payer, rate)).or_default().push(cell);
    }
    let mut rows = Vec::new();
    for ((payer, rate), cells) in &groups {
        let rate = ledger.rates.get(*rate);
        let page = Page { ledger, options, payer: *payer, rate, cells };
        match payer {
            Payer::Nobody => page.states(&mut rows),
            Payer::Unattributed => page.hours(&mut rows, "unattributed"),
            Payer::Owner(_) => page.owner(&mut rows),
        }
    }
    Export { rows, left_out_s: ledger.bill.unpriced_s }
}

/// Everything that the rows of one payer on one kind of GPU share.
struct Page<'a> {
    ledger: &'a Ledger,
    options: &'a FocusOptions,
    payer: Payer,
    rate: Option<&'a Rate>,
    cells: &'a [&'a Cell],
}

impl Page<'_> {
    fn owner_facts(&self) -> Option<&Owner> {
        match self.payer {
            Payer::Owner(place) => self.ledger.owners.get(place),
            Payer::Nobody | Payer::Unattributed => None,
        }
    }

    fn line(&self) -> Line {
        Line::of_cells("", self.cells)
    }

    fn states(&self, rows: &mut Vec<Row>) {
        let line = self.line();
        let whole_s = line.gpu_s();
        for state in State::ALL {
            let gpu_s = line.seconds_in(state);
            let cost = line.money_in(state);
            let energy_j = if whole_s > 0.0 { line.energy_j * gpu_s / whole_s } else { 0.0 };
            self.push_hours(rows, state.name(), gpu_s, cost, energy_j);
        }
    }

    fn hours(&self, rows: &mut Vec<Row>, meter: &str) {
        let line = self.line();
        self.push_hours(rows, meter, line.gpu_s(), sum(line.money), line.energy_j);
    }

    fn push_hours(&self, rows: &mut Vec<Row>, meter: &str, gpu_s: f64, cost: f64, energy_j: f64) {
        if gpu_s <= 0.0 || cost <= 0.0 {
            return;
        }
        let quantity = gpu_s / 3600.0;
        let charge =
            Charge { cost, quantity, unit_size: 1.0, unit: "GPU Hours", meter, gpu_s, energy_j };
        rows.push(self.row(&charge, None));
    }

    /// A replica's time by token class, as the split of its engine has it; the part of several
    /// owners of one replica in its tokens is their part in its time.
    fn owner(&self, rows: &mut Vec<Row>) {
        let line = self.line();
        let replica = self.owner_facts().and_then(|owner| owner.replica);
        let totals = replica.and_then(|place| self.ledger.replicas.get(place));
        let engine = totals.and_then(|totals| self.ledger.engines.get(totals.engine));
        let split = engine.and_then(|engine| engine.split.as_ref());
        let amounts = totals.and_then(|totals| totals.quantities).map(|counted| counted.value);
        let work = split.zip(amounts).map(|(split, amounts)| split.work(&amounts));
        let held_s = totals.map_or(0.0, |totals| totals.held_s);
        let (Some(split), Some(amounts), Some(work)) =
            (split, amounts, work.filter(|work| *work > 0.0))
        else {
            self.hours(rows, "held");
            return;
        };
        let part = if held_s > 0.0 { (line.gpu_s() / held_s).min(1.0) } else { 1.0 };
        for (class, amount) in Class::ALL.into_iter().zip(amounts) {
            let share = amount * split.price(class).unwrap_or_default() / work;
            let cost = share * sum(line.money);
            if cost <= 0.0 || amount <= 0.0 {
                continue;
            }
            let unit = if class == Class::Requests { "1000 Requests" } else { "1000000 Tokens" };
            let charge = Charge {
                cost,
                quantity: amount * part / per_unit(class),
                unit_size: per_unit(class),
                unit,
                meter: class.name(),
                gpu_s: line.gpu_s() * share,
                energy_j: line.energy_j * share,
            };
            rows.push(self.row(&charge, Some((class, split.method.name()))));
        }
    }

    fn row(&self, charge: &Charge<'_>, class: Option<(Class, &str)>) -> Row {
        let mut row = Row::default();
        self.periods(&mut row);
        self.account(&mut row);
        self.price(&mut row, charge);
        self.service(&mut row, charge, class);
        self.extensions(&mut row, charge, class);
        row
    }

    fn periods(&self, row: &mut Row) {
        let (start, end) = (self.ledger.start_ms, self.ledger.end_ms());
        row.set("ChargePeriodStart", rfc3339(start));
        row.set("ChargePeriodEnd", rfc3339(end));
        // The billing period is the month; a charge period that crosses its end is billed with its
        // first month. Ledgers of a day or an hour never do.
        let (first, next) = month_ms(start).unwrap_or((start, end));
        row.set("BillingPeriodStart", rfc3339(first));
        row.set("BillingPeriodEnd", rfc3339(next));
    }

    fn account(&self, row: &mut Row) {
        let options = self.options;
        row.set("BillingAccountId", &options.billing_account);
        row.set("BillingAccountName", &options.billing_account);
        row.set("BillingAccountType", "Cluster");
        row.set("BillingCurrency", &self.ledger.options.currency);
        row.set("InvoiceIssuerName", &options.provider);
        row.set("ProviderName", &options.provider);
        row.set("PublisherName", &options.provider);
        let namespace = match self.payer {
            Payer::Nobody => PLATFORM,
            Payer::Unattributed => UNATTRIBUTED,
            Payer::Owner(_) => self
                .owner_facts()
                .and_then(|owner| owner.namespace.as_deref())
                .unwrap_or(UNATTRIBUTED),
        };
        row.set("SubAccountId", namespace);
        row.set("SubAccountName", namespace);
        row.set("SubAccountType", "Namespace");
        let owner = self.owner_facts().cloned().unwrap_or_default();
        let pairs = [("app", owner.app), ("team", owner.team), ("tenant", owner.tenant)];
        let tags: Map<String, Value> = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?))))
            .collect();
        row.set("Tags", Value::Object(tags).to_string());
    }

    fn price(&self, row: &mut Row, charge: &Charge<'_>) {
        row.set("ChargeCategory", "Usage");
        row.set("ChargeFrequency", "Usage-Based");
        row.set("PricingCategory", "Standard");
        row.set_number("PricingQuantity", charge.quantity);
        row.set("PricingUnit", charge.unit);
        row.set_number("ConsumedQuantity", charge.quantity * charge.unit_size);
        let consumed = charge.unit.trim_start_matches(|letter: char| !letter.is_alphabetic());
        row.set("ConsumedUnit", consumed);
        let price = charge.cost / charge.quantity;
        row.set_number("ListUnitPrice", price);
        row.set_number("ContractedUnitPrice", price);
        row.set_number("ListCost", charge.cost);
        row.set_number("ContractedCost", charge.cost);
        row.set_number("EffectiveCost", charge.cost);
        row.set_number("BilledCost", if self.options.is_billed { charge.cost } else { 0.0 });
    }

    fn service(&self, row: &mut Row, charge: &Charge<'_>, class: Option<(Class, &str)>) {
        let gpu = self.rate.and_then(|rate| rate.wanted.gpu.as_deref()).unwrap_or("GPU");
        let model = self.owner_facts().and_then(|owner| owner.model.as_deref());
        let (category, subcategory, service, thing) = if class.is_some() {
            let service = "Self-hosted inference";
            ("AI and Machine Learning", "Generative AI", service, model.unwrap_or("model"))
        } else {
            ("Compute", "Other (Compute)", "GPU capacity", "gpu")
        };
        row.set("ServiceCategory", category);
        row.set("ServiceSubcategory", subcategory);
        row.set("ServiceName", service);
        let sku = format!("{thing}@{gpu}");
        row.set("SkuMeter", charge.meter);
        row.set("SkuPriceId", format!("{sku}/{}/{}", charge.meter, day(self.ledger.start_ms)));
        row.set("SkuId", sku);
        row.set("ChargeDescription", format!("{} of {thing} on {gpu}", charge.meter));
        if let Some(region) = self.rate.and_then(|rate| rate.wanted.region.as_deref()) {
            row.set("RegionId", region);
            row.set("RegionName", region);
        }
        let pod = self.owner_facts().and_then(|owner| owner.pod.as_deref());
        let resource = match (pod, self.cells) {
            (Some(pod), _) => Some((pod.to_owned(), "Pod")),
            (None, [only]) => Some((self.ledger.key(only, Dimension::Gpu), "GPU")),
            (None, _) => None,
        };
        if let Some((name, kind)) = resource {
            row.set("ResourceId", name.clone());
            row.set("ResourceName", name);
            row.set("ResourceType", kind);
        }
    }

    fn extensions(&self, row: &mut Row, charge: &Charge<'_>, class: Option<(Class, &str)>) {
        row.set_number("x_GpuSeconds", charge.gpu_s);
        if charge.energy_j > 0.0 {
            row.set_number("x_EnergyJ", charge.energy_j);
        }
        match class {
            Some((class, method)) => {
                row.set("x_TokenClass", class.name());
                row.set("x_CostMethod", method);
                row.set("x_UsefulLevel", "U0");
            }
            None => row.set("x_State", charge.meter),
        }
        let owner = self.owner_facts();
        let run = owner.and_then(|owner| self.ledger.runs.get(owner.run?));
        let trained = run.and_then(|run| run.model.as_deref());
        if let Some(model) = owner.and_then(|owner| owner.model.as_deref()).or(trained) {
            row.set("x_Model", model);
        }
        if let Some(run) = run {
            row.set("x_TrainingRun", &run.name);
        }
        let replica = owner.and_then(|owner| owner.replica);
        if let Some(replica) = replica.and_then(|place| self.ledger.replicas.get(place)) {
            row.set("x_Replica", &replica.name);
        }
        let mut quotes = self.rate.into_iter().flat_map(|rate| &rate.timeline);
        if let Some(quote) = quotes.find_map(|(_, quote)| quote.as_ref().ok()) {
            row.set("x_PriceSource", &quote.source);
            row.set("x_PriceDate", day(quote.date_ms));
            row.set("x_PriceConfidence", quote.confidence.name());
        }
    }
}
