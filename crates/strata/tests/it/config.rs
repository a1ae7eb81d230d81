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
    // Whose GPUs this host's are is tried elsewhere, and depends on the host.
    let listen = "[server]\nlisten = \"127.0.0.1:0\"\n[kubernetes]\nenabled = false\n\
        [slurm]\nenabled = false\n";
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
    assert!(stderr(&output).contains("1 of 7 checks failed"), "{}", stderr(&output));
    let output = house.run(&["check", "--json"]);
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["ok"]), (Some(1), &false.into()));
    assert_eq!(told["trials"].as_array().unwrap().len(), 7, "{told}");
    let house = House::with_config(&format!("{listen}{live}"));
    assert!(house.run(&["check"]).status.success());
    let asked = page.asked();
    assert!(house.run(&["check", "--offline"]).status.success());
    assert_eq!(page.asked(), asked, "offline connects to nothing");
}

#[test]
fn check_reads_prices_and_says_which_of_two_is_used() {
    let house = House::with_config("[cost]\nprices = \"prices.toml\"\ntariff = \"tariff.toml\"\n");
    let owned = "[[owned]]\ngpu = \"H100\"\ncurrency = \"USD\"\nsource = \"invoice 17\"\n\
        date = 2026-01-01\ngpus = 8\nservers = 320000\nnetwork = 0\nstorage = 0\nspares = 0\n\
        residual = 0\nrate = 0\nyears = 4\navailability = 1\nmaintenance = 0\nkw_per_gpu = 1\n\
        pue = 1\nload_factor = 1\nper_kwh = 0\ncolo_per_kw_month = 0\nstaff = 0\n";
    let price = "[[price]]\ngpu = \"H100\"\nper_hour = 2\ncurrency = \"USD\"\n\
        source = \"contract\"\ndate = 2026-01-01\n";
    let write = |name: &str, text: String| std::fs::write(house.path().join(name), text).unwrap();
    let run = || {
        let output = house.run(&["check", "--offline"]);
        (output.status.code(), stdout(&output))
    };
    let tariff = |currency: &str| {
        format!("name = \"n\"\ncurrency = \"{currency}\"\n[[sell]]\nmodel = \"m\"\nprompt = 1\n")
    };
    write("tariff.toml", tariff("USD"));
    write("prices.toml", format!("{owned}{price}"));
    let (code, told) = run();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("2 of your own") && told.contains("n: 1 rows"), "{told}");
    assert!(told.contains("H100 SXM has two prices at the same time: 2.0000 (contract)"), "{told}");
    write("prices.toml", format!("{owned}{price}term = \"owned\"\n"));
    write("tariff.toml", tariff("EUR"));
    let (code, told) = run();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("price[0] prices the same owned hardware"), "{told}");
    assert!(told.contains("it sells in EUR, the ledger is in USD"), "{told}");
}

/// What `strata check --json` says about each thing it tried.
fn trials(house: &House) -> Vec<Json> {
    let output = house.run(&["check", "--json"]);
    let told: Json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    told["trials"].as_array().unwrap().clone()
}

/// The trial whose name ends so.
fn trial<'a>(trials: &'a [Json], end: &str) -> &'a Json {
    let found = trials.iter().find(|trial| trial["what"].as_str().unwrap().ends_with(end));
    found.unwrap_or_else(|| panic!("no trial {end}: {trials:?}"))
}

#[test]
fn check_reads_lists_and_tries_their_targets() {
    let page = Page::serve(fixture("metrics/vllm-0.32.0.prom"));
    let house = House::with_config(
        "[server]\nlisten = \"127.0.0.1:0\"\n[[scrape]]\njob = \"x\"\n\
         file_sd = [\"good.json\", \"bad.json\", \"gone.json\"]\n\
         [[scrape.http_sd]]\nurl = \"http://127.0.0.1:1/list\"\n",
    );
    let good = format!(r#"[{{"targets": ["{}", "host/path"]}}]"#, page.address);
    std::fs::write(house.path().join("good.json"), good).unwrap();
    std::fs::write(house.path().join("bad.json"), "[{\n\"targets\": 5}]").unwrap();
    let tried = trials(&house);
    let check = |end: &str, line: u64, words: &str| {
        let failed = trial(&tried, end);
        assert_eq!((&failed["ok"], &failed["line"]), (&false.into(), &line.into()), "{failed}");
        assert_eq!(failed["file"], "strata.toml");
        assert!(failed["outcome"].as_str().unwrap().contains(words), "{failed}");
        assert!(!failed["hint"].as_str().unwrap().is_empty(), "{failed}");
    };
    check("good.json", 5, "host/path");
    check("bad.json", 5, "line 2");
    check("gone.json", 5, "No such file");
    check("/list", 7, "onnect");
    let target = trial(&tried, &page.address.to_string());
    assert!(target["ok"] == true && target["outcome"].as_str().unwrap().contains("samples"));
}

#[test]
fn check_tries_the_proxy_and_its_upstreams() {
    let page = Page::serve(fixture("metrics/vllm-0.32.0.prom"));
    let config = |listen: &str, secret: &str| {
        let address = page.address;
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[proxy]\nlisten = \"{listen}\"\n{secret}\
             [[proxy.upstreams]]\nname = \"live\"\nurl = \"http://{address}\"\n\
             [[proxy.upstreams]]\nname = \"dead\"\nurl = \"http://127.0.0.1:1\"\n"
        )
    };
    let tried = trials(&House::with_config(&config("127.0.0.1:0", "")));
    assert_eq!(trial(&tried, "proxy listen address")["ok"], true, "{tried:?}");
    assert_eq!(trial(&tried, "proxy upstream live")["ok"], true, "{tried:?}");
    let dead = trial(&tried, "proxy upstream dead");
    assert_eq!((&dead["ok"], &dead["line"]), (&false.into(), &10.into()), "{dead}");
    assert!(dead["outcome"].as_str().unwrap().contains("127.0.0.1:1: "), "{dead}");
    assert!(!dead["hint"].as_str().unwrap().is_empty(), "{dead}");
    // The port of the page is taken; a secret that is not there stops the proxy.
    let taken = page.address.to_string();
    let secret = "hash_secret_file = \"gone\"\n";
    let tried = trials(&House::with_config(&config(&taken, secret)));
    assert_eq!(trial(&tried, "proxy listen address")["line"], 4, "{tried:?}");
    assert!(trial(&tried, "proxy")["outcome"].as_str().unwrap().contains("gone"), "{tried:?}");
}

#[test]
fn check_reads_secrets_and_certificates_and_shows_none() {
    let house = House::with_config(
        "[server]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n[[scrape]]\njob = \"a\"\n\
         targets = [\"127.0.0.1:1\"]\nbearer_token_file = \"empty\"\n[[scrape]]\njob = \"b\"\n\
         targets = [\"127.0.0.1:1\"]\nscheme = \"https\"\n[scrape.tls]\nca_file = \"empty\"\n\
         [[scrape]]\njob = \"c\"\ntargets = [\"127.0.0.1:1\"]\n[scrape.basic_auth]\n\
         username = \"u\"\npassword_file = \"token\"\n",
    );
    std::fs::write(house.path().join("token"), "not-for-eyes\n").unwrap();
    std::fs::write(house.path().join("empty"), " \n").unwrap();
    let tried = trials(&house);
    let empty = trial(&tried, "a secret");
    assert_eq!((&empty["ok"], &empty["line"]), (&false.into(), &7.into()), "{empty}");
    assert!(empty["outcome"].as_str().unwrap().contains("is empty"), "{empty}");
    let none = trial(&tried, "b tls.ca_file");
    assert_eq!((&none["ok"], &none["line"]), (&false.into(), &13.into()), "{none}");
    assert!(none["outcome"].as_str().unwrap().contains("no certificate"), "{none}");
    assert_eq!(trial(&tried, "c secret")["ok"], true);
    assert_eq!(trial(&tried, "bearer token")["ok"], true);
    let told = stdout(&house.run(&["check"]));
    assert!(!told.contains("not-for-eyes"), "{told}");
    assert!(told.contains("strata.toml:7: "), "{told}");
    std::fs::remove_file(house.path().join("token")).unwrap();
    let tried = trials(&house);
    for gone in ["bearer token", "c secret"] {
        let gone = trial(&tried, gone);
        assert!(gone["ok"] == false && gone["outcome"].as_str().unwrap().contains("token"));
    }
}

#[test]
fn check_tries_the_ports_of_otlp() {
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = owner.local_addr().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = House::with_config(&format!(
        "[server]\nlisten = \"{free}\"\notlp_grpc_listen = \"{free}\"\n\
         otlp_http_listen = \"{taken}\"\n"
    ));
    let tried = trials(&house);
    let twice = trial(&tried, "OTLP over gRPC");
    assert_eq!((&twice["ok"], &twice["line"]), (&false.into(), &3.into()), "{twice}");
    assert!(twice["hint"].as_str().unwrap().contains("twice"), "{twice}");
    let taken = trial(&tried, "OTLP over HTTP");
    assert_eq!((&taken["ok"], &taken["line"]), (&false.into(), &4.into()), "{taken}");
    assert!(taken["hint"].as_str().unwrap().contains("otlp_http_listen"), "{taken}");
    drop(owner);
}
