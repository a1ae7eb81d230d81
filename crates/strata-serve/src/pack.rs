//! Gzip for answers that leave this machine: JSON of a dashboard shrinks to a tenth.
//!
//! Only on listeners that other machines reach; between two programs of one machine packing costs
//! both of them more than the bytes do.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use tonic::codegen::tokio_stream::Stream;

/// Below one packet there is nothing to gain.
const PACKED_FROM_BYTES: u64 = 1400;

/// The middleware: pack what is worth it for a client that can unpack it.
pub(crate) async fn pack(request: Request, next: Next) -> Response {
    let wanted = accepts_gzip(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let small = response.body().size_hint().upper().is_some_and(|size| size < PACKED_FROM_BYTES);
    if !wanted || small || !packable(response.headers()) {
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(header::CONTENT_LENGTH);
    response.map(|body| Body::from_stream(Packed::new(body)))
}

/// Not what is packed already, which a client would unpack once only, and not a stream of events:
/// the encoder would keep each event back until its buffer is full.
fn packable(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    !headers.contains_key(header::CONTENT_ENCODING) && !kind.starts_with(b"text/event-stream")
}

/// `gzip` among the accepted encodings, and not with weight zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().trim_start_matches("q=");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse::<f32>().unwrap_or(1.0) > 0.0
    })
}

/// A body being packed piece by piece.
struct Packed {
    inner: BodyDataStream,
    /// `None` once the end has been written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Packed {
    fn new(body: Body) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { inner: body.into_data_stream(), encoder: Some(encoder) }
    }
}

impl Stream for Packed {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let Some(encoder) = &mut this.encoder else { return Poll::Ready(None) };
            match ready!(Pin::new(&mut this.inner).poll_next(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Some(Ok(piece)) => {
                    if let Err(error) = encoder.write_all(&piece) {
                        return Poll::Ready(Some(Err(error)));
                    }
                    if !encoder.get_ref().is_empty() {
                        let packed = std::mem::take(encoder.get_mut());
                        return Poll::Ready(Some(Ok(Bytes::from(packed))));
                    }
                }
                None => {
                    let rest = this.encoder.take().map(GzEncoder::finish);
                    return Poll::Ready(rest.map(|rest| rest.map(Bytes::from)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_found_among_encodings() {
        let check = |value: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        };
        check("gzip", true);
        check("deflate, GZIP;q=0.5, br", true);
        check("gzip;q=0", false);
        check("br, zstd", false);
        check("", false);
    }

    #[tokio::test]
    async fn packed_files_and_event_streams_pass_unchanged() {
        let check = async |name: header::HeaderName, value: &'static str, expected: bool| {
            let text = "0123456789".repeat(1000);
            let answer = text.clone();
            let mut router = axum::Router::new()
                .route("/", axum::routing::get(async move || ([(name, value)], answer)))
                .layer(axum::middleware::from_fn(pack));
            let request = Request::builder().header(header::ACCEPT_ENCODING, "gzip");
            let request = request.body(Body::empty()).unwrap();
            let response = called(&mut router, request).await;
            let limit = std::time::Duration::from_secs(5);
            let body = crate::body::collect(response.into_body(), 1 << 20, limit).await.unwrap();
            assert_eq!(body != text.as_bytes(), expected, "{value}");
        };
        check(header::CONTENT_TYPE, "application/json", true).await;
        check(header::CONTENT_TYPE, "text/event-stream", false).await;
        check(header::CONTENT_ENCODING, "gzip", false).await;
    }

    async fn called(router: &mut axum::Router, request: Request) -> Response {
        use tonic::codegen::Service;
        Service::<Request>::call(router, request).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_unpacked_is_what_was_written() {
        let pieces: Vec<Vec<u8>> = (0..50_u8).map(|i| vec![i; 10_000]).collect();
        let plain = pieces.concat();
        let stream = tonic::codegen::tokio_stream::iter(pieces.into_iter().map(Ok::<_, io::Error>));
        let body = Body::from_stream(Packed::new(Body::from_stream(stream)));
        let packed = crate::body::collect(body, 1 << 20, std::time::Duration::from_secs(5)).await;
        let packed = packed.unwrap();
        assert!(packed.len() < plain.len() / 10);
        assert_eq!(crate::body::gunzip(&packed, plain.len()).unwrap(), plain);
    }
}
