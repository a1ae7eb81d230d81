//! Where a token is asked for, as written.

use std::cell::RefCell;

use crate::http;
use crate::openapi::{Described, PATH};
use crate::program::{House, QUIET};

#[test]
fn a_token_is_asked_for_where_the_description_says_so() {
    let config = QUIET.replace("[server]", "[server]\ntoken_file = \"token\"");
    let house = House::with_config(&config);
    std::fs::write(house.path().join("token"), "s3cret\n").unwrap();
    let server = house.start();
    let bearer = [("Authorization", "Bearer s3cret")];
    let answer = http::get(&server.address(PATH, &[]), &bearer);
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
    let committed = std::fs::read_to_string(committed).unwrap();
    assert!(answer.text() == committed, "docs/reference/openapi.json is not what is served");
    let document = answer.json();
    let described = Described { document, seen: RefCell::default() };
    let (mut open, mut shut) = (0, 0);
    for (method, path, operation) in described.operations() {
        if path.starts_with("/opentelemetry.proto") {
            // On the port of gRPC, in its own words.
            continue;
        }
        let is_open = operation["security"] == serde_json::json!([]);
        let address =
            path.replace("{page}", "overview").replace("{name}", "job").replace("{path}", "app.js");
        let url = server.address(&address, &[]);
        let send = |headers: &[(&str, &str)]| match method {
            "get" => http::get(&url, headers),
            _ => http::post(&url, headers, b""),
        };
        if is_open {
            described.check(method, path, 200, &send(&[]));
            open += 1;
        } else {
            let answer = send(&[]);
            described.check(method, path, 401, &answer);
            assert!(answer.header("www-authenticate").is_some(), "{path}");
            shut += 1;
        }
        let foreign = send(&[("Host", "evil.example")]);
        described.check(method, path, 421, &foreign);
    }
    assert!(open > 10 && shut > 40, "{open} {shut}");
}
