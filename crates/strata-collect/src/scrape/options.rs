//! `[[scrape]]`: what to fetch, as written in the configuration, and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use regex::{Regex, RegexSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{parse_bytes, parse_duration};

use super::rules::PageLimits;

/// Pages of other programs to fetch: one job of targets that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct ScrapeOptions {
    /// Name of the job; becomes the label `job` of every series.
    pub job: String,
    /// Addresses to fetch from, `host:port`.
    pub targets: Vec<String>,
    /// `http` or `https`.
    pub scheme: String,
    /// Path of the page.
    pub path: String,
    /// Query parameters of the request.
    pub params: BTreeMap<String, String>,
    /// How often each target is asked.
    pub interval: String,
    /// How long an answer may take; must be shorter than the interval.
    pub timeout: String,
    /// Labels that every series of the job gets.
    pub labels: BTreeMap<String, String>,
    /// Keep a label of the page where it has the same name as one of the target; without this the
    /// page's label is renamed to `exported_<name>`.
    pub honor_labels: bool,
    /// Use the times that are written on the page.
    pub honor_timestamps: bool,
    /// Regular expressions; metrics whose whole name matches one are left out.
    pub drop: Vec<String>,
    /// Ask for protobuf first, the only format that carries native histograms.
    pub native_histograms: bool,
    /// Follow redirects, at most five.
    pub follow_redirects: bool,
    /// Further request headers. Secrets belong into `bearer_token_*` or `basic_auth`.
    pub headers: BTreeMap<String, String>,
    /// File with a bearer token; read again for every request.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable with a bearer token.
    pub bearer_token_env: Option<String>,
    /// User name and password.
    pub basic_auth: Option<BasicAuthOptions>,
    /// Certificates for `https`.
    pub tls: TlsOptions,
    /// Largest page, decompressed.
    pub body_limit: String,
    /// Most samples a page may have after dropping; a page with more is refused as a whole.
    pub sample_limit: usize,
    /// Most labels a series may have.
    pub label_limit: usize,
    /// Longest label name or metric name in bytes.
    pub label_name_length_limit: usize,
    /// Longest label value in bytes.
    pub label_value_length_limit: usize,
    /// Most populated buckets of a native histogram.
    pub bucket_limit: usize,
    /// Files that list targets in the format of Prometheus's file service discovery: YAML where the
    /// name ends in `.yml` or `.yaml`, else JSON. A file is read again when it has changed.
    pub file_sd: Vec<PathBuf>,
    /// Addresses that list targets in the format of Prometheus's HTTP service discovery. They are
    /// asked with the job's own headers, credentials and certificates.
    pub http_sd: Vec<HttpSdOptions>,
}

impl Default for ScrapeOptions {
    fn default() -> Self {
        let limits = PageLimits::default();
        Self {
            job: String::new(),
            targets: Vec::new(),
            scheme: "http".to_owned(),
            path: "/metrics".to_owned(),
            params: BTreeMap::new(),
            interval: "15s".to_owned(),
            timeout: "10s".to_owned(),
            labels: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            drop: Vec::new(),
            native_histograms: true,
            follow_redirects: true,
            headers: BTreeMap::new(),
            bearer_token_file: None,
            bearer_token_env: None,
            basic_auth: None,
            tls: TlsOptions::default(),
            body_limit: "64MiB".to_owned(),
            sample_limit: limits.samples,
            label_limit: limits.labels,
            label_name_length_limit: limits.name_bytes,
            label_value_length_limit: limits.value_bytes,
            bucket_limit: limits.buckets,
            file_sd: Vec::new(),
            http_sd: Vec::new(),
        }
    }
}

/// User name and password of HTTP basic authentication.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BasicAuthOptions {
    pub username: String,
    /// File with the password; read again for every request.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password.
    pub password_env: Option<String>,
}

/// Certificates of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    /// PEM file with the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate, for servers that ask for one.
    pub cert_file: Option<PathBuf>,
    /// PEM file with the key of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Take any certificate. Whoever sits in between can then read and change the page.
    pub insecure_skip_verify: bool,
}

/// A place on the network that lists targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSdOptions {
    /// Where the list is.
    pub url: String,
    /// How often it is asked.
    pub refresh: String,
}

impl Default for HttpSdOptions {
    fn default() -> Self {
        Self { url: String::new(), refresh: "60s".to_owned() }
    }
}

/// Where a secret comes from. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    File(PathBuf),
    Env(String),
}

/// How a job proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Authorization {
    #[default]
    None,
    Bearer(Secret),
    Basic {
        username: String,
        password: Secret,
    },
}

/// A checked job.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct ScrapeSettings {
    pub job: String,
    pub targets: Vec<String>,
    pub scheme: String,
    pub path: String,
    pub params: BTreeMap<String, String>,
    pub interval: Duration,
    pub timeout: Duration,
    pub labels: BTreeMap<String, String>,
    pub honor_labels: bool,
    pub honor_timestamps: bool,
    pub drop: RegexSet,
    pub native_histograms: bool,
    pub follow_redirects: bool,
    pub headers: BTreeMap<String, String>,
    pub authorization: Authorization,
    pub tls: TlsOptions,
    pub body_limit: u64,
    pub limits: PageLimits,
    pub file_sd: Vec<PathBuf>,
    /// Address and refresh interval.
    pub http_sd: Vec<(String, Duration)>,
}

/// Collects problems, so that all are told at once.
struct Check(Vec<Problem>);

impl Check {
    fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Problem::new(field, message));
    }

    fn duration(&mut self, field: &str, text: &str) -> Duration {
        parse_duration(text).unwrap_or_else(|message| {
            self.problem(field, message);
            Duration::ZERO
        })
    }

    fn secret(
        &mut self,
        field: &str,
        file: Option<&PathBuf>,
        env: Option<&String>,
    ) -> Option<Secret> {
        match (file, env) {
            (Some(_), Some(_)) => {
                self.problem(field, "give a file or an environment variable, not both");
                None
            }
            (Some(file), None) => Some(Secret::File(file.clone())),
            (None, env) => env.cloned().map(Secret::Env),
        }
    }
}

impl ScrapeOptions {
    /// Check the options without touching files or the network.
    ///
    /// # Errors
    /// All problems at once.
    pub fn validate(&self) -> Result<ScrapeSettings, Vec<Problem>> {
        let mut check = Check(Vec::new());
        self.check_targets(&mut check);
        let interval = check.duration("interval", &self.interval);
        let timeout = check.duration("timeout", &self.timeout);
        if check.0.iter().all(|p| p.path != "interval" && p.path != "timeout") {
            if interval < Duration::from_millis(100) {
                check.problem("interval", "the shortest interval is 100ms");
            } else if timeout >= interval || timeout.is_zero() {
                check.problem("timeout", "the timeout must be shorter than the interval");
            }
        }
        for name in self.labels.keys().filter(|name| name.is_empty() || name.starts_with("__")) {
            check.problem("labels", format!("{name:?} cannot be the name of a label"));
        }
        let drop = self.drop_patterns(&mut check);
        let body_limit = parse_bytes(&self.body_limit).unwrap_or_else(|message| {
            check.problem("body_limit", message);
            0
        });
        if self.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
            check.problem("headers", "credentials belong into bearer_token_* or basic_auth");
        }
        let authorization = self.authorization(&mut check);
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            check.problem("tls.key_file", "cert_file and key_file belong together");
        }
        let http_sd = self
            .http_sd
            .iter()
            .enumerate()
            .map(|(index, sd)| {
                if reqwest::Url::parse(&sd.url).is_err() {
                    let message = format!("{:?} is not an address", sd.url);
                    check.problem(&format!("http_sd[{index}].url"), message);
                }
                let refresh = check.duration(&format!("http_sd[{index}].refresh"), &sd.refresh);
                (sd.url.clone(), refresh)
            })
            .collect::<Vec<_>>();
        if !check.0.is_empty() {
            return Err(check.0);
        }
        Ok(self.settings(interval, timeout, drop, body_limit, (authorization, http_sd)))
    }

    fn check_targets(&self, check: &mut Check) {
        if self.job.is_empty() {
            check.problem("job", "give the job a name");
        }
        if self.targets.is_empty() && self.file_sd.is_empty() && self.http_sd.is_empty() {
            check.problem("targets", "name targets, or a file_sd or http_sd that lists them");
        }
        for (index, target) in self.targets.iter().enumerate() {
            if target.contains('/') {
                let message = format!("{target:?}: write host:port; see scheme and path");
                check.problem(&format!("targets[{index}]"), message);
            }
        }
        if self.scheme != "http" && self.scheme != "https" {
            check.problem("scheme", format!("{:?} is neither http nor https", self.scheme));
        }
        if !self.path.starts_with('/') {
            check.problem("path", format!("{:?} does not begin with a slash", self.path));
        }
    }

    /// All patterns as one, so that a name is looked at once.
    fn drop_patterns(&self, check: &mut Check) -> RegexSet {
        let anchored: Vec<_> =
            self.drop.iter().map(|pattern| format!("^(?s:{pattern})$")).collect();
        // Each by itself first: the error of the set does not say which pattern it is about.
        for (index, pattern) in anchored.iter().enumerate() {
            if let Err(error) = Regex::new(pattern) {
                check.problem(&format!("drop[{index}]"), error.to_string());
            }
        }
        RegexSet::new(&anchored).unwrap_or_else(|error| {
            if check.0.is_empty() {
                check.problem("drop", error.to_string());
            }
            RegexSet::empty()
        })
    }

    fn authorization(&self, check: &mut Check) -> Authorization {
        let bearer = check.secret(
            "bearer_token_file",
            self.bearer_token_file.as_ref(),
            self.bearer_token_env.as_ref(),
        );
        let basic = self.basic_auth.as_ref().and_then(|basic| {
            let password = check.secret(
                "basic_auth.password_file",
                basic.password_file.as_ref(),
                basic.password_env.as_ref(),
            );
            if password.is_none() {
                check.problem("basic_auth", "give password_file or password_env");
            }
            password.map(|password| (basic.username.clone(), password))
        });
        match (bearer, basic) {
            (Some(_), Some(_)) => {
                check.problem("basic_auth", "give a bearer token or basic_auth, not both");
                Authorization::None
            }
            (Some(token), None) => Authorization::Bearer(token),
            (None, Some((username, password))) => Authorization::Basic { username, password },
            (None, None) => Authorization::None,
        }
    }

    fn settings(
        &self,
        interval: Duration,
        timeout: Duration,
        drop: RegexSet,
        body_limit: u64,
        (authorization, http_sd): (Authorization, Vec<(String, Duration)>),
    ) -> ScrapeSettings {
        ScrapeSettings {
            job: self.job.clone(),
            targets: self.targets.clone(),
            scheme: self.scheme.clone(),
            path: self.path.clone(),
            params: self.params.clone(),
            interval,
            timeout,
            labels: self.labels.clone(),
            honor_labels: self.honor_labels,
            honor_timestamps: self.honor_timestamps,
            drop,
            native_histograms: self.native_histograms,
            follow_redirects: self.follow_redirects,
            headers: self.headers.clone(),
            authorization,
            tls: self.tls.clone(),
            body_limit,
            limits: PageLimits {
                samples: self.sample_limit,
                labels: self.label_limit,
                name_bytes: self.label_name_length_limit,
                value_bytes: self.label_value_length_limit,
                buckets: self.bucket_limit,
            },
            file_sd: self.file_sd.clone(),
            http_sd,
        }
    }
}
