//! Asks one address whether it has a metrics page, and what kind of page it is.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Url;
use strata_model::{FaultCode, NativeHistogram};

use crate::exposition::{Fact, FaultFold, Format, Histograms, PageVisitor, RawSeries, read_page};
use crate::scrape::Fetcher;

/// Where metrics pages are, most likely first: nearly everybody; NIM; TensorRT-LLM.
pub(crate) const PATHS: [&str; 3] = ["/metrics", "/v1/metrics", "/prometheus/metrics"];
/// Names handed to the identification; the largest real pages have some thousand families.
const NAMES_MAX: usize = 10_000;

/// What an address said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// A metrics page with these families.
    Page { url: Url, names: Vec<String> },
    /// HTTP, but no metrics page; the status of `/metrics` tells why.
    NoPage { not_implemented: bool },
    /// Not HTTP, or nothing in time.
    Silent,
}

/// Ask one address, path by path.
pub(crate) async fn ask(fetcher: &Fetcher, address: SocketAddr, deadline: Duration) -> Answer {
    let mut answer = Answer::Silent;
    for path in PATHS {
        let Ok(url) = Url::parse(&format!("http://{address}{path}")) else { break };
        let fetch = fetcher.fetch(&url, deadline.as_secs_f64());
        match tokio::time::timeout(deadline, fetch).await {
            Ok(Ok(page)) => {
                let format = Format::of_content_type(&page.content_type).unwrap_or(Format::Text);
                let mut names = Names::default();
                let end =
                    read_page(format, &page.body, page.arrival, Histograms::default(), &mut names);
                if end.samples > end.unreadable {
                    let names = names.names.into_iter().collect();
                    return Answer::Page { url, names };
                }
                answer = Answer::NoPage { not_implemented: false };
            }
            Ok(Err(error)) => match error.fault.code {
                FaultCode::HttpStatus | FaultCode::Denied | FaultCode::Malformed => {
                    let not_implemented = error.fault.message.contains("501")
                        || answer == Answer::NoPage { not_implemented: true };
                    answer = Answer::NoPage { not_implemented };
                }
                // Nobody there, or nobody who speaks HTTP: other paths will not change that.
                _ => break,
            },
            Err(_elapsed) => break,
        }
    }
    answer
}

/// Collects the names on a page.
#[derive(Default)]
struct Names {
    names: BTreeSet<String>,
    faults: FaultFold,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.names.len() < NAMES_MAX && !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }
}

impl PageVisitor for Names {
    fn expects(&self, _line: &[u8]) -> Option<(usize, u32)> {
        None
    }

    fn knows_comment(&self, _line: &[u8]) -> bool {
        false
    }

    fn learn_comment(&mut self, _line: &[u8]) {}

    fn describe(&mut self, family: &str, _fact: Fact<'_>) {
        self.add(family);
    }

    fn float(&mut self, series: RawSeries<'_>, _at_ms: Option<i64>, _value: f64) {
        if let Ok(pairs) = series.decode()
            && let Some((_, name)) = pairs.iter().find(|(n, _)| n == strata_model::METRIC_NAME)
        {
            self.add(name);
        }
    }

    fn native(&mut self, series: RawSeries<'_>, at_ms: Option<i64>, _histogram: NativeHistogram) {
        self.float(series, at_ms, 0.0);
    }

    fn faults(&mut self) -> &mut FaultFold {
        &mut self.faults
    }
}
