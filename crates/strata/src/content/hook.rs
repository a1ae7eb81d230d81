//! A program on this host that cleans texts further.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use strata_store::Redacted;

/// Longest wait for one call's texts.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer: so many times what was asked, as an encoder may write other letters than those of
/// ASCII as escapes, and room for what is put in.
const ANSWER_TIMES: usize = 3;
const ANSWER_MORE: usize = 64 << 10;

/// The redactor that a route names.
pub(crate) struct Hook {
    http: reqwest::Client,
    url: String,
}

#[derive(Serialize)]
struct Asked<'a> {
    texts: &'a [String],
}

#[derive(Deserialize)]
struct Answer {
    texts: Vec<String>,
}

impl Hook {
    pub(crate) fn new(url: &(impl ToString + ?Sized)) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
        // Texts that are not clean yet go to this address and nowhere else.
        let http = http.redirect(reqwest::redirect::Policy::none()).build();
        Ok(Self {
            http: http.context("cannot set up the redactor's client")?,
            url: url.to_string(),
        })
    }

    /// The call with its texts cleaned further, or why nobody can say that it is clean.
    pub(super) async fn clean(&self, call: Redacted) -> std::result::Result<Redacted, String> {
        let asked = call.texts().into_iter().map(str::to_owned).collect();
        let texts = self.ask(asked).await?;
        let wrong = || format!("{} answered with another number of texts", self.url);
        call.with_texts(texts).ok_or_else(wrong)
    }

    /// Have texts cleaned.
    pub(crate) async fn ask(&self, texts: Vec<String>) -> std::result::Result<Vec<String>, String> {
        let fail = |what: String| format!("the redactor {} {what}", self.url);
        let request = self.http.post(&self.url).header("content-type", "application/json");
        let asked = serde_json::to_vec(&Asked { texts: &texts });
        let asked = asked.map_err(|error| fail(format!("cannot be asked: {error}")))?;
        drop(texts);
        let most = asked.len().saturating_mul(ANSWER_TIMES).saturating_add(ANSWER_MORE);
        let sent = request.body(asked).send().await;
        let mut answer = sent.map_err(|error| {
            fail(format!("cannot be asked: {}", strata_model::told::causes(&error.without_url())))
        })?;
        if !answer.status().is_success() {
            return Err(fail(format!("answers {}", answer.status())));
        }
        let mut body = Vec::new();
        let broken = |error: reqwest::Error| {
            fail(format!("broke off: {}", strata_model::told::causes(&error.without_url())))
        };
        while let Some(part) = answer.chunk().await.map_err(broken)? {
            if body.len() + part.len() > most {
                return Err(fail("answers too much".to_owned()));
            }
            body.extend_from_slice(&part);
        }
        // What it said is not told: it may hold what it should have taken out.
        let answer: std::result::Result<Answer, _> = serde_json::from_slice(&body);
        answer
            .map(|answer| answer.texts)
            .map_err(|_error| fail("does not answer {\"texts\": [..]}".to_owned()))
    }
}
