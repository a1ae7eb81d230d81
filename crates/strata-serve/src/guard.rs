//! Who may ask: bearer token, host names against DNS rebinding, no writes from foreign web pages.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use strata_view::PageId;

use crate::error::{Code, OwnError};

/// Text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keep a secret; surrounding white space, as files have it at the end, is removed.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compare in a time that depends only on the length of `offered`.
    fn matches(&self, offered: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let mut difference = own.len() ^ offered.len();
        for (index, byte) in offered.iter().enumerate() {
            let expected = if own.is_empty() { 0 } else { own[index % own.len()] };
            difference |= usize::from(std::hint::black_box(expected ^ byte));
        }
        std::hint::black_box(difference) == 0 && !own.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The rules of one listener.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) token: Option<Arc<Secret>>,
    /// Names allowed besides `localhost` and addresses; `None` when any name is.
    pub(crate) hosts: Option<Arc<[String]>>,
}

/// Paths a load balancer or kubelet asks without credentials. They tell nothing but "alive".
const PROBES: [&str; 4] = ["/-/healthy", "/-/ready", "/healthz", "/readyz"];

/// The middleware around every route of a listener.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if let Err(refusal) = guard.check(&request) {
        let unauthorized = refusal.code == Code::Unauthorized;
        if speaks_grpc(request.headers()) {
            let code = if unauthorized {
                tonic::Code::Unauthenticated
            } else {
                tonic::Code::PermissionDenied
            };
            return tonic::Status::new(code, refusal.message).into_http::<Body>();
        }
        let mut response = refusal.into_response();
        if unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"strata\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        return response;
    }
    let mut response = next.run(request).await;
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

impl Guard {
    fn check(&self, request: &Request) -> Result<(), OwnError> {
        let host = host_of(request);
        if let (Some(allowed), Some(host)) = (&self.hosts, host)
            && !host_allowed(host, allowed)
        {
            return Err(OwnError::new(
                Code::HostNotAllowed,
                format!("host {host:?} is not served here"),
                "ask by address or localhost, or add the name to allowed_hosts",
            ));
        }
        let path = request.uri().path();
        if PROBES.contains(&path) || is_web_page(path) {
            return Ok(());
        }
        if let Some(token) = &self.token
            && !bearer(request.headers()).is_some_and(|offered| token.matches(offered))
        {
            return Err(OwnError::new(
                Code::Unauthorized,
                "a bearer token is required",
                "send the header Authorization: Bearer TOKEN with the configured token",
            ));
        }
        Ok(())
    }
}

/// Files of the web page: the same for everyone, without data. A browser that opens an address sends
/// no token; the page asks its reader for one and sends it with what it asks for.
fn is_web_page(path: &str) -> bool {
    path == "/"
        || path.starts_with("/web/")
        || path.strip_prefix('/').is_some_and(|name| PageId::from_name(name).is_some())
}

/// Refuse a write that a web page of another origin makes its reader's browser send. Programs send
/// no `Origin`; a page of ours has our own.
pub(crate) fn refuse_cross_origin(request: &Request) -> Result<(), OwnError> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let authority = origin.to_str().ok().and_then(|text| text.split_once("://")).map(|(_, a)| a);
    if authority.is_some() && authority == host_of(request) {
        return Ok(());
    }
    Err(OwnError::new(
        Code::CrossOrigin,
        "a web page of another origin may not write here",
        "send the data from a program, not from a browser",
    ))
}

/// A gRPC client reads a refusal from its own headers, not from the status and body of HTTP.
fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The `Host` header, or the authority of an HTTP/2 request.
fn host_of(request: &Request) -> Option<&str> {
    match request.headers().get(header::HOST) {
        // A host that is not text is no name we know.
        Some(host) => Some(host.to_str().unwrap_or("?")),
        None => request.uri().authority().map(axum::http::uri::Authority::as_str),
    }
}

/// A page that rebinds its name to our address still sends its own name as the host; an address or
/// `localhost` cannot be rebound.
fn host_allowed(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host).to_ascii_lowercase();
    name == "localhost"
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || allowed.contains(&name)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_known_names_are_allowed() {
        let allowed = ["gpu-host.internal".to_owned()];
        let check = |host: &str, expected: bool| {
            assert_eq!(host_allowed(host, &allowed), expected, "{host}");
        };
        check("localhost", true);
        check("LOCALHOST:4808", true);
        check("127.0.0.1:4808", true);
        check("10.0.0.7", true);
        check("[::1]:4808", true);
        check("[::1]", true);
        check("gpu-host.internal:4808", true);
        check("evil.example:4808", false);
        check("localhost.evil.example", false);
        check("", false);
        check("?", false);
    }

    #[test]
    fn only_the_same_token_matches() {
        let secret = Secret::new("s3cret\n");
        assert!(secret.matches(b"s3cret"));
        for wrong in [&b""[..], b"s3cre", b"s3cret ", b"s3crets3cret", b"S3cret"] {
            assert!(!secret.matches(wrong));
        }
        assert!(!Secret::new("").matches(b""));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
