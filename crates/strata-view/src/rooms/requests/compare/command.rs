//! The comparison of a page as a command to copy.

use strata_cost::time::rfc3339;

use crate::request::Span;

/// `strata compare` of two models over the time of a page.
pub(super) fn compare(a: &str, b: &str, span: Span) -> String {
    let time = match span {
        Span::Live { seconds } => format!("--since {}", duration(i64::from(seconds) * 1_000)),
        Span::Fixed { start_ms, end_ms } => {
            let since = duration(end_ms.saturating_sub(start_ms));
            // Times are told to the second where they are whole ones.
            let end = match end_ms % 1_000 {
                0 => rfc3339(end_ms),
                _ => (end_ms as f64 / 1e3).to_string(),
            };
            format!("--since {since} --end {end}")
        }
    };
    format!("strata compare --a {} --b {} {time}", quoted(a), quoted(b))
}

/// A while as commands take it, in its largest whole unit.
fn duration(ms: i64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.into_iter().find(|(_, size)| ms > 0 && ms % size == 0);
    whole.map_or_else(|| format!("{ms}ms"), |(unit, size)| format!("{}{unit}", ms / size))
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_asks_for_the_time_of_the_page() {
        let live = compare("llama 70b", "it's", Span::Live { seconds: 21_600 });
        assert_eq!(live, r"strata compare --a 'llama 70b' --b 'it'\''s' --since 6h");
        let fixed = Span::Fixed { start_ms: 1_764_201_600_000, end_ms: 1_764_203_430_500 };
        let fixed = compare("a", "b", fixed);
        let expected = "strata compare --a a --b b --since 1830500ms --end 1764203430.5";
        assert_eq!(fixed, expected);
    }

    #[test]
    fn a_while_is_told_in_its_largest_whole_unit() {
        let check = |ms, expected: &str| assert_eq!(duration(ms), expected);
        check(604_800_000, "7d");
        check(5_400_000, "90m");
        check(61_000, "61s");
    }
}
