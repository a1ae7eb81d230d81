//! What can be set about the server: as written in `strata.toml`, and as checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{parse_bytes, parse_duration};

/// The server, as written in `strata.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServeOptions {
    /// Address of the Prometheus API, remote write, OTLP over HTTP, health and `/metrics`.
    pub listen: String,
    /// Address of OTLP over gRPC. Left out: 127.0.0.1:4317 if nobody else has it. Empty: off.
    pub otlp_grpc_listen: Option<String>,
    /// Address of OTLP over HTTP. Left out: 127.0.0.1:4318 if nobody else has it. Empty: off.
    pub otlp_http_listen: Option<String>,
    /// Further host names under which this server may be asked, besides localhost and addresses.
    pub allowed_hosts: Vec<String>,
    /// File that holds the bearer token every client must present.
    pub token_file: Option<String>,
    /// Environment variable that holds the bearer token every client must present.
    pub token_env: Option<String>,
    /// Serve other machines without a token. Whoever reaches the port reads and writes everything.
    pub allow_unauthenticated: bool,
    /// Queries evaluated at the same time; further ones wait.
    pub query_concurrency: usize,
    /// Longest time one query may wait and run.
    pub query_timeout: String,
    /// Largest body accepted, as sent.
    pub body_bytes_max: String,
    /// Largest body after decompression.
    pub decompressed_bytes_max: String,
    /// Bytes of bodies being received or decoded at the same time; beyond it clients are told to
    /// come back.
    pub ingest_bytes_max: String,
    /// Connections open at the same time, per listener.
    pub connections_max: usize,
    /// Longest time a client may take to send its request head, or stay idle between requests.
    pub header_timeout: String,
    /// Longest time a client may take to send a body.
    pub body_timeout: String,
    /// Longest time running requests are waited for when shutting down.
    pub shutdown_grace: String,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4808".to_owned(),
            otlp_grpc_listen: None,
            otlp_http_listen: None,
            allowed_hosts: Vec::new(),
            token_file: None,
            token_env: None,
            allow_unauthenticated: false,
            // Prometheus's default; a dashboard asks some 20 queries at once.
            query_concurrency: 20,
            query_timeout: "2m".to_owned(),
            // Prometheus sends at most 2,000 samples a request, below 1 MiB; collectors batch more.
            body_bytes_max: "16MiB".to_owned(),
            decompressed_bytes_max: "64MiB".to_owned(),
            ingest_bytes_max: "128MiB".to_owned(),
            connections_max: 512,
            header_timeout: "30s".to_owned(),
            body_timeout: "30s".to_owned(),
            shutdown_grace: "10s".to_owned(),
        }
    }
}

/// A listener's address, and whether the server may start without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAt {
    pub address: SocketAddr,
    /// False for the defaults of OTLP, whose ports are often taken by a collector.
    pub required: bool,
}

/// The server's settings, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    pub listen: SocketAddr,
    pub otlp_grpc: Option<ListenAt>,
    pub otlp_http: Option<ListenAt>,
    /// Lower case, without port.
    pub allowed_hosts: Vec<String>,
    pub allow_unauthenticated: bool,
    pub query_concurrency: usize,
    pub query_timeout: Duration,
    pub body_bytes_max: usize,
    pub decompressed_bytes_max: usize,
    pub ingest_bytes_max: usize,
    pub connections_max: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub shutdown_grace: Duration,
}

impl ServeSettings {
    /// Addresses that machines other than this one can reach.
    pub fn exposed(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let others = [self.otlp_grpc, self.otlp_http].into_iter().flatten().map(|at| at.address);
        std::iter::once(self.listen).chain(others).filter(|address| !address.ip().is_loopback())
    }
}

/// The OTLP ports of the OpenTelemetry specification.
const OTLP_GRPC_PORT: u16 = 4317;
const OTLP_HTTP_PORT: u16 = 4318;

impl ServeOptions {
    /// Check everything at once.
    ///
    /// # Errors
    /// All problems found.
    pub fn validate(&self) -> Result<ServeSettings, Vec<Problem>> {
        let mut check = Check::default();
        let settings = ServeSettings {
            listen: check.address("listen", &self.listen),
            otlp_grpc: check.otlp(
                "otlp_grpc_listen",
                self.otlp_grpc_listen.as_deref(),
                OTLP_GRPC_PORT,
            ),
            otlp_http: check.otlp(
                "otlp_http_listen",
                self.otlp_http_listen.as_deref(),
                OTLP_HTTP_PORT,
            ),
            allowed_hosts: self
                .allowed_hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            allow_unauthenticated: self.allow_unauthenticated,
            query_concurrency: check.count("query_concurrency", self.query_concurrency),
            query_timeout: check.duration("query_timeout", &self.query_timeout),
            body_bytes_max: check.bytes("body_bytes_max", &self.body_bytes_max),
            decompressed_bytes_max: check
                .bytes("decompressed_bytes_max", &self.decompressed_bytes_max),
            ingest_bytes_max: check.bytes("ingest_bytes_max", &self.ingest_bytes_max),
            connections_max: check.count("connections_max", self.connections_max),
            header_timeout: check.duration("header_timeout", &self.header_timeout),
            body_timeout: check.duration("body_timeout", &self.body_timeout),
            shutdown_grace: check.duration("shutdown_grace", &self.shutdown_grace),
        };
        check.hosts(&self.allowed_hosts);
        if check.0.is_empty() && settings.body_bytes_max > settings.ingest_bytes_max {
            check.problem("ingest_bytes_max", "is smaller than body_bytes_max");
        }
        self.check_exposure(&settings, &mut check);
        if check.0.is_empty() { Ok(settings) } else { Err(check.0) }
    }

    fn check_exposure(&self, settings: &ServeSettings, check: &mut Check) {
        if self.token_file.is_some() && self.token_env.is_some() {
            check.problem("token_env", "token_file is set too, use one of them");
        }
        let protected = self.token_file.is_some() || self.token_env.is_some();
        if protected || self.allow_unauthenticated {
            return;
        }
        for address in settings.exposed() {
            check.problem("listen", exposure_message(address));
        }
    }
}

/// Why an address is refused, and the ways out.
pub(crate) fn exposure_message(address: SocketAddr) -> String {
    format!(
        "{address} can be reached by other machines: set token_file or token_env, bind 127.0.0.1, \
         or set allow_unauthenticated = true"
    )
}

/// Collects problems while settings are made; a placeholder stands for what is wrong.
#[derive(Default)]
struct Check(Vec<Problem>);

impl Check {
    fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Problem::new(field, message));
    }

    fn address(&mut self, field: &str, text: &str) -> SocketAddr {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let port = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
        match (port, text.parse()) {
            (Some(port), _) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            (None, Ok(address)) => address,
            (None, Err(_)) => {
                self.problem(
                    field,
                    format!("{text:?} is not an address with a port, write for example \"127.0.0.1:4808\""),
                );
                loopback
            }
        }
    }

    fn otlp(&mut self, field: &str, text: Option<&str>, port: u16) -> Option<ListenAt> {
        match text {
            None => Some(ListenAt {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                required: false,
            }),
            Some("") => None,
            Some(text) => Some(ListenAt { address: self.address(field, text), required: true }),
        }
    }

    fn duration(&mut self, field: &str, text: &str) -> Duration {
        match parse_duration(text) {
            Ok(duration) if !duration.is_zero() => return duration,
            Ok(_) => self.problem(field, "must be longer than zero"),
            Err(problem) => self.problem(field, problem),
        }
        Duration::ZERO
    }

    fn bytes(&mut self, field: &str, text: &str) -> usize {
        match parse_bytes(text).map(usize::try_from) {
            Ok(Ok(bytes)) if bytes > 0 => return bytes,
            Ok(Ok(_)) => self.problem(field, "must be larger than zero"),
            Ok(Err(_)) => self.problem(field, "is larger than this machine's memory can be"),
            Err(problem) => self.problem(field, problem),
        }
        0
    }

    fn count(&mut self, field: &str, count: usize) -> usize {
        if count == 0 {
            self.problem(field, "must be at least 1");
        }
        count
    }

    fn hosts(&mut self, hosts: &[String]) {
        for (index, host) in hosts.iter().enumerate() {
            if host.is_empty() || host.contains(['/', ':', ' ']) {
                self.problem(
                    &format!("allowed_hosts[{index}]"),
                    format!("{host:?} is not a host name, write it without scheme and port"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_stay_on_this_machine() {
        let settings = ServeOptions::default().validate().unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:4808");
        assert_eq!(settings.exposed().count(), 0);
        assert!(!settings.otlp_grpc.unwrap().required);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let options = ServeOptions {
            listen: "4808".to_owned(),
            query_timeout: "0s".to_owned(),
            body_bytes_max: "lots".to_owned(),
            connections_max: 0,
            allowed_hosts: vec!["http://x".to_owned()],
            ..ServeOptions::default()
        };
        let problems = options.validate().unwrap_err();
        let names: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            names,
            ["listen", "query_timeout", "body_bytes_max", "connections_max", "allowed_hosts[0]"]
        );
    }

    #[test]
    fn other_machines_need_a_token_or_a_decision() {
        let open = ServeOptions { listen: "0.0.0.0:4808".to_owned(), ..ServeOptions::default() };
        let problems = open.validate().unwrap_err();
        assert!(problems[0].message.contains("allow_unauthenticated"), "{problems:?}");
        let decided = ServeOptions { allow_unauthenticated: true, ..open.clone() };
        assert!(decided.validate().is_ok());
        let protected = ServeOptions { token_env: Some("TOKEN".to_owned()), ..open.clone() };
        assert!(protected.validate().is_ok());
        let grpc = ServeOptions {
            otlp_grpc_listen: Some("0.0.0.0:4317".to_owned()),
            ..ServeOptions::default()
        };
        assert!(grpc.validate().is_err());
    }

    #[test]
    fn otlp_listeners_can_be_moved_and_switched_off() {
        let options = ServeOptions {
            otlp_grpc_listen: Some(String::new()),
            otlp_http_listen: Some("localhost:5318".to_owned()),
            ..ServeOptions::default()
        };
        let settings = options.validate().unwrap();
        assert_eq!(settings.otlp_grpc, None);
        let http = settings.otlp_http.unwrap();
        assert_eq!((http.address.to_string().as_str(), http.required), ("127.0.0.1:5318", true));
    }
}
