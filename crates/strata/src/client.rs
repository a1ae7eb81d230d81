//! Talking to a running server over its HTTP API.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value as Json;

use crate::cli::ServerArgs;

/// Queries may take as long as the server lets them; connecting may not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);
/// An answer a person or a script at a terminal can still use.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A server that can be asked.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(server: &ServerArgs) -> Result<Self> {
        Self::patient(server, ANSWER_TIMEOUT)
    }

    /// One that waits so long for an answer.
    pub(crate) fn patient(server: &ServerArgs, answer_timeout: Duration) -> Result<Self> {
        let token = match &server.token_file {
            None => None,
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the token file {}", path.display()))?
                    .trim()
                    .to_owned(),
            ),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(answer_timeout)
            .no_proxy()
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self { http, base: server.url.trim_end_matches('/').to_owned(), token })
    }

    /// GET a path with parameters and read the JSON answer. A refused query is an answer too; what
    /// strata itself refuses (no token, no such page) is an error.
    pub(crate) async fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<Json> {
        let (status, body) = self.fetch(path, parameters, ANSWER_BYTES_MAX).await?;
        self.read(status, &body)
    }

    /// As [`Self::get`], by POST: the server does something.
    pub(crate) async fn post(&self, path: &str, parameters: &[(&str, String)]) -> Result<Json> {
        let request = self.http.post(self.url(path, parameters)?);
        let (status, body) = self.send(request, ANSWER_BYTES_MAX).await?;
        self.read(status, &body)
    }

    fn read(&self, status: reqwest::StatusCode, body: &[u8]) -> Result<Json> {
        let answer: Json = serde_json::from_slice(body).with_context(|| {
            format!("{} answered {status} without JSON: not a strata?", self.base)
        })?;
        match (answer["message"].as_str(), answer["hint"].as_str()) {
            (Some(message), hint) if !status.is_success() => {
                bail!("{} refused: {message} ({})", self.base, hint.unwrap_or("no hint"))
            }
            _ => Ok(answer),
        }
    }

    /// GET a path with parameters: the status and the body as it came.
    ///
    /// # Errors
    /// When the server cannot be reached, the answer breaks off or has more than `most` bytes.
    pub(crate) async fn fetch(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        most: usize,
    ) -> Result<(reqwest::StatusCode, Vec<u8>)> {
        self.send(self.http.get(self.url(path, parameters)?), most).await
    }

    fn url(&self, path: &str, parameters: &[(&str, String)]) -> Result<reqwest::Url> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.base))
            .with_context(|| format!("{:?} is not a URL", self.base))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Ok(url)
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
        most: usize,
    ) -> Result<(reqwest::StatusCode, Vec<u8>)> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.context("the answer broke off")? {
            if body.len() + chunk.len() > most {
                bail!("the answer is larger than {} MiB, narrow the question", most >> 20);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((answer.status(), body))
    }

    /// Address of the server.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Why there is no answer, in words for whoever typed the command.
    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        if refused(&error) {
            return anyhow!(
                "nothing listens at {base}: is `strata run` up? (--url names another server)"
            );
        }
        // The address, with the whole query in it, is in the words already.
        let error = anyhow::Error::new(error.without_url());
        error.context(format!("cannot reach {base} (--url names another server)"))
    }
}

/// Whether the other side said that nobody listens there.
fn refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        cause = error.source();
    }
    false
}
