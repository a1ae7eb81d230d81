//! Pages as JSON, once or as a stream, and the web page that draws them.

pub(crate) mod assets;
mod live;

pub use live::{EVERY, STREAMS_MAX};

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use strata_view::{PageError, PageErrorCode, PageId, PageRequest, PageSource};

use crate::json::envelope::json_response;
use crate::routes::Route;
use crate::state::App;

/// Entities the palette shows at most.
pub const SUGGESTIONS_MAX: usize = 50;
/// Entities the palette shows when nothing else is asked for.
pub const SUGGESTIONS: usize = 15;
/// Characters of what is typed that count.
pub const SUGGEST_CHARS_MAX: usize = 200;

/// Routes below `/api/v1`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/pages/{page}", "page", page),
        Route::get("/pages/{page}/live", "page_live", live::live),
        Route::get("/suggest", "suggest", suggest),
    ]
}

/// A refusal as JSON with its status.
struct Refused(PageError);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        json(page_status(self.0.code), &self.0)
    }
}

/// A refusal as an answer.
pub(crate) fn refused(error: PageError) -> Response {
    Refused(error).into_response()
}

/// The HTTP status of a refusal.
pub fn page_status(code: PageErrorCode) -> StatusCode {
    match code {
        PageErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        PageErrorCode::NotFound => StatusCode::NOT_FOUND,
        PageErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        PageErrorCode::Unreachable => StatusCode::BAD_GATEWAY,
        PageErrorCode::TooMuch => StatusCode::UNPROCESSABLE_ENTITY,
        PageErrorCode::Busy => StatusCode::SERVICE_UNAVAILABLE,
        PageErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json_response(status, Body::from(text)),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn source(app: &App) -> Result<&Arc<dyn PageSource>, PageError> {
    app.parts.pages.as_ref().ok_or_else(|| PageError {
        code: PageErrorCode::NotFound,
        message: "this server makes no pages".to_owned(),
        hint: "it serves the Prometheus API only".to_owned(),
    })
}

/// The request that path and query stand for.
fn request(page: &str, query: Option<&str>) -> Result<PageRequest, PageError> {
    let Some(id) = PageId::from_name(page) else {
        let names: Vec<&str> = PageId::ALL.iter().map(|page| page.name()).collect();
        return Err(PageError {
            code: PageErrorCode::NotFound,
            message: format!("there is no page {page:?}"),
            hint: format!("pages are {}", names.join(", ")),
        });
    };
    let pairs = parameters(query)?;
    PageRequest::from_params(id, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The parameters of a query string, decoded.
fn parameters(query: Option<&str>) -> Result<Vec<(String, String)>, PageError> {
    let refused = |words: String| PageError {
        code: PageErrorCode::BadRequest,
        message: format!("the address does not parse: {words}"),
        hint: "write parameters as name=value, joined by &, with % codes".to_owned(),
    };
    let address = format!("/?{}", query.unwrap_or_default());
    let address = address.parse().map_err(|error| refused(format!("{error}")))?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&address);
    pairs.map(|pairs| pairs.0).map_err(|error| refused(error.to_string()))
}

async fn page(
    State(app): State<Arc<App>>,
    Path(page): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let made = async {
        let request = request(&page, query.as_deref())?;
        source(&app)?.page(request).await
    };
    match made.await {
        Ok(page) => json(StatusCode::OK, &page),
        Err(error) => Refused(error).into_response(),
    }
}

async fn suggest(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let found = async {
        let pairs = parameters(query.as_deref())?;
        let get = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, v)| v);
        let limit = get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(SUGGESTIONS);
        let text: String =
            get("q").map_or("", String::as_str).chars().take(SUGGEST_CHARS_MAX).collect();
        source(&app)?.suggest(text, limit.min(SUGGESTIONS_MAX)).await
    };
    match found.await {
        Ok(found) => json(StatusCode::OK, &found),
        Err(error) => Refused(error).into_response(),
    }
}
