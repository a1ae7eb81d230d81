//! A page on loopback that never changes, for scrapers to fetch.

use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serve `page` as Prometheus text at every path of a free port until the program ends.
pub(crate) async fn serve(page: Vec<u8>) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {}\r\n\r\n",
        page.len()
    );
    let answer: Arc<[u8]> = [head.into_bytes(), page].concat().into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, Arc::clone(&answer)));
        }
    });
    Ok(port)
}

/// Answer every request of one connection; ends when the client does.
async fn talk(mut stream: TcpStream, answer: Arc<[u8]>) {
    let mut buffer = [0_u8; 4096];
    let mut seen = Vec::new();
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..count]);
        if seen.ends_with(b"\r\n\r\n") {
            seen.clear();
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}
