//! Which path leads where, and the counting of every request.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::contained::Contained;
use crate::guard::{Guard, guard};
use crate::ingest::{otlp_grpc, otlp_http, remote_write};
use crate::json::envelope::ApiError;
use crate::own::{exposition, health, strata};
use crate::pack::pack;
use crate::pages::{self, assets};
use crate::prometheus;
use crate::records;
use crate::reports;
use crate::state::App;
use strata_view::PageId;

/// What counts the requests of one route.
#[derive(Clone)]
struct Counted {
    app: Arc<App>,
    route: &'static str,
}

/// Count every request of `router` under the name `route`.
pub(crate) fn counted(
    app: &Arc<App>,
    route: &'static str,
    router: MethodRouter<Arc<App>>,
) -> MethodRouter<Arc<App>> {
    router.layer(from_fn_with_state(Counted { app: Arc::clone(app), route }, count))
}

async fn count(State(counted): State<Counted>, request: Request, next: Next) -> Response {
    let Counted { app, route } = counted;
    let begun = app.parts.clock.monotonic();
    let response = Contained::new(next.run(request)).await.unwrap_or_else(|words| {
        tracing::error!(route, words, "a request handler panicked");
        ApiError::panicked(&words).into_response()
    });
    let took = app.parts.clock.monotonic().saturating_sub(begun);
    let code = response.status().as_str().to_owned();
    let meter = &app.parts.meter;
    meter.counter("strata.serve.requests", &[("route", route), ("code", &code)]).add(1);
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    meter.seconds("strata.serve.time", &[("route", route)]).add(nanos);
    response
}

/// Everything on the main port.
///
/// `packed`: answers are packed for clients that can unpack them.
pub(crate) fn main_router(app: &Arc<App>, rules: Guard, packed: bool) -> Router {
    let on = |name, router| counted(app, name, router);
    let api = prometheus::routes(app)
        .route("/write", on("remote_write", post(remote_write::write)))
        .route("/otlp/v1/metrics", on("otlp_http", post(otlp_http::metrics)))
        .nest("/strata", strata::routes(app))
        .merge(pages::routes(app))
        .route("/requests", on("requests", get(records::requests)))
        .route("/requests/sums", on("requests", get(records::sums)))
        .route("/sql", on("sql", get(records::sql)))
        .merge(reports::routes(app, &reports::REPORTS))
        .merge(reports::actions(app))
        .fallback(prometheus::unknown);
    let router = Router::new()
        .nest("/api/v1", api)
        .merge(reports::routes(app, &reports::OPENCOST))
        .route("/v1/metrics", on("otlp_http", post(otlp_http::metrics)))
        .route("/v1/traces", on("otlp_http", post(otlp_http::traces)))
        .route("/v1/logs", on("otlp_http", post(otlp_http::logs)))
        .route("/v1/feedback", on("feedback", post(records::feedback)))
        .route("/", on("web", get(assets::index)))
        .route("/web/{*path}", on("web", get(assets::file)))
        .route("/metrics", on("metrics", get(exposition::metrics)))
        .route("/-/healthy", on("healthy", get(health::healthy)))
        .route("/healthz", on("healthy", get(health::healthy)))
        .route("/-/ready", on("ready", get(health::ready)))
        .route("/readyz", on("ready", get(health::ready)))
        .fallback(assets::unknown);
    let pages = PageId::ALL.into_iter().map(|page| format!("/{}", page.name()));
    let router =
        pages.fold(router, |router, path| router.route(&path, on("web", get(assets::index))));
    let router = if packed { router.layer(from_fn(pack)) } else { router };
    router.layer(from_fn_with_state(rules, guard)).with_state(Arc::clone(app))
}

/// OTLP over HTTP on its own port.
pub(crate) fn otlp_http_router(app: &Arc<App>, rules: Guard) -> Router {
    Router::new()
        .route("/v1/metrics", counted(app, "otlp_http", post(otlp_http::metrics)))
        .route("/v1/traces", counted(app, "otlp_http", post(otlp_http::traces)))
        .route("/v1/logs", counted(app, "otlp_http", post(otlp_http::logs)))
        .fallback(strata::unknown)
        .layer(from_fn_with_state(rules, guard))
        .with_state(Arc::clone(app))
}

/// OTLP over gRPC on its own port.
pub(crate) fn otlp_grpc_router(app: &Arc<App>, rules: Guard) -> Router {
    Router::new()
        .route(otlp_grpc::METRICS_PATH, counted(app, "otlp_grpc", post(otlp_grpc::metrics)))
        .route(otlp_grpc::TRACES_PATH, counted(app, "otlp_grpc", post(otlp_grpc::traces)))
        .route(otlp_grpc::LOGS_PATH, counted(app, "otlp_grpc", post(otlp_grpc::logs)))
        .fallback(otlp_grpc::unknown)
        .layer(from_fn_with_state(rules, guard))
        .with_state(Arc::clone(app))
}
