//! A program with a metrics page that never was: answers every path with one page, until told
//! otherwise.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request head larger than this is no scrape.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The page's server; its thread ends with the test process.
pub(crate) struct Page {
    pub(crate) address: SocketAddr,
    text: Arc<Mutex<Option<Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
}

impl Page {
    /// Serve `text` on a free port.
    pub(crate) fn serve(text: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let text = Arc::new(Mutex::new(Some(text)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (page, count) = (Arc::clone(&text), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let page = page.lock().unwrap().clone();
                let count = Arc::clone(&count);
                std::thread::spawn(move || answer(stream, page.as_deref(), &count));
            }
        });
        Self { address, text, asked }
    }

    /// From now on the page is gone: 503.
    pub(crate) fn go_away(&self) {
        *self.text.lock().unwrap() = None;
    }

    /// How often it was asked for a page.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, page: Option<&[u8]>, count: &AtomicUsize) {
    drop(stream.set_read_timeout(Some(CLIENT_TIMEOUT)));
    let Ok(reading) = stream.try_clone() else { return };
    let mut lines = BufReader::new(reading.take(HEAD_BYTES_MAX)).lines();
    let Some(Ok(first)) = lines.next() else { return };
    if !lines.map_while(Result::ok).any(|line| line.is_empty()) {
        return;
    }
    // A client that left before its answer is no matter of the test.
    drop(match page {
        Some(page) if first.starts_with("GET /metrics") => {
            count.fetch_add(1, Ordering::SeqCst);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                page.len()
            );
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(page))
        }
        Some(_) => stream.write_all(status("404 Not Found").as_bytes()),
        None => stream.write_all(status("503 Service Unavailable").as_bytes()),
    });
}

fn status(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
