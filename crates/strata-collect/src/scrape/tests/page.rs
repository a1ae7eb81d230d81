//! What rules and memory make of a page.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use regex::RegexSet;
use strata_model::{FaultCode, Labels};

use super::super::page::{Page, PageMemory};
use super::super::rules::{PageLimits, Rules, SourceRules};
use super::lines;
use crate::exposition::{Arrival, Format};

fn rules() -> Rules {
    Rules {
        labels: Labels::from_pairs([("job", "j"), ("instance", "i")]),
        honor_labels: false,
        honor_timestamps: true,
        drop: RegexSet::empty(),
        limits: PageLimits::default(),
        source: SourceRules::default(),
    }
}

fn read(memory: &mut PageMemory, rules: &Rules, page: &str) -> Page {
    let body = (Format::Text, page.as_bytes(), Arrival::Whole);
    memory.read(rules, Arc::from("test"), 1_000, body, true)
}

fn check(rules: &Rules, page: &str, expected: &[&str], fault: Option<FaultCode>) {
    let page = read(&mut PageMemory::default(), rules, page);
    assert_eq!(lines(&page.batch), expected);
    let faults = page.faults.into_faults();
    assert_eq!(faults.first().map(|fault| fault.code), fault, "{faults:?}");
}

#[test]
fn a_label_of_the_page_gives_way_or_wins() {
    let page = "a{job=\"x\",exported_job=\"y\",z=\"\"} 1\n";
    let exported = "a{exported_exported_job=\"x\",exported_job=\"y\",instance=\"i\",job=\"j\"} 1";
    check(&rules(), page, &[exported], None);
    let honoring = Rules { honor_labels: true, ..rules() };
    check(&honoring, page, &["a{exported_job=\"y\",instance=\"i\",job=\"x\"} 1"], None);
    // An empty label of the page is no label, so the target's own applies.
    check(&honoring, "a{job=\"\"} 1\n", &["a{instance=\"i\",job=\"j\"} 1"], None);
}

#[test]
fn rules_and_limits_take_series_out() {
    let kept = "a{instance=\"i\",job=\"j\"} 1";
    let dropping = Rules { drop: RegexSet::new(["^(?s:b.*)$"]).expect("good"), ..rules() };
    check(&dropping, "a 1\nb 2\nbc{x=\"1\"} 3\n", &[kept], None);
    let limited = |limits: PageLimits| Rules { limits, ..rules() };
    let few = limited(PageLimits { labels: 3, ..PageLimits::default() });
    check(&few, "a 1\na{x=\"1\"} 2\n", &[kept], Some(FaultCode::OverLimit));
    let short = limited(PageLimits { value_bytes: 8, ..PageLimits::default() });
    check(&short, "a 1\na{x=\"123456789\"} 2\n", &[kept], Some(FaultCode::OverLimit));
    let names = limited(PageLimits { name_bytes: 8, ..PageLimits::default() });
    check(&names, "a 1\nabcdefghi 2\n", &[kept], Some(FaultCode::OverLimit));
}

#[test]
fn of_a_series_that_is_there_twice_the_first_counts() {
    let one = "a{instance=\"i\",job=\"j\",x=\"1\",y=\"2\"} 1";
    let page = "a{x=\"1\",y=\"2\"} 1\na{x=\"1\",y=\"2\"} 2\na{y=\"2\",x=\"1\"} 3\n";
    check(&rules(), page, &[one], Some(FaultCode::Duplicate));
    let timed = ["a{instance=\"i\",job=\"j\"} 1", "a{instance=\"i\",job=\"j\"} 2"];
    check(&rules(), "a 1 100\na 2 200\n", &timed, None);
    let ignoring = Rules { honor_timestamps: false, ..rules() };
    check(&ignoring, "a 1 100\na 2 200\n", &timed[..1], Some(FaultCode::Duplicate));
}

#[test]
fn sentinels_are_dropped_and_counted() {
    let sentinel =
        |name: &str, value: f64| name == "DCGM_FI_DEV_GPU_TEMP" && value >= 2_147_483_632.0;
    let source = SourceRules { sentinel: Some(Arc::new(sentinel)), drop: None, model: None };
    let rules = Rules { source, ..rules() };
    let page = "DCGM_FI_DEV_GPU_TEMP{A=\"1\"} 2147483632\nDCGM_FI_DEV_GPU_TEMP{A=\"2\"} 41\n";
    let kept = "DCGM_FI_DEV_GPU_TEMP{A=\"2\",instance=\"i\",job=\"j\"} 41";
    check(&rules, page, &[kept], Some(FaultCode::Sentinel));
}

#[test]
fn what_the_source_is_not_worth_storing_is_left_out_beside_what_the_job_drops() {
    let source = SourceRules {
        drop: Some(Arc::new(|name| name.starts_with("dull"))),
        ..SourceRules::default()
    };
    let drop = RegexSet::new(["^(?s:own)$"]).unwrap();
    let rules = Rules { drop, source, ..rules() };
    let page = "dull_bucket{le=\"1\"} 2\ndull_sum 3\nown 4\nkept 5\n";
    check(&rules, page, &["kept{instance=\"i\",job=\"j\"} 5"], None);
}

#[test]
fn memory_changes_nothing_but_the_work() {
    let first = "# HELP a one\n# TYPE a gauge\na 1\nb{x=\"1\"} 2\nb{x=\"2\"} 3\nc 4\n";
    let pages = [
        first,
        "# HELP a one\n# TYPE a gauge\na 5\nb{x=\"1\"} 6\nb{x=\"2\"} 7\nc 8\n",
        "# TYPE a gauge\nb{x=\"2\"} 3\na 1\nnew 9\nc 4\n",
        "a{} 1\nb {x=\"1\"} 2\na 1\n",
        "ab 1\na 2\n",
        "",
        first,
    ];
    let mut memory = PageMemory::default();
    for page in pages {
        let remembered = read(&mut memory, &rules(), page);
        let fresh = read(&mut PageMemory::default(), &rules(), page);
        assert_eq!(lines(&remembered.batch), lines(&fresh.batch), "{page}");
        assert_eq!(remembered.end, fresh.end);
        assert_eq!(remembered.faults.into_faults().len(), fresh.faults.into_faults().len());
    }
}

#[test]
fn a_page_counts_itself() {
    let mut memory = PageMemory::default();
    let dropping = Rules { drop: RegexSet::new(["^b$"]).expect("good"), ..rules() };
    let mut counts = |page: &str| {
        let counts = read(&mut memory, &dropping, page).counts;
        (counts.scraped, counts.kept, counts.added)
    };
    assert_eq!(counts("a 1\nb 1\nc 1\n"), (3, 2, 2));
    assert_eq!(counts("a 1\nb 1\nd 1\n"), (3, 2, 1));
    assert_eq!(counts("a 1\nb 1\nd 1\n"), (3, 2, 0));
}

#[test]
fn metadata_is_sent_when_new_and_when_different() {
    let mut memory = PageMemory::default();
    let mut sent = |page: &str| {
        let batch = read(&mut memory, &rules(), page).batch;
        batch.metadata.into_iter().map(|m| (m.family, m.kind.name(), m.help)).collect::<Vec<_>>()
    };
    let a = |help: &str| ("a".to_owned(), "counter", help.to_owned());
    assert_eq!(sent("# HELP a one\n# TYPE a counter\na 1\n"), [a("one")]);
    assert_eq!(sent("# HELP a one\n# TYPE a counter\na 2\n"), []);
    assert_eq!(sent("# HELP a two\n# TYPE a counter\na 2\n"), [a("two")]);
}

#[test]
fn a_bad_comment_is_told_on_every_page() {
    let mut memory = PageMemory::default();
    for _ in 0..3 {
        let page = read(&mut memory, &rules(), "# TYPE a wrong\na 1\n");
        assert_eq!(page.faults.into_faults().len(), 1);
    }
}

#[test]
fn churn_does_not_grow_the_memory() {
    let mut memory = PageMemory::default();
    for round in 0..40 {
        let mut page = String::new();
        for series in 0..500 {
            writeln!(page, "a{{round=\"{round}\",series=\"{series}\"}} 1").expect("a string");
        }
        let counts = read(&mut memory, &rules(), &page).counts;
        assert_eq!((counts.kept, counts.added), (500, 500));
    }
    assert!(memory.series_texts() <= 2_500, "{}", memory.series_texts());
}

#[test]
fn a_page_over_its_sample_limit_says_so() {
    let limits = PageLimits { samples: 2, ..PageLimits::default() };
    let page = read(&mut PageMemory::default(), &Rules { limits, ..rules() }, "a 1\nb 1\nc 1\n");
    assert!(page.over_sample_limit);
    assert_eq!(page.counts.kept, 3);
}

proptest! {
    /// The way of known series and the way of new ones lead to the same samples.
    #[test]
    fn a_second_reading_gives_the_same_samples(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("a"), Just("b{x=\"1\"}"), Just("b{x=\"1\",}"), Just("{\"a\"}"), Just("{"), Just("}"),
                Just("\""), Just(" "), Just("\t"), Just(" 1\n"), Just(" 2\n"), Just(" 3 5\n"), Just("\n"),
                Just("# TYPE b histogram\n"), Just("b{le=\"1\"}"), Just("b{le=\"1.0\"}"), Just("#"),
            ],
            0..40,
        ),
    ) {
        let page = pieces.concat();
        let mut memory = PageMemory::default();
        let first = read(&mut memory, &rules(), &page);
        let second = read(&mut memory, &rules(), &page);
        prop_assert_eq!(lines(&first.batch), lines(&second.batch));
        prop_assert_eq!(first.end, second.end);
    }
}
