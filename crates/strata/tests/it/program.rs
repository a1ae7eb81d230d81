//! The binary under test: a server that runs until dropped, and commands that run to their end.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::http::{self, Answer};

pub(crate) const STRATA: &str = env!("CARGO_BIN_EXE_strata");

/// The greeting waits at most five seconds for its sources; the rest is for a busy machine.
const GREETING: Duration = Duration::from_secs(30);

/// Ports chosen by the system, nothing found or collected unless the test asks for it.
pub(crate) const QUIET: &str = r#"
[server]
otlp_grpc_listen = "127.0.0.1:0"
otlp_http_listen = "127.0.0.1:0"
[discover]
enabled = false
[host]
enabled = false
[kubernetes]
enabled = false
[slurm]
enabled = false
"#;

/// Fixtures are older than any usual retention.
pub(crate) const LONG: &str = "[store]\nretention = \"36500d\"\n";

/// A data directory and configuration, with or without a running server.
pub(crate) struct House {
    dir: tempfile::TempDir,
    pub(crate) data: PathBuf,
    pub(crate) config: PathBuf,
}

impl House {
    /// A fresh one with the quiet configuration and `more` behind it.
    pub(crate) fn new(more: &str) -> Self {
        Self::with_config(&format!("{QUIET}{more}"))
    }

    /// A fresh one with exactly this configuration.
    pub(crate) fn with_config(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("strata.toml");
        std::fs::write(&config, text).unwrap();
        Self { data: dir.path().join("data"), config, dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `strata run` on this house, not yet started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(STRATA);
        command.current_dir(self.path()).arg("run").arg("--config").arg(&self.config);
        command.arg("--data-dir").arg(&self.data).args(["--listen", "127.0.0.1:0"]);
        command
    }

    /// Start the server and wait until it has said where it listens.
    pub(crate) fn start(&self) -> Server {
        Server::spawn(self.command().arg("--json"))
    }

    /// Run a command to its end, in the folder of this house.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(STRATA).current_dir(self.path()).args(arguments).output().unwrap()
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// What it said about itself when it was up.
    pub(crate) greeting: Json,
    pub(crate) url: String,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Server {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut document = String::new();
            for line in stdout.lines().map_while(Result::ok) {
                writeln!(document, "{line}").unwrap();
                if line == "}" {
                    drop(sender.send(std::mem::take(&mut document)));
                }
            }
        });
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
        });
        let Ok(greeting) = receiver.recv_timeout(GREETING) else {
            drop(child.kill());
            drop(child.wait());
            panic!("strata run did not greet: {}", log.join().unwrap());
        };
        let greeting: Json = serde_json::from_str(&greeting).unwrap();
        let url = greeting["url"].as_str();
        let url = url.unwrap_or_else(|| panic!("no greeting: {greeting}")).to_owned();
        Self { child, greeting, url, log: Some(log) }
    }

    /// `http://` and the address of OTLP over HTTP.
    pub(crate) fn otlp_http(&self) -> String {
        format!("http://{}", self.greeting["otlp_http"].as_str().unwrap())
    }

    /// `http://` and the address of OTLP over gRPC.
    pub(crate) fn otlp_grpc(&self) -> String {
        format!("http://{}", self.greeting["otlp_grpc"].as_str().unwrap())
    }

    /// The address of a path with parameters.
    pub(crate) fn address(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url)).unwrap();
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url.to_string()
    }

    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        http::get(&self.address(path, parameters), &[])
    }

    /// `data` of a successful answer of the Prometheus API.
    pub(crate) fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Json {
        let answer = self.get(path, parameters).json();
        assert_eq!(answer["status"], "success", "{path} {parameters:?}: {answer}");
        answer["data"].clone()
    }

    /// The result of an instant query, now or at `time`.
    pub(crate) fn query(&self, query: &str, time: Option<&str>) -> Vec<Json> {
        let mut parameters = vec![("query", query)];
        parameters.extend(time.map(|time| ("time", time)));
        self.api("/api/v1/query", &parameters)["result"].as_array().unwrap().clone()
    }

    /// The value of a query that has exactly one series.
    pub(crate) fn value(&self, query: &str, time: Option<&str>) -> Option<f64> {
        let result = self.query(query, time);
        assert!(result.len() <= 1, "{query}: {result:?}");
        result.first().map(|row| row["value"][1].as_str().unwrap().parse().unwrap())
    }

    pub(crate) fn write(&self, body: &[u8]) -> Answer {
        http::post(&format!("{}/api/v1/write", self.url), &crate::wire::HEADERS, body)
    }

    /// The row of a source, by its id.
    pub(crate) fn source(&self, id: &str) -> Option<Json> {
        let sources = self.get("/api/v1/strata/sources", &[]).json();
        let sources = sources["sources"].as_array().unwrap().clone();
        sources.into_iter().find(|source| source["id"] == id)
    }

    /// A number of the program's own page.
    pub(crate) fn own(&self, line_start: &str) -> Option<f64> {
        let page = self.get("/metrics", &[]).text();
        let line = page.lines().find(|line| line.starts_with(line_start))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Most resident memory it ever had, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// End it at once, as power loss of the process would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ask it to end as an init system does; returns its status and what it logged.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after `stop` and `kill`.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Milliseconds since the Unix epoch, on the clock the program sees.
#[expect(clippy::disallowed_methods, reason = "the program under test has the real clock too")]
pub(crate) fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
