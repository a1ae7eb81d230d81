//! A server under measurement: started on loopback, its CPU time and memory read from /proc, ended
//! by its own process id.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a server may take to answer for the first time.
const READY_TRIES: u32 = 300;
const READY_PAUSE: Duration = Duration::from_millis(100);

/// Stands for a server's own address in its configuration.
pub(crate) const OWN_ADDRESS: &str = "OWN_ADDRESS";

/// Asks servers on loopback, whatever proxy the environment names.
pub(crate) fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// Which program is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Strata,
    VictoriaMetrics,
    Prometheus,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Strata => "strata",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::Prometheus => "Prometheus",
        }
    }

    /// The peer's program in Debian's package.
    fn program(self) -> PathBuf {
        match self {
            Self::Strata => crate::check::root().join("target/release/strata"),
            Self::VictoriaMetrics => PathBuf::from("victoria-metrics"),
            Self::Prometheus => PathBuf::from("prometheus"),
        }
    }

    fn ready_path(self) -> &'static str {
        match self {
            Self::VictoriaMetrics => "/health",
            Self::Strata | Self::Prometheus => "/-/ready",
        }
    }
}

/// A running server with a data directory of its own.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) data: PathBuf,
    child: Child,
}

impl Server {
    /// Start `kind` below `scratch`. `config` is the text of its configuration file.
    pub(crate) async fn start(kind: Kind, scratch: &Path, config: &str) -> Result<Self> {
        Self::start_program(kind, &kind.program(), scratch, config).await
    }

    /// Start `program`, which is a `kind`, below `scratch`. In `config`, [`OWN_ADDRESS`] becomes the
    /// address it listens at.
    pub(crate) async fn start_program(
        kind: Kind,
        program: &Path,
        scratch: &Path,
        config: &str,
    ) -> Result<Self> {
        let folder = scratch.join(kind.name());
        std::fs::create_dir_all(&folder)?;
        let data = folder.join("data");
        let config_file = folder.join("config");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        std::fs::write(&config_file, config.replace(OWN_ADDRESS, &address))?;
        let mut command = Command::new(program);
        match kind {
            Kind::Strata => command
                .arg("run")
                .arg("--config")
                .arg(&config_file)
                .arg("--data-dir")
                .arg(&data)
                .args(["--listen", &address]),
            Kind::VictoriaMetrics => command
                .arg(format!("-storageDataPath={}", data.display()))
                .arg(format!("-httpListenAddr={address}"))
                .arg(format!("-promscrape.config={}", config_file.display()))
                // Of an inference engine's configuration series have more labels than 30.
                .arg("-maxLabelsPerTimeseries=100"),
            Kind::Prometheus => command
                .arg(format!("--config.file={}", config_file.display()))
                .arg(format!("--storage.tsdb.path={}", data.display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--web.enable-remote-write-receiver"),
        };
        let log = std::fs::File::create(folder.join("log"))?;
        let child = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}: is its package installed?", kind.name()))?;
        let mut server = Self { kind, url: format!("http://{address}"), data, child };
        server.wait_ready().await?;
        Ok(server)
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let url = format!("{}{}", self.url, self.kind.ready_path());
        for _ in 0..READY_TRIES {
            if let Ok(answer) = reqwest::get(&url).await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at start: {status}", self.kind.name());
            }
            tokio::time::sleep(READY_PAUSE).await;
        }
        bail!("{} did not get ready", self.kind.name())
    }

    /// What it has written to its standard output and error.
    pub(crate) fn log(&self) -> Result<String> {
        let path = self.data.with_file_name("log");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU seconds the process has used, user and system.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }

    /// Resident memory in bytes; with `peak` the most it ever was.
    pub(crate) fn rss_bytes(&self, peak: bool) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let key = if peak { "VmHWM:" } else { "VmRSS:" };
        let line = status.lines().find(|line| line.starts_with(key)).context("no such line")?;
        let kib = line.split_whitespace().nth(1).context("no number")?;
        Ok(kib.parse::<f64>()? * 1024.0)
    }

    /// Ask it to end, wait, and return the bytes its data directory holds then.
    pub(crate) fn stop(mut self) -> Result<u64> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.child.wait()?;
        Ok(folder_bytes(&self.data))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` the process is gone and both calls fail, which is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// CPU seconds a process has used, user and system.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("stat has no command")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

/// Files a process has open.
pub(crate) fn open_files(pid: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Bytes of all files below `folder`.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
