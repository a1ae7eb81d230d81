//! How much processor time an engine's front end takes for a token, and where its one core ends.
//!
//! The process that serves vLLM's page takes requests, makes tokens of text and text of tokens; the
//! steps run in processes of their own. It is Python, whose interpreter runs on one core at a time, and
//! with several such processes the page has no processor time at all. So `cores = a + b g` is fitted
//! to the readings, with `g` generated tokens per second: `a` is what it takes when idle, which a
//! mere quotient would put on the requests of a quiet hour.
//!
//! Threads of the tokenizer work beside the interpreter and are in that time too: the ceiling is never
//! too high.

use super::moment::Moment;
use super::step_time::{covariance, mean, variance};

/// The engine whose page is served by its front end and nothing else.
const ENGINE: &str = "vllm";
/// Readings that a fit takes.
const POINTS_MIN: usize = 20;
/// Share of the variance that the line must explain to be used.
const R2_MIN: f64 = 0.5;
/// The pace must have moved by that part of its mean, as standard deviation.
const SPREAD_MIN: f64 = 0.1;

/// The fitted line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrontEnd {
    /// Cores that it takes without any request.
    pub idle_cores: f64,
    /// Processor seconds for each generated token, with its part of reading the prompt.
    pub per_token_s: f64,
    pub r2: f64,
}

impl FrontEnd {
    /// Generated tokens per second at which so many cores are used; none where it takes as many idle.
    pub fn tokens_at(&self, cores: f64) -> Option<f64> {
        let tokens = (cores - self.idle_cores) / self.per_token_s;
        (tokens > 0.0 && tokens.is_finite()).then_some(tokens)
    }
}

/// Fit the line.
///
/// # Errors
/// In words why there is none.
pub fn front_end(moments: &[Moment], engine: Option<&str>) -> Result<FrontEnd, String> {
    if engine != Some(ENGINE) {
        return Err("of vLLM alone the process that serves the page is known to be the front end"
            .to_owned());
    }
    let points: Vec<(f64, f64)> = moments.windows(2).filter_map(point).collect();
    if points.len() < POINTS_MIN {
        return Err(format!(
            "{} readings have the processor time of its process and generated tokens; it takes \
             {POINTS_MIN}",
            points.len()
        ));
    }
    let (pace, cores): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    if variance(&pace).sqrt() <= SPREAD_MIN * mean(&pace) {
        return Err(format!(
            "{:.0} tokens per second came all the time: what others would take cannot be told",
            mean(&pace)
        ));
    }
    let per_token_s = covariance(&pace, &cores) / variance(&pace);
    let idle_cores = mean(&cores) - per_token_s * mean(&pace);
    let residuals: Vec<f64> = pace
        .iter()
        .zip(&cores)
        .map(|(pace, cores)| cores - idle_cores - per_token_s * pace)
        .collect();
    let total = variance(&cores);
    let r2 = if total > 0.0 { 1.0 - variance(&residuals) / total } else { 0.0 };
    if per_token_s <= 0.0 || r2 < R2_MIN {
        return Err(format!(
            "tokens explain {:.0} % of how its processor time varied; it takes {:.0} %",
            r2.max(0.0) * 100.0,
            R2_MIN * 100.0
        ));
    }
    Ok(FrontEnd { idle_cores: idle_cores.max(0.0), per_token_s, r2 })
}

/// Tokens per second and cores between two readings.
fn point(pair: &[Moment]) -> Option<(f64, f64)> {
    let [before, after] = pair else { return None };
    let seconds = Some(after.at_s - before.at_s).filter(|seconds| *seconds > 0.0)?;
    Some((after.generated? / seconds, after.cpu_seconds? / seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading each 10 s, with a fifth of a millisecond for each token on two hundredths of a core.
    fn readings(pace: impl Fn(usize) -> f64, noise: f64) -> Vec<Moment> {
        let mut random = fastrand::Rng::with_seed(5);
        let one = |at: usize| {
            let cores = 0.02 + 0.0002 * pace(at) + noise * (random.f64() - 0.5);
            Moment {
                at_s: at as f64 * 10.0,
                generated: Some(10.0 * pace(at)),
                cpu_seconds: Some(10.0 * cores),
                ..Moment::default()
            }
        };
        (0..60).map(one).collect()
    }

    fn busy(at: usize) -> f64 {
        1000.0 + 900.0 * (at as f64 / 7.0).sin()
    }

    #[test]
    fn what_idles_is_told_from_what_tokens_take() {
        let found = front_end(&readings(busy, 0.02), Some("vllm")).unwrap();
        assert!((found.per_token_s / 0.0002 - 1.0).abs() < 0.05, "{found:?}");
        assert!((found.idle_cores - 0.02).abs() < 0.01, "{found:?}");
        // 0.85 - 0.02 of a core over 0.2 ms.
        assert!((found.tokens_at(0.85).unwrap() / 4150.0 - 1.0).abs() < 0.06, "{found:?}");
        assert_eq!(FrontEnd { idle_cores: 0.9, ..found }.tokens_at(0.85), None);
    }

    #[test]
    fn a_line_that_is_none_is_not_drawn() {
        let check = |moments: &[Moment], engine: Option<&str>, because: &str| {
            let why = front_end(moments, engine).unwrap_err();
            assert!(why.contains(because), "{why}");
        };
        check(&readings(busy, 0.0), Some("tgi"), "of vLLM alone");
        check(&readings(busy, 0.0), None, "of vLLM alone");
        check(&readings(busy, 0.0)[..20], Some("vllm"), "19 readings");
        check(&readings(|_| 500.0, 0.0), Some("vllm"), "500 tokens per second came all the time");
        check(&readings(|_| 0.0, 0.0), Some("vllm"), "0 tokens per second");
        check(&readings(busy, 3.0), Some("vllm"), "tokens explain");
        let mut silent = readings(busy, 0.0);
        for moment in &mut silent {
            moment.cpu_seconds = None;
        }
        check(&silent, Some("vllm"), "0 readings");
    }
}
