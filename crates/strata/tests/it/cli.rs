//! The commands a person or a script types.

use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

use crate::http::eventually;
use crate::program::{House, STRATA, Server, now_ms, stderr, stdout};
use crate::wire::{Row, body};

const COMMANDS: [&[&str]; 9] = [
    &[],
    &["run"],
    &["query"],
    &["sources"],
    &["check"],
    &["store"],
    &["store", "verify"],
    &["store", "backup"],
    &["docs"],
];

/// A server with two series of two samples each.
fn server_with_data(house: &House) -> Server {
    let server = house.start();
    let now = now_ms();
    let row = |number: &str, value: f64| {
        Row::new("desk", ("number", number), [(now - 20_000, value), (now - 1_000, value + 1.0)])
    };
    assert_eq!(server.write(&body(&[row("1", 10.0), row("2", 20.0)])).status, 204);
    server
}

/// The one JSON document a command printed.
fn document(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {:?} {:?}", stdout(output), stderr(output)))
}

#[test]
fn every_command_explains_itself() {
    let house = House::new("");
    for command in COMMANDS {
        let output = house.run(&[command, &["--help"]].concat());
        assert!(output.status.success(), "{command:?}");
        let help = stdout(&output);
        assert!(help.contains("Usage: strata") && help.contains("--json"), "{command:?}: {help}");
    }
    let version = house.run(&["--version"]);
    assert_eq!(stdout(&version), format!("strata {}\n", env!("CARGO_PKG_VERSION")));
    let unknown = house.run(&["querry"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("query"), "{}", stderr(&unknown));
}

#[test]
fn query_answers_people_and_scripts() {
    let house = House::new("");
    let server = server_with_data(&house);
    let ask = |arguments: &[&str]| {
        let output = house.run(&[arguments, &["--url", &server.url]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output
    };
    let instant = stdout(&ask(&["query", "desk"]));
    assert_eq!(instant, "desk{number=\"1\"}  11\ndesk{number=\"2\"}  21\n");
    assert_eq!(stdout(&ask(&["query", "1 + 1"])), "2\n");
    let range = stdout(&ask(&["query", "sum(desk)", "--since", "10s", "--step", "5s"]));
    assert_eq!(range.lines().count(), 4, "{range}");
    assert!(range.starts_with("{}\n") && range.contains("  30\n"), "{range}");
    let early = (now_ms() / 1000 - 10).to_string();
    assert_eq!(stdout(&ask(&["query", "sum(desk)", "--time", &early])), "{}  30\n");
    let none = ask(&["query", "nowhere"]);
    assert_eq!((stdout(&none).as_str(), stderr(&none).as_str()), ("", "no series matches\n"));
    for (arguments, kind) in [
        (&["query", "desk", "--json"][..], "vector"),
        (&["query", "desk", "--since", "10s", "--json"], "matrix"),
        (&["query", "1", "--json"], "scalar"),
    ] {
        assert_eq!(document(&ask(arguments))["data"]["resultType"], kind, "{arguments:?}");
    }
}

#[test]
fn a_query_that_fails_says_why_and_exits_with_1() {
    let house = House::new("");
    let server = house.start();
    for (arguments, words) in [
        (&["query", "sum("][..], "unclosed left parenthesis"),
        (&["query", "up", "--time", "yesterday"], "yesterday"),
        (&["query", "up", "--since", "5 parsecs"], "--since"),
    ] {
        let output = house.run(&[arguments, &["--url", &server.url]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
        assert!(stdout(&output).is_empty());
        let output = house.run(&[arguments, &["--url", &server.url, "--json"]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(document(&output).to_string().contains(words), "{}", stdout(&output));
    }
}

#[test]
fn a_server_that_is_not_there_is_told_in_one_line() {
    let house = House::new("");
    for command in [&["query", "up"][..], &["sources"]] {
        let output = house.run(&[command, &["--url", "http://127.0.0.1:1"]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            stderr(&output),
            "error: nothing listens at http://127.0.0.1:1: is `strata run` up? (--url names \
             another server)\n"
        );
        let output = house.run(&[command, &["--url", "http://127.0.0.1:1", "--json"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let told = document(&output);
        assert!(told["message"].as_str().unwrap().contains("nothing listens"), "{told}");
    }
}

#[test]
fn sources_are_listed_with_their_state() {
    let house = House::with_config(
        "[server]\notlp_grpc_listen = \"\"\notlp_http_listen = \"\"\n[discover]\nenabled = false\n",
    );
    let server = house.start();
    let table = stdout(&house.run(&["sources", "--url", &server.url]));
    assert!(table.starts_with("source "), "{table}");
    let cpu = table.lines().find(|line| line.starts_with("host/cpu ")).unwrap();
    assert!(cpu.contains("l3_host") && cpu.contains(" ok "), "{cpu}");
    let told = document(&house.run(&["sources", "--url", &server.url, "--json"]));
    let sources = told["sources"].as_array().unwrap();
    assert!(sources.iter().any(|source| source["id"] == "strata/self"), "{told}");
    let proxy = sources.iter().find(|source| source["id"] == "strata/proxy").unwrap();
    assert_eq!(proxy["state"], "absent", "it is not switched on, and how to is told: {proxy}");
    let none = ["absent", "unsupported"];
    for source in sources.iter().filter(|s| none.contains(&s["state"].as_str().unwrap())) {
        assert_eq!(source["faults_total"], 0, "what is not there is no fault: {source}");
        assert!(!source["hint"].as_str().unwrap().is_empty(), "{source}");
    }
}

#[test]
fn docs_are_written_and_named() {
    let house = House::new("");
    let pages =
        [("cli.md", "# "), ("config.md", "# "), ("metrics.md", "# "), ("openapi.json", "{")];
    let told = house.run(&["docs", "pages"]);
    assert!(told.status.success(), "{}", stderr(&told));
    for (page, beginning) in pages {
        assert!(stdout(&told).contains(page));
        let text = std::fs::read_to_string(house.path().join("pages").join(page)).unwrap();
        assert!(text.starts_with(beginning), "{page}");
    }
    let told = document(&house.run(&["docs", "pages", "--json"]));
    assert_eq!(told["files"].as_array().unwrap().len(), pages.len(), "{told}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let house = House::new("");
    let server = server_with_data(&house);
    for arguments in [
        &["query", "desk[10m]", "--url", server.url.as_str()][..],
        &["sources", "--json", "--url", server.url.as_str()],
        &["docs", "pages"],
    ] {
        let mut child = Command::new(STRATA)
            .current_dir(house.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {:?}", output.status);
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_told_and_does_not_stop_a_server() {
    let house = House::new("");
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut docs = Command::new(STRATA);
    let docs = docs.current_dir(house.path()).args(["docs", "pages"]).stdout(full());
    let output = docs.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));
    let log = house.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let mut child = house.command().stdout(full()).stderr(file).spawn().unwrap();
    let warned = std::panic::catch_unwind(|| {
        eventually("a warning", || {
            let told = std::fs::read_to_string(&log).unwrap();
            if told.contains("standard output") { Ok(()) } else { Err(told) }
        });
    });
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(warned.is_ok() && ended.is_none(), "{ended:?}");
}

#[test]
fn a_server_that_is_asked_to_end_ends_well() {
    let house = House::new("");
    let server = server_with_data(&house);
    let (status, log) = server.stop();
    assert!(status.success(), "{status:?}");
    assert_eq!(log, "", "nothing needs a person");
    let server = house.start();
    assert_eq!(server.value("sum(desk)", None), Some(32.0), "closed stores keep everything");
}
