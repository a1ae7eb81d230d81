//! The proxy's own answers, when there is none to pass on.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::body::Returning;

/// Why the proxy answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No upstream could be connected to.
    Unreachable,
    /// An upstream was reached and closed or broke the connection.
    Broken,
    /// The head of the answer did not come in time.
    Timeout,
    /// No route fits the path.
    NoRoute,
    /// Not for a reverse proxy.
    Method,
    /// The request's body broke off.
    Body,
    /// The request's body did not come whole in time.
    SlowBody,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unreachable | Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body => StatusCode::BAD_REQUEST,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Stable word for programs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "upstream_unreachable",
            Self::Broken => "upstream_broken",
            Self::Timeout => "upstream_timeout",
            Self::NoRoute => "no_route",
            Self::Method => "method_not_allowed",
            Self::Body => "request_broken",
            Self::SlowBody => "request_slow",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreachable => (
                "the proxy cannot connect to any upstream of this route",
                "see that the upstream runs and that its url under [proxy] is right",
            ),
            Self::Broken => (
                "the upstream closed the connection before it answered",
                "look into the upstream's log",
            ),
            Self::Timeout => (
                "the upstream did not begin to answer in time",
                "response_timeout under [proxy] sets the time",
            ),
            Self::NoRoute => {
                ("no route of the proxy fits this path", "see the routes under [proxy]")
            }
            Self::Method => ("this method is not passed on", "the proxy is no forward proxy"),
            Self::Body => ("the request's body broke off", "send the request again"),
            Self::SlowBody => (
                "the request's body did not come whole in time",
                "response_timeout under [proxy] sets the time",
            ),
        }
    }

    /// The answer, in the shape that `OpenAI`'s and Anthropic's clients show.
    pub(crate) fn answer(self) -> Response<Returning> {
        let (message, hint) = self.words();
        let code = self.code();
        let text = format!(
            "{{\"type\":\"error\",\"error\":{{\"type\":\"{code}\",\"code\":\"{code}\",\
             \"message\":\"{message}\",\"hint\":\"{hint}\"}}}}\n"
        );
        let mut response = Response::new(Returning::Own(Some(Bytes::from(text))));
        *response.status_mut() = self.status();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}
