//! Whatever comes in, nothing panics, and what cannot be read is told.

use proptest::prelude::*;
use strata_cost::budget::{Budget, Spending};
use strata_cost::facts::{Claim, Column, Facts, Gpu, Owner, Replica, Role, TenantUse};
use strata_cost::ledger::{Dimension, Ledger, Options};
use strata_cost::price::{PriceBook, Wanted, opencost_csv};
use strata_cost::provider::{Dialect, PriceMap, buckets};
use strata_cost::unit::{Energy, TenantLine, by_tenant, models, tenants, waste};
use strata_cost::useful::Level;
use strata_cost::{csv, focus, metrics, time};

/// A valid text with a piece replaced by anything.
fn torn(valid: &'static str) -> impl Strategy<Value = String> {
    (0..valid.len(), 0..40_usize, "\\PC{0,12}").prop_map(move |(at, cut, piece)| {
        let head: String = valid.chars().take(at).collect();
        let tail: String = valid.chars().skip(at + cut).collect();
        head + &piece + &tail
    })
}

const BOOK: &str = "[[price]]\ngpu = \"H100\"\nper_hour = \"2.95\"\ncurrency = \"USD\"\n\
    from = 2026-01-01\nuntil = 2027-01-01\nsource = \"x\"\ndate = \"2026-04\"\nterm = \"spot\"\n";
const PRICES: &str = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,\
    MarketPriceHourly,Version\n2019-04-17 23:34:22 UTC,\"a\",,node,metadata.name,,0.13,\n";
const MAP: &str = r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": "2e-6",
    "input_cost_per_token_above_200k_tokens": 2e-6}}"#;
const USAGE: &str = r#"{"prompt_tokens": 9, "completion_tokens": 3, "input_tokens": 5,
    "output_tokens": 2, "promptTokenCount": 7, "inputTokens": 4, "outputTokens": 1,
    "prompt_tokens_details": {"cached_tokens": 3}, "cacheDetails": [{"ttl": "1h", "inputTokens": 1}]}"#;

proptest! {
    #[test]
    fn texts_are_read_or_refused(
        any in "\\PC{0,200}",
        book in torn(BOOK),
        prices in torn(PRICES),
        map in torn(MAP),
        usage in torn(USAGE),
    ) {
        for text in [&any, &book] {
            if let Err(error) = PriceBook::default().add_toml(text) {
                prop_assert!(!error.problems.is_empty());
            }
        }
        for text in [&any, &prices] {
            for price in opencost_csv(text, "USD", "x", 0).prices {
                prop_assert!(price.per_hour >= 0.0);
            }
            let _rows = csv::rows(text);
            let _problems = focus::validate(text);
        }
        for text in [&any, &map] {
            let _map = PriceMap::read(text, 0);
        }
        let _instant = time::instant_ms(&any);
        if let Ok(usage) = serde_json::from_str(&usage) {
            for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini, Dialect::Bedrock] {
                if let Ok(found) = buckets(dialect, &usage) {
                    prop_assert!(found.iter().all(|tokens| *tokens >= 0.0));
                }
            }
        }
    }

    #[test]
    fn facts_are_counted_or_unknown(facts in any_facts(), level in 0..5_usize) {
        let options = Options { level: Level::ALL[level], ..Options::default() };
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &options);
        prop_assert!(ledger.reconciliation().holds(), "{:?}", ledger.reconciliation());
        let units = models(&ledger, &Energy::default());
        for units in &units {
            for cost in units.per_useful_token.iter().flatten() {
                prop_assert!(cost.cost.is_finite() && cost.count > 0.0, "{units:?}");
            }
            for cost in &units.classes {
                prop_assert!(cost.full.is_finite() && cost.full >= 0.0, "{units:?}");
            }
        }
        let replicas: f64 = ledger.by_replica().iter().flat_map(|line| line.money).sum();
        let lines = by_tenant(&ledger);
        let seconds: f64 = lines.iter().map(|(_, line)| line.gpu_s()).sum();
        prop_assert!(
            (seconds - ledger.bill.device_s).abs() <= 1e-9 * ledger.bill.device_s.max(1.0),
            "{} {}", seconds, ledger.bill.device_s
        );
        let tenants: f64 = tenants(&ledger).iter().map(TenantLine::amount).sum();
        prop_assert!((replicas - tenants).abs() <= 1e-9 * ledger.bill.money, "{replicas} {tenants}");
        let lines = waste(&ledger, Dimension::Team);
        prop_assert!(lines.iter().all(|line| line.gpu_s > 0.0 && line.money >= 0.0));
        let points = metrics::points(&ledger, &units, &lines);
        prop_assert!(points.iter().all(|point| point.value.is_finite()), "{points:?}");
        let account = focus::FocusOptions {
            billing_account: "c".into(),
            provider: "p".into(),
            is_billed: true,
        };
        let export = focus::export(&ledger, &account);
        prop_assert_eq!(focus::validate(&focus::to_csv(&export.rows)), []);
        let billed: f64 = export
            .rows
            .iter()
            .filter_map(|row| row.get("BilledCost")?.parse::<f64>().ok())
            .sum();
        prop_assert!((billed - ledger.bill.money).abs() <= 1e-9 * ledger.bill.money, "{billed}");
        let same = strata_cost::change::explain(&ledger, &ledger);
        prop_assert!(same.is_err() || same.is_ok_and(|change| change.residual() == 0.0));
    }

    #[test]
    fn times_at_the_edge_of_numbers_are_refused(start in any::<i64>(), step in any::<i64>()) {
        let facts = Facts { start_ms: start, step_ms: step, steps: 3, ..Facts::default() };
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        prop_assert!(ledger.steps == 0 || ledger.problems.is_empty());
        let budget = Budget { owner: "t".into(), amount: 1.0, start_ms: start, end_ms: step };
        let spending = Spending { start_ms: step, step_ms: start, steps: &[1.0, f64::NAN], begun: 1 };
        let _standing = budget.standing(spending);
        let _text = time::rfc3339(start);
        let _month = time::month_ms(step);
    }
}

fn column(scale: f64) -> impl Strategy<Value = Column> {
    let wild = prop_oneof![
        6 => (0.0..=1.0_f64).prop_map(move |share| share * scale),
        1 => Just(f64::NAN),
        1 => Just(-1.0),
        1 => Just(0.0),
        1 => Just(f64::INFINITY),
    ];
    prop_oneof![
        1 => Just(Column::Missing),
        2 => (0.0..=1.0_f64).prop_map(move |share| Column::Constant(share * scale)),
        3 => prop::collection::vec(wild, 0..6).prop_map(Column::Steps),
    ]
}

fn replica() -> impl Strategy<Value = Replica> {
    let counts = (column(1e6), column(1e6), column(1e5), column(100.0), column(1e4));
    let useful = (column(1e5), column(1e5), column(60.0), column(60.0));
    (counts, useful, 0..2_usize, 0..3_usize).prop_map(
        |((prompt, cached, generated, requests, recomputed), useful, model, role)| Replica {
            name: "r".into(),
            model: format!("m{model}"),
            role: [Role::Whole, Role::Prefill, Role::Decode][role],
            prompt,
            cached,
            generated,
            requests,
            recomputed,
            delivered: useful.0,
            within_slo: useful.1,
            prefill_s: useful.2,
            decode_s: useful.3,
            ..Replica::default()
        },
    )
}

fn gpu() -> impl Strategy<Value = Gpu> {
    let columns = (column(1.1), column(1.1), column(1.0), column(1e6));
    let claim = (0..4_usize, 0..8_usize, 0..8_usize, -0.1..=1.1_f64, column(1.0), column(1.0));
    let claims = prop::collection::vec(claim, 0..3);
    (columns, claims, -0.1..=1.1_f64).prop_map(|(columns, claims, portion)| Gpu {
        id: "g".into(),
        wanted: Wanted { gpu: Some("H100 SXM".into()), ..Wanted::default() },
        portion,
        present: columns.0,
        utilization: columns.1,
        allocated: columns.2,
        energy_j: columns.3,
        claims: claims
            .into_iter()
            .map(|(owner, first, end, requested, used, loaded)| Claim {
                owner,
                first,
                end,
                requested,
                is_assumed: owner % 2 == 0,
                used,
                loaded,
                waste: Column::Missing,
            })
            .collect(),
        ..Gpu::default()
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let replicas = prop::collection::vec(replica(), 0..4);
    let gpus = prop::collection::vec(gpu(), 0..5);
    let tokens = || prop::option::of(prop_oneof![Just(0.0), 0.0..1e6_f64]);
    let one = (0..5_usize, tokens(), tokens(), tokens());
    (replicas, gpus, prop::collection::vec(one, 0..4)).prop_map(|(replicas, gpus, uses)| Facts {
        start_ms: 1_767_225_600_000,
        step_ms: 60_000,
        steps: 6,
        owners: (0..3)
            .map(|place| Owner { replica: (place > 0).then_some(place), ..Owner::default() })
            .collect(),
        replicas,
        gpus,
        uses: uses
            .into_iter()
            .map(|(replica, prompt, cached, generated)| TenantUse {
                replica,
                tenant: format!("t{replica}"),
                prompt,
                cached,
                generated,
                requests: None,
            })
            .collect(),
        unplaced: Vec::new(),
        runs: Vec::new(),
    })
}
