//! Fetches a page: authorization, deadline, bounds, decompression, and what went wrong in words.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Identity, Response, StatusCode, Url};
use strata_model::{Fault, FaultCode, SourceState};

use super::options::{Authorization, ScrapeOptions, ScrapeSettings, Secret};
use crate::collector::CollectError;
use crate::exposition::Arrival;

const REDIRECTS_MAX: usize = 5;
/// A token or password file is one line; more is the wrong file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Certificates in one PEM file; a whole distribution's bundle is about 250 kB.
const PEM_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A zstd frame may ask for at most this much memory: 2^26 = 64 MiB, the usual page bound.
const ZSTD_WINDOW_LOG_MAX: u32 = 26;
/// Decompressed bytes are taken in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Pages of engines and exporters are far below this; more is not worth a look.
const PROBE_BODY_LIMIT: &str = "8MiB";

const PROTOBUF: &str = "application/vnd.google.protobuf;\
    proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,";
const TEXTS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// Looks an environment variable up. The binary hands it in; it alone reads the environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What all targets of a job share: connections, certificates, headers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fetcher {
    client: Client,
    headers: HeaderMap,
    authorization: Authorization,
    environment: Environment,
    body_limit: u64,
}

/// A page as it arrived.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    pub(crate) arrival: Arrival,
}

/// Why a job's connections cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot read {path}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} holds no usable certificate or key")]
    Pem { path: String, source: reqwest::Error },
    #[error("{path} holds no certificate")]
    NoCertificate { path: String },
    #[error("{name:?} cannot be a request header with this value")]
    Header { name: String },
    #[error("cannot set up the HTTP client")]
    Build { source: reqwest::Error },
}

/// One cryptography provider for the whole process; a second installation is refused and harmless.
fn install_provider() {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    INSTALLED.get_or_init(|| rustls::crypto::ring::default_provider().install_default().is_ok());
}

impl Fetcher {
    /// Read certificates and set up connections for a job.
    pub(crate) fn new(
        settings: &ScrapeSettings,
        environment: Environment,
    ) -> Result<Self, ClientError> {
        install_provider();
        let mut headers = HeaderMap::new();
        let accept = if settings.native_histograms {
            format!("{PROTOBUF}{TEXTS}")
        } else {
            TEXTS.to_owned()
        };
        let header = |name: &str, value: &str| {
            let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            pair.ok_or_else(|| ClientError::Header { name: name.to_owned() })
        };
        let (name, value) = header(ACCEPT.as_str(), &accept)?;
        headers.insert(name, value);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"));
        for (name, value) in &settings.headers {
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        Ok(Self {
            client: build_client(settings)?,
            headers,
            authorization: settings.authorization.clone(),
            environment,
            body_limit: settings.body_limit,
        })
    }

    /// For asking strangers on this host: no credentials, no system certificates.
    pub(crate) fn for_probes() -> Result<Self, ClientError> {
        let options = ScrapeOptions {
            job: "probe".to_owned(),
            targets: vec!["127.0.0.1:0".to_owned()],
            native_histograms: false,
            follow_redirects: false,
            body_limit: PROBE_BODY_LIMIT.to_owned(),
            ..ScrapeOptions::default()
        };
        let settings = options.validate().map_err(|_problems| ClientError::Header {
            name: "the options of a probe".to_owned(),
        })?;
        Self::new(&settings, Arc::new(|_name| None))
    }

    /// The same for bodies of at most `bytes`.
    pub(crate) fn bounded(&self, bytes: u64) -> Self {
        Self { body_limit: self.body_limit.min(bytes), ..self.clone() }
    }

    /// Fetch the page at `url`. `deadline_seconds` is told to the server, as Prometheus does.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        deadline_seconds: f64,
    ) -> Result<Fetched, CollectError> {
        let mut request = self
            .client
            .get(url.clone())
            .headers(self.headers.clone())
            .header("X-Prometheus-Scrape-Timeout-Seconds", deadline_seconds.to_string());
        match &self.authorization {
            Authorization::None => {}
            Authorization::Bearer(token) => {
                request = request.header(AUTHORIZATION, self.bearer(token)?);
            }
            Authorization::Basic { username, password } => {
                request = request.basic_auth(username, Some(self.secret(password)?));
            }
        }
        let response = request.send().await.map_err(|error| send_error(&error))?;
        check_status(response.status())?;
        self.read(response).await
    }

    async fn read(&self, mut response: Response) -> Result<Fetched, CollectError> {
        let header = |name: HeaderName| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().trim().to_ascii_lowercase()
        };
        let (encoding, content_type) = (header(CONTENT_ENCODING), header(CONTENT_TYPE));
        let framed = response.content_length().is_some()
            || header(reqwest::header::TRANSFER_ENCODING).contains("chunked");
        let mut arrival = if framed { Arrival::Whole } else { Arrival::Unframed };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() => return Err(send_error(&error)),
                Err(_broken) => {
                    arrival = Arrival::Cut;
                    break;
                }
            }
            if body.len() as u64 > self.body_limit {
                return Err(too_large(self.body_limit));
            }
        }
        let Some(decoder) = decoder(&encoding, &body)? else {
            return Ok(Fetched { content_type, body, arrival });
        };
        let (body, whole) = decompress(decoder, self.body_limit)?;
        // The checksum at the end of the stream has been verified.
        arrival = if whole { Arrival::Whole } else { Arrival::Cut };
        Ok(Fetched { content_type, body, arrival })
    }

    /// Read what the job proves itself with, and drop it again.
    pub(crate) fn try_authorization(&self) -> Result<(), CollectError> {
        match &self.authorization {
            Authorization::None => Ok(()),
            Authorization::Bearer(token) => self.bearer(token).map(drop),
            Authorization::Basic { password, .. } => self.secret(password).map(drop),
        }
    }

    fn bearer(&self, token: &Secret) -> Result<HeaderValue, CollectError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.secret(token)?))
            .map_err(|error| secret_error(format!("the bearer token: {error}")))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn secret(&self, secret: &Secret) -> Result<String, CollectError> {
        let (text, place) = match secret {
            Secret::File(path) => {
                let path = path.display().to_string();
                let bytes = read_bounded(&path, SECRET_BYTES_MAX)
                    .map_err(|error| secret_error(format!("cannot read {path}: {error}")))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_utf8| secret_error(format!("{path} is not text")))?;
                (text.trim().to_owned(), path)
            }
            Secret::Env(name) => {
                let text = (self.environment)(name)
                    .ok_or_else(|| secret_error(format!("the environment has no {name}")))?;
                (text, format!("the variable {name}"))
            }
        };
        if text.is_empty() {
            return Err(secret_error(format!("{place} is empty")));
        }
        Ok(text)
    }
}

fn build_client(settings: &ScrapeSettings) -> Result<Client, ClientError> {
    let tls = &settings.tls;
    let redirects = || {
        if settings.follow_redirects {
            reqwest::redirect::Policy::limited(REDIRECTS_MAX)
        } else {
            reqwest::redirect::Policy::none()
        }
    };
    let base = || {
        Client::builder()
            .user_agent(concat!("stratascope/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects())
            .no_proxy()
            .tls_danger_accept_invalid_certs(tls.insecure_skip_verify)
            .pool_max_idle_per_host(1)
    };
    let mut builder = base();
    if let Some(path) = &tls.ca_file {
        builder = builder.tls_certs_only(authorities(path)?);
    }
    if let (Some(certificate), Some(key)) = (&tls.cert_file, &tls.key_file) {
        builder = builder.identity(identity(certificate, key)?);
    }
    let plain = tls.ca_file.is_none() && tls.cert_file.is_none();
    let discovers = !settings.file_sd.is_empty() || !settings.http_sd.is_empty();
    if plain && settings.scheme == "http" && !discovers && !tls.insecure_skip_verify {
        // Loading the system's certificates takes milliseconds and a megabyte; HTTP needs none.
        builder = base().tls_certs_only([]);
    }
    match builder.build() {
        // A machine without any certificates (a bare container) can still fetch over HTTP.
        Err(_) if plain => base().tls_certs_only([]).build(),
        built => built,
    }
    .map_err(|source| ClientError::Build { source })
}

/// The authorities of a PEM file, at least one.
pub(crate) fn authorities(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let (path, pem) = read_pem(path)?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(none) if none.is_empty() => Err(ClientError::NoCertificate { path }),
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(ClientError::Pem { path, source }),
    }
}

/// Our own certificate with its key.
pub(crate) fn identity(certificate: &Path, key: &Path) -> Result<Identity, ClientError> {
    let (path, mut pem) = read_pem(certificate)?;
    let (key, key_pem) = read_pem(key)?;
    pem.push(b'\n');
    pem.extend(key_pem);
    let path = format!("{path} with {key}");
    Identity::from_pem(&pem).map_err(|source| ClientError::Pem { path, source })
}

fn read_pem(path: &Path) -> Result<(String, Vec<u8>), ClientError> {
    let path = path.display().to_string();
    match read_bounded(&path, PEM_BYTES_MAX) {
        Ok(bytes) => Ok((path, bytes)),
        Err(source) => Err(ClientError::Read { path, source }),
    }
}

/// Read a small file; one that is larger than `limit` is refused.
pub(crate) fn read_bounded(path: &str, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(std::io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

fn decoder<'a>(encoding: &str, body: &'a [u8]) -> Result<Option<Box<dyn Read + 'a>>, CollectError> {
    match encoding {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Box::new(flate2::read::MultiGzDecoder::new(body)))),
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body)
                .map_err(|error| malformed(format!("cannot begin to decompress zstd: {error}")))?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG_MAX)
                .map_err(|error| malformed(format!("cannot bound zstd: {error}")))?;
            Ok(Some(Box::new(decoder)))
        }
        other => Err(malformed(format!("the content encoding {other:?} is not known"))),
    }
}

/// Decompress up to `limit` bytes. The flag says whether the stream came to its proper end.
fn decompress(
    mut decoder: Box<dyn Read + '_>,
    limit: u64,
) -> Result<(Vec<u8>, bool), CollectError> {
    let mut plain = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return Ok((plain, true)),
            Ok(length) => plain.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ok((plain, false));
            }
            Err(error) => return Err(malformed(format!("cannot decompress the page: {error}"))),
        }
        if plain.len() as u64 > limit {
            return Err(too_large(limit));
        }
    }
}

fn failing(code: FaultCode, message: String, hint: &str) -> CollectError {
    let state = match code {
        FaultCode::Denied => SourceState::Denied,
        FaultCode::Unsupported => SourceState::Unsupported,
        _ => SourceState::Failing,
    };
    CollectError { fault: Fault::new(code, message), state, hint: hint.to_owned() }
}

fn too_large(limit: u64) -> CollectError {
    let message = format!("the page is larger than {limit} bytes");
    failing(FaultCode::TooLarge, message, "raise body_limit, or drop metrics at the source")
}

pub(crate) fn malformed(message: String) -> CollectError {
    failing(FaultCode::Malformed, message, "open the address in a browser: is it a metrics page?")
}

pub(crate) fn over_limit(message: String, hint: &str) -> CollectError {
    failing(FaultCode::OverLimit, message, hint)
}

fn secret_error(message: String) -> CollectError {
    failing(FaultCode::Denied, message, "look at bearer_token_* and basic_auth of the job")
}

fn check_status(status: StatusCode) -> Result<(), CollectError> {
    if status == StatusCode::OK {
        return Ok(());
    }
    let message = format!("the server answered {status}");
    let (code, hint) = match status.as_u16() {
        401 => (FaultCode::Denied, "give the job a bearer token or basic_auth"),
        403 => (FaultCode::Denied, "the given credentials may not read the page"),
        404 => (FaultCode::HttpStatus, "the page is elsewhere, or metrics are switched off there"),
        501 => (FaultCode::HttpStatus, "metrics are switched off there (llama-server: --metrics)"),
        300..=399 => (FaultCode::HttpStatus, "the page has moved: see follow_redirects"),
        _ => (FaultCode::HttpStatus, "look at the log of the server"),
    };
    Err(failing(code, message, hint))
}

fn send_error(error: &reqwest::Error) -> CollectError {
    let chain = chain(error);
    if error.is_timeout() {
        return failing(FaultCode::Timeout, chain, "the server is slow: give it a longer timeout");
    }
    if error.is_redirect() {
        return failing(FaultCode::HttpStatus, chain, "the server redirects without end");
    }
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if is_tls(inner) {
            let hint = "give tls.ca_file the authority that signed the server's certificate";
            return failing(FaultCode::Tls, chain, hint);
        }
        cause = inner.source();
    }
    failing(FaultCode::Unreachable, chain, "is the program running, and the address right?")
}

/// Whether an error is one of TLS, perhaps inside I/O errors, whose `source` skips what they wrap.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut error = error;
    while let Some(wrapped) = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
        error = wrapped;
    }
    error.is::<rustls::Error>()
}

/// The whole chain of causes without the address, which the source's name already says.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    // Wrappers often repeat what they wrap.
    causes.dedup();
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}
