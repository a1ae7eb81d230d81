//! Two models side by side, from calls that were sent to the page, the document and the command.

use serde_json::Value as Json;

use crate::calls::{Calls, judge};
use crate::program::{House, Server, stderr, stdout};

/// A big model, and a small one that is faster and a little less liked.
fn filled(house: &House, (good_of_big, good_of_small): (u64, u64)) -> Server {
    let server = house.start();
    let calls = |model, ttft_ms| Calls {
        model,
        app: "chat",
        count: 1_000,
        ttft_ms,
        tokens: |n| [500 + n % 100, 200, 100],
    };
    calls("big", |n| 400 + n % 200).send(&server);
    calls("small", |n| 100 + n % 50).send(&server);
    for (model, good) in [("big", good_of_big), ("small", good_of_small)] {
        let thumbs = (0..1_000).map(|n| if n < good { 1.0 } else { 0.0 });
        judge(&server, model, "user_feedback", thumbs);
    }
    server
}

fn measure<'a>(answer: &'a Json, name: &str) -> &'a Json {
    let all = answer["measures"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))
}

#[test]
fn a_smaller_model_is_compared_by_what_its_users_got() {
    let house = House::new("");
    let server = filled(&house, (900, 800));
    let answer = server.get("/api/v1/requests/compare", &[("a", "big"), ("b", "small")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["answer"]["can_move"], "no", "{answer}");
    let liked = measure(&answer, "user_feedback by human");
    assert_eq!((&liked["verdict"], &liked["a"]["count"]), (&"worse".into(), &1_000.into()));
    // Wilson's interval of 800 of 1000, and Newcombe's of the difference to 900.
    let near = |value: &Json, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 5e-4;
    assert!(
        near(&liked["b"]["value"]["low"], 0.7741) && near(&liked["b"]["value"]["high"], 0.8236)
    );
    assert!(near(&liked["difference"]["low"], -0.1309), "{liked}");
    let first = measure(&answer, "TTFT p50");
    assert_eq!(first["verdict"], "better");
    assert!(near(&first["b"]["value"]["value"], 0.124), "{first}");
    assert_eq!(measure(&answer, "failed")["verdict"], "no_difference_shown");
    assert_eq!(measure(&answer, "cost per useful token")["verdict"], "too_few_data");
    // The page says the same, in a browser and on a terminal.
    let sides = [("view", "compare"), ("entity", "model:big"), ("against", "model:small")];
    let page = server.get("/api/v1/pages/requests", &sides).json();
    let card = &page["sections"][0]["blocks"][0];
    assert_eq!(card["title"], "Can we move from big to small? no");
    assert_eq!(card["commands"][0], "strata compare --a big --b small --since 1h");
    let command = ["compare", "--a", "big", "--b", "small", "--url", &server.url];
    let output = house.run(&command);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("Can we move from big to small? no\n"), "{text}");
    let line = text.lines().find(|line| line.starts_with("user_feedback by human")).unwrap();
    for part in ["90 %", "80 %", "77.4 % to 82.4 %", "worse"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let json = house.run(&[&command[..], &["--json"]].concat());
    let json: Json = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(json["answer"], answer["answer"]);
    // As a score of which less is better the same judgements say the opposite.
    let less = [&command[..], &["--less-is-better", "user_feedback"]].concat();
    let text = stdout(&house.run(&less));
    assert!(text.starts_with("Can we move from big to small? yes"), "{text}");
    let before = [&command[..], &["--end", "2020-01-01T00:00:00Z"]].concat();
    let text = stdout(&house.run(&before));
    assert!(text.contains("nobody can say yet"), "{text}");
}

#[test]
fn scores_of_which_less_is_better_may_be_configured() {
    let house = House::new("[records]\nless_is_better = [\"user_feedback\"]");
    let server = filled(&house, (900, 800));
    let path = "/api/v1/requests/compare";
    let answer = server.get(path, &[("a", "big"), ("b", "small"), ("margin", "0.5")]).json();
    let judged = measure(&answer, "user_feedback by human");
    assert_eq!(
        (&judged["better"], &judged["verdict"]),
        (&"less".into(), &"no_difference_shown".into())
    );
    let answer = server.get(path, &[("a", "big"), ("b", "small")]).json();
    assert_eq!(measure(&answer, "user_feedback by human")["verdict"], "better");
    let sides = [("view", "compare"), ("entity", "model:big"), ("against", "model:small")];
    let page = server.get("/api/v1/pages/requests", &sides).json();
    let title = page["sections"][0]["blocks"][0]["title"].as_str().unwrap();
    assert!(title.starts_with("Can we move from big to small? yes"), "{title}");
}

#[test]
fn models_are_offered_and_nonsense_is_refused() {
    let house = House::new("");
    let server = filled(&house, (900, 890));
    let page = |more: &[(&str, &str)]| {
        let all = [&[("view", "compare")], more].concat();
        let answer = server.get("/api/v1/pages/requests", &all);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let rows = |page: &Json| {
        let sections = page["sections"].as_array().unwrap();
        let models = sections.iter().find(|one| one["id"] == "models").unwrap();
        models["blocks"][0]["rows"].as_array().unwrap().clone()
    };
    let first = rows(&page(&[]));
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["link"]["params"][1][0], "entity");
    let second = rows(&page(&[("entity", "model:big")]));
    assert_eq!(second[0]["cells"][0]["text"], "small");
    assert_eq!(second[0]["link"]["params"][2], serde_json::json!(["against", "model:small"]));
    let wrong = page(&[("entity", "gpu:1"), ("against", "model:small")]);
    assert!(wrong["sections"][0]["blocks"][0]["text"].as_str().unwrap().contains("no model"));
    let path = "/api/v1/requests/compare";
    for (parameters, words) in [
        (&[("a", "big")][..], "b is missing"),
        (&[("a", "big"), ("b", "big")], "with itself"),
        (&[("a", "big"), ("b", "small"), ("margin", "2")], "margin"),
        (&[("a", "big"), ("b", "small"), ("mood", "good")], "no parameter"),
    ] {
        let answer = server.get(path, parameters);
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    // A model that nobody asked has nothing to be compared by.
    let empty = server.get(path, &[("a", "big"), ("b", "nobody")]).json();
    assert_eq!(empty["answer"]["can_move"], "not_yet");
    assert!(
        empty["measures"].as_array().unwrap().iter().all(|one| one["verdict"] == "too_few_data")
    );
}
