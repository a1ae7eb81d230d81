//! Shapes of models: what one token keeps in the KV cache.
//!
//! The table of well-known models is `models/shapes.toml`. A model that it does not know has no
//! shape, and nothing is guessed from its name.

use std::sync::LazyLock;

use serde::Deserialize;

const TABLE: &str = include_str!("../models/shapes.toml");

/// What the layers of a model keep of each token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Part of the served name, in lower case.
    pub pattern: String,
    /// Layers that keep every token.
    pub layers: u32,
    /// Heads of keys and values; 0 with `latent`.
    #[serde(default)]
    pub kv_heads: u32,
    /// Numbers in a head.
    #[serde(default)]
    pub head_size: u32,
    /// Numbers that a layer keeps in place of keys and values: multi-head latent attention.
    #[serde(default)]
    pub latent: Option<u32>,
    /// Layers that keep the last `window` tokens only.
    #[serde(default)]
    pub windowed_layers: u32,
    #[serde(default)]
    pub window: u32,
    /// Where the numbers are published.
    pub source: String,
}

#[derive(Deserialize)]
struct Table {
    model: Vec<ModelShape>,
}

// A test holds that the table can be read; without it there are no shapes.
static SHAPES: LazyLock<Vec<ModelShape>> =
    LazyLock::new(|| toml::from_str::<Table>(TABLE).map(|table| table.model).unwrap_or_default());

/// All known shapes, in the order of the table.
pub fn shapes() -> &'static [ModelShape] {
    &SHAPES
}

/// The shape of a model by the name it is served under; none of an unknown one.
pub fn shape_of(served: &str) -> Option<&'static ModelShape> {
    let served = served.to_ascii_lowercase().replace('_', "-");
    let fitting = shapes().iter().filter(|shape| holds(&served, &shape.pattern));
    fitting.max_by_key(|shape| shape.pattern.len())
}

/// Whether the pattern stands in the name as whole words: `phi-4` is not in `phi-40b`.
fn holds(served: &str, pattern: &str) -> bool {
    let is_end = |next: Option<char>| !next.is_some_and(|next| next.is_ascii_alphanumeric());
    served.match_indices(pattern).any(|(at, _)| {
        let before = served.get(..at).and_then(|text| text.chars().next_back());
        let after = served.get(at + pattern.len()..).and_then(|text| text.chars().next());
        is_end(before) && is_end(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let table: Table = toml::from_str(TABLE).unwrap();
        assert!(table.model.len() > 40);
        let mut patterns: Vec<&str> = shapes().iter().map(|shape| shape.pattern.as_str()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), table.model.len(), "a pattern stands twice");
        for shape in shapes() {
            let name = &shape.pattern;
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(shape.latent.is_some() != (shape.kv_heads * shape.head_size > 0), "{name}");
            assert_eq!(shape.windowed_layers > 0, shape.window > 0, "{name}");
            assert!(shape.layers + shape.windowed_layers > 0 && !shape.source.is_empty(), "{name}");
        }
    }

    #[test]
    fn served_names_find_their_model() {
        let check = |served: &str, pattern: Option<&str>| {
            assert_eq!(shape_of(served).map(|shape| shape.pattern.as_str()), pattern, "{served}");
        };
        check("meta-llama/Llama-3.1-8B-Instruct", Some("llama-3.1-8b"));
        check("Qwen/Qwen2.5-72B-Instruct-AWQ", Some("qwen2.5-72b"));
        check("deepseek-ai/DeepSeek-R1", Some("deepseek-r1"));
        check("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", Some("r1-distill-llama-70b"));
        check("deepseek_v3", Some("deepseek-v3"));
        check("mistralai/Mistral-7B-v0.1", Some("mistral-7b-v0.1"));
        check("phi-40b", None);
        check("our-own-model", None);
        check("", None);
    }
}
