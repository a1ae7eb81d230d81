//! `/`: what is served here, for a person with a browser.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use crate::state::App;

/// Nothing may be loaded, run, framed or sent anywhere from this page.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/`
pub(crate) async fn landing(State(app): State<Arc<App>>) -> Response {
    let page = include_str!("landing.html").replace("@VERSION@", app.parts.version);
    let mut response = Html(page).into_response();
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
