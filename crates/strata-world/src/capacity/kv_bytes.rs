//! Bytes of the KV cache that one token takes, from the shape of the model.
//!
//! Heads: `2 L H d b` for keys and values of `L` layers with `H` heads of `d` numbers of `b` bytes,
//! whether every query has a head of its own (MHA), groups share one (GQA) or all do (MQA). Latent
//! attention (MLA) keeps one vector of `kv_lora_rank + qk_rope_head_dim` numbers a layer, not two. Layers
//! with a window keep at most that many tokens. With tensor parallelism heads are dealt out, but one
//! head cannot be cut: above `H` GPUs heads stand several times, and so does a latent vector on every
//! GPU (unless the engine spreads requests over GPUs instead).

use strata_model::shape::ModelShape;

/// Numbers of a token in one layer.
fn numbers(shape: &ModelShape) -> f64 {
    match shape.latent {
        Some(latent) => f64::from(latent),
        None => 2.0 * f64::from(shape.kv_heads) * f64::from(shape.head_size),
    }
}

/// Bytes of a token in a sequence of `length` tokens, mean over its tokens, over all GPUs and without
/// copies. `bytes` is of one number: 2 for FP16 and BF16, 1 for FP8 (whose scales are left out).
pub fn bytes_per_token(shape: &ModelShape, bytes: f64, length: f64) -> f64 {
    let kept = if length > 0.0 { (f64::from(shape.window) / length).min(1.0) } else { 1.0 };
    let layers = f64::from(shape.layers) + f64::from(shape.windowed_layers) * kept;
    layers * numbers(shape) * bytes
}

/// How many times each token stands in the caches of `gpus` GPUs that work as one.
pub fn copies(shape: &ModelShape, gpus: f64) -> f64 {
    match shape.latent {
        Some(_) => gpus.max(1.0),
        None => (gpus / f64::from(shape.kv_heads.max(1))).max(1.0),
    }
}

/// Bytes of a number by the name of the cache's type; none of what names no type by itself.
pub fn bytes_of_type(name: &str) -> Option<f64> {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["fp8", "int8", "e4m3", "e5m2"]) {
        Some(1.0)
    } else if has(&["bf16", "bfloat16", "fp16", "float16", "half"]) {
        Some(2.0)
    } else if has(&["fp32", "float32"]) {
        Some(4.0)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use strata_model::shape::shape_of;

    use super::*;

    #[test]
    fn bytes_are_as_published() {
        let check = |model: &str, bytes: f64, expected: f64| {
            let shape = shape_of(model).unwrap();
            assert_eq!(bytes_per_token(shape, bytes, 1000.0), expected, "{model}");
        };
        check("llama-3.1-8b", 2.0, 131_072.0);
        check("llama-3.1-70b", 2.0, 327_680.0);
        check("qwen2.5-7b", 2.0, 57_344.0);
        check("deepseek-v3", 2.0, 70_272.0);
        check("deepseek-v3", 1.0, 35_136.0);
        // Every query its own head, and one head for all.
        check("llama-2-7b", 2.0, 524_288.0);
        check("falcon-7b", 2.0, 8192.0);
    }

    #[test]
    fn windows_cap_what_a_long_sequence_keeps() {
        let shape = shape_of("gemma-2-9b").unwrap();
        let short = bytes_per_token(shape, 2.0, 1000.0);
        assert_eq!(short, 42.0 * 2.0 * 8.0 * 256.0 * 2.0);
        let long = bytes_per_token(shape, 2.0, 8192.0);
        assert_eq!(long, short * 0.75);
        // Layers with a state of fixed size keep nothing of a token.
        let hybrid = shape_of("jamba-1.5-mini").unwrap();
        assert_eq!(bytes_per_token(hybrid, 2.0, 1e6), 4.0 * 2.0 * 8.0 * 128.0 * 2.0);
    }

    #[test]
    fn heads_are_copied_when_there_are_more_gpus() {
        let check = |model: &str, gpus: f64, expected: f64| {
            assert_eq!(copies(shape_of(model).unwrap(), gpus), expected, "{model} on {gpus}");
        };
        check("llama-3.1-70b", 4.0, 1.0);
        check("llama-3.1-70b", 8.0, 1.0);
        check("llama-3.1-70b", 16.0, 2.0);
        check("qwen2.5-7b", 8.0, 2.0);
        check("deepseek-v3", 8.0, 8.0);
    }

    #[test]
    fn types_have_their_bytes() {
        let check = |name: &str, expected: Option<f64>| assert_eq!(bytes_of_type(name), expected);
        check("fp8_e4m3", Some(1.0));
        check("bfloat16", Some(2.0));
        check("auto", None);
        check("None", None);
    }
}
