//! Lines of the formats that trainers read.
//!
//! `openai`: <https://platform.openai.com/docs/guides/supervised-fine-tuning> and
//! <https://platform.openai.com/docs/guides/direct-preference-optimization>.
//! `trl`: <https://huggingface.co/docs/trl/dataset_formats>.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::talk::{Prompt, Talk, Unfit};
use super::{Tally, sum_of};

/// Where lines are written, each once.
pub(super) struct Lines<'w> {
    seen: BTreeSet<u64>,
    write: &'w mut dyn FnMut(&Value) -> Result<()>,
}

impl<'w> Lines<'w> {
    pub(super) fn new(write: &'w mut dyn FnMut(&Value) -> Result<()>) -> Self {
        Self { seen: BTreeSet::new(), write }
    }

    /// Write what could be made a line of and was not written before, and count what became of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub(super) fn put(&mut self, line: Result<Value, Unfit>, tally: &mut Tally) -> Result<()> {
        match line {
            Ok(line) if self.seen.insert(sum_of(&line.to_string())) => {
                (self.write)(&line)?;
                tally.written += 1;
            }
            Ok(_) => tally.repeated += 1,
            Err(why) => *tally.unfit.entry(why).or_default() += 1,
        }
        Ok(())
    }
}

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// `OpenAI`'s fine-tuning files: messages; input, preferred and non-preferred output.
    #[default]
    Openai,
    /// Hugging Face's TRL: prompt and completion; prompt, chosen and rejected.
    Trl,
}

fn with_tools(line: &mut Map<String, Value>, tools: &[Value], parallel: Option<bool>) {
    if !tools.is_empty() {
        line.insert("tools".to_owned(), tools.into());
        if let Some(parallel) = parallel {
            line.insert("parallel_tool_calls".to_owned(), parallel.into());
        }
    }
}

/// The words of an answer that is only words.
fn words(answer: &Value) -> Value {
    answer["content"].clone()
}

/// An example of supervised training.
pub(super) fn example(talk: &Talk, format: Format) -> Result<Value, Unfit> {
    let mut line = Map::new();
    match (&talk.prompt, format) {
        (Prompt::Chat { messages, tools, parallel }, Format::Openai) => {
            let answered = messages.iter().chain([&talk.answer]).cloned();
            line.insert("messages".to_owned(), answered.collect());
            with_tools(&mut line, tools, *parallel);
        }
        (Prompt::Chat { messages, tools, .. }, Format::Trl) => {
            line.insert("prompt".to_owned(), messages.clone().into());
            line.insert("completion".to_owned(), json!([talk.answer]));
            with_tools(&mut line, tools, None);
        }
        (Prompt::Text(text), Format::Trl) => {
            line.insert("prompt".to_owned(), text.as_str().into());
            line.insert("completion".to_owned(), words(&talk.answer));
        }
        (Prompt::Text(_), Format::Openai) => return Err(Unfit::Shape),
    }
    Ok(Value::Object(line))
}

/// A pair of preference training; both answers are to one prompt.
pub(super) fn pair(good: &Talk, bad: &Talk, format: Format) -> Result<Value, Unfit> {
    let mut line = Map::new();
    match (&good.prompt, format) {
        (Prompt::Chat { messages, tools, parallel }, Format::Openai) => {
            let mut input = Map::new();
            input.insert("messages".to_owned(), messages.clone().into());
            with_tools(&mut input, tools, *parallel);
            line.insert("input".to_owned(), input.into());
            line.insert("preferred_output".to_owned(), json!([good.answer]));
            line.insert("non_preferred_output".to_owned(), json!([bad.answer]));
        }
        (Prompt::Chat { messages, tools, .. }, Format::Trl) => {
            line.insert("prompt".to_owned(), messages.clone().into());
            line.insert("chosen".to_owned(), json!([good.answer]));
            line.insert("rejected".to_owned(), json!([bad.answer]));
            with_tools(&mut line, tools, None);
        }
        (Prompt::Text(text), Format::Trl) => {
            line.insert("prompt".to_owned(), text.as_str().into());
            line.insert("chosen".to_owned(), words(&good.answer));
            line.insert("rejected".to_owned(), words(&bad.answer));
        }
        (Prompt::Text(_), Format::Openai) => return Err(Unfit::Shape),
    }
    Ok(Value::Object(line))
}
