//! Asks an engine for its model when its page does not name it.
//!
//! The answer is written beside the page as an info series of the target; which samples it is about
//! is decided when they are read. It is asked again now and then, and after every page that could
//! not be had, because models are swapped. Where there is no single answer nothing is written: the
//! model is unknown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use strata_model::catalog::MODEL_INFO;
use strata_model::{Batch, Labels, METRIC_NAME, Sample};

use super::client::Fetcher;

/// An answer is believed this long. A model that is swapped without the page being away for a moment
/// has the old name until then.
const ASK_EVERY_MS: u64 = 60_000;
/// Descriptions of models are a few kilobytes; a router may list some hundred.
const BODY_MAX: u64 = 1024 * 1024;
/// Longest name that is kept, in bytes.
const NAME_MAX: usize = 256;
/// Share of the target's time that questions may take, so that the page is not late for them.
const SHARE_OF_TIMEOUT: u32 = 8;
const LONGEST: Duration = Duration::from_secs(1);
/// Elements of a list that are looked at.
const ELEMENTS_MAX: usize = 1_000;

/// How to learn the model of one kind of engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelQuestions {
    /// What the engine is called in the label `inference_engine`.
    pub engine: String,
    /// Path on the page's server, and where the name is in its JSON: keys separated by `/`, `*` for
    /// every element of a list.
    pub questions: Vec<(String, String)>,
}

/// Says how to ask the program behind a page with these families; `None` when its page names the
/// model, or it serves none.
pub type ModelOf = Arc<dyn Fn(&[&str]) -> Option<ModelQuestions> + Send + Sync>;

/// What is known of one target's model.
#[derive(Default)]
pub(crate) struct Learner {
    of: Option<ModelOf>,
    questions: Option<ModelQuestions>,
    asked_ms: Option<i64>,
    model: Option<String>,
}

impl Learner {
    pub(crate) fn new(of: Option<ModelOf>) -> Self {
        Self { of, ..Self::default() }
    }

    /// The page could not be had: whatever serves it next may serve another model.
    pub(crate) fn doubt(&mut self) {
        self.asked_ms = None;
    }

    /// Find out from the first page whether there is anything to ask.
    pub(crate) fn meet<'f>(&mut self, families: impl Iterator<Item = &'f str>) {
        if let Some(of) = self.of.take() {
            let families: Vec<&str> = families.collect();
            self.questions = of(&families);
        }
    }

    /// Ask when it is time to, within `timeout` of the target.
    pub(crate) async fn ask(
        &mut self,
        fetcher: &Fetcher,
        page: &Url,
        timeout: Duration,
        at_ms: i64,
    ) {
        let Some(questions) = &self.questions else { return };
        if self.asked_ms.is_some_and(|asked| at_ms.abs_diff(asked) < ASK_EVERY_MS) {
            return;
        }
        self.asked_ms = Some(at_ms);
        let deadline = (timeout / SHARE_OF_TIMEOUT).min(LONGEST);
        let fetcher = fetcher.bounded(BODY_MAX);
        let answer = answer(&fetcher, page, &questions.questions, deadline);
        self.model = tokio::time::timeout(deadline, answer).await.unwrap_or_default();
    }

    /// Write what is known beside the samples of the page.
    pub(crate) fn write(&self, target: &Labels, at_ms: i64, batch: &mut Batch) {
        let (Some(questions), Some(model)) = (&self.questions, &self.model) else { return };
        let mut labels = target.to_builder();
        labels.set(METRIC_NAME, MODEL_INFO);
        labels.set("inference_engine", &questions.engine).set("model", model);
        let series = batch.series_of(&labels.build());
        batch.samples.push(Sample { series, at_ms, value: 1.0 });
    }
}

/// The first question's answer that names anything.
async fn answer(
    fetcher: &Fetcher,
    page: &Url,
    questions: &[(String, String)],
    deadline: Duration,
) -> Option<String> {
    for (path, at) in questions {
        let mut url = page.clone();
        url.set_path(path);
        url.set_query(None);
        let Ok(fetched) = fetcher.fetch(&url, deadline.as_secs_f64()).await else { continue };
        let Ok(value) = serde_json::from_slice::<Value>(&fetched.body) else { continue };
        let names = names(&value, at);
        match names.len() {
            0 => {}
            1 => return names.first().map(|name| (*name).to_owned()),
            _ => return None,
        }
    }
    None
}

/// The different names at a place of an answer. Texts that can be no name are passed over.
fn names<'a>(value: &'a Value, at: &str) -> BTreeSet<&'a str> {
    let mut places = vec![value];
    for key in at.split('/') {
        places = if key == "*" {
            let lists = places.into_iter().filter_map(Value::as_array);
            lists.flat_map(|list| list.iter().take(ELEMENTS_MAX)).collect()
        } else {
            places.into_iter().filter_map(|place| place.get(key)).collect()
        };
    }
    let texts = places.into_iter().filter_map(Value::as_str).map(str::trim);
    texts
        .filter(|text| !text.is_empty() && text.len() <= NAME_MAX)
        .filter(|text| !text.chars().any(char::is_control))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, at: &str, expected: &[&str]) {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(names(&value, at).into_iter().collect::<Vec<_>>(), expected, "{json} at {at}");
    }

    #[test]
    fn names_are_found_where_they_are_said_to_be() {
        let list = r#"{"data":[{"id":"a"},{"id":" b "},{"id":"a"},{"no":1}]}"#;
        check(list, "data/*/id", &["a", "b"]);
        check(r#"{"model_alias":"m"}"#, "model_alias", &["m"]);
        check(r#"{"model_alias":7}"#, "model_alias", &[]);
        check(r#"{"data":{}}"#, "data/*/id", &[]);
        check("[]", "model_alias", &[]);
        check("{\"m\":\"a\\u0007b\"}", "m", &[]);
        check(&format!("{{\"m\":\"{}\"}}", "x".repeat(NAME_MAX + 1)), "m", &[]);
    }
}
