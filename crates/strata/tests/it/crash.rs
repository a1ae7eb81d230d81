//! What was acknowledged survives the end of the process at any moment. `cargo xtask crash` does
//! the same at length.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::http;
use crate::program::{House, Server, now_ms};
use crate::wire::{HEADERS, Row, body};

const SERIES: usize = 5;
/// Writers whose requests overlap, so that a kill meets some of them half done.
const WRITERS: i64 = 3;
/// Each round is cut off as soon as so many requests of it are acknowledged.
const CUTS: [usize; 3] = [1, 10, 40];

/// More numbers than one round can write, in milliseconds of sample time.
const ROUND: i64 = 100_000;

/// Write samples of ever new times to every series until the server is gone; returns the numbers
/// that were acknowledged.
async fn write(
    client: reqwest::Client,
    url: String,
    start_ms: i64,
    numbers: impl Iterator<Item = i64>,
    count: Arc<AtomicUsize>,
) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for number in numbers {
        let row = |series: usize| {
            Row::new("crash", ("series", &series.to_string()), [(start_ms + number, number as f64)])
        };
        let sent = body(&(0..SERIES).map(row).collect::<Vec<_>>());
        let Ok(answer) = http::send(&client, "POST", &url, &HEADERS, sent).await else { break };
        assert_eq!(answer.status, 204, "{}", answer.text());
        acknowledged.push(number);
        count.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

/// Write to a server from several sides, and kill it in the middle.
async fn cut_off(server: Server, round: i64, cut: usize, start_ms: i64) -> Vec<i64> {
    let client = http::client();
    let count = Arc::new(AtomicUsize::new(0));
    let mut writing = JoinSet::new();
    for writer in 0..WRITERS {
        let numbers = (round * ROUND..).skip(writer as usize).step_by(WRITERS as usize);
        let url = format!("{}/api/v1/write", server.url);
        writing.spawn(write(client.clone(), url, start_ms, numbers, Arc::clone(&count)));
    }
    while count.load(Ordering::SeqCst) < cut && !writing.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.kill();
    writing.join_all().await.concat()
}

fn stored(server: &Server, series: usize) -> Vec<i64> {
    let rows = server.query(&format!("crash{{series=\"{series}\"}}[1h]"), None);
    let values = rows.first().map(|row| row["values"].as_array().unwrap().clone());
    let number = |pair: serde_json::Value| pair[1].as_str().unwrap().parse().unwrap();
    values.into_iter().flatten().map(number).collect()
}

#[test]
fn nothing_acknowledged_is_lost_by_kill() {
    let house = House::new("");
    let start_ms = now_ms() - 600_000;
    let mut all = Vec::new();
    let mut server = house.start();
    for (round, cut) in CUTS.into_iter().enumerate() {
        all.extend(http::block_on(cut_off(server, round as i64, cut, start_ms)));
        server = house.start();
        for series in 0..SERIES {
            let kept = stored(&server, series);
            let lost: Vec<_> = all.iter().filter(|number| !kept.contains(number)).collect();
            assert!(lost.is_empty(), "cut after {cut} requests: series {series} lost {lost:?}");
        }
    }
    assert!(all.len() >= CUTS.iter().sum(), "too few writes to say anything: {}", all.len());
}
