//! A blocking HTTP client for tests, and waiting with an end.

use std::sync::Once;
use std::time::Duration;

use serde_json::Value as Json;

/// No answer of a healthy program on loopback takes this long, on however busy a machine.
const TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
/// With the pause between them: ten seconds.
const TRIES: usize = 200;

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The asynchronous client itself, for tests that ask many things at once.
pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().unwrap()
}

/// Run asynchronous code of a test to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Send a request and read the whole answer; an error when the server is not there.
pub(crate) async fn send(
    client: &reqwest::Client,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, reqwest::Error> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client.request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Answer { status, headers, body: answer.bytes().await?.to_vec() })
}

/// GET, with parameters already in the URL.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    block_on(send(&client(), "GET", url, headers, Vec::new())).unwrap()
}

/// POST a body.
pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    block_on(send(&client(), "POST", url, headers, body.to_vec())).unwrap()
}

/// Ask again until there is a result, or end the test with what was seen last.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..TRIES {
        match ask() {
            Ok(found) => return found,
            Err(seen) => last = seen,
        }
        block_on(async { tokio::time::sleep(PAUSE).await });
    }
    panic!("{what} did not come true; last seen: {last}")
}
