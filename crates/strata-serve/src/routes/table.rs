//! The table of routes: what the routers are made of, and what the description of the interface is
//! held against.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};
use strata_view::PageId;

use super::counted;
use crate::ingest::{otlp_grpc, otlp_http, remote_write};
use crate::own::{exposition, health, strata};
use crate::pages::{self, assets};
use crate::prometheus;
use crate::records;
use crate::reports;
use crate::state::App;

/// Where the interfaces of others' and our own programs lie.
pub(super) const API: &str = "/api/v1";

/// Methods of a route as `OpenAPI` writes them.
const GET: &[&str] = &["get"];
const POST: &[&str] = &["post"];
const BOTH: &[&str] = &["get", "post"];

/// A path and what answers it.
pub(crate) struct Route {
    /// From the root, with parameters as axum writes them: `{name}`, `{*rest}`.
    path: String,
    /// What its requests are counted under.
    name: &'static str,
    methods: &'static [&'static str],
    answers: MethodRouter<Arc<App>>,
}

impl Route {
    /// A path that is read.
    pub(crate) fn get<H, T>(path: impl Into<String>, name: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self { path: path.into(), name, methods: GET, answers: get(handler) }
    }

    /// A path that is written to.
    pub(crate) fn post<H, T>(path: impl Into<String>, name: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self { path: path.into(), name, methods: POST, answers: post(handler) }
    }

    /// A path that is read, with its parameters in the address or in a form.
    pub(crate) fn both<H, T>(path: impl Into<String>, name: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let answers = get(handler.clone()).post(handler);
        Self { path: path.into(), name, methods: BOTH, answers }
    }

    fn below(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self
    }
}

/// The port a path is served at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// `server.listen`
    Main,
    /// `server.otlp_http_listen`
    OtlpHttp,
    /// `server.otlp_grpc_listen`
    OtlpGrpc,
}

/// A path that the server answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServedPath {
    pub listener: Listener,
    /// With parameters in braces: `/api/v1/label/{name}/values`.
    pub path: String,
    /// `get`, `post`.
    pub methods: &'static [&'static str],
}

/// Every path of every listener. The routers are made of the same table.
pub fn paths() -> Vec<ServedPath> {
    let tables =
        [(Listener::Main, main()), (Listener::OtlpHttp, otlp()), (Listener::OtlpGrpc, grpc())];
    let served = tables.into_iter().flat_map(|(listener, table)| {
        table.into_iter().map(move |route| ServedPath {
            listener,
            path: route.path.replace("{*", "{"),
            methods: route.methods,
        })
    });
    served.collect()
}

/// A router of a table; every request is counted under the name of its route.
pub(super) fn router(app: &Arc<App>, table: Vec<Route>) -> Router<Arc<App>> {
    table.into_iter().fold(Router::new(), |router, route| {
        router.route(&route.path, counted(app, route.name, route.answers))
    })
}

/// Everything on the main port.
pub(super) fn main() -> Vec<Route> {
    let api = prometheus::routes()
        .into_iter()
        .chain([
            Route::post("/write", "remote_write", remote_write::write),
            Route::post("/otlp/v1/metrics", "otlp_http", otlp_http::metrics),
        ])
        .chain(strata::routes())
        .chain(pages::routes())
        .chain(records::routes())
        .chain(reports::routes(&reports::REPORTS))
        .chain(reports::request_routes())
        .chain(reports::actions())
        .map(|route| route.below(API));
    let pages = PageId::ALL.into_iter().map(|page| format!("/{}", page.name()));
    api.chain(reports::routes(&reports::OPENCOST))
        .chain(otlp())
        .chain(records::feedback_routes())
        .chain([
            Route::get("/", "web", assets::index),
            Route::get("/web/{*path}", "web", assets::file),
            Route::get("/metrics", "metrics", exposition::metrics),
            Route::get("/-/healthy", "healthy", health::healthy),
            Route::get("/healthz", "healthy", health::healthy),
            Route::get("/-/ready", "ready", health::ready),
            Route::get("/readyz", "ready", health::ready),
        ])
        .chain(pages.map(|path| Route::get(path, "web", assets::index)))
        .collect()
}

/// OTLP over HTTP.
pub(super) fn otlp() -> Vec<Route> {
    vec![
        Route::post("/v1/metrics", "otlp_http", otlp_http::metrics),
        Route::post("/v1/traces", "otlp_http", otlp_http::traces),
        Route::post("/v1/logs", "otlp_http", otlp_http::logs),
    ]
}

/// OTLP over gRPC.
pub(super) fn grpc() -> Vec<Route> {
    vec![
        Route::post(otlp_grpc::METRICS_PATH, "otlp_grpc", otlp_grpc::metrics),
        Route::post(otlp_grpc::TRACES_PATH, "otlp_grpc", otlp_grpc::traces),
        Route::post(otlp_grpc::LOGS_PATH, "otlp_grpc", otlp_grpc::logs),
    ]
}
