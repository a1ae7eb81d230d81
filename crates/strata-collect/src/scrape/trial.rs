//! Trying what a job names without running it: lists, secrets and certificates.

use std::path::{Path, PathBuf};

use strata_model::{Fault, FaultCode, SourceState};

use super::client::{ClientError, authorities, identity};
use super::collector::Job;
use super::jobs::{ask, read_list};
use super::listing::{Group, Listed};
use super::options::ScrapeSettings;
use super::target::Target;
use crate::collector::CollectError;

/// What a list of targets names now.
#[derive(Debug, Default)]
pub struct ListTrial {
    /// In order of their ids, each once.
    pub targets: Vec<Target>,
    /// What of the list is no target, a sentence each.
    pub problems: Vec<String>,
}

impl ListTrial {
    fn of(settings: &ScrapeSettings, groups: &[Group]) -> Self {
        let mut listed = Listed::default();
        listed.add(settings, groups);
        Self { targets: listed.targets.into_values().collect(), problems: listed.problems }
    }
}

impl Job {
    /// Read a file of `file_sd` as the running job would.
    ///
    /// # Errors
    /// It cannot be read, or is no list.
    pub fn try_file(&self, path: &Path) -> Result<ListTrial, CollectError> {
        Ok(ListTrial::of(self.settings(), &read_list(path)?))
    }

    /// Ask a service of `http_sd` as the running job would.
    ///
    /// # Errors
    /// It does not answer in time, or not with a list.
    pub async fn try_service(&self, url: &str) -> Result<ListTrial, CollectError> {
        let url = reqwest::Url::parse(url).map_err(|error| CollectError {
            fault: Fault::new(FaultCode::Malformed, format!("{url:?}: {error}")),
            state: SourceState::Failing,
            hint: "write it with http:// or https://".to_owned(),
        })?;
        Ok(ListTrial::of(self.settings(), &ask(self, &url).await?))
    }

    /// Read the token or password the job sends. Nobody gets to see it.
    ///
    /// # Errors
    /// It is not there, cannot be read, is empty, or cannot stand in a request.
    pub fn try_secret(&self) -> Result<(), CollectError> {
        self.fetcher().try_authorization()
    }
}

impl ScrapeSettings {
    /// Read every certificate file the job names: the option, the file, and what came of it.
    pub fn try_certificates(&self) -> Vec<(&'static str, PathBuf, Result<(), ClientError>)> {
        let mut tried = Vec::new();
        if let Some(path) = &self.tls.ca_file {
            tried.push(("tls.ca_file", path.clone(), authorities(path).map(drop)));
        }
        if let (Some(certificate), Some(key)) = (&self.tls.cert_file, &self.tls.key_file) {
            let pair = identity(certificate, key).map(drop);
            tried.push(("tls.cert_file", certificate.clone(), pair));
        }
        tried
    }
}
