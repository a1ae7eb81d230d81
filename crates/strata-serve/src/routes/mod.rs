//! Which path leads where, and the counting of every request.

mod table;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use crate::contained::Contained;
use crate::guard::{Guard, guard};
use crate::ingest::otlp_grpc;
use crate::json::envelope::ApiError;
use crate::own::strata;
use crate::pack::pack;
use crate::pages::assets;
use crate::prometheus;
use crate::state::App;

pub(crate) use table::Route;
pub use table::{Listener, ServedPath, paths};

/// What counts the requests of one route.
#[derive(Clone)]
struct Counted {
    app: Arc<App>,
    route: &'static str,
}

/// Count every request of `router` under the name `route`.
fn counted(
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
    let router = table::router(app, table::main())
        .nest(&[table::API, strata::BELOW].concat(), Router::new().fallback(strata::unknown))
        .nest(table::API, Router::new().fallback(prometheus::unknown))
        .fallback(assets::unknown);
    let router = if packed { router.layer(from_fn(pack)) } else { router };
    router.layer(from_fn_with_state(rules, guard)).with_state(Arc::clone(app))
}

/// OTLP over HTTP on its own port.
pub(crate) fn otlp_http_router(app: &Arc<App>, rules: Guard) -> Router {
    table::router(app, table::otlp())
        .fallback(strata::unknown)
        .layer(from_fn_with_state(rules, guard))
        .with_state(Arc::clone(app))
}

/// OTLP over gRPC on its own port.
pub(crate) fn otlp_grpc_router(app: &Arc<App>, rules: Guard) -> Router {
    table::router(app, table::grpc())
        .fallback(otlp_grpc::unknown)
        .layer(from_fn_with_state(rules, guard))
        .with_state(Arc::clone(app))
}
