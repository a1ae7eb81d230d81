//! The servers that answer: which of them lives, and which has most room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use strata_model::told::causes;

use crate::body::Outgoing;
use crate::settings::{ProxySettings, UpstreamSettings};
use crate::tls::{self, TlsError};

/// Connections kept for the next request: below the 5 s after which uvicorn, under most engines,
/// closes them, so that a request does not meet a closing one.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);
/// The head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A health answer that takes longer is none.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an upstream without a health path is passed over after it could not be connected to: it has
/// the least running, so each request would try it first and wait.
const REST: Duration = Duration::from_secs(5);

/// Speaks HTTP/1.1 to upstreams, with TLS where the address says so.
pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Outgoing>;

/// The client for all upstreams.
pub(crate) fn client(settings: &ProxySettings) -> Result<HttpClient, TlsError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(settings.connect_timeout));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls::config(settings)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .http1_preserve_header_case(true)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .build(https))
}

/// One upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) settings: UpstreamSettings,
    /// Requests that are there now.
    load: AtomicUsize,
    up: AtomicBool,
    /// Monotonic milliseconds until which it is passed over.
    rests_until: AtomicU64,
}

/// A place at an upstream, for as long as a request is there.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Upstream>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lease {
    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.0
    }
}

impl Upstream {
    pub(crate) fn new(settings: UpstreamSettings) -> Self {
        let (load, up, rests_until) = Default::default();
        let one = Self { settings, load, up, rests_until };
        one.up.store(true, Ordering::Relaxed);
        one
    }

    /// It could not be connected to at `now` (monotonic). Where health is asked for that tells when it
    /// is back; else a request finds out after a rest.
    pub(crate) fn failed(&self, now: Duration) {
        if self.settings.health.is_some() {
            self.up.store(false, Ordering::Relaxed);
        } else {
            self.rests_until.store((now + REST).as_millis() as u64, Ordering::Relaxed);
        }
    }

    /// Whether it is worth a try at `now` (monotonic).
    fn is_usable(&self, now: Duration) -> bool {
        self.is_up() && now.as_millis() as u64 >= self.rests_until.load(Ordering::Relaxed)
    }

    /// Whether its last health answer was a good one; where none is asked for, always.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// The address of a request with this path and query.
    pub(crate) fn uri(&self, path_and_query: &str) -> Option<Uri> {
        let base = &self.settings.url;
        let path = base.path().trim_end_matches('/');
        Uri::builder()
            .scheme(base.scheme()?.clone())
            .authority(base.authority()?.clone())
            .path_and_query(format!("{path}{path_and_query}"))
            .build()
            .ok()
    }

    fn burden(&self) -> f64 {
        (self.load.load(Ordering::Relaxed) + 1) as f64 / self.settings.weight
    }
}

/// Take a place at the upstream that lives and has most room, of those chosen and not yet `tried`.
/// When none is known to live at `now` (monotonic), of all: a wrong no is worse than another failure.
pub(crate) fn pick(
    upstreams: &[Arc<Upstream>],
    chosen: &[usize],
    tried: &[usize],
    turn: usize,
    now: Duration,
) -> Option<(usize, Lease)> {
    let candidates = chosen.iter().copied().filter(|index| !tried.contains(index));
    let candidates: Vec<(usize, &Arc<Upstream>)> =
        candidates.filter_map(|index| Some((index, upstreams.get(index)?))).collect();
    let alive = |(_, upstream): &&(usize, &Arc<Upstream>)| upstream.is_usable(now);
    let some_alive = candidates.iter().any(|candidate| alive(&candidate));
    let count = candidates.len();
    // Of equals another one each time, so that idle upstreams share single requests.
    let turned = candidates.iter().cycle().skip(turn % count.max(1)).take(count);
    let usable = turned.filter(|candidate| !some_alive || alive(candidate));
    let (index, best) = usable.min_by(|a, b| a.1.burden().total_cmp(&b.1.burden()))?;
    best.load.fetch_add(1, Ordering::Relaxed);
    Some((*index, Lease(Arc::clone(best))))
}

/// Ask an upstream how it is, again and again.
pub(crate) async fn watch(upstream: Arc<Upstream>, client: HttpClient, every: Duration) {
    let Some(path) = upstream.settings.health.clone() else { return };
    let Some(uri) = upstream.uri(&path) else { return };
    loop {
        let up = lives(&client, uri.clone()).await;
        if upstream.up.swap(up, Ordering::Relaxed) != up {
            tracing::warn!(upstream = %upstream.settings.name, up, "an upstream's health changed");
        }
        tokio::time::sleep(every).await;
    }
}

/// Any answer but a server's error is life: health may want a key that the proxy does not have.
async fn lives(client: &HttpClient, uri: Uri) -> bool {
    ask(client, uri).await.is_ok_and(|status| !status.is_server_error())
}

/// What an address answers, or in words why nothing.
pub(crate) async fn ask(client: &HttpClient, uri: Uri) -> Result<StatusCode, String> {
    let body = Outgoing::whole(bytes::Bytes::new());
    let mut request = Request::new(body);
    *request.uri_mut() = uri;
    let asked = tokio::time::timeout(HEALTH_TIMEOUT, async {
        let answer = client.request(request).await.map_err(|error| causes(&error))?;
        let status = answer.status();
        // One frame is enough; a health page without end is not waited for.
        drop(answer.into_body().frame().await);
        Ok(status)
    });
    let late = |_elapsed| format!("no answer within {} s", HEALTH_TIMEOUT.as_secs());
    asked.await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstreams(weights: &[f64]) -> Vec<Arc<Upstream>> {
        let one = |weight: &f64| {
            let url = "http://a:1/base/".parse().unwrap();
            let (name, health) = (Arc::from("a"), Some("/health".to_owned()));
            Arc::new(Upstream::new(UpstreamSettings { name, url, health, weight: *weight }))
        };
        weights.iter().map(one).collect()
    }

    #[test]
    fn the_upstream_with_most_room_that_lives_is_taken() {
        let all = upstreams(&[1.0, 2.0, 1.0]);
        let chosen = [0, 1, 2];
        let now = Duration::from_mins(1);
        let take = |tried: &[usize]| pick(&all, &chosen, tried, 0, now).unwrap();
        let first = take(&[]);
        assert_eq!(first.0, 1, "twice the weight, half the burden");
        assert_eq!(take(&[1]).0, 0);
        drop(first);
        all[1].failed(now);
        assert_eq!(take(&[]).0, 0);
        all[0].failed(now);
        all[2].failed(now);
        assert_eq!(take(&[]).0, 1, "nobody is known to live, so all are tried");
        assert!(pick(&all, &chosen, &[0, 1, 2], 0, now).is_none());
        assert_eq!(all[1].load.load(Ordering::Relaxed), 0, "places are given back");
    }

    #[test]
    fn one_without_a_health_path_rests_after_a_failure() {
        let url = "http://a:1".parse().unwrap();
        let unasked = UpstreamSettings { name: Arc::from("b"), url, health: None, weight: 1.0 };
        let all = [Arc::new(Upstream::new(unasked)), upstreams(&[1.0]).remove(0)];
        let first = |seconds| pick(&all, &[0, 1], &[], 0, Duration::from_secs(seconds)).unwrap().0;
        assert_eq!(first(100), 0);
        all[0].failed(Duration::from_secs(100));
        let places = [101, 104, 105].map(first);
        assert_eq!(places, [1, 1, 0]);
        assert!(all[0].is_up(), "of its health nobody has asked");
    }

    #[test]
    fn a_base_path_goes_in_front() {
        let all = upstreams(&[1.0]);
        assert_eq!(all[0].uri("/v1/x?y=1").unwrap(), "http://a:1/base/v1/x?y=1");
    }
}
