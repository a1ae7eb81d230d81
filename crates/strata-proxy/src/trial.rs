//! Whether the upstreams answer: tried once before a start, and as the running proxy knows it.

use std::sync::Arc;

use crate::server::BoundProxy;
use crate::upstream::{self, Upstream};

/// What came of trying one upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub name: Arc<str>,
    /// What it answered, or why it is of no use.
    pub told: Result<String, String>,
}

impl BoundProxy {
    /// Ask each upstream once, in their order: for its health where a path is named for that, else for
    /// its root, of which any answer tells that it is there.
    pub async fn try_upstreams(&self) -> Vec<Tried> {
        let mut found = Vec::new();
        for upstream in &self.shared.upstreams {
            let told = self.try_one(upstream).await;
            found.push(Tried { name: Arc::clone(&upstream.settings.name), told });
        }
        found
    }

    async fn try_one(&self, upstream: &Upstream) -> Result<String, String> {
        let health = upstream.settings.health.as_deref();
        let path = health.unwrap_or("/");
        let uri = upstream.uri(path).ok_or_else(|| format!("{path} is no path"))?;
        let status = upstream::ask(&self.shared.client, uri).await?;
        match health {
            Some(path) if status.is_server_error() => Err(format!("{path} answers {status}")),
            Some(path) => Ok(format!("{path} answers {status}")),
            None => Ok(format!("it answers {status}; its health is not asked for")),
        }
    }

    /// What is known of the upstreams' health while it serves.
    pub fn upstreams(&self) -> UpstreamHealth {
        UpstreamHealth(self.shared.upstreams.clone())
    }
}

/// The health of the upstreams of a proxy that serves.
#[derive(Clone)]
pub struct UpstreamHealth(Vec<Arc<Upstream>>);

impl UpstreamHealth {
    /// Names of those that do not answer for their health. One without a path for it is never among
    /// them: of that one only its calls tell.
    pub fn down(&self) -> Vec<Arc<str>> {
        let down = self.0.iter().filter(|one| !one.is_up());
        down.map(|one| Arc::clone(&one.settings.name)).collect()
    }
}
