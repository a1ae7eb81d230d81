//! Who may ask: nobody from another machine without a decision, and with a token only its bearers.

use crate::http;
use crate::program::{House, QUIET, stderr};

#[test]
fn an_address_others_can_reach_needs_a_token_or_a_decision() {
    let house = House::new("");
    let output = house.command().args(["--listen", "0.0.0.0:0"]).output();
    // clap refuses the same flag twice, so the address comes from the file.
    assert_eq!(output.unwrap().status.code(), Some(2));
    let open = format!("{}\nlisten = \"0.0.0.0:0\"\n", "[server]");
    let house = House::with_config(&open);
    let output = house.run(&["run", "--config", "strata.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let house = House::new("");
    let flags = ["run", "--config", "strata.toml", "--listen", "0.0.0.0:0"];
    let by_flag = house.run(&flags);
    assert_eq!(by_flag.status.code(), Some(1), "{}", stderr(&by_flag));
    for told in [stderr(&output), stderr(&by_flag)] {
        for way_out in ["0.0.0.0:0", "token_file", "127.0.0.1", "allow_unauthenticated"] {
            assert!(told.contains(way_out), "{way_out} is not in {told:?}");
        }
    }
}

#[test]
fn with_a_token_only_its_bearers_are_answered() {
    let config = QUIET.replace("[server]", "[server]\ntoken_file = \"token\"");
    let house = House::with_config(&config);
    std::fs::write(house.path().join("token"), "s3cret\n").unwrap();
    std::fs::write(house.path().join("wrong"), "guess\n").unwrap();
    let server = house.start();
    let query = server.address("/api/v1/query", &[("query", "1")]);
    for (token, status) in [(None, 401), (Some("Bearer guess"), 401), (Some("Bearer s3cret"), 200)]
    {
        let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
        assert_eq!(http::get(&query, &headers).status, status, "{token:?}");
        let write = format!("{}/api/v1/write", server.url);
        let headers = [&headers[..], &crate::wire::HEADERS[..]].concat();
        let written = http::post(&write, &headers, &crate::wire::body(&[])).status;
        assert_eq!(written, if status == 200 { 204 } else { 401 }, "{token:?}");
    }
    let otlp = format!("{}/v1/metrics", server.otlp_http());
    assert_eq!(http::post(&otlp, &[], b"").status, 401);
    let ask = |token: Option<&str>| {
        let mut arguments = vec!["query", "1", "--url", server.url.as_str()];
        arguments.extend(token.into_iter().flat_map(|file| ["--token-file", file]));
        house.run(&arguments)
    };
    assert!(ask(Some("token")).status.success());
    for refused in [ask(None), ask(Some("wrong"))] {
        assert_eq!(refused.status.code(), Some(1));
        let told = stderr(&refused);
        assert!(told.contains("token"), "{told}");
    }
    let log = server.stop().1;
    assert!(!log.contains("s3cret"), "{log}");
}
