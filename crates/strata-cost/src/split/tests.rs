//! Engines whose costs are known, and the published case that a peer prices upside down.

use super::*;

/// A generator of loads: uniform numbers from a seed.
struct Load(u64);

impl Load {
    fn uniform(&mut self) -> f64 {
        // Knuth's MMIX constants; the upper bits are good enough for a load.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64) / ((1_u64 << 53) as f64)
    }

    /// About normal: the sum of twelve uniform numbers less its mean.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// GPU seconds per uncached, cached, generated token and per request.
const TRUTH: Quantities = [40e-6, 4e-6, 250e-6, 5e-3];

/// An hour in spans of 15 s: load swings, lengths and the share of the cache vary, and busy time is
/// read with an error of 5 %.
fn engine(seed: u64, spans: usize) -> (Vec<Observation>, Totals) {
    let mut load = Load(seed.wrapping_mul(0x9e37_79b9).wrapping_add(1));
    let mut totals = Totals::default();
    let observations: Vec<_> = (0..spans)
        .map(|_| {
            let requests = (20.0 + 60.0 * load.uniform()).round();
            let prompt = requests * (300.0 + 1500.0 * load.uniform());
            let cached = prompt * (0.1 + 0.6 * load.uniform());
            let generated = requests * (50.0 + 300.0 * load.uniform());
            let quantities = [prompt - cached, cached, generated, requests];
            let exact: f64 = quantities.iter().zip(TRUTH).map(|(one, price)| one * price).sum();
            let busy_s = exact * (1.0 + 0.05 * load.normal());
            totals.busy_s += busy_s;
            totals.quantities.iter_mut().zip(quantities).for_each(|(all, one)| *all += one);
            Observation { busy_s, quantities }
        })
        .collect();
    (observations, totals)
}

#[test]
fn known_costs_are_recovered_and_the_intervals_cover_them() {
    const SEEDS: u64 = 50;
    let mut covered = [0_usize; CLASSES];
    let mut means = [0.0; CLASSES];
    for seed in 0..SEEDS {
        let (observations, totals) = engine(seed, 480);
        let split = Split::find(&observations, &totals).unwrap();
        assert_eq!(split.method, Method::LeastSquares);
        for class in Class::ALL {
            let at = class.place();
            let price = split.price(class).unwrap();
            let (low, high) = split.interval[at].unwrap();
            assert!(low <= price && price <= high * 1.01 + 1e-12, "{class:?} {low} {price} {high}");
            covered[at] += usize::from(low <= TRUTH[at] && TRUTH[at] <= high);
            means[at] += price / SEEDS as f64;
        }
        // The two classes that carry the money are right in every single fit.
        for class in [Class::UncachedPrompt, Class::Generated] {
            let error = split.price(class).unwrap() / TRUTH[class.place()] - 1.0;
            assert!(error.abs() < 0.1, "seed {seed} {class:?} {error}");
        }
        let shares: f64 = Class::ALL.map(|class| split.share(class)).iter().sum();
        assert!((shares - 1.0).abs() < 1e-9);
    }
    for class in Class::ALL {
        let at = class.place();
        let share = covered[at] as f64 / SEEDS as f64;
        assert!(share >= 0.9, "{class:?} is covered in {share} of the seeds");
        // Cached tokens and requests are a few per cent of the time: right in the mean.
        assert!((means[at] / TRUTH[at] - 1.0).abs() < 0.1, "{class:?} {}", means[at]);
    }
}

#[test]
fn a_steady_mix_is_refused_and_says_why() {
    let mut load = Load(7);
    let observations: Vec<_> = (0..200)
        .map(|_| {
            let requests = 20.0 + 60.0 * load.uniform();
            let quantities = [requests * 500.0, requests * 100.0, requests * 200.0, requests];
            Observation { busy_s: requests * 0.07, quantities }
        })
        .collect();
    let totals = Totals {
        busy_s: observations.iter().map(|one| one.busy_s).sum(),
        quantities: [1e6, 2e5, 4e5, 2e3],
        ..Totals::default()
    };
    let split = Split::find(&observations, &totals).unwrap();
    assert_eq!(split.method, Method::Ratio);
    assert!(split.instead_of[0].contains("move together"), "{:?}", split.instead_of);
    assert!(split.quality.unwrap().condition > MAX_CONDITION);
    let ratio =
        split.price(Class::Generated).unwrap() / split.price(Class::UncachedPrompt).unwrap();
    assert!((ratio - GENERATED_WEIGHT).abs() < 1e-9);
    let work = split.work(&totals.quantities);
    assert!((work / totals.busy_s - 1.0).abs() < 1e-9);
}

#[test]
fn noise_is_not_taken_for_a_price() {
    let mut load = Load(3);
    let (mut observations, totals) = engine(3, 200);
    for row in &mut observations {
        row.busy_s = 10.0 * load.uniform();
    }
    let split = Split::find(&observations, &totals).unwrap();
    assert_eq!(split.method, Method::Ratio);
    assert!(split.instead_of[0].contains("of the variance"), "{:?}", split.instead_of);
}

/// Thirty requests of 48 prompt and 120 generated tokens; each took some 6 s of decode. A peer adds
/// seconds of prefill to seconds *per token* of decode and so makes input 17 times dearer than
/// output; the published figures are 1032.75 and 60.46 USD per million.
#[test]
fn the_published_upside_down_case_is_reproduced_and_priced_right() {
    let (requests, prompt, generated): (f64, f64, f64) = (30.0, 30.0 * 48.0, 30.0 * 120.0);
    let spent = (1032.75 * prompt + 60.46 * generated) / 1e6;
    let per_token_s: f64 = 0.05;
    let decode_s = requests * 120.0 * per_token_s;
    let upside_down_share = 1032.75 * prompt / 1e6 / spent;
    // The prefill time that their share implies beside the sum of times per token.
    let prefill_s = requests * per_token_s * upside_down_share / (1.0 - upside_down_share);
    let theirs = spent * prefill_s / (prefill_s + requests * per_token_s) / prompt * 1e6;
    assert!((theirs - 1032.75).abs() < 0.01, "{theirs}");

    let totals = Totals {
        busy_s: 190.0,
        quantities: [prompt, 0.0, generated, requests],
        pools: None,
        request_s: Some((prefill_s, decode_s)),
    };
    let split = Split::find(&[], &totals).unwrap();
    assert_eq!(split.method, Method::RequestTime);
    let dollars = |class: Class| split.price(class).unwrap() * spent / totals.busy_s * 1e6;
    let (input, output) = (dollars(Class::UncachedPrompt), dollars(Class::Generated));
    assert!((input - 64.0).abs() < 1.0 && (output - 448.0).abs() < 1.0, "{input} {output}");
    let again = (input * prompt + output * generated) / 1e6;
    assert!((again - spent).abs() < 1e-9, "{again} {spent}");
}

#[test]
fn pools_are_their_own_split() {
    let totals = Totals {
        busy_s: 100.0,
        quantities: [900.0, 1000.0, 600.0, 3.0],
        pools: Some((40.0, 60.0)),
        request_s: Some((1.0, 1.0)),
    };
    let split = Split::find(&[], &totals).unwrap();
    assert_eq!(split.method, Method::Pools);
    assert_eq!(split.price(Class::Generated), Some(0.1));
    assert_eq!(split.price(Class::UncachedPrompt), Some(0.04));
    assert_eq!(split.price(Class::Requests), None);
    assert!((split.cache_savings_s().unwrap() - 36.0).abs() < 1e-9);
}

#[test]
fn nothing_is_split_where_nothing_was_produced() {
    assert_eq!(Split::find(&[], &Totals { busy_s: 5.0, ..Totals::default() }), None);
    let idle = Totals { quantities: [1.0, 0.0, 1.0, 1.0], ..Totals::default() };
    assert_eq!(Split::find(&[], &idle), None);
}
