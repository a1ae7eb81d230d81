//! Mistakes in the configuration: all told at once, each with its place, before anything starts.

use serde_json::Value as Json;

use crate::fake::Page;
use crate::fixture;
use crate::program::{House, stderr, stdout};

const MISTAKEN: &str = r#"nod = "a"
[server]
listen = 5
body_timeout = "soon"
[store]
retenton = "5d"
fsync = "ful"
[[scrape]]
job = "x"
targets = ["host/path"]
"#;

/// Line, column and words of every mistake above.
const MISTAKES: [(u64, u64, &str); 6] = [
    (1, 1, "unknown key `nod`, did you mean `node`?"),
    (3, 10, "`server.listen` must be a string, not a whole number"),
    (4, 16, "body_timeout"),
    (6, 1, "unknown key `store.retenton`, did you mean `store.retention`?"),
    (7, 9, "did you mean \"full\"?"),
    (10, 12, "host:port"),
];

#[test]
fn every_mistake_is_told_with_its_place_in_order() {
    let house = House::with_config(MISTAKEN);
    for command in [&["check"][..], &["run"]] {
        let output = house.run(&[command, &["--config", "strata.toml"]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let told = stderr(&output);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 1 + MISTAKES.len(), "{told}");
        assert!(lines[0].contains("strata.toml has 6 problems"), "{told}");
        for (line, (at, column, words)) in lines[1..].iter().zip(MISTAKES) {
            assert!(line.contains(&format!("line {at}, column {column}: ")), "{words}: {told}");
            assert!(line.contains(words), "{words}: {told}");
        }
    }
    assert!(!house.path().join("strata-data").exists(), "nothing was started");
}

#[test]
fn mistakes_are_one_json_document_for_scripts() {
    let house = House::with_config(MISTAKEN);
    let output = house.run(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ok"], false);
    assert_eq!(told["code"], "bad_config");
    let problems = told["problems"].as_array().unwrap();
    assert_eq!(problems.len(), MISTAKES.len(), "{told}");
    for (problem, (line, column, words)) in problems.iter().zip(MISTAKES) {
        assert_eq!((&problem["line"], &problem["column"]), (&line.into(), &column.into()));
        assert!(problem["message"].as_str().unwrap().contains(words), "{problem}");
    }
}

#[test]
fn a_file_that_is_not_toml_or_not_there_is_told() {
    let house = House::with_config("[server\nlisten = \n");
    let output = house.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("line 1, column "), "{}", stderr(&output));
    let output = house.run(&["check", "--config", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nowhere.toml"), "{}", stderr(&output));
}

#[test]
fn check_tries_every_target_and_says_what_to_do() {
    let page = Page::serve(fixture("metrics/vllm-0.32.0.prom"));
    let job = |name: &str, address: &str| {
        format!("[[scrape]]\njob = \"{name}\"\ntargets = [\"{address}\"]\n")
    };
    let listen = "[server]\nlisten = \"127.0.0.1:0\"\n";
    let live = job("live", &page.address.to_string());
    // Port 1 (tcpmux) is not served anywhere any more.
    let house = House::with_config(&format!("{listen}{live}{}", job("dead", "127.0.0.1:1")));
    let output = house.run(&["check"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = stdout(&output);
    let line = |part: &str| told.lines().find(|line| line.contains(part)).unwrap_or_default();
    assert!(line("scrape live").starts_with("ok"), "{told}");
    assert!(line("scrape dead").starts_with("FAILED"), "{told}");
    assert!(line("scrape dead").contains("127.0.0.1:1") && line("scrape dead").contains('('));
    assert!(stderr(&output).contains("1 of 5 checks failed"), "{}", stderr(&output));
    let output = house.run(&["check", "--json"]);
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["ok"]), (Some(1), &false.into()));
    assert_eq!(told["trials"].as_array().unwrap().len(), 5, "{told}");
    let house = House::with_config(&format!("{listen}{live}"));
    assert!(house.run(&["check"]).status.success());
    let asked = page.asked();
    assert!(house.run(&["check", "--offline"]).status.success());
    assert_eq!(page.asked(), asked, "offline connects to nothing");
}
