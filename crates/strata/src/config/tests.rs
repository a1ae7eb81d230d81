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
            "line 3, column 11: scrape[0].targets: \"a/b\": write host:port; see scheme and path",
        ],
    );
}
