//! The price book as its users see it: what is refused, what is found, what stays unknown.

use super::*;
use crate::time::instant_ms;

const HEAD: &str = "currency = \"USD\"\nsource = \"contract\"\ndate = 2026-04-01\n";

fn row(fields: &str) -> String {
    format!("[[price]]\n{HEAD}{fields}\n")
}

fn problems(text: &str) -> Vec<String> {
    let error = PriceBook::default().add_toml(text).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

fn at(text: &str) -> i64 {
    instant_ms(text).unwrap()
}

fn h100() -> Wanted {
    Wanted { gpu: Some("H100 SXM".into()), ..Wanted::default() }
}

#[test]
fn all_problems_of_all_rows_are_told_at_once() {
    let text = "[[price]]\ngpu = \"H100\"\nper_hour = -2\ncurrency = \"usd\"\ndate = \"soon\"\n\
                [[price]]\nper_hour = \"two\"\ncolour = \"red\"\ncurrency = \"USD\"\nsource = \"x\"\n";
    let found = problems(text);
    let expected = [
        "price[0].currency: `usd` is not",
        "price[0].per_hour: -2 is negative",
        "price[0].source: missing",
        "price[0].date: not a date",
        "price[1].colour: unknown",
        "price[1].gpu: missing",
        "price[1].per_hour: not a number",
        "price[1].date: missing",
    ];
    for start in expected {
        assert!(found.iter().any(|one| one.starts_with(start)), "{start} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn rows_that_contradict_each_other_are_refused() {
    let check = |first: &str, second: &str, expected: &str| {
        let text = row(&format!("gpu = \"H100\"\nper_hour = 2\n{first}"))
            + &row(&format!("gpu = \"H100 SXM\"\nper_hour = 3\n{second}"));
        assert_eq!(problems(&text).len(), 1, "{text}");
        assert!(problems(&text)[0].contains(expected), "{:?}", problems(&text));
    };
    check("", "", "overlaps price[0]");
    check("until = 2026-05-02", "from = 2026-05-01", "overlaps price[0]");
    check(
        "until = 2026-05-01",
        "from = 2026-05-03",
        "nothing holds between 2026-05-01 and 2026-05-03",
    );
    check("from = 2026-05-01\nuntil = 2026-04-01", "region = \"eu\"", "not after `from`");
    let euro = row("gpu = \"H100\"\nper_hour = 3").replace("USD", "EUR");
    let text = row("gpu = \"H100\"\nper_hour = 2") + &euro;
    assert!(problems(&text)[0].contains("currencies are never mixed"), "{:?}", problems(&text));
}

#[test]
fn the_operator_is_asked_before_the_published_figures() {
    let mut book = PriceBook::embedded();
    let public = book.quote(&h100(), "USD", at("2026-06")).unwrap();
    assert_eq!((public.per_gpu_hour, public.confidence), (2.95, Confidence::Low));
    assert_eq!(public.age_days(at("2026-05-30")), 10.0);
    book.add_toml(&row(
        "gpu = \"NVIDIA H100 80GB HBM3\"\nper_hour = \"1.87\"\nconfidence = \"high\"",
    ))
    .unwrap();
    let own = book.quote(&h100(), "USD", at("2026-06")).unwrap();
    assert_eq!((own.per_gpu_hour, own.confidence), (1.87, Confidence::High));
    assert_eq!(own.origin, Origin::User);
}

#[test]
fn the_row_that_fits_best_wins_and_a_draw_is_unknown() {
    let mut book = PriceBook::default();
    let text = row("gpu = \"H100\"\nregion = \"us\"\nper_hour = 2")
        + &row("gpu = \"H100\"\nregion = \"eu\"\nper_hour = 3")
        + &row("node = \"p5.48xlarge\"\ngpus = 8\nper_hour = 40");
    book.add_toml(&text).unwrap();
    let now = at("2026-06");
    let us = Wanted { region: Some("us".into()), ..h100() };
    assert_eq!(book.quote(&us, "USD", now).unwrap().per_gpu_hour, 2.0);
    assert!(matches!(book.quote(&h100(), "USD", now), Err(Unpriced::Ambiguous { .. })));
    let node = Wanted { node: Some("p5.48xlarge".into()), ..us.clone() };
    assert_eq!(book.quote(&node, "USD", now).unwrap().per_gpu_hour, 5.0);
    assert!(matches!(book.quote(&us, "EUR", now), Err(Unpriced::OtherCurrency { .. })));
    let other = Wanted { gpu: Some("L40S".into()), ..Wanted::default() };
    assert!(matches!(book.quote(&other, "USD", now), Err(Unpriced::NoRow(_))));
}

#[test]
fn a_label_is_more_than_a_type_and_a_type_more_than_a_region() {
    let mut book = PriceBook::default();
    let text = row("gpu = \"H100\"\nregion = \"us\"\nper_hour = 2")
        + &row("gpu = \"H100\"\nnode = \"p5\"\nper_hour = 3")
        + &row("label = \"pool\"\nvalue = \"a\"\nper_hour = 4");
    book.add_toml(&text).unwrap();
    let price = |wanted: &Wanted| book.quote(wanted, "USD", at("2026-06")).unwrap().per_gpu_hour;
    let us = Wanted { region: Some("us".into()), ..h100() };
    let typed = Wanted { node: Some("p5".into()), ..us.clone() };
    let labelled = Wanted { labels: [("pool".into(), "a".into())].into(), ..typed.clone() };
    assert_eq!([price(&us), price(&typed), price(&labelled)], [2.0, 3.0, 4.0]);
}

#[test]
fn a_newer_row_of_another_region_does_not_win_and_energy_is_no_price() {
    let mut book = PriceBook::default();
    let newer = row("gpu = \"H100\"\nregion = \"eu\"\nper_hour = 3").replace("04-01", "05-01");
    let energy = row("gpu = \"H100\"\nper_hour = 0.2\nkind = \"power_only\"");
    book.add_toml(&(row("gpu = \"H100\"\nregion = \"us\"\nper_hour = 2") + &newer + &energy))
        .unwrap();
    let quote = |wanted: &Wanted| book.quote(wanted, "USD", at("2026-06"));
    assert!(matches!(quote(&h100()), Err(Unpriced::Ambiguous { .. })));
    let asia = Wanted { region: Some("asia".into()), ..h100() };
    assert!(matches!(quote(&asia), Err(Unpriced::NoRow(_))));
}

#[test]
fn many_periods_are_walked_once() {
    let mut book = PriceBook::default();
    let rows: String = (0..200)
        .map(|hour| {
            let at = |hour: i64| crate::time::rfc3339(hour * 3_600_000);
            row(&format!(
                "gpu = \"H100\"\nper_hour = {hour}\nfrom = {}\nuntil = {}",
                at(hour),
                at(hour + 1)
            ))
        })
        .collect();
    book.add_toml(&rows).unwrap();
    let timeline = book.timeline(&h100(), "USD", 0, 300 * 3_600_000);
    assert_eq!(timeline.len(), 201);
    for (hour, (at, quote)) in timeline.iter().enumerate() {
        assert_eq!(*at, hour as i64 * 3_600_000);
        let price = quote.as_ref().ok().map(|quote| quote.per_gpu_hour);
        assert_eq!(price, (hour < 200).then_some(hour as f64));
        assert_eq!(*quote, book.quote(&h100(), "USD", *at));
    }
}

#[test]
fn a_price_changes_when_its_period_ends_and_is_unknown_outside() {
    let mut book = PriceBook::default();
    let text = row("gpu = \"H100\"\nper_hour = 2\nfrom = 2026-05-01\nuntil = 2026-06-01")
        + &row("gpu = \"H100\"\nper_hour = 3\nfrom = 2026-06-01");
    book.add_toml(&text).unwrap();
    let timeline = book.timeline(&h100(), "USD", at("2026-04-15"), at("2026-06-15"));
    let prices: Vec<_> = timeline
        .iter()
        .map(|(from, quote)| (crate::time::day(*from), quote.as_ref().ok().map(|q| q.per_gpu_hour)))
        .collect();
    let expected = [
        ("2026-04-15".to_owned(), None),
        ("2026-05-01".to_owned(), Some(2.0)),
        ("2026-06-01".to_owned(), Some(3.0)),
    ];
    assert_eq!(prices, expected);
    assert!(matches!(timeline[0].1, Err(Unpriced::NoPeriod(_))));
}

#[test]
fn ends_of_a_market_range_are_never_a_price() {
    let book = PriceBook::embedded();
    let now = at("2026-06");
    for price in book.rows().iter().filter(|price| price.reference) {
        let wanted = Wanted { gpu: price.gpu.clone(), ..Wanted::default() };
        let quote = book.quote(&wanted, "USD", now).unwrap();
        assert_eq!(Some(quote.per_gpu_hour), price.per_gpu_hour(None), "{wanted:?}");
        assert_eq!(quote.confidence, Confidence::Low);
    }
    let aws = Wanted { provider: Some("aws".into()), node: Some("p5.48xlarge".into()), ..h100() };
    assert_eq!(book.quote(&aws, "USD", now).unwrap().per_gpu_hour, 6.88);
}

#[test]
fn a_cloud_price_file_is_read_as_it_is() {
    let text = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version\n\
        2019-04-17 23:34:22 UTC,node-a,,node,metadata.name,,16.0,\n\
        ,a100-ondemand,,gpu,metadata.labels.nvidia.com/gpu_type,,2.75,v1\n\
        ,disks,,pv,spec.storageClassName,,0.00006,v1\n\
        ,node-b,,node,metadata.name,,minus,\n\
        ,node-c,,lamp,metadata.name,,1,\n";
    let imported = opencost_csv(text, "USD", "prices.csv", at("2026-01-01"));
    assert_eq!((imported.prices.len(), imported.disks), (2, 1));
    let paths: Vec<_> = imported.problems.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["line 5", "line 6"]);
    let mut book = PriceBook::default();
    book.extend(imported.prices);
    let labelled = |key: &str, value: &str, gpus| Wanted {
        labels: [(key.to_owned(), value.to_owned())].into(),
        gpus_in_node: gpus,
        ..h100()
    };
    let quote = |wanted: &Wanted| book.quote(wanted, "USD", at("2026-06"));
    assert_eq!(quote(&labelled("metadata.name", "node-a", Some(8))).unwrap().per_gpu_hour, 2.0);
    assert_eq!(
        quote(&labelled("nvidia.com/gpu_type", "A100-OnDemand", None)).unwrap().per_gpu_hour,
        2.75
    );
    let unknown_size = quote(&labelled("metadata.name", "node-a", None));
    assert!(matches!(unknown_size, Err(Unpriced::NodeSize(_))));
    assert!(opencost_csv("a,b\n", "USD", "x", 0).problems[0].message.contains("InstanceID"));
}

/// A node of eight GPUs, with nothing that is not said.
const OWNED: &str = "[[owned]]\ngpu = \"H100\"\nprovider = \"our-colo\"\ncurrency = \"USD\"\n\
    source = \"invoice 17\"\ndate = 2026-01-01\ngpus = 8\nservers = 320000\nnetwork = 0\nstorage = 0\n\
    spares = 0\nresidual = 0\nrate = 0\nyears = 4\navailability = 1\nmaintenance = 0\n\
    kw_per_gpu = 1.73\npue = 1.2\nload_factor = 0.8\nper_kwh = \"0.08\"\ncolo_per_kw_month = 0\nstaff = 0\n";

#[test]
fn owned_hardware_has_the_rate_of_what_was_paid_and_says_what_it_is_made_of() {
    let mut book = PriceBook::embedded();
    book.add_toml(OWNED).unwrap();
    let quote = book.quote(&h100(), "USD", at("2026-06")).unwrap();
    let expected = 320_000.0 / (8.0 * 8760.0 * 4.0) + 1.73 * 1.2 * 0.8 * 0.08;
    assert!((quote.per_gpu_hour - expected).abs() < 1e-9, "{quote:?}");
    assert_eq!((quote.origin, quote.kind), (Origin::User, PriceKind::Effective));
    assert_eq!(quote.source, "invoice 17: capital 1.142, energy 0.133");
}

#[test]
fn every_problem_of_owned_hardware_is_told_with_its_place() {
    let told = |text: &str| -> Vec<String> {
        let error = PriceBook::default().add_toml(text).unwrap_err();
        error.problems.iter().map(ToString::to_string).collect()
    };
    let check = |from: &str, to: &str, expected: &str| {
        let found = told(&OWNED.replace(from, to)).join("; ");
        assert!(found.contains("owned[0]") && found.contains(expected), "{found}");
    };
    check("years = 4\n", "", "years");
    check("years = 4", "years = 0", "not above zero");
    check("servers = 320000", "servers = -1", "negative");
    check("pue = 1.2", "pue = \"low\"", "not a number");
    check("staff = 0", "stuff = 0", "unknown");
    check("date = 2026-01-01\n", "", "without a date");
    check("currency = \"USD\"", "currency = \"dollar\"", "three capitals");
    let twice = told(&(OWNED.to_owned() + OWNED)).join("; ");
    assert!(twice.contains("owned[1]") && twice.contains("overlaps owned[0]"), "{twice}");
    assert!(told("").join("; ").contains("[[owned]]"));
    let scalar = told(&format!("price = 3\n{OWNED}")).join("; ");
    assert!(scalar.contains("price: is not a list"), "{scalar}");
}

#[test]
fn a_price_and_what_was_paid_for_the_same_hardware_do_not_hold_together() {
    let price = |fields: &str| {
        OWNED.to_owned()
            + &row(&format!("gpu = \"H100\"\nprovider = \"our-colo\"\nper_hour = 2\n{fields}"))
    };
    for kind in ["contracted", "effective", "billed"] {
        let told = problems(&price(&format!("term = \"owned\"\nkind = \"{kind}\"")));
        let expected = "owned[0].from: price[0] prices the same owned hardware at the same time";
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    }
    let sound = |fields: &str| PriceBook::default().add_toml(&price(fields)).unwrap();
    sound("term = \"owned\"\nkind = \"power_only\"");
    let later = OWNED.replace("gpus = 8", "from = 2026-02-01\ngpus = 8");
    let until = row(
        "gpu = \"H100\"\nprovider = \"our-colo\"\nper_hour = 2\nterm = \"owned\"\nuntil = 2026-02-01",
    );
    PriceBook::default().add_toml(&(later + &until)).unwrap();
    sound("term = \"reserved_1y\"");
}

#[test]
fn a_price_without_a_term_is_used_unless_the_term_is_owned_and_that_is_told() {
    let mut book = PriceBook::default();
    let fields = "gpu = \"H100\"\nprovider = \"our-colo\"\nper_hour = 2\n";
    book.add_toml(&(OWNED.to_owned() + &row(fields))).unwrap();
    for (term, is_owned) in
        [(None, false), (Some(Term::OnDemand), false), (Some(Term::Owned), true)]
    {
        let wanted = Wanted { term, provider: Some("our-colo".into()), ..h100() };
        let quote = book.quote(&wanted, "USD", at("2026-05-01")).unwrap();
        assert_eq!(quote.per_gpu_hour != 2.0, is_owned, "{term:?} {quote:?}");
        let told = book.shadowed(term).join("; ");
        let used = format!("{:.4} ({}) is used", quote.per_gpu_hour, quote.source);
        assert!(told.contains(&used), "{told} does not say {used}");
    }
    let mut alone = PriceBook::embedded();
    alone.add_toml(OWNED).unwrap();
    assert_eq!(alone.shadowed(None), Vec::<String>::new());
}
