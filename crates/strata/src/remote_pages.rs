//! Pages read from a running server over HTTP.

use serde::de::DeserializeOwned;
use strata_view::source::PageFuture;
use strata_view::{Page, PageError, PageErrorCode, PageRequest, PageSource, Suggestion};

use crate::client::Client;

/// A page of 10,000 cells is about 2 MB of JSON; ten times that is no page.
const PAGE_BYTES_MAX: usize = 32 << 20;

/// The pages of another strata.
pub(crate) struct RemotePages(pub(crate) Client);

impl RemotePages {
    async fn ask<T: DeserializeOwned>(
        &self,
        path: String,
        parameters: Vec<(&'static str, String)>,
    ) -> Result<T, PageError> {
        let answer = self.0.fetch(&path, &parameters, PAGE_BYTES_MAX).await;
        let (status, body) = answer.map_err(|error| PageError {
            code: PageErrorCode::Unreachable,
            message: format!("{error:#}"),
            hint: "is it running there? --url names another server".to_owned(),
        })?;
        if status.is_success()
            && let Ok(value) = serde_json::from_slice(&body)
        {
            return Ok(value);
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| PageError {
            code: PageErrorCode::Internal,
            message: format!("{} answered {status} without a page", self.0.base()),
            hint: "is it a strata of the same version? `strata --version` tells ours".to_owned(),
        }))
    }
}

impl PageSource for RemotePages {
    fn page(&self, request: PageRequest) -> PageFuture<'_, Page> {
        let path = format!("/api/v1/pages/{}", request.page.name());
        let parameters = request.params();
        Box::pin(self.ask(path, parameters))
    }

    fn suggest(&self, text: String, limit: usize) -> PageFuture<'_, Vec<Suggestion>> {
        let parameters = vec![("q", text), ("limit", limit.to_string())];
        Box::pin(self.ask("/api/v1/suggest".to_owned(), parameters))
    }
}
