//! Ten times what fits: everything is answered, most of it with "later", and nothing grows.

use crate::http;
use crate::program::{House, now_ms};
use crate::wire::{HEADERS, Row, body};

/// Many more at the same time than the memory for bodies and the queue hold.
const SENDERS: usize = 40;
const BODIES_EACH: usize = 2;
const SERIES: usize = 400;
const SAMPLES: i64 = 25;

#[test]
fn overload_is_answered_and_counted_and_the_program_lives() {
    let house = House::with_config(
        r#"
[server]
otlp_grpc_listen = ""
otlp_http_listen = ""
body_bytes_max = "1MiB"
ingest_bytes_max = "1MiB"
[store]
queue = "1MiB"
[discover]
enabled = false
[host]
enabled = false
"#,
    );
    let mut server = house.start();
    let before = server.peak_bytes();
    let url = format!("{}/api/v1/write", server.url);
    let start = now_ms() - 300_000;
    let bodies: Vec<Vec<u8>> = (0..SENDERS)
        .map(|sender| {
            let row = |series: usize| {
                let samples = (0..SAMPLES).map(|n| (start + n * 1_000, (n * 7) as f64 + 0.1));
                Row::new("flood", ("series", &format!("{sender}-{series}")), samples)
            };
            body(&(0..SERIES).map(row).collect::<Vec<_>>())
        })
        .collect();
    let statuses = http::block_on(async {
        let client = http::client();
        let mut sending = tokio::task::JoinSet::new();
        for body in bodies {
            let (client, url) = (client.clone(), url.clone());
            sending.spawn(async move {
                let mut statuses = Vec::new();
                for _ in 0..BODIES_EACH {
                    let answer = http::send(&client, "POST", &url, &HEADERS, body.clone()).await;
                    let answer = answer.unwrap();
                    let later = answer.header("retry-after").is_some();
                    assert_eq!(later, matches!(answer.status, 429 | 503), "{}", answer.text());
                    statuses.push(answer.status);
                }
                statuses
            });
        }
        sending.join_all().await.concat()
    });
    assert_eq!(statuses.len(), SENDERS * BODIES_EACH);
    let stored = statuses.iter().filter(|status| **status == 204).count();
    let later = statuses.iter().filter(|status| matches!(status, 429 | 503)).count();
    assert_eq!(stored + later, statuses.len(), "{statuses:?}");
    assert!(stored > 0 && later > 0, "{stored} stored, {later} told to come back");
    assert!(server.is_running());
    assert_eq!(server.get("/-/ready", &[]).status, 200);
    let grown = server.peak_bytes() - before;
    assert!(grown < 200 << 20, "grown by {} MiB", grown >> 20);
    let counted = |code: &str| {
        let line =
            format!("strata_serve_requests_total{{code=\"{code}\",route=\"remote_write\"}} ");
        server.own(&line).unwrap_or(0.0) as usize
    };
    assert_eq!(counted("204"), stored);
    assert_eq!(counted("503") + counted("429"), later);
    let kept = server.value("count(count_over_time(flood[10m]))", None).unwrap_or(0.0) as usize;
    assert!(kept >= SERIES && kept <= stored * SERIES, "{kept} series of {stored} bodies");
}
