//! Verdicts over made-up requests whose truth is known.

use strata_model::record::{FeedbackSource, TokenBuckets};

use super::*;

/// `good` of `judged` judgements, and `requests` whose TTFT is spread evenly up to twice `ttft_ms`.
fn side(model: &str, (good, judged): (u64, u64), (requests, ttft_ms): (u64, i64)) -> Side {
    let judgement = |n: u64| Judgement {
        at_us: 1,
        name: "user_feedback".to_owned(),
        value: Some(if n < good { 1.0 } else { 0.0 }),
        label: None,
        source: FeedbackSource::Human,
        request: format!("{model}-{n}"),
    };
    let sample = |n: u64| RequestSample {
        ttft_us: Some(2_000 * ttft_ms * n as i64 / requests.max(1) as i64),
        duration_us: Some(5_000_000),
        outcome: Some("ok".to_owned()),
        tokens: TokenBuckets {
            fresh_input: Some(1_000),
            output_text: Some(101),
            ..TokenBuckets::default()
        },
        ..RequestSample::default()
    };
    Side {
        model: model.to_owned(),
        samples: (0..requests).map(sample).collect(),
        matching: requests,
        judgements: (0..judged).map(judgement).collect(),
        judgements_cut: false,
        cost: None,
    }
}

fn verdict_of(found: &Comparison, name: &str) -> Verdict {
    let one = found.measures.iter().find(|one| one.measure.name() == name);
    one.unwrap_or_else(|| panic!("no {name}")).verdict
}

#[test]
fn a_verdict_needs_an_interval_that_carries_it() {
    let check = |a: (u64, u64), b: (u64, u64), expected: Verdict| {
        let found =
            compare(&side("big", a, (100, 100)), &side("small", b, (100, 100)), &Terms::default());
        assert_eq!(verdict_of(&found, "user_feedback by human"), expected, "{a:?} {b:?}");
    };
    check((800, 1_000), (700, 1_000), Verdict::Worse);
    check((700, 1_000), (800, 1_000), Verdict::Better);
    check((1_600, 2_000), (1_600, 2_000), Verdict::NoDifference);
    // The same shares of a tenth of the judgements: five points more or less cannot be told.
    check((160, 200), (160, 200), Verdict::TooFew);
    // Nine of nine against none is striking and still nine.
    check((9, 9), (0, 9), Verdict::TooFew);
    check((10, 10), (0, 10), Verdict::Worse);
    check((5, 10), (0, 0), Verdict::TooFew);
}

#[test]
fn times_are_worse_when_they_are_longer() {
    let found = compare(
        &side("big", (0, 0), (2_000, 200)),
        &side("small", (0, 0), (2_000, 100)),
        &Terms::default(),
    );
    assert_eq!(verdict_of(&found, "TTFT p50"), Verdict::Better);
    assert_eq!(verdict_of(&found, "TTFT p95"), Verdict::Better);
    assert_eq!(verdict_of(&found, "duration p95"), Verdict::NoDifference);
    assert_eq!(verdict_of(&found, "failed"), Verdict::NoDifference);
    let few = compare(
        &side("big", (0, 0), (50, 200)),
        &side("small", (0, 0), (50, 100)),
        &Terms::default(),
    );
    assert_eq!(verdict_of(&few, "TTFT p95"), Verdict::TooFew);
    let p95 = few.measures.iter().find(|one| one.measure.name() == "TTFT p95").unwrap();
    assert_eq!((p95.a.value, p95.a.count, p95.why.as_str()), (None, 50, "too few for an interval"));
}

#[test]
fn the_answer_is_no_stronger_than_the_judgements() {
    let check = |a: (u64, u64), b: (u64, u64), expected: Move, words: &str| {
        let found = compare(
            &side("big", a, (2_000, 100)),
            &side("small", b, (2_000, 100)),
            &Terms::default(),
        );
        assert_eq!(found.answer.can, expected, "{a:?} {b:?}: {:?}", found.answer);
        assert!(found.answer.reasons.join("; ").contains(words), "{:?}", found.answer);
    };
    check((0, 0), (0, 0), Move::NotYet, "no request of either model was judged");
    check((160, 200), (160, 200), Move::NotYet, "may be worse by 7.8 points");
    check((1_600, 2_000), (1_600, 2_000), Move::Yes, "worse by 2.5 points at most");
    check((1_600, 2_000), (1_400, 2_000), Move::No, "user_feedback by human: worse");
    check((1_600, 2_000), (1_900, 2_000), Move::Yes, "user_feedback by human: better");
    check((16, 20), (0, 0), Move::NotYet, "one of the two has none");
}

#[test]
fn how_many_judgements_are_needed_is_told_by_the_method_of_the_verdict() {
    let asked = |n: u64, shares: [u64; 2]| {
        let [a, b] = shares.map(|percent| side("m", (n * percent / 100, n), (2_000, 100)));
        compare(&a, &b, &Terms::default()).answer
    };
    let check = |shares: [u64; 2], then: Move| {
        let before = asked(200, shares);
        assert_eq!(before.can, Move::NotYet, "{shares:?}");
        let needed = before.judgements_needed.unwrap();
        // Rounded to whole judgements of a hundredth.
        let (less, more) = (needed / 100 * 100, needed.div_ceil(100) * 100);
        assert_eq!(asked(less, shares).can, Move::NotYet, "{shares:?} {needed}");
        assert_eq!(asked(more, shares).can, then, "{shares:?} {needed}");
        needed
    };
    // The normal approximation, 2 x 0.8 x 0.2 x (1.96 / 0.05)^2, is 492.
    assert!((485..=500).contains(&check([80, 80], Move::Yes)));
    check([80, 78], Move::Yes);
    check([80, 72], Move::No);
    check([97, 94], Move::Yes);
    // A loss of the margin itself is never told.
    assert_eq!(asked(200, [80, 75]).judgements_needed, None);
}

#[test]
fn what_is_not_minded_is_not_worse() {
    let found = |a, b, n: u64| {
        let sides = [a, b].map(|percent| side("m", (n * percent / 100, n), (2_000, 100)));
        compare(&sides[0], &sides[1], &Terms::default())
    };
    // Three points, proven by forty thousand judgements: a fact, and within the margin of five.
    let sure = found(80, 77, 20_000);
    assert!(sure.measures[0].difference.unwrap().high < 0.0);
    assert_eq!(sure.measures[0].verdict, Verdict::NoDifference);
    assert!(sure.measures[0].why.contains("within the margin"));
    assert_eq!(sure.answer.can, Move::Yes);
    // Worse for certain, and nobody knows whether by more than is minded.
    let open = found(80, 74, 1_000);
    assert_eq!(open.measures[0].verdict, Verdict::TooFew);
    assert_eq!(open.answer.can, Move::NotYet);
    assert_eq!(found(80, 60, 1_000).answer.can, Move::No);
}

#[test]
fn failures_that_nobody_could_count_do_not_make_a_yes() {
    let judged = (1_600, 2_000);
    let with = |requests, fails: usize| {
        let mut small = side("small", judged, (requests, 100));
        let failed = Some("error".to_owned());
        small.samples.iter_mut().take(fails).for_each(|one| one.outcome.clone_from(&failed));
        compare(&side("big", judged, (2_000, 100)), &small, &Terms::default()).answer
    };
    assert_eq!(with(2_000, 10).can, Move::Yes);
    assert_eq!(with(2_000, 400).can, Move::No);
    let few = with(30, 2);
    assert_eq!(few.can, Move::NotYet);
    assert!(few.reasons.join("; ").contains("failed: may be worse"), "{few:?}");
    let none = with(0, 0);
    assert_eq!(none.can, Move::NotYet);
    assert!(none.reasons.join("; ").contains("failed: one of the two has none"), "{none:?}");
}

#[test]
fn of_a_score_that_is_named_so_less_is_better() {
    let (mut big, mut small) =
        (side("big", (100, 1_000), (2_000, 100)), side("small", (400, 1_000), (2_000, 100)));
    for side in [&mut big, &mut small] {
        side.judgements.iter_mut().for_each(|one| "hallucination".clone_into(&mut one.name));
    }
    let mut terms = Terms::default();
    let more = compare(&big, &small, &terms);
    assert_eq!((more.measures[0].verdict, more.answer.can), (Verdict::Better, Move::Yes));
    terms.less_is_better = ["hallucination", "toxicity"].map(str::to_owned).into();
    let less = compare(&big, &small, &terms);
    assert_eq!((less.measures[0].verdict, less.answer.can), (Verdict::Worse, Move::No));
    assert_eq!(less.notes, ["nothing of these requests is judged by \"toxicity\""]);
}

#[test]
fn a_model_that_is_slower_or_dearer_comes_at_a_price() {
    let (mut big, mut small) =
        (side("big", (1_600, 2_000), (2_000, 100)), side("small", (1_600, 2_000), (2_000, 100)));
    big.cost = Some(Ok(1e-6));
    small.cost = Some(Ok(1.05e-6));
    let found = compare(&big, &small, &Terms::default());
    assert_eq!(verdict_of(&found, "cost per useful token"), Verdict::NoDifference);
    small.cost = Some(Ok(2e-6));
    let found = compare(&big, &small, &Terms::default());
    assert_eq!(verdict_of(&found, "cost per useful token"), Verdict::Worse);
    assert_eq!(found.answer.can, Move::AtAPrice);
    small.cost = Some(Err("no price for its GPU".to_owned()));
    let found = compare(&big, &small, &Terms::default());
    let cost = found.measures.last().unwrap();
    assert_eq!((cost.verdict, cost.why.as_str()), (Verdict::TooFew, "small: no price for its GPU"));
    assert_eq!(found.answer.can, Move::Yes);
}

#[test]
fn signs_count_against_all_requests_and_by_what_they_mean() {
    let (mut big, mut small) =
        (side("big", (0, 0), (1_000, 100)), side("small", (0, 0), (1_000, 100)));
    let sign = |name: &str, n: u64| Judgement {
        at_us: 1,
        name: name.to_owned(),
        value: Some(1.0),
        label: None,
        source: FeedbackSource::Implicit,
        request: n.to_string(),
    };
    big.judgements = (0..20).map(|n| sign("regenerated", n)).collect();
    small.judgements = (0..100).map(|n| sign("regenerated", n)).collect();
    big.judgements.extend((0..20).map(|n| sign("copied", n)));
    small.judgements.extend((0..100).map(|n| sign("copied", n)));
    let found = compare(&big, &small, &Terms::default());
    assert_eq!(verdict_of(&found, "regenerated"), Verdict::Worse);
    assert_eq!(verdict_of(&found, "copied"), Verdict::Better);
    let value = found.measures.iter().find(|one| one.measure.name() == "copied").unwrap().b;
    assert_eq!((value.count, value.value.unwrap().estimate), (1_000, 0.1));
}

#[test]
fn scores_are_compared_by_their_means() {
    let (mut big, mut small) = (side("big", (0, 0), (10, 100)), side("small", (0, 0), (10, 100)));
    for (side, top) in [(&mut big, 5), (&mut small, 4)] {
        let one = |n: u64| Judgement {
            at_us: 1,
            name: "stars".to_owned(),
            value: Some((n % top + 1) as f64),
            label: None,
            source: FeedbackSource::Human,
            request: n.to_string(),
        };
        side.judgements = (0..400).map(one).collect();
    }
    let found = compare(&big, &small, &Terms::default());
    assert_eq!(verdict_of(&found, "stars by human"), Verdict::Worse);
    let stars = &found.measures[0];
    assert_eq!(stars.measure.unit(), "{score}");
    assert!((stars.difference.unwrap().estimate + 0.5).abs() < 1e-9);
}

#[test]
fn models_that_got_other_requests_are_not_compared_without_a_word() {
    let (mut big, mut small) =
        (side("big", (1_600, 2_000), (2_000, 100)), side("small", (1_600, 2_000), (2_000, 100)));
    let found = compare(&big, &small, &Terms::default());
    assert_eq!((found.mix.doubts(), found.mix.apps_apart), (Vec::new(), None));
    for (n, one) in big.samples.iter_mut().enumerate() {
        one.tokens.fresh_input = Some(4_000);
        one.group = Some(if n % 2 == 0 { "chat" } else { "agent" }.to_owned());
    }
    small.samples.iter_mut().for_each(|one| one.group = Some("chat".to_owned()));
    small.matching = 8_000;
    small.judgements_cut = true;
    let found = compare(&big, &small, &Terms::default());
    assert!((found.mix.apps_apart.unwrap() - 0.5).abs() < 1e-9);
    let reasons = found.answer.reasons.join("; ");
    assert!(
        reasons.contains("other lengths") && reasons.contains("50 % of the requests"),
        "{reasons}"
    );
    assert_eq!(
        found.notes,
        [
            "2000 of 8000 requests of small are in it, taken evenly over the time",
            "only the latest 2000 judgements on small are in it: ask for a shorter time"
        ]
    );
    // What one of the two does not tell is not the same for both.
    for one in &mut small.samples {
        (one.group, one.tokens.fresh_input) = (None, None);
    }
    let found = compare(&big, &small, &Terms::default());
    assert_eq!((found.mix.apps_apart, found.mix.lines[0].apart), (None, None));
    let doubts = found.mix.doubts().join("; ");
    assert!(doubts.contains("how long its requests are") && doubts.contains("which apps"));
}
