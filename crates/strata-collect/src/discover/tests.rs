//! Discovery on a made-up host: a `/proc` in a temporary folder, real servers on loopback.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;
use crate::scrape::SourceRules;

/// Monotonic time the test moves by hand.
#[derive(Default)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst) as u64)
    }
}

struct Host {
    folder: tempfile::TempDir,
    table: String,
    clock: Arc<HandClock>,
    discovery: Discovery,
}

impl Host {
    fn new(ports: &[u16], own_ports: Vec<u16>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("proc/net")).expect("the folder is ours");
        let clock = Arc::new(HandClock::default());
        let options = DiscoverOptions { ports: ports.to_vec(), ..DiscoverOptions::default() };
        let settings = options.validate().expect("good");
        let handed = Arc::clone(&clock) as Arc<dyn Clock>;
        let discovery = Discovery::new(settings, folder.path(), own_ports, identify(), handed);
        let discovery = discovery.expect("nothing to read");
        Self { folder, table: String::from("  sl  local_address ...\n"), clock, discovery }
    }

    /// Somebody listens on this port of loopback.
    fn listen(&mut self, port: u16, inode: u64) {
        let tail = "00000000:00000000 00:00000000 00000000 0 0";
        writeln!(self.table, "0: 0100007F:{port:04X} 00000000:0000 0A {tail} {inode} 1")
            .expect("ok");
        self.write();
    }

    fn write(&self) {
        fs::write(self.folder.path().join("proc/net/tcp"), &self.table).expect("ours");
    }

    /// A process that holds these sockets.
    fn process(&self, pid: u32, command: &str, inodes: &[u64]) {
        let process = self.folder.path().join(format!("proc/{pid}"));
        fs::create_dir_all(process.join("fd")).expect("ours");
        fs::write(process.join("cmdline"), command.replace(' ', "\0")).expect("ours");
        for inode in inodes {
            let link = process.join(format!("fd/{inode}"));
            symlink(Path::new(&format!("socket:[{inode}]")), link).expect("ours");
        }
    }

    async fn after(&mut self, seconds: i64) -> Round {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
        self.discovery.round().await
    }
}

fn identify() -> Identify {
    Arc::new(|names| {
        let source = |source: &str, layer| Identified { source: source.to_owned(), layer };
        if names.iter().any(|name| name.starts_with("vllm:")) {
            return Some(source("vllm", Some(Layer::L6Inference)));
        }
        names.contains(&"node_load1").then(|| source("node_exporter", Some(Layer::L3Host)))
    })
}

async fn serve(path: &'static str, page: &'static str) -> u16 {
    serve_router(Router::new().route(path, get(move || async move { page }))).await
}

async fn serve_router(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let port = listener.local_addr().expect("a bound port").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn ids(found: &[Discovered]) -> Vec<String> {
    found.iter().map(|found| found.id.clone()).collect()
}

#[tokio::test]
async fn pages_are_known_by_their_families() {
    let vllm = serve("/v1/metrics", "vllm:num_requests_running 1\n").await;
    let node = serve("/metrics", "# TYPE node_load1 gauge\nnode_load1 0.5\n").await;
    let other = serve("/metrics", "other_thing 1\n").await;
    let mut host = Host::new(&[node, other], vec![]);
    host.listen(vllm, 11);
    host.listen(node, 12);
    host.listen(other, 13);
    host.process(700, &format!("python -m vllm.api --port {vllm}"), &[11]);
    let round = host.after(0).await;
    let expected =
        [format!("scrape/node_exporter/127.0.0.1:{node}"), format!("scrape/vllm/127.0.0.1:{vllm}")];
    assert_eq!(ids(&round.found), expected);
    let found = &round.found[1];
    assert_eq!((found.pid, found.layer), (Some(700), Some(Layer::L6Inference)));
    assert_eq!(found.url.path(), "/v1/metrics");
    let unheard = host.discovery.unheard();
    assert_eq!(unheard.len(), 1, "{unheard:?}");
    assert!(unheard[0].hint.contains("no source file knows (other_thing"), "{unheard:?}");
    assert_eq!(host.after(15).await, Round::default(), "nothing is new");
}

#[tokio::test]
async fn programs_without_a_page_come_with_their_switch() {
    let router = || Router::new().route("/metrics", get(|| async { StatusCode::NOT_IMPLEMENTED }));
    let llama = serve_router(router()).await;
    let mut host = Host::new(&[llama], vec![]);
    host.listen(llama, 21);
    host.process(800, "llama-server -m tiny.gguf", &[21]);
    host.process(801, "/usr/bin/ollama serve", &[]);
    host.process(802, "/usr/sbin/sshd", &[]);
    let round = host.after(0).await;
    assert_eq!(round, Round::default());
    let hints: Vec<_> =
        host.discovery.unheard().into_iter().map(|u| (u.program, u.place, u.hint)).collect();
    assert_eq!(hints.len(), 2, "{hints:?}");
    assert_eq!(hints[0].1, format!("127.0.0.1:{llama}"));
    assert_eq!(hints[0].2, "start llama-server with --metrics");
    assert_eq!(hints[1].0, Some("Ollama"));
}

#[tokio::test]
async fn strangers_ourselves_and_quiet_ports_are_not_asked() {
    let asked = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&asked);
    let router = Router::new().fallback(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::NOT_FOUND }
    });
    let stranger = serve_router(router.clone()).await;
    let ours = serve_router(router.clone()).await;
    let quiet = serve_router(router).await;
    let mut host = Host::new(&[ours], vec![ours]);
    host.listen(stranger, 31);
    host.listen(ours, 32);
    host.listen(quiet, 33);
    host.process(900, "/usr/bin/database", &[31]);
    // The system hands out ports from the range where engines talk among themselves.
    assert!(quiet >= 32_768, "{quiet}");
    host.process(901, "vllm serve", &[33]);
    host.after(0).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn silence_is_asked_less_and_less_often() {
    let asked = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&asked);
    let router = Router::new().route(
        "/metrics",
        get(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async { StatusCode::NOT_FOUND }
        }),
    );
    let port = serve_router(router).await;
    let mut host = Host::new(&[port], vec![]);
    host.listen(port, 41);
    for _ in 0..40 {
        host.after(15).await;
    }
    // Ten minutes: asked at 15, 45, 105, 225 and 465 seconds.
    assert_eq!(asked.load(Ordering::SeqCst), 5);
    // A restart of the program is asked at once.
    host.table.clear();
    host.listen(port, 42);
    host.after(15).await;
    assert_eq!(asked.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn what_is_gone_for_long_is_lost() {
    let port = serve("/metrics", "vllm:a 1\n").await;
    let mut host = Host::new(&[port], vec![]);
    host.listen(port, 51);
    assert_eq!(host.after(0).await.found.len(), 1);
    host.table.clear();
    host.write();
    assert_eq!(host.after(300).await, Round::default());
    // It comes back within the time, with a new socket: the same source.
    host.listen(port, 52);
    assert_eq!(host.after(60).await, Round::default());
    host.table.clear();
    host.write();
    assert_eq!(host.after(599).await, Round::default());
    assert_eq!(ids(&host.after(1).await.lost), [format!("scrape/vllm/127.0.0.1:{port}")]);
    assert_eq!(host.discovery.found(), []);
}

#[tokio::test]
async fn what_is_found_is_scraped() {
    let port = serve("/metrics", "vllm:a 1\n").await;
    let mut host = Host::new(&[port], vec![]);
    host.listen(port, 61);
    let Host { discovery, folder: _folder, .. } = host;
    let running = crate::schedule::tests::running();
    let scheduler = running.scheduler.clone();
    let rules = Arc::new(|_source: &str| SourceRules::default());
    let runner = DiscoveryRunner::start(discovery, scheduler, "n1", rules);
    let found = runner.first_round().await;
    assert_eq!(ids(&found.sources), [format!("scrape/vllm/127.0.0.1:{port}")]);
    assert_eq!(running.scheduler.ids(), ids(&found.sources));
    for _ in 0..200 {
        if running.batches() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(running.first_line(), "vllm:a 1");
}
