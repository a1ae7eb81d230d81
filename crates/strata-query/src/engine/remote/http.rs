//! Requests to a Prometheus-compatible API: bounded, with a deadline, repeated only where the
//! request cannot have been answered, and with errors in words.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::told::{beginning, causes};
use tokio::sync::Semaphore;

use super::options::{Login, RemoteSettings, SecretPlace};
use crate::engine::{QueryError, QueryErrorKind};

/// Longer parameters are sent as a form: addresses are cut or refused by many proxies from 4 to 8 KiB.
const ADDRESS_BYTES_MAX: usize = 2048;
/// What is read of an answer that only says what went wrong.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Characters of a foreign error page that are repeated.
const SHOWN: usize = 200;
/// A token or a certificate is a small file.
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;
/// The engine is told the time limit; the answer may be on its way this much longer.
const GRACE: Duration = Duration::from_secs(2);

/// How Prometheus begins what it says of a query that does not parse.
const PARAMETER: &str = "invalid parameter \"query\": ";

/// The environment, as the binary lets it be asked.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("cannot read the authorities in {path}")]
    ReadAuthorities { path: String, source: std::io::Error },
    #[error("cannot read the certificates in {path}")]
    BrokenAuthorities { path: String, source: reqwest::Error },
    #[error("{path} holds no certificates")]
    NoCertificates { path: String },
    #[error("cannot set up the HTTP client")]
    Build { source: reqwest::Error },
}

/// Asks one engine.
pub(super) struct Http {
    client: Client,
    headers: HeaderMap,
    settings: RemoteSettings,
    environment: Environment,
    turns: Semaphore,
    clock: Arc<dyn Clock>,
    meter: Meter,
    /// Why the engine did not answer the last request, if it did not.
    trouble: Mutex<Option<String>>,
}

/// The answer of the API around its data.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<T> {
    #[serde(default)]
    status: String,
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    pub(super) warnings: Option<Vec<String>>,
    #[serde(default)]
    pub(super) infos: Option<Vec<String>>,
    /// VictoriaMetrics: some of its storage did not answer.
    #[serde(default, rename = "isPartial")]
    pub(super) partial: bool,
}

/// Name and value of each parameter.
pub(super) type Parameters = Vec<(&'static str, String)>;

impl Http {
    pub(super) fn new(
        settings: RemoteSettings,
        environment: Environment,
        max_concurrent: usize,
        clock: Arc<dyn Clock>,
        meter: Meter,
    ) -> Result<Self, RemoteError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            // Both were tried when the options were checked.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                headers.insert(name, value);
            }
        }
        let client = client(&settings)?;
        let turns = Semaphore::new(max_concurrent.max(1));
        let trouble = Mutex::new(None);
        Ok(Self { client, headers, settings, environment, turns, clock, meter, trouble })
    }

    /// The engine's address.
    pub(super) fn address(&self) -> &str {
        &self.settings.url
    }

    /// Why the engine did not answer the last request.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ask `path` below `/api/v1/` and read its data.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &Parameters,
        timeout: Duration,
    ) -> Result<(T, Envelope<()>), QueryError> {
        let turn = self.turns.acquire().await.map_err(|closed| internal(closed.to_string()))?;
        let begun = self.clock.monotonic();
        let outcome = self.exchange(path, parameters, timeout).await;
        drop(turn);
        let took = self.clock.monotonic().saturating_sub(begun);
        let (answer, trouble) = match outcome {
            Ok(body) => (read(&body), None),
            Err(Refusal::Answered(error)) => (Err(error), None),
            Err(Refusal::Trouble(error)) => {
                let words = error.message.clone();
                (Err(error), Some(words))
            }
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.count(if answer.is_ok() { "ok" } else { "failed" }, took);
        answer
    }

    fn count(&self, outcome: &str, took: Duration) {
        self.meter.counter("strata.remote.requests", &[("outcome", outcome)]).add(1);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.meter.seconds("strata.remote.time", &[]).add(nanos);
    }

    /// The body of a successful answer. Only a request that met a broken connection or a gateway
    /// without its engine is repeated, once: everything asked here only reads.
    async fn exchange(
        &self,
        path: &str,
        parameters: &Parameters,
        timeout: Duration,
    ) -> Result<Vec<u8>, Refusal> {
        let first = self.try_once(path, parameters, timeout).await;
        match first {
            Err(Tried { again: true, .. }) => {
                self.try_once(path, parameters, timeout).await.map_err(|tried| tried.refusal)
            }
            other => other.map_err(|tried| tried.refusal),
        }
    }

    async fn try_once(
        &self,
        path: &str,
        parameters: &Parameters,
        timeout: Duration,
    ) -> Result<Vec<u8>, Tried> {
        let request = self.request(path, parameters, timeout).map_err(Tried::finally)?;
        let mut answer = request.send().await.map_err(|error| self.send_failed(error, timeout))?;
        let status = answer.status();
        if !status.is_success() {
            let body = collect(&mut answer, ERROR_BYTES_MAX).await.unwrap_or_default();
            return Err(self.refused(status, &body));
        }
        let most = self.settings.answer_bytes_max;
        match collect(&mut answer, most).await {
            Ok(body) => Ok(body),
            Err(Collect::TooLarge) => {
                let message = format!(
                    "the answer of {} is larger than {most} bytes (answer_limit of [metrics]): \
                     narrow the query",
                    self.address()
                );
                Err(Tried::answered(QueryErrorKind::Execution, message))
            }
            Err(Collect::Broken(error)) => Err(self.send_failed(error, timeout)),
        }
    }

    fn request(
        &self,
        path: &str,
        parameters: &Parameters,
        timeout: Duration,
    ) -> Result<RequestBuilder, QueryError> {
        let address = format!("{}/api/v1/{path}", self.settings.url);
        let mut url = Url::parse(&address)
            .map_err(|error| internal(format!("{address:?} is no address: {error}")))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        // Label values cannot be asked by a form.
        let long = url.as_str().len() > ADDRESS_BYTES_MAX && !path.starts_with("label/");
        let request = if long {
            let form = url.query().unwrap_or_default().to_owned();
            url.set_query(None);
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            self.client.post(url).header(CONTENT_TYPE, kind).body(form)
        } else {
            self.client.get(url)
        };
        let request = request.headers(self.headers.clone()).timeout(timeout + GRACE);
        Ok(match &self.settings.login {
            Login::None => request,
            Login::Bearer(place) => request.bearer_auth(self.secret(place)?),
            Login::Basic { username, password } => {
                request.basic_auth(username, Some(self.secret(password)?))
            }
        })
    }

    fn secret(&self, place: &SecretPlace) -> Result<String, QueryError> {
        let (text, shown) = match place {
            SecretPlace::File(path) => {
                let text = small_file(path)
                    .and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
                let shown = path.display().to_string();
                let text =
                    text.map_err(|error| internal(format!("cannot read {shown}: {error}")))?;
                (text.trim().to_owned(), shown)
            }
            SecretPlace::Env(name) => {
                let text = (self.environment)(name)
                    .ok_or_else(|| internal(format!("the environment has no {name}")))?;
                (text, format!("the variable {name}"))
            }
        };
        if text.is_empty() {
            return Err(internal(format!("{shown} is empty")));
        }
        Ok(text)
    }

    fn send_failed(&self, error: reqwest::Error, timeout: Duration) -> Tried {
        let address = self.address();
        if error.is_timeout() {
            let message = format!("{address} did not answer within {timeout:?}");
            let error = QueryError::new(QueryErrorKind::Timeout, message);
            return Tried { refusal: Refusal::Trouble(error), again: false };
        }
        // The address in the error would repeat the whole query.
        let message = format!("cannot reach {address}: {}", causes(&error.without_url()));
        Tried { refusal: Refusal::Trouble(internal(message)), again: true }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Tried {
        let address = self.address();
        if let Ok(envelope) = serde_json::from_slice::<Envelope<serde::de::IgnoredAny>>(body)
            && !envelope.error.is_empty()
        {
            let kind = kind(&envelope.error_type, status);
            // Whoever passes the error on says so again.
            let error = envelope.error.trim_start_matches(PARAMETER).to_owned();
            return Tried::answered(kind, error);
        }
        let hint = match status.as_u16() {
            300..=399 => "it sends us elsewhere: give that address in [metrics] url",
            401 | 403 => "look at bearer_token_*, basic_auth and tenant of [metrics]",
            404 => "no Prometheus API is there: does [metrics] url have the right path?",
            413 | 414 => "the request is too long for it or for a proxy before it",
            429 => "it is asked too much",
            _ => "look at its log",
        };
        let said = shown(body);
        let message = format!("{address} answered {status} ({hint}){said}");
        let gateway = matches!(status.as_u16(), 502..=504);
        let kind = if status == StatusCode::TOO_MANY_REQUESTS {
            QueryErrorKind::Execution
        } else {
            QueryErrorKind::Internal
        };
        Tried { refusal: Refusal::Trouble(QueryError::new(kind, message)), again: gateway }
    }
}

/// Why there is no answer to read.
enum Refusal {
    /// The engine works and says why not.
    Answered(QueryError),
    /// It does not work, or is none.
    Trouble(QueryError),
}

/// One failed try, and whether another may do better.
struct Tried {
    refusal: Refusal,
    again: bool,
}

impl Tried {
    fn finally(error: QueryError) -> Self {
        Self { refusal: Refusal::Trouble(error), again: false }
    }

    fn answered(kind: QueryErrorKind, message: String) -> Self {
        Self { refusal: Refusal::Answered(QueryError::new(kind, message)), again: false }
    }
}

enum Collect {
    TooLarge,
    Broken(reqwest::Error),
}

async fn collect(answer: &mut Response, most: usize) -> Result<Vec<u8>, Collect> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(Collect::Broken)? {
        if body.len() + piece.len() > most {
            return Err(Collect::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Envelope<()>), QueryError> {
    let envelope: Envelope<T> = serde_json::from_slice(body).map_err(|error| {
        internal(format!("the engine's answer cannot be read: {error}{}", shown(body)))
    })?;
    let Envelope { status, data, error_type, error, warnings, infos, partial } = envelope;
    if status != "success" {
        return Err(QueryError::new(kind(&error_type, StatusCode::OK), error));
    }
    let data = data.ok_or_else(|| internal("the engine's answer has no data".to_owned()))?;
    let rest = Envelope { status, data: None, error_type, error, warnings, infos, partial };
    Ok((data, rest))
}

/// The kind of an error by its name; VictoriaMetrics writes the status there.
fn kind(error_type: &str, status: StatusCode) -> QueryErrorKind {
    match error_type {
        "bad_data" => QueryErrorKind::BadData,
        "execution" => QueryErrorKind::Execution,
        "timeout" => QueryErrorKind::Timeout,
        "canceled" => QueryErrorKind::Canceled,
        _ => match status.as_u16() {
            400 => QueryErrorKind::BadData,
            422 | 429 => QueryErrorKind::Execution,
            499 => QueryErrorKind::Canceled,
            503 | 504 => QueryErrorKind::Timeout,
            _ => QueryErrorKind::Internal,
        },
    }
}

/// The beginning of a foreign text, on one line.
fn shown(body: &[u8]) -> String {
    let text = beginning(body, SHOWN);
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

pub(super) fn internal(message: String) -> QueryError {
    QueryError::new(QueryErrorKind::Internal, message)
}

fn client(settings: &RemoteSettings) -> Result<Client, RemoteError> {
    let base = || {
        Client::builder()
            .user_agent(concat!("stratascope/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .no_proxy()
    };
    let mut builder = base();
    if let Some(path) = &settings.ca_file {
        let name = path.display().to_string();
        let pem = small_file(path)
            .map_err(|source| RemoteError::ReadAuthorities { path: name.clone(), source })?;
        // A text without a certificate in it is read as a bundle of none.
        let authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|source| RemoteError::BrokenAuthorities { path: name.clone(), source })?;
        if authorities.is_empty() {
            return Err(RemoteError::NoCertificates { path: name });
        }
        builder = builder.tls_certs_only(authorities);
    } else if settings.url.starts_with("http:") {
        // Loading the system's certificates takes milliseconds and a megabyte; HTTP needs none.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|source| RemoteError::Build { source })
}

fn small_file(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    std::fs::File::open(path)?.take(SMALL_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL_FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}
