//! Every mistake that `docs/mistakes.md` lists is kept out by tests that exist.

/// What keeps one mistake out: a file below `crates`, and the test in it; scenarios are whole files.
fn guards(line: &str) -> Vec<(&str, Option<&str>)> {
    let last = line.trim_end_matches(" |").rsplit_once(" | ").map_or("", |(_, last)| last);
    let quoted = last.split('`').skip(1).step_by(2);
    quoted
        .map(|guard| match guard.split_once(": ") {
            Some((file, test)) => (file, Some(test)),
            None => (guard, None),
        })
        .collect()
}

#[test]
fn every_mistake_is_kept_out_by_tests_that_exist() {
    let root = crate::check::root();
    let page = std::fs::read_to_string(root.join("docs/mistakes.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<&str> =
        rows.filter(|line| !line.starts_with("| # |") && !line.starts_with("| trap |")).collect();
    assert_eq!(rows.len(), 20 + 12, "twenty defects and the traps of the sources");
    let mut wrong = Vec::new();
    for row in rows {
        let guards = guards(row);
        assert!(!guards.is_empty(), "nothing keeps it out: {row}");
        for (file, test) in guards {
            let text = std::fs::read_to_string(root.join("crates").join(file));
            let is_there = match (&text, test) {
                (Ok(text), Some(test)) => {
                    text.contains(&format!("fn {test}(")) && text.contains("test]")
                }
                (Ok(_), None) => file.contains("/scenarios/"),
                (Err(_), _) => false,
            };
            if !is_there {
                wrong.push(format!("{file}: {}", test.unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty(), "named and not there: {wrong:#?}");
}
