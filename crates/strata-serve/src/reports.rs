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
use crate::records::records;
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
pub const REPORTS: [&str; 12] = [
    "/cost",
    "/cost/calls",
    "/cost/why",
    "/cost/focus",
    "/cost/breakeven",
    "/cost/advice",
    "/cost/budgets",
    "/cost/tariff",
    "/cost/prices",
    "/cost/statements",
    "/cost/statement",
    "/cost/statement/draft",
];
/// Paths below `/api/v1` that change something, by `POST`, with their parameters in the query.
pub const ACTIONS: [&str; 1] = ["/cost/statement/close"];
/// Paths as OpenCost has them.
pub const OPENCOST: [&str; 4] =
    ["/allocation", "/allocation/compute", "/inferenceCost/total", "/inferenceCost/timeseries"];

/// Paths of documents about single requests, below `/api/v1`.
pub const REQUEST_REPORTS: [&str; 4] =
    ["/requests/compare", "/requests/lengths", "/requests/one", "/requests/parts"];

/// Routes of the paths of the ledger.
pub(crate) fn routes(paths: &[&'static str]) -> Vec<Route> {
    let routes = paths.iter().map(|path| {
        let path: &'static str = path;
        let handler = move |State(app): State<Arc<App>>, query: RawQuery| async move {
            made(&app, ledger(&app), query, |source, params| source.report(path, params)).await
        };
        Route::get(path, "report", handler)
    });
    routes.collect()
}

/// Routes of [`REQUEST_REPORTS`].
pub(crate) fn request_routes() -> Vec<Route> {
    let routes = REQUEST_REPORTS.iter().map(|path| {
        let path: &'static str = path;
        let handler = move |State(app): State<Arc<App>>, query: RawQuery| async move {
            let source = match (records(&app), &app.parts.request_reports) {
                (Ok(_), Some(source)) => Ok(source),
                (Err(error), _) => Err(error),
                (Ok(_), None) => Err(not_here("this server makes no documents of requests")),
            };
            made(&app, source, query, |source, params| source.report(path, params)).await
        };
        Route::get(path, "requests", handler)
    });
    routes.collect()
}

fn ledger(app: &App) -> Result<&Arc<dyn ReportSource>, PageError> {
    app.parts.reports.as_ref().ok_or_else(|| PageError {
        hint: "see [cost] in the configuration".to_owned(),
        ..not_here("this server keeps no ledger")
    })
}

fn not_here(message: &str) -> PageError {
    let (code, hint) = (PageErrorCode::NotFound, "ask a strata run".to_owned());
    PageError { code, message: message.to_owned(), hint }
}

/// Routes of [`ACTIONS`].
pub(crate) fn actions() -> Vec<Route> {
    let routes = ACTIONS.iter().map(|path| {
        let path: &'static str = path;
        let handler = move |State(app): State<Arc<App>>, query: RawQuery, request: Request| async move {
            if let Err(refusal) = refuse_cross_origin(&request) {
                return refusal.into_response();
            }
            made(&app, ledger(&app), query, |source, params| source.act(path, params)).await
        };
        Route::post(path, "report", handler)
    });
    routes.collect()
}

/// What a source makes of the parameters.
async fn made(
    app: &App,
    source: Result<&Arc<dyn ReportSource>, PageError>,
    RawQuery(query): RawQuery,
    make: impl for<'a> FnOnce(
        &'a dyn ReportSource,
        ReportParams,
    ) -> BoxFuture<'a, Result<Report, PageError>>,
) -> Response {
    let source = match source {
        Ok(source) => source,
        Err(error) => return refused(error),
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
