//! What is found, and what is left alone.

use proptest::prelude::*;

use super::*;

fn all() -> Redactor {
    Redactor::new(&BUILTIN.map(str::to_owned), &[]).unwrap()
}

#[test]
fn what_is_known_by_its_shape_is_taken_out() {
    let redactor = all();
    let check = |text: &str, expected: &str| {
        assert_eq!(redactor.clean(text).as_deref().unwrap_or(text), expected, "{text}");
    };
    check("write to jane.doe+x@mail.example.org now", "write to [email] now");
    check("<m\u{fc}ller@stra\u{df}e.example>", "<[email]>");
    // Numbers that card systems publish for tests.
    check("4111 1111 1111 1111 until 12/29", "[card] until 12/29");
    check("card 378282246310005, 5555-5555-5555-4444 2026", "card [card], [card] 2026");
    check("order 4111111111111112", "order 4111111111111112");
    check("at 1700000000000 ms", "at 1700000000000 ms");
    check("Authorization: Bearer abc.def-0123456789==", "Authorization: [secret]");
    check("key sk-proj-0123456789abcdefABCDEF.", "key [secret].");
    check("AKIAIOSFODNN7EXAMPLE and ghp_0123456789abcdefghij0123", "[secret] and [secret]");
    check("password: hunter2!", "[secret]");
    check("postgres://me:pw@db/x", "postgres[secret]db/x");
    check("-----BEGIN RSA PRIVATE KEY-----\nMII\n", "[secret]");
    check("from 10.1.2.3 and 2001:db8::8a2e:370:7334", "from [ip] and [ip]");
    check("at 12:30:45, version 1.2.3, std::fs::read", "at 12:30:45, version 1.2.3, std::fs::read");
    check("call +49 (30) 1234-5678 or (212) 555-0123", "call [phone] or [phone]");
    check("DE89 3704 0044 0532 0130 00 THANKS", "[iban] THANKS");
    check("GB83 WEST 1234 5698 7654 32", "GB83 WEST 1234 5698 7654 32");
    check("nothing to see in 2026", "nothing to see in 2026");
}

#[test]
fn only_what_was_asked_for_is_taken_out() {
    let own = [PatternOptions {
        name: "ticket".to_owned(),
        regex: r"(TCK)-\d+".to_owned(),
        replace: Some("$1-n".to_owned()),
    }];
    let redactor = Redactor::new(&["email".to_owned()], &own).unwrap();
    let cleaned = redactor.clean("a@b.org from 10.0.0.1 about TCK-77").unwrap();
    assert_eq!(cleaned, "[email] from 10.0.0.1 about TCK-n");
    assert!(Redactor::new(&[], &[]).unwrap().is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let pattern = |name: &str, regex: &str| PatternOptions {
        name: name.to_owned(),
        regex: regex.to_owned(),
        replace: None,
    };
    let own = [pattern("", "a"), pattern("x", "("), pattern("y", "a*")];
    let problems = Redactor::new(&["emial".to_owned()], &own).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["redact[0]", "patterns[0].name", "patterns[1].regex", "patterns[2].regex"]);
    assert!(problems[0].1.contains("there are secret, email"), "{problems:?}");
    assert!(problems[2].1.contains("unclosed group"), "{problems:?}");
}

proptest! {
    #[test]
    fn whatever_stands_around_it_a_secret_goes(
        before in "[ -~\u{e4}\n]{0,40}",
        after in "[ -~\u{e4}\n]{0,40}",
        secret in prop::sample::select(vec![
            "jane.doe@mail.example.org",
            "4111 1111 1111 1111",
            "sk-0123456789abcdef0123",
            "+49 30 1234567",
        ]),
    ) {
        // A letter right at it makes another word of it.
        let text = format!("{before} | {secret} | {after}");
        let cleaned = all().clean(&text).unwrap_or_default();
        prop_assert!(!cleaned.contains(secret), "{}", cleaned);
    }
}
