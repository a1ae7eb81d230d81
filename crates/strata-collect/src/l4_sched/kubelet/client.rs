//! Asking the kubelet over its socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use strata_model::{FaultCode, SourceState};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::proto::{GetRequest, GetResponse, ListRequest, ListResponse, PodResources};
use crate::collector::CollectError;
use crate::l4_sched::gather::failed;

/// 1,000 pods with 16 devices each are about 2 MB; the client's own limit of 4 MB was too small for
/// others on large nodes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The kubelet answers from memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The kubelet gives no code of its own for a pod that it does not know, only this.
const NOT_FOUND: &str = "not found";
const LIST: &str = "/v1.PodResourcesLister/List";
/// Beta and on by default since Kubernetes 1.34.
const GET: &str = "/v1.PodResourcesLister/Get";
/// Pods that are asked for one by one: a node has eight or so with GPUs, and the kubelet limits how
/// often it is asked (100 a second).
const GETS_MAX: usize = 64;

/// One connection, kept from round to round.
pub(super) struct PodResourcesClient {
    socket: PathBuf,
    channel: Option<Channel>,
}

impl PodResourcesClient {
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), channel: None }
    }

    /// Everything on this node. A connection that failed is opened anew in the next round.
    pub(super) async fn list(&mut self) -> Result<ListResponse, CollectError> {
        self.ask(LIST, ListRequest {}).await
    }

    /// These pods, one by one, each by namespace and name; the first refusal ends it. Pods that the
    /// kubelet does not know (any more) are left out.
    pub(super) async fn get(
        &mut self,
        pods: &[(String, String)],
    ) -> Result<ListResponse, CollectError> {
        let mut found: Vec<PodResources> = Vec::new();
        for (namespace, pod) in pods.iter().take(GETS_MAX) {
            let request = GetRequest { pod_name: pod.clone(), pod_namespace: namespace.clone() };
            match self.ask::<_, GetResponse>(GET, request).await {
                Ok(answer) => found.extend(answer.pod_resources),
                Err(error) if error.fault.message.contains(NOT_FOUND) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ListResponse { pod_resources: found })
    }

    /// Whether somebody listens who lets us in.
    pub(super) async fn is_connectable(&self) -> bool {
        tokio::net::UnixStream::connect(&self.socket).await.is_ok()
    }

    async fn ask<Q, A>(&mut self, path: &'static str, request: Q) -> Result<A, CollectError>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => self.connect().await?,
        };
        let mut client = Grpc::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        let ask = async {
            client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let codec = ProstCodec::<Q, A>::default();
            client.unary(Request::new(request), PathAndQuery::from_static(path), codec).await
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, ask).await;
        let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")));
        match answer {
            Ok(answer) => {
                self.channel = Some(channel);
                Ok(answer.into_inner())
            }
            Err(status) => {
                self.channel = None;
                Err(self.refused(&status))
            }
        }
    }

    async fn connect(&self) -> Result<Channel, CollectError> {
        // The socket is opened once before: what the system says of it is lost in the client's error.
        if let Err(error) = tokio::net::UnixStream::connect(&self.socket).await {
            return Err(self.unreachable(&error));
        }
        let address = format!("unix://{}", self.socket.display());
        let endpoint =
            Endpoint::from_shared(address).map(|one| one.connect_timeout(ANSWER_TIMEOUT));
        let channel = match endpoint {
            Ok(endpoint) => endpoint.connect().await,
            Err(error) => Err(error),
        };
        channel.map_err(|error| {
            let message = format!("cannot connect to {}: {error}", self.socket.display());
            failed(SourceState::Failing, FaultCode::Unreachable, message, "")
        })
    }

    fn unreachable(&self, error: &std::io::Error) -> CollectError {
        let message = format!("cannot open {}: {error}", self.socket.display());
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => failed(
                SourceState::Absent,
                FaultCode::Unsupported,
                message,
                "no kubelet here, or its folder is not mounted: mount /var/lib/kubelet/pod-resources",
            ),
            std::io::ErrorKind::PermissionDenied => failed(
                SourceState::Denied,
                FaultCode::Denied,
                message,
                "the kubelet's socket is root's: run strata as root",
            ),
            _ => failed(
                SourceState::Failing,
                FaultCode::Unreachable,
                message,
                "nobody listens on the kubelet's socket: is the kubelet up?",
            ),
        }
    }

    fn refused(&self, status: &Status) -> CollectError {
        let message =
            format!("{} answered {:?}: {}", self.socket.display(), status.code(), status.message());
        match status.code() {
            Code::DeadlineExceeded => failed(SourceState::Failing, FaultCode::Timeout, message, ""),
            Code::Unimplemented => failed(
                SourceState::Unsupported,
                FaultCode::Unsupported,
                message,
                "PodResources v1 came with Kubernetes 1.20",
            ),
            Code::ResourceExhausted => failed(
                SourceState::Failing,
                FaultCode::OverLimit,
                message,
                "the kubelet limits how often it is asked: raise [kubernetes] interval",
            ),
            Code::PermissionDenied | Code::Unauthenticated => failed(
                SourceState::Denied,
                FaultCode::Denied,
                message,
                "something between strata and the kubelet refuses: is the socket a proxy's?",
            ),
            Code::OutOfRange => failed(SourceState::Failing, FaultCode::TooLarge, message, ""),
            _ => failed(SourceState::Failing, FaultCode::Io, message, ""),
        }
    }
}
