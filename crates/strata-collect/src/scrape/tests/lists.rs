//! Options, targets, and lists that change.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;
use crate::scrape::listing::parse_file;

#[test]
fn all_problems_of_a_job_are_told_at_once() {
    let options = ScrapeOptions {
        targets: vec!["http://a:1/metrics".to_owned()],
        scheme: "ftp".to_owned(),
        path: "metrics".to_owned(),
        timeout: "15s".to_owned(),
        drop: vec!["(".to_owned()],
        body_limit: "lots".to_owned(),
        headers: [("Authorization".to_owned(), "Bearer x".to_owned())].into(),
        bearer_token_env: Some("A".to_owned()),
        basic_auth: Some(BasicAuthOptions::default()),
        ..ScrapeOptions::default()
    };
    let problems = options.validate().expect_err("nearly everything is wrong");
    let fields: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    let expected = [
        "job",
        "targets[0]",
        "scheme",
        "path",
        "timeout",
        "drop[0]",
        "body_limit",
        "headers",
        "basic_auth",
    ];
    assert_eq!(fields, expected, "{problems:?}");
    let misspelt = serde_json::from_str::<ScrapeOptions>(r#"{"job": "a", "targts": []}"#);
    assert!(misspelt.is_err(), "unknown fields are refused");
}

#[test]
fn groups_steer_their_targets() {
    let settings = options("127.0.0.1:1").validate().expect("good");
    let check = |address: &str, group: &[(&str, &str)], expected: Result<(&str, &str), ()>| {
        let group: BTreeMap<_, _> =
            group.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let target = Target::of(&settings, address, &group);
        let got = target.as_ref().map(|t| (t.url.as_str(), t.labels.to_string()));
        let got = got.as_ref().map(|(url, labels)| (*url, labels.as_str())).map_err(|_problem| ());
        assert_eq!(got, expected, "{address}");
    };
    let own = "{instance=\"h:1\",job=\"test\"}";
    check("h:1", &[], Ok(("http://h:1/metrics", own)));
    check("[::1]:9", &[], Ok(("http://[::1]:9/metrics", "{instance=\"[::1]:9\",job=\"test\"}")));
    let group = [
        ("__scheme__", "https"),
        ("__metrics_path__", "/probe?module=x"),
        ("__param_target", "a b"),
        ("__meta_zone", "z"),
        ("team", "blue"),
        ("instance", "mine"),
    ];
    let labels = "{instance=\"mine\",job=\"test\",team=\"blue\"}";
    check("h:1", &group, Ok(("https://h:1/probe?module=x&target=a+b", labels)));
    check(
        "h:1",
        &[("__address__", "g:2")],
        Ok(("http://g:2/metrics", "{instance=\"g:2\",job=\"test\"}")),
    );
    check("h:1/path", &[], Err(()));
    check("user@h:1", &[], Err(()));
    check("", &[], Err(()));
    check("h:1", &[("__scheme__", "file")], Err(()));
    check("h:1", &[("__scrape_interval__", "often")], Err(()));
}

async fn page_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port").to_string();
    let router = Router::new().route("/metrics", get(|| async { "a 1\n" }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Wait until `condition` holds; real time, since real sockets are involved.
async fn eventually(condition: impl Fn() -> bool) -> bool {
    for _ in 0..200 {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

#[tokio::test]
async fn targets_follow_what_a_service_lists() {
    let (one, two) = (page_server().await, page_server().await);
    let list = Arc::new(Mutex::new(format!("[{{\"targets\":[\"{one}\",\"{two}\"]}}]")));
    let told = Arc::clone(&list);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port").to_string();
    let answer = move || {
        let body = told.lock().expect("no test panics inside").clone();
        async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], body) }
    };
    let router = Router::new().route("/list", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let url = format!("http://{address}/list");
    let options = ScrapeOptions {
        job: "sd".to_owned(),
        http_sd: vec![HttpSdOptions { url, refresh: "1s".to_owned() }],
        ..ScrapeOptions::default()
    };
    let job = Job::new(options.validate().expect("good"), nothing(), SourceRules::default())
        .expect("good");
    let running = crate::schedule::tests::running();
    let runner = running.start(job);
    let ids = |addresses: &[&String]| {
        let mut ids: Vec<_> = addresses.iter().map(|a| format!("scrape/sd/{a}")).collect();
        ids.sort();
        ids
    };
    let scheduler = &running.scheduler;
    assert!(eventually(|| scheduler.ids() == ids(&[&one, &two])).await, "{:?}", scheduler.ids());
    // Both have been asked before one of them goes.
    assert!(eventually(|| running.batches() >= 2).await);
    *list.lock().expect("no test panics inside") = format!("[{{\"targets\":[\"{two}\"]}}]");
    assert!(eventually(|| scheduler.ids() == ids(&[&two])).await, "{:?}", scheduler.ids());
    assert!(eventually(|| running.stale_markers() == 6).await, "a and five report series end");
    // A list that cannot be read changes nothing.
    *list.lock().expect("no test panics inside") = "broken".to_owned();
    assert!(eventually(|| running.book_has_fault("list/")).await);
    assert_eq!(scheduler.ids(), ids(&[&two]));
    runner.stop();
}

#[tokio::test(start_paused = true)]
async fn targets_follow_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("targets.json");
    std::fs::write(&path, r#"[{"targets":["127.0.0.1:1"],"labels":{"team":"blue"}}]"#)
        .expect("ours");
    let options = ScrapeOptions {
        job: "files".to_owned(),
        targets: vec!["127.0.0.1:2".to_owned()],
        file_sd: vec![path.clone()],
        ..ScrapeOptions::default()
    };
    let job = Job::new(options.validate().expect("good"), nothing(), SourceRules::default())
        .expect("good");
    let running = crate::schedule::tests::running();
    let runner = running.start(job);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let both = ["scrape/files/127.0.0.1:1", "scrape/files/127.0.0.1:2"];
    assert_eq!(running.scheduler.ids(), both);
    std::fs::write(&path, r#"[{"targets":["127.0.0.1:3", "bad/address"]}]"#).expect("ours");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(running.scheduler.ids(), ["scrape/files/127.0.0.1:2", "scrape/files/127.0.0.1:3"]);
    assert!(running.book_has_fault("list/"), "the bad address is told");
    std::fs::remove_file(&path).expect("ours");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(running.scheduler.ids().len(), 2, "a file that is gone changes nothing");
    drop(runner);
}

#[test]
fn a_file_in_yaml_says_the_same_as_in_json() {
    let json =
        br#"[{"targets":["a:1","b:2"],"labels":{"team":"blue","rack":"7"}},{"targets":["c:3"]}]"#;
    let check = |yaml: &str| {
        let read = parse_file("targets.yml".as_ref(), yaml.as_bytes());
        assert_eq!(read, parse_file("targets.json".as_ref(), json), "{yaml}");
    };
    check("- targets: [a:1, b:2]\n  labels: {team: blue, rack: 7}\n- targets:\n  - c:3\n");
    check(
        "---\n# ours\n- labels:\n    rack: \"7\"\n    team: 'blue'\n  targets: ['a:1', \"b:2\"]\n- targets: [c:3]\n",
    );
    check("- {targets: [\"a:1\", \"b:2\"], labels: {team: blue, rack: 7}}\n- {targets: [c:3]}\n");
    assert_eq!(parse_file("empty.yaml".as_ref(), b"# nothing yet\n"), Ok(Vec::new()));
}

#[test]
fn what_is_no_list_in_yaml_is_told_in_one_line() {
    let check = |yaml: &str, part: &str| {
        let error = parse_file("targets.yaml".as_ref(), yaml.as_bytes()).expect_err(yaml);
        assert!(error.contains(part) && !error.contains('\n'), "{yaml:?}: {error}");
    };
    check("- targets: {a: 1}\n", "line 1");
    check("- targets: [a:1\n", "line");
    check("\tkey: x\n", "line 1");
    // A bomb: each line doubles what the one before it holds.
    let levels = (1..40).map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    check(&std::iter::once("a0: &a0 [x, x]\n".to_owned()).chain(levels).collect::<String>(), "");
}
