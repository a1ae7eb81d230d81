//! Health, own metrics, sources and status.

use strata_collect::book::Outcome;
use strata_model::{Fault, FaultCode, SourceKind, SourceState};

use crate::client::{get, send};
use crate::fakes::start;

#[tokio::test]
async fn ready_follows_the_program_and_healthy_does_not() {
    let server = start().await;
    for path in ["/-/healthy", "/healthz", "/-/ready", "/readyz"] {
        assert_eq!(get(server.at.main, path).await.status, 200, "{path}");
    }
    *server.ready.lock().unwrap() = Err("the store is opening".to_owned());
    let answer = get(server.at.main, "/-/ready").await;
    assert_eq!(
        (answer.status, answer.text()),
        (503, "strata is not ready: the store is opening\n")
    );
    assert_eq!(get(server.at.main, "/healthz").await.status, 200);
}

#[tokio::test]
async fn sources_and_status_are_json() {
    let server = start().await;
    server.sources.register("host/cpu", SourceKind::Native, None);
    let outcome = Outcome {
        state: SourceState::Failing,
        at_ms: 5,
        duration_seconds: 0.25,
        samples: None,
        faults: vec![Fault::new(FaultCode::Denied, "cannot read /proc/stat")],
        hint: "run as root".to_owned(),
    };
    server.sources.record("host/cpu", outcome);
    let json = get(server.at.main, "/api/v1/strata/sources").await.json();
    let row = &json["sources"][0];
    assert_eq!(row["id"], "host/cpu");
    assert_eq!(row["state"], "failing");
    assert!(row["last_success_ms"].is_null());
    assert_eq!(row["recent_faults"][0]["code"], "denied");
    let status = get(server.at.main, "/api/v1/strata/status").await.json();
    assert_eq!(status["version"], "0.1.0");
    assert_eq!(status["started_at"], "2023-11-14T22:13:20Z");
    assert_eq!(status["store"]["series"], 3);
    let missing = get(server.at.main, "/api/v1/strata/nothing").await;
    assert_eq!((missing.status, &missing.json()["code"]), (404, &"not_found".into()));
    assert_eq!(get(server.at.main, "/nothing").await.json()["code"], "not_found");
}

#[tokio::test]
async fn own_metrics_come_in_both_formats() {
    let server = start().await;
    get(server.at.main, "/-/healthy").await;
    server.meter.gauge("strata.store.series", &[]).set(7.0);
    let page = get(server.at.main, "/metrics").await;
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "# TYPE strata_serve_requests_total counter",
        "strata_serve_requests_total{code=\"200\",route=\"healthy\"} 1",
        "# HELP strata_store_series Help of strata.store.series.",
        "strata_store_series 7",
        "strata_build_info{version=\"0.1.0\"} 1",
        "# TYPE process_cpu_seconds_total counter",
    ] {
        assert!(page.text().lines().any(|l| l == line), "{line}\n{}", page.text());
    }
    let accept = ("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let page = send(server.at.main, "GET", "/metrics", &[accept], b"").await;
    assert!(page.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(page.text().ends_with("# EOF\n"));
    assert!(page.text().contains("# TYPE strata_serve_requests counter\n"));
}
