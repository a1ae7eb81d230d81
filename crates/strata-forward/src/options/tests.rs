//! Addresses and headers as they are written, and what is told of those that cannot be.

use super::*;

fn at(url: &str) -> ForwardOptions {
    ForwardOptions { endpoint: Some(url.to_owned()), ..ForwardOptions::default() }
}

#[test]
fn nothing_goes_anywhere_until_an_address_is_given() {
    assert_eq!(ForwardOptions::default().validate(), Ok(None));
    let urls = |options: ForwardOptions| -> Vec<String> {
        let settings = options.validate().unwrap().unwrap();
        settings.lanes.into_iter().map(|lane| lane.url).collect()
    };
    assert_eq!(urls(at("http://c:4318/")), ["http://c:4318/v1/traces", "http://c:4318/v1/logs"]);
    let loki = "http://loki:3100/otlp/v1/logs".to_owned();
    let both = ForwardOptions { logs_endpoint: Some(loki.clone()), ..at("https://c") };
    assert_eq!(urls(both), ["https://c/v1/traces", &*loki]);
    let logs = ForwardOptions { logs_endpoint: Some(loki.clone()), ..Default::default() };
    assert_eq!(urls(logs), [loki]);
}

#[test]
fn every_problem_is_told_with_its_field() {
    let check = |options: ForwardOptions, expected: &[&str]| {
        let problems = options.validate().unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(fields, expected, "{problems:?}");
    };
    check(at("collector:4318"), &["endpoint"]);
    check(at("http://h/?key=1"), &["endpoint"]);
    check(ForwardOptions { content: true, ..Default::default() }, &["endpoint"]);
    let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    check(ForwardOptions { headers: one("Authorization", "x"), ..at("http://h") }, &["headers"]);
    check(ForwardOptions { headers: one("a b", "x"), ..at("http://h") }, &["headers"]);
    check(ForwardOptions { headers_env: one("a b", "X"), ..at("http://h") }, &["headers_env"]);
    let two = ForwardOptions {
        bearer_token_env: Some("A".to_owned()),
        bearer_token_file: Some("b".into()),
        timeout: "0s".to_owned(),
        queue: "much".to_owned(),
        ..at("http://h")
    };
    check(two, &["timeout", "queue", "bearer_token_file"]);
}

#[test]
fn a_secret_in_the_address_is_not_repeated() {
    for url in ["http://u:hunter2@h", "http://u:hunter2@h:99999", "ftp://u:hunter2@h"] {
        assert!(!format!("{:?}", at(url).validate()).contains("hunter2"), "{url}");
    }
}

#[test]
fn metrics_go_only_where_their_own_address_says() {
    let url = "http://p:9090/api/v1/write".to_owned();
    let options = ForwardOptions { remote_write: Some(url.clone()), ..ForwardOptions::default() };
    let settings = options.validate().unwrap().unwrap();
    assert_eq!(settings.lanes, [LaneSettings { signal: OnwardSignal::Metrics, url }]);
    let settings = at("http://c:4318").validate().unwrap().unwrap();
    assert!(settings.lanes.iter().all(|lane| lane.signal != OnwardSignal::Metrics));
}

#[test]
fn a_certificate_needs_its_key() {
    let options = ForwardOptions { client_key_file: Some("k".into()), ..at("https://c") };
    let problems = options.validate().unwrap_err();
    assert_eq!(problems[0].to_string(), "client_key_file: needs client_certificate_file as well");
    let certificate = Some("c".into());
    let both = ForwardOptions { client_certificate_file: certificate, ..options };
    let settings = both.validate().unwrap().unwrap();
    assert_eq!(settings.client_identity, Some(("c".into(), "k".into())));
}
