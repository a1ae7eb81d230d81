//! What is written, what is never written, and what goes again.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};
use strata_model::content::{BUILTIN, Redactor};

use super::*;

const START_MS: i64 = 1_795_848_122_000;
const HOUR_MS: i64 = 3_600_000;

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Shelf {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    store: ContentStore,
}

fn shelf() -> Shelf {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
    let store = ContentStore::at(&dir.path().join("content"), Arc::clone(&clock) as Arc<dyn Clock>);
    Shelf { dir, clock, store }
}

impl Shelf {
    fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    fn call(&self, route: &str, text: &str) -> Redacted {
        let exchange = Exchange {
            id: text.to_owned(),
            start_us: self.clock.now_ms() * 1_000,
            route: route.to_owned(),
            request: json!({ "messages": [{ "role": "user", "content": text }] }),
            ..Exchange::default()
        };
        Redacted::of(exchange, &Redactor::default())
    }

    fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        let mut take = |found| {
            if let Found::Exchange(one) = found {
                ids.push(one.id);
            }
        };
        self.store.visit(&(0..i64::MAX), None, &mut take).unwrap();
        ids
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for dir in self.store.segments.routes().unwrap() {
            all.extend(segments::of_dir(&dir).unwrap().into_iter().map(|(_, path)| path));
        }
        all
    }
}

fn plan(route: &str) -> RoutePlan {
    let retention = Duration::from_hours(48);
    RoutePlan { route: route.to_owned(), retention, disk_bytes: 1 << 30 }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nothing_is_made_before_something_is_kept_and_then_only_this_user_reads_it() {
    let shelf = shelf();
    assert_eq!(shelf.store.sweep(&[]).unwrap(), 0);
    assert_eq!(shelf.store.forget(&|_| true).unwrap(), Forgotten::default());
    assert!(shelf.store.status().unwrap().is_empty() && shelf.ids().is_empty());
    shelf.store.append(&plan("a/b"), Vec::new(), Vec::new()).unwrap();
    assert!(std::fs::read_dir(shelf.dir.path()).unwrap().next().is_none());
    let gap =
        Gap { at_us: START_MS * 1_000, route: "a/b".to_owned(), reason: "disk".into(), count: 3 };
    shelf.store.append(&plan("a/b"), vec![shelf.call("a/b", "one")], vec![gap]).unwrap();
    let route = shelf.store.dir().join("a~2fb");
    assert_eq!((mode(shelf.store.dir()), mode(&route)), (0o700, 0o700));
    assert_eq!(mode(&shelf.segments()[0]), 0o600);
    let status = shelf.store.status().unwrap();
    assert_eq!((status[0].route.as_str(), status[0].calls), ("a/b", 1));
    assert_eq!(status[0].gaps.get("disk"), Some(&3));
}

#[test]
fn a_torn_end_is_cut_and_what_was_before_it_stays() {
    let shelf = shelf();
    for id in ["one", "two"] {
        shelf.store.append(&plan("r"), vec![shelf.call("r", id)], Vec::new()).unwrap();
    }
    let path = shelf.segments()[0].clone();
    let whole = std::fs::read(&path).unwrap();
    let before = frame::read(&path, &mut |_| {}).unwrap().whole;
    shelf.store.append(&plan("r"), vec![shelf.call("r", "three")], Vec::new()).unwrap();
    let all = std::fs::read(&path).unwrap();
    // A crash at any byte of the last frame.
    for end in whole.len()..all.len() {
        std::fs::write(&path, &all[..end]).unwrap();
        assert_eq!(shelf.ids(), ["one", "two"], "{end}");
    }
    let mut damaged = all.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    assert_eq!(frame::read(&path, &mut |_| {}).unwrap().whole, before);
    shelf.store.append(&plan("r"), vec![shelf.call("r", "four")], Vec::new()).unwrap();
    assert_eq!(shelf.ids(), ["one", "two", "four"]);
    assert_eq!(shelf.store.status().unwrap()[0].torn, 0);
}

#[test]
fn what_is_older_than_the_retention_goes_whoever_kept_it() {
    let shelf = shelf();
    shelf.store.append(&plan("r"), vec![shelf.call("r", "old")], Vec::new()).unwrap();
    shelf.store.append(&plan("gone"), vec![shelf.call("gone", "too")], Vec::new()).unwrap();
    shelf.pass(47 * HOUR_MS);
    shelf.store.append(&plan("r"), vec![shelf.call("r", "new")], Vec::new()).unwrap();
    assert_eq!(shelf.store.sweep(&[plan("r")]).unwrap(), 0);
    shelf.pass(HOUR_MS);
    // `gone` is captured no more: what its segments say holds.
    assert_eq!(shelf.store.sweep(&[plan("r")]).unwrap(), 2);
    assert_eq!(shelf.ids(), ["new"]);
    let short = RoutePlan { retention: Duration::from_hours(1), ..plan("r") };
    shelf.pass(HOUR_MS);
    assert_eq!(shelf.store.sweep(&[short]).unwrap(), 1, "a shorter retention holds at once");
}

#[test]
fn a_route_keeps_within_its_space_and_the_oldest_goes() {
    let shelf = shelf();
    let plan = RoutePlan { disk_bytes: 8 << 10, ..plan("r") };
    let mut crowded_out = 0;
    for n in 0..40_u64 {
        // What cannot be compressed.
        let mut dice = fastrand::Rng::with_seed(n);
        let text: String = (0..960).map(|_| dice.alphanumeric()).collect();
        let call = shelf.call("r", &format!("{n:02} {text}"));
        crowded_out += shelf.store.append(&plan, vec![call], Vec::new()).unwrap().crowded_out;
    }
    let status = &shelf.store.status().unwrap()[0];
    assert!(crowded_out > 5 && status.bytes <= 9 << 10, "{crowded_out} {status:?}");
    let ids = shelf.ids();
    assert!(ids.len() > 4 && ids.last().unwrap().starts_with("39"), "{ids:?}");
}

#[test]
fn what_is_forgotten_is_on_disk_no_more() {
    let shelf = shelf();
    let calls = ["alpha-word", "beta-word", "gamma-word"].map(|id| shelf.call("r", id)).to_vec();
    shelf.store.append(&plan("r"), calls, Vec::new()).unwrap();
    let forgotten = shelf.store.forget(&|one| one.id == "beta-word").unwrap();
    assert_eq!(forgotten, Forgotten { calls: 1, segments: 1, torn: 0 });
    assert_eq!(shelf.ids(), ["alpha-word", "gamma-word"]);
    assert_eq!(mode(&shelf.segments()[0]), 0o600);
    shelf.store.append(&plan("r"), vec![shelf.call("r", "delta")], Vec::new()).unwrap();
    assert_eq!(shelf.ids(), ["alpha-word", "gamma-word", "delta"], "the segment takes more");
    shelf.store.forget(&|_| true).unwrap();
    assert!(shelf.segments().is_empty());
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_and_no_end() {
    let shelf = shelf();
    std::fs::create_dir_all(shelf.store.dir()).unwrap();
    let blocked = shelf.store.dir().join("r");
    std::fs::write(&blocked, "in the way").unwrap();
    let failed = shelf.store.append(&plan("r"), vec![shelf.call("r", "one")], Vec::new());
    assert!(failed.unwrap_err().to_string().contains("cannot make"), "it is told where");
    std::fs::remove_file(&blocked).unwrap();
    shelf.store.append(&plan("r"), vec![shelf.call("r", "two")], Vec::new()).unwrap();
    assert_eq!(shelf.ids(), ["two"]);
}

fn redacted(document: Value) -> (Value, bool) {
    let redactor = Redactor::new(&BUILTIN.map(str::to_owned), &[]).unwrap();
    let exchange = Exchange { request: document, ..Exchange::default() };
    let exchange = Redacted::of(exchange, &redactor).into_exchange();
    (exchange.request, exchange.media)
}

#[test]
fn names_numbers_and_documents_in_texts_are_cleaned_too() {
    let check = |document: Value, expected: Value| assert_eq!(redacted(document).0, expected);
    check(json!({ "a@b.org": [{ "x": "10.0.0.9" }] }), json!({ "[email]": [{ "x": "[ip]" }] }));
    check(json!(4_111_111_111_111_111_u64), json!("[card]"));
    check(json!({ "type": "text", "role": "user" }), json!({ "type": "text", "role": "user" }));
    let arguments = r#"{"to":"jane\u0040example.org","n":1}"#;
    check(json!({ "arguments": arguments }), json!({ "arguments": r#"{"to":"[email]","n":1}"# }));
    check(json!({ "arguments": "{ \"n\": 1 }" }), json!({ "arguments": "{ \"n\": 1 }" }));
    let (document, media) = redacted(json!({ "url": "data:image/png;base64,AAAA", "b": "QUJD" }));
    assert_eq!((document, media), (json!({ "url": MEDIA, "b": "QUJD" }), true));
}

#[test]
fn a_program_may_clean_further_and_must_answer_for_every_text() {
    let shelf = shelf();
    let call = shelf.call("r", "Jane Doe");
    assert_eq!(call.texts(), ["Jane Doe"]);
    assert!(call.clone().with_texts(Vec::new()).is_none());
    let cleaned = call.with_texts(vec!["[name]".to_owned()]).unwrap();
    assert_eq!(cleaned.texts(), ["[name]"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_secret_is_ever_on_disk(
        parts in prop::collection::vec("[a-z {}\"\\\\:]{0,12}", 2..6),
        secret in prop::sample::select(vec![
            "jane.doe@mail.example.org", "sk-0123456789abcdef0123", "4111 1111 1111 1111",
        ]),
        deep in any::<bool>(),
    ) {
        let shelf = shelf();
        let text = parts.join(&format!(" {secret} "));
        let inner = json!({ "to": text }).to_string();
        let document = if deep { json!({ "arguments": inner }) } else { json!({ "content": text }) };
        let redactor = Redactor::new(&BUILTIN.map(str::to_owned), &[]).unwrap();
        let exchange = Exchange { request: document.clone(), answer: document, ..Exchange::default() };
        let call = Redacted::of(exchange, &redactor);
        shelf.store.append(&plan("r"), vec![call], Vec::new()).unwrap();
        let mut lines = String::new();
        frame::read(&shelf.segments()[0], &mut |line| {
            lines.push_str(&serde_json::to_string(&line).unwrap());
        }).unwrap();
        prop_assert!(!lines.contains(secret), "{}", lines);
        let bytes = std::fs::read(&shelf.segments()[0]).unwrap();
        prop_assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

/// What is left of a request.
fn cleaned(request: Value) -> Exchange {
    let names: Vec<String> = BUILTIN.iter().map(|name| (*name).to_owned()).collect();
    let redactor = Redactor::new(&names, &[]).unwrap();
    Redacted::of(Exchange { request, ..Exchange::default() }, &redactor).into_exchange()
}

#[test]
fn a_secret_is_known_by_the_name_of_its_field_and_behind_a_field_that_stands_twice() {
    let named = cleaned(json!({ "input": { "password": "hunter2! and more", "city": "Bern" } }));
    assert_eq!(named.request, json!({ "input": { "password": "[secret]", "city": "Bern" } }));
    assert!(named.cleaned.is_some());
    let inside = cleaned(json!({ "arguments": "{\"api_key\":\"plainlooking\",\"n\":1}" }));
    assert_eq!(inside.request["arguments"], "{\"api_key\":\"[secret]\",\"n\":1}");
    let twice =
        cleaned(json!({ "arguments": "{\"a\":\"sk-abcdefghijklmnopqrstuvwx\",\"a\":\"x\"}" }));
    assert!(!twice.request.to_string().contains("abcdefghij"), "{}", twice.request);
    let plain = cleaned(json!({ "content": "what is a password?" }));
    assert!(
        plain.cleaned.is_none() && plain.request == json!({ "content": "what is a password?" })
    );
}

#[test]
fn files_are_told_from_words() {
    let check = |request: Value, media: bool| {
        assert_eq!(cleaned(request.clone()).media, media, "{request}");
    };
    check(json!({ "content": "Data: revenue, cost and/or margin" }), false);
    check(json!({ "content": "word\n".repeat(200) }), false);
    check(json!({ "content": "data:image/png;base64,AAAA" }), true);
    check(json!({ "content": "QUJD".repeat(200) }), true);
    check(json!({ "content": format!("{}\n", "QUJD".repeat(19)).repeat(10) }), true);
    check(json!({ "images": ["QUJD"] }), true);
    check(
        json!({ "source": { "type": "base64", "media_type": "image/png", "data": "QUJD" } }),
        true,
    );
    check(json!({ "data": "words" }), false);
}

#[test]
fn a_draft_that_a_crash_left_goes_and_one_bad_segment_keeps_no_other() {
    let shelf = shelf();
    shelf.store.append(&plan("chat"), vec![shelf.call("chat", "old")], Vec::new()).unwrap();
    let dir = shelf.store.dir().join("chat");
    for sweeps in [true, false] {
        std::fs::write(dir.join("draft"), "said once").unwrap();
        if sweeps {
            shelf.store.sweep(&[]).unwrap();
        } else {
            shelf.store.forget(&|_| false).unwrap();
        }
        assert!(!dir.join("draft").exists(), "{sweeps}");
    }
    // A directory by the name of a segment cannot be read; what is behind it is looked at all the same.
    std::fs::create_dir(shelf.store.dir().join("aside")).unwrap();
    std::fs::create_dir(shelf.store.dir().join("aside").join("1.seg")).unwrap();
    shelf.pass(49 * HOUR_MS);
    assert!(shelf.store.sweep(&[]).is_err());
    std::fs::remove_dir_all(shelf.store.dir().join("aside")).unwrap();
    assert_eq!(shelf.ids(), Vec::<String>::new());
}
