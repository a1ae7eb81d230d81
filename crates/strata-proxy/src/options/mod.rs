//! What can be set about the proxy: the section `[proxy]` of `strata.toml`.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::parse_duration;

use crate::capture::{CaptureOptions, CaptureSettings, checked_memory};
use crate::settings::{
    BelongingHeaders, ProxySettings, RouteSettings, UpstreamSettings, UsageMode,
};

/// The listening address when only an upstream is named.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4809";
/// Upstreams and routes that can be told apart in metrics without harm.
const NAMES_MAX: usize = 64;

/// The GenAI proxy, as written in `strata.toml`. Off unless `listen` is given.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyOptions {
    /// Address to serve on; the proxy is off without it. It asks for no token of its own: API keys
    /// pass to the upstream.
    pub listen: Option<String>,
    /// Servers that answer.
    pub upstreams: Vec<UpstreamOptions>,
    /// What happens to paths that begin alike. Left out: all paths go to all upstreams.
    pub routes: Vec<RouteOptions>,
    /// Request header whose value names the tenant. Clients are trusted to tell it.
    pub tenant_header: Option<String>,
    /// Request header whose value names the team of a call in its record.
    pub team_header: Option<String>,
    /// Request header whose value names the app.
    pub app_header: Option<String>,
    /// Request header whose value names the session.
    pub session_header: Option<String>,
    /// File that maps API keys to tenants: lines of a key's SHA-256 in hexadecimal, a space, the tenant.
    pub key_map_file: Option<String>,
    /// File with a secret of at least 16 bytes, with which API keys are hashed. Left out: a new
    /// secret at every start.
    pub hash_secret_file: Option<String>,
    /// PEM file with the authorities that `https` upstreams are trusted by, instead of this system's.
    pub upstream_ca_file: Option<String>,
    /// PEM file with the certificate that upstreams are shown, and those that sign it; needs
    /// `upstream_key_file`. Read when the program starts, as the others are.
    pub upstream_certificate_file: Option<String>,
    /// PEM file with the key of that certificate.
    pub upstream_key_file: Option<String>,
    /// Connections of clients open at the same time.
    pub connections_max: usize,
    /// Longest time to connect to an upstream.
    pub connect_timeout: String,
    /// Longest time from a request's head to the head of its answer.
    pub response_timeout: String,
    /// Longest time between two pieces of an answer.
    pub idle_timeout: String,
    /// A client that takes no byte of its answer for this long is cut off.
    pub client_stall: String,
    /// Directory of captured content; left out, `content` in the data directory.
    pub content_dir: Option<String>,
    /// Most memory that captured content takes, of all routes together: half for copies of calls that
    /// pass or wait, half while they are read, cleaned and written.
    pub content_memory: String,
    /// Time between two looks at an upstream's health.
    pub health_interval: String,
    /// Longest time running requests are waited for when shutting down.
    pub shutdown_grace: String,
}

/// One upstream.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamOptions {
    /// Name in records and routes; left out, the host and port of the address.
    #[serde(default)]
    pub name: Option<String>,
    /// Address: `http://127.0.0.1:8000` or `https://api.example.com`; a path is put in front.
    pub url: String,
    /// Path asked for to see whether it lives: `/health`.
    #[serde(default)]
    pub health: Option<String>,
    /// Share of the load against that of the others.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// One route.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteOptions {
    /// Name, the label `route` of its metrics.
    pub name: String,
    /// Beginning of the paths; the longest that fits is taken.
    pub path: String,
    /// Names of the upstreams that answer; left out, all.
    #[serde(default)]
    pub upstreams: Vec<String>,
    /// `observe` changes nothing. `inject` asks for the usage record of `OpenAI` streams, `inject_strip`
    /// asks for it and takes it out of the answer again.
    #[serde(default)]
    pub usage: UsageOption,
    /// Keep what is asked and answered on this route, to train on what was judged: `capture = {}`. Left
    /// out, not a word of it is kept.
    #[serde(default)]
    pub capture: Option<CaptureOptions>,
}

/// Whether usage records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageOption {
    #[default]
    Observe,
    Inject,
    InjectStrip,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self {
            listen: None,
            upstreams: Vec::new(),
            routes: Vec::new(),
            tenant_header: None,
            team_header: None,
            app_header: None,
            session_header: None,
            key_map_file: None,
            hash_secret_file: None,
            upstream_ca_file: None,
            upstream_certificate_file: None,
            upstream_key_file: None,
            connections_max: 4096,
            connect_timeout: "5s".to_owned(),
            // A long answer that is not streamed begins when it ends.
            response_timeout: "10m".to_owned(),
            idle_timeout: "5m".to_owned(),
            client_stall: "1m".to_owned(),
            content_dir: None,
            content_memory: "128MiB".to_owned(),
            health_interval: "5s".to_owned(),
            shutdown_grace: "10s".to_owned(),
        }
    }
}

/// The name of a header, lower case.
fn header(field: &str, name: Option<&String>, problems: &mut Vec<Problem>) -> Option<String> {
    let name = name?;
    if name.parse::<HeaderName>().is_err() {
        problems.push(Problem::new(field, "is not the name of a header"));
    }
    Some(name.to_ascii_lowercase())
}

impl ProxyOptions {
    /// Check everything; `None` when the proxy is off.
    ///
    /// # Errors
    /// All problems, with paths from this section.
    pub fn validate(&self) -> Result<Option<ProxySettings>, Vec<Problem>> {
        let mut problems = Vec::new();
        let upstreams = self.checked_upstreams(&mut problems);
        let routes = self.checked_routes(&upstreams, &mut problems);
        let content_memory = checked_memory(&self.content_memory, &routes, &mut problems);
        let mut time = |path: &str, text: &str| {
            let time = parse_duration(text).and_then(|time| {
                if time.is_zero() { Err("must be above zero".to_owned()) } else { Ok(time) }
            });
            time.map_err(|message| problems.push(Problem::new(path, message))).unwrap_or_default()
        };
        let connect_timeout = time("connect_timeout", &self.connect_timeout);
        let response_timeout = time("response_timeout", &self.response_timeout);
        let idle_timeout = time("idle_timeout", &self.idle_timeout);
        let client_stall = time("client_stall", &self.client_stall);
        let health_interval = time("health_interval", &self.health_interval);
        let shutdown_grace = time("shutdown_grace", &self.shutdown_grace);
        let listen = self.listen.as_deref().map(str::parse::<SocketAddr>);
        if let Some(Err(_)) = listen {
            let message = "is not an address and a port, like 127.0.0.1:4809";
            problems.push(Problem::new("listen", message));
        }
        if self.listen.is_some() && self.upstreams.is_empty() {
            problems.push(Problem::new("upstreams", "names no upstream to pass requests to"));
        }
        if self.connections_max == 0 {
            problems.push(Problem::new("connections_max", "must be at least 1"));
        }
        let tenant_header = header("tenant_header", self.tenant_header.as_ref(), &mut problems);
        let belonging = BelongingHeaders {
            team: header("team_header", self.team_header.as_ref(), &mut problems),
            app: header("app_header", self.app_header.as_ref(), &mut problems),
            session: header("session_header", self.session_header.as_ref(), &mut problems),
        };
        if self.upstream_certificate_file.is_some() != self.upstream_key_file.is_some() {
            let message = "upstream_certificate_file and upstream_key_file need each other";
            problems.push(Problem::new("upstream_certificate_file", message));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Some(Ok(listen)) = listen else { return Ok(None) };
        Ok(Some(ProxySettings {
            listen,
            upstreams,
            routes,
            tenant_header,
            belonging,
            key_map_file: self.key_map_file.as_ref().map(PathBuf::from),
            hash_secret_file: self.hash_secret_file.as_ref().map(PathBuf::from),
            upstream_ca_file: self.upstream_ca_file.as_ref().map(PathBuf::from),
            upstream_identity: self.identity(),
            connections_max: self.connections_max,
            connect_timeout,
            response_timeout,
            idle_timeout,
            client_stall,
            content_dir: self.content_dir.as_ref().map(PathBuf::from),
            content_memory,
            health_interval,
            shutdown_grace,
        }))
    }

    fn identity(&self) -> Option<(PathBuf, PathBuf)> {
        let (certificate, key) =
            (self.upstream_certificate_file.as_ref(), self.upstream_key_file.as_ref());
        Some((PathBuf::from(certificate?), PathBuf::from(key?)))
    }

    fn checked_upstreams(&self, problems: &mut Vec<Problem>) -> Vec<UpstreamSettings> {
        let mut checked: Vec<UpstreamSettings> = Vec::new();
        if self.upstreams.len() > NAMES_MAX {
            problems.push(Problem::new("upstreams", format!("are more than {NAMES_MAX}")));
        }
        for (index, options) in self.upstreams.iter().enumerate() {
            let mut problem = |field: &str, message: &str| {
                problems.push(Problem::new(format!("upstreams[{index}].{field}"), message));
            };
            let url: Uri = options.url.parse().unwrap_or_default();
            let scheme = url.scheme_str().unwrap_or_default();
            if !matches!(scheme, "http" | "https") || url.query().is_some() {
                problem("url", "is not an address like http://127.0.0.1:8000");
            }
            if !(options.weight > 0.0 && options.weight.is_finite()) {
                problem("weight", "must be above zero");
            }
            if options.health.as_ref().is_some_and(|path| !path.starts_with('/')) {
                problem("health", "must begin with a slash");
            }
            let authority = url.authority().map(ToString::to_string).unwrap_or_default();
            if authority.contains('@') {
                problem("url", "holds a name or password: clients present keys of their own");
            }
            let name: Arc<str> = Arc::from(options.name.clone().unwrap_or(authority));
            if checked.iter().any(|other| other.name == name) {
                problem("name", "is that of another upstream");
            }
            let (health, weight) = (options.health.clone(), options.weight);
            checked.push(UpstreamSettings { name, url, health, weight });
        }
        checked
    }

    fn checked_routes(
        &self,
        upstreams: &[UpstreamSettings],
        problems: &mut Vec<Problem>,
    ) -> Vec<RouteSettings> {
        let all: Vec<usize> = (0..upstreams.len()).collect();
        if self.routes.is_empty() {
            let (name, path) = (Arc::from("all"), "/".to_owned());
            let usage = UsageMode::Observe;
            return vec![RouteSettings { name, path, upstreams: all, usage, capture: None }];
        }
        if self.routes.len() > NAMES_MAX {
            problems.push(Problem::new("routes", format!("are more than {NAMES_MAX}")));
        }
        let mut checked: Vec<RouteSettings> = Vec::new();
        for (index, options) in self.routes.iter().enumerate() {
            let mut problem = |field: &str, message: String| {
                problems.push(Problem::new(format!("routes[{index}].{field}"), message));
            };
            if !options.path.starts_with('/') {
                problem("path", "must begin with a slash".to_owned());
            }
            if checked.iter().any(|other| other.path == options.path) {
                problem("path", "is that of another route".to_owned());
            }
            let mut chosen = Vec::new();
            for name in &options.upstreams {
                match upstreams.iter().position(|upstream| *upstream.name == **name) {
                    Some(at) => chosen.push(at),
                    None => problem("upstreams", format!("names {name:?}, which is no upstream")),
                }
            }
            let capture = self.checked_capture(index, problems);
            checked.push(RouteSettings {
                name: Arc::from(options.name.as_str()),
                path: options.path.clone(),
                upstreams: if options.upstreams.is_empty() { all.clone() } else { chosen },
                usage: match options.usage {
                    UsageOption::Observe => UsageMode::Observe,
                    UsageOption::Inject => UsageMode::Inject,
                    UsageOption::InjectStrip => UsageMode::InjectStrip,
                },
                capture,
            });
        }
        checked
    }

    fn checked_capture(
        &self,
        index: usize,
        problems: &mut Vec<Problem>,
    ) -> Option<Arc<CaptureSettings>> {
        let route = self.routes.get(index)?;
        let options = route.capture.as_ref()?;
        let same = |other: &RouteOptions| other.capture.is_some() && other.name == route.name;
        if self.routes.iter().take(index).any(same) {
            let message = "is kept by another route of this name: give each its own";
            problems.push(Problem::new(format!("routes[{index}].capture"), message));
        }
        match options.validate() {
            Ok(settings) => Some(Arc::new(settings)),
            Err(found) => {
                let section = format!("routes[{index}].capture");
                problems.extend(found.into_iter().map(|problem| problem.within(&section)));
                None
            }
        }
    }
}
