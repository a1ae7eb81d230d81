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
    let settings = parse("[server]\nquery_concurrency = 3\n").unwrap();
    assert_eq!((settings.server.query_concurrency, settings.query.max_concurrent), (3, 3));
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
        ],
    );
}
