//! Whether two models got the same kind of requests: a model that gets the hard ones looks worse than
//! it is.

use std::collections::BTreeMap;

use strata_model::record::RequestSample;

use super::Side;

/// Median lengths that differ by more than this factor are not of like requests.
const LENGTHS_APART: f64 = 1.5;
/// Apps whose shares differ by more than this in all are not the same users: the distance of total
/// variation, 0 for the same mix and 1 for none in common.
const APPS_APART: f64 = 0.2;

/// One property of the requests of both.
#[derive(Debug, Clone, PartialEq)]
pub struct MixLine {
    /// `input tokens, median`.
    pub name: &'static str,
    pub unit: &'static str,
    pub a: Option<f64>,
    pub b: Option<f64>,
    /// Whether they are too far from each other for a comparison of like with like; `None` where
    /// one of them is not known.
    pub apart: Option<bool>,
    /// Whether it speaks against the comparison where they are.
    judges: bool,
}

/// How like the requests are.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    pub lines: Vec<MixLine>,
    /// Distance of total variation between the apps that ask; `None` where the requests of one of the
    /// two name none.
    pub apps_apart: Option<f64>,
    /// Of only one of the two is it known which apps ask.
    pub apps_one_sided: bool,
}

impl Mix {
    pub(super) fn of(a: &Side, b: &Side) -> Self {
        let line = |name, of: fn(&RequestSample) -> Option<u64>, judges: bool| {
            let [x, y] = [a, b].map(|side| median(&side.samples, of));
            let apart = x.zip(y).map(|(x, y)| judges && far(x, y));
            MixLine { name, unit: "{token}", a: x, b: y, apart, judges }
        };
        let lines = vec![
            line("input tokens, median", RequestSample::input, true),
            // What a model answers is its own doing: told, and not held against the comparison.
            line("output tokens, median", RequestSample::output, false),
        ];
        let named = [a, b].map(|side| side.samples.iter().any(|one| one.group.is_some()));
        let apps_one_sided = named == [true, false] || named == [false, true];
        Self { lines, apps_apart: apart(&a.samples, &b.samples), apps_one_sided }
    }

    /// Whether they come from other apps, or from the same ones in other parts.
    pub fn has_other_apps(&self) -> bool {
        self.apps_apart.is_some_and(|distance| distance > APPS_APART)
    }

    /// Why the comparison is not of like with like; empty when nothing speaks against it.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts: Vec<String> = self
            .lines
            .iter()
            .filter(|line| line.apart == Some(true))
            .map(|line| format!("the two got requests of other lengths ({})", line.name))
            .collect();
        let one_sided = |line: &&MixLine| line.judges && line.a.is_some() != line.b.is_some();
        doubts.extend(self.lines.iter().filter(one_sided).map(|line| {
            format!("of one of the two it is not told how long its requests are ({})", line.name)
        }));
        if self.apps_one_sided {
            doubts.push("of one of the two it is not told which apps asked it".to_owned());
        }
        if let Some(distance) = self.apps_apart.filter(|_| self.has_other_apps()) {
            doubts.push(format!(
                "the two were asked by other apps: {:.0} % of the requests would have to change",
                distance * 100.0
            ));
        }
        doubts
    }
}

fn far(x: f64, y: f64) -> bool {
    let (low, high) = (x.min(y), x.max(y));
    // Half a token stands for none.
    high.max(0.5) / low.max(0.5) > LENGTHS_APART
}

fn median(samples: &[RequestSample], of: fn(&RequestSample) -> Option<u64>) -> Option<f64> {
    let mut rising: Vec<u64> = samples.iter().filter_map(of).collect();
    rising.sort_unstable();
    rising.get(rising.len().checked_sub(1)? / 2).map(|tokens| *tokens as f64)
}

/// Half of the sum of the differences of the shares of each app.
fn apart(a: &[RequestSample], b: &[RequestSample]) -> Option<f64> {
    let mut shares: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for (side, samples) in [a, b].into_iter().enumerate() {
        let named = samples.iter().filter_map(|one| one.group.as_deref());
        let count = named.clone().count();
        if count == 0 {
            return None;
        }
        for app in named {
            if let Some(share) = shares.entry(app).or_default().get_mut(side) {
                *share += 1.0 / count as f64;
            }
        }
    }
    Some(shares.values().map(|[x, y]| (x - y).abs()).sum::<f64>() / 2.0)
}
