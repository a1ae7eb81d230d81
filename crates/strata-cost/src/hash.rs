//! SHA-256, as `sha256sum` writes it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The hash of a text in hexadecimal.
pub fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // A String takes everything that is written to it.
        write!(hex, "{byte:02x}").unwrap_or_default();
    }
    hex
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standards_own_example() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::sha256("abc"), expected);
    }
}
