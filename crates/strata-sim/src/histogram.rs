//! Classic histograms with the edges that real programs use.

/// Counts by upper edge, as Prometheus clients keep them.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    edges: &'static [f64],
    /// One more than edges: the last counts what lies above all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub(crate) fn new(edges: &'static [f64]) -> Self {
        Self { edges, counts: vec![0; edges.len() + 1], sum: 0.0 }
    }

    pub(crate) fn observe(&mut self, value: f64) {
        self.observe_many(value, 1);
    }

    /// The same value, `times` times.
    pub(crate) fn observe_many(&mut self, value: f64, times: u64) {
        let bucket = self.edges.partition_point(|edge| *edge < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += times;
        }
        self.sum += value * times as f64;
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// Upper edge (infinite for the last) and how many values lie at or below it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let edges = self.edges.iter().copied().chain([f64::INFINITY]);
        edges.zip(&self.counts).scan(0, |below, (edge, count)| {
            *below += count;
            Some((edge, *below))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_its_bucket() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        histogram.observe(1.0);
        histogram.observe_many(1.5, 3);
        histogram.observe(9.0);
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative, [(1.0, 1), (2.0, 4), (f64::INFINITY, 5)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, 14.5));
    }
}
