//! Documents that somebody else makes: this floor knows where they lie and how they are refused,
//! and nothing of what is in them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use strata_model::sink::BoxFuture;
use strata_view::{PageError, PageErrorCode};

use crate::pages::refused;
use crate::params::Params;
use crate::routes::counted;
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
}

/// Paths of documents below `/api/v1`.
pub const REPORTS: [&str; 3] = ["/cost", "/cost/why", "/cost/focus"];
/// Paths as OpenCost has them.
pub const OPENCOST: [&str; 3] = ["/allocation", "/allocation/compute", "/inferenceCost/total"];

/// Routes of the paths.
pub(crate) fn routes(app: &Arc<App>, paths: &[&'static str]) -> Router<Arc<App>> {
    paths.iter().fold(Router::new(), |router, path| {
        let path: &'static str = path;
        let handler = move |state: State<Arc<App>>, query: RawQuery| answer(path, state, query);
        router.route(path, counted(app, "report", get(handler)))
    })
}

async fn answer(
    path: &'static str,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
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
    match source.report(path, params.into_pairs()).await {
        Ok(report) => {
            let mut response = Response::new(Body::from(report.body));
            let kind = HeaderValue::from_static(report.content_type);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(error) => refused(error),
    }
}
