//! Whose call it is: by a header, or by the API key, which is hashed at once and never kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use crate::headers;

/// A key map larger than this is a mistake in the path.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// A tenant's name longer than this is cut off the record.
const TENANT_MAX: usize = 64;

/// Why the key map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyMapError {
    #[error("cannot read the key map {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the key map {path} is larger than {FILE_BYTES_MAX} bytes")]
    Large { path: PathBuf },
    #[error("line {line} of the key map {path} is not a SHA-256 in hexadecimal and a tenant")]
    Line { path: PathBuf, line: usize },
}

/// Tenants by the SHA-256 of their API keys: lines of the hash in hexadecimal, a space, the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyMap(HashMap<[u8; 32], Arc<str>>);

impl KeyMap {
    /// Read a file.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or a line is not what it should be.
    pub fn read(path: &Path) -> Result<Self, KeyMapError> {
        let read = |source| KeyMapError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(KeyMapError::Large { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&text).map_err(|line| KeyMapError::Line { path: path.to_owned(), line })
    }

    /// The line that is wrong, counted from 1, when one is.
    fn parse(text: &str) -> Result<Self, usize> {
        let mut map = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = index + 1;
            let (hash, tenant) = line.split_once(char::is_whitespace).ok_or(wrong)?;
            let tenant = tenant.trim();
            if tenant.is_empty() || tenant.len() > TENANT_MAX {
                return Err(wrong);
            }
            map.insert(from_hex(hash).ok_or(wrong)?, Arc::from(tenant));
        }
        Ok(Self(map))
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Names tenants and hashes keys.
pub(crate) struct Tenants {
    pub(crate) header: Option<String>,
    pub(crate) keys: KeyMap,
    /// The key of the keyed hash: whoever reads the records cannot try keys against them.
    pub(crate) secret: [u8; 32],
}

impl Tenants {
    /// The tenant and the keyed hash of the API key, of a request with these headers.
    pub(crate) fn of(&self, headers: &HeaderMap) -> (Option<Arc<str>>, Option<String>) {
        let key = api_key(headers);
        let by_key = || self.keys.0.get(<[u8; 32]>::from(Sha256::digest(key?)).as_slice()).cloned();
        let by_header = self.header.as_deref().and_then(|name| headers::text(headers, name));
        let by_header = by_header.filter(|name| !name.is_empty() && name.len() <= TENANT_MAX);
        let tenant = by_header.map(Arc::from).or_else(by_key);
        (tenant, key.map(|key| self.hash(key)))
    }

    /// HMAC-SHA256 (RFC 2104) with the secret, its first 8 bytes.
    fn hash(&self, key: &[u8]) -> String {
        let pad = |with: u8| {
            let mut block = [with; 64];
            for (byte, secret) in block.iter_mut().zip(self.secret) {
                *byte ^= secret;
            }
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(key).finalize();
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        hex(outer.get(..8).unwrap_or_default())
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    bytes.iter().flat_map(digits).flatten().collect()
}

/// The key a client presents, where `OpenAI`, Anthropic and Azure clients put it.
fn api_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get("authorization").map(|value| {
        let value = value.as_bytes();
        match value.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case(b"bearer ") => {
                value.get(7..).unwrap_or(value)
            }
            _ => value,
        }
    });
    let named = || ["x-api-key", "api-key"].iter().find_map(|name| headers.get(*name));
    bearer.or_else(|| named().map(hyper::header::HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn tenants_come_from_the_header_or_the_key() {
        // SHA-256 of "sk-1".
        let hash = hex(&Sha256::digest(b"sk-1"));
        let keys = KeyMap::parse(&format!("# keys\n{hash} search\n\n")).unwrap();
        let tenants = Tenants { header: Some("x-team".to_owned()), keys, secret: [7; 32] };
        let check = |pairs: &[(&'static str, &str)], tenant: Option<&str>, hashed: bool| {
            let (got, key) = tenants.of(&headers(pairs));
            assert_eq!((got.as_deref(), key.is_some()), (tenant, hashed), "{pairs:?}");
        };
        check(&[("authorization", "Bearer sk-1")], Some("search"), true);
        check(&[("x-api-key", "sk-1"), ("x-team", "ads")], Some("ads"), true);
        check(&[("authorization", "Bearer sk-2")], None, true);
        check(&[], None, false);
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(KeyMap::parse("\nsk-live-123 search\n"), Err(2));
        assert_eq!(KeyMap::parse(&"0".repeat(64)), Err(1));
    }

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2 with its key padded by zeros, as HMAC does itself.
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(b"Jefe");
        let tenants = Tenants { header: None, keys: KeyMap::default(), secret };
        assert_eq!(tenants.hash(b"what do ya want for nothing?"), "5bdcc146bf60754e");
    }
}
