//! Settings that give KV cache away.

use strata_model::shape::ModelShape;

use super::kv_bytes::{bytes_of_type, bytes_per_token, copies};

/// A longest sequence that is this many times what is used is worth a word.
const LENGTH_FACTOR: f64 = 4.0;
/// Part by which the engine's own bytes may differ from those of the shape: block tables, scales, and
/// layers that a table of shapes does not know.
const BYTES_TOLERANCE: f64 = 0.1;

/// What is known of the cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cache<'a> {
    pub shape: Option<&'a ModelShape>,
    /// As the engine names it: `auto`, `fp8_e4m3`.
    pub dtype: Option<&'a str>,
    /// GPUs that the replica runs on.
    pub gpus: Option<f64>,
    /// Data-parallel ranks, each with attention of its own; at least 1.
    pub ranks: f64,
    /// Tokens that the cache can hold.
    pub capacity: Option<f64>,
    /// Bytes of the cache on each GPU, as the engine says.
    pub bytes_each_gpu: Option<f64>,
    /// Longest sequence that the engine takes.
    pub length_limit: Option<f64>,
    /// Length of prompt and answer that 99 of 100 requests stay within.
    pub length_p99: Option<f64>,
    /// Mean tokens of a running request.
    pub tokens_each: Option<f64>,
    /// Whether the cache is what gives out first, or was nearly full.
    pub scarce: bool,
}

/// Bytes of one token: by the model's shape, and by what the engine says.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBytes {
    /// With the copies that the GPUs keep.
    pub shape: Result<f64, String>,
    pub engine: Result<f64, String>,
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Waste {
    pub title: &'static str,
    /// What is seen and what a change would give.
    pub text: String,
}

impl Cache<'_> {
    /// GPUs that work on one token together.
    fn together(&self) -> Option<f64> {
        Some((self.gpus? / self.ranks.max(1.0)).max(1.0))
    }

    /// Bytes of a number: `auto` is that of the weights, which is taken for two.
    fn number_bytes(&self) -> Option<f64> {
        match self.dtype {
            Some(dtype) => bytes_of_type(dtype).or((dtype == "auto").then_some(2.0)),
            None => None,
        }
    }
}

/// Bytes per token, from both sides.
pub fn token_bytes(cache: &Cache<'_>) -> TokenBytes {
    let shape = match (cache.shape, cache.number_bytes()) {
        (None, _) => Err("the model's shape is not in the table of known models".to_owned()),
        (_, None) => Err("the engine does not say the type of its KV cache".to_owned()),
        (Some(shape), Some(bytes)) => {
            let length = cache.tokens_each.unwrap_or(0.0);
            Ok(bytes_per_token(shape, bytes, length)
                * copies(shape, cache.together().unwrap_or(1.0)))
        }
    };
    let engine = match (cache.bytes_each_gpu, cache.capacity, cache.gpus) {
        (None, ..) => Err("the engine does not say how many bytes its KV cache has".to_owned()),
        (_, None, _) => Err("the KV capacity in tokens is not on the engine's page".to_owned()),
        (.., None) => Err("which GPUs the replica runs on is not known".to_owned()),
        (Some(bytes), Some(capacity), Some(gpus)) if capacity > 0.0 => Ok(bytes * gpus / capacity),
        _ => Err("the engine's KV capacity is nothing".to_owned()),
    };
    TokenBytes { shape, engine }
}

/// What gives cache away, the dearest first.
pub fn wastes(cache: &Cache<'_>) -> Vec<Waste> {
    let found = [replicated(cache), disagreeing(cache), wide(cache), long(cache)];
    found.into_iter().flatten().collect()
}

fn replicated(cache: &Cache<'_>) -> Option<Waste> {
    let (shape, gpus) = (cache.shape?, cache.together()?);
    let copies = copies(shape, gpus);
    let why = match shape.latent {
        Some(_) => "the latent vector of each token stands on every GPU; attention by data \
                    parallelism would keep it once"
            .to_owned(),
        None => format!(
            "the model has {} heads of keys and values, fewer than {gpus:.0} GPUs that work as one; \
             as many GPUs as heads would keep each once",
            shape.kv_heads
        ),
    };
    (copies > 1.0).then(|| Waste {
        title: "keys and values are kept several times",
        text: format!("{copies:.1} copies of each token: {why}."),
    })
}

/// The engine has more bytes for a token than the shape takes: a type, padding or layers that nobody
/// reckoned with.
fn disagreeing(cache: &Cache<'_>) -> Option<Waste> {
    let TokenBytes { shape: Ok(shape), engine: Ok(engine) } = token_bytes(cache) else {
        return None;
    };
    (engine > shape * (1.0 + BYTES_TOLERANCE)).then(|| Waste {
        title: "a token takes more bytes than the model's shape",
        text: format!(
            "{engine:.0} bytes by the engine, {shape:.0} by the shape: padding, an unexpected type \
             of the cache, or GPUs that are not all this replica's."
        ),
    })
}

fn wide(cache: &Cache<'_>) -> Option<Waste> {
    let bytes = cache.number_bytes()?;
    (cache.scarce && bytes >= 2.0).then(|| Waste {
        title: "the KV cache is kept in 16 bits",
        text: format!(
            "FP8 would hold {bytes:.0} times the tokens, on GPUs that compute in it (Ada, Hopper and \
             later); compare the answers before it is switched on for all."
        ),
    })
}

fn long(cache: &Cache<'_>) -> Option<Waste> {
    let (limit, used) = (cache.length_limit?, cache.length_p99?);
    (used > 0.0 && limit >= LENGTH_FACTOR * used).then(|| Waste {
        title: "sequences are far shorter than the longest allowed",
        text: format!(
            "{limit:.0} tokens are allowed, 99 of 100 requests stay within {used:.0}: a lower \
             max_model_len leaves more memory to the cache and keeps one request from taking it all."
        ),
    })
}

#[cfg(test)]
mod tests {
    use strata_model::shape::shape_of;

    use super::*;

    fn cache() -> Cache<'static> {
        Cache {
            shape: shape_of("llama-3.1-8b"),
            dtype: Some("auto"),
            gpus: Some(1.0),
            ranks: 1.0,
            capacity: Some(100_000.0),
            bytes_each_gpu: Some(13_107_200_000.0),
            length_limit: Some(8192.0),
            length_p99: Some(4096.0),
            tokens_each: Some(1000.0),
            scarce: false,
        }
    }

    #[test]
    fn both_sides_agree_or_it_is_said() {
        let both = token_bytes(&cache());
        assert_eq!((both.shape, both.engine), (Ok(131_072.0), Ok(131_072.0)));
        assert_eq!(wastes(&cache()), []);
        let padded = Cache { bytes_each_gpu: Some(20e9), ..cache() };
        assert!(wastes(&padded)[0].text.contains("200000 bytes by the engine"));
        let unknown = token_bytes(&Cache { shape: None, gpus: None, ..cache() });
        assert!(unknown.shape.is_err_and(|why| why.contains("table of known models")));
        assert!(unknown.engine.is_err_and(|why| why.contains("GPUs")));
    }

    #[test]
    fn settings_that_give_cache_away_are_told() {
        let check = |cache: Cache<'_>, title: &str, text: &str| {
            let found = wastes(&cache);
            let told = found.iter().any(|one| one.title.contains(title) && one.text.contains(text));
            assert!(told, "{found:?}");
        };
        check(Cache { scarce: true, ..cache() }, "16 bits", "2 times");
        let many = Cache { gpus: Some(16.0), bytes_each_gpu: None, ..cache() };
        check(many, "several times", "2.0 copies");
        let latent = Cache { shape: shape_of("deepseek-v3"), gpus: Some(8.0), ..many };
        check(latent, "several times", "latent");
        let apart = Cache { ranks: 8.0, ..latent };
        assert!(wastes(&apart).iter().all(|one| !one.title.contains("several times")));
        check(Cache { length_limit: Some(131_072.0), ..cache() }, "far shorter", "131072");
        let eight = Cache { scarce: true, dtype: Some("fp8"), ..cache() };
        assert!(wastes(&eight).iter().all(|one| !one.title.contains("16 bits")));
    }
}
