//! What happens where there is no room: in the queue, in memory, on disk. Through a real proxy.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use strata_model::SourceState;
use strata_proxy::metrics::Registry;
use strata_proxy::{BoundProxy, NoCalls, ProxyParts};
use strata_store::{Disk, Found};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clock::SystemClock;
use crate::config::parse;

const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"content":"yes"}}]}"#;
const ASKED: &str = r#"{"model":"m","messages":[{"role":"user","content":"is it?"}]}"#;

/// A disk with so much space left.
struct Small(AtomicU64);

impl Disk for Small {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let fits = usize::try_from(self.0.load(Ordering::SeqCst)).unwrap().min(bytes.len());
        file.write_all(&bytes[..fits])?;
        self.0.fetch_sub(fits as u64, Ordering::SeqCst);
        // What the kernel says: no space left on device.
        if fits < bytes.len() { Err(io::Error::from_raw_os_error(28)) } else { Ok(()) }
    }

    fn cut(&self, file: &File, end: u64) -> io::Result<()> {
        file.set_len(end)
    }
}

/// A server that reads a request and answers it; never, where it has no answer.
async fn server(answer: Option<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(answer) = answer.clone() else {
                open.push(stream);
                continue;
            };
            tokio::spawn(async move {
                let mut got = Vec::new();
                while !got.ends_with(b"}") {
                    if stream.read_buf(&mut got).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
                let length =
                    format!("Connection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
                drop(stream.write_all(format!("{head}{length}{answer}").as_bytes()).await);
            });
        }
    });
    address
}

struct House {
    content: Arc<Content>,
    proxy: SocketAddr,
    disk: Arc<Small>,
    _dir: tempfile::TempDir,
}

/// A proxy that captures so in front of a server with this answer.
async fn house(capture: &str, more: &str, answer: &str, waiting_max: usize) -> House {
    // Whoever was first has done it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let engine = server(Some(answer.to_owned())).await;
    let text = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n{more}\n[[proxy.upstreams]]\nurl = \"http://{engine}\"\n\
         [[proxy.routes]]\nname = \"chat\"\npath = \"/\"\ncapture = {capture}\n"
    );
    let settings = parse(&text).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let disk = Arc::new(Small(AtomicU64::new(u64::MAX)));
    let at: &Path = &dir.path().join("content");
    let store = ContentStore::on(at, Arc::clone(&clock), Arc::clone(&disk) as Arc<dyn Disk>);
    let meter = Meter::default();
    let content = Content::on(store, &settings, waiting_max, (&clock, &meter)).unwrap();
    let (sink, _writing) = content.start();
    let (registry, calls) = (Arc::<Registry>::default(), Arc::new(NoCalls));
    let parts = ProxyParts { clock, registry, calls, content: sink.unwrap() };
    let bound = BoundProxy::bind(settings.proxy.unwrap(), parts).await.unwrap();
    let proxy = bound.address();
    tokio::spawn(bound.serve(std::future::pending()));
    House { content, proxy, disk, _dir: dir }
}

/// Ask, and see the whole answer.
async fn ask(proxy: SocketAddr, answer: &str) {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: p\r\nConnection: close\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{ASKED}", ASKED.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    assert!(got.starts_with("HTTP/1.1 200 OK") && got.ends_with(answer), "{got}");
}

impl House {
    async fn ask(&self, answer: &str) {
        ask(self.proxy, answer).await;
    }

    fn left_out(&self, reason: &str) -> u64 {
        let labels = [("reason", reason), ("route", "chat")];
        self.content.meter.counter("strata.content.left_out", &labels).get()
    }

    fn stored(&self) -> u64 {
        self.content.meter.counter("strata.content.stored", &[("route", "chat")]).get()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}");
    }

    /// Calls that can be read, gaps by reason, and segments with bytes that cannot be read.
    fn read(&self) -> (u64, BTreeMap<String, u64>, u64) {
        let (mut calls, mut gaps) = (0, BTreeMap::new());
        let mut take = |found| match found {
            Found::Exchange(_) => calls += 1,
            Found::Gap(gap) => *gaps.entry(gap.reason).or_default() += gap.count,
        };
        let seen = self.content.store.visit(&(0..i64::MAX), None, &mut take).unwrap();
        (calls, gaps, seen.torn)
    }
}

#[tokio::test]
async fn calls_for_which_the_queue_has_no_place_are_counted_and_answered_all_the_same() {
    let silent = server(None).await;
    let capture = format!("{{ redactor = \"http://{silent}/\" }}");
    let house = house(&capture, "", ANSWER, 4).await;
    // The first is with a program that does not answer, four wait, and the rest has no place.
    house.ask(ANSWER).await;
    house.until("the first is taken", |house| house.content.cleaned_now() > 0.0).await;
    for _ in 0..10 {
        house.ask(ANSWER).await;
    }
    house.until("the rest is counted", |house| house.left_out("queue_full") == 6).await;
    let row = house.content.row().unwrap();
    assert_eq!(row.state, SourceState::Partial);
    let told = &row.recent_faults[0].message;
    assert!(
        told.starts_with("6 calls of route chat were not kept: queue_full (more came"),
        "{told}"
    );
}

#[tokio::test]
async fn a_disk_that_is_full_within_a_write_harms_nothing_and_is_told() {
    let house = house("{}", "", ANSWER, 64).await;
    house.ask(ANSWER).await;
    house.until("one is kept", |house| house.stored() == 1).await;
    house.disk.0.store(40, Ordering::SeqCst);
    house.ask(ANSWER).await;
    house.until("the loss is counted", |house| house.left_out("disk") == 1).await;
    let row = house.content.row().unwrap();
    assert_eq!(row.state, SourceState::Failing);
    assert!(row.hint.starts_with("nothing can be kept now: cannot write "), "{}", row.hint);
    assert!(row.hint.contains("No space left on device"), "{}", row.hint);
    assert_eq!(house.read(), (1, BTreeMap::new(), 0), "what was there is whole");
    house.disk.0.store(u64::MAX, Ordering::SeqCst);
    house.ask(ANSWER).await;
    house.until("it goes on", |house| house.stored() == 2).await;
    assert_eq!(house.content.row().unwrap().state, SourceState::Partial);
    let gaps = BTreeMap::from([("disk".to_owned(), 1)]);
    assert_eq!(house.read(), (2, gaps, 0), "and the gap is noted");
}

#[tokio::test]
async fn a_call_that_would_take_more_memory_than_there_is_for_all_is_left_out() {
    // Ten thousand lists within lists weigh more than half of eight megabytes.
    let lists = format!("{{\"choices\":[{}1]}}", "[],".repeat(20_000));
    let house = house("{ call_bytes = \"64KiB\" }", "content_memory = \"8MiB\"", &lists, 64).await;
    house.ask(&lists).await;
    house.until("it is counted", |house| house.left_out("no_memory") == 1).await;
    let told = &house.content.row().unwrap().recent_faults[0].message;
    assert!(told.ends_with("no_memory (see `content_memory` under [proxy])"), "{told}");
}

#[tokio::test]
async fn calls_are_cleaned_as_many_together_as_memory_is_for() {
    // Each weighs more than a megabyte of the four.
    let lists =
        format!("{{\"choices\":[{{\"message\":{{\"content\":\"[{}1]\"}}}}]}}", "1,".repeat(3_000));
    let house = house("{ call_bytes = \"64KiB\" }", "content_memory = \"8MiB\"", &lists, 64).await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (proxy, answer) = (house.proxy, lists.clone());
        asked.spawn(async move { ask(proxy, &answer).await });
    }
    asked.join_all().await;
    house.until("all are kept", |house| house.stored() == 12).await;
    assert_eq!(house.read(), (12, BTreeMap::new(), 0));
    assert_eq!(house.content.cleaned_now(), 0.0, "nothing is held any more");
}
