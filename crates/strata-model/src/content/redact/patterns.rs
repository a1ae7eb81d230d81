//! The built-in patterns: expressions, and the second look where an expression is not enough.

use std::ops::Range;

use super::numbers;

/// A part of what an expression found, in bytes from its beginning.
pub(super) type Found = Range<usize>;
/// Tells which parts are meant.
type Look = fn(&str) -> Vec<Found>;

/// Keys by the forms their makers gave them so that they can be found: the prefixes of `OpenAI` and
/// Anthropic, Stripe, GitHub, GitLab, Slack, AWS, Google and Hugging Face.
const KEYS: &str = r"\b(?:(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{20,})";
/// A bearer token (RFC 6750), and a token in three parts (RFC 7519) wherever it stands.
const TOKENS: &str = r"(?i:\bbearer\s+[a-z0-9._~+/-]{8,}=*)|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?";
/// A private key in PEM (RFC 7468), also one whose end is missing.
const PEM: &str =
    r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)";
/// `password: hunter2`, `API_KEY="..."`; and `scheme://user:word@`.
const SAID: &str = r#"(?i)\b(?:api[_-]?key|access[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret|secret|password|passwd|pwd)["']?\s*[:=]\s*["']?[^\s"',;]{4,}|://[^/\s:@]+:[^/\s@]+@"#;
const EMAIL: &str = r"[\pL\pN][\pL\pN._%+'-]*@[\pL\pN-]+(?:\.[\pL\pN-]+)*\.\pL{2,}";
/// ISO 13616: country, two check digits, up to 30 letters and digits, in groups or not.
const IBAN: &str = r"\b[A-Z]{2}[0-9]{2}(?:[ \u{a0}]?[A-Z0-9]){11,30}\b";
/// Thirteen digits and more, in groups or not; ISO 7812 has at most 19.
const CARD: &str = r"[0-9](?:[ \u{a0}.-]?[0-9]){12,}";
const IPV4: &str =
    r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b";
const IPV6: &str = r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*";
/// E.164: at most 15 digits behind the plus sign.
const PHONE: &str = r"(?:\+|\b00)[1-9](?:[ \u{a0}().-]{0,2}[0-9]){7,14}\b";
/// The North American plan, which is written without a country.
const PHONE_NANP: &str = r"(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}\b";

/// The expressions of a built-in pattern.
pub(super) fn of(name: &str) -> Vec<(&'static str, Option<Look>)> {
    match name {
        "secret" => vec![(PEM, None), (TOKENS, None), (KEYS, None), (SAID, None)],
        "email" => vec![(EMAIL, None)],
        "iban" => vec![(IBAN, Some(numbers::accounts))],
        "card" => vec![(CARD, Some(numbers::cards))],
        "ip" => vec![(IPV4, None), (IPV6, Some(numbers::addresses))],
        "phone" => vec![(PHONE, None), (PHONE_NANP, None)],
        _ => Vec::new(),
    }
}
