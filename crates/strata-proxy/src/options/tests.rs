//! What a configuration of the proxy is told.

use super::*;

fn upstream(url: &str) -> UpstreamOptions {
    UpstreamOptions { name: None, url: url.to_owned(), health: None, weight: 1.0 }
}

#[test]
fn off_without_an_address_and_ready_with_one_upstream() {
    assert_eq!(ProxyOptions::default().validate(), Ok(None));
    let options = ProxyOptions {
        listen: Some(DEFAULT_LISTEN.to_owned()),
        upstreams: vec![upstream("http://127.0.0.1:8000")],
        ..ProxyOptions::default()
    };
    let settings = options.validate().unwrap().unwrap();
    assert_eq!(&*settings.upstreams[0].name, "127.0.0.1:8000");
    assert_eq!(settings.route("/v1/models").map(|route| &*route.name), Some("all"));
}

#[test]
fn every_problem_is_told() {
    let route = RouteOptions {
        name: "a".to_owned(),
        path: "v1".to_owned(),
        upstreams: vec!["nobody".to_owned()],
        usage: UsageOption::Observe,
        capture: None,
    };
    let options = ProxyOptions {
        listen: Some("4809".to_owned()),
        upstreams: vec![
            UpstreamOptions { weight: 0.0, ..upstream("ftp://a") },
            UpstreamOptions { health: Some("health".to_owned()), ..upstream("http://u:p@a") },
        ],
        routes: vec![route],
        idle_timeout: "soon".to_owned(),
        connections_max: 0,
        session_header: Some("not a header".to_owned()),
        upstream_key_file: Some("key.pem".to_owned()),
        ..ProxyOptions::default()
    };
    let mut paths: Vec<_> = options.validate().unwrap_err().into_iter().map(|p| p.path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "connections_max",
            "idle_timeout",
            "listen",
            "routes[0].path",
            "routes[0].upstreams",
            "session_header",
            "upstream_certificate_file",
            "upstreams[0].url",
            "upstreams[0].weight",
            "upstreams[1].health",
            "upstreams[1].url",
        ]
    );
}
