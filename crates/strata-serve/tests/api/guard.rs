//! Token, host names, foreign web pages, exposure.

use strata_serve::{Bound, ServeError, ServeOptions};

use crate::client::{get, send};
use crate::fakes::{options, start, start_with};

#[tokio::test]
async fn with_a_token_only_its_bearers_are_answered() {
    let server = start_with(options(), Some("s3cret")).await;
    let status = async |target: &str, headers: &[(&str, &str)]| {
        send(server.at.main, "GET", target, headers, b"").await.status
    };
    for target in [
        "/api/v1/labels",
        "/metrics",
        "/api/v1/pages/overview",
        "/api/v1/pages/overview/live",
        "/api/v1/strata/sources",
        "/nothing",
    ] {
        let answer = get(server.at.main, target).await;
        assert_eq!(answer.status, 401, "{target}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"strata\""));
        assert_eq!(answer.json()["code"], "unauthorized");
    }
    assert_eq!(status("/api/v1/labels", &[("Authorization", "Bearer s3cret")]).await, 200);
    assert_eq!(status("/api/v1/labels", &[("authorization", "bearer s3cret")]).await, 200);
    assert_eq!(status("/api/v1/labels", &[("Authorization", "Bearer s3cre")]).await, 401);
    assert_eq!(status("/api/v1/labels", &[("Authorization", "Basic s3cret")]).await, 401);
    assert_eq!(status("/-/ready", &[]).await, 200);
    // The files of the web page tell nothing; the page asks its reader for the token.
    for target in ["/", "/overview", "/web/app.js"] {
        assert_eq!(status(target, &[]).await, 200, "{target}");
    }
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let allowed = ServeOptions { allowed_hosts: vec!["gpu-host".to_owned()], ..options() };
    let server = start_with(allowed, None).await;
    let check = async |host: &str, status: u16| {
        let answer = send(server.at.main, "GET", "/api/v1/labels", &[("Host", host)], b"").await;
        assert_eq!(answer.status, status, "{host}");
    };
    check("localhost:4808", 200).await;
    check("127.0.0.1", 200).await;
    check("[::1]:1", 200).await;
    check("gpu-host:4808", 200).await;
    check("evil.example", 421).await;
    check("localhost.evil.example:4808", 421).await;
}

#[tokio::test]
async fn a_foreign_page_may_not_write_and_gets_no_permission_to_read() {
    let server = start().await;
    let foreign = [("Origin", "https://evil.example"), ("Content-Type", "")];
    let answer = send(server.at.main, "POST", "/api/v1/write", &foreign, b"").await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &"cross_origin".into()));
    let answer = send(server.at.main, "GET", "/api/v1/labels", &foreign[..1], b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn other_machines_are_not_served_without_a_token() {
    let open = ServeOptions {
        listen: "0.0.0.0:0".to_owned(),
        token_env: Some("T".to_owned()),
        ..options()
    };
    let settings = open.validate().unwrap();
    let refused = Bound::bind(settings, None).await.unwrap_err();
    assert!(matches!(refused, ServeError::Exposed { .. }));
    assert!(refused.to_string().contains("token_file"), "{refused}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = start().await;
    let taken = ServeOptions { listen: server.at.main.to_string(), ..options() };
    let refused = Bound::bind(taken.validate().unwrap(), None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("cannot listen on {} for the HTTP API", server.at.main)
    );
}
