//! The web page: plain files built into the program, packed when it was built.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::own::strata;
use crate::state::App;

/// One file: path below `/`, type, gzip of its text, hash of its text.
struct Asset {
    path: &'static str,
    kind: &'static str,
    packed: &'static [u8],
    tag: &'static str,
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Everything comes from here and nowhere else; nothing written inline runs.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; object-src 'none'; img-src 'self' data:";

/// The page at `/` and at the path of each page.
pub(crate) async fn index(State(_app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.path == "index.html") {
        Some(asset) => answer(asset, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whatever else is asked for: a browser gets the page, which says that there is no such thing and
/// where to go; a program gets the error alone.
pub(crate) async fn unknown(uri: Uri, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let page = ASSETS.iter().find(|asset| asset.path == "index.html");
    match page.filter(|_| accept.is_some_and(|kinds| kinds.contains("text/html"))) {
        Some(asset) => {
            let mut response = answer(asset, &HeaderMap::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
        None => strata::unknown(uri).await.into_response(),
    }
}

/// A file below `/web/`.
pub(crate) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches("/web/");
    match ASSETS.iter().find(|asset| asset.path == path) {
        Some(asset) => answer(asset, &headers),
        None => strata::unknown(uri).await.into_response(),
    }
}

fn answer(asset: &Asset, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = if known.is_some_and(|tags| tags.trim() == "*" || tags.contains(asset.tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts_gzip(headers) {
        let mut response = Body::from(asset.packed).into_response();
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
        response
    } else {
        Body::from(plain(asset)).into_response()
    };
    let set = response.headers_mut();
    let values = [
        (header::CONTENT_TYPE, asset.kind),
        (header::ETAG, asset.tag),
        // Asked again each time and answered with "unchanged": an update shows at once.
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept-Encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in values {
        set.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.split(',').any(|one| one.trim().starts_with("gzip")))
}

/// The text of a file, for the few clients that take no gzip.
fn plain(asset: &Asset) -> Vec<u8> {
    use std::io::Read;
    let mut text = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "what is unpacked was built in by us")]
    let unpacked = flate2::read::GzDecoder::new(asset.packed).read_to_end(&mut text);
    if let Err(error) = unpacked {
        tracing::error!(path = asset.path, %error, "a built-in file cannot be unpacked");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser loads besides pages: the budget of the whole web page.
    const GZIP_BYTES_MAX: usize = 120_000;

    #[test]
    fn scripts_and_styles_stay_within_their_budget() {
        let size: usize = ASSETS.iter().map(|asset| asset.packed.len()).sum();
        assert!(size <= GZIP_BYTES_MAX, "{size} bytes of gzip");
        assert!(ASSETS.iter().any(|asset| asset.path == "index.html"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_is_inline() {
        for asset in ASSETS.iter().filter(|asset| asset.kind.starts_with("text/html")) {
            let text = String::from_utf8(plain(asset)).unwrap();
            for forbidden in ["http://", "https://", "<style", "onclick", "style="] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", asset.path);
            }
        }
    }
}
