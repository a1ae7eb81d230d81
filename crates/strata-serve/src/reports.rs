//! Documents that somebody else makes: this floor knows where they lie and how they are refused,
//! and nothing of what is in them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strata_model::sink::BoxFuture;
use strata_view::{PageError, PageErrorCode};

use crate::guard::refuse_cross_origin;
use crate::pages::refused;
use crate::params::Params;
use crate::routes::Route;
use crate::state::App;

/// A finished document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `application/json`, `text/csv`.
    pub content_type: &'static str,
    pub body: String,
}

/// Names and values of a request's parameters, decoded, in their order.
pub type ReportParams = Vec<(String, String)>;

/// Makes documents on request.
pub trait ReportSource: Send + Sync {
    /// The document at a path below `/api/v1/`, or of OpenCost's API.
    fn report(
        &self,
        path: &'static str,
        params: ReportParams,
    ) -> BoxFuture<'_, Result<Report, PageError>>;

    /// Do what a `POST` to one of [`ACTIONS`] asks for, and tell what was done.
    fn act(
        &self,
        path: &'static str,
        params: ReportParams,
    ) -> BoxFuture<'_, Result<Report, PageError>>;
}

/// Paths of documents below `/api/v1`.
pub const REPORTS: [&str; 9] = [
    "/cost",
    "/cost/why",
    "/cost/focus",
    "/cost/breakeven",
    "/cost/advice",
    "/cost/prices",
    "/cost/statements",
    "/cost/statement",
    "/cost/statement/draft",
];
/// Paths below `/api/v1` that change something, by `POST`, with their parameters in the query.
pub const ACTIONS: [&str; 1] = ["/cost/statement/close"];
/// Paths as OpenCost has them.
pub const OPENCOST: [&str; 3] = ["/allocation", "/allocation/compute", "/inferenceCost/total"];

/// Routes of the paths.
pub(crate) fn routes(paths: &[&'static str]) -> Vec<Route> {
    let routes = paths.iter().map(|path| {
        let path: &'static str = path;
        let handler = move |state: State<Arc<App>>, query: RawQuery| answer(path, state, query);
        Route::get(path, "report", handler)
    });
    routes.collect()
}

/// Routes of [`ACTIONS`].
pub(crate) fn actions() -> Vec<Route> {
    let routes = ACTIONS.iter().map(|path| {
        let path: &'static str = path;
        let handler = move |State(app): State<Arc<App>>, query: RawQuery, request: Request| async move {
            if let Err(refusal) = refuse_cross_origin(&request) {
                return refusal.into_response();
            }
            made(&app, query, |source, params| source.act(path, params)).await
        };
        Route::post(path, "report", handler)
    });
    routes.collect()
}

async fn answer(path: &'static str, State(app): State<Arc<App>>, query: RawQuery) -> Response {
    made(&app, query, |source, params| source.report(path, params)).await
}

/// What a source makes of the parameters.
async fn made(
    app: &App,
    RawQuery(query): RawQuery,
    make: impl for<'a> FnOnce(
        &'a dyn ReportSource,
        ReportParams,
    ) -> BoxFuture<'a, Result<Report, PageError>>,
) -> Response {
    let Some(source) = &app.parts.reports else {
        return refused(PageError {
            code: PageErrorCode::NotFound,
            message: "this server keeps no ledger".to_owned(),
            hint: "see [cost] in the configuration".to_owned(),
        });
    };
    let Ok(_turn) = app.queries.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let params = match Params::parse(&[], &query.unwrap_or_default()) {
        Ok(params) => params,
        Err(message) => {
            let (code, hint) = (PageErrorCode::BadRequest, String::new());
            return refused(PageError { code, message, hint });
        }
    };
    match make(&**source, params.into_pairs()).await {
        Ok(report) => {
            let mut response = Response::new(Body::from(report.body));
            let kind = HeaderValue::from_static(report.content_type);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(error) => refused(error),
    }
}
