//! The Prometheus HTTP API, as Grafana and `promtool` use it.

mod admission;
mod lookup;
mod metadata;
mod query;
mod status;

pub use lookup::SELECTORS_MAX;
pub use query::POINTS_MAX;

use crate::json::envelope::ApiError;
use crate::routes::Route;

/// Routes below `/api/v1`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::both("/query", "query", query::instant),
        Route::both("/query_range", "query_range", query::range),
        Route::both("/query_exemplars", "query_exemplars", query::exemplars),
        Route::both("/format_query", "format_query", query::format),
        Route::both("/series", "series", lookup::series),
        Route::both("/labels", "labels", lookup::names),
        Route::get("/label/{name}/values", "label_values", lookup::values),
        Route::get("/metadata", "metadata", metadata::metadata),
        Route::get("/rules", "rules", status::rules),
        Route::get("/alerts", "alerts", status::alerts),
        Route::get("/status/buildinfo", "buildinfo", status::build_info),
        Route::get("/status/runtimeinfo", "runtimeinfo", status::runtime_info),
        Route::get("/status/config", "config", status::config),
        Route::get("/status/flags", "flags", status::flags),
        Route::get("/status/tsdb", "tsdb", status::tsdb),
    ]
}

/// Everything else below `/api/v1`.
pub(crate) async fn unknown(uri: axum::http::Uri) -> ApiError {
    ApiError::not_found(format!("{} is not served by strata", uri.path()))
}
