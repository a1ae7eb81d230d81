//! Numbers that carry a check of their own.

use super::patterns::Found;

/// Digits of a payment card (ISO/IEC 7812).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Letters and digits of an account (ISO 13616): Norway has the fewest, Malta nearly the most.
const ACCOUNT_LENGTH: std::ops::RangeInclusive<usize> = 15..=34;
/// Groups of an address of IPv6.
const GROUPS: usize = 8;

/// Offsets of the groups of digits or letters, each with its end.
fn groups(text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut open = false;
    for (at, one) in text.char_indices() {
        if one.is_ascii_alphanumeric() {
            match found.last_mut() {
                Some(last) if open => last.end = at + 1,
                _ => found.push(at..at + 1),
            }
        }
        open = one.is_ascii_alphanumeric();
    }
    found
}

/// Card numbers in a run of digits: from the beginning of a group to the end of one, where the last
/// digit checks the others. A date behind a number does not hide it.
pub(super) fn cards(text: &str) -> Vec<Found> {
    let groups = groups(text);
    let mut found = Vec::new();
    let mut first = 0;
    while let Some(start) = groups.get(first) {
        let behind = groups.iter().enumerate().skip(first).rev();
        // The longest: what is left of a longer number would still tell much of it.
        let fits = behind.map(|(last, group)| (last, start.start..group.end)).find(|(_, range)| {
            let text = text.get(range.clone()).unwrap_or_default();
            let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
            // Cards of payment systems begin with 2 to 6.
            matches!(digits.first(), Some(b'2'..=b'6'))
                && CARD_DIGITS.contains(&digits.len())
                && luhn(&digits)
        });
        match fits {
            Some((last, range)) => {
                found.push(range);
                first = last + 1;
            }
            None => first += 1,
        }
    }
    found
}

/// ISO/IEC 7812-1, annex B: from the right every second digit doubled, the sum a multiple of ten.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') << (place % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Account numbers: from the beginning to the end of a group, where the check digits are right. A
/// word in capitals behind the number does not hide it.
pub(super) fn accounts(text: &str) -> Vec<Found> {
    let ends = groups(text).into_iter().map(|group| group.end).rev();
    let account = ends.map(|end| 0..end).find(|range| {
        let text = text.get(range.clone()).unwrap_or_default();
        let signs: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).collect();
        ACCOUNT_LENGTH.contains(&signs.len()) && mod_97(&signs) == 1
    });
    account.into_iter().collect()
}

/// ISO 13616: the first four signs behind the others, letters as 10 to 35, the rest by 97.
fn mod_97(signs: &[u8]) -> u32 {
    let (head, tail) = signs.split_at(4.min(signs.len()));
    tail.iter().chain(head).fold(0, |rest, sign| {
        let value = char::from(*sign).to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

/// Whether the text is an address of IPv6 (RFC 4291); times of day have colons too.
pub(super) fn addresses(text: &str) -> Vec<Found> {
    // The colon before or behind belongs to the sentence, unless it is doubled.
    let trimmed = text.strip_suffix(':').filter(|rest| !rest.ends_with(':')).unwrap_or(text);
    let begun = trimmed.strip_prefix(':').filter(|rest| !rest.starts_with(':'));
    let start = usize::from(begun.is_some());
    let one = begun.unwrap_or(trimmed);
    let short = one.matches("::").count();
    let parts: Vec<&str> = one.split(':').filter(|part| !part.is_empty()).collect();
    let fine = parts.iter().all(|part| part.len() <= 4);
    let fits = match short {
        0 => parts.len() == GROUPS,
        // `::1` is this machine and `a::b` may be a path of a program: two groups tell nobody.
        1 => (3..GROUPS).contains(&parts.len()),
        _ => false,
    };
    let whole = (fine && fits && !one.contains(":::")).then(|| start..start + one.len());
    whole.into_iter().collect()
}
