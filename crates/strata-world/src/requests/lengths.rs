//! How long requests are: input, the part of it that a cache supplied, and output, together. A mean of
//! each tells nothing of a model that gets long prompts with short answers and the other way round.

use std::collections::BTreeMap;

use strata_model::record::RequestSample;

/// Buckets of lengths: up to 16 tokens, 32, .. 1 M, and beyond.
pub const BUCKETS: usize = 18;

/// Upper edge of a bucket in tokens; `None` for the last.
pub fn edge(bucket: usize) -> Option<u64> {
    (bucket + 1 < BUCKETS).then(|| 16_u64 << bucket)
}

fn bucket(tokens: u64) -> usize {
    (0..BUCKETS).find(|at| edge(*at).is_none_or(|edge| tokens <= edge)).unwrap_or(BUCKETS - 1)
}

/// Requests whose input and output lie in one pair of buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LengthCell {
    pub requests: u64,
    /// Tokens of their inputs.
    pub input: u64,
    /// Tokens of the inputs of requests that tell what a cache supplied, and what it supplied.
    pub cache_told: u64,
    pub cached: u64,
}

impl LengthCell {
    /// Part of the input that a cache supplied; `None` where no request tells.
    pub fn cached_share(&self) -> Option<f64> {
        (self.cache_told > 0).then(|| self.cached as f64 / self.cache_told as f64)
    }
}

/// How one length is spread.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// Requests that tell it.
    pub told: u64,
    pub mean: f64,
    /// p50, p90, p99 by nearest rank, and the longest; tokens.
    pub quantiles: [u64; 3],
    pub longest: u64,
}

/// The quantiles of a [`Spread`].
pub const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Lengths of many requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lengths {
    /// By the buckets of input and output; only requests that tell both.
    pub cells: BTreeMap<(usize, usize), LengthCell>,
    pub input: Spread,
    /// Of the requests that tell whether a cache was used.
    pub cached: Spread,
    pub computed: Spread,
    pub output: Spread,
    /// Input and output of a request together.
    pub whole: Spread,
}

impl Lengths {
    /// Of these requests.
    pub fn of<'a>(samples: impl Iterator<Item = &'a RequestSample> + Clone) -> Self {
        let mut cells = BTreeMap::<_, LengthCell>::new();
        for one in samples.clone() {
            let (Some(input), Some(output)) = (one.input(), one.output()) else { continue };
            let cell = cells.entry((bucket(input), bucket(output))).or_default();
            cell.requests += 1;
            cell.input = cell.input.saturating_add(input);
            if let Some(cached) = one.tokens.cache_read {
                cell.cache_told = cell.cache_told.saturating_add(input);
                cell.cached = cell.cached.saturating_add(cached);
            }
        }
        let told = |of: fn(&RequestSample) -> Option<u64>| spread(samples.clone().filter_map(of));
        let (input, output) = (told(RequestSample::input), told(RequestSample::output));
        let (cached, computed) = (told(|one| one.tokens.cache_read), told(RequestSample::computed));
        let whole =
            spread(samples.filter_map(|one| Some(one.input()?.saturating_add(one.output()?))));
        Self { cells, input, cached, computed, output, whole }
    }

    /// Part of all inputs that a cache supplied; `None` where no request tells.
    pub fn cached_share(&self) -> Option<f64> {
        let mut all = LengthCell::default();
        for cell in self.cells.values() {
            all.cache_told = all.cache_told.saturating_add(cell.cache_told);
            all.cached = all.cached.saturating_add(cell.cached);
        }
        all.cached_share()
    }

    /// Requests that tell both input and output.
    pub fn requests(&self) -> u64 {
        self.cells.values().map(|cell| cell.requests).sum()
    }
}

fn spread(lengths: impl Iterator<Item = u64>) -> Spread {
    let mut rising: Vec<u64> = lengths.collect();
    rising.sort_unstable();
    let Some(longest) = rising.last().copied() else { return Spread::default() };
    let count = rising.len() as f64;
    let at = |q: f64| rising.get(((q * count).ceil() as usize).max(1) - 1).copied();
    Spread {
        told: rising.len() as u64,
        mean: rising.iter().map(|tokens| *tokens as f64).sum::<f64>() / count,
        quantiles: QUANTILES.map(|q| at(q).unwrap_or(longest)),
        longest,
    }
}

/// Groups of requests, the largest first: what each is called, and its lengths.
pub fn by_group(samples: &[RequestSample]) -> Vec<(String, Lengths)> {
    let mut groups: BTreeMap<&str, Vec<&RequestSample>> = BTreeMap::new();
    for one in samples {
        groups.entry(one.group.as_deref().unwrap_or_default()).or_default().push(one);
    }
    let mut sorted: Vec<(&str, Vec<&RequestSample>)> = groups.into_iter().collect();
    sorted.sort_by_key(|(_, requests)| std::cmp::Reverse(requests.len()));
    let lengths = |(name, requests): (&str, Vec<&RequestSample>)| {
        (name.to_owned(), Lengths::of(requests.iter().copied()))
    };
    sorted.into_iter().map(lengths).collect()
}

#[cfg(test)]
mod tests {
    use strata_model::record::TokenBuckets;

    use super::*;

    fn sample(fresh: u64, cached: Option<u64>, output: Option<u64>) -> RequestSample {
        let tokens = TokenBuckets {
            fresh_input: Some(fresh),
            cache_read: cached,
            output_text: output,
            ..TokenBuckets::default()
        };
        RequestSample { tokens, ..RequestSample::default() }
    }

    #[test]
    fn a_length_is_in_the_bucket_whose_edge_it_does_not_pass() {
        let check = |tokens, expected| assert_eq!(bucket(tokens), expected, "{tokens}");
        check(0, 0);
        check(16, 0);
        check(17, 1);
        check(32, 1);
        check(1 << 20, 16);
        check((1 << 20) + 1, 17);
        check(u64::MAX, 17);
        assert_eq!((edge(0), edge(16), edge(17)), (Some(16), Some(1 << 20), None));
    }

    #[test]
    fn what_belongs_together_stays_together() {
        // Long prompts with short answers, and short ones with long answers.
        let mut samples: Vec<_> = (0..30).map(|_| sample(7_000, Some(1_000), Some(10))).collect();
        samples.extend((0..70).map(|_| sample(100, None, Some(900))));
        samples.push(sample(5, None, None));
        let found = Lengths::of(samples.iter());
        assert_eq!(found.requests(), 100);
        let cell = |input, output| found.cells.get(&(bucket(input), bucket(output))).copied();
        let long = LengthCell { requests: 30, input: 240_000, cache_told: 240_000, cached: 30_000 };
        assert_eq!(cell(8_000, 10), Some(long));
        let short = cell(100, 900).unwrap();
        assert_eq!((short.requests, short.cached_share()), (70, None));
        assert_eq!(long.cached_share(), Some(0.125));
        assert_eq!(cell(8_000, 900), None);
        assert_eq!((found.input.told, found.cached.told, found.output.told), (101, 30, 100));
        assert_eq!(found.whole.quantiles, [1_000, 8_010, 8_010]);
        assert_eq!(found.computed.longest, 7_000);
        assert_eq!(Lengths::of([].iter()), Lengths::default());
    }

    #[test]
    fn groups_come_the_largest_first() {
        let mut samples: Vec<_> = (0..5).map(|_| sample(100, None, Some(10))).collect();
        for one in samples.iter_mut().take(3) {
            one.group = Some("agent".to_owned());
        }
        let found = by_group(&samples);
        let names: Vec<_> = found.into_iter().map(|(name, of)| (name, of.requests())).collect();
        assert_eq!(names, [("agent".to_owned(), 3), (String::new(), 2)]);
    }
}
