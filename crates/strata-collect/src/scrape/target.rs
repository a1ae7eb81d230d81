//! One target: where its page is, and the labels its series get.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use strata_model::text::parse_duration;
use strata_model::{Labels, LabelsBuilder};

use super::options::ScrapeSettings;

/// A place to fetch a page from. Two targets with the same id are the same target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Stable name: `scrape/<job>/<address><path>`; the path only when it is not `/metrics`.
    pub id: String,
    pub url: Url,
    /// Labels every series of the target gets.
    pub labels: Labels,
    pub interval: Duration,
    pub timeout: Duration,
}

impl Target {
    /// The target of a job at this address, with the labels its group gives it.
    ///
    /// Labels that begin with `__` steer the request as in Prometheus (`__scheme__`,
    /// `__metrics_path__`, `__param_<name>`, `__scrape_interval__`, `__scrape_timeout__`,
    /// `__address__`) and are not kept.
    ///
    /// # Errors
    /// A sentence that says why there is no such target.
    pub fn of(
        settings: &ScrapeSettings,
        address: &str,
        group: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let meta = |name: &str| group.get(name).map(String::as_str);
        let address = meta("__address__").unwrap_or(address);
        let scheme = meta("__scheme__").unwrap_or(&settings.scheme);
        let path = meta("__metrics_path__").unwrap_or(&settings.path);
        if scheme != "http" && scheme != "https" {
            return Err(format!("target {address:?}: {scheme:?} is neither http nor https"));
        }
        let mut url = Url::parse(&format!("{scheme}://{address}"))
            .map_err(|error| format!("target {address:?}: {error}"))?;
        if address.contains(['/', '?', '#', '@']) || url.host_str().is_none() {
            return Err(format!("target {address:?} is not host:port"));
        }
        let (path_only, query) = path.split_once('?').unwrap_or((path, ""));
        url.set_path(path_only);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut params = settings.params.clone();
        for (name, value) in group {
            if let Some(param) = name.strip_prefix("__param_") {
                params.insert(param.to_owned(), value.clone());
            }
        }
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(&params);
        }
        let duration = |name: &str, usual: Duration| match meta(name) {
            Some(text) => {
                parse_duration(text).map_err(|error| format!("target {address}: {error}"))
            }
            None => Ok(usual),
        };
        let interval = duration("__scrape_interval__", settings.interval)?;
        let timeout = duration("__scrape_timeout__", settings.timeout)?.min(interval.mul_f64(0.95));
        let labels = public_labels(settings, address, group);
        let id = identity(&labels, &url, address);
        Ok(Self { id, url, labels, interval, timeout })
    }
}

fn public_labels(
    settings: &ScrapeSettings,
    address: &str,
    group: &BTreeMap<String, String>,
) -> Labels {
    let mut labels = LabelsBuilder::default();
    labels.set("job", &settings.job).set("instance", address);
    for (name, value) in settings.labels.iter().chain(group) {
        if !name.starts_with("__") && !name.is_empty() {
            labels.set(name, value);
        }
    }
    labels.build()
}

fn identity(labels: &Labels, url: &Url, address: &str) -> String {
    let job = labels.get("job").unwrap_or("");
    let place = match (url.path(), url.query()) {
        ("/metrics", None) => String::new(),
        (path, None) => path.to_owned(),
        (path, Some(query)) => format!("{path}?{query}"),
    };
    format!("scrape/{job}/{address}{place}")
}
