//! A configuration with mistakes, and what a person is told about them.

use super::parse;

fn check(text: &str, expected: &[&str]) {
    let problems = match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(problems, expected, "{text}");
}

#[test]
fn nothing_is_required() {
    check("", &[]);
}

#[test]
fn one_number_bounds_queries_on_both_floors() {
    let settings = parse("[server]\nquery_concurrency = 3\nquery_timeout = \"7s\"\n").unwrap();
    assert_eq!((settings.server.query_concurrency, settings.query.max_concurrent), (3, 3));
    assert_eq!(settings.query.timeout, std::time::Duration::from_secs(7));
    check("[query]\ntimeout = \"7s\"\n", &["line 2, column 1: unknown key `query.timeout`"]);
    check(
        "[query]\nmax_concurrent = 3\n",
        &["line 2, column 1: unknown key `query.max_concurrent`"],
    );
}

#[test]
fn a_slip_gets_a_suggestion() {
    check(
        "[server]\nlissten = \"127.0.0.1:1\"\n",
        &["line 2, column 1: unknown key `server.lissten`, did you mean `server.listen`?"],
    );
}

#[test]
fn all_problems_come_at_once() {
    check(
        "[store]\nretention = 3\n[serve]\n[host]\ninterval = \"soon\"\n",
        &[
            "line 2, column 13: `store.retention` must be a string, not a whole number",
            "line 3, column 2: unknown key `serve`, did you mean `server`?",
            "line 5, column 12: host.interval: \"soon\" is not a duration, write for example \"15s\"",
        ],
    );
}

#[test]
fn a_mistake_is_told_once() {
    check(
        "[[scrape]]\njob = \"x\"\ntarget = [\"a:1\"]\n",
        &["line 3, column 1: unknown key `scrape[0].target`, did you mean `scrape[0].targets`?"],
    );
    check(
        "[[scrape]]\njob = 3\ntargets = [\"a/b\"]\n",
        &[
            "line 2, column 7: `scrape[0].job` must be a string, not a whole number",
            "line 3, column 12: scrape[0].targets[0]: \"a/b\": write host:port; see scheme and path",
        ],
    );
}

#[test]
fn wrong_values_come_at_once_whichever_part_finds_them() {
    check(
        "[server]\nlisten = \"here\"\ntoken_env = \"A\"\ntoken_file = \"b\"\n\
         [store]\nretention = \"1ms\"\n\
         [query]\nmax_samples = 0\n\
         [host]\ninterval = \"soon\"\n\
         [host.processes]\npatterns = [\"good\", \"(\"]\n\
         [discover]\ninterval = \"1ms\"\n\
         [otlp]\nnamespace = \"a b\"\n",
        &[
            "line 2, column 10: server.listen: \"here\" is not an address with a port, write for \
             example \"127.0.0.1:4808\"",
            "line 3, column 13: server.token_env: token_file is set too, use one of them",
            "line 6, column 13: store.retention: \"1ms\" is not between 1h and 36500d",
            "line 8, column 15: query.max_samples: must not be 0",
            "line 10, column 12: host.interval: \"soon\" is not a duration, write for example \
             \"15s\"",
            "line 12, column 21: host.processes.patterns[1]: regex parse error:\n    (\n    ^\n\
             error: unclosed group",
            "line 14, column 12: discover.interval: the shortest is 1s",
            "line 16, column 13: otlp.namespace: \"a b\" may hold ASCII letters, digits and _ only",
        ],
    );
}

#[test]
fn a_wrong_value_is_found_in_its_job() {
    check(
        "[[scrape]]\njob = \"a\"\ntargets = [\"h:1\"]\n\
         [[scrape]]\njob = \"b\"\ntargets = [\"h:1\", \"http://h/\"]\ninterval = \"never\"\n\
         [[scrape]]\njob = \"a\"\ntargets = [\"h:2\"]\n[scrape.tls]\ncert_file = \"c\"\n",
        &[
            "line 6, column 19: scrape[1].targets[1]: \"http://h/\": write host:port; see scheme \
             and path",
            "line 7, column 12: scrape[1].interval: \"never\" is not a duration, write for example \
             \"15s\"",
            "line 9, column 7: scrape[2].job: another job is already named \"a\"",
            "line 11, column 1: scrape[2].tls.key_file: cert_file and key_file belong together",
        ],
    );
}

/// A file with a bit of everything.
const FULL: &str = r#"
[server]
listen = "127.0.0.1:4808"
query_timeout = "30s"
[store]
retention = "30d"
[host]
interval = "5s"
[[scrape]]
job = "engines"
targets = ["127.0.0.1:8000"]
headers = { "X-A" = "b" }
bearer_token_env = "TOKEN"
[[scrape]]
job = "files"
file_sd = ["targets.json"]
timeout = 3
"#;

proptest::proptest! {
    /// Whatever happens to a file on its way, it is read or its problems are told, each in words.
    #[test]
    fn a_damaged_file_is_told(cut in 0..FULL.len(), at in 0..FULL.len(), more in "[ -~\\n]{0,12}|\\PC{0,4}") {
        let mut text = FULL.get(..cut).unwrap_or_default().to_owned();
        let at = at.min(text.len());
        text.insert_str(at, &more);
        if let Err(problems) = parse(&text) {
            proptest::prop_assert!(!problems.is_empty());
            for problem in problems {
                proptest::prop_assert!(problem.to_string().starts_with("line "), "{problem}");
            }
        }
    }
}
