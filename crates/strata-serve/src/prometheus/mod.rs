//! The Prometheus HTTP API, as Grafana and `promtool` use it.

mod admission;
mod lookup;
mod metadata;
mod query;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::json::envelope::ApiError;
use crate::routes::counted;
use crate::state::App;

/// Routes below `/api/v1`.
pub(crate) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    let both = |name, router| counted(app, name, router);
    Router::new()
        .route("/query", both("query", get(query::instant).post(query::instant)))
        .route("/query_range", both("query_range", get(query::range).post(query::range)))
        .route(
            "/query_exemplars",
            both("query_exemplars", get(query::exemplars).post(query::exemplars)),
        )
        .route("/format_query", both("format_query", get(query::format).post(query::format)))
        .route("/series", both("series", get(lookup::series).post(lookup::series)))
        .route("/labels", both("labels", get(lookup::names).post(lookup::names)))
        .route("/label/{name}/values", both("label_values", get(lookup::values)))
        .route("/metadata", both("metadata", get(metadata::metadata)))
        .route("/rules", both("rules", get(status::rules)))
        .route("/alerts", both("alerts", get(status::alerts)))
        .route("/status/buildinfo", both("buildinfo", get(status::build_info)))
        .route("/status/runtimeinfo", both("runtimeinfo", get(status::runtime_info)))
        .route("/status/config", both("config", get(status::config)))
        .route("/status/flags", both("flags", get(status::flags)))
        .route("/status/tsdb", both("tsdb", get(status::tsdb)))
}

/// Everything else below `/api/v1`.
pub(crate) async fn unknown(uri: axum::http::Uri) -> ApiError {
    ApiError::not_found(format!("{} is not served by strata", uri.path()))
}
