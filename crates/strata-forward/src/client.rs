//! One request to a receiver, and what its answer means: OTLP over HTTP in protobuf
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), and Prometheus remote write 1.0
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>).

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, Response};
use strata_model::record::OnwardSignal;
use strata_model::told::{beginning, causes};

use crate::connect::{ForwardError, client, small_file};
use crate::options::{ForwardSettings, LaneSettings, Secret};

/// The environment, as the binary lets it be asked.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Header with the version of remote write.
const REMOTE_WRITE_VERSION: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-version");
/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Characters of a foreign text that are repeated.
const SHOWN: usize = 200;

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Taken in, but for so many items, and what was said about them.
    Taken { rejected: u64, words: String },
    /// Worth another try, not before so long.
    Again { after: Option<Duration>, words: String },
    /// Refused for good.
    Refused { words: String },
}

/// Sends bodies with the headers of the settings.
pub(crate) struct Sending {
    client: Client,
    headers: HeaderMap,
    settings: ForwardSettings,
    environment: Environment,
}

impl Sending {
    pub(crate) fn new(
        settings: ForwardSettings,
        environment: Environment,
    ) -> Result<Self, ForwardError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            // Both were tried when the options were checked.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                headers.insert(name, value);
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let client = client(&settings)?;
        Ok(Self { client, headers, settings, environment })
    }

    /// Try once.
    pub(crate) async fn send(&self, signal: OnwardSignal, url: &str, body: Vec<u8>) -> Tried {
        let mut headers = match self.all_headers() {
            Ok(headers) => headers,
            // A secret that is not there now may be there in a minute.
            Err(words) => return Tried::Again { after: None, words },
        };
        let body = match self.pack(signal, body, &mut headers) {
            Ok(body) => body,
            Err(error) => return Tried::Refused { words: format!("cannot pack a body: {error}") },
        };
        let request = self.client.post(url).headers(headers).body(body);
        match request.timeout(self.settings.timeout).send().await {
            Ok(answer) => self.read(signal, url, answer).await,
            Err(error) if error.is_timeout() => {
                let words = format!("{url} did not answer within {:?}", self.settings.timeout);
                Tried::Again { after: None, words }
            }
            Err(error) => {
                let words = format!("cannot reach {url}: {}", causes(&error.without_url()));
                Tried::Again { after: None, words }
            }
        }
    }

    /// A body as its protocol wants it packed, and the headers that say so.
    fn pack(
        &self,
        signal: OnwardSignal,
        body: Vec<u8>,
        headers: &mut HeaderMap,
    ) -> std::io::Result<Vec<u8>> {
        if signal == OnwardSignal::Metrics {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
            headers.insert(REMOTE_WRITE_VERSION, HeaderValue::from_static("0.1.0"));
            return snap::raw::Encoder::new().compress_vec(&body).map_err(std::io::Error::other);
        }
        if !self.settings.gzip {
            return Ok(body);
        }
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        packed(&body)
    }

    fn all_headers(&self) -> Result<HeaderMap, String> {
        let mut headers = self.headers.clone();
        for (name, prefix, secret) in &self.settings.secret_headers {
            let text = format!("{prefix}{}", self.secret(secret)?);
            let unfit = |words: String| format!("the header {name} cannot be sent: {words}");
            let header = HeaderName::try_from(name.as_str()).map_err(|e| unfit(e.to_string()))?;
            // The text itself is not repeated.
            let mut value = HeaderValue::try_from(text)
                .map_err(|_secret| unfit("its value is no text of one line".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }

    fn secret(&self, secret: &Secret) -> Result<String, String> {
        let (text, place) = match secret {
            Secret::File(path) => {
                let place = path.display().to_string();
                let bytes =
                    small_file(path).map_err(|error| format!("cannot read {place}: {error}"))?;
                let text = String::from_utf8(bytes).map_err(|_bytes| format!("{place} is no text"));
                (text?, place)
            }
            Secret::Env(name) => {
                let text = (self.environment)(name);
                let text = text.ok_or_else(|| format!("the environment has no {name}"))?;
                (text, format!("the variable {name}"))
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("{place} is empty"));
        }
        Ok(text.to_owned())
    }

    async fn read(&self, signal: OnwardSignal, url: &str, mut answer: Response) -> Tried {
        let (status, after) = (answer.status(), retry_after(answer.headers()));
        let body = collect(&mut answer).await;
        let is_metrics = signal == OnwardSignal::Metrics;
        if status.is_success() && is_metrics {
            return Tried::Taken { rejected: 0, words: String::new() };
        }
        if status.is_success() {
            // An answer that cannot be read still says that it was taken in.
            let partial = Done::decode(body.as_slice()).unwrap_or_default().partial_success;
            let Partial { rejected, error_message } = partial.unwrap_or_default();
            let rejected = u64::try_from(rejected).unwrap_or(0);
            return Tried::Taken { rejected, words: beginning(error_message.as_bytes(), SHOWN) };
        }
        let hint = match status.as_u16() {
            300..=399 => " (it sends us elsewhere: give that address under [forward])",
            401 | 403 => " (look at the headers and tokens under [forward])",
            404 => " (does the address under [forward] have the right path?)",
            413 => " (it takes no bodies of that size)",
            _ => "",
        };
        let said = beginning(&body, SHOWN);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let words = format!("{url} answered {status}{hint}{said}");
        // The statuses after which OTLP asks for another try, and those after which remote write does.
        if matches!(status.as_u16(), 429 | 502..=504) || (is_metrics && status.is_server_error()) {
            return Tried::Again { after, words };
        }
        Tried::Refused { words }
    }
}

/// Ask each receiver once, with a request that has nothing in it: where it is, and what it said.
///
/// # Errors
/// When no client can be made.
pub async fn try_receivers(
    settings: ForwardSettings,
    environment: Environment,
) -> Result<Vec<(LaneSettings, Result<(), String>)>, ForwardError> {
    let lanes = settings.lanes.clone();
    let sending = Sending::new(settings, environment)?;
    let mut told = Vec::new();
    for lane in lanes {
        let answer = match sending.send(lane.signal, &lane.url, Vec::new()).await {
            Tried::Taken { .. } => Ok(()),
            Tried::Again { words, .. } | Tried::Refused { words } => Err(words),
        };
        told.push((lane, answer));
    }
    Ok(told)
}

/// What of a body was not taken in. The messages of the signals are alike on the wire.
#[derive(Clone, PartialEq, prost::Message)]
struct Partial {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Done {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<Partial>,
}

/// Seconds to wait. A date is not read: clocks differ, and collectors send seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What there is of an answer within the bound.
async fn collect(answer: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        let room = ANSWER_BYTES_MAX.saturating_sub(body.len());
        if room == 0 {
            break;
        }
        body.extend(piece.iter().take(room));
    }
    body
}

fn packed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(body)?;
    packer.finish()
}
