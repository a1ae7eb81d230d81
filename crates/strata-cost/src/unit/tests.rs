//! Unit costs of a model whose every part is known.

use super::*;
use crate::facts::{Claim, Column, Facts, Gpu, Owner, Replica, TenantUse};
use crate::ledger::{Dimension, Options, State, UNATTRIBUTED};
use crate::price::{PriceBook, Wanted};
use crate::useful::Cause;

fn book() -> PriceBook {
    let mut book = PriceBook::default();
    let text = "[[price]]\ngpu = \"H100\"\nper_hour = 3.6\ncurrency = \"USD\"\nsource = \"contract\"\n\
                date = 2026-01-01\n";
    book.add_toml(text).unwrap();
    book
}

/// Two GPUs of one replica over ten steps of 100 s, busy half of the time: 2000 GPU seconds, two
/// dollars. Prompts take a quarter of the busy time.
pub(crate) fn facts() -> Facts {
    let gpu = |id: &str| Gpu {
        id: id.into(),
        wanted: Wanted { gpu: Some("H100 SXM".into()), ..Wanted::default() },
        portion: 1.0,
        present: Column::Constant(1.0),
        utilization: Column::Constant(0.5),
        claims: vec![Claim {
            owner: 0,
            first: 0,
            end: 10,
            requested: 1.0,
            loaded: Column::Constant(1.0),
            ..Claim::default()
        }],
        energy_j: Column::Constant(20_000.0),
        ..Gpu::default()
    };
    let replica = Replica {
        name: "r0".into(),
        model: "m".into(),
        prompt: Column::Constant(1000.0),
        cached: Column::Constant(0.0),
        generated: Column::Constant(400.0),
        requests: Column::Constant(10.0),
        recomputed: Column::Constant(0.0),
        delivered: Column::Constant(300.0),
        within_slo: Column::Steps([[200.0; 5], [f64::NAN; 5]].concat()),
        prefill_s: Column::Constant(25.0),
        decode_s: Column::Constant(75.0),
        ..Replica::default()
    };
    Facts {
        start_ms: 1_767_225_600_000,
        step_ms: 100_000,
        steps: 10,
        owners: vec![Owner {
            team: Some("t".into()),
            model: Some("m".into()),
            replica: Some(0),
            ..Owner::default()
        }],
        replicas: vec![replica],
        gpus: vec![gpu("g0"), gpu("g1")],
        uses: Vec::new(),
        unplaced: Vec::new(),
        runs: Vec::new(),
    }
}

fn ledger(facts: &Facts) -> Ledger {
    Ledger::build(facts, &book(), &Options::default())
}

fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn every_unit_cost_follows_from_money_and_counts() {
    let ledger = ledger(&facts());
    let operator = Energy { node_over_gpus: Some(1.5), pue: Some(1.2), grams_per_kwh: Some(400.0) };
    let units = models(&ledger, &operator).remove(0);
    near(units.per_gpu_hour.unwrap(), 3.6);
    near(units.per_request.unwrap().cost, 2.0 / 100.0);
    near(units.per_token.unwrap().cost, 2.0 / 14_000.0);
    let class = |class| *units.classes.iter().find(|cost| cost.class == class).unwrap();
    let (prompt, generated) = (class(Class::UncachedPrompt), class(Class::Generated));
    near(prompt.full, 0.5 / 10_000.0);
    near(generated.full, 1.5 / 4_000.0);
    near(prompt.busy * prompt.count + generated.busy * generated.count, 1.0);
    near(prompt.full * prompt.count + generated.full * generated.count, 2.0);
    assert_eq!(units.splits[0].method, Method::RequestTime);
    let why = units.splits[0].instead_of.join("; ");
    assert!(why.contains("least squares need 40 measured spans, there are 10"), "{why}");
    near(units.energy.unwrap().kwh(Boundary::Facility).unwrap(), 0.2);
    let useful = |level: Level| units.per_useful_token[level.place()];
    near(useful(Level::Generated).unwrap().cost, 2.0 / 4000.0);
    near(useful(Level::Delivered).unwrap().cost, 2.0 / 3000.0);
    near(units.goodput(Level::Delivered).unwrap(), 0.75);
    // Within the SLO was told for half of the time: half of the money, half of the tokens.
    let slo = useful(Level::WithinSlo).unwrap();
    near(slo.cost, 1.0 / 1000.0);
    near(slo.covered, 0.5);
    assert_eq!(units.goodput(Level::WithinSlo), None);
    assert_eq!(useful(Level::Accepted), None);
    let energy = units.energy.unwrap();
    near(energy.tokens_per_joule.unwrap(), 4000.0 / 400_000.0);
    near(energy.tokens_per_joule(Boundary::Facility).unwrap(), 0.01 / 1.8);
    near(energy.joules(Boundary::Node).unwrap(), 600_000.0);
    near(energy.co2_kg.unwrap(), 720_000.0 / 3.6e6 * 0.4);
}

#[test]
fn the_north_star_bears_everything_and_needs_every_model() {
    let mut facts = facts();
    let mut free = facts.gpus[0].clone();
    free.claims.clear();
    free.allocated = Column::Constant(0.0);
    free.utilization = Column::Constant(0.0);
    facts.gpus.push(free);
    let star = |facts: &Facts, level: Level| {
        let ledger = ledger(facts);
        fleet(&ledger, &models(&ledger, &Energy::default()))[level.place()]
    };
    near(star(&facts, Level::Delivered).unwrap().cost, 3.0 / 3000.0);
    let slo = star(&facts, Level::WithinSlo).unwrap();
    near(slo.cost, 1.5 / 1000.0);
    near(slo.covered, 0.5);
    // A second model that counts nothing: its money is known, its tokens are not.
    facts.replicas.push(Replica { model: "mute".into(), ..Replica::default() });
    facts.owners.push(Owner { replica: Some(1), ..Owner::default() });
    facts.gpus[1].claims[0].owner = 1;
    assert_eq!(star(&facts, Level::Delivered), None);
    facts.gpus[1].claims[0].owner = 0;
    assert!(star(&facts, Level::Delivered).is_some());
    facts.gpus[2].wanted.gpu = None;
    assert_eq!(star(&facts, Level::Delivered), None);
}

#[test]
fn saturation_is_what_the_busiest_steps_show() {
    let mut facts = facts();
    let steps = [[400.0; 8].as_slice(), &[4000.0; 2]].concat();
    facts.replicas[0].generated = Column::Steps(steps);
    let units = models(&ledger(&facts), &Energy::default()).remove(0);
    // 4000 tokens in 200 GPU seconds at a tenth of a cent each.
    near(units.at_saturation.unwrap(), 0.001 / 20.0);
    near(units.low_load_gap().unwrap(), 2.0 / 11_200.0 - 0.001 / 20.0);
}

#[test]
fn no_price_or_no_meter_is_no_unit_cost() {
    let mut facts = facts();
    facts.gpus[1].wanted.gpu = Some("unheard of".into());
    facts.gpus[1].energy_j = Column::Missing;
    let units = models(&ledger(&facts), &Energy::default()).remove(0);
    assert_eq!((units.per_gpu_hour, units.per_token, units.energy), (None, None, None));
    assert!(units.classes.is_empty() && units.at_saturation.is_none());
    assert_eq!(units.per_useful_token, [None; LEVELS]);
}

#[test]
fn waste_has_a_cause_and_an_owner_and_is_counted_once() {
    let mut facts = facts();
    facts.replicas[0].recomputed = Column::Constant(1000.0);
    let ledger = ledger(&facts);
    let lines = waste(&ledger, Dimension::Team);
    let money =
        |cause| lines.iter().find(|line| line.cause == cause).map_or(0.0, |line| line.money);
    near(money(WasteCause::State(State::HeldIdle)), 1.0);
    // Prompts once more are 25 s beside 100 s of work; a quarter of the tokens never arrived.
    near(money(WasteCause::Work(Cause::Recomputed)), 0.2);
    near(money(WasteCause::Work(Cause::Undelivered)), 0.8 * 0.25);
    let total = ledger.total();
    let all: f64 = lines.iter().map(|line| line.money).sum();
    near(all + total.money_in(State::BusyUseful), 2.0);
    assert!(lines.iter().all(|line| line.owner == "t"));
}

#[test]
fn a_worse_cache_is_priced_against_before() {
    let mut facts = facts();
    facts.replicas[0].cached = Column::Constant(600.0);
    let before = hit_rates(&ledger(&facts));
    assert_eq!(before.values().collect::<Vec<_>>(), [&0.6]);
    assert_eq!(cache_loss(&ledger(&facts), &before)[0].money, Some(0.0), "it is no worse");
    facts.replicas[0].cached = Column::Constant(100.0);
    let worse = ledger(&facts);
    let loss = cache_loss(&worse, &before).remove(0);
    near(loss.hit_rate, 0.1);
    let split = worse.engines[0].split.as_ref().unwrap();
    let fresh = split.price(Class::UncachedPrompt).unwrap();
    near(loss.gpu_s, 0.5 * 10_000.0 * fresh * 0.9);
    near(loss.money.unwrap(), loss.gpu_s / 1000.0);
    assert_eq!(loss.method, Method::RequestTime);
    assert_eq!(cache_loss(&worse, &BTreeMap::new()), []);
    facts.gpus[1].wanted.gpu = Some("unheard of".into());
    assert_eq!(cache_loss(&ledger(&facts), &before)[0].money, None, "a part has no price");
    facts.replicas[0].prompt = Column::Missing;
    assert_eq!(cache_loss(&ledger(&facts), &before), []);
}

#[test]
fn tenants_share_a_replica_by_their_work_and_the_rest_is_shown() {
    let mut facts = facts();
    let tenant = |name: &str, prompt, generated| TenantUse {
        replica: 0,
        tenant: name.into(),
        prompt: Some(prompt),
        cached: Some(0.0),
        generated: Some(generated),
        requests: None,
    };
    facts.uses = vec![tenant("long prompts", 8000.0, 0.0), tenant("chats", 0.0, 2000.0)];
    let lines = tenants(&ledger(&facts));
    let amount = |name: &str| lines.iter().find(|line| line.tenant == name).unwrap().amount();
    near(amount("long prompts"), 2.0 * 0.25 * 0.8);
    near(amount("chats"), 2.0 * 0.75 * 0.5);
    near(amount(UNATTRIBUTED), 2.0 - 0.4 - 0.75);
    facts.uses.reverse();
    assert_eq!(tenants(&ledger(&facts)), lines);
    facts.uses.clear();
    let lines = tenants(&ledger(&facts));
    assert_eq!(lines[0].tenant, UNATTRIBUTED);
    near(lines[0].amount(), 2.0);
}

#[test]
fn a_use_that_nobody_counts_in_full_or_places_is_kept_and_told() {
    let mut facts = facts();
    facts.uses = vec![TenantUse {
        replica: 0,
        tenant: "embeds".into(),
        prompt: Some(8000.0),
        cached: Some(0.0),
        ..TenantUse::default()
    }];
    facts.unplaced = vec![strata_world::bill::BillTenant {
        tenant: "alias".into(),
        model: "unheard of".into(),
        prompt: Some(7.0),
        generated: Some(3.0),
        ..strata_world::bill::BillTenant::default()
    }];
    let ledger = ledger(&facts);
    let lines = tenants(&ledger);
    let of = |name: &str| lines.iter().find(|line| line.tenant == name).unwrap();
    near(of("embeds").amount(), 2.0 * 0.25 * 0.8);
    assert_eq!(of("embeds").quantities, [Some(8000.0), Some(0.0), None, None]);
    assert!(of("embeds").is_partial, "generated tokens cost something and are not counted");
    let alias = of("alias");
    assert_eq!((alias.amount(), alias.quantities[2], alias.is_partial), (0.0, Some(3.0), true));
    assert_eq!(alias.quantities[0], None, "nothing tells what of the prompt was cached");
    near(lines.iter().map(TenantLine::amount).sum(), 2.0);
    let told = ledger.remarks();
    assert!(told[0].contains("alias") && told[0].contains("10 tokens"), "{told:?}");
}

#[test]
fn pools_count_their_tokens_and_requests_once() {
    let facts = crate::ledger::tests::deepseek();
    let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
    let units = models(&ledger, &Energy::default()).remove(0);
    let generated = units.per_useful_token[0].unwrap();
    near(generated.count, 168e9);
    near(generated.cost, ledger.bill.money / 168e9);
    near(units.per_token.unwrap().count, 776e9);
    near(units.goodput(Level::Delivered).unwrap(), 1.0);
    // Every second is busy, so saturation is now.
    near(units.at_saturation.unwrap(), generated.cost);
}

#[test]
fn classes_counted_in_half_of_the_time_cost_the_money_of_that_half() {
    let prices = |facts: &Facts| {
        let units = models(&ledger(facts), &Energy::default()).remove(0);
        units.classes.iter().map(|class| (class.class, class.full, class.busy)).collect::<Vec<_>>()
    };
    let whole = prices(&facts());
    let mut half = facts();
    half.replicas[0].generated = Column::Steps([[400.0; 5], [f64::NAN; 5]].concat());
    let found = prices(&half);
    assert_eq!(found.len(), whole.len());
    for ((class, full, busy), (_, expected_full, expected_busy)) in found.into_iter().zip(whole) {
        assert!((full / expected_full - 1.0).abs() < 1e-9, "{class:?} {full} {expected_full}");
        assert!((busy / expected_busy - 1.0).abs() < 1e-9, "{class:?} {busy} {expected_busy}");
    }
}
