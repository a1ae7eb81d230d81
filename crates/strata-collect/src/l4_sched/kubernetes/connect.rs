//! How the API server is reached: from inside a cluster, or as a kubeconfig says.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use strata_model::told::causes;
use strata_model::{FaultCode, SourceState};

use crate::collector::CollectError;
use crate::l4_sched::gather::failed;
use crate::scrape::Environment;

/// Where the kubelet puts a pod's credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A watch is silent until something changes; the server ends it after 290 s.
const READ_TIMEOUT: Duration = Duration::from_secs(295);

/// Where the API server is.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// The service account of the pod we run in.
    InCluster { url: String, folder: PathBuf },
    /// A kubeconfig.
    File { path: PathBuf, context: Option<String> },
}

impl Entrance {
    /// The kubeconfig that was named, else the service account that the environment tells of.
    pub fn find(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
        environment: &Environment,
    ) -> Option<Self> {
        if let Some(path) = kubeconfig {
            return Some(Self::File { path: path.to_owned(), context: context.map(str::to_owned) });
        }
        let host = environment("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty())?;
        let port = environment("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
        let folder = PathBuf::from(SERVICE_ACCOUNT);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        folder
            .join("token")
            .exists()
            .then(|| Self::InCluster { url: format!("https://{host}:{port}"), folder })
    }

    async fn config(&self) -> Result<Config, String> {
        let mut config = match self {
            Self::File { path, context } => {
                let file = Kubeconfig::read_from(path).map_err(|error| causes(&error))?;
                let options =
                    KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| causes(&error))?
            }
            Self::InCluster { url, folder } => {
                let url = url.parse().map_err(|error| format!("{url}: {error}"))?;
                let mut config = Config::new(url);
                config.auth_info.token_file = Some(folder.join("token").display().to_string());
                let authority = folder.join("ca.crt");
                config.root_cert_file = authority.exists().then_some(authority);
                config
            }
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // The watcher tries again by itself, with longer and longer pauses.
        config.default_retry = false;
        Ok(config)
    }
}

/// One client for all collectors, made when it is first wanted.
#[derive(Clone)]
pub(super) struct Access {
    entrance: Entrance,
    client: Arc<Mutex<Option<Client>>>,
}

impl Access {
    pub(super) fn new(entrance: Entrance) -> Self {
        Self { entrance, client: Arc::default() }
    }

    pub(super) async fn client(&self) -> Result<Client, CollectError> {
        let known = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(client) = known {
            return Ok(client);
        }
        let client = match self.entrance.config().await {
            Ok(config) => Client::try_from(config).map_err(|error| causes(&error)),
            Err(message) => Err(message),
        };
        let client = client.map_err(|message| {
            let hint = match &self.entrance {
                Entrance::File { .. } => "kubectl with the same kubeconfig should say more",
                Entrance::InCluster { .. } => {
                    "the pod needs a service account whose token is mounted"
                }
            };
            let message = format!("cannot set up the client of the API server: {message}");
            failed(SourceState::Failing, FaultCode::Io, message, hint)
        })?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }

    /// Forget the client: the next one reads tokens and certificates anew.
    pub(super) fn renew(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What went wrong with a question, in as many words as are of use.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            format!("{} {}: {}", status.code, status.reason, status.message)
        }
        other => causes(other),
    }
}

/// Whether our own credentials could not be read or were not taken.
pub(super) fn is_credentials(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 401,
        kube::Error::Auth(_) => true,
        kube::Error::Service(error) => error.is::<kube::client::AuthError>(),
        _ => false,
    }
}

/// What a refusal of the API server means, and what to do about it. `what` is the plural that was
/// asked for.
pub(super) fn refusal(error: &kube::Error, what: &str) -> CollectError {
    let message = format!("cannot read {what} of the API server: {}", words(error));
    match error {
        kube::Error::Api(status) => match status.code {
            401 => failed(
                SourceState::Denied,
                FaultCode::Denied,
                message,
                "the API server does not take the token: it has expired or is of another cluster",
            ),
            403 => {
                let hint = format!(
                    "allow get, list and watch of {what}: docs/layers/l4.md has the ClusterRole"
                );
                failed(SourceState::Denied, FaultCode::Denied, message, hint)
            }
            404 => failed(
                SourceState::Unsupported,
                FaultCode::Unsupported,
                format!("the API server does not know {what}"),
                "this cluster does not have them",
            ),
            _ => failed(SourceState::Failing, FaultCode::HttpStatus, message, ""),
        },
        _ if is_credentials(error) => {
            let hint = "the token or certificate cannot be used: look at the file it is kept in";
            failed(SourceState::Denied, FaultCode::Denied, message, hint)
        }
        kube::Error::SerdeError(_) => {
            failed(SourceState::Failing, FaultCode::Malformed, message, "")
        }
        kube::Error::LinesCodecMaxLineLengthExceeded => {
            failed(SourceState::Failing, FaultCode::TooLarge, message, "")
        }
        _ if message.contains("certificate") => failed(
            SourceState::Failing,
            FaultCode::Tls,
            message,
            "the server's certificate is not of the authority that the kubeconfig or service account names",
        ),
        _ => failed(
            SourceState::Failing,
            FaultCode::Unreachable,
            message,
            "is the API server reachable from here?",
        ),
    }
}
