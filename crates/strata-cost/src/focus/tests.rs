//! Exports add up, are valid, and a broken file is told.

use super::*;
use crate::facts::{Column, Gpu, Owner, Run};
use crate::ledger::{Ledger, Options};
use crate::price::{PriceBook, Wanted};
use crate::sum::sum;
use crate::unit::tests::facts;

fn options() -> FocusOptions {
    FocusOptions { billing_account: "c1".into(), provider: "gpu team".into(), is_billed: false }
}

fn ledger() -> Ledger {
    let mut facts = facts();
    facts.owners[0].namespace = Some("=danger,\"ous\"".into());
    facts.owners.push(Owner { team: Some("train".into()), ..Owner::default() });
    facts.owners[1].run = Some(0);
    facts.runs.push(Run { name: "r1".into(), model: Some("vl".into()), ..Run::default() });
    let training = {
        let mut gpu = facts.gpus[0].clone();
        gpu.claims[0].owner = 1;
        gpu
    };
    let free = Gpu {
        claims: vec![],
        allocated: Column::Constant(0.0),
        utilization: Column::Constant(0.0),
        ..facts.gpus[0].clone()
    };
    let untold = Gpu { allocated: Column::Missing, utilization: Column::Missing, ..free.clone() };
    let unpriced = Gpu { wanted: Wanted::default(), ..free.clone() };
    facts.gpus.extend([training, free, untold, unpriced]);
    Ledger::build(&facts, &PriceBook::embedded(), &Options::default())
}

fn costs(rows: &[Row], column: &str) -> f64 {
    sum(rows.iter().filter_map(|row| row.get(column)?.parse::<f64>().ok()))
}

#[test]
fn the_rows_are_the_bill_and_valid() {
    let ledger = ledger();
    let export = export(&ledger, &options());
    let bill = ledger.bill.money;
    assert!((costs(&export.rows, "EffectiveCost") - bill).abs() <= 1e-9 * bill);
    assert_eq!(costs(&export.rows, "BilledCost"), 0.0);
    assert_eq!(export.left_out_s, 1000.0);
    let text = to_csv(&export.rows);
    assert_eq!(validate(&text), []);
    assert!(text.contains("\"'=danger,\"\"ous\"\"\""), "a formula is text");
    let meters: Vec<_> = export.rows.iter().filter_map(|row| row.get("SkuMeter")).collect();
    let expected = ["unallocated", "unattributed", "uncached_prompt", "generated", "held"];
    assert_eq!(meters, expected);
    let generated = &export.rows[3];
    assert_eq!(generated.get("ConsumedQuantity"), Some("4000"));
    assert_eq!(generated.get("ConsumedUnit"), Some("Tokens"));
    assert_eq!(generated.get("PricingUnit"), Some("1000000 Tokens"));
    assert_eq!(generated.get("BillingPeriodEnd"), Some("2026-02-01T00:00:00Z"));
    assert_eq!(generated.get("x_CostMethod"), Some("request_time"));
    let trained = export.rows.iter().find(|row| row.get("x_TrainingRun") == Some("r1")).unwrap();
    assert_eq!((trained.get("x_Model"), trained.get("SkuMeter")), (Some("vl"), Some("held")));
    let billed = super::export(&ledger, &FocusOptions { is_billed: true, ..options() });
    assert!((costs(&billed.rows, "BilledCost") - bill).abs() <= 1e-9 * bill);
}

#[test]
fn a_file_that_is_not_focus_is_told_why() {
    let text = to_csv(&export(&ledger(), &options()).rows);
    let check = |from: &str, to: &str, expected: &str| {
        let found: Vec<_> =
            validate(&text.replacen(from, to, 1)).iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|one| one.contains(expected)), "{from} {to} {found:?}");
    };
    check("BillingCurrency,", "Currency,", "BillingCurrency: the column is missing");
    check(",Usage,", ",Using,", "ChargeCategory: is none of the allowed");
    check(",Compute,", ",Computers,", "ServiceCategory: is none of the allowed");
    check("2026-01-01T00:16:40Z", "2025-01-01T00:16:40Z", "ChargePeriodEnd: is not a date after");
    check("gpu@H100 SXM/unallocated/2026-01-01", "", "PricingQuantity: must be null");
    check(",USD,", ",,", "BillingCurrency: is null");
    assert_eq!(validate("").len(), 22);
}
