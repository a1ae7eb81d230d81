//! Where to tell onward and how: as written, and as checked.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::record::OnwardSignal;
use strata_model::text::{parse_bytes, parse_duration};

/// Telling others onward what is told here: a collector or a trace store, by OTLP over HTTP, spans and
/// events that come in, requests that the proxy sees, feedback; a metrics store, by Prometheus remote
/// write, the samples. Off until an address is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardOptions {
    /// Base address, `http://collector:4318`; `/v1/traces` and `/v1/logs` are added.
    pub endpoint: Option<String>,
    /// Whole address for traces, used as it is: `http://tempo:4318/v1/traces`.
    pub traces_endpoint: Option<String>,
    /// Whole address for logs, used as it is: `http://loki:3100/otlp/v1/logs`.
    pub logs_endpoint: Option<String>,
    /// Whole address for metrics by Prometheus remote write 1.0:
    /// `http://prometheus:9090/api/v1/write`. Never made of `endpoint`.
    pub remote_write: Option<String>,
    /// Pass on texts that may be what was said to or by a model: attributes that are no names,
    /// status messages, bodies of logs, comments. Only what is not told onward is sure to stay here.
    pub content: bool,
    /// Request headers. Secrets belong into `headers_env`, `headers_file` or `bearer_token_*`.
    pub headers: BTreeMap<String, String>,
    /// Request headers whose values are in environment variables.
    pub headers_env: BTreeMap<String, String>,
    /// Request headers whose values are in files; read again for every request.
    pub headers_file: BTreeMap<String, PathBuf>,
    /// File with a bearer token; read again for every request.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable with a bearer token.
    pub bearer_token_env: Option<String>,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the certificate that this client shows, and those that sign it; needs
    /// `client_key_file`. Read when the program starts.
    pub client_certificate_file: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub client_key_file: Option<PathBuf>,
    /// Pack bodies of OTLP with gzip; those of remote write are always packed with snappy.
    pub gzip: bool,
    /// Longest time of one try.
    pub timeout: String,
    /// Most that waits to be sent, of traces, of logs and of metrics each; beyond it the oldest is dropped.
    pub queue: String,
    /// What could not be delivered for so long is dropped.
    pub give_up_after: String,
}

impl Default for ForwardOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            traces_endpoint: None,
            logs_endpoint: None,
            remote_write: None,
            content: false,
            headers: BTreeMap::new(),
            headers_env: BTreeMap::new(),
            headers_file: BTreeMap::new(),
            bearer_token_file: None,
            bearer_token_env: None,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            gzip: true,
            timeout: "10s".to_owned(),
            queue: "32MiB".to_owned(),
            give_up_after: "5m".to_owned(),
        }
    }
}

/// Where a secret comes from. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    File(PathBuf),
    Env(String),
}

/// Where one signal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSettings {
    pub signal: OnwardSignal,
    /// The whole address.
    pub url: String,
}

/// [`ForwardOptions`] read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardSettings {
    /// One of each signal at most, and one at least.
    pub lanes: Vec<LaneSettings>,
    pub content: bool,
    pub headers: Vec<(String, String)>,
    /// Name of a header, and where its value is; a bearer token is an `authorization` whose text
    /// begins so.
    pub secret_headers: Vec<(String, &'static str, Secret)>,
    pub ca_file: Option<PathBuf>,
    /// Files of the certificate that this client shows, and of its key.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    pub gzip: bool,
    pub timeout: Duration,
    pub queue_bytes: usize,
    pub give_up_after: Duration,
}

impl ForwardOptions {
    /// Read and check. None when no address is given.
    ///
    /// # Errors
    /// All problems, each naming its field.
    pub fn validate(&self) -> Result<Option<ForwardSettings>, Vec<Problem>> {
        let mut problems = Vec::new();
        let lanes = self.lanes(&mut problems);
        let mut duration = |field: &str, text: &str| match parse_duration(text) {
            Ok(time) if !time.is_zero() => time,
            Ok(_) => {
                problems.push(Problem::new(field, "must be longer than nothing"));
                Duration::ZERO
            }
            Err(message) => {
                problems.push(Problem::new(field, message));
                Duration::ZERO
            }
        };
        let timeout = duration("timeout", &self.timeout);
        let give_up_after = duration("give_up_after", &self.give_up_after);
        let queue = parse_bytes(&self.queue).unwrap_or_else(|message| {
            problems.push(Problem::new("queue", message));
            0
        });
        self.check_headers(&mut problems);
        if lanes.is_empty() && problems.is_empty() && *self != Self::default() {
            let message = "the other options need an address to tell it to";
            problems.push(Problem::new("endpoint", message));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok((!lanes.is_empty()).then(|| ForwardSettings {
            lanes,
            content: self.content,
            headers: self.headers.clone().into_iter().collect(),
            secret_headers: self.secret_headers(),
            ca_file: self.ca_file.clone(),
            client_identity: self.client_certificate_file.clone().zip(self.client_key_file.clone()),
            gzip: self.gzip,
            timeout,
            queue_bytes: usize::try_from(queue).unwrap_or(usize::MAX),
            give_up_after,
        }))
    }

    fn lanes(&self, problems: &mut Vec<Problem>) -> Vec<LaneSettings> {
        let base = self.endpoint.as_deref();
        let base = base.and_then(|url| check_url("endpoint", url, problems));
        let own = [
            (OnwardSignal::Traces, "traces_endpoint", &self.traces_endpoint),
            (OnwardSignal::Logs, "logs_endpoint", &self.logs_endpoint),
        ];
        let mut lanes = Vec::new();
        for (signal, field, url) in own {
            let url = match (url, &base) {
                (Some(url), _) => check_url(field, url, problems),
                (None, Some(base)) => {
                    Some(format!("{}/v1/{}", base.trim_end_matches('/'), signal.name()))
                }
                (None, None) => None,
            };
            lanes.extend(url.map(|url| LaneSettings { signal, url }));
        }
        let metrics = self.remote_write.as_deref();
        let metrics = metrics.and_then(|url| check_url("remote_write", url, problems));
        lanes.extend(metrics.map(|url| LaneSettings { signal: OnwardSignal::Metrics, url }));
        lanes
    }

    fn check_headers(&self, problems: &mut Vec<Problem>) {
        let named = |name: &str| HeaderName::try_from(name).is_ok();
        for (name, value) in &self.headers {
            let message = if name.eq_ignore_ascii_case("authorization") {
                "credentials belong into headers_env, headers_file or bearer_token_*".to_owned()
            } else if !named(name) || HeaderValue::try_from(value.as_str()).is_err() {
                format!("{name:?} cannot be a request header with this value")
            } else {
                continue;
            };
            problems.push(Problem::new("headers", message));
        }
        let env = self.headers_env.keys().map(|name| ("headers_env", name));
        let file = self.headers_file.keys().map(|name| ("headers_file", name));
        for (field, name) in env.chain(file).filter(|(_, name)| !named(name)) {
            problems.push(Problem::new(field, format!("{name:?} is no name of a header")));
        }
        let alone = match (&self.client_certificate_file, &self.client_key_file) {
            (Some(_), None) => Some(("client_certificate_file", "client_key_file")),
            (None, Some(_)) => Some(("client_key_file", "client_certificate_file")),
            _ => None,
        };
        if let Some((field, other)) = alone {
            problems.push(Problem::new(field, format!("needs {other} as well")));
        }
        if self.bearer_token_file.is_some() && self.bearer_token_env.is_some() {
            let message = "give a file or an environment variable, not both";
            problems.push(Problem::new("bearer_token_file", message));
        }
    }

    fn secret_headers(&self) -> Vec<(String, &'static str, Secret)> {
        let env = self.headers_env.iter();
        let env = env.map(|(name, from)| (name.clone(), "", Secret::Env(from.clone())));
        let file = self.headers_file.iter();
        let file = file.map(|(name, from)| (name.clone(), "", Secret::File(from.clone())));
        let bearer = match (&self.bearer_token_file, &self.bearer_token_env) {
            (Some(path), _) => Some(Secret::File(path.clone())),
            (None, name) => name.clone().map(Secret::Env),
        };
        let bearer = bearer.map(|secret| ("authorization".to_owned(), "Bearer ", secret));
        env.chain(file).chain(bearer).collect()
    }
}

/// The address, where it is one.
fn check_url(field: &str, text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let problem = match Url::parse(text) {
        // What may hold a secret is not repeated.
        Err(error) if text.contains('@') => format!("this is no address: {error}"),
        Err(error) => format!("{text:?} is no address: {error}"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            // The text is not repeated: it holds a secret.
            "credentials belong into headers_env, not into the address".to_owned()
        }
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("{text:?} is not an http or https address")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            "the address ends with its path; leave out what follows \"?\" or \"#\"".to_owned()
        }
        Ok(_) => return Some(text.to_owned()),
    };
    problems.push(Problem::new(field, problem));
    None
}
