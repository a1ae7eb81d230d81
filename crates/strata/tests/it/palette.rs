//! What the command palette finds, and what that costs.

use crate::program::{House, now_ms};
use crate::wire::{Row, body};

#[test]
fn typing_in_the_palette_asks_once() {
    let house = House::new("");
    let server = house.start();
    let asked = || server.own("strata_pages_queries_total").unwrap_or_default();
    let find = |text: &str| {
        let found = server.get("/api/v1/suggest", &[("q", text)]);
        assert_eq!(found.status, 200, "{}", found.text());
        found.json().as_array().unwrap().len()
    };
    let row = Row::new(
        "vllm:num_requests_running",
        ("instance", "chat-0:8000"),
        [(now_ms() - 30_000, 1.0)],
    );
    assert_eq!(server.write(&body(&[row])).status, 204);
    let before = asked();
    assert_eq!(find("chat-0"), 1);
    let first = asked();
    let once = first - before;
    assert!(once > 0.0, "the first asks");
    for text in ["a", "ab", "abc", "", "n", "no"] {
        find(text);
    }
    // On a busy machine they may take longer than the list is kept; then it is made once more.
    assert!(asked() - first <= once, "{} more queries", asked() - first);
}
