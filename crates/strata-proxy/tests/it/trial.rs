//! Upstreams tried before a start, and what the running proxy knows of their health.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strata_proxy::metrics::Registry;
use strata_proxy::{BoundProxy, NoCalls, NoContent, ProxyOptions, ProxyParts, UsageOption};

use crate::stage::{RealClock, Step, Upstream, options};

/// An upstream that gives this answer to everything.
async fn answering(status: &str) -> Upstream {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    Upstream::start(vec![Step::Send(answer.into_bytes())]).await
}

async fn bound(options: ProxyOptions) -> BoundProxy {
    let parts = ProxyParts {
        clock: Arc::new(RealClock(Instant::now())),
        registry: Arc::<Registry>::default(),
        calls: Arc::new(NoCalls),
        content: Arc::new(NoContent),
    };
    BoundProxy::bind(options.validate().unwrap().unwrap(), parts).await.unwrap()
}

#[tokio::test]
async fn each_upstream_tells_what_it_answers() {
    let (fine, sick) = (answering("200 OK").await, answering("503 Service Unavailable").await);
    // Port 1 (tcpmux) is not served anywhere any more.
    let addresses = [&*fine.address, &sick.address, &sick.address, "127.0.0.1:1"];
    let mut options = options(&addresses, UsageOption::Observe);
    let health = [Some("/health"), Some("/health"), None, None];
    for (at, (upstream, health)) in options.upstreams.iter_mut().zip(health).enumerate() {
        upstream.name = Some(format!("u{at}"));
        upstream.health = health.map(str::to_owned);
    }
    let tried = bound(options).await.try_upstreams().await;
    let told: Vec<_> = tried.iter().map(|one| (&*one.name, one.told.as_deref())).collect();
    assert_eq!(told[0], ("u0", Ok("/health answers 200 OK")));
    assert_eq!(told[1].1.map_err(String::as_str), Err("/health answers 503 Service Unavailable"));
    // Who has no health page may answer its root with anything.
    assert!(told[2].1.is_ok_and(|told| told.contains("503")), "{told:?}");
    assert!(told[3].1.is_err_and(|why| why.contains("refused")), "{told:?}");
    let asked = fine.requests.lock().unwrap().first().cloned().unwrap();
    assert!(asked.starts_with(b"GET /health HTTP/1.1"), "{asked:?}");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_known_to_be_down() {
    let fine = answering("200 OK").await;
    let mut options = options(&[&*fine.address, "127.0.0.1:1"], UsageOption::Observe);
    for (upstream, name) in options.upstreams.iter_mut().zip(["fine", "gone"]) {
        upstream.name = Some(name.to_owned());
        upstream.health = Some("/health".to_owned());
    }
    let bound = bound(options).await;
    let health = bound.upstreams();
    assert!(health.down().is_empty(), "nobody has been asked yet");
    tokio::spawn(bound.serve(std::future::pending()));
    for _ in 0..500 {
        if !health.down().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(health.down(), [Arc::from("gone")]);
}
