//! What must hold of every ledger, and the public day of `DeepSeek`.

use proptest::prelude::*;

use super::*;
use crate::facts::{Claim, Column, Facts, Gpu, Replica, Role};
use crate::price::{PriceBook, Wanted};
use crate::split::{Class, Method};
use crate::sum::sum;
use crate::time::instant_ms;

const HOUR_MS: i64 = 3_600_000;

fn book() -> PriceBook {
    let mut book = PriceBook::default();
    let text = "[[price]]\ngpu = \"H100\"\nper_hour = 2\ncurrency = \"USD\"\nsource = \"contract\"\n\
                date = 2026-01-01\nuntil = 2026-04-01T01:00:00Z\n\
                [[price]]\ngpu = \"H100\"\nper_hour = 3\ncurrency = \"USD\"\nsource = \"contract\"\n\
                date = 2026-01-01\nfrom = 2026-04-01T01:00:00Z\n\
                [[price]]\ngpu = \"L40S\"\nper_hour = 1\ncurrency = \"EUR\"\nsource = \"contract\"\n\
                date = 2026-01-01\n";
    book.add_toml(text).unwrap();
    book
}

fn h100(claims: Vec<Claim>, utilization: Column) -> Gpu {
    Gpu {
        id: "gpu".into(),
        node: Some("n1".into()),
        wanted: Wanted { gpu: Some("H100 SXM".into()), ..Wanted::default() },
        portion: 1.0,
        present: Column::Constant(1.0),
        utilization,
        claims,
        ..Gpu::default()
    }
}

fn claim(owner: usize, requested: f64) -> Claim {
    Claim {
        owner,
        first: 0,
        end: usize::MAX,
        requested,
        loaded: Column::Constant(1.0),
        ..Claim::default()
    }
}

fn owner(team: &str) -> Owner {
    Owner { team: Some(team.into()), ..Owner::default() }
}

fn facts(gpus: Vec<Gpu>, steps: usize) -> Facts {
    Facts {
        start_ms: instant_ms("2026-04-01").unwrap(),
        step_ms: HOUR_MS,
        steps,
        owners: vec![owner("a"), owner("b")],
        gpus,
        ..Facts::default()
    }
}

fn build(facts: &Facts) -> Ledger {
    Ledger::build(facts, &book(), &Options::default())
}

fn amounts(ledger: &Ledger, dimension: Dimension) -> Vec<(String, f64)> {
    let pair = |line: Line| (line.key.clone(), sum(line.money));
    ledger.by(dimension).into_iter().map(pair).collect()
}

#[test]
fn a_price_that_changes_within_a_step_prices_each_part() {
    let mut facts = facts(vec![h100(vec![claim(0, 1.0)], Column::Constant(0.5))], 1);
    facts.step_ms = 2 * HOUR_MS;
    let ledger = build(&facts);
    assert_eq!(ledger.bill.money, 5.0);
    assert_eq!(amounts(&ledger, Dimension::Team), [("a".to_owned(), 5.0)]);
    assert!(ledger.reconciliation().holds());
}

#[test]
fn the_part_of_a_step_behind_the_last_price_is_unpriced() {
    let mut book = PriceBook::default();
    let text = "[[price]]\ngpu = \"H100\"\nper_hour = 2\ncurrency = \"USD\"\nsource = \"contract\"\n\
                date = 2026-01-01\nuntil = 2026-04-01T00:15:00Z\n";
    book.add_toml(text).unwrap();
    let facts = facts(vec![h100(vec![claim(0, 1.0)], Column::Constant(0.5))], 1);
    let ledger = Ledger::build(&facts, &book, &Options::default());
    assert_eq!((ledger.bill.money, ledger.bill.unpriced_s), (0.5, 2700.0));
    let line = ledger.total();
    assert_eq!((sum(line.money), line.unpriced_s, line.amount()), (0.5, 2700.0, None));
    assert!(ledger.reconciliation().holds());
}

#[test]
fn a_gpu_that_nobody_measured_leaves_its_replicas_step_out_of_the_split() {
    let mut facts = crate::unit::tests::facts();
    facts.gpus[1].utilization = Column::Steps([[0.5; 7].as_slice(), &[f64::NAN; 3]].concat());
    let ledger = build(&facts);
    assert_eq!(ledger.engines[0].unmeasured_steps, 3);
    let split = ledger.engines[0].split.as_ref().unwrap();
    assert!((split.busy_s - 700.0).abs() < 1e-9, "{}", split.busy_s);
    assert_eq!(split.quantities[2], 2800.0);
    let unknown = ledger.total().seconds_in(State::UnknownWork);
    assert!((unknown - 300.0).abs() < 1e-9, "{unknown}");
}

#[test]
fn another_currency_is_no_price_and_no_price_is_no_zero() {
    let mut gpu = h100(vec![claim(0, 1.0)], Column::Constant(1.0));
    gpu.wanted.gpu = Some("L40S".into());
    let ledger = build(&facts(vec![gpu], 2));
    assert_eq!((ledger.bill.money, ledger.bill.unpriced_s), (0.0, 7200.0));
    assert_eq!(ledger.total().amount(), None);
    assert_eq!(ledger.reconciliation().unpriced, Some(1.0));
    let why = ledger.rates[0].timeline[0].1.as_ref().unwrap_err().to_string();
    assert_eq!(why, "L40S is priced in EUR, not in USD");
}

#[test]
fn what_nobody_holds_is_the_platforms_and_what_nothing_tells_is_a_tenant() {
    let free = Gpu { allocated: Column::Constant(0.0), ..h100(vec![], Column::Constant(0.0)) };
    let untold = h100(vec![], Column::Missing);
    let strange = h100(vec![claim(9, 1.0)], Column::Constant(1.0));
    let ledger = build(&facts(vec![free, untold, strange], 1));
    let expected = [(PLATFORM.to_owned(), 2.0), (UNATTRIBUTED.to_owned(), 4.0)];
    assert_eq!(amounts(&ledger, Dimension::Team), expected);
    let found = ledger.reconciliation();
    assert_eq!(found.unattributed, Some(4.0 / 6.0));
    assert_eq!(ledger.problems[0].path, "gpus[2].claims[0]");
}

#[test]
fn claims_begin_and_end_and_hand_over() {
    let first = Claim { end: 2, ..claim(0, 1.0) };
    let second = Claim { first: 3, end: 5, ..claim(1, 1.0) };
    let mut gpu = h100(vec![second, first], Column::Constant(0.0));
    gpu.allocated = Column::Steps(vec![1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
    let ledger = build(&facts(vec![gpu], 6));
    let seconds = |line: &Line| (line.key.clone(), sum(line.seconds) / 3600.0);
    let found: Vec<_> = ledger.by(Dimension::Team).iter().map(seconds).collect();
    let expected = [("a".to_owned(), 2.0), ("b".to_owned(), 2.0), (PLATFORM.to_owned(), 2.0)];
    assert_eq!(found, expected);
    assert_eq!(ledger.series[2].seconds[State::Unallocated.place()], 3600.0);
    assert_eq!(ledger.series[3].seconds[State::HeldIdle.place()], 3600.0);
}

#[test]
fn bases_and_policies_say_who_bears_idle_time() {
    let sharers = vec![
        Claim { used: Column::Constant(0.5), ..claim(0, 0.25) },
        Claim { used: Column::Constant(0.0), ..claim(1, 0.5) },
    ];
    let ledger = build(&facts(vec![h100(sharers, Column::Constant(0.5))], 1));
    let check = |basis, policy, a: f64, b: f64, platform: f64| {
        let found = ledger.charges(Dimension::Team, basis, policy);
        let of = |key: &str| found.iter().find(|one| one.key == key).map_or(0.0, Charge::amount);
        let (found, expected) = ([of("a"), of("b"), of(PLATFORM)], [a, b, platform]);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{basis:?} {policy:?} {found} {expected}");
        }
    };
    // Two dollars an hour: `a` worked half of it on a quarter reserved, `b` reserved half idly.
    check(Basis::Held, IdlePolicy::Owner, 1.0, 1.0, 0.0);
    check(Basis::Requested, IdlePolicy::Owner, 0.5, 1.0, 0.5);
    check(Basis::Used, IdlePolicy::Owner, 1.0, 1.0, 0.0);
    check(Basis::Used, IdlePolicy::Platform, 1.0, 0.0, 1.0);
    check(Basis::Used, IdlePolicy::Proportional, 2.0, 0.0, 0.0);
    check(Basis::Requested, IdlePolicy::Proportional, 2.0 / 3.0, 4.0 / 3.0, 0.0);
}

#[test]
fn idle_time_without_a_price_makes_the_charges_that_bear_it_lower_bounds() {
    let nameless = Gpu {
        allocated: Column::Constant(0.0),
        wanted: Wanted { gpu: Some("unheard of".into()), ..Wanted::default() },
        ..h100(vec![], Column::Constant(0.0))
    };
    let busy = |owner| h100(vec![claim(owner, 1.0)], Column::Constant(1.0));
    let ledger = build(&facts(vec![nameless, busy(0), busy(0), busy(1)], 1));
    let unpriced = |policy| {
        let charges = ledger.charges(Dimension::Team, Basis::Used, policy);
        charges.into_iter().map(|one| (one.key, one.unpriced_s)).collect::<Vec<_>>()
    };
    let named = |all: &[(&str, f64)]| -> Vec<(String, f64)> {
        all.iter().map(|(key, seconds)| ((*key).to_owned(), *seconds)).collect()
    };
    let platforms = named(&[("a", 0.0), ("b", 0.0), (PLATFORM, 3600.0)]);
    assert_eq!(unpriced(IdlePolicy::Owner), platforms);
    assert_eq!(unpriced(IdlePolicy::Proportional), named(&[("a", 2400.0), ("b", 1200.0)]));
}

#[test]
fn slices_are_parts_of_a_device_and_joules_follow_work() {
    let slice = |owner, utilization| Gpu {
        portion: 1.0 / 7.0,
        energy_j: Column::Constant(70.0),
        ..h100(vec![claim(owner, 1.0)], Column::Constant(utilization))
    };
    let mut gpus: Vec<Gpu> = vec![slice(0, 1.0), slice(1, 0.0)];
    gpus.extend((0..5).map(|_| Gpu {
        allocated: Column::Constant(0.0),
        claims: vec![],
        ..slice(0, 0.0)
    }));
    let ledger = build(&facts(gpus, 1));
    assert!((ledger.bill.money - 2.0).abs() < 1e-12);
    let joules: Vec<_> = ledger.by(Dimension::Team).iter().map(|line| line.energy_j).collect();
    assert_eq!(joules, [70.0, 70.0, 350.0]);
    assert_eq!(ledger.total().unmetered_s, 0.0);
}

#[test]
fn facts_that_cannot_be_counted_give_an_empty_ledger_that_says_so() {
    let ledger = build(&Facts { step_ms: 0, ..facts(vec![h100(vec![], Column::Missing)], 4) });
    assert_eq!(ledger.problems[0].path, "step_ms");
    assert_eq!((ledger.cells.len(), ledger.steps), (0, 0));
}

/// `DeepSeek`'s public day: 226.75 nodes of 8 H800 at 2 USD, 608 G input tokens of which 342 G
/// cached, 168 G output tokens, 73.7 k input and 14.8 k output tokens per second and node.
pub(crate) fn deepseek() -> Facts {
    let steps = 24;
    let prefill_gpus = (608e9 / 73.7e3 / 86_400.0 * 8.0_f64).round() as usize;
    let gpu_count = 226.75_f64 * 8.0;
    let decode_gpus = gpu_count as usize - prefill_gpus;
    let hourly = |whole: f64| Column::Constant(whole / steps as f64);
    let pool = |name: &str, role| Replica {
        name: name.into(),
        model: "DeepSeek-R1".into(),
        role,
        prompt: hourly(608e9),
        cached: hourly(342e9),
        generated: hourly(168e9),
        delivered: hourly(168e9),
        requests: Column::Missing,
        recomputed: Column::Constant(0.0),
        ..Replica::default()
    };
    let holder = |replica| Owner {
        model: Some("DeepSeek-R1".into()),
        replica: Some(replica),
        ..owner("ds")
    };
    let gpu = |owner: usize| Gpu {
        wanted: Wanted { gpu: Some("H800 SXM".into()), ..Wanted::default() },
        ..h100(vec![claim(owner, 1.0)], Column::Constant(1.0))
    };
    let gpus = std::iter::repeat_n(0, prefill_gpus).chain(std::iter::repeat_n(1, decode_gpus));
    Facts {
        owners: vec![holder(0), holder(1)],
        replicas: vec![pool("prefill", Role::Prefill), pool("decode", Role::Decode)],
        gpus: gpus.map(gpu).collect(),
        ..facts(vec![], steps)
    }
}

#[test]
fn deepseeks_day_is_priced_as_published() {
    let ledger = Ledger::build(&deepseek(), &PriceBook::embedded(), &Options::default());
    let found = ledger.reconciliation();
    assert!(found.holds() && (found.bill / 87_072.0 - 1.0).abs() < 1e-9, "{found:?}");
    assert_eq!((found.unattributed, found.unknown), (Some(0.0), Some(0.0)));
    let split = ledger.engines[0].split.as_ref().unwrap();
    assert_eq!(split.method, Method::Pools);
    let per_second = 2.0 / 3600.0;
    let output = split.price(Class::Generated).unwrap() * per_second * 1e6;
    assert!((output / 0.3001 - 1.0).abs() < 0.01, "{output}");
    let blended = found.bill / (608e9 + 168e9) * 1e6;
    assert!((blended / 0.1122 - 1.0).abs() < 0.01, "{blended}");
    let input = split.share(Class::UncachedPrompt) + split.share(Class::CachedPrompt);
    let input = input * found.bill / 608e9 * 1e6;
    assert!((input / 0.0603 - 1.0).abs() < 0.01, "{input}");
}

fn column() -> impl Strategy<Value = Column> {
    let share = || prop::option::weighted(0.8, 0.0..=1.2_f64);
    prop_oneof![
        Just(Column::Missing),
        (0.0..=1.0).prop_map(Column::Constant),
        prop::collection::vec(share(), 6).prop_map(Column::of),
    ]
}

fn any_claim() -> impl Strategy<Value = Claim> {
    let columns = (column(), column(), column());
    ((0..4_usize, 0..7_usize, 0..7_usize, 0.0..=1.0), columns).prop_map(
        |((owner, first, end, requested), (used, loaded, waste))| Claim {
            owner,
            first,
            end,
            requested,
            is_assumed: first % 2 == 0,
            used,
            loaded,
            waste,
        },
    )
}

fn any_gpu() -> impl Strategy<Value = Gpu> {
    let columns = (column(), column(), column(), column());
    let name = prop_oneof![Just("H100 SXM"), Just("L40S"), Just("unheard of")];
    (columns, prop::collection::vec(any_claim(), 0..4), name, 0.1..=1.0).prop_map(
        |((present, utilization, allocated, energy_j), claims, name, portion)| Gpu {
            id: "gpu".into(),
            node: None,
            wanted: Wanted { gpu: Some(name.into()), ..Wanted::default() },
            portion,
            present,
            utilization,
            allocated,
            claims,
            energy_j,
        },
    )
}

proptest! {
    #[test]
    fn states_are_the_bill_and_charges_are_too(gpus in prop::collection::vec(any_gpu(), 1..12)) {
        let facts = facts(gpus, 6);
        let ledger = build(&facts);
        let found = ledger.reconciliation();
        prop_assert!(found.holds(), "{found:?}");
        let seconds = sum(ledger.cells.iter().flat_map(|cell| cell.seconds));
        prop_assert!((seconds / ledger.bill.device_s - 1.0).abs() < 1e-9);
        let unpriced = sum(ledger.cells.iter().map(|cell| cell.unpriced_s));
        prop_assert!((unpriced - ledger.bill.unpriced_s).abs() <= 1e-9 * ledger.bill.device_s);
        let series = sum(ledger.series.iter().flat_map(|step| step.money));
        prop_assert!((series - found.bill).abs() <= 1e-9 * found.bill);
        let joules = sum(ledger.cells.iter().map(|cell| cell.energy_j));
        let told = sum(facts.gpus.iter().filter_map(|gpu| gpu.energy_j.total(6)).map(|one| one.value));
        prop_assert!((joules - told).abs() <= 1e-9 * told.max(1.0), "{joules} {told}");
        for (_, basis) in Basis::ALL {
            for (_, policy) in IdlePolicy::ALL {
                let charges = ledger.charges(Dimension::Team, basis, policy);
                let charged = sum(charges.iter().map(Charge::amount));
                prop_assert!((charged - found.bill).abs() <= 1e-9 * found.bill, "{basis:?} {policy:?}");
                let unpriced = sum(charges.iter().map(|one| one.unpriced_s));
                let error = (unpriced - ledger.bill.unpriced_s).abs();
                prop_assert!(error <= 1e-9 * ledger.bill.device_s, "{basis:?} {policy:?}");
            }
        }
        let teams = sum(amounts(&ledger, Dimension::Team).into_iter().map(|(_, money)| money));
        prop_assert!((teams - found.bill).abs() <= 1e-9 * found.bill);
    }

    #[test]
    fn the_order_of_gpus_does_not_matter(gpus in prop::collection::vec(any_gpu(), 2..6)) {
        let there = amounts(&build(&facts(gpus.clone(), 6)), Dimension::Team);
        let back = amounts(&build(&facts(gpus.into_iter().rev().collect(), 6)), Dimension::Team);
        prop_assert_eq!(there.len(), back.len());
        for (one, other) in there.iter().zip(&back) {
            prop_assert_eq!(&one.0, &other.0);
            prop_assert!((one.1 - other.1).abs() <= 1e-9 * one.1.abs());
        }
    }
}
