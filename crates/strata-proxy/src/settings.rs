//! What the proxy does, checked. As it is written in `strata.toml` it stands in `options`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;

use crate::capture::CaptureSettings;

/// Whether the proxy asks upstreams for the usage record of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageMode {
    /// Change nothing: tokens come from usage where the client asked for it, else from chunks.
    #[default]
    Observe,
    /// Set `stream_options.include_usage`; the client gets one event more.
    Inject,
    /// Set it, and take that event out again.
    InjectStrip,
}

/// One server that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamSettings {
    pub name: Arc<str>,
    /// Scheme, authority and a path that is put in front of every request's.
    pub url: Uri,
    /// Path and query asked for to see whether it lives; `None` asks nothing.
    pub health: Option<String>,
    /// Share of the load, against that of the others; above 0.
    pub weight: f64,
}

/// What happens to paths that begin alike.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSettings {
    pub name: Arc<str>,
    /// Beginning of the path.
    pub path: String,
    /// Indexes into the upstreams; at least one.
    pub upstreams: Vec<usize>,
    pub usage: UsageMode,
    /// What of the words that pass is kept; `None`: nothing.
    pub capture: Option<Arc<CaptureSettings>>,
}

/// Headers, lower case, whose values say what else a call belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BelongingHeaders {
    pub team: Option<String>,
    pub app: Option<String>,
    pub session: Option<String>,
}

/// The proxy's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxySettings {
    pub listen: SocketAddr,
    pub upstreams: Vec<UpstreamSettings>,
    /// The longest beginning that fits is taken.
    pub routes: Vec<RouteSettings>,
    /// Header whose value names the tenant, lower case.
    pub tenant_header: Option<String>,
    pub belonging: BelongingHeaders,
    pub key_map_file: Option<PathBuf>,
    /// File with the secret of the keyed hash of API keys; without it, hashes differ from start to start.
    pub hash_secret_file: Option<PathBuf>,
    /// File with the authorities that upstreams are trusted by; `None`: those of this system.
    pub upstream_ca_file: Option<PathBuf>,
    /// Files of the certificate that upstreams are shown, and of its key.
    pub upstream_identity: Option<(PathBuf, PathBuf)>,
    pub connections_max: usize,
    pub connect_timeout: Duration,
    /// From the head of the request to the head of the answer.
    pub response_timeout: Duration,
    /// Between two frames of an answer.
    pub idle_timeout: Duration,
    /// A client that takes no byte for this long is gone.
    pub client_stall: Duration,
    pub health_interval: Duration,
    /// Where captured content goes; `None`: beside the other data.
    pub content_dir: Option<PathBuf>,
    /// Bytes that content holds of all routes: half as copies of what passes or waits, half while it is
    /// read, cleaned and written.
    pub content_memory: usize,
    pub shutdown_grace: Duration,
}

impl ProxySettings {
    /// Routes of which content is kept, with how.
    pub fn captured(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<CaptureSettings>)> {
        self.routes.iter().filter_map(|route| Some((&route.name, route.capture.as_ref()?)))
    }

    /// The route of a path.
    pub(crate) fn route(&self, path: &str) -> Option<&RouteSettings> {
        let fits = self.routes.iter().filter(|route| path.starts_with(&route.path));
        fits.max_by_key(|route| route.path.len())
    }
}
