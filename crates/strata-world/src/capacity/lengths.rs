//! Lengths of requests from the buckets of histograms, and how many such requests fit.

/// How a length is spread: the buckets that anything was observed in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lengths {
    /// By their upper edges, rising; the last may be infinite.
    buckets: Vec<Bucket>,
}

/// Lengths above `low` and at most `edge`, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    low: f64,
    edge: f64,
    /// Share of the requests.
    part: f64,
}

impl Lengths {
    /// From rising upper edges and observations in each bucket; none of nothing.
    pub fn new(edges: &[f64], counts: &[f64]) -> Option<Self> {
        let total: f64 = counts.iter().sum();
        if total <= 0.0 || !total.is_finite() {
            return None;
        }
        // The edge below a bucket is that of the bucket before it, whether that is empty or not.
        let lows = [0.0].into_iter().chain(edges.iter().copied());
        let buckets = lows.zip(edges).zip(counts).filter(|(_, count)| **count > 0.0);
        let bucket = |((low, edge), count): ((f64, &f64), &f64)| Bucket {
            low,
            edge: *edge,
            part: count / total,
        };
        Some(Self { buckets: buckets.map(bucket).collect() })
    }

    /// From cumulative buckets in any order: (upper edge, observations at or below it).
    pub fn of_cumulative(mut cumulative: Vec<(f64, f64)>) -> Option<Self> {
        cumulative.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0.0_f64;
        let mut counts = Vec::with_capacity(cumulative.len());
        for (_, count) in &cumulative {
            counts.push((count - below).max(0.0));
            below = below.max(*count);
        }
        let edges: Vec<f64> = cumulative.iter().map(|(edge, _)| *edge).collect();
        Self::new(&edges, &counts)
    }

    /// The edge that a share of the requests is at or below: never less than the quantile itself.
    /// Infinite when it lies above the last edge.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sum = 0.0;
        let found = self.buckets.iter().find(|bucket| {
            sum += bucket.part;
            // Shares are sums of fractions.
            sum >= share - 1e-9
        });
        found.or(self.buckets.last()).map_or(f64::INFINITY, |bucket| bucket.edge)
    }

    /// Mean square over square of the mean, each bucket at its middle; none when something lies above
    /// the last edge.
    pub fn square_ratio(&self) -> Option<f64> {
        let (mut mean, mut square) = (0.0, 0.0);
        for Bucket { low, edge, part } in &self.buckets {
            let middle = (low + edge) / 2.0;
            mean += part * middle;
            square += part * middle * middle;
        }
        (mean > 0.0 && square.is_finite()).then(|| square / (mean * mean))
    }

    /// The sum of two lengths that do not depend on each other. By the edges of both, so never too
    /// short.
    pub fn plus(&self, other: &Self) -> Self {
        let pairs = self.buckets.iter().flat_map(|one| {
            other.buckets.iter().map(move |more| Bucket {
                low: one.low + more.low,
                edge: one.edge + more.edge,
                part: one.part * more.part,
            })
        });
        let mut buckets: Vec<Bucket> = pairs.collect();
        buckets.sort_by(|a, b| a.edge.total_cmp(&b.edge));
        Self { buckets }
    }
}

/// How many requests of a shape fit into the cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Share of the requests that are at most so long: 0.5 of the p50.
    pub share: f64,
    /// Tokens that such a request holds in the end, at most.
    pub tokens: f64,
    /// Requests into the whole cache, `floor(u C / Q)`, and beside what is held now.
    pub all: f64,
    pub more: Option<f64>,
}

/// Shapes of requests that are told of.
pub const SHAPES: usize = 3;

/// What goes into [`fits`].
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Part of the capacity that may be used.
    pub fill: f64,
    /// Tokens.
    pub capacity: f64,
    pub pinned: Option<f64>,
    /// Data-parallel ranks with a cache each, among which capacity and pinned are spread; at least 1.
    pub ranks: f64,
}

/// `N(q) = floor(u C / Q_q(P + O))` for each of `shares`; none for a length above the last
/// edge. Prompt and output are taken as independent, since their joint distribution is not on an
/// engine's page.
pub fn fits(
    prompt: &Lengths,
    output: &Lengths,
    shares: [f64; SHAPES],
    room: Room,
) -> [Option<Fit>; SHAPES] {
    let held = prompt.plus(output);
    shares.map(|share| {
        let tokens = held.quantile(share);
        // A request lies in the cache of one rank.
        let ranks = room.ranks.max(1.0);
        let whole = |tokens_free: f64| (tokens_free.max(0.0) / ranks / tokens).floor() * ranks;
        (tokens.is_finite() && tokens > 0.0).then(|| Fit {
            share,
            tokens,
            all: whole(room.fill * room.capacity),
            more: room.pinned.map(|pinned| whole(room.fill * room.capacity - pinned)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

    fn lengths(buckets: &[(f64, f64)]) -> Lengths {
        let (edges, counts): (Vec<f64>, Vec<f64>) = buckets.iter().copied().unzip();
        Lengths::new(&edges, &counts).unwrap()
    }

    #[test]
    fn quantiles_are_edges() {
        let found = lengths(&[(100.0, 5.0), (200.0, 4.0), (f64::INFINITY, 1.0)]);
        let check = |share: f64, edge: f64| assert_eq!(found.quantile(share), edge, "{share}");
        check(0.5, 100.0);
        check(0.51, 200.0);
        check(0.9, 200.0);
        check(0.99, f64::INFINITY);
        assert_eq!(found.square_ratio(), None);
        assert_eq!(Lengths::new(&[1.0], &[0.0]), None);
    }

    #[test]
    fn cumulative_buckets_are_taken_apart() {
        let cumulative = vec![(f64::INFINITY, 10.0), (100.0, 5.0), (200.0, 9.0)];
        let expected = lengths(&[(100.0, 5.0), (200.0, 4.0), (f64::INFINITY, 1.0)]);
        assert_eq!(Lengths::of_cumulative(cumulative), Some(expected));
    }

    #[test]
    fn one_length_has_no_spread_and_two_have_some() {
        let check = |buckets: &[(f64, f64)], expected: f64| {
            let found = lengths(buckets).square_ratio().unwrap();
            assert!((found - expected).abs() < 1e-9, "{found}");
        };
        check(&[(100.0, 1.0)], 1.0);
        // Middles 50 and 150 in equal parts: (2500 + 22500) / 2 over 100 squared.
        check(&[(100.0, 1.0), (200.0, 1.0)], 1.25);
        // Nothing is below 100: a middle of 150, which is no spread.
        check(&[(100.0, 0.0), (200.0, 1.0)], 1.0);
        // Middles 50 and 250, the bucket between them empty: (2500 + 62500) / 2 over 150 squared.
        check(&[(100.0, 1.0), (200.0, 0.0), (300.0, 1.0)], 32_500.0 / 22_500.0);
    }

    #[test]
    fn requests_of_a_shape_fit_beside_what_is_held() {
        let prompt = lengths(&[(500.0, 9.0), (2000.0, 1.0)]);
        let output = lengths(&[(200.0, 5.0), (500.0, 5.0)]);
        let room = Room { fill: 0.9, capacity: 100_000.0, pinned: Some(60_000.0), ranks: 1.0 };
        let [median, most, all] = fits(&prompt, &output, SHARES, room).map(Option::unwrap);
        // 500 + 500 for most, and 2000 + 500 for the longest.
        assert_eq!((median.tokens, most.tokens, all.tokens), (1000.0, 1000.0, 2500.0));
        assert_eq!((median.all, median.more), (90.0, Some(30.0)));
        assert_eq!((all.all, all.more), (36.0, Some(12.0)));
        let full = fits(&prompt, &output, SHARES, Room { pinned: Some(95_000.0), ..room });
        assert_eq!(full[0].unwrap().more, Some(0.0));
        // 22,500 tokens in each of four ranks hold nine of the longest.
        let ranks = fits(&prompt, &output, SHARES, Room { ranks: 4.0, fill: 0.9, ..room });
        assert_eq!(ranks[2].unwrap().all, 36.0);
        let ranks = fits(&prompt, &output, SHARES, Room { ranks: 40.0, ..room });
        assert_eq!(ranks[2].unwrap().all, 0.0, "2,250 tokens in each hold none");
        let above = lengths(&[(1000.0, 1.0), (f64::INFINITY, 1.0)]);
        assert_eq!(fits(&above, &output, SHARES, room)[1], None);
    }
}
